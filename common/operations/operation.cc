#include "common/operations/operation.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/base/status_macros.h"
#include "common/schema/schema.h"

namespace curlew::operations {

using sql::SqlText;
using sql::TableName;

bool CompileContext::Acknowledged(absl::string_view hazard) const {
  return std::find(settings.acknowledge().begin(), settings.acknowledge().end(), hazard) !=
         settings.acknowledge().end();
}

bool CompileContext::ExistsNow(const TableName& table, absl::string_view column) const {
  const v1::Table* found = schema::FindTable(now, table);
  return found != nullptr && schema::FindColumn(*found, column) != nullptr;
}

absl::StatusOr<sql::Expression> CompileContext::Project(const TableName& table,
                                                        absl::string_view column) const {
  if (ExistsNow(table, column)) return sql::Expression::Column(column);
  for (const AddedColumn& add : added) {
    if (add.table == table && add.column == column && add.value.has_value()) return *add.value;
  }
  return absl::FailedPreconditionError(
      absl::StrCat("column ", sql::Ident(column), " of ", table.Quoted(),
                   " is added by this plan without a value for existing rows; give "
                   "it `up` or `default`"));
}

absl::StatusOr<sql::Expression> CompileContext::Project(const TableName& table,
                                                        const sql::Expression& expression) const {
  std::map<std::string, sql::Expression> by;
  for (const std::string& column : expression.columns()) {
    if (ExistsNow(table, column)) continue;
    ASSIGN_OR_RETURN(sql::Expression value, Project(table, column));
    by.emplace(column, std::move(value));
  }
  return by.empty() ? expression : expression.Substitute(by);
}

absl::StatusOr<std::vector<AddedColumn>> Operation::Adds(const v1::Schema&) const {
  return std::vector<AddedColumn>();
}

absl::StatusOr<const v1::Table*> NamedTable(const v1::Schema& schema, absl::string_view name) {
  ASSIGN_OR_RETURN(TableName parsed, sql::ParseTableName(name));
  const v1::Table* table = schema::FindTable(schema, parsed);
  if (table == nullptr) {
    return absl::FailedPreconditionError(
        absl::StrCat("table ", parsed.Quoted(),
                     " does not exist; check the name and its schema (public where "
                     "none is written)"));
  }
  if (table->is_child()) {
    return absl::FailedPreconditionError(
        absl::StrCat("table ", parsed.Quoted(),
                     " is a partition or inherits from another table; name the parent instead"));
  }
  return table;
}

absl::StatusOr<v1::Table*> NamedTable(v1::Schema* schema, absl::string_view name) {
  ASSIGN_OR_RETURN(const v1::Table* table, NamedTable(static_cast<const v1::Schema&>(*schema), name));
  return const_cast<v1::Table*>(table);
}

absl::StatusOr<const v1::Column*> NamedColumn(const v1::Table& table, absl::string_view column) {
  const v1::Column* found = schema::FindColumn(table, column);
  if (found != nullptr) return found;
  std::vector<std::string> names;
  for (const v1::Column& c : table.columns()) names.push_back(sql::Ident(c.name()));
  return absl::FailedPreconditionError(
      absl::StrCat("column ", sql::Ident(column), " of table ", schema::NameOf(table).Quoted(),
                   " does not exist at this point of the plan; there are: ", absl::StrJoin(names, ", ")));
}

absl::StatusOr<v1::Column*> NamedColumn(v1::Table* table, absl::string_view column) {
  ASSIGN_OR_RETURN(const v1::Column* found, NamedColumn(static_cast<const v1::Table&>(*table), column));
  return const_cast<v1::Column*>(found);
}

absl::Status CheckNewColumn(const v1::Table& table, absl::string_view column) {
  for (absl::string_view system : {"tableoid", "xmin", "cmin", "xmax", "cmax", "ctid"}) {
    if (column != system) continue;
    return absl::FailedPreconditionError(
        absl::StrCat(column, " is a system column of every table; choose another name"));
  }
  if (schema::FindColumn(table, column) == nullptr) return absl::OkStatus();
  return absl::FailedPreconditionError(
      absl::StrCat("column ", sql::Ident(column), " of table ", schema::NameOf(table).Quoted(),
                   " exists already; choose another name, or drop the old column in a plan before this one"));
}

absl::Status CheckNewObject(const v1::Table& table, absl::string_view name) {
  if (schema::FindIndex(table, name) == nullptr && schema::FindConstraint(table, name) == nullptr) {
    return absl::OkStatus();
  }
  return absl::FailedPreconditionError(absl::StrCat("table ", schema::NameOf(table).Quoted(),
                                                    " already has an index or constraint named ",
                                                    sql::Ident(name), "; choose another name"));
}

absl::Status CheckColumnsExist(const v1::Table& table, const sql::Expression& expression) {
  for (const std::string& column : expression.columns()) RETURN_IF_ERROR(NamedColumn(table, column).status());
  return absl::OkStatus();
}

absl::Status CheckPublications(const v1::Table& table, const CompileContext& context) {
  if (table.publications().empty() || context.Acknowledged("published-table")) return absl::OkStatus();
  return absl::FailedPreconditionError(absl::StrCat(
      "table ", schema::NameOf(table).Quoted(), " is published by ", sql::Ident(table.publications(0).name()),
      ": a subscriber that lacks the new column would stop replicating. Add the column on every subscriber "
      "first, "
      "then write `settings: {acknowledge: [published-table]}` in the plan"));
}

absl::Status CheckColumnIsFree(const CompileContext& context, const TableName& table,
                               absl::string_view column) {
  if (!context.ExistsNow(table, column)) return absl::OkStatus();
  return absl::FailedPreconditionError(
      absl::StrCat("the name ", sql::Ident(column), " of a column of ", table.Quoted(),
                   " is still in use while the plan runs; free it in a plan before this one"));
}

absl::Status CheckObjectIsFree(const CompileContext& context, const TableName& table,
                               absl::string_view name) {
  const v1::Table* found = schema::FindTable(context.now, table);
  if (found == nullptr || CheckNewObject(*found, name).ok()) return absl::OkStatus();
  return absl::FailedPreconditionError(absl::StrCat(
      "the name ", sql::Ident(name), " of an index or constraint of ", table.Quoted(),
      " is still in use while the plan runs; choose another name, or free it in a plan before this one"));
}

SqlText IsNull(const SqlText& value) { return {value, " IS NOT DISTINCT FROM NULL"}; }
SqlText IsGiven(const SqlText& value) { return {value, " IS DISTINCT FROM NULL"}; }

std::string SearchPath(const v1::Table& table) {
  if (table.schema() == "public") return "pg_catalog, public, pg_temp";
  return absl::StrCat("pg_catalog, ", sql::Ident(table.schema()), ", public, pg_temp");
}

SqlText RowKey(const v1::Table& table, absl::string_view row) {
  const SqlText prefix = SqlText::Verified(std::string(row));
  for (const v1::Constraint& c : table.constraints()) {
    if (c.type() != v1::CONSTRAINT_TYPE_PRIMARY_KEY) continue;
    const std::string label =
        absl::StrCat(sql::Ident(table.name()), " (", SqlText::NameList(c.columns()).str(), ")=(");
    SqlText key = {SqlText::String(label), " || concat_ws(', '"};
    for (const std::string& column : c.columns()) key.Append({", ", prefix, ".", SqlText::Name(column)});
    key.Append({") || ')'"});
    return key;
  }
  return {SqlText::String(sql::Ident(table.name()) + " ctid="), " || ", prefix, ".ctid::text"};
}

void AppendNotNull(const v1::Table& table, absl::string_view column, StepList* steps) {
  const TableName name = schema::NameOf(table);
  const std::string check = sql::HashedName("curlew_nn_", {name.schema, name.name, column});
  const std::string title = absl::StrCat(sql::Ident(table.name()), ".", sql::Ident(column));
  AppendValidated(table, check,
                  {"ALTER TABLE ", SqlText::Name(name), " ADD CONSTRAINT ", SqlText::Name(check), " CHECK (",
                   IsGiven(SqlText::Name(column)), ") NOT VALID"},
                  steps);
  v1::Step* step = steps->Add(v1::PHASE_CONSTRAIN,
                              absl::StrCat("set ", title, " NOT NULL (the CHECK proves it, no scan)"));
  // Two statements: within one ALTER, dropping the CHECK would bring the scan back.
  SetSql(step->mutable_action(),
         {{"ALTER TABLE ", SqlText::Name(name), " ALTER COLUMN ", SqlText::Name(column), " SET NOT NULL"},
          {"ALTER TABLE ", SqlText::Name(name), " DROP CONSTRAINT IF EXISTS ", SqlText::Name(check)}});
  SetSql(step->mutable_undo(),
         {{"ALTER TABLE ", SqlText::Name(name), " ALTER COLUMN ", SqlText::Name(column), " DROP NOT NULL"}});
  AddLock(step, name, kAccessExclusive);
}

absl::Status AppendNotNullPreflight(const CompileContext& context, const v1::Table& table,
                                    absl::string_view column, StepList* steps) {
  const TableName name = schema::NameOf(table);
  ASSIGN_OR_RETURN(sql::Expression value, context.Project(name, column));
  if (value.columns().empty()) return absl::OkStatus();
  const SqlText where = {" FROM ", SqlText::Name(name), " AS t WHERE ", IsNull(value.Qualified("t"))};
  v1::Step* step = steps->AddPreflight(absl::StrCat("check that every row has a value for ",
                                                    sql::Ident(table.name()), ".", sql::Ident(column)));
  v1::Verify* verify = step->mutable_action()->mutable_verify();
  verify->set_search_path(SearchPath(table));
  v1::Check* check = verify->add_checks();
  check->set_description(
      absl::StrCat("every row of ", name.Quoted(), " has a value for ", sql::Ident(column)));
  check->set_count_query(SqlText({"SELECT count(*)", where}).str());
  check->set_key_query(SqlText({"SELECT ", RowKey(table, "t"), where}).str());
  check->set_hint("Give these rows a value, or let `up` give them one, then resume the rollout.");
  check->set_table(name.Quoted());
  check->add_expressions(value.Qualified("t").str());
  AddLock(step, name, kAccessShare);
  return absl::OkStatus();
}

absl::Status AppendUniquePreflight(const CompileContext& context, const v1::Table& table,
                                   absl::string_view name, const std::vector<std::string>& columns,
                                   const std::optional<sql::Expression>& predicate, StepList* steps) {
  const TableName relation = schema::NameOf(table);
  v1::Step* step = steps->AddPreflight(absl::StrCat("check that no rows collide in ", sql::Ident(name)));
  v1::Verify* verify = step->mutable_action()->mutable_verify();
  verify->set_search_path(SearchPath(table));
  v1::Check* check = verify->add_checks();
  SqlText values, where;
  for (const std::string& column : columns) {
    ASSIGN_OR_RETURN(sql::Expression value, context.Project(relation, column));
    const SqlText qualified = value.Qualified("t");
    check->add_expressions(qualified.str());
    if (!values.empty()) values.Append({", "});
    values.Append({qualified});
    if (where.empty()) {
      where.Append({" WHERE "});
    } else {
      where.Append({" AND "});
    }
    where.Append({IsGiven(qualified)});
  }
  if (predicate.has_value()) {
    ASSIGN_OR_RETURN(sql::Expression value, context.Project(relation, *predicate));
    where.Append({" AND ", value.Qualified("t")});
  }
  const SqlText from = {" FROM ", SqlText::Name(relation), " AS t", where};
  check->set_description(absl::StrCat("no two rows of ", relation.Quoted(), " share (",
                                      SqlText::NameList(columns).str(), "), as ", sql::Ident(name),
                                      " demands"));
  check->set_count_query(
      SqlText({"SELECT count(*) FROM (SELECT 1", from, " GROUP BY ", values, " HAVING count(*) > 1) AS d"})
          .str());
  check->set_key_query(
      SqlText({"SELECT k FROM (SELECT ", RowKey(table, "t"), " AS k, count(*) OVER (PARTITION BY ", values,
               ") AS n", from, ") AS d WHERE n > 1"})
          .str());
  check->set_hint("Make these rows differ, or change `up` or the columns, then resume the rollout.");
  check->set_table(relation.Quoted());
  AddLock(step, relation, kAccessShare);
  return absl::OkStatus();
}

void AppendUnique(const v1::Table& table, absl::string_view name, const SqlText& create_index,
                  StepList* steps) {
  const TableName relation = schema::NameOf(table);
  AppendIndex(table, name, create_index, v1::PHASE_CONSTRAIN, steps);
  v1::Step* step = steps->Add(
      v1::PHASE_CONSTRAIN,
      absl::StrCat("make index ", sql::Ident(name), " a UNIQUE constraint of ", sql::Ident(table.name())));
  SetSql(step->mutable_action(), {{"ALTER TABLE ", SqlText::Name(relation), " ADD CONSTRAINT ",
                                   SqlText::Name(name), " UNIQUE USING INDEX ", SqlText::Name(name)}});
  SetSql(step->mutable_undo(),
         {{"ALTER TABLE ", SqlText::Name(relation), " DROP CONSTRAINT IF EXISTS ", SqlText::Name(name)}});
  AddLock(step, relation, kAccessExclusive);
}

void AppendNotValid(const v1::Table& table, absl::string_view name, const SqlText& add, StepList* steps) {
  const TableName relation = schema::NameOf(table);
  v1::Step* step = steps->Add(v1::PHASE_CONSTRAIN, absl::StrCat("add constraint ", sql::Ident(name), " to ",
                                                                sql::Ident(table.name()), ", NOT VALID"));
  SetSql(step->mutable_action(), {add});
  SetSql(step->mutable_undo(),
         {{"ALTER TABLE ", SqlText::Name(relation), " DROP CONSTRAINT IF EXISTS ", SqlText::Name(name)}});
  AddLock(step, relation, kAccessExclusive);
}

void AppendValidated(const v1::Table& table, absl::string_view name, const SqlText& add, StepList* steps) {
  const TableName relation = schema::NameOf(table);
  AppendNotValid(table, name, add, steps);
  v1::Step* validate = steps->Add(v1::PHASE_CONSTRAIN, absl::StrCat("validate constraint ", sql::Ident(name),
                                                                    " of ", sql::Ident(table.name())));
  validate->mutable_action()->mutable_validate_constraint()->set_table(relation.Quoted());
  validate->mutable_action()->mutable_validate_constraint()->set_constraint(std::string(name));
  validate->set_scans(true);
  AddLock(validate, relation, kShareUpdateExclusive);
}

void AppendCataloguePreflight(const v1::Table& table, std::string description, const SqlText& count,
                              absl::string_view hint, StepList* steps) {
  v1::Step* step = steps->AddPreflight(absl::StrCat("check that ", description));
  v1::Verify* verify = step->mutable_action()->mutable_verify();
  verify->set_search_path(SearchPath(table));
  v1::Check* check = verify->add_checks();
  check->set_description(std::move(description));
  check->set_count_query(count.str());
  check->set_hint(std::string(hint));
  AddLock(step, schema::NameOf(table), kAccessShare);
}

void AppendIndexNamePreflight(const v1::Table& table, absl::string_view name, StepList* steps) {
  AppendCataloguePreflight(
      table, absl::StrCat("nothing in schema ", sql::Ident(table.schema()), " is named ", sql::Ident(name)),
      {"SELECT count(*) FROM pg_catalog.pg_class AS c JOIN pg_catalog.pg_namespace AS n ON n.oid = "
       "c.relnamespace "
       "WHERE n.nspname = ",
       SqlText::String(table.schema()), " AND c.relname = ", SqlText::String(name)},
      "Choose another name in the plan, or free this one, then resume the rollout.", steps);
}

void AppendTypePreflight(const CompileContext& context, const v1::Table& table, absl::string_view type,
                         StepList* steps) {
  if (context.Acknowledged("rewrites-table") || sql::IsBuiltInType(type)) return;
  AppendCataloguePreflight(
      table, absl::StrCat("type ", type, " is no domain with constraints, which rewrites the table"),
      {"WITH RECURSIVE d AS (SELECT ", SqlText::String(type),
       "::pg_catalog.regtype::pg_catalog.oid AS oid UNION SELECT t.typbasetype FROM d JOIN "
       "pg_catalog.pg_type AS t ON "
       "t.oid = d.oid WHERE t.typtype = 'd') SELECT count(*) FROM d JOIN pg_catalog.pg_type AS t ON t.oid = "
       "d.oid "
       "WHERE t.typnotnull OR EXISTS (SELECT FROM pg_catalog.pg_constraint AS c WHERE c.contypid = t.oid)"},
      "Use the type below the domain and a CHECK (add_check), or acknowledge rewrites-table in the plan.",
      steps);
}

v1::Step* AppendIndex(const v1::Table& table, absl::string_view name, const SqlText& create, v1::Phase phase,
                      StepList* steps) {
  v1::Step* step = steps->Add(phase, absl::StrCat("build index ", sql::Ident(name), " on ",
                                                  sql::Ident(table.name()), " concurrently"));
  v1::ExecuteSqlConcurrently* action = step->mutable_action()->mutable_execute_sql_concurrently();
  action->set_statement(create.str());
  action->set_index(TableName{table.schema(), std::string(name)}.Quoted());
  action->set_table(schema::NameOf(table).Quoted());
  action->set_creates(true);
  v1::ExecuteSqlConcurrently* undo = step->mutable_undo()->mutable_execute_sql_concurrently();
  undo->set_statement(
      SqlText({"DROP INDEX CONCURRENTLY IF EXISTS ", SqlText::Name(table.schema(), name)}).str());
  undo->set_index(action->index());
  // So that the index of that name on another table is left alone.
  undo->set_table(action->table());
  step->set_scans(true);
  AddLock(step, schema::NameOf(table), kShareUpdateExclusive);
  return step;
}

}  // namespace curlew::operations
