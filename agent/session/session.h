// The agent's side of the session with the controller.
#ifndef CURLEW_AGENT_SESSION_SESSION_H_
#define CURLEW_AGENT_SESSION_SESSION_H_

#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/random/random.h"
#include "absl/status/status.h"
#include "absl/synchronization/mutex.h"
#include "agent/guard/agent_metrics.h"
#include "agent/guard/lease_clock.h"
#include "agent/guard/pulse.h"
#include "agent/session/outbox.h"
#include "agent/session/target_server.h"
#include "common/base/backoff.h"
#include "common/rpc/endpoint.h"
#include "curlew/v1/agent.grpc.pb.h"
#include "grpcpp/grpcpp.h"

namespace curlew::agent {

struct SessionOptions {
  // "host:port", or several; for messages.
  std::string controller;
  // Of several, a session begins with the one that leads, once there is one.
  rpc::Controllers controllers = rpc::Controllers::kOne;
  std::string agent_id;
  std::string instance_id;
  std::string version;
  // Names of what the configuration has: checks, and commands for backups.
  std::vector<std::string> checks = {};
  std::vector<std::string> backup_commands = {};
  // Whether signed plans alone are run.
  bool requires_signatures = false;
  // Says why no connection comes about, where gRPC cannot; "" where it does not know. May take seconds. Null
  // for nobody.
  std::function<std::string()> why_unreachable = nullptr;
  // Takes numbers of sessions; null for nobody. Not owned.
  AgentMetrics* metrics = nullptr;
  // Pauses between tries to reach the controller.
  base::BackoffOptions reconnect = {.first = absl::Milliseconds(500), .longest = absl::Seconds(5)};
  // The same after a controller that does not work with this agent: only people can change that.
  absl::Duration refused_pause = absl::Seconds(15);
  // How long a controller may take to answer Hello. Later its answers to heartbeats may be missing for the
  // lease time; a session that has heard nothing for longer is ended, and looks for another controller.
  absl::Duration welcome_deadline = absl::Seconds(10);
};

// Dials, says hello, carries messages both ways, and dials again with jittered pauses when the stream ends.
// Work goes on meanwhile. Run is for one thread; Stop is thread-safe.
class Session {
 public:
  // `targets`, `outbox` and `lease` are not owned and outlive the object.
  Session(SessionOptions options, std::shared_ptr<grpc::Channel> channel, std::vector<TargetServer*> targets,
          Outbox* outbox, LeaseClock* lease);

  // Returns after Stop.
  void Run();
  // Says goodbye (half-closes the stream) and lets Run return, within two seconds.
  void Stop();
  // Of the thread that reads.
  std::shared_ptr<const Pulse> pulse() const { return pulse_; }

 private:
  using Stream = grpc::ClientReaderWriter<v1::AgentMessage, v1::ControllerMessage>;

  // Waits, where there are several controllers, until one that leads can be reached. False where Stop came
  // first.
  bool FindLeader();
  // As options_.why_unreachable says.
  std::string WhyUnreachable() const;
  // Returns after `pause`, or when Stop is called.
  void Pause(absl::Duration pause);
  // One session, from hello to the end of its stream. UNAVAILABLE, FAILED_PRECONDITION; what the controller
  // says.
  absl::Status Serve();
  // Sends what the outbox holds, and a heartbeat where that is nothing, until it closes or the stream breaks.
  void Write(Stream* stream);
  void On(v1::ControllerMessage message);
  void On(const v1::Welcome& welcome);
  void Heard();
  // When the session is to end unless something is heard before.
  std::chrono::steady_clock::time_point SilenceEnds() const;
  TargetServer* Find(const std::string& target) const;
  // The target of a message that names only a run: "rollouts/x/runs/TARGET".
  TargetServer* FindByRun(const std::string& run) const;
  std::chrono::steady_clock::time_point NextHeartbeat() const;
  bool stopping() const;

  const SessionOptions options_;
  const std::shared_ptr<grpc::Channel> channel_;
  const std::unique_ptr<v1::AgentService::Stub> stub_;
  const std::vector<TargetServer*> targets_;
  Outbox* const outbox_;
  LeaseClock* const lease_;
  const std::shared_ptr<Pulse> pulse_ = std::make_shared<Pulse>();
  // Of Run's thread.
  absl::BitGen random_;
  base::Backoff backoff_;
  absl::Duration asked_to_wait_;  // by Reconnect
  bool answered_ = false;         // the controller has said something in the newest session
  absl::Status refused_;          // why this controller is none for this agent

  mutable absl::Mutex mutex_;
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;
  grpc::ClientContext* context_ ABSL_GUARDED_BY(mutex_) = nullptr;
  absl::Duration heartbeat_interval_ ABSL_GUARDED_BY(mutex_) = absl::Seconds(5);
  std::chrono::steady_clock::time_point heard_ ABSL_GUARDED_BY(mutex_);
  absl::Duration patience_ ABSL_GUARDED_BY(mutex_);  // after heard_
  bool gave_up_ ABSL_GUARDED_BY(mutex_) = false;     // nothing was heard for that
};

}  // namespace curlew::agent

#endif  // CURLEW_AGENT_SESSION_SESSION_H_
