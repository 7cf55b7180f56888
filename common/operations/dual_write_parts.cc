#include "common/operations/dual_write_parts.h"

#include <algorithm>
#include <set>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/operations/dual_write.h"
#include "common/operations/operation.h"
#include "common/schema/schema.h"

namespace curlew::operations {

using sql::SqlText;
using sql::TableName;

SqlText Quoted(const SqlText& text) {
  std::string tag = "$curlew$";
  while (absl::StrContains(text.str(), tag)) tag.insert(tag.size() - 1, "_");
  return SqlText::Verified(absl::StrCat(tag, text.str(), tag));
}

SqlText Same(const SqlText& a, const SqlText& b, bool has_equality) {
  if (has_equality) return {a, " IS NOT DISTINCT FROM ", b};
  // Compares the images of two records; works for types without an equality operator, and with NULL.
  return {"ROW(", a, ")::record OPERATOR(pg_catalog.*=) ROW(", b, ")::record"};
}

SqlText Changed(absl::string_view column, absl::string_view type, absl::string_view collation) {
  const SqlText name = SqlText::Name(column);
  if (EqualMeansSame(type, collation)) return {"OLD.", name, " IS DISTINCT FROM NEW.", name};
  return {"ROW(OLD.", name, ")::record OPERATOR(pg_catalog.*<>) ROW(NEW.", name, ")::record"};
}

SqlText Join(const std::vector<SqlText>& parts, absl::string_view separator) {
  std::vector<std::string> texts;
  for (const SqlText& part : parts) texts.push_back(part.str());
  return SqlText::Verified(absl::StrJoin(texts, separator));
}

SqlText NullIn(const Link& link, absl::string_view row) {
  std::vector<SqlText> parts;
  for (const NewColumn& column : link.to) {
    parts.push_back(IsNull({SqlText::Verified(std::string(row)), ".", SqlText::Name(column.name)}));
  }
  return parts.size() == 1 ? parts[0] : SqlText{"(", Join(parts, " OR "), ")"};
}

std::string LabelOf(const Link& link, const NewColumn& column) {
  return link.hidden ? absl::StrCat("the new ", sql::Ident(link.from[0].column.name()))
                     : sql::Ident(column.name);
}

bool EqualMeansSame(absl::string_view type, absl::string_view collation) {
  static const auto* const types = new std::set<std::string>{"boolean",
                                                             "smallint",
                                                             "integer",
                                                             "bigint",
                                                             "oid",
                                                             "uuid",
                                                             "text",
                                                             "bytea",
                                                             "date",
                                                             "timestamp without time zone",
                                                             "timestamp with time zone",
                                                             "timestamptz",
                                                             "timestamp",
                                                             "int",
                                                             "int4",
                                                             "int8",
                                                             "int2",
                                                             "bool"};
  if (!collation.empty()) return false;
  return types->count(std::string(type)) > 0 || absl::StartsWith(type, "character varying") ||
         absl::StartsWith(type, "varchar");
}

SqlText Assign(const v1::Table& table, const SqlText& place, absl::string_view column,
               const sql::Expression& expression, const char* which) {
  const SqlText assignment = {place, " := ", expression.Qualified("NEW"), ";"};
  // A bare column cannot fail and is spared the subtransaction that an EXCEPTION block costs.
  if (expression.IsColumn()) return assignment;
  const bool has_key = std::any_of(table.constraints().begin(), table.constraints().end(),
                                   [](const auto& c) { return c.type() == v1::CONSTRAINT_TYPE_PRIMARY_KEY; });
  const SqlText key = has_key ? SqlText{"COALESCE(", RowKey(table, "NEW"), ", '')"}
                              : SqlText::String(sql::Ident(table.name()) + " (a row without a primary key)");
  const std::string message = absl::StrCat("curlew: cannot compute ", schema::NameOf(table).Quoted(), ".",
                                           sql::Ident(column), " with `", which, "` for row ");
  return {"BEGIN ",
          assignment,
          " EXCEPTION WHEN OTHERS THEN RAISE EXCEPTION USING ERRCODE = SQLSTATE, MESSAGE = ",
          SqlText::String(message),
          " || ",
          key,
          " || ': ' || SQLERRM, DETAIL = ",
          SqlText::String(absl::StrCat(which, ": ", expression.text())),
          ", HINT = 'Write a value that the expression takes, or roll the rollout back.'; END;"};
}

SqlText CreateTriggerFunction(absl::string_view function, const v1::Table& table, const SqlText& body) {
  SqlText create = {"CREATE OR REPLACE FUNCTION ", SqlText::Verified(std::string(function)),
                    "() RETURNS trigger LANGUAGE plpgsql SECURITY INVOKER SET search_path = ",
                    SqlText::Verified(SearchPath(table))};
  // The body is read in the application's session, where '\\d' may mean something else.
  if (absl::StrContains(body.str(), '\\')) create.Append({" SET standard_conforming_strings = on"});
  return create.Append({" AS ", Quoted(body)});
}

SqlText CreateRowTrigger(absl::string_view trigger, const char* event, const TableName& table,
                         const SqlText& when, absl::string_view function) {
  SqlText create = {
      "CREATE TRIGGER ",    SqlText::Name(trigger), " BEFORE ", SqlText::Verified(event), " ON ",
      SqlText::Name(table), " FOR EACH ROW "};
  if (!when.empty()) create.Append({"WHEN (", when, ") "});
  create.Append({"EXECUTE FUNCTION ", SqlText::Verified(std::string(function)), "()"});
  return create;
}

void AppendNoChildrenPreflight(const v1::Table& table, StepList* steps) {
  // A partitioned table's triggers are its partitions' too; one that others inherit from keeps its own.
  if (table.kind() == v1::TABLE_KIND_PARTITIONED) return;
  const std::string name = schema::NameOf(table).Quoted();
  AppendCataloguePreflight(
      table, absl::StrCat("no table inherits from ", name, ", whose triggers would not see its rows"),
      {"SELECT count(*) FROM pg_catalog.pg_inherits WHERE inhparent = ", SqlText::String(name),
       "::pg_catalog.regclass"},
      "Take the children out (ALTER TABLE ... NO INHERIT) or make them partitions, then resume the rollout.",
      steps);
}

v1::RowScan* SetRowScan(const v1::Table& table, const std::string& description, const v1::Backfill& fill,
                        v1::Step* step) {
  step->set_scans(true);
  AddLock(step, schema::NameOf(table), kAccessShare);
  v1::Verify* verify = step->mutable_action()->mutable_verify();
  verify->set_search_path(SearchPath(table));
  v1::RowScan* scan = verify->add_scans();
  scan->set_table(schema::NameOf(table).Quoted());
  scan->set_key(RowKey(table, "t").str());
  *scan->mutable_repair() = fill;
  v1::RowCheck* pending = scan->add_checks();
  pending->set_description(description);
  pending->set_violation(fill.pending());
  pending->set_hint(
      "Something writes rows past the triggers (session_replication_role, a disabled trigger). Stop it, then "
      "resume the rollout: what is pending is filled.");
  pending->set_pending(true);
  return scan;
}

void AppendAnalyzeAfterWalk(const v1::Table& table, v1::Phase phase, StepList* steps) {
  v1::Step* analyze =
      steps->Add(phase, absl::StrCat("refresh planner statistics of ", sql::Ident(table.name()),
                                     ", and vacuum it where many rows are dead"));
  v1::Analyze* action = analyze->mutable_action()->mutable_analyze();
  action->set_table(schema::NameOf(table).Quoted());
  action->set_vacuum_if_bloated(true);
  AddLock(analyze, schema::NameOf(table), kShareUpdateExclusive);
}

}  // namespace curlew::operations
