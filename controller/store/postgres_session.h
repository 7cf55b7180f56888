// The store's connection to PostgreSQL: made anew when it is lost, its transactions fenced.
#ifndef CURLEW_CONTROLLER_STORE_POSTGRES_SESSION_H_
#define CURLEW_CONTROLLER_STORE_POSTGRES_SESSION_H_

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "common/pg/connection.h"

namespace curlew::store {

// How to reach a store in PostgreSQL. The thread that owns the store waits for it, so every wait is bounded.
struct PostgresStoreOptions {
  // A libpq URI or connection string. What it says goes before the settings below.
  std::string url;
  // After "curlew-controller ", in pg_stat_activity.
  std::string instance;
  absl::Duration connect_timeout = absl::Seconds(5);
  absl::Duration statement_timeout = absl::Seconds(10);
  absl::Duration lock_timeout = absl::Seconds(5);
  // A transaction of ours that stands still for that long (its process is frozen, its machine gone) is ended
  // by the server, which frees the row of the leader for others.
  absl::Duration idle_timeout = absl::Seconds(4);
};

// Whose transactions may write: the leader of an epoch.
struct PostgresFence {
  int64_t epoch = 0;
  // "" for any. An epoch comes back after a fail-over to a server that had not got the newest; an instance
  // does not.
  std::string instance;
};

// What the schema of the store is called.
inline constexpr char kPostgresSchema[] = "curlew_controller";

class PostgresSession;

// A transaction. Rolled back unless committed. One at a time.
class PostgresWork {
 public:
  // Errors are the store's already: UNAVAILABLE where the server cannot be reached, is full or did not answer
  // in time; DATA_LOSS where a table is gone; INTERNAL else. Nothing has changed then.
  absl::StatusOr<pg::Result> Execute(absl::string_view sql, const std::vector<pg::Param>& params = {});
  // UNAVAILABLE with base::kReason STORE_IN_DOUBT where it is not known whether it took effect. The session's
  // next transaction waits until that is decided.
  absl::Status Commit();

 private:
  friend class PostgresSession;
  PostgresWork(PostgresSession* session, std::string doing, std::unique_ptr<pg::Transaction> transaction)
      : session_(session), doing_(std::move(doing)), transaction_(std::move(transaction)) {}

  PostgresSession* session_;
  std::string doing_;
  std::unique_ptr<pg::Transaction> transaction_;
};

// A session. Not thread-safe. It relies on nothing that the server keeps from one transaction to the next
// (settings are SET LOCAL, the lock of migrations is held by a transaction, nothing is prepared), so a
// connection that is lost is replaced without a trace, and a transaction pooler in between would do.
class PostgresSession {
 public:
  // `name` is the store's for messages. Connects at first use.
  PostgresSession(PostgresStoreOptions options, std::string name)
      : options_(std::move(options)), name_(std::move(name)) {}

  // Begins a transaction of READ COMMITTED, with synchronous commit and a search_path that finds nobody
  // else's objects. `doing` for messages: "cannot store the plan". UNAVAILABLE where the server cannot be
  // reached; for as long as that took to see, the answer is then the same at once.
  absl::StatusOr<PostgresWork> Begin(absl::string_view doing);
  // As above, of REPEATABLE READ READ ONLY: all statements see one moment.
  absl::StatusOr<PostgresWork> BeginSnapshot(absl::string_view doing);
  // As Begin, for writing as the leader whom `fence` names: ABORTED with base::kReason kNotLeader where it
  // does not lead any more. Renews the lease. Until the transaction has ended nobody else can take it.
  absl::StatusOr<PostgresWork> BeginFenced(absl::string_view doing, const PostgresFence& fence);

  // As after a commit whose outcome is not known: the next transaction waits until no other one holds the row
  // of the leader, and so sees what that one has written. The row must be there.
  void Doubt() { in_doubt_ = true; }

  const std::string& name() const { return name_; }
  const PostgresStoreOptions& options() const { return options_; }

 private:
  friend class PostgresWork;
  absl::Status Connect(absl::string_view doing);
  absl::StatusOr<PostgresWork> BeginAs(absl::string_view doing, pg::Transaction::Mode mode);
  // Waits for a transaction of which it is not known whether it was committed.
  absl::Status Settle(absl::string_view doing);
  absl::Status NotLeader(PostgresWork& work, const PostgresFence& fence);

  const PostgresStoreOptions options_;
  const std::string name_;
  std::unique_ptr<pg::Connection> connection_;
  bool in_doubt_ = false;
  // The last failure to connect, and until when it stands for the next.
  absl::Status failure_;
  absl::Time failure_until_ = absl::InfinitePast();
};

// What the server said while Curlew was `doing` something with `store` (its name): a status of
// common/pg/error.h as one of the store's, with base::kReason and base::kHint. For statements that were not
// committed.
absl::Status FromPostgres(const absl::Status& status, absl::string_view store, absl::string_view doing);

}  // namespace curlew::store

#endif  // CURLEW_CONTROLLER_STORE_POSTGRES_SESSION_H_
