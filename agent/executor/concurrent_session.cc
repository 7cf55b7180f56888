#include "agent/executor/concurrent_session.h"

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "agent/guard/periodic.h"
#include "agent/journal/fenced_transaction.h"
#include "agent/journal/names.h"
#include "common/base/fault_point.h"
#include "common/base/status_macros.h"

namespace curlew::agent {
namespace {

// How long the removal of what was left unfinished may take before it is left to the next attempt.
constexpr char kCleanUpTimeout[] = "SET statement_timeout = '60s'";

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
                                         " AND starts_with(application_name, $1)"
                                         // Anybody may give a session such a name.
                                         " AND (current_setting('is_superuser') = 'on'"
                                         " OR pg_has_role(usesysid, 'USAGE'))",
                                         {prefix}));
    if (ended.empty()) return absl::OkStatus();
    if (absl::Now() >= deadline)
      return absl::DeadlineExceededError("an earlier attempt's statement does not end");
    RETURN_IF_ERROR(context.cancel->Pause(absl::Milliseconds(50)));
  }
}

absl::StatusOr<std::unique_ptr<pg::Connection>> Connect(const RunContext& context) {
  pg::ConnectOptions options = context.connect;
  options.application_name =
      AttemptApplicationName(context.target, context.attempt.run, context.attempt.attempt);
  options.statement_timeout = absl::ZeroDuration();
  ASSIGN_OR_RETURN(auto connection, pg::Connection::Connect(options));
  // lock_timeout would count the waits for old snapshots too; those block nobody.
  RETURN_IF_ERROR(connection->Execute("SET lock_timeout = 0; SET statement_timeout = 0").status());
  RETURN_IF_ERROR(connection->Execute(SearchPathWithoutOurSchema(SettingScope::kSession)).status());
  RETURN_IF_ERROR(EndEarlierAttempts(context, connection.get()));
  RETURN_IF_ERROR(FenceSession(connection.get(), context.attempt.fence()));
  return connection;
}

// Says how far the statement is, and whom it waits for.
void ReportStatement(const RunContext& context, const std::string& subject, int pid, absl::Time began) {
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
      absl::StrCat(subject, row->IsNull(0, 0) ? "running" : row->Text(0, 0), " for ",
                   absl::FormatDuration(absl::Floor(absl::Now() - began, absl::Seconds(1)))));
  context.progress->Report(progress);
}

}  // namespace

absl::StatusOr<ConcurrentSession> ConcurrentSession::Open(const RunContext& context) {
  ASSIGN_OR_RETURN(auto connection, Connect(context));
  ASSIGN_OR_RETURN(ActingRoles roles, ActingRoles::Of(connection.get()));
  return ConcurrentSession(context, std::move(connection), std::move(roles));
}

absl::Status ConcurrentSession::Execute(const std::string& sql) {
  const CancelToken::Interruptible interruptible(context_->cancel, connection_.get());
  RETURN_IF_ERROR(context_->cancel->Check());
  if (!context_->lease->Valid()) {
    return absl::UnavailableError("the lease has run out: nothing is begun that cannot be fenced");
  }
  ASSIGN_OR_RETURN(const std::string role, roles_.ForStatement(connection_.get(), sql, context_->locks));
  if (!role.empty()) RETURN_IF_ERROR(connection_->Execute(roles_.Set(role)).status());
  const absl::Time began = absl::Now();
  const int pid = connection_->backend_pid();
  const Periodic report(absl::Seconds(1), [&] { ReportStatement(*context_, subject_, pid, began); });
  base::FaultPoint("concurrently.before_execute");
  const absl::Status executed = connection_->Execute(sql).status();
  // Also after a failure: the session is used for cleaning up.
  const absl::Status back = role.empty() || !connection_->alive()
                                ? absl::OkStatus()
                                : connection_->Execute(roles_.Set("")).status();
  if (!executed.ok()) return roles_.Explain(executed, role);
  RETURN_IF_ERROR(back);
  base::FaultPoint("concurrently.after_execute");
  return absl::OkStatus();
}

bool ConcurrentSession::Revive() {
  if (!connection_->alive()) {
    absl::StatusOr<std::unique_ptr<pg::Connection>> another = Connect(*context_);
    if (!another.ok()) return false;
    connection_ = *std::move(another);
  }
  return connection_->Execute(kCleanUpTimeout).ok();
}

}  // namespace curlew::agent
