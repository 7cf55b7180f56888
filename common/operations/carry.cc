#include "common/operations/carry.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "common/base/status_macros.h"
#include "common/operations/carry_identity.h"
#include "common/operations/dependents.h"
#include "common/operations/dual_write.h"
#include "common/operations/link_preflight.h"
#include "common/operations/new_column.h"
#include "common/operations/trigger_functions.h"
#include "common/schema/schema.h"

namespace curlew::operations {
namespace {

using sql::SqlText;
using sql::TableName;

absl::Status Check(const CompileContext& context, const v1::Table& table, const v1::Column& from,
                   const Successor& successor, const Succession& succession) {
  const TableName name = schema::NameOf(table);
  const bool keeps_name = successor.name == from.name();
  auto refuse = [&](absl::string_view what, absl::string_view way_out) {
    return absl::FailedPreconditionError(
        absl::StrCat("column ", sql::Ident(from.name()), " of ", name.Quoted(), ": ", what, "; ", way_out));
  };
  if (!context.ExistsNow(name, from.name())) {
    return NeedsLaterStage(absl::StrCat("column ", sql::Ident(from.name()), " of ", name.Quoted(),
                                        " is added by this very plan; give it its final form at once"));
  }
  RETURN_IF_ERROR(CheckColumnIsFree(context, name, successor.to));
  RETURN_IF_ERROR(CheckOnlyNames(successor.up, "up", {from.name()}));
  RETURN_IF_ERROR(CheckOnlyNames(successor.down, "down", {successor.to}));
  if (!from.generated().empty()) {
    return refuse("it is a generated column", "add a generated column of the new form and drop the old one");
  }
  if (!from.identity().empty() &&
      (successor.values == NewValues::kOther || !IsSequenceType(successor.type))) {
    return refuse(
        "it is an identity column, whose sequence gives other values",
        "take the identity away first (ALTER TABLE ... DROP IDENTITY), in a `sql` operation of an earlier "
        "plan");
  }
  RETURN_IF_ERROR(CheckPublications(table, context));
  RETURN_IF_ERROR(CheckNothingFixed(table, from, keeps_name ? PrimaryKey::kCarried : PrimaryKey::kRefused));
  RETURN_IF_ERROR(CheckDiscard(table, from, successor.discard));
  RETURN_IF_ERROR(CheckTriggersSortFirst(table));
  return CheckTwins(context, succession, successor.way_out);
}

SqlText Grant(const v1::Privilege& grant, const SqlText& relation, const SqlText& column) {
  SqlText text = {"GRANT ", SqlText::Verified(grant.privilege()),
                  " (",     column,
                  ") ON ",  relation,
                  " TO ",   grant.grantee().empty() ? SqlText{"PUBLIC"} : SqlText::Name(grant.grantee())};
  if (grant.grantable()) text.Append({" WITH GRANT OPTION"});
  return text;
}

void AppendAdd(const v1::Table& table, const v1::Column& from, const Successor& successor, TableWork* work) {
  const SqlText relation = SqlText::Name(schema::NameOf(table)), to = SqlText::Name(successor.to);
  SqlText add = {"ADD COLUMN ", to, " ", SqlText::Verified(successor.type)};
  if (!successor.collation.empty()) add.Append({" COLLATE ", SqlText::Verified(successor.collation)});
  work->add_clauses.push_back(add);
  work->added.push_back(successor.to);
  const std::string label = absl::StrCat(sql::Ident(table.name()), ".", sql::Ident(successor.name));
  work->add_titles.push_back(
      successor.name == from.name()
          ? absl::StrCat("add a hidden column for ", label,
                         successor.makes_type ? "" : absl::StrCat(" as ", successor.type))
          : absl::StrCat("add column ", label, " (", successor.type, ")"));
  std::vector<SqlText>& statements = work->after_add;
  if (from.statistics_target() >= 0) {
    statements.push_back({"ALTER TABLE ", relation, " ALTER COLUMN ", to, " SET STATISTICS ",
                          SqlText::Verified(absl::StrCat(from.statistics_target()))});
  }
  if (!from.comment().empty()) {
    statements.push_back({"COMMENT ON COLUMN ", relation, ".", to, " IS ", SqlText::String(from.comment())});
  }
  for (const v1::Privilege& grant : from.grants()) statements.push_back(Grant(grant, relation, to));
}

// PostgreSQL leaves the names that indexes have for the column. Parts of an index are renamed with it.
SqlText RenameInIndexes(const TableName& table, const Successor& successor) {
  const SqlText relation = {SqlText::String(table.Quoted()), "::pg_catalog.regclass"};
  return DoBlock(
      {"\nDECLARE\n  found record;\nBEGIN\n"
       "  FOR found IN SELECT i.indexrelid::pg_catalog.regclass AS index, a.attname, a.attnum, ",
       SqlText::String(successor.name),
       // A column that stands in an index twice has a number after its name there.
       " || substr(a.attname, length(", SqlText::String(successor.to),
       ") + 1) AS name\n      FROM pg_catalog.pg_index AS i JOIN pg_catalog.pg_attribute AS a ON a.attrelid "
       "= "
       "i.indexrelid\n      JOIN pg_catalog.pg_class AS c ON c.oid = i.indexrelid AND NOT c.relispartition\n"
       "      WHERE a.attname ~ ",
       SqlText::String(absl::StrCat("^", successor.to, "[0-9]*$")), " AND i.indrelid IN (SELECT ", relation,
       " UNION SELECT relid FROM pg_catalog.pg_partition_tree(", relation,
       ")) LOOP\n    EXECUTE pg_catalog.format('ALTER TABLE %s RENAME COLUMN %I TO %I', found.index, "
       "found.attname,\n      CASE WHEN octet_length(found.name) < 64 THEN found.name ELSE 'column_' || "
       "found.attnum "
       "END);\n  END LOOP;\nEND\n"});
}

// The part of the finishing transaction that stands before the twins get their names.
void AppendFinish(const v1::Table& table, const v1::Column& from, const Successor& successor,
                  TableWork* work) {
  const SqlText relation = SqlText::Name(schema::NameOf(table)), to = SqlText::Name(successor.to);
  const std::string label = absl::StrCat(sql::Ident(table.name()), ".", sql::Ident(from.name()));
  const bool keeps_name = successor.name == from.name();
  work->finish_titles.push_back(keeps_name ? (successor.makes_type
                                                  ? absl::StrCat("give ", label, " its new type")
                                                  : absl::StrCat("make ", label, " ", successor.type))
                                           : absl::StrCat("drop column ", label));
  if (!from.owned_sequence().empty()) {
    const SqlText sequence = SqlText::Verified(from.owned_sequence());
    work->before_finish.push_back({"ALTER SEQUENCE ", sequence, " OWNED BY ", relation, ".", to});
    // Or the numbers would end with those of the old type.
    if (successor.type != from.type() && IsSequenceType(successor.type)) {
      work->before_finish.push_back({"ALTER SEQUENCE ", sequence, " AS ", SqlText::Verified(successor.type)});
    }
  }
  if (!from.identity().empty()) work->before_finish.push_back(MoveIdentity(table, from, successor.to));
  work->finish_clauses.push_back({"DROP COLUMN ", SqlText::Name(from.name())});
  if (!successor.default_value.empty()) {
    work->finish_clauses.push_back(
        {"ALTER COLUMN ", to, " SET DEFAULT ", SqlText::Verified(successor.default_value)});
  }
  if (keeps_name) {
    work->after_finish.push_back(
        {"ALTER TABLE ", relation, " RENAME COLUMN ", to, " TO ", SqlText::Name(successor.name)});
    for (const SqlText& statement : RecompileTriggerFunctions(table)) work->after_finish.push_back(statement);
    const bool indexed =
        std::any_of(table.indexes().begin(), table.indexes().end(),
                    [&](const v1::Index& index) { return Holds(index.columns(), from.name()); });
    if (indexed) work->after_finish.push_back(RenameInIndexes(schema::NameOf(table), successor));
  }
  AppendReferencedLocks(table, from.name(), work);
}

}  // namespace

bool HasEquality(absl::string_view type) {
  const auto column = MakeColumn("c", type, "");
  return !column.ok() || column->has_equality();
}

absl::StatusOr<std::string> CarryDefault(const v1::Column& from, const sql::Expression& up) {
  if (from.default_().empty() || up.IsColumn()) return from.default_();
  ASSIGN_OR_RETURN(sql::Expression value, sql::Expression::Parse(from.default_()));
  ASSIGN_OR_RETURN(sql::Expression carried, up.Substitute({{from.name(), value}}));
  return carried.text();
}

absl::Status AppendCarry(const CompileContext& context, const v1::Table& table, const v1::Column& from,
                         const Successor& successor, StepList* steps) {
  const TableName name = schema::NameOf(table);
  const Succession succession{.table = table,
                              .from = from,
                              .to = successor.to,
                              .name = successor.name,
                              .type = successor.type,
                              .has_equality = successor.has_equality,
                              .values = successor.values,
                              .discard = successor.discard};
  RETURN_IF_ERROR(Check(context, table, from, successor, succession));
  const bool keeps_name = successor.name == from.name();
  const v1::Table* end = schema::FindTable(context.after, name);
  const v1::Column* in_the_end = end == nullptr ? nullptr : schema::FindColumn(*end, successor.name);

  AppendPartitionsPreflight(table, from.name(), steps);
  if (keeps_name) AppendTriggerFunctionsPreflight(table, steps);
  if (!successor.makes_type) AppendTypePreflight(context, table, successor.type, steps);
  const Link link = {.to = {{.name = successor.to,
                             .type = successor.type,
                             .collation = successor.collation,
                             .has_equality = successor.has_equality,
                             .up = successor.up,
                             .not_null = from.not_null() ||
                                         (!keeps_name && in_the_end != nullptr && in_the_end->not_null())}},
                     .from = {{.column = from, .down = successor.down}},
                     .hidden = keeps_name};
  if (!successor.makes_type) AppendLinkPreflight(context, table, link, steps);

  TableWork* work = steps->Work(table);
  AppendAdd(table, from, successor, work);
  work->links.push_back(link);
  AppendFinish(table, from, successor, work);
  if (from.not_null()) AppendNotNull(table, successor.to, steps);
  RETURN_IF_ERROR(AppendTwins(context, succession, steps));
  if (!keeps_name) {
    steps->NewShape(name, successor.to);
    steps->OldShape(name, from.name());
  }
  steps->Warn(
      absl::StrCat("sessions with a prepared SELECT * on ", name.Quoted(),
                   " will see \"cached plan must not change result type\" once; name columns instead"));
  return absl::OkStatus();
}

}  // namespace curlew::operations
