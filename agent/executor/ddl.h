// Transactions that want strong locks and must not stand in the application's way.
#ifndef CURLEW_AGENT_EXECUTOR_DDL_H_
#define CURLEW_AGENT_EXECUTOR_DDL_H_

#include <functional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "agent/attempt/acting_role.h"
#include "agent/attempt/run_context.h"
#include "agent/journal/fenced_transaction.h"

namespace curlew::agent {

struct DdlOptions {
  enum class Journal {
    // The step is done with this transaction.
    kSuccess,
    // It is one of several, each of them idempotent.
    kNothing,
  };
  // In all, for the whole transaction, its locks included; infinite for work that blocks nobody once it has
  // its lock.
  absl::Duration deadline = absl::InfiniteDuration();
  Journal journal = Journal::kSuccess;
};

// The transaction in which DDL runs. Not thread-safe.
class DdlTransaction {
 public:
  // Nothing is owned; all must outlive the object.
  DdlTransaction(FencedTransaction* transaction, pg::Connection* connection, const ActingRoles* roles,
                 const std::vector<v1::TableLock>* locks, absl::Duration deadline)
      : transaction_(transaction),
        connection_(connection),
        roles_(roles),
        locks_(locks),
        deadline_(absl::Now() + deadline) {}
  // Runs statements of a step, one after the other, each as the role that acts for the owner of what it
  // changes (acting_role.h), within what is left of the deadline. DEADLINE_EXCEEDED; PERMISSION_DENIED with
  // the role that lacks a right; other errors as in common/pg/error.h.
  absl::Status Run(const std::vector<std::string>& statements);
  // The same for a statement of the agent's own, as its own role.
  absl::StatusOr<pg::Result> Execute(const std::string& sql, const std::vector<pg::Param>& params = {});

 private:
  FencedTransaction* transaction_;
  pg::Connection* connection_;
  const ActingRoles* roles_;
  const std::vector<v1::TableLock>* locks_;
  const absl::Time deadline_;
};

// Runs `work` and, as options.journal says, the journal's success row in one fenced transaction. Each try
// waits at most lock_timeout for a lock: 50 ms at first, then doubling up to settings.max_lock_timeout;
// before each try, transactions older than 100 ms that hold a lock in conflict with context.locks are waited
// for, without queueing, and reported as progress. A plain autovacuum is not waited for: the server cancels
// it after deadlock_timeout, which is set below lock_timeout where the role may; where not, one try waits 1.2
// s. Tries end at settings.lock_retry_deadline with DEADLINE_EXCEEDED that names who held the lock. Other
// errors of `work` are returned at once.
absl::Status RunDdl(const RunContext& context, const DdlOptions& options,
                    const std::function<absl::Status(DdlTransaction&)>& work);

// Journals the step as done, in a fenced transaction of its own.
absl::Status JournalSuccess(const RunContext& context, int64_t rows);

}  // namespace curlew::agent

#endif  // CURLEW_AGENT_EXECUTOR_DDL_H_
