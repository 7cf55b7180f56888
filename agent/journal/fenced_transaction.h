// Transactions that an agent which was replaced cannot commit.
#ifndef CURLEW_AGENT_JOURNAL_FENCED_TRANSACTION_H_
#define CURLEW_AGENT_JOURNAL_FENCED_TRANSACTION_H_

#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "common/pg/connection.h"

namespace curlew::agent {

// base::kReason of statuses that mean: another agent has taken the target over (or the database was
// restored), this one must do nothing more under its epoch.
inline constexpr char kFencedOut[] = "FENCED_OUT";
bool IsFencedOut(const absl::Status& status);

// What the journal must say for a transaction to be its agent's. The epoch alone would not do: a database
// that was restored from a snapshot of its disk may give the same one to another agent.
struct Fence {
  int64_t epoch = 0;
  std::string instance_id;
};

enum class SettingScope { kTransaction, kSession };

// SQL that takes schema curlew out of search_path: a role called curlew would find it by "$user", and an
// author's unqualified names would mean tables of the journal.
std::string SearchPathWithoutOurSchema(SettingScope scope);

// Takes the work lock on `connection` for the whole session and checks the fence after it: for statements
// that cannot run in a transaction. Closing the connection gives it back. ABORTED with kFencedOut; errors as
// in common/pg/error.h.
absl::Status FenceSession(pg::Connection* connection, const Fence& fence);

// A transaction that holds the work lock (shared) and has read, in a LATER statement, that the journal's
// epoch and instance are still the agent's, and that the server is in the timeline in which it was taken
// over: one that was promoted since may lack what was done before. A takeover takes the lock exclusively, so
// it comes before the lock (then the epoch differs), or after the commit. All work on a target is done in
// such transactions. Rows that a policy would hide are errors in it: none is passed over unseen. Rolled back
// unless committed. Not thread-safe.
class FencedTransaction {
 public:
  enum class Durability {
    kSynchronous,
    // A crash of the server may lose the last few, each as a whole. For batches that would be done again.
    kAsynchronous,
  };
  struct Options {
    // Zero for none.
    absl::Duration lock_timeout = absl::Milliseconds(500);
    // Of each statement; zero for none.
    absl::Duration statement_timeout = absl::ZeroDuration();
    // How long the agent may say nothing before the server ends the session, and with it the locks that
    // applications wait for: an agent that is frozen or cut off, or a machine that has died, holds them no
    // longer. Then the next call is UNAVAILABLE.
    absl::Duration idle_timeout = absl::Seconds(2);
    // An SQL list; "" for the session's, without schema curlew.
    std::string search_path;
    Durability durability = Durability::kSynchronous;
  };

  // ABORTED with kFencedOut; errors as in common/pg/error.h.
  static absl::StatusOr<FencedTransaction> Begin(pg::Connection* connection, const Fence& fence,
                                                 const Options& options);

  absl::StatusOr<pg::Result> Execute(const std::string& sql, const std::vector<pg::Param>& params = {}) {
    return transaction_->Execute(sql, params);
  }
  // statement_timeout of the statements that follow; at least a millisecond.
  absl::Status SetStatementTimeout(absl::Duration timeout);
  // DATA_LOSS where it is not known whether it happened.
  absl::Status Commit() { return transaction_->Commit(); }
  void Rollback() { transaction_->Rollback(); }

 private:
  explicit FencedTransaction(std::unique_ptr<pg::Transaction> transaction)
      : transaction_(std::move(transaction)) {}
  std::unique_ptr<pg::Transaction> transaction_;
};

}  // namespace curlew::agent

#endif  // CURLEW_AGENT_JOURNAL_FENCED_TRANSACTION_H_
