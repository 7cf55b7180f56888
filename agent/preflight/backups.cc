#include "absl/strings/str_cat.h"
#include "agent/backup/dump.h"
#include "agent/backup/pg_dump.h"
#include "agent/preflight/looks.h"
#include "common/base/error_detail.h"
#include "common/base/proto_time.h"
#include "common/base/status_macros.h"

namespace curlew::agent {
namespace {

void Tell(const absl::Status& status, absl::string_view step, Findings* findings) {
  if (status.ok()) return;
  const std::string hint = base::Detail(status, base::kHint);
  findings->Error(absl::StrCat("backup step ", step, ": ", status.message()),
                  hint.empty() ? "see docs/backups.md" : hint);
}

absl::Status LookAtDump(const Look& look, const v1::Step& step, Findings* findings) {
  const BackupConfig& config = look.options.backups;
  if (config.directory.empty()) {
    findings->Error(absl::StrCat("backup step ", step.key(), ": the agent has no folder for dumps"),
                    "give it one (backups: directory: /PATH in the file that --config names)");
    return absl::OkStatus();
  }
  const std::string folder = absl::StrCat(config.directory, "/", look.options.target);
  const absl::Status writable = CheckWritable(folder);
  Tell(writable, step.key(), findings);
  const absl::StatusOr<PgDumpProgram> program =
      FindPgDump(config, look.connection->server_version_num() / 10000, look.cancel);
  RETURN_IF_ERROR(look.cancel.Check());
  Tell(program.status(), step.key(), findings);
  if (!writable.ok()) return absl::OkStatus();
  const auto& tables = step.action().backup().dump().tables();
  ASSIGN_OR_RETURN(const auto facts, ReadTableFacts(look.connection, {tables.begin(), tables.end()}));
  int64_t bytes = 0;
  for (const auto& [name, fact] : facts) bytes += fact.table_bytes;
  ASSIGN_OR_RETURN(const int64_t free, FreeBytes(folder));
  if (free < bytes) {
    findings->Error(absl::StrCat("backup step ", step.key(), ": the dump may need ", Bytes(bytes),
                                 ", as much as the tables, and ", folder, " has ", Bytes(free), " free"),
                    "make room there, or name another folder in the agent's configuration");
  }
  return absl::OkStatus();
}

absl::Status LookAtRestorePoint(const Look& look, const v1::Step& step, Findings* findings) {
  ASSIGN_OR_RETURN(
      const pg::Result row,
      look.connection->Execute("SELECT has_function_privilege('pg_create_restore_point(text)', 'EXECUTE'),"
                               " quote_ident(current_user), current_setting('wal_level'),"
                               " current_setting('archive_mode')"));
  if (!row.Bool(0, 0)) {
    findings->Error(
        absl::StrCat("backup step ", step.key(), ": the agent's role ", row.Text(0, 1),
                     " may not call pg_create_restore_point"),
        absl::StrCat("as a superuser: GRANT EXECUTE ON FUNCTION pg_create_restore_point(text) TO ",
                     row.Text(0, 1)));
  }
  if (row.Text(0, 2) == "minimal") {
    findings->Error(absl::StrCat("backup step ", step.key(),
                                 ": wal_level is minimal: there is no recovery to a restore point"),
                    "set wal_level = replica, which needs a restart");
  } else if (row.Text(0, 3) == "off") {
    findings->Warning(
        absl::StrCat("backup step ", step.key(),
                     ": archive_mode is off: a restore point is worth what is done for its WAL to be "
                     "kept"),
        "archive the WAL (archive_mode, or pg_receivewal), and have a base backup");
  }
  return absl::OkStatus();
}

absl::Status LookAtArchive(const Look& look, const v1::Step& step, Findings* findings) {
  const absl::Duration within = base::FromProto(step.action().backup().archive().within());
  ASSIGN_OR_RETURN(
      const pg::Result row,
      look.connection->Execute("SELECT current_setting('archive_mode'), last_archived_time IS NOT NULL,"
                               " extract(epoch FROM clock_timestamp() - last_archived_time)::float8,"
                               " COALESCE(last_failed_time > COALESCE(last_archived_time, '-infinity'), "
                               "false) FROM pg_stat_archiver"));
  const std::string step_words = absl::StrCat("backup step ", step.key(), ": ");
  if (row.Text(0, 0) == "off") {
    findings->Error(absl::StrCat(step_words, "archive_mode is off: no WAL is archived"),
                    "set archive_mode = on, which needs a restart, and archive_command");
  } else if (row.Bool(0, 3)) {
    findings->Error(absl::StrCat(step_words, "archiving fails"),
                    "the server's log says what archive_command or archive_library answers");
  } else if (!row.Bool(0, 1) || absl::Seconds(row.Double(0, 2)) > within) {
    // By the time the step runs another one may be there.
    findings->Warning(absl::StrCat(step_words,
                                   row.Bool(0, 1) ? absl::StrCat("the newest archived segment is of ",
                                                                 Age(absl::Seconds(row.Double(0, 2))), " ago")
                                                  : std::string("no segment was archived yet"),
                                   "; the plan allows ", absl::FormatDuration(within)),
                      "look at archive_command; a server to which little is written archives seldom "
                      "(archive_timeout, SELECT pg_switch_wal())");
  }
  return absl::OkStatus();
}

}  // namespace

absl::Status LookAtBackups(const Look& look, Findings* findings) {
  for (const v1::Step& step : look.plan.steps()) {
    const v1::Backup& backup = step.action().backup();
    switch (backup.kind_case()) {
      case v1::Backup::kDump:
        RETURN_IF_ERROR(LookAtDump(look, step, findings));
        break;
      case v1::Backup::kRestorePoint:
        RETURN_IF_ERROR(LookAtRestorePoint(look, step, findings));
        break;
      case v1::Backup::kArchive:
        RETURN_IF_ERROR(LookAtArchive(look, step, findings));
        break;
      case v1::Backup::kCommand:
        if (!look.options.backups.commands.contains(backup.command().name())) {
          findings->Error(
              absl::StrCat("backup step ", step.key(), ": the agent's configuration has no command \"",
                           backup.command().name(), "\""),
              absl::StrCat("add it (backups: commands: ", backup.command().name(),
                           ": {argv: [...]} in the file that --config names) and start the agent again"));
        }
        break;
      case v1::Backup::KIND_NOT_SET:
        break;
    }
  }
  return absl::OkStatus();
}

}  // namespace curlew::agent
