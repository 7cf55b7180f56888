#include "common/operations/operation.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/base/error_detail.h"
#include "common/base/status_macros.h"
#include "common/schema/schema.h"

namespace curlew::operations {

using sql::SqlText;
using sql::TableName;

namespace {

constexpr char kNeedsLaterStage[] = "needs-later-stage";

// A look at the catalogue, concerning `table` where it is not empty.
void AppendLook(absl::string_view table, const std::string& search_path, std::string description,
                const SqlText& count, absl::string_view hint, StepList* steps) {
  v1::Step* step = steps->AddPreflight(absl::StrCat("check that ", description));
  v1::Verify* verify = step->mutable_action()->mutable_verify();
  verify->set_search_path(search_path);
  v1::Check* check = verify->add_checks();
  check->set_description(std::move(description));
  check->set_count_query(count.str());
  check->set_hint(std::string(hint));
  if (table.empty()) return;
  v1::TableLock* lock = step->add_locks();
  lock->set_table(std::string(table));
  lock->set_mode(kAccessShare);
}

}  // namespace

bool CompileContext::Acknowledged(absl::string_view hazard) const {
  return std::find(settings.acknowledge().begin(), settings.acknowledge().end(), hazard) !=
         settings.acknowledge().end();
}

bool CompileContext::ExistsNow(const TableName& table, absl::string_view column) const {
  const v1::Table* found = schema::FindTable(now, table);
  return found != nullptr && schema::FindColumn(*found, column) != nullptr;
}

bool CompileContext::ExistsNow(const TableName& table) const {
  return schema::FindTable(now, table) != nullptr;
}

absl::Status NeedsLaterStage(absl::string_view message) {
  return base::WithDetail(absl::FailedPreconditionError(message), base::kReason, kNeedsLaterStage);
}

bool IsNeedsLaterStage(const absl::Status& status) {
  return base::Detail(status, base::kReason) == kNeedsLaterStage;
}

v1::Scope TableScope(absl::string_view name) {
  v1::Scope scope;
  scope.add_tables(std::string(name));
  return scope;
}

absl::StatusOr<sql::Expression> CompileContext::Project(const TableName& table,
                                                        absl::string_view column) const {
  if (ExistsNow(table, column) || !ExistsNow(table)) return sql::Expression::Column(column);
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
  return NeedsLaterStage(absl::StrCat("the name ", sql::Ident(column), " of a column of ", table.Quoted(),
                                      " is in use; choose another name, or drop that column first"));
}

absl::Status CheckObjectIsFree(const CompileContext& context, const TableName& table,
                               absl::string_view name) {
  const v1::Table* found = schema::FindTable(context.now, table);
  if (found == nullptr || CheckNewObject(*found, name).ok()) return absl::OkStatus();
  return NeedsLaterStage(absl::StrCat("the name ", sql::Ident(name), " of an index or constraint of ",
                                      table.Quoted(),
                                      " is in use; choose another name, or drop that object first"));
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

void AppendCataloguePreflight(const v1::Table& table, std::string description, const SqlText& count,
                              absl::string_view hint, StepList* steps) {
  AppendLook(schema::NameOf(table).Quoted(), SearchPath(table), std::move(description), count, hint, steps);
}

void AppendCataloguePreflight(std::string description, const SqlText& count, absl::string_view hint,
                              StepList* steps) {
  AppendLook("", "pg_catalog, pg_temp", std::move(description), count, hint, steps);
}

void AppendRelationNamePreflight(const v1::Table& table, absl::string_view schema, absl::string_view name,
                                 StepList* steps) {
  AppendCataloguePreflight(
      table, absl::StrCat("nothing in schema ", sql::Ident(schema), " is named ", sql::Ident(name)),
      {"SELECT count(*) FROM pg_catalog.pg_class AS c JOIN pg_catalog.pg_namespace AS n ON n.oid = "
       "c.relnamespace WHERE n.nspname = ",
       SqlText::String(schema), " AND c.relname = ", SqlText::String(name)},
      "Choose another name in the plan, or free this one, then resume the rollout.", steps);
}

void AppendTypePreflight(const CompileContext& context, const v1::Table& table, absl::string_view type,
                         StepList* steps) {
  if (context.Acknowledged("rewrites-table") || sql::IsBuiltInType(type)) return;
  SqlText count = {
      "WITH RECURSIVE d AS (SELECT pg_catalog.to_regtype(", SqlText::String(type),
      ")::pg_catalog.oid AS oid UNION SELECT t.typbasetype FROM d JOIN pg_catalog.pg_type AS t ON "
      "t.oid = d.oid WHERE t.typtype = 'd') SELECT count(*) FROM d JOIN pg_catalog.pg_type AS t ON "
      "t.oid = d.oid WHERE t.typnotnull OR EXISTS (SELECT FROM pg_catalog.pg_constraint AS c WHERE "
      "c.contypid = t.oid)"};
  // A domain that this plan creates cannot be looked at yet.
  const auto name = sql::ParseTableName(type);
  if (name.ok() && schema::FindDomain(context.now, name->Quoted()) == nullptr) {
    const v1::Domain* made = schema::FindDomain(context.before, name->Quoted());
    if (made != nullptr && (made->not_null() || !made->constraints().empty())) count = {"SELECT 1"};
  }
  AppendCataloguePreflight(
      table, absl::StrCat("type ", type, " is no domain with constraints, which rewrites the table"), count,
      "Use the type below the domain and a CHECK (add_check), or acknowledge rewrites-table in the plan.",
      steps);
}

}  // namespace curlew::operations
