// Looks at a target that change nothing, beside its work.
#ifndef CURLEW_AGENT_SESSION_INSPECTOR_H_
#define CURLEW_AGENT_SESSION_INSPECTOR_H_

#include <deque>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "agent/backup/backup_config.h"
#include "agent/checks/check_config.h"
#include "agent/guard/cancel_token.h"
#include "agent/session/outbox.h"
#include "agent/verify/trust.h"
#include "common/pg/pool.h"
#include "curlew/v1/agent.pb.h"

namespace curlew::agent {

struct InspectorOptions {
  std::string target;
  // How to connect. Its own connections, and never the target's locks: a look neither waits for a step nor
  // holds one up. They are known by the target's application_name, so that a takeover ends them.
  pg::ConnectOptions connect;
  CheckConfigs checks;
  // As which role checks are made; "" for the agent's own.
  std::string check_role;
  BackupConfig backups;
  // Whom the agent believes. With it checks are the configuration's alone, and looked at is what the agent
  // has compiled itself from a signed plan: nothing that a controller writes is sent to the database.
  std::optional<Trust> trust = std::nullopt;
};

// Makes checks and preflights that the controller asks for, a few at a time, and answers each: also where the
// target cannot be reached, or too many wait. Its threads start with the first request. Thread-safe; no
// method waits, except Stop.
class Inspector {
 public:
  // At the same time, and that wait.
  static constexpr int kMostAtOnce = 2;
  static constexpr size_t kMostWaiting = 64;

  // `outbox` is not owned and outlives the object.
  Inspector(InspectorOptions options, Outbox* outbox);
  ~Inspector();

  // run_check or run_preflight; others are ignored.
  void Handle(v1::ControllerMessage message);
  // Stops what runs, answers nothing more, and ends. Idempotent.
  void Stop();

 private:
  void Work();
  v1::AgentMessage Answer(const v1::ControllerMessage& message);
  v1::CheckReport Check(const v1::RunCheck& request);
  v1::PreflightReport Preflight(const v1::RunPreflight& request);
  // The same, where the plan must be signed.
  absl::StatusOr<v1::Preflight> LookAtSigned(pg::Connection* connection, const v1::RunPreflight& request);
  absl::StatusOr<v1::Preflight> LookAt(pg::Connection* connection, const v1::CompiledPlan& plan);

  const InspectorOptions options_;
  Outbox* const outbox_;
  pg::Pool pool_;
  CancelToken stop_;

  absl::Mutex mutex_;
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;
  int running_ ABSL_GUARDED_BY(mutex_) = 0;  // threads
  int idle_ ABSL_GUARDED_BY(mutex_) = 0;     // of them
  std::deque<v1::ControllerMessage> waiting_ ABSL_GUARDED_BY(mutex_);
  std::vector<std::thread> threads_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace curlew::agent

#endif  // CURLEW_AGENT_SESSION_INSPECTOR_H_
