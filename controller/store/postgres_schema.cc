#include "controller/store/postgres_schema.h"

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "common/base/error_detail.h"
#include "common/base/status_macros.h"

namespace curlew::store {
namespace {

// Whoever waited in pg_advisory_xact_lock would hold a snapshot meanwhile, which blocks CREATE INDEX
// CONCURRENTLY in the whole database: it is tried again and again instead. The number is ours alone.
constexpr char kTryMigrationLock[] = "SELECT pg_try_advisory_xact_lock(7155767)";
constexpr absl::Duration kPollMigrationLock = absl::Milliseconds(20);

// By queries, not by to_regclass: a session's cache may still hold that there is none.
constexpr char kWhatIsThere[] =
    "SELECT EXISTS (SELECT FROM pg_class c WHERE c.relnamespace = n.oid AND c.relname = 'schema_version'),"
    "       EXISTS (SELECT FROM pg_class c WHERE c.relnamespace = n.oid)"
    "       OR EXISTS (SELECT FROM pg_proc p WHERE p.pronamespace = n.oid)"
    "       OR EXISTS (SELECT FROM pg_type t WHERE t.typnamespace = n.oid),"
    "       pg_has_role(n.nspowner, 'USAGE')"
    "  FROM pg_namespace n WHERE n.nspname = 'curlew_controller'";

// The one table that is not in a migration: it tells which of them have been applied.
constexpr char kVersionTable[] =
    "CREATE TABLE IF NOT EXISTS curlew_controller.schema_version ("
    " version integer PRIMARY KEY, name text NOT NULL, applied_time timestamptz NOT NULL DEFAULT now())";

struct Found {
  bool schema = false;
  int version = 0;
};

absl::StatusOr<Found> Look(PostgresWork& work, absl::string_view name, int newest) {
  ASSIGN_OR_RETURN(const pg::Result there, work.Execute(kWhatIsThere));
  if (there.empty()) return Found();
  if (!there.Bool(0, 2)) {
    return NotAStore(
        name,
        "its schema curlew_controller belongs to a role whose rights the controller's has not; "
        "ALTER SCHEMA curlew_controller OWNER TO the controller's role, or name another database");
  }
  if (!there.Bool(0, 0)) {
    if (!there.Bool(0, 1)) return Found{.schema = true};
    return NotAStore(
        name, "its schema curlew_controller has objects, but no table schema_version; name another database");
  }
  ASSIGN_OR_RETURN(const pg::Result rows,
                   work.Execute("SELECT coalesce(max(version), 0) FROM curlew_controller.schema_version"));
  const Found found{.schema = true, .version = static_cast<int>(rows.Int(0, 0))};
  RETURN_IF_ERROR(CheckNotNewer(name, found.version, newest));
  return found;
}

absl::Status Apply(PostgresWork& work, const Found& found, const Migration& migration) {
  // IF NOT EXISTS would ask for CREATE on the database even where the schema is there.
  if (!found.schema) {
    RETURN_IF_ERROR(work.Execute("CREATE SCHEMA curlew_controller").status());
    RETURN_IF_ERROR(work.Execute("COMMENT ON SCHEMA curlew_controller IS"
                                 " 'Store of Curlew''s controller. Do not change by hand.'")
                        .status());
  }
  RETURN_IF_ERROR(work.Execute(kVersionTable).status());
  RETURN_IF_ERROR(work.Execute(migration.up).status());
  ASSIGN_OR_RETURN(const pg::Result verified, work.Execute(migration.verify));
  if (!verified.Bool(0, 0)) {
    return absl::InternalError(
        absl::StrCat("migration ", migration.name, " is not in force after it was applied"));
  }
  RETURN_IF_ERROR(
      work.Execute("INSERT INTO curlew_controller.schema_version (version, name) VALUES ($1::integer, $2)",
                   {absl::StrCat(migration.version), migration.name})
          .status());
  return work.Commit();
}

// A transaction that holds the lock of migrations.
absl::StatusOr<PostgresWork> BeginMigration(PostgresSession& session, absl::string_view doing) {
  const absl::Time deadline = absl::Now() + session.options().lock_timeout;
  for (;;) {
    {
      ASSIGN_OR_RETURN(PostgresWork work, session.Begin(doing));
      ASSIGN_OR_RETURN(const pg::Result locked, work.Execute(kTryMigrationLock));
      if (locked.Bool(0, 0)) return work;
    }
    if (absl::Now() >= deadline) {
      return base::WithDetail(absl::UnavailableError(absl::StrCat(
                                  "store ", session.name(), ": ", doing,
                                  ": another controller has been migrating it for longer than ",
                                  absl::FormatDuration(session.options().lock_timeout), "; try again")),
                              base::kReason, "STORE_LOCKED");
    }
    absl::SleepFor(kPollMigrationLock);
  }
}

}  // namespace

std::vector<Migration> PostgresMigrations() { return MigrationsIn("controller_postgres"); }

absl::StatusOr<int> ReadPostgresVersion(PostgresSession& session, int newest) {
  ASSIGN_OR_RETURN(PostgresWork work, session.Begin("cannot read its version"));
  ASSIGN_OR_RETURN(const Found found, Look(work, session.name(), newest));
  return found.version;
}

absl::Status MigratePostgres(PostgresSession& session, const std::vector<Migration>& migrations) {
  const int newest = static_cast<int>(migrations.size());
  ASSIGN_OR_RETURN(const int before, ReadPostgresVersion(session, newest));
  for (const Migration& migration : migrations) {
    if (migration.version <= before) continue;
    ASSIGN_OR_RETURN(PostgresWork work,
                     BeginMigration(session, absl::StrCat("cannot apply migration ", migration.name)));
    // Again, under the lock.
    ASSIGN_OR_RETURN(const Found found, Look(work, session.name(), newest));
    if (found.version >= migration.version) continue;
    RETURN_IF_ERROR(Apply(work, found, migration));
  }
  return absl::OkStatus();
}

}  // namespace curlew::store
