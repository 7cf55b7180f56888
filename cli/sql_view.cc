#include "cli/sql_view.h"

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "cli/text.h"
#include "cli/units.h"
#include "common/base/proto_time.h"
#include "common/sql/identifier.h"

namespace curlew::cli {
namespace {

constexpr int kContinuation = 4;

// What may happen at a byte of an SQL text.
enum class At : char {
  kNothing,
  // A space at which a line may be broken.
  kSpace,
  // The first character of a comment up to the line's end.
  kComment,
};

// Looks at each byte of an SQL text. Dollar quotes hold code (function bodies), in which a line end means no
// more than a space, so they are looked into.
std::vector<At> Scan(absl::string_view sql) {
  enum class In { kCode, kString, kName, kLineComment, kBlockComment } in = In::kCode;
  std::vector<At> at(sql.size(), At::kNothing);
  for (size_t i = 0; i < sql.size(); ++i) {
    const char c = sql[i];
    const char next = i + 1 < sql.size() ? sql[i + 1] : '\0';
    switch (in) {
      case In::kCode:
        if (c == ' ') at[i] = At::kSpace;
        if (c == '\'') in = In::kString;
        if (c == '"') in = In::kName;
        if (c == '/' && next == '*') in = In::kBlockComment;
        if (c == '-' && next == '-') {
          in = In::kLineComment;
          at[i] = At::kComment;
        }
        break;
      case In::kString:
        if (c == '\\' && next != '\0') {
          // E'' strings escape with it; in plain ones a break one character later is missed at most.
          ++i;
        } else if (c == '\'') {
          in = In::kCode;
        }
        break;
      case In::kName:
        if (c == '"') in = In::kCode;
        break;
      case In::kLineComment:
        if (c == '\n') in = In::kCode;
        break;
      case In::kBlockComment:
        if (c == '*' && next == '/') in = In::kCode;
        break;
    }
  }
  return at;
}

// Wraps the line of `sql` that begins at `offset` of what was scanned.
void WrapLine(absl::string_view line, const std::vector<At>& at, size_t offset, int width,
              std::vector<std::string>& out) {
  const size_t own_indent = std::min(line.find_first_not_of(' '), line.size());
  if (own_indent < line.size() && at[offset + own_indent] == At::kComment) {
    // The whole line is a comment: what follows is one as well.
    const std::string head = absl::StrCat(std::string(own_indent, ' '), "-- ");
    for (const std::string& text :
         Wrap(line.substr(std::min(own_indent + 2, line.size())), width - static_cast<int>(head.size()))) {
      out.push_back(absl::StrCat(head, text));
    }
    return;
  }
  std::string indent;
  size_t start = 0;
  while (static_cast<int>(indent.size()) + DisplayWidth(line.substr(start)) > width) {
    size_t best = line.npos;
    for (size_t i = start + (start == 0 ? own_indent : 0) + 1; i < line.size(); ++i) {
      if (at[offset + i] != At::kSpace) continue;
      const bool fits =
          static_cast<int>(indent.size()) + DisplayWidth(line.substr(start, i - start)) <= width;
      if (fits || best == line.npos) best = i;
      if (!fits) break;
    }
    if (best == line.npos) break;
    out.push_back(absl::StrCat(indent, line.substr(start, best - start)));
    start = best + 1;
    indent.assign(own_indent + kContinuation, ' ');
  }
  out.push_back(absl::StrCat(indent, line.substr(start)));
}

std::string WithSemicolon(absl::string_view sql) {
  sql = absl::StripTrailingAsciiWhitespace(sql);
  return absl::EndsWith(sql, ";") ? std::string(sql) : absl::StrCat(sql, ";");
}

std::vector<std::string> BackfillSql(const v1::Backfill& backfill) {
  std::vector<std::string> sets;
  for (const v1::Assignment& assignment : backfill.assignments()) {
    sets.push_back(absl::StrCat(assignment.column(), " = ", assignment.expression()));
  }
  std::string sql = absl::StrCat(backfill.deletes() ? absl::StrCat("DELETE FROM ", backfill.table(), " AS t")
                                                    : absl::StrCat("UPDATE ", backfill.table(), " AS t\nSET ",
                                                                   absl::StrJoin(sets, ",\n    ")),
                                 "\nWHERE t.ctid >= <first block> AND t.ctid < <end block>");
  if (!backfill.pending().empty()) absl::StrAppend(&sql, "\n  AND (", backfill.pending(), ")");
  return {absl::StrCat(
      sql, ";\n-- batch by batch", backfill.has_batch_target() ? ", each about " : "",
      backfill.has_batch_target() ? ShortDuration(base::FromProto(backfill.batch_target())) : "")};
}

std::vector<std::string> TransformSql(const v1::TransformRows& transform) {
  std::string sql = absl::StrCat("WITH batch AS (SELECT t.* FROM ", transform.table(), " AS t\n  WHERE (",
                                 absl::StrJoin(transform.key(), ", "), ") > <last key> AND (",
                                 absl::StrJoin(transform.key(), ", "), ") <= <end key>");
  if (!transform.condition().empty()) absl::StrAppend(&sql, "\n  AND (", transform.condition(), ")");
  return {absl::StrCat(sql, ")\n", WithSemicolon(transform.statement()), "\n-- batch by batch")};
}

// One line about a statement that the agent runs for each partition.
std::string ForEachPartition(const std::string& table, const std::string& statement) {
  return absl::StrCat("-- for each partition of ", table, ":\n", WithSemicolon(statement));
}

std::vector<std::string> ConcurrentlySql(const v1::ExecuteSqlConcurrently& action) {
  const std::string table = action.table();
  if (action.effect() == v1::ExecuteSqlConcurrently::EFFECT_REINDEXES) {
    return {action.index().empty()
                ? absl::StrCat("-- for each index of ", table, ":\nREINDEX INDEX CONCURRENTLY <index>;")
                : absl::StrCat("REINDEX INDEX CONCURRENTLY ", action.index(), ";")};
  }
  if (!action.has_partitioned()) return {WithSemicolon(action.statement())};
  const v1::PartitionedIndex& index = action.partitioned();
  // CREATE INDEX takes no schema: the index goes to that of its table.
  const auto parsed = sql::ParseTableName(action.index());
  const std::string name = parsed.ok() ? sql::Ident(parsed->name) : action.index();
  const char* unique = index.unique() ? "UNIQUE " : "";
  if (action.effect() == v1::ExecuteSqlConcurrently::EFFECT_DROPS) {
    return {absl::StrCat("-- in a transaction, with the indexes of all partitions:\nDROP INDEX ",
                         action.index(), ";")};
  }
  return {
      index.constraint().empty()
          ? absl::StrCat("CREATE ", unique, "INDEX ", name, " ON ONLY ", table, " ", index.definition(), ";")
          : absl::StrCat("ALTER TABLE ONLY ", table, " ADD CONSTRAINT ", action.index(), " ",
                         index.constraint(), ";"),
      ForEachPartition(table, absl::StrCat("CREATE ", unique, "INDEX CONCURRENTLY <index> ON <partition> ",
                                           index.definition())),
      ForEachPartition(table, absl::StrCat("ALTER INDEX ", action.index(), " ATTACH PARTITION <index>"))};
}

std::vector<std::string> VerifySql(const v1::Verify& verify) {
  std::vector<std::string> statements;
  for (const v1::TriggerCheck& check : verify.triggers()) {
    statements.push_back(absl::StrCat("-- must exist on ", Printable(check.table()), " and fire always: ",
                                      Printable(absl::StrJoin(check.triggers(), ", "))));
  }
  for (const v1::Check& check : verify.checks()) {
    statements.push_back(absl::StrCat("-- must be 0: ", Printable(check.description()), "\n",
                                      WithSemicolon(check.count_query())));
  }
  for (const v1::RowScan& scan : verify.scans()) {
    for (const v1::RowCheck& check : scan.checks()) {
      statements.push_back(absl::StrCat("-- must be 0: ", Printable(check.description()),
                                        "\nSELECT count(*) FROM ", scan.table(), " AS t WHERE ",
                                        check.violation(), ";"));
    }
  }
  for (const v1::Measurement& measurement : verify.unchanged()) {
    statements.push_back(absl::StrCat("-- must be as it was noted: ", Printable(measurement.description()),
                                      "\n", WithSemicolon(measurement.query())));
  }
  for (const v1::Expectation& expectation : verify.expectations()) {
    statements.push_back(
        absl::StrCat("-- must be ", expectation.has_expect() ? Printable(expectation.expect()) : "NULL", ": ",
                     Printable(expectation.name()), "\n", WithSemicolon(expectation.query())));
  }
  return statements;
}

std::vector<std::string> BackupText(const v1::Backup& backup) {
  switch (backup.kind_case()) {
    case v1::Backup::kDump:
      return {absl::StrCat("-- pg_dump to the agent's backup folder, of:\n-- ",
                           Printable(absl::StrJoin(backup.dump().tables(), ", ")))};
    case v1::Backup::kRestorePoint:
      return {"SELECT pg_create_restore_point(<name of the run>);"};
    case v1::Backup::kArchive:
      return {absl::StrCat("-- pg_stat_archiver: the newest segment was archived no longer ago than ",
                           ShortDuration(base::FromProto(backup.archive().within())),
                           ", and none has failed since")};
    case v1::Backup::kCommand:
      return {absl::StrCat("-- the agent's own command \"", Printable(backup.command().name()),
                           "\", by its name")};
    case v1::Backup::KIND_NOT_SET:
      break;
  }
  return {};
}

std::vector<std::string> MeasureSql(const v1::Measure& measure) {
  std::vector<std::string> statements;
  for (const v1::Measurement& measurement : measure.measurements()) {
    statements.push_back(
        absl::StrCat("-- noted, to be compared later: ", Printable(measurement.description()), "\n",
                     WithSemicolon(measurement.query())));
  }
  return statements;
}

std::vector<std::string> AnalyzeSql(const v1::Analyze& analyze) {
  if (analyze.vacuum()) return {absl::StrCat("VACUUM (ANALYZE) ", analyze.table(), ";")};
  if (analyze.vacuum_if_bloated()) {
    return {
        absl::StrCat("ANALYZE ", analyze.table(), ";\n-- with VACUUM where a fifth of the rows are dead")};
  }
  return {absl::StrCat("ANALYZE ", analyze.table(), ";")};
}

std::vector<std::string> WaitText(const v1::Wait& wait) {
  switch (wait.condition_case()) {
    case v1::Wait::kShapeUnused: {
      std::vector<std::string> columns;
      for (const v1::ShapeUse& use : wait.shape_unused().uses()) {
        columns.push_back(use.column().empty() ? use.table()
                                               : absl::StrCat(use.table(), ".", sql::Ident(use.column())));
      }
      const std::string quiet = wait.shape_unused().has_quiet()
                                    ? ShortDuration(base::FromProto(wait.shape_unused().quiet()))
                                    : "10s";
      std::vector<std::string> lines = {absl::StrCat("-- waits until no session was seen using the ",
                                                     wait.shape_unused().shape(), " shape for ", quiet,
                                                     ":\n-- ", absl::StrJoin(columns, ", "))};
      if (!wait.shape_unused().counters().empty()) {
        lines.push_back(absl::StrCat("-- and none of these has moved, which writes of it advance:\n-- ",
                                     absl::StrJoin(wait.shape_unused().counters(), ", ")));
      }
      return lines;
    }
    case v1::Wait::CONDITION_NOT_SET:
      break;
  }
  return {};
}

}  // namespace

std::vector<std::string> WrapSql(absl::string_view sql, int width) {
  const std::vector<At> at = Scan(sql);
  std::vector<std::string> lines;
  size_t offset = 0;
  for (absl::string_view line : absl::StrSplit(sql, '\n')) {
    WrapLine(line, at, offset, width, lines);
    offset += line.size() + 1;
  }
  return lines;
}

std::vector<std::string> ActionSql(const v1::Action& action) {
  std::vector<std::string> statements;
  const auto add_all = [&](const auto& list) {
    for (const std::string& statement : list) statements.push_back(WithSemicolon(statement));
  };
  switch (action.kind_case()) {
    case v1::Action::kExecuteSql:
      for (const v1::PartitionStatement& statement : action.execute_sql().each_partition().statements()) {
        statements.push_back(
            ForEachPartition(action.execute_sql().each_partition().table(),
                             absl::StrCat(statement.before(), "<partition>", statement.after())));
      }
      add_all(action.execute_sql().statements());
      break;
    case v1::Action::kExecuteSqlConcurrently:
      return ConcurrentlySql(action.execute_sql_concurrently());
    case v1::Action::kInstallTrigger:
      add_all(action.install_trigger().statements());
      break;
    case v1::Action::kBackfill:
      return BackfillSql(action.backfill());
    case v1::Action::kValidateConstraint: {
      const v1::ValidateConstraint& validate = action.validate_constraint();
      const std::string constraint = sql::Ident(validate.constraint());
      if (validate.each_partition()) {
        return {ForEachPartition(validate.table(),
                                 absl::StrCat("ALTER TABLE <partition> VALIDATE CONSTRAINT ", constraint))};
      }
      return {absl::StrCat("ALTER TABLE ", validate.table(), " VALIDATE CONSTRAINT ", constraint, ";")};
    }
    case v1::Action::kTransformRows:
      return TransformSql(action.transform_rows());
    case v1::Action::kVerify:
      return VerifySql(action.verify());
    case v1::Action::kAnalyze:
      return AnalyzeSql(action.analyze());
    case v1::Action::kWait:
      return WaitText(action.wait());
    case v1::Action::kBackup:
      return BackupText(action.backup());
    case v1::Action::kMeasure:
      return MeasureSql(action.measure());
    case v1::Action::KIND_NOT_SET:
      break;
  }
  return statements;
}

}  // namespace curlew::cli
