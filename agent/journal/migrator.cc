#include "agent/journal/migrator.h"

#include <map>
#include <string>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "common/base/error_detail.h"
#include "common/base/status_macros.h"
#include "migrations/embedded.h"

namespace curlew::agent {
namespace {

// Advisory lock of who migrates; another one than kWorkLock, which stays free for the takeover that follows.
constexpr char kTryMigrationLock[] = "SELECT pg_try_advisory_xact_lock(7155766)";

struct Migration {
  std::string name;
  std::string up, down, verify;
};

// By version. Paths look like "agent/0001_journal.up.sql".
std::map<int, Migration> Migrations() {
  std::map<int, Migration> migrations;
  for (const migrations::EmbeddedFile& file : migrations::Embedded()) {
    const std::string path(file.path);
    absl::string_view rest = path;
    int version = 0;
    if (!absl::ConsumePrefix(&rest, "agent/") || !absl::SimpleAtoi(rest.substr(0, 4), &version)) continue;
    Migration& migration = migrations[version];
    const std::string text(file.text);
    if (absl::ConsumeSuffix(&rest, ".up.sql")) migration.up = text;
    if (absl::ConsumeSuffix(&rest, ".down.sql")) migration.down = text;
    if (absl::ConsumeSuffix(&rest, ".verify.sql")) migration.verify = text;
    migration.name = std::string(rest.substr(5));
  }
  return migrations;
}

absl::Status Apply(pg::Connection* connection, int version, const Migration& migration) {
  ASSIGN_OR_RETURN(const auto transaction, pg::Transaction::Begin(connection));
  ASSIGN_OR_RETURN(const pg::Result locked, transaction->Execute(kTryMigrationLock));
  if (!locked.Bool(0, 0)) return absl::AbortedError("another agent migrates the journal now");
  ASSIGN_OR_RETURN(const int in_force, ReadJournalVersion(connection));
  if (in_force >= version) return absl::OkStatus();
  RETURN_IF_ERROR(transaction->Execute(migration.up).status());
  RETURN_IF_ERROR(transaction
                      ->Execute("INSERT INTO curlew.migration (version, name) VALUES ($1::integer, $2)",
                                {absl::StrCat(version), migration.name})
                      .status());
  ASSIGN_OR_RETURN(const pg::Result verified, transaction->Execute(migration.verify));
  if (!verified.Bool(0, 0)) {
    return absl::InternalError(
        absl::StrCat("migration ", migration.name, " of the journal is not in force after it ran"));
  }
  return transaction->Commit();
}

}  // namespace

int JournalVersion() { return Migrations().rbegin()->first; }

absl::StatusOr<int> ReadJournalVersion(pg::Connection* connection) {
  // By a query, not by to_regclass: within a transaction the session's cache may still hold that there is
  // none.
  ASSIGN_OR_RETURN(const pg::Result exists,
                   connection->Execute("SELECT EXISTS (SELECT FROM pg_class c JOIN pg_namespace n"
                                       " ON n.oid = c.relnamespace WHERE n.nspname = 'curlew'"
                                       " AND c.relname = 'migration')"));
  if (!exists.Bool(0, 0)) return 0;
  ASSIGN_OR_RETURN(const pg::Result version,
                   connection->Execute("SELECT COALESCE(max(version), 0) FROM curlew.migration"));
  return static_cast<int>(version.Int(0, 0));
}

absl::Status MigrateJournal(pg::Connection* connection) {
  ASSIGN_OR_RETURN(const int in_force, ReadJournalVersion(connection));
  if (in_force > JournalVersion()) {
    return base::WithDetail(
        absl::FailedPreconditionError(absl::StrCat("the journal in schema curlew has version ", in_force,
                                                   ", this agent knows versions up to ", JournalVersion())),
        base::kHint, "run an agent at least as new as the one that wrote the journal");
  }
  for (const auto& [version, migration] : Migrations()) {
    if (version <= in_force) continue;
    if (absl::Status status = Apply(connection, version, migration); !status.ok()) {
      return base::Annotate(
          status, absl::StrCat("cannot install the journal (schema curlew), migration ", migration.name));
    }
  }
  return absl::OkStatus();
}

absl::Status RemoveJournal(pg::Connection* connection) {
  ASSIGN_OR_RETURN(const auto transaction, pg::Transaction::Begin(connection));
  const std::map<int, Migration> migrations = Migrations();
  for (auto it = migrations.rbegin(); it != migrations.rend(); ++it) {
    RETURN_IF_ERROR(transaction->Execute(it->second.down).status());
  }
  return transaction->Commit();
}

}  // namespace curlew::agent
