// The sessions of agents: hello, leases, heartbeats, farewell.
#ifndef CURLEW_CONTROLLER_SESSION_SESSION_MANAGER_H_
#define CURLEW_CONTROLLER_SESSION_SESSION_MANAGER_H_

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <set>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "controller/dispatch/engine.h"
#include "controller/session/agent_peer.h"
#include "controller/session/lease_table.h"

namespace curlew::session {

// Times of sessions.
struct SessionOptions {
  // How often agents are to be heard, and how long one that is not keeps its leases. With many agents both
  // are stretched by the same factor, so that no more than 50 beats a second arrive.
  absl::Duration heartbeat_interval = absl::Seconds(5);
  absl::Duration lease_time = absl::Seconds(15);
  // How long a stream may be open without a Hello.
  absl::Duration hello_deadline = absl::Seconds(10);
  // A session of this age, plus up to two minutes, is asked to come again on a new connection: gRPC has told
  // the old one to go by then (rpc::kConnectionAge, jittered by 10 %), and ends it after its grace.
  absl::Duration session_age = absl::Minutes(33);
  // At least 0 and less than 1: how much of those two minutes. Random where it is not given.
  std::function<double()> jitter;
};

// Judges what agents may do and tells the engine. Belongs to the loop's thread.
class SessionManager : public StreamHandler {
 public:
  // `engine` must outlive it, and its loop must have stopped before this object ends.
  SessionManager(dispatch::Engine* engine, SessionOptions options);

  void Opened(const std::shared_ptr<AgentPeer>& stream) override;
  void Received(AgentPeer* stream, const v1::AgentMessage& message) override;
  void Closed(AgentPeer* stream) override;

  // The pipeline was loaded, or has changed.
  void TargetsChanged();
  // Asks all agents to come again and ends their streams, and those of agents yet to come.
  void Drain();

 private:
  void OnHello(AgentPeer* stream, const v1::Hello& hello);
  void Welcome(AgentPeer* stream);
  void Apply(const LeaseChanges& changes);
  // Ends a session and passes on its leases.
  void End(AgentPeer* stream, const absl::Status& status);
  // Whether the agent may still be who it is, and serve what it said; else its session is ended. Rights may
  // be taken away at any time: it is asked at every heartbeat, and as often as leases would run out.
  bool MayStay(AgentPeer* stream);
  void ExpireLater(int64_t session, absl::Duration lease_time, absl::Duration delay);
  AgentPeer* Find(int64_t session);

  dispatch::Engine* const engine_;
  SessionOptions options_;
  LeaseTable leases_;
  std::map<AgentPeer*, std::shared_ptr<AgentPeer>> streams_;  // all that are open
  std::map<int64_t, AgentPeer*> sessions_;                    // those that have said Hello
  int64_t next_session_ = 1;
  bool draining_ = false;
};

}  // namespace curlew::session

#endif  // CURLEW_CONTROLLER_SESSION_SESSION_MANAGER_H_
