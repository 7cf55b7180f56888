#include "agent/journal/takeover.h"

#include <memory>
#include <optional>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "agent/journal/migrator.h"
#include "agent/journal/names.h"
#include "common/base/error_detail.h"
#include "common/base/fault_point.h"
#include "common/base/status_macros.h"

namespace curlew::agent {
namespace {

absl::Status Refused(const std::string& what, const std::string& hint) {
  return base::WithDetail(absl::FailedPreconditionError(what), base::kHint, hint);
}

// Who holds the work lock, and who calls itself an agent of this target.
constexpr char kPredecessors[] = R"sql(
SELECT pid FROM pg_stat_activity
WHERE datname = current_database() AND pid <> pg_backend_pid()
  AND (application_name = $1 OR starts_with(application_name, $1 || ' '))
UNION
SELECT pid FROM pg_locks
WHERE locktype = 'advisory' AND granted AND pid <> pg_backend_pid()
  AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
  AND classid = ($2::bigint >> 32)::oid AND objid = ($2::bigint & 4294967295)::oid AND objsubid = 1
)sql";

// Whether the role may end the session of a.usesysid.
constexpr char kMayEnd[] =
    "(current_setting('is_superuser') = 'on' OR pg_has_role(a.usesysid, 'USAGE')"
    " OR pg_has_role('pg_signal_backend', 'USAGE') AND NOT EXISTS"
    " (SELECT FROM pg_roles r WHERE r.oid = a.usesysid AND r.rolsuper))";

// Anybody may give a session an agent's name: one that the role may not end is passed over, and is in the way
// only where it holds the work lock.
absl::Status EndPredecessors(pg::Connection* connection, const std::string& target) {
  return connection
      ->Execute(absl::StrCat("SELECT pg_terminate_backend(p.pid) FROM (", kPredecessors,
                             ") AS p JOIN pg_stat_activity a ON a.pid = p.pid WHERE ", kMayEnd),
                {TargetApplicationName(target), absl::StrCat(kWorkLock)})
      .status();
}

// PERMISSION_DENIED where a session of another role holds the work lock.
absl::Status RefuseForeignHolder(pg::Connection* connection) {
  ASSIGN_OR_RETURN(
      const pg::Result found,
      connection->Execute(
          absl::StrCat("SELECT a.pid, quote_ident(a.usename), quote_ident(current_user)"
                       " FROM pg_locks l JOIN pg_stat_activity a ON a.pid = l.pid"
                       " WHERE l.locktype = 'advisory' AND l.granted AND l.pid <> pg_backend_pid()"
                       " AND l.database = (SELECT oid FROM pg_database WHERE datname ="
                       " current_database()) AND l.classid = ($1::bigint >> 32)::oid"
                       " AND l.objid = ($1::bigint & 4294967295)::oid AND l.objsubid = 1"
                       " AND NOT ",
                       kMayEnd, " ORDER BY 1"),
          {absl::StrCat(kWorkLock)}));
  if (found.empty()) return absl::OkStatus();
  return base::WithDetail(
      absl::PermissionDeniedError(
          absl::StrCat("the session with pid ", found.Text(0, 0), ", of role ", found.Text(0, 1),
                       ", holds the lock of whoever works on this database, and the agent's role ",
                       found.Text(0, 2), " may not end it")),
      base::kHint,
      absl::StrCat("stop that agent, or end the session as a superuser: SELECT pg_terminate_backend(",
                   found.Text(0, 0), "); GRANT pg_signal_backend TO ", found.Text(0, 2),
                   " lets the agent do that itself, but for sessions of superusers"));
}

absl::Status CheckServer(pg::Connection* connection) {
  ASSIGN_OR_RETURN(const pg::Result standby, connection->Execute("SELECT pg_is_in_recovery()"));
  if (standby.Bool(0, 0)) {
    return Refused("the server is a standby and takes no writes",
                   "give the agent the address of the primary (libpq: target_session_attrs=read-write)");
  }
  return absl::OkStatus();
}

// A database must not be served as two targets: each agent would end the other's sessions for ever.
absl::Status RefuseSecondTarget(pg::Connection* connection, const std::string& target) {
  ASSIGN_OR_RETURN(const pg::Result known, connection->Execute("SELECT name FROM curlew.target"));
  if (known.empty() || known.Text(0, 0) == target) return absl::OkStatus();
  ASSIGN_OR_RETURN(const pg::Result served,
                   connection->Execute(absl::StrCat("SELECT count(*) FROM (", kPredecessors, ") AS p"),
                                       {TargetApplicationName(known.Text(0, 0)), absl::StrCat(kWorkLock)}));
  if (served.Int(0, 0) == 0) return absl::OkStatus();
  return Refused(absl::StrCat("the database is being served as target ", known.Text(0, 0)),
                 "one database is one target: check the connection string, or stop the other agent first");
}

constexpr char kIdentity[] = R"sql(
SELECT current_database(),
       CASE WHEN has_function_privilege('pg_control_system()', 'EXECUTE')
            THEN (SELECT system_identifier::text FROM pg_control_system()) ELSE '' END,
       ('x' || substr(pg_walfile_name(pg_current_wal_lsn()), 1, 8))::bit(32)::integer
)sql";

absl::StatusOr<Tenure> ReadIdentity(pg::Connection* connection) {
  ASSIGN_OR_RETURN(const pg::Result row, connection->Execute(kIdentity));
  return Tenure{.server_version_num = connection->server_version_num(),
                .database = row.Text(0, 0),
                .system_identifier = row.Text(0, 1),
                .timeline = static_cast<int>(row.Int(0, 2))};
}

// One try. False where somebody still holds the work lock.
absl::StatusOr<bool> TryRaiseEpoch(pg::Connection* connection, const TakeoverOptions& options,
                                   Tenure& tenure) {
  ASSIGN_OR_RETURN(const auto transaction, pg::Transaction::Begin(connection));
  ASSIGN_OR_RETURN(const pg::Result locked,
                   transaction->Execute(absl::StrCat("SELECT pg_try_advisory_xact_lock(", kWorkLock, ")")));
  if (!locked.Bool(0, 0)) return false;
  RETURN_IF_ERROR(transaction
                      ->Execute("SELECT set_config('synchronous_commit', 'on', true)"
                                " WHERE current_setting('synchronous_commit') = 'off'")
                      .status());
  ASSIGN_OR_RETURN(
      const pg::Result raised,
      transaction->Execute(
          "INSERT INTO curlew.target AS t (name, agent_id, instance_id, epoch, system_identifier, timeline)"
          " VALUES ($1, $2, $3, 1, $4, $5::integer)"
          // A database that was restored, or failed over to, may have lost takeovers: their epochs must not
          // come again.
          " ON CONFLICT (singleton) DO UPDATE SET name = $1, agent_id = $2, instance_id = $3, epoch ="
          " CASE WHEN t.system_identifier = $4 AND t.timeline = $5::integer THEN t.epoch + 1"
          " ELSE greatest(t.epoch + 1, (extract(epoch FROM clock_timestamp()) * 1000)::bigint) END,"
          " system_identifier = $4, timeline = $5::integer, taken_over = now() RETURNING epoch",
          {options.target, options.agent_id, options.instance_id, tenure.system_identifier,
           absl::StrCat(tenure.timeline)}));
  tenure.epoch = raised.Int(0, 0);
  base::FaultPoint("takeover.before_commit");
  RETURN_IF_ERROR(transaction->Commit());
  base::FaultPoint("takeover.after_commit");
  return true;
}

absl::StatusOr<std::unique_ptr<pg::Connection>> ConnectAs(const TakeoverOptions& options) {
  pg::ConnectOptions connect = options.connect;
  connect.application_name = TargetApplicationName(options.target);
  connect.statement_timeout = absl::Seconds(30);
  return pg::Connection::Connect(connect);
}

}  // namespace

absl::Status RefusePooler(pg::Connection* first, pg::Connection* second) {
  const std::string ask = "SELECT pg_backend_pid()";
  ASSIGN_OR_RETURN(const pg::Result a, first->Execute(ask));
  ASSIGN_OR_RETURN(const pg::Result b, second->Execute(ask));
  ASSIGN_OR_RETURN(const pg::Result again, first->Execute(ask));
  if (a.Int(0, 0) == first->backend_pid() && a.Int(0, 0) != b.Int(0, 0) && a.Int(0, 0) == again.Int(0, 0)) {
    return absl::OkStatus();
  }
  return Refused(
      "the connection goes through a pooler or proxy (the backend that answers is not the one that was "
      "connected to)",
      "give the agent a direct connection to the server: its locks and settings belong to one backend");
}

absl::StatusOr<Tenure> TakeOver(const TakeoverOptions& options, const CancelToken& cancel) {
  ASSIGN_OR_RETURN(const auto connection, ConnectAs(options));
  {
    ASSIGN_OR_RETURN(const auto second, ConnectAs(options));
    RETURN_IF_ERROR(RefusePooler(connection.get(), second.get()));
  }
  RETURN_IF_ERROR(CheckServer(connection.get()));
  ASSIGN_OR_RETURN(Tenure tenure, ReadIdentity(connection.get()));
  const absl::Time deadline = absl::Now() + options.deadline;
  absl::Status migrated = MigrateJournal(connection.get());
  while (absl::IsAborted(migrated) && absl::Now() < deadline) {
    RETURN_IF_ERROR(cancel.Pause(absl::Milliseconds(50)));
    migrated = MigrateJournal(connection.get());
  }
  RETURN_IF_ERROR(migrated);
  RETURN_IF_ERROR(RefuseSecondTarget(connection.get(), options.target));
  while (true) {
    RETURN_IF_ERROR(EndPredecessors(connection.get(), options.target));
    ASSIGN_OR_RETURN(const bool raised, TryRaiseEpoch(connection.get(), options, tenure));
    if (raised) return tenure;
    RETURN_IF_ERROR(RefuseForeignHolder(connection.get()));
    if (absl::Now() >= deadline) break;
    RETURN_IF_ERROR(cancel.Pause(absl::Milliseconds(20)));
  }
  return base::WithDetail(
      absl::DeadlineExceededError("backends of the agent before this one did not end when they were told to"),
      base::kHint,
      "look in pg_locks for advisory locks, and in pg_stat_activity for application_name 'curlew ...'");
}

absl::StatusOr<bool> StillMine(const TakeoverOptions& options, const Tenure& tenure) {
  ASSIGN_OR_RETURN(const auto connection, ConnectAs(options));
  return StillMine(connection.get(), options, tenure);
}

absl::StatusOr<bool> StillMine(pg::Connection* connection, const TakeoverOptions& options,
                               const Tenure& tenure) {
  RETURN_IF_ERROR(CheckServer(connection));
  ASSIGN_OR_RETURN(const int version, ReadJournalVersion(connection));
  if (version == 0) return false;
  ASSIGN_OR_RETURN(const Tenure now, ReadIdentity(connection));
  ASSIGN_OR_RETURN(const pg::Result row, connection->Execute("SELECT epoch, instance_id FROM curlew.target"));
  return !row.empty() && row.Int(0, 0) == tenure.epoch && row.Text(0, 1) == options.instance_id &&
         now.system_identifier == tenure.system_identifier && now.timeline == tenure.timeline;
}

}  // namespace curlew::agent
