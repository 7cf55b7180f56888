// Ways back that a step makes, or sees to.
#include <algorithm>
#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "absl/time/clock.h"
#include "agent/backup/backup_config.h"
#include "agent/backup/child_process.h"
#include "agent/backup/dump.h"
#include "agent/backup/pg_dump.h"
#include "agent/executor/executors.h"
#include "agent/executor/words.h"
#include "agent/journal/backup_journal.h"
#include "agent/journal/fenced_transaction.h"
#include "agent/journal/names.h"
#include "common/base/error_detail.h"
#include "common/base/fault_point.h"
#include "common/base/hash.h"
#include "common/base/proto_time.h"
#include "common/base/status_macros.h"
#include "common/base/utf8.h"
#include "common/pg/conninfo.h"
#include "common/sql/identifier.h"

namespace curlew::agent {
namespace {

// PostgreSQL's limit for the name of a restore point.
constexpr size_t kRestorePointBytes = 63;
// Of what a command says of where its backup is.
constexpr size_t kLocationBytes = 1000;

absl::Status Lacks(const std::string& what, const std::string& hint) {
  return base::WithDetail(absl::FailedPreconditionError(what), base::kHint, hint);
}

const BackupConfig& ConfigOf(const RunContext& context) {
  static const BackupConfig* const kNothing = new BackupConfig();
  return context.backups == nullptr ? *kNothing : *context.backups;
}

absl::Status CheckLease(const RunContext& context) {
  if (context.lease->Valid()) return absl::OkStatus();
  return absl::UnavailableError("the lease has run out: nothing is begun that cannot be fenced");
}

// Journals what was made together with the step.
absl::StatusOr<StepResult> Journal(const RunContext& context, v1::BackupResult backup, std::string summary) {
  ASSIGN_OR_RETURN(const auto lease, context.pool->Acquire());
  ASSIGN_OR_RETURN(auto transaction, FencedTransaction::Begin(lease.get(), context.attempt.fence(), {}));
  RETURN_IF_ERROR(RecordBackup(transaction, context.attempt, backup));
  RETURN_IF_ERROR(RecordSuccess(transaction, context.attempt, 0));
  base::FaultPoint("backup.before_commit");
  RETURN_IF_ERROR(transaction.Commit());
  return StepResult{.summary = std::move(summary), .backups = {std::move(backup)}};
}

// --- A dump ---

// What is to be dumped, partitions too: pg_dump takes a partitioned table without them.
struct DumpSubject {
  std::vector<std::string> tables;  // qualified and quoted
  std::set<std::string> schemas;    // of them, but for public; not quoted
  int64_t bytes = 0;                // without indexes, which a dump does not hold
};

constexpr char kSubject[] = R"sql(
WITH RECURSIVE named AS (
  SELECT w.name, to_regclass(w.name)::oid AS oid FROM unnest($1::text[]) AS w (name)
), family AS (
  SELECT oid FROM named UNION SELECT i.inhrelid FROM pg_inherits i JOIN family f ON i.inhparent = f.oid
)
SELECT format('%I.%I', n.nspname, c.relname), COALESCE(pg_table_size(c.oid), 0),
  has_table_privilege(c.oid, 'SELECT'), NULL, n.nspname, c.relkind = 'f'
FROM family f JOIN pg_class c ON c.oid = f.oid JOIN pg_namespace n ON n.oid = c.relnamespace
UNION ALL
SELECT NULL, 0, true, name, NULL, false FROM named WHERE oid IS NULL
ORDER BY 1
)sql";

absl::StatusOr<DumpSubject> Subject(const RunContext& context, const v1::BackupDump& action) {
  ASSIGN_OR_RETURN(const auto lease, context.pool->Acquire());
  const CancelToken::Interruptible interruptible(context.cancel, lease.get());
  const std::vector<std::string> names(action.tables().begin(), action.tables().end());
  ASSIGN_OR_RETURN(const pg::Result rows, lease->Execute(kSubject, {pg::ArrayParam(names)}));
  DumpSubject subject;
  for (int64_t i = 0; i < rows.size(); ++i) {
    if (!rows.IsNull(i, 3)) {
      return Lacks(absl::StrCat("table ", rows.Text(i, 3), ", which is to be dumped, does not exist"),
                   "correct backup.dump.tables in the plan");
    }
    if (!rows.Bool(i, 2)) {
      return base::WithDetail(
          absl::PermissionDeniedError(absl::StrCat("the agent's role may not read ", rows.Text(i, 0))),
          base::kHint, absl::StrCat("GRANT SELECT ON ", rows.Text(i, 0), " TO the agent's role"));
    }
    if (rows.Bool(i, 5)) {
      return Lacks(absl::StrCat(rows.Text(i, 0), " is a foreign table: pg_dump leaves its rows out"),
                   "back it up where it is, and name the other tables in backup.dump.tables of the plan");
    }
    subject.tables.push_back(rows.Text(i, 0));
    subject.bytes += rows.Int(i, 1);
    if (rows.Text(i, 4) != "public") subject.schemas.insert(rows.Text(i, 4));
  }
  if (subject.tables.empty()) return absl::InvalidArgumentError("the dump names no table");
  return subject;
}

// What a program connects by that is to connect as the agent does.
absl::StatusOr<std::map<std::string, std::string>> Connecting(const RunContext& context) {
  std::map<std::string, std::string> variables = ChildEnvironment(PgVariables::kKept);
  ASSIGN_OR_RETURN(const auto given, pg::Environment(context.connect.conninfo));
  for (const auto& [name, value] : given) variables[name] = value;
  variables.emplace("PGCONNECT_TIMEOUT", "10");
  // So that a takeover finds its sessions, and ends them.
  variables["PGAPPNAME"] =
      AttemptApplicationName(context.target, context.attempt.run, context.attempt.attempt);
  return variables;
}

// Lines for a shell, whose libpq finds a server; a test runs them.
std::string DumpHint(const std::string& path, const DumpSubject& subject) {
  const std::string file = ShellQuoted(path);
  std::string hint = absl::StrCat(
      "# what is in it\npg_restore --list ", file,
      "\n# the tables as they were when the dump began, in a database of their own (docs/backups.md)\n"
      "createdb restored\n");
  for (const std::string& schema : subject.schemas) {
    absl::StrAppend(&hint, "psql --dbname=restored --command=",
                    ShellQuoted(absl::StrCat("CREATE SCHEMA ", sql::Ident(schema))), "\n");
  }
  absl::StrAppend(
      &hint, "pg_restore --no-owner --no-privileges --section=pre-data --section=data --dbname=restored ",
      file);
  return hint;
}

absl::StatusOr<StepResult> RunDump(const RunContext& context, const v1::BackupDump& action) {
  const BackupConfig& config = ConfigOf(context);
  if (config.directory.empty()) {
    return Lacks("the agent has no folder for dumps",
                 "give it one (backups: directory: /PATH in the file that --config names; docs/backups.md)");
  }
  ASSIGN_OR_RETURN(const DumpSubject subject, Subject(context, action));
  const std::string path = DumpPath(config.directory, context.target, context.attempt.run,
                                    context.attempt.step, context.attempt.attempt);
  {
    ASSIGN_OR_RETURN(const auto lease, context.pool->Acquire());
    ASSIGN_OR_RETURN(const std::vector<v1::BackupResult> known,
                     ReadBackups(lease.get(), context.attempt.run, context.attempt.step));
    if (!known.empty()) {
      const std::string& made = known[0].location();
      const absl::StatusOr<DumpFile> there = ReadDump(made, *context.cancel);
      RETURN_IF_ERROR(context.cancel->Check());
      if (there.ok() && there->sha256 == known[0].sha256())
        return Journal(context, known[0], absl::StrCat(made, " was complete already"));
    }
  }
  int server_major = 0;
  {
    ASSIGN_OR_RETURN(const auto lease, context.pool->Acquire());
    server_major = lease->server_version_num() / 10000;
  }
  ASSIGN_OR_RETURN(const PgDumpProgram program, FindPgDump(config, server_major, *context.cancel));
  ASSIGN_OR_RETURN(const auto environment, Connecting(context));
  RETURN_IF_ERROR(CheckLease(context));
  const absl::Time began = absl::Now();
  DumpOptions options{.program = program,
                      .tables = subject.tables,
                      .environment = environment,
                      .path = path,
                      .bytes_needed = subject.bytes};
  options.progress = [&](int64_t bytes) {
    v1::Progress progress;
    progress.set_message(absl::StrCat("dumps ", CountOf(static_cast<int64_t>(subject.tables.size()), "table"),
                                      " of ", SizeOf(subject.bytes), ": ", SizeOf(bytes), " written"));
    context.progress->Report(progress);
  };
  ASSIGN_OR_RETURN(const DumpFile file, MakeDump(options, *context.cancel));
  v1::BackupResult backup;
  backup.set_kind("dump");
  backup.set_location(path);
  backup.set_bytes(file.bytes);
  backup.set_sha256(file.sha256);
  *backup.mutable_time() = base::ToProto(absl::Now());
  backup.set_restore_hint(DumpHint(path, subject));
  return Journal(context, backup,
                 absl::StrCat(CountOf(static_cast<int64_t>(subject.tables.size()), "table"), " dumped to ",
                              path, ": ", SizeOf(file.bytes), " in ", TimeOf(absl::Now() - began)));
}

// --- A restore point ---

// Of the attempt: recovery stops at the first point of a name.
std::string RestorePointName(const StepAttempt& attempt) {
  const std::vector<std::string> parts = absl::StrSplit(attempt.run, '/');
  const std::string end = absl::StrCat("-", attempt.step, "-", attempt.attempt);
  std::string name = absl::StrCat("curlew-", parts.size() > 1 ? parts[1] : attempt.run, end);
  if (name.size() <= kRestorePointBytes) return name;
  const std::string hash =
      absl::StrCat("~", base::Sha256Hex(absl::StrCat(attempt.run, end)).substr(0, 12), "-", attempt.attempt);
  return absl::StrCat(base::Utf8Prefix(name, kRestorePointBytes - hash.size()), hash);
}

absl::StatusOr<StepResult> RunRestorePoint(const RunContext& context) {
  ASSIGN_OR_RETURN(const auto lease, context.pool->Acquire());
  const CancelToken::Interruptible interruptible(context.cancel, lease.get());
  ASSIGN_OR_RETURN(const pg::Result server,
                   lease->Execute("SELECT pg_is_in_recovery(), current_setting('wal_level'),"
                                  " has_function_privilege('pg_create_restore_point(text)', 'EXECUTE'),"
                                  " quote_ident(current_user)"));
  if (server.Bool(0, 0)) {
    return Lacks("the server is in recovery: a restore point can be made on the primary alone",
                 "give the agent the primary's address");
  }
  if (server.Text(0, 1) == "minimal") {
    return Lacks("wal_level is minimal: there is no recovery to a point in time",
                 "set wal_level = replica and archive the WAL, or take restore_point out of the plan");
  }
  if (!server.Bool(0, 2)) {
    return base::WithDetail(
        absl::PermissionDeniedError("the agent's role may not call pg_create_restore_point"), base::kHint,
        absl::StrCat("as a superuser: GRANT EXECUTE ON FUNCTION pg_create_restore_point(text) TO ",
                     server.Text(0, 3)));
  }
  const std::string name = RestorePointName(context.attempt);
  ASSIGN_OR_RETURN(auto transaction, FencedTransaction::Begin(lease.get(), context.attempt.fence(), {}));
  // In the WAL at once, whatever becomes of the transaction.
  ASSIGN_OR_RETURN(const pg::Result point,
                   transaction.Execute("SELECT pg_create_restore_point($1)::text,"
                                       " round(extract(epoch FROM clock_timestamp()) * 1000000)::bigint",
                                       {name}));
  v1::BackupResult backup;
  backup.set_kind("restore-point");
  backup.set_location(absl::StrCat(name, " at ", point.Text(0, 0)));
  const absl::Time time = absl::FromUnixMicros(point.Int(0, 1));
  *backup.mutable_time() = base::ToProto(time);
  backup.set_restore_hint(absl::StrCat(
      "restore a base backup that was complete before ",
      absl::FormatTime("%Y-%m-%d %H:%M:%E3S UTC", time, absl::UTCTimeZone()),
      ", set restore_command to read the archive, recovery_target_name = '", name,
      "' and recovery_target_action = 'promote', make the file recovery.signal, and start the server\nit "
      "needs "
      "every segment of WAL up to ",
      point.Text(0, 0), " in the archive; another attempt at the step makes a point of another name"));
  RETURN_IF_ERROR(RecordBackup(transaction, context.attempt, backup));
  RETURN_IF_ERROR(RecordSuccess(transaction, context.attempt, 0));
  base::FaultPoint("backup.before_commit");
  RETURN_IF_ERROR(transaction.Commit());
  StepResult result{.summary = absl::StrCat("restore point ", backup.location())};
  result.backups.push_back(std::move(backup));
  return result;
}

// --- The archive ---

constexpr char kArchiver[] = R"sql(
SELECT current_setting('archive_mode'),
  round(extract(epoch FROM last_archived_time) * 1000000)::bigint, COALESCE(last_archived_wal, ''),
  round(extract(epoch FROM last_failed_time) * 1000000)::bigint, COALESCE(last_failed_wal, ''),
  round(extract(epoch FROM clock_timestamp()) * 1000000)::bigint
FROM pg_stat_archiver
)sql";

absl::StatusOr<StepResult> RunArchive(const RunContext& context, const v1::BackupArchive& action) {
  pg::Result row;
  {
    ASSIGN_OR_RETURN(const auto lease, context.pool->Acquire());
    ASSIGN_OR_RETURN(row, lease->Execute(kArchiver));
  }
  if (row.Text(0, 0) == "off") {
    return Lacks(
        "archive_mode is off: no WAL is archived",
        "set archive_mode = on (needs a restart) and archive_command, or take archived_within out of the "
        "plan");
  }
  const absl::Duration within = base::FromProto(action.within());
  const absl::Time now = absl::FromUnixMicros(row.Int(0, 5));
  const auto ago = [&](int column) {
    return absl::FormatDuration(
        absl::Floor(now - absl::FromUnixMicros(row.Int(0, column)), absl::Seconds(1)));
  };
  const bool failed = !row.IsNull(0, 3) && (row.IsNull(0, 1) || row.Int(0, 3) > row.Int(0, 1));
  if (failed) {
    return Lacks(
        absl::StrCat("archiving fails: segment ", row.Text(0, 4), " failed ", ago(3), " ago, and ",
                     row.IsNull(0, 1) ? std::string("none was archived yet")
                                      : absl::StrCat("the newest archived one, ", row.Text(0, 2), ", is of ",
                                                     ago(1), " ago")),
        "the server's log says what archive_command or archive_library answers; mend it, then resume");
  }
  // Nothing was archived for long also where nothing was written.
  const std::string quiet =
      "look at archive_command and the server's log; a server to which little is written archives seldom: "
      "archive_timeout, or SELECT pg_switch_wal() as a superuser, ends a segment (the agent does not do "
      "that)";
  if (row.IsNull(0, 1)) return Lacks("no segment of WAL was archived since the statistics were reset", quiet);
  if (now - absl::FromUnixMicros(row.Int(0, 1)) > within) {
    return Lacks(absl::StrCat("the newest archived segment, ", row.Text(0, 2), ", is of ", ago(1),
                              " ago; the plan allows ", absl::FormatDuration(within)),
                 quiet);
  }
  v1::BackupResult backup;
  backup.set_kind("archive");
  backup.set_location(row.Text(0, 2));
  *backup.mutable_time() = base::ToProto(absl::FromUnixMicros(row.Int(0, 1)));
  backup.set_restore_hint(
      "restore a base backup, set restore_command to read the archive and recovery_target_time, make the "
      "file "
      "recovery.signal, and start the server (docs/backups.md)");
  return Journal(context, backup, absl::StrCat("segment ", row.Text(0, 2), " was archived ", ago(1), " ago"));
}

// --- A command ---

// The last line that is not empty, as text.
std::string LastLine(const std::string& output) {
  const std::vector<std::string> lines =
      absl::StrSplit(output, absl::ByAnyChar("\r\n"), absl::SkipWhitespace());
  std::string line = lines.empty() ? "" : lines.back();
  for (size_t bad; (bad = base::FindInvalidUtf8(line)) != std::string::npos;) line[bad] = '?';
  return std::string(base::Utf8Prefix(line, kLocationBytes));
}

// As a word of PGOPTIONS.
std::string EscapedOption(const std::string& text) {
  std::string escaped;
  for (const char c : text) {
    if (c == '\\' || absl::ascii_isspace(static_cast<unsigned char>(c))) escaped += '\\';
    escaped += c;
  }
  return escaped;
}

absl::StatusOr<StepResult> RunCommand(const RunContext& context, const v1::BackupCommand& action) {
  const BackupConfig& config = ConfigOf(context);
  const auto found = config.commands.find(action.name());
  if (found == config.commands.end()) {
    const std::string names = absl::StrJoin(
        config.commands, ", ", [](std::string* out, const auto& command) { out->append(command.first); });
    return Lacks(
        absl::StrCat("the agent's configuration has no backup command \"", action.name(), "\"; it has ",
                     names.empty() ? "none" : names),
        absl::StrCat("add it (backups: commands: ", action.name(),
                     ": {argv: [...]} in the file that --config names; docs/backups.md) and start the "
                     "agent again"));
  }
  const BackupCommandConfig& command = found->second;
  std::map<std::string, std::string> environment;
  if (command.connection) {
    ASSIGN_OR_RETURN(environment, Connecting(context));
    if (!config.role.empty()) {
      std::string& options = environment["PGOPTIONS"];
      absl::StrAppend(&options, options.empty() ? "" : " ", "-c role=", EscapedOption(config.role));
    }
  } else {
    environment = ChildEnvironment(PgVariables::kLeftOut);
  }
  {
    ASSIGN_OR_RETURN(const auto lease, context.pool->Acquire());
    ASSIGN_OR_RETURN(const pg::Result database, lease->Execute("SELECT current_database()"));
    environment["CURLEW_DATABASE"] = database.Text(0, 0);
  }
  environment["CURLEW_TARGET"] = context.target;
  environment["CURLEW_RUN"] = context.attempt.run;
  RETURN_IF_ERROR(CheckLease(context));
  const absl::Time began = absl::Now();
  const auto tick = [&] {
    v1::Progress progress;
    progress.set_message(absl::StrCat("backup command ", action.name(), " runs for ",
                                      TimeOf(absl::Floor(absl::Now() - began, absl::Seconds(1)))));
    context.progress->Report(progress);
  };
  const absl::StatusOr<ChildResult> ended =
      RunChild({.argv = command.argv, .environment = environment, .timeout = command.timeout, .tick = tick},
               *context.cancel);
  RETURN_IF_ERROR(context.cancel->Check());
  const std::string hint = absl::StrCat("mend the command ", action.name(),
                                        " of the agent's configuration, then resume: it is run anew");
  if (!ended.ok()) {
    // Its own time-out, too: another try would take as long.
    return Lacks(absl::StrCat("backup command ", action.name(), ": ", ended.status().message()), hint);
  }
  if (ended->exit_code != 0) {
    return Lacks(absl::StrCat("backup command ", action.name(), " ended with exit code ", ended->exit_code,
                              ": ", ended->LastWords()),
                 hint);
  }
  v1::BackupResult backup;
  backup.set_kind(action.name());
  backup.set_location(LastLine(ended->output));
  *backup.mutable_time() = base::ToProto(absl::Now());
  backup.set_restore_hint(
      absl::StrCat("made by ", ShellQuoted(command.argv[0]), ", the command ", action.name(),
                   " of the agent's configuration: whoever set it up knows how to get back"));
  return Journal(context, backup,
                 absl::StrCat("backup command ", action.name(), " took ", TimeOf(absl::Now() - began)));
}

}  // namespace

absl::StatusOr<StepResult> RunBackup(const RunContext& context, const v1::Backup& action) {
  switch (action.kind_case()) {
    case v1::Backup::kDump:
      return RunDump(context, action.dump());
    case v1::Backup::kRestorePoint:
      return RunRestorePoint(context);
    case v1::Backup::kArchive:
      return RunArchive(context, action.archive());
    case v1::Backup::kCommand:
      return RunCommand(context, action.command());
    case v1::Backup::KIND_NOT_SET:
      break;
  }
  return absl::InvalidArgumentError(
      "the backup is of a kind that this agent does not know: run a newer agent");
}

}  // namespace curlew::agent
