#include "agent/executor/ddl.h"

#include <algorithm>

#include "absl/random/random.h"
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "agent/guard/lock_watch.h"
#include "common/base/backoff.h"
#include "common/base/error_detail.h"
#include "common/base/fault_point.h"
#include "common/base/status_macros.h"
#include "common/pg/error.h"

namespace curlew::agent {
namespace {

constexpr absl::Duration kFirstLockTimeout = absl::Milliseconds(50);
// Transactions younger than this end before queueing behind them hurts.
constexpr absl::Duration kShortTransaction = absl::Milliseconds(100);
constexpr absl::Duration kLookAgain = absl::Milliseconds(100);
// Longer than the deadlock_timeout that servers come with, after which they cancel an autovacuum in the way.
constexpr absl::Duration kAutovacuumLockTimeout = absl::Milliseconds(1200);
// So often a transaction may run into its deadline while nobody was seen to hold a lock.
constexpr int kMostUnexplainedTimeouts = 5;

// Whether the role may set deadlock_timeout.
absl::StatusOr<bool> MaySetDeadlockTimeout(pg::Connection* connection) {
  ASSIGN_OR_RETURN(const pg::Result may,
                   connection->Execute(connection->server_version_num() >= 150000
                                           ? "SELECT has_parameter_privilege('deadlock_timeout', 'SET')"
                                           : "SELECT current_setting('is_superuser') = 'on'"));
  return may.Bool(0, 0);
}

class Ddl {
 public:
  Ddl(const RunContext& context, const DdlOptions& options,
      const std::function<absl::Status(DdlTransaction&)>& work)
      : context_(context), options_(options), work_(work) {}

  absl::Status Run() {
    ASSIGN_OR_RETURN(const auto lease, context_.pool->Acquire());
    connection_ = lease.get();
    const CancelToken::Interruptible interruptible(context_.cancel, connection_);
    ASSIGN_OR_RETURN(may_set_deadlock_timeout_, MaySetDeadlockTimeout(connection_));
    ASSIGN_OR_RETURN(roles_, ActingRoles::Of(connection_));
    absl::BitGen random;
    base::Backoff backoff({.first = absl::Milliseconds(100), .longest = absl::Seconds(5)}, random);
    lock_timeout_ = std::min(kFirstLockTimeout, MaxLockTimeout(context_.settings));
    for (int tries = 1;; ++tries) {
      RETURN_IF_ERROR(AwaitHolders());
      absl::Status status = Try();
      const bool retry =
          absl::IsDeadlineExceeded(status) || (absl::IsAborted(status) && !IsFencedOut(status));
      if (!retry) return status;
      RETURN_IF_ERROR(context_.cancel->Check());
      if (pg::Sqlstate(status) == "57014" && last_seen_.empty() &&
          ++unexplained_ == kMostUnexplainedTimeouts) {
        return base::WithDetail(
            absl::FailedPreconditionError(
                absl::StrCat("the statements need longer than ", absl::FormatDuration(options_.deadline),
                             ", though no transaction was seen to hold their locks")),
            base::kHint,
            "raise settings.ddl_statement_timeout, if the application can bear the lock for so long");
      }
      if (absl::Now() >= give_up_) return GaveUp(status, tries);
      const absl::Duration pause = backoff.Next();
      context_.progress->Report(WaitingFor(
          v1::WAIT_CAUSE_LOCK,
          absl::StrCat("try ", tries, " did not get its locks within ", absl::FormatDuration(lock_timeout_),
                       last_seen_.empty() ? "" : absl::StrCat("; ", last_seen_)),
          began_));
      lock_timeout_ = std::min(lock_timeout_ * 2, MaxLockTimeout(context_.settings));
      RETURN_IF_ERROR(context_.cancel->Pause(pause));
    }
  }

 private:
  // Returns once no transaction is seen that would make us wait long; or when it is time to give up.
  absl::Status AwaitHolders() {
    while (true) {
      RETURN_IF_ERROR(context_.cancel->Check());
      ASSIGN_OR_RETURN(const std::vector<LockHolder> holders, FindLockHolders(connection_, context_.locks));
      autovacuum_only_ = false;
      const LockHolder* longest = nullptr;
      for (const LockHolder& holder : holders) {
        if (holder.kind == LockHolder::Kind::kAutovacuum) {
          autovacuum_only_ = longest == nullptr;
        } else if (longest == nullptr && holder.transaction_age >= kShortTransaction) {
          longest = &holder;
        } else if (holder.kind == LockHolder::Kind::kPreparedTransaction) {
          longest = &holder;
        }
      }
      last_seen_ = longest != nullptr ? Describe(*longest)
                   : autovacuum_only_ ? Describe(holders.front())
                                      : "";
      if (longest == nullptr) return absl::OkStatus();
      autovacuum_only_ = false;
      if (absl::Now() >= give_up_) return GaveUp(absl::DeadlineExceededError("it was never released"), 0);
      context_.progress->Report(WaitingFor(v1::WAIT_CAUSE_LOCK, last_seen_, began_));
      RETURN_IF_ERROR(context_.cancel->Pause(kLookAgain));
    }
  }

  absl::Status Try() {
    const bool patient = autovacuum_only_ && !may_set_deadlock_timeout_ && !tried_patiently_;
    if (patient) tried_patiently_ = true;
    const absl::Duration lock_timeout = patient ? kAutovacuumLockTimeout : lock_timeout_;
    const absl::Duration deadline = patient ? options_.deadline + kAutovacuumLockTimeout : options_.deadline;
    ASSIGN_OR_RETURN(auto transaction, FencedTransaction::Begin(connection_, context_.attempt.fence(),
                                                                {.lock_timeout = lock_timeout}));
    if (may_set_deadlock_timeout_) {
      RETURN_IF_ERROR(
          transaction
              .Execute(absl::StrCat("SET LOCAL deadlock_timeout = ",
                                    std::max<int64_t>(1, absl::ToInt64Milliseconds(lock_timeout) * 2 / 5)))
              .status());
    }
    DdlTransaction ddl(&transaction, connection_, &roles_, &context_.locks, deadline);
    RETURN_IF_ERROR(work_(ddl));
    if (options_.journal == DdlOptions::Journal::kNothing) {
      base::FaultPoint("part.before_commit");
      RETURN_IF_ERROR(transaction.Commit());
      base::FaultPoint("part.after_commit");
      return absl::OkStatus();
    }
    RETURN_IF_ERROR(RecordSuccess(transaction, context_.attempt, 0));
    base::FaultPoint("step.before_commit");
    return transaction.Commit();
  }

  absl::Status GaveUp(const absl::Status& last, int tries) {
    return base::WithDetail(
        absl::DeadlineExceededError(absl::StrCat(
            "gave up after ", absl::FormatDuration(LockRetryDeadline(context_.settings)), " and ", tries,
            " tries in the last round: ", last_seen_.empty() ? std::string(last.message()) : last_seen_)),
        base::kHint,
        "let the transactions that hold the lock end (or end them), then resume; settings.lock_retry_deadline"
        " says how long to try");
  }

  const RunContext& context_;
  const DdlOptions options_;
  const std::function<absl::Status(DdlTransaction&)>& work_;
  const absl::Time began_ = absl::Now();
  const absl::Time give_up_ = began_ + LockRetryDeadline(context_.settings);
  pg::Connection* connection_ = nullptr;
  ActingRoles roles_;
  bool may_set_deadlock_timeout_ = false;
  absl::Duration lock_timeout_;
  bool autovacuum_only_ = false;
  bool tried_patiently_ = false;
  int unexplained_ = 0;
  std::string last_seen_;
};

}  // namespace

absl::Status DdlTransaction::Run(const std::vector<std::string>& statements) {
  for (const std::string& statement : statements) {
    // Each by itself: one before it may have made what it is about.
    ASSIGN_OR_RETURN(const std::string role, roles_->ForStatement(connection_, statement, *locks_));
    if (!role.empty()) RETURN_IF_ERROR(Execute(roles_->SetLocal(role)).status());
    const absl::Status status = Execute(statement).status();
    if (!status.ok()) return roles_->Explain(status, role);
    if (!role.empty()) RETURN_IF_ERROR(Execute(roles_->SetLocal("")).status());
  }
  return absl::OkStatus();
}

absl::StatusOr<pg::Result> DdlTransaction::Execute(const std::string& sql,
                                                   const std::vector<pg::Param>& params) {
  if (deadline_ != absl::InfiniteFuture())
    RETURN_IF_ERROR(transaction_->SetStatementTimeout(deadline_ - absl::Now()));
  return transaction_->Execute(sql, params);
}

absl::Status RunDdl(const RunContext& context, const DdlOptions& options,
                    const std::function<absl::Status(DdlTransaction&)>& work) {
  return Ddl(context, options, work).Run();
}

absl::Status JournalSuccess(const RunContext& context, int64_t rows) {
  ASSIGN_OR_RETURN(const auto connection, context.pool->Acquire());
  ASSIGN_OR_RETURN(auto transaction, FencedTransaction::Begin(connection.get(), context.attempt.fence(), {}));
  RETURN_IF_ERROR(RecordSuccess(transaction, context.attempt, rows));
  base::FaultPoint("step.before_commit");
  return transaction.Commit();
}

}  // namespace curlew::agent
