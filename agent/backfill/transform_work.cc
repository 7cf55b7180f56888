#include "agent/backfill/transform_work.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "agent/attempt/row_finder.h"
#include "agent/backfill/key_walker.h"
#include "common/base/fault_point.h"
#include "common/base/status_macros.h"
#include "common/sql/batch_write.h"
#include "common/sql/subject.h"

namespace curlew::agent {
namespace {

// Each becomes a range in the journal, and a transaction of its own.
constexpr int64_t kMostSkipped = 1000;

constexpr char kColumns[] =
    "SELECT 't.' || quote_ident(attname) FROM pg_attribute"
    " WHERE attrelid = to_regclass($1) AND attnum > 0 AND NOT attisdropped ORDER BY attnum";

}  // namespace

absl::StatusOr<std::unique_ptr<TransformWork>> TransformWork::Make(pg::Connection* connection,
                                                                   const v1::TransformRows& action) {
  ASSIGN_OR_RETURN(const sql::BatchWrite write, sql::ParseBatchWrite(action.statement()));
  ASSIGN_OR_RETURN(const pg::Result rows, connection->Execute(kColumns, {action.table()}));
  if (rows.empty()) return absl::NotFoundError(absl::StrCat("table ", action.table(), " does not exist"));
  std::vector<std::string> columns;
  for (int64_t i = 0; i < rows.size(); ++i) columns.push_back(rows.Text(i, 0));
  // Foreign keys that refer to a row hold it against its deletion only.
  const bool deletes = write.deletes && write.target.Quoted() == action.table();
  return std::unique_ptr<TransformWork>(
      new TransformWork(action, std::move(columns), deletes ? "UPDATE" : "NO KEY UPDATE"));
}

TransformWork::TransformWork(const v1::TransformRows& action, std::vector<std::string> columns,
                             std::string row_lock)
    : action_(action), columns_(absl::StrJoin(columns, ", ")), row_lock_(std::move(row_lock)) {}

std::vector<std::string> TransformWork::others() const {
  const absl::StatusOr<sql::Subject> subject = sql::SubjectOf(action_.statement());
  if (!subject.ok()) return {};
  std::vector<std::string> tables = {subject->name.Quoted()};
  for (const sql::TableName& table : subject->others) tables.push_back(table.Quoted());
  return tables;
}

bool TransformWork::names_curlew() const {
  const absl::StatusOr<sql::Subject> subject = sql::SubjectOf(action_.statement());
  return subject.ok() && subject->names_curlew;
}

// The planner believes that a range of a key of several columns is a large part of the table.
std::string TransformWork::Setup() const { return "SET LOCAL jit = off; SET LOCAL enable_seqscan = off"; }

std::string TransformWork::Statement(const Leaf& leaf, const std::string& array) const {
  // OFFSET 0 has each row fetched from its place: a join may be planned as a scan of the table. The planner
  // knows how many rows there are from the array.
  return absl::StrCat("WITH batch AS (SELECT t.* FROM pg_catalog.unnest(", array,
                      "::pg_catalog.tid[]) AS l (place) CROSS JOIN LATERAL (SELECT ", columns_, " FROM ONLY ",
                      leaf.name, " AS t WHERE t.ctid = l.place OFFSET 0) AS t)\n", action_.statement());
}

absl::StatusOr<Written> TransformWork::Write(FencedTransaction& transaction, const Leaf& leaf,
                                             const Walker& walker, const std::string& condition,
                                             RowLocks) const {
  // What the plan's condition cannot be asked of (rows beyond the part, or quarantined) it is not asked of.
  const std::string where =
      action_.condition().empty()
          ? condition
          : absl::StrCat(condition, " AND CASE WHEN ", condition, " THEN (", action_.condition(), ") END");
  const std::string from = absl::StrCat(" FROM ONLY ", leaf.name, " AS t WHERE ", where);
  // Places are those of the versions that were locked, which nobody can replace before this transaction ends.
  ASSIGN_OR_RETURN(
      const pg::Result locked,
      transaction.Execute(absl::StrCat("SELECT count(*), array_agg(l.place) FROM (SELECT t.ctid", " AS place",
                                       from, " FOR ", row_lock_, " SKIP LOCKED) AS l")));
  base::FaultPoint("transform.after_lock");
  Written written{.rows = locked.Int(0, 0)};
  const std::string places = locked.Text(0, 1);
  ASSIGN_OR_RETURN(const pg::Result there, transaction.Execute(absl::StrCat("SELECT count(*)", from)));
  if (there.Int(0, 0) != written.rows) {
    if (written.rows == 0) return Written{.locked = true};
    const auto& key = static_cast<const KeyWalker&>(walker);
    ASSIGN_OR_RETURN(
        const pg::Result rest,
        transaction.Execute(absl::StrCat("SELECT ", key.place_sql(), from,
                                         " AND t.ctid <> ALL ($1::tid[]) LIMIT ", kMostSkipped + 1),
                            {places}));
    if (rest.size() > kMostSkipped) return Written{.locked = true};
    for (int64_t i = 0; i < rest.size(); ++i) written.skipped.push_back(rest.Text(i, 0));
  }
  if (written.rows == 0) {
    // What fails without a row fails; nothing is done for nothing, by an aggregate over no rows, say.
    RETURN_IF_ERROR(transaction.Execute(absl::StrCat("EXPLAIN ", Statement(leaf, "'{}'"))).status());
    return written;
  }
  RETURN_IF_ERROR(transaction.Execute("SET LOCAL enable_seqscan TO DEFAULT").status());
  RETURN_IF_ERROR(transaction.Execute(Statement(leaf, "$1"), {places}).status());
  return written;
}

absl::StatusOr<std::string> TransformWork::Culprit(pg::Connection* connection, const Leaf& leaf,
                                                   const std::string& condition, std::string* verb) const {
  *verb = "written";
  if (!action_.condition().empty()) {
    const std::string setup =
        action_.search_path().empty() ? "" : absl::StrCat("SET LOCAL search_path = ", action_.search_path());
    ASSIGN_OR_RETURN(const int failing,
                     FailingExpression(connection, setup, leaf, condition, {action_.condition()}));
    if (failing == 0) return std::string("the condition on it (where)");
  }
  return std::string("the statement (write)");
}

}  // namespace curlew::agent
