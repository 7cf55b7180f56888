// One stream of an agent, as the session manager sees it.
#ifndef CURLEW_CONTROLLER_SESSION_AGENT_PEER_H_
#define CURLEW_CONTROLLER_SESSION_AGENT_PEER_H_

#include <cstdint>
#include <memory>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "common/base/clock.h"
#include "controller/dispatch/agent_link.h"
#include "controller/dispatch/loop.h"
#include "curlew/v1/agent.pb.h"

namespace curlew::session {

// What is known of a stream, whatever carries it. Everything on the loop's thread; whoever holds one may Send
// and Finish for ever, also when the stream has ended.
class AgentPeer : public dispatch::AgentLink {
 public:
  // Both must outlive it.
  AgentPeer(const dispatch::Loop* loop, const base::Clock* clock)
      : loop_(loop), clock_(clock), heard_(loop->Elapsed()), sent_(loop->Elapsed()) {}

  void Send(v1::ControllerMessage message) final {
    sent_ = loop_->Elapsed();
    Write(std::move(message));
  }
  const std::string& agent_id() const final { return hello_.agent_id(); }
  const std::string& agent_version() const final { return hello_.version(); }
  bool requires_signatures() const final { return hello_.requires_signatures(); }
  absl::Time last_heard() const final { return last_heard_; }

  // How long nothing was heard, in monotonic time.
  absl::Duration Silence() const { return loop_->Elapsed() - heard_; }
  // How long nothing was said.
  absl::Duration Quiet() const { return loop_->Elapsed() - sent_; }
  // Number of the session; 0 until Hello.
  int64_t id() const { return id_; }
  const v1::Hello& hello() const { return hello_; }
  void SetHello(int64_t id, const v1::Hello& hello) {
    id_ = id;
    hello_ = hello;
  }

  // Whether the agent may be who it says it is, and serve what it says. PERMISSION_DENIED; UNAUTHENTICATED.
  virtual absl::Status MayBe(const v1::Hello& /*hello*/) const { return absl::OkStatus(); }
  // Where the agent calls from, for the log.
  virtual const std::string& peer() const = 0;
  // Ends the stream: after what was sent, or after no more than the message that is being written, which an
  // agent that reads no more cannot draw out. The first call wins.
  virtual void FinishAfterSent(const absl::Status& status) = 0;
  virtual void FinishNow(const absl::Status& status) = 0;

 protected:
  // Queues a message; never blocks.
  virtual void Write(v1::ControllerMessage message) = 0;
  // A message came: to be called before its handler is.
  void Heard() {
    last_heard_ = clock_->Now();
    heard_ = loop_->Elapsed();
  }

 private:
  const dispatch::Loop* const loop_;
  const base::Clock* const clock_;
  int64_t id_ = 0;
  v1::Hello hello_;
  absl::Time last_heard_ = absl::InfinitePast();
  absl::Duration heard_, sent_;
};

// What happens to streams. Called on the loop's thread.
class StreamHandler {
 public:
  virtual ~StreamHandler() = default;
  // First of all.
  virtual void Opened(const std::shared_ptr<AgentPeer>& stream) = 0;
  // A message; the next is read when this returns.
  virtual void Received(AgentPeer* stream, const v1::AgentMessage& message) = 0;
  // The stream has ended, from whichever side. Last of all; may come more than once.
  virtual void Closed(AgentPeer* stream) = 0;
};

}  // namespace curlew::session

#endif  // CURLEW_CONTROLLER_SESSION_AGENT_PEER_H_
