#include "controller/store/postgres_session.h"

#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "common/base/error_detail.h"
#include "common/base/status_macros.h"
#include "common/pg/conninfo.h"
#include "controller/store/rollout_store.h"
#include "controller/store/store_location.h"

namespace curlew::store {
namespace {

// READ COMMITTED and a row lock make this a fence. Whoever takes the lease over updates the same row.
//   * Where this UPDATE comes first, it locks the row until our transaction has ended. The contender's UPDATE
//     waits, is evaluated again on the row as we left it, and finds the lease renewed; or, where we took
//     longer than the term, takes it after we have committed. What the new leader reads then includes our
//     commit.
//   * Where the contender's comes first, ours waits until it has ended, and is evaluated again on the row as
//   it
//     left it: the epoch is another, no row is updated, and nothing of ours is written.
// So no commit of an old leader comes after the new one's take-over, however long either process stood still.
// It must be a statement of its own, before all others: a statement sees what was committed when it began, so
// only those after this one are sure to see what was committed while this one waited.
constexpr char kFence[] =
    "UPDATE curlew_controller.leader SET renewed_time = clock_timestamp()"
    " WHERE epoch = $1::bigint AND ($2::text = '' OR instance = $2::text) AND NOT released RETURNING epoch";

struct Kind {
  absl::StatusCode code;
  const char* reason;
  const char* hint;
};

Kind KindOf(const absl::Status& status) {
  constexpr absl::StatusCode kUnavailable = absl::StatusCode::kUnavailable;
  const std::string sqlstate = base::Detail(status, base::kSqlstate);
  if (sqlstate == "53100") {
    return {kUnavailable, "STORE_FULL", "free space on the disk of the PostgreSQL server, then try again"};
  }
  if (sqlstate == "25006") {
    return {kUnavailable, "STORE_NOT_ACCESSIBLE",
            "the server takes no writes (a standby?); name the primary, or all servers of it, separated by "
            "commas"};
  }
  switch (status.code()) {
    case absl::StatusCode::kDeadlineExceeded:
      return {kUnavailable, "STORE_LOCKED",
              "the server is slow, or another session holds a lock: see pg_stat_activity; then try again"};
    case absl::StatusCode::kUnavailable:
      return {kUnavailable, "STORE_IO_ERROR", "see whether the PostgreSQL server is up, then try again"};
    // A deadlock or the like. Not ABORTED, which says that the rollout has changed.
    case absl::StatusCode::kAborted:
    case absl::StatusCode::kResourceExhausted:
    case absl::StatusCode::kCancelled:
      return {kUnavailable, "STORE_IO_ERROR", "try again; the log of the PostgreSQL server says more"};
    case absl::StatusCode::kPermissionDenied:
      return {
          kUnavailable, "STORE_NOT_ACCESSIBLE",
          "the controller's role must be allowed to connect, and must own schema curlew_controller, or have "
          "CREATE on the database"};
    case absl::StatusCode::kInvalidArgument:
      if (sqlstate.empty()) return {absl::StatusCode::kInvalidArgument, "STORE_URL", "try the URL with psql"};
      return {absl::StatusCode::kInternal, "STORE_ERROR", "this is an error in Curlew; please report it"};
    case absl::StatusCode::kNotFound:
      if (sqlstate == "3D000") return {kUnavailable, "STORE_NOT_ACCESSIBLE", "make the database first"};
      return {
          absl::StatusCode::kDataLoss, "STORE_DAMAGED",
          "somebody has changed schema curlew_controller by hand; restore a backup into another database"};
    default:
      return {absl::StatusCode::kInternal, "STORE_ERROR", "this is an error in Curlew; please report it"};
  }
}

int64_t Ms(absl::Duration duration) { return absl::ToInt64Milliseconds(duration); }

// For one transaction. search_path first, in a statement of its own: what follows is looked up by it.
// synchronous_commit stays where it is stricter, or a person's choice between the strict ones.
std::string Settings(const PostgresStoreOptions& options) {
  return absl::StrCat(
      "SET LOCAL search_path = pg_catalog, pg_temp;"
      "SET LOCAL lock_timeout = ",
      Ms(options.lock_timeout), ";SET LOCAL statement_timeout = ", Ms(options.statement_timeout),
      ";SET LOCAL idle_in_transaction_session_timeout = ", Ms(options.idle_timeout),
      ";SELECT set_config('synchronous_commit', 'on', true) WHERE current_setting('synchronous_commit') = "
      "'off'");
}

}  // namespace

absl::Status FromPostgres(const absl::Status& status, absl::string_view store, absl::string_view doing) {
  if (status.ok()) return status;
  const Kind kind = KindOf(status);
  absl::Status ours(kind.code, absl::StrCat("store ", store, ": ", doing, ": ", status.message(),
                                            "; nothing has changed; ", kind.hint));
  ours = base::WithDetail(base::WithDetail(ours, base::kReason, kind.reason), base::kHint, kind.hint);
  const std::string sqlstate = base::Detail(status, base::kSqlstate);
  return sqlstate.empty() ? ours : base::WithDetail(ours, base::kSqlstate, sqlstate);
}

absl::StatusOr<pg::Result> PostgresWork::Execute(absl::string_view sql,
                                                 const std::vector<pg::Param>& params) {
  auto result = transaction_->Execute(sql, params);
  if (!result.ok()) return FromPostgres(result.status(), session_->name_, doing_);
  return result;
}

absl::Status PostgresWork::Commit() {
  const absl::Status status = transaction_->Commit();
  switch (status.code()) {
    case absl::StatusCode::kOk:
      return status;
    // The server has said that it rolled back.
    case absl::StatusCode::kAborted:
    case absl::StatusCode::kInvalidArgument:
    case absl::StatusCode::kResourceExhausted:
      return FromPostgres(status, session_->name_, doing_);
    // Anything else may have come after it had committed.
    default:
      break;
  }
  session_->in_doubt_ = true;
  return base::WithDetail(
      base::WithDetail(absl::UnavailableError(absl::StrCat(
                           "store ", session_->name_, ": ", doing_, ": ", status.message(),
                           "; it may have been stored or not: what the store has counts, and is looked up")),
                       base::kReason, kStoreInDoubt),
      base::kHint, "look again, then try again where it is not there");
}

absl::Status PostgresSession::Connect(absl::string_view doing) {
  if (connection_ != nullptr && connection_->alive()) return absl::OkStatus();
  connection_.reset();
  const absl::Time begin = absl::Now();
  // A server that does not answer may cost its owner at most half of its time.
  if (begin < failure_until_) return FromPostgres(failure_, name_, doing);
  const auto conninfo = pg::WithDefaults(options_.url, {{"tcp_user_timeout", "10000"},
                                                        {"keepalives_idle", "5"},
                                                        {"keepalives_interval", "3"},
                                                        {"keepalives_count", "2"},
                                                        {"target_session_attrs", "read-write"}});
  if (!conninfo.ok()) return FromPostgres(conninfo.status(), name_, doing);
  auto connection =
      pg::Connection::Connect({.conninfo = *conninfo,
                               .application_name = absl::StrCat("curlew-controller ", options_.instance),
                               .connect_timeout = options_.connect_timeout,
                               .statement_timeout = options_.statement_timeout,
                               .idle_in_transaction_timeout = options_.idle_timeout});
  failure_ = connection.status();
  if (!connection.ok()) {
    const absl::Time end = absl::Now();
    failure_until_ = end + (end - begin);
    return FromPostgres(failure_, name_, doing);
  }
  connection_ = *std::move(connection);
  return absl::OkStatus();
}

absl::StatusOr<PostgresWork> PostgresSession::BeginAs(absl::string_view doing, pg::Transaction::Mode mode) {
  for (int tries = 0;; ++tries) {
    RETURN_IF_ERROR(Connect(doing));
    absl::Status status;
    if (auto transaction = pg::Transaction::Begin(connection_.get(), mode); transaction.ok()) {
      status = (*transaction)->Execute(Settings(options_)).status();
      if (status.ok()) return PostgresWork(this, std::string(doing), *std::move(transaction));
    } else {
      status = transaction.status();
    }
    // The server has gone since the last call, perhaps long ago; nothing was asked of it yet.
    if (tries > 0 || !absl::IsUnavailable(status)) return FromPostgres(status, name_, doing);
    connection_.reset();
  }
}

absl::Status PostgresSession::Settle(absl::string_view doing) {
  if (!in_doubt_) return absl::OkStatus();
  // The transaction in doubt, where it has not ended yet, holds the leader's row: its COMMIT may still be on
  // its way to the server. Waiting for the row is waiting for its end.
  ASSIGN_OR_RETURN(PostgresWork work, BeginAs(doing, pg::Transaction::Mode::kReadWrite));
  RETURN_IF_ERROR(work.Execute("SELECT epoch FROM curlew_controller.leader FOR UPDATE").status());
  in_doubt_ = false;
  return absl::OkStatus();
}

absl::StatusOr<PostgresWork> PostgresSession::Begin(absl::string_view doing) {
  RETURN_IF_ERROR(Settle(doing));
  return BeginAs(doing, pg::Transaction::Mode::kReadWrite);
}

absl::StatusOr<PostgresWork> PostgresSession::BeginSnapshot(absl::string_view doing) {
  RETURN_IF_ERROR(Settle(doing));
  return BeginAs(doing, pg::Transaction::Mode::kReadOnlySnapshot);
}

absl::StatusOr<PostgresWork> PostgresSession::BeginFenced(absl::string_view doing,
                                                          const PostgresFence& fence) {
  ASSIGN_OR_RETURN(PostgresWork work, Begin(doing));
  ASSIGN_OR_RETURN(const pg::Result rows, work.Execute(kFence, {absl::StrCat(fence.epoch), fence.instance}));
  if (rows.empty()) return NotLeader(work, fence);
  return work;
}

absl::Status PostgresSession::NotLeader(PostgresWork& work, const PostgresFence& fence) {
  ASSIGN_OR_RETURN(const pg::Result leader,
                   work.Execute("SELECT epoch, address, released FROM curlew_controller.leader"));
  std::string who = "nobody leads now";
  if (!leader.empty() && !leader.Bool(0, 2)) {
    who = absl::StrCat("the controller at ",
                       leader.Text(0, 1).empty() ? "an unknown address" : leader.Text(0, 1),
                       " leads, with epoch ", leader.Text(0, 0));
  }
  return base::WithDetail(
      absl::AbortedError(absl::StrCat("store ", name_, ": ", work.doing_,
                                      ": this controller does not lead any more (its epoch was ", fence.epoch,
                                      "): ", who, "; nothing has changed")),
      base::kReason, kNotLeader);
}

}  // namespace curlew::store
