// What an executor needs to do its step.
#ifndef CURLEW_AGENT_ATTEMPT_RUN_CONTEXT_H_
#define CURLEW_AGENT_ATTEMPT_RUN_CONTEXT_H_

#include <optional>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "agent/guard/agent_metrics.h"
#include "agent/guard/cancel_token.h"
#include "agent/guard/lease_clock.h"
#include "agent/guard/live_tuning.h"
#include "agent/guard/throttle_config.h"
#include "agent/guard/walk_metrics.h"
#include "agent/journal/journal.h"
#include "common/pg/pool.h"
#include "curlew/v1/plan.pb.h"
#include "curlew/v1/rollout.pb.h"
#include "curlew/v1/step.pb.h"

namespace curlew::agent {

struct BackupConfig;

// Takes what an attempt reports about itself. Thread-safe.
class ProgressSink {
 public:
  virtual ~ProgressSink() = default;
  // The newest replaces all before. Target, step, attempt and phase are filled in by the sink.
  virtual void Report(const v1::Progress& progress) = 0;
};

// Whether keys of rows may leave the database in errors.
enum class RowKeys { kWithhold, kReport };

// One attempt and its surroundings. Pointers are not owned and outlive the attempt.
struct RunContext {
  std::string target;
  StepAttempt attempt;
  v1::PlanSettings settings;
  // Locks that the step takes on tables that exist.
  std::vector<v1::TableLock> locks;
  RowKeys row_keys = RowKeys::kWithhold;
  // An operator's word that a step that waits need not, that rows which could not be written may stay so, or
  // that an ANALYZE is left out.
  std::optional<v1::Override> override_wait;
  // What operators set for walks while they run; null for nothing.
  const LiveTuning* tuning = nullptr;
  // How much of the database walks may use; null for the defaults.
  const ThrottleConfig* throttle = nullptr;
  // What the agent has to make backups with; null for nothing.
  const BackupConfig* backups = nullptr;
  // Takes numbers of walks; null for nobody.
  WalkMetrics* metrics = nullptr;
  // Takes numbers of attempts; null for nobody.
  AgentMetrics* agent_metrics = nullptr;
  // Connections for fenced transactions and for looking.
  pg::Pool* pool = nullptr;
  // How to open a session that no transaction fences.
  pg::ConnectOptions connect;
  const LeaseClock* lease = nullptr;
  const CancelToken* cancel = nullptr;
  ProgressSink* progress = nullptr;
};

// A pause in the work, as progress.
v1::Progress WaitingFor(v1::WaitCause cause, const std::string& message, absl::Time since);

// Settings, with defaults where the plan gives none.
absl::Duration MaxLockTimeout(const v1::PlanSettings& settings);
absl::Duration DdlStatementTimeout(const v1::PlanSettings& settings);
absl::Duration LockRetryDeadline(const v1::PlanSettings& settings);

}  // namespace curlew::agent

#endif  // CURLEW_AGENT_ATTEMPT_RUN_CONTEXT_H_
