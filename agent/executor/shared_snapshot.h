// One moment of the database, looked at by several sessions.
#ifndef CURLEW_AGENT_EXECUTOR_SHARED_SNAPSHOT_H_
#define CURLEW_AGENT_EXECUTOR_SHARED_SNAPSHOT_H_

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "agent/journal/journal.h"
#include "common/pg/connection.h"

namespace curlew::agent {

// base::kReason of ABORTED statuses that mean: what is looked at is not any more what it was (rewritten,
// truncated, renamed, dropped), so that it has to be looked at anew.
inline constexpr char kTableChanged[] = "TABLE_CHANGED";
bool IsTableChanged(const absl::Status& status);

// A heap as a snapshot has it.
struct Heap {
  Leaf leaf;
  // The file that holds it, and how many blocks of it rows of the snapshot may be in.
  std::string file;
  int64_t blocks = 0;
  int64_t rows_estimate = 0;
  // Boolean expression over t: rows that are passed over; "" for none.
  std::string accepted;
};

// A REPEATABLE READ READ ONLY transaction that others join. It holds no lock on what they look at: each joins
// for as long as one range takes, so that DDL waits that long and no longer. Whether a table was rewritten
// meanwhile shows in its file, which each looks at under its own lock. Join is thread-safe, the rest is not.
class SharedSnapshot {
 public:
  // The heaps of `table`, and their files, by OID. Noted before the snapshot is taken: an ALTER TABLE that
  // rewrites a table gives its rows to snapshots after it alone, and to one before it the table looks empty.
  static absl::StatusOr<std::map<uint32_t, std::string>> Files(pg::Connection* connection,
                                                               const std::string& table);

  // Takes it on `connection`, which must outlive it and is used by nobody else meanwhile. `search_path` is an
  // SQL list, "" for the session's.
  static absl::StatusOr<std::unique_ptr<SharedSnapshot>> Take(pg::Connection* connection,
                                                              const std::string& search_path);

  // The heaps of `table`. ABORTED with kTableChanged where `before` (of Files) is not how they are;
  // DEADLINE_EXCEEDED where one is locked for a second; FAILED_PRECONDITION as ListLeaves.
  absl::StatusOr<std::vector<Heap>> Heaps(const std::string& table,
                                          const std::map<uint32_t, std::string>& before);
  // A sign of life, so that the server does not end an idle session. UNAVAILABLE where it has gone.
  absl::Status Hold();
  // A transaction on another connection that sees what this one sees. It waits at most a second for a lock.
  // UNAVAILABLE where the snapshot has gone.
  absl::StatusOr<std::unique_ptr<pg::Transaction>> Join(pg::Connection* connection) const;

 private:
  SharedSnapshot(pg::Connection* connection, std::unique_ptr<pg::Transaction> transaction, std::string id,
                 std::string settings)
      : connection_(connection),
        transaction_(std::move(transaction)),
        id_(std::move(id)),
        settings_(std::move(settings)) {}

  pg::Connection* const connection_;
  const std::unique_ptr<pg::Transaction> transaction_;
  const std::string id_;
  // SQL that sets up a transaction which has joined.
  const std::string settings_;
};

}  // namespace curlew::agent

#endif  // CURLEW_AGENT_EXECUTOR_SHARED_SNAPSHOT_H_
