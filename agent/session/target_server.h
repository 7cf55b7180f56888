// One target as its agent serves it.
#ifndef CURLEW_AGENT_SESSION_TARGET_SERVER_H_
#define CURLEW_AGENT_SESSION_TARGET_SERVER_H_

#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <variant>

#include "absl/base/thread_annotations.h"
#include "absl/random/random.h"
#include "absl/synchronization/mutex.h"
#include "agent/attempt/run_context.h"
#include "agent/backup/backup_config.h"
#include "agent/checks/check_config.h"
#include "agent/guard/agent_metrics.h"
#include "agent/guard/lease_clock.h"
#include "agent/guard/pulse.h"
#include "agent/guard/throttle_config.h"
#include "agent/guard/walk_metrics.h"
#include "agent/journal/journal.h"
#include "agent/journal/takeover.h"
#include "agent/session/attempt.h"
#include "agent/session/inspector.h"
#include "agent/session/outbox.h"
#include "agent/verify/trust.h"
#include "common/base/backoff.h"
#include "common/pg/pool.h"
#include "curlew/v1/agent.pb.h"

namespace curlew::agent {

struct TargetOptions {
  std::string target;
  std::string agent_id;
  std::string instance_id;
  // application_name is set by the server.
  pg::PoolOptions pool;
  RowKeys row_keys = RowKeys::kWithhold;
  ThrottleConfig throttle;
  CheckConfigs checks;
  // As which role checks are made, and programs that back up connect; "" for the agent's own.
  std::string check_role;
  BackupConfig backups;
  // Whom the agent believes: then it runs signed plans alone. Nothing for whatever the controller says.
  std::optional<Trust> trust = std::nullopt;
  // Takes numbers of walks; null for nobody. Not owned.
  WalkMetrics* metrics = nullptr;
  // Takes numbers of the target; null for nobody. Not owned.
  AgentMetrics* agent_metrics = nullptr;
  // Pauses between tries to reach the database.
  base::BackoffOptions retry = {.first = absl::Seconds(1), .longest = absl::Seconds(30)};
};

// Takes the target over when its lease is given, answers the controller's commands in their order, runs one
// attempt at a time, and keeps each result until it is acknowledged, over any number of sessions. One thread
// decides, another works. Thread-safe; no method waits for the database, except Stop.
class TargetServer {
 public:
  // `outbox` and `lease` are not owned and outlive the object.
  TargetServer(TargetOptions options, Outbox* outbox, const LeaseClock* lease);
  ~TargetServer();

  // The controller has said something about this target: lease, dispatch, cancel, tune, report_schema,
  // report_row_problems, run_check, run_preflight or result_ack.
  void Handle(v1::ControllerMessage message);
  // The session is gone. What runs goes on; nothing begins until a lease is given again.
  void SessionLost();
  // Stops what runs at its next batch, says nothing of it (the controller will find it UNKNOWN, and the
  // journal knows), and ends. Idempotent.
  void Stop();

  const std::string& target() const { return options_.target; }
  // Of the thread that decides.
  std::shared_ptr<const Pulse> pulse() const { return pulse_; }

 private:
  struct Lost {};  // the session
  using Input = std::variant<v1::ControllerMessage, Lost>;

  void Loop();
  std::optional<Input> NextInput();
  bool Woken() const ABSL_SHARED_LOCKS_REQUIRED(mutex_) { return stopping_ || ended_ || !inputs_.empty(); }
  bool Stopping() const;

  // The rest belongs to the loop's thread.
  void On(const v1::Lease& lease);
  void On(const v1::Dispatch& dispatch);
  void On(const v1::Cancel& cancel);
  void On(const v1::Tune& tune);
  void On(const v1::ReportSchema& request);
  void On(const v1::ReportRowProblems& request);
  void Start(const v1::Dispatch& dispatch, v1::Step step, v1::PlanSettings settings);
  void Finish();
  // Stops what runs and forgets it.
  void Abandon();
  // Makes sure that the target is this agent's, then says so; or says what is wrong, and when it looks again.
  void BecomeReady();
  // True where it is; false where another has it, by its journal, and the controller must be asked anew.
  absl::StatusOr<bool> Secure();
  // Of the database that is this agent's, and of no other that the name may lead to by now.
  absl::StatusOr<RunJournals> ReadJournals();
  void SayReady(RunJournals journals);
  // Whether the database is still the one that was taken over. A pool dials again by itself: it may have come
  // to a standby that was promoted, and that has the same epoch.
  bool IsSameDatabase();
  // Looks at an idle target from time to time, so that a failover is noticed before the next command.
  void LookAfter();
  // What a controller may tune: all, or with trust no less careful than the configuration.
  v1::Tuning Allowed(const v1::Tuning& tuning) const;
  // Stops an attempt that takes longer than its command allows.
  void CheckDeadline();
  void Acknowledge(const v1::Dispatch& dispatch);
  void Refuse(const v1::Dispatch& dispatch, v1::NackReason reason, const std::string& message);
  // Keeps the result, and sends it.
  void Conclude(const v1::Dispatch& dispatch, const Outcome& outcome);

  const TargetOptions options_;
  const TakeoverOptions takeover_;
  Outbox* const outbox_;
  const LeaseClock* const lease_;
  AgentMetrics* const metrics_;
  const std::shared_ptr<Pulse> pulse_ = std::make_shared<Pulse>();
  pg::Pool pool_;
  Inspector inspector_;

  mutable absl::Mutex mutex_;
  std::deque<Input> inputs_ ABSL_GUARDED_BY(mutex_);
  bool ended_ ABSL_GUARDED_BY(mutex_) = false;  // the running attempt
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;

  // Of the loop's thread.
  absl::BitGen random_;
  base::Backoff backoff_;
  bool granted_ = false;
  // The lease was given since the target was last secured: then it may be taken from whoever has it.
  bool just_granted_ = false;
  // Nobody knows how a COMMIT ended, and its backend may be at it still: the target is taken over anew, which
  // ends that, before anything is said of it.
  bool in_doubt_ = false;
  // When to (re)gain the target; infinite where there is nothing to do.
  absl::Time ready_at_ = absl::InfiniteFuture();
  // When to look whether an idle target is still the same.
  absl::Time look_at_ = absl::InfiniteFuture();
  std::optional<Tenure> tenure_;
  std::string problem_ = "no lease was given yet";
  std::unique_ptr<RunningAttempt> running_;
  // Of the attempt that runs, by a clock that nobody sets; infinite where it may take as long as it needs.
  absl::Duration stop_at_ = absl::InfiniteDuration();
  bool out_of_time_ = false;                                   // it was stopped because of that
  std::map<std::pair<std::string, int>, v1::Result> results_;  // by run and attempt
  // By run, the highest number of an attempt that was begun under this epoch: a command that comes a second
  // time, after its attempt was cancelled and forgotten, must not begin it again behind the controller's
  // back.
  std::map<std::string, int> newest_begun_;

  CancelToken stop_;  // ends a takeover that waits
  std::thread thread_;
};

}  // namespace curlew::agent

#endif  // CURLEW_AGENT_SESSION_TARGET_SERVER_H_
