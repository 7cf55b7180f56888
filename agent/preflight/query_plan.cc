#include <set>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "agent/preflight/looks.h"
#include "common/base/status_macros.h"
#include "common/pg/error.h"
#include "common/sql/identifier.h"
#include "google/protobuf/struct.pb.h"
#include "google/protobuf/util/json_util.h"

namespace curlew::agent {
namespace {

// A query as a step will run it, or one that reads the same rows in the same way.
struct Query {
  std::string step;
  std::string what;
  std::string sql;
  std::string search_path;
};

std::vector<Query> QueriesOf(const v1::CompiledPlan& plan) {
  std::vector<Query> queries;
  for (const v1::Step& step : plan.steps()) {
    // What says that it reads whole tables is known to.
    if (step.scans()) continue;
    const v1::Action& action = step.action();
    for (const v1::Check& check : action.verify().checks())
      queries.push_back(
          {step.key(), check.description(), check.count_query(), action.verify().search_path()});
    for (const v1::Expectation& expectation : action.verify().expectations())
      queries.push_back({step.key(), expectation.name(), expectation.query(), action.verify().search_path()});
    for (const v1::Measurement& measurement : action.verify().unchanged())
      queries.push_back({step.key(), measurement.name(), measurement.query(), action.verify().search_path()});
    for (const v1::Measurement& measurement : action.measure().measurements())
      queries.push_back({step.key(), measurement.name(), measurement.query(), ""});
    if (action.has_transform_rows()) {
      // One range of the walk.
      const v1::TransformRows& rows = action.transform_rows();
      const std::string condition = rows.condition().empty() ? "true" : rows.condition();
      const std::string key = absl::StrJoin(
          rows.key(), ", ",
          [](std::string* out, const std::string& column) { absl::StrAppend(out, "t.", column); });
      queries.push_back({step.key(), "its walk by key",
                         absl::StrCat("SELECT t.* FROM ", rows.table(), " AS t WHERE (", condition,
                                      ") ORDER BY ", key, " LIMIT 1000"),
                         rows.search_path()});
    }
    if (action.has_backfill()) {
      const v1::Backfill& fill = action.backfill();
      queries.push_back({step.key(), "its walk by ctid",
                         absl::StrCat("SELECT t.ctid FROM ", fill.table(),
                                      " AS t WHERE t.ctid >= '(0,0)'::tid AND t.ctid < '(100,0)'::tid AND (",
                                      fill.pending().empty() ? "true" : fill.pending(), ")"),
                         fill.search_path()});
    }
  }
  return queries;
}

// Adds the tables of which a plan reads every row, qualified and quoted.
void CollectScans(const google::protobuf::Value& value, std::set<std::string>* tables) {
  if (value.has_list_value()) {
    for (const google::protobuf::Value& entry : value.list_value().values()) CollectScans(entry, tables);
    return;
  }
  if (!value.has_struct_value()) return;
  const auto& fields = value.struct_value().fields();
  const auto text = [&](const char* name) {
    const auto field = fields.find(name);
    return field == fields.end() ? std::string() : field->second.string_value();
  };
  if (text("Node Type") == "Seq Scan")
    tables->insert(sql::TableName{text("Schema"), text("Relation Name")}.Quoted());
  for (const auto& [name, field] : fields) CollectScans(field, tables);
}

// Nothing where the query names what is not there yet.
absl::StatusOr<std::set<std::string>> ScannedBy(const Look& look, const Query& query) {
  RETURN_IF_ERROR(look.connection->Execute("SAVEPOINT query").status());
  absl::StatusOr<pg::Result> plan = pg::Result();
  if (!query.search_path.empty())
    plan = look.connection->Execute(absl::StrCat("SET LOCAL search_path = ", query.search_path));
  if (plan.ok()) plan = look.connection->Execute(absl::StrCat("EXPLAIN (FORMAT JSON, VERBOSE) ", query.sql));
  RETURN_IF_ERROR(look.connection->Execute("ROLLBACK TO SAVEPOINT query; RELEASE SAVEPOINT query").status());
  std::set<std::string> tables;
  if (!plan.ok()) {
    if (absl::IsCancelled(plan.status()) || pg::BlameFor(plan.status()) == pg::Blame::kWorld)
      return plan.status();
    return tables;
  }
  std::string json;
  for (int64_t row = 0; row < plan->size(); ++row) absl::StrAppend(&json, plan->Text(row, 0), "\n");
  google::protobuf::Value root;
  if (const auto parsed = google::protobuf::util::JsonStringToMessage(json, &root); !parsed.ok())
    return absl::InternalError("the server's EXPLAIN is not to be read");
  CollectScans(root, &tables);
  return tables;
}

}  // namespace

absl::Status LookAtPlans(const Look& look, Findings* findings) {
  const PreflightLimits& limits = look.options.limits;
  std::set<std::string> told;
  for (const Query& query : QueriesOf(look.plan)) {
    RETURN_IF_ERROR(look.cancel.Check());
    if (!told.insert(absl::StrCat(query.search_path, "\n", query.sql)).second) continue;
    ASSIGN_OR_RETURN(const std::set<std::string> scanned, ScannedBy(look, query));
    if (scanned.empty()) continue;
    ASSIGN_OR_RETURN(const auto facts, ReadTableFacts(look.connection, {scanned.begin(), scanned.end()}));
    int64_t bytes = 0, rows = 0;
    std::string largest;
    int64_t largest_bytes = -1;
    for (const auto& [name, fact] : facts) {
      bytes += fact.heap_bytes;
      rows += fact.rows;
      if (fact.heap_bytes <= largest_bytes) continue;
      largest = name;
      largest_bytes = fact.heap_bytes;
    }
    if (bytes <= limits.big_bytes && rows <= limits.big_rows) continue;
    findings->Warning(absl::StrCat("step ", query.step, " (", query.what, ") reads every row of ",
                                   absl::StrJoin(scanned, ", "), ": ", Bytes(bytes), ", about ", rows,
                                   " rows, by the server's plan of this moment"),
                      "give it an index to read by, or narrow the query (where); look at EXPLAIN", largest);
  }
  return absl::OkStatus();
}

}  // namespace curlew::agent
