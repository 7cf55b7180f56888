#include <memory>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/time/clock.h"
#include "agent/executor/ddl.h"
#include "agent/executor/executors.h"
#include "agent/guard/periodic.h"
#include "agent/journal/names.h"
#include "common/base/error_detail.h"
#include "common/base/fault_point.h"
#include "common/base/status_macros.h"
#include "common/pg/error.h"

namespace curlew::agent {
namespace {

// How long the removal of what was left unfinished may take before it is left to the next attempt.
constexpr char kCleanUpTimeout[] = "SET statement_timeout = '60s'";

enum class IndexState { kAbsent, kInvalid, kValid, kOnOtherTable };

// The catalogue's answer; never memory's.
absl::StatusOr<IndexState> ReadIndex(pg::Connection* connection, const v1::ExecuteSqlConcurrently& action) {
  ASSIGN_OR_RETURN(const pg::Result row,
                   connection->Execute("SELECT i.indisvalid AND i.indisready,"
                                       " $2 = '' OR i.indrelid = to_regclass(NULLIF($2, ''))"
                                       " FROM pg_index i WHERE i.indexrelid = to_regclass($1)",
                                       {action.index(), action.table()}));
  if (row.empty()) return IndexState::kAbsent;
  if (!row.Bool(0, 1)) return IndexState::kOnOtherTable;
  return row.Bool(0, 0) ? IndexState::kValid : IndexState::kInvalid;
}

// A statement of an earlier attempt may still run although its client is gone: ends it.
absl::Status EndEarlierAttempts(const RunContext& context, pg::Connection* connection) {
  const std::string mine =
      AttemptApplicationName(context.target, context.attempt.run, context.attempt.attempt);
  const std::string prefix = mine.substr(0, mine.rfind(' ') + 1);
  const absl::Time deadline = absl::Now() + absl::Seconds(30);
  while (true) {
    ASSIGN_OR_RETURN(const pg::Result ended,
                     connection->Execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                                         " WHERE datname = current_database() AND pid <> pg_backend_pid()"
                                         " AND starts_with(application_name, $1)",
                                         {prefix}));
    if (ended.empty()) return absl::OkStatus();
    if (absl::Now() >= deadline)
      return absl::DeadlineExceededError("an earlier attempt's statement does not end");
    RETURN_IF_ERROR(context.cancel->Pause(absl::Milliseconds(50)));
  }
}

// A session outside any transaction, with the work lock and the right epoch.
absl::StatusOr<std::unique_ptr<pg::Connection>> OpenSession(const RunContext& context) {
  pg::ConnectOptions options = context.connect;
  options.application_name =
      AttemptApplicationName(context.target, context.attempt.run, context.attempt.attempt);
  options.statement_timeout = absl::ZeroDuration();
  ASSIGN_OR_RETURN(auto connection, pg::Connection::Connect(options));
  // lock_timeout would count the waits for old snapshots too; those block nobody.
  RETURN_IF_ERROR(connection->Execute("SET lock_timeout = 0; SET statement_timeout = 0").status());
  RETURN_IF_ERROR(connection->Execute(SearchPathWithoutOurSchema(SettingScope::kSession)).status());
  RETURN_IF_ERROR(EndEarlierAttempts(context, connection.get()));
  RETURN_IF_ERROR(FenceSession(connection.get(), context.attempt.epoch));
  return connection;
}

// Says once a second how far the statement is, and whom it waits for.
void ReportStatement(const RunContext& context, int pid, absl::Time began) {
  const auto lease = context.pool->Acquire();
  if (!lease.ok()) return;
  const auto row = (*lease)->Execute(
      "SELECT p.phase, CASE WHEN p.blocks_total > 0 THEN p.blocks_done::float8 / p.blocks_total ELSE 0 END,"
      " (SELECT string_agg(format('pid %s (application \"%s\", user %s), %s', b.pid, b.application_name, "
      "b.usename,"
      " COALESCE(b.state, b.backend_type)), '; ') FROM pg_stat_activity b WHERE b.pid = ANY "
      "(pg_blocking_pids($1::integer)))"
      " FROM (SELECT 1) AS one LEFT JOIN pg_stat_progress_create_index p ON p.pid = $1::integer",
      {absl::StrCat(pid)});
  if (!row.ok() || row->empty()) return;
  v1::Progress progress;
  if (!row->IsNull(0, 2)) {
    progress = WaitingFor(v1::WAIT_CAUSE_LOCK,
                          absl::StrCat("waits for transactions to end: ", row->Text(0, 2)), began);
  }
  progress.set_fraction(row->Double(0, 1));
  progress.set_message(
      absl::StrCat(row->IsNull(0, 0) ? "running" : row->Text(0, 0), " for ",
                   absl::FormatDuration(absl::Floor(absl::Now() - began, absl::Seconds(1)))));
  context.progress->Report(progress);
}

absl::Status DropInvalid(pg::Connection* connection, const v1::ExecuteSqlConcurrently& action) {
  return connection->Execute(absl::StrCat("DROP INDEX CONCURRENTLY IF EXISTS ", action.index())).status();
}

// A build that stopped leaves an invalid index, which writes must still maintain, and which refuses
// duplicates where it is unique. Best effort: what remains is dropped by the next attempt, or by the undo.
void CleanUp(const RunContext& context, const v1::ExecuteSqlConcurrently& action,
             std::unique_ptr<pg::Connection> session) {
  if (!session->alive()) {
    absl::StatusOr<std::unique_ptr<pg::Connection>> another = OpenSession(context);
    if (!another.ok()) return;
    session = *std::move(another);
  }
  const absl::StatusOr<IndexState> left = ReadIndex(session.get(), action);
  if (!left.ok() || *left != IndexState::kInvalid) return;
  if (session->Execute(kCleanUpTimeout).ok()) DropInvalid(session.get(), action).IgnoreError();
}

absl::Status Execute(const RunContext& context, const v1::ExecuteSqlConcurrently& action,
                     pg::Connection* session) {
  const CancelToken::Interruptible interruptible(context.cancel, session);
  RETURN_IF_ERROR(context.cancel->Check());
  const absl::Time began = absl::Now();
  const int pid = session->backend_pid();
  const Periodic report(absl::Seconds(1), [&] { ReportStatement(context, pid, began); });
  base::FaultPoint("concurrently.before_execute");
  RETURN_IF_ERROR(session->Execute(action.statement()).status());
  base::FaultPoint("concurrently.after_execute");
  return absl::OkStatus();
}

absl::Status Build(const RunContext& context, const v1::ExecuteSqlConcurrently& action, bool intended_before,
                   std::unique_ptr<pg::Connection> session) {
  ASSIGN_OR_RETURN(const IndexState found, ReadIndex(session.get(), action));
  if (found == IndexState::kOnOtherTable || (found != IndexState::kAbsent && !intended_before)) {
    return base::WithDetail(absl::AlreadyExistsError(absl::StrCat("index ", action.index(),
                                                                  " exists already, and is not Curlew's")),
                            base::kHint, "drop it, rename it, or give the plan's index another name");
  }
  if (found == IndexState::kValid) return absl::OkStatus();
  if (found == IndexState::kInvalid) {
    const CancelToken::Interruptible interruptible(context.cancel, session.get());
    RETURN_IF_ERROR(DropInvalid(session.get(), action));
  }
  absl::Status status = Execute(context, action, session.get());
  if (status.ok()) {
    ASSIGN_OR_RETURN(const IndexState made, ReadIndex(session.get(), action));
    if (made == IndexState::kValid) return absl::OkStatus();
    status = absl::AbortedError(absl::StrCat("index ", action.index(), " is not valid after it was built"));
  }
  CleanUp(context, action, std::move(session));
  return status;
}

absl::Status Drop(const RunContext& context, const v1::ExecuteSqlConcurrently& action,
                  std::unique_ptr<pg::Connection> session) {
  ASSIGN_OR_RETURN(const IndexState found, ReadIndex(session.get(), action));
  if (found == IndexState::kAbsent || found == IndexState::kOnOtherTable) return absl::OkStatus();
  RETURN_IF_ERROR(Execute(context, action, session.get()));
  ASSIGN_OR_RETURN(const IndexState left, ReadIndex(session.get(), action));
  if (left == IndexState::kAbsent) return absl::OkStatus();
  return absl::AbortedError(absl::StrCat("index ", action.index(), " is still there after it was dropped"));
}

}  // namespace

absl::Status RunExecuteSqlConcurrently(const RunContext& context, const v1::ExecuteSqlConcurrently& action) {
  bool intended_before = false;
  {
    ASSIGN_OR_RETURN(const auto lease, context.pool->Acquire());
    ASSIGN_OR_RETURN(auto transaction, FencedTransaction::Begin(lease.get(), context.attempt.epoch, {}));
    ASSIGN_OR_RETURN(intended_before, RecordIntent(transaction, context.attempt));
    RETURN_IF_ERROR(transaction.Commit());
  }
  if (!context.lease->Valid()) {
    return absl::UnavailableError("the lease has run out: nothing is begun that cannot be fenced");
  }
  ASSIGN_OR_RETURN(auto session, OpenSession(context));
  RETURN_IF_ERROR(action.creates() ? Build(context, action, intended_before, std::move(session))
                                   : Drop(context, action, std::move(session)));
  return JournalSuccess(context, 0);
}

}  // namespace curlew::agent
