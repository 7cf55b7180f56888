#include "common/operations/constraint_steps.h"

#include <algorithm>
#include <map>
#include <set>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/base/status_macros.h"
#include "common/operations/operation.h"
#include "common/schema/schema.h"
#include "common/sql/parser.h"

namespace curlew::operations {

using sql::SqlText;
using sql::TableName;

namespace {

// The table's search path and, behind it, the schemas of the columns' types, whose operators the server looks
// for by their names.
std::string SearchPathWithTypes(const v1::Table& table, const std::vector<std::string>& columns) {
  std::string path = SearchPath(table);
  std::set<std::string> added = {"pg_catalog", "public", table.schema()};
  for (const std::string& column : columns) {
    const v1::Column* found = schema::FindColumn(table, column);
    if (found == nullptr || found->type().find('.') == std::string::npos) continue;
    const auto type = sql::ParseTableName(found->type().substr(0, found->type().find_first_of("([")));
    if (type.ok() && added.insert(type->schema).second)
      absl::StrAppend(&path, ", ", sql::Ident(type->schema));
  }
  return path;
}

// What is in the place of a column before the stage: itself, what fills it, or NULL of its type, where
// *filled is false.
absl::StatusOr<sql::Expression> ValueNow(const CompileContext& context, const v1::Table& table,
                                         const std::string& column, bool* filled) {
  const TableName name = schema::NameOf(table);
  *filled = true;
  if (context.ExistsNow(name, column)) return sql::Expression::Column(column);
  for (const AddedColumn& add : context.added) {
    if (add.table != name || add.column != column || !add.value.has_value()) continue;
    // A number of a sequence, a random one: what rows will get cannot be looked at before, nor may the
    // sequence be there yet.
    if (add.value->columns().empty() && add.value->MayBeVolatile()) continue;
    return *add.value;
  }
  *filled = false;
  ASSIGN_OR_RETURN(const v1::Column* added, NamedColumn(table, column));
  return sql::Expression::Parse(absl::StrCat("CAST(NULL AS ", added->type(), ")"));
}

SqlText DropConstraint(const v1::Table& table, absl::string_view name) {
  return {"ALTER TABLE ", SqlText::Name(schema::NameOf(table)), " DROP CONSTRAINT IF EXISTS ",
          SqlText::Name(name)};
}

v1::PartitionStatement* EachPartition(v1::Action* action, const v1::Table& table) {
  v1::EachPartition* each = action->mutable_execute_sql()->mutable_each_partition();
  each->set_table(schema::NameOf(table).Quoted());
  v1::PartitionStatement* statement = each->add_statements();
  statement->set_before("ALTER TABLE ");
  return statement;
}

void LockReferenced(v1::Step* step, const v1::Table& table, const TableName& referenced, const char* mode) {
  if (referenced != schema::NameOf(table)) AddLock(step, referenced, mode);
}

void AppendPartitionedForeignKey(const v1::Table& table, const ForeignKey& key, StepList* steps) {
  const SqlText name = SqlText::Name(key.name);
  const SqlText drop = {" DROP CONSTRAINT IF EXISTS ", name};
  v1::Step* add = steps->Add(v1::PHASE_CONSTRAIN,
                             absl::StrCat("add foreign key ", sql::Ident(key.name), " to each partition of ",
                                          sql::Ident(table.name()), ", NOT VALID"));
  EachPartition(add->mutable_action(), table)
      ->set_after(SqlText({drop, ", ADD CONSTRAINT ", name, " ", key.definition, " NOT VALID"}).str());
  EachPartition(add->mutable_undo(), table)->set_after(drop.str());
  AddLock(add, schema::NameOf(table), kAccessExclusive);
  LockReferenced(add, table, key.referenced, kShareRowExclusive);

  v1::Step* validate = AppendValidate(table, key.name, steps);
  validate->mutable_action()->mutable_validate_constraint()->set_each_partition(true);
  LockReferenced(validate, table, key.referenced, kRowShare);

  // The server finds the partitions' own foreign keys, valid and the same, and reads no row.
  v1::Step* parent = steps->Add(v1::PHASE_CONSTRAIN, absl::StrCat("make foreign key ", sql::Ident(key.name),
                                                                  " of the partitions one of ",
                                                                  sql::Ident(table.name()), " (no scan)"));
  SetSql(parent->mutable_action(), {{"ALTER TABLE ", SqlText::Name(schema::NameOf(table)), " ADD CONSTRAINT ",
                                     name, " ", key.definition}});
  SetSql(parent->mutable_undo(), {DropConstraint(table, key.name)});
  AddLock(parent, schema::NameOf(table), kShareRowExclusive);
  LockReferenced(parent, table, key.referenced, kAccessExclusive);
}

// "UNIQUE (a, b) INCLUDE (c)", from the index that the constraint stands on.
SqlText UniqueClause(const IndexShape& shape) {
  SqlText clause = {"UNIQUE "};
  if (shape.nulls_not_distinct) clause.Append({"NULLS NOT DISTINCT "});
  clause.Append({"(", SqlText::NameList(shape.keys), ")"});
  if (!shape.include.empty()) clause.Append({" INCLUDE (", SqlText::NameList(shape.include), ")"});
  return clause.Append({shape.options});
}

}  // namespace

SqlText DeferralClause(v1::Deferral deferral) {
  switch (deferral) {
    case v1::DEFERRAL_DEFERRABLE:
      return {" DEFERRABLE"};
    case v1::DEFERRAL_INITIALLY_DEFERRED:
      return {" DEFERRABLE INITIALLY DEFERRED"};
    case v1::DEFERRAL_UNSPECIFIED:
    default:
      return {};
  }
}

bool IsDeferrable(const v1::Constraint& constraint) {
  const std::string& definition = constraint.definition();
  const auto tokens = sql::Scan(definition);
  // The catalogue never writes NOT DEFERRABLE.
  return tokens.ok() && std::any_of(tokens->begin(), tokens->end(), [&](const sql::Token& token) {
           return definition.compare(token.start, token.end - token.start, "DEFERRABLE") == 0;
         });
}

absl::StatusOr<const v1::Constraint*> NamedConstraint(const v1::Table& table, absl::string_view name) {
  const v1::Constraint* constraint = schema::FindConstraint(table, name);
  if (constraint != nullptr) return constraint;
  std::vector<std::string> names;
  for (const v1::Constraint& c : table.constraints()) names.push_back(sql::Ident(c.name()));
  return absl::FailedPreconditionError(absl::StrCat(
      "constraint ", sql::Ident(name), " of table ", schema::NameOf(table).Quoted(),
      " does not exist at this point of the plan; there are: ",
      names.empty() ? "none" : absl::StrJoin(names, ", "),
      ". Check the name; an index without a constraint is the business of drop_index and rename_index"));
}

absl::Status CheckConstraintStands(const CompileContext& context, const v1::Table& table,
                                   const v1::Constraint& constraint) {
  const v1::Table* now = schema::FindTable(context.now, schema::NameOf(table));
  const v1::Constraint* found = now == nullptr ? nullptr : schema::FindConstraint(*now, constraint.name());
  if (found != nullptr && found->definition() == constraint.definition()) return absl::OkStatus();
  return NeedsLaterStage(absl::StrCat("constraint ", sql::Ident(constraint.name()), " of ",
                                      schema::NameOf(table).Quoted(),
                                      " is made or changed by an operation before this one"));
}

absl::StatusOr<sql::Expression> ProjectOrNull(const CompileContext& context, const v1::Table& table,
                                              const sql::Expression& expression) {
  bool filled = false;
  if (expression.IsColumn()) return ValueNow(context, table, *expression.columns().begin(), &filled);
  std::map<std::string, sql::Expression> by;
  for (const std::string& column : expression.columns()) {
    if (context.ExistsNow(schema::NameOf(table), column)) continue;
    ASSIGN_OR_RETURN(sql::Expression value, ValueNow(context, table, column, &filled));
    by.emplace(column, std::move(value));
  }
  return by.empty() ? expression : expression.Substitute(by);
}

void AppendConstraintNamePreflight(const v1::Table& table, absl::string_view name, StepList* steps) {
  if (table.kind() != v1::TABLE_KIND_PARTITIONED) return;
  const std::string relation = schema::NameOf(table).Quoted();
  AppendCataloguePreflight(
      table, absl::StrCat("no partition of ", relation, " has a constraint named ", sql::Ident(name)),
      {"SELECT count(*) FROM pg_catalog.pg_partition_tree(", SqlText::String(relation),
       "::pg_catalog.regclass) AS p JOIN pg_catalog.pg_constraint AS c ON c.conrelid = p.relid WHERE "
       "c.conname = ",
       SqlText::String(name)},
      "Choose another name in the plan, or rename the constraints of these partitions, then resume the "
      "rollout.",
      steps);
}

absl::Status AppendCheckPreflight(const CompileContext& context, const v1::Table& table,
                                  absl::string_view name, const sql::Expression& expression,
                                  absl::string_view hint, StepList* steps) {
  const TableName relation = schema::NameOf(table);
  if (!context.ExistsNow(relation)) return absl::OkStatus();
  ASSIGN_OR_RETURN(const sql::Expression value, ProjectOrNull(context, table, expression));
  v1::Step* step = steps->AddPreflight(absl::StrCat("check that no row breaks ", sql::Ident(name)));
  v1::Verify* verify = step->mutable_action()->mutable_verify();
  verify->set_search_path(SearchPath(table));
  v1::Check* check = verify->add_checks();
  const SqlText where = {" FROM ", SqlText::Name(relation), " AS t WHERE ", value.Qualified("t"),
                         " IS FALSE"};
  check->set_description(absl::StrCat("every row of ", relation.Quoted(), " satisfies ", sql::Ident(name),
                                      ": ", expression.text()));
  check->set_count_query(SqlText({"SELECT count(*)", where}).str());
  check->set_key_query(SqlText({"SELECT ", RowKey(table, "t"), where}).str());
  check->set_hint(std::string(hint));
  check->set_table(relation.Quoted());
  check->add_expressions(value.Qualified("t").str());
  AddLock(step, relation, kAccessShare);
  return absl::OkStatus();
}

absl::Status AppendOrphanPreflight(const CompileContext& context, const v1::Table& table,
                                   const ForeignKey& key, Match match, absl::string_view hint,
                                   StepList* steps) {
  const TableName relation = schema::NameOf(table);
  // A table that validate_constraint's foreign key refers to may not be in the snapshot, but it is there.
  const v1::Table* referenced = schema::FindTable(context.before, key.referenced);
  if (!context.ExistsNow(relation) || (referenced != nullptr && !context.ExistsNow(key.referenced))) {
    return absl::OkStatus();
  }
  SqlText all_given, some_given, matches;
  std::vector<std::string> expressions;
  for (size_t i = 0; i < key.columns.size(); ++i) {
    bool filled = true;
    ASSIGN_OR_RETURN(const sql::Expression value, ValueNow(context, table, key.columns[i], &filled));
    if (!filled && match == Match::kSimple) return absl::OkStatus();
    sql::Expression target = sql::Expression::Column(key.referenced_columns[i]);
    if (referenced != nullptr) {
      ASSIGN_OR_RETURN(target, ValueNow(context, *referenced, key.referenced_columns[i], &filled));
      // What nothing fills is the applications' business until VALIDATE looks.
      if (!filled) return absl::OkStatus();
    }
    const SqlText qualified = value.Qualified("t");
    expressions.push_back(qualified.str());
    const SqlText given = IsGiven(qualified);
    all_given.Append({i == 0 ? SqlText{""} : SqlText{" AND "}, given});
    some_given.Append({i == 0 ? SqlText{""} : SqlText{" OR "}, given});
    matches.Append({i == 0 ? SqlText{""} : SqlText{" AND "}, target.Qualified("r"), " = ", qualified});
  }
  const SqlText orphan = {
      all_given, " AND NOT EXISTS (SELECT FROM ", SqlText::Name(key.referenced), " AS r WHERE ", matches,
      ")"};
  SqlText where = {" FROM ", SqlText::Name(relation), " AS t WHERE "};
  if (match == Match::kFull) {
    where.Append({"(", orphan, ") OR ((", some_given, ") AND NOT (", all_given, "))"});
  } else {
    where.Append({orphan});
  }
  v1::Step* step = steps->AddPreflight(absl::StrCat("check that every row of ", sql::Ident(table.name()),
                                                    " refers to a row of ", sql::Ident(key.referenced.name)));
  v1::Verify* verify = step->mutable_action()->mutable_verify();
  verify->set_search_path(SearchPathWithTypes(table, key.columns));
  v1::Check* check = verify->add_checks();
  check->set_description(absl::StrCat("every (", SqlText::NameList(key.columns).str(), ") of ",
                                      relation.Quoted(), " is a (",
                                      SqlText::NameList(key.referenced_columns).str(), ") of ",
                                      key.referenced.Quoted(), ", as ", sql::Ident(key.name), " demands"));
  check->set_count_query(SqlText({"SELECT count(*)", where}).str());
  check->set_key_query(SqlText({"SELECT ", RowKey(table, "t"), where}).str());
  check->set_hint(std::string(hint));
  check->set_table(relation.Quoted());
  for (const std::string& expression : expressions) check->add_expressions(expression);
  AddLock(step, relation, kAccessShare);
  LockReferenced(step, table, key.referenced, kAccessShare);
  return absl::OkStatus();
}

void AppendForeignKey(const v1::Table& table, const ForeignKey& key, StepList* steps) {
  if (table.kind() == v1::TABLE_KIND_PARTITIONED) {
    AppendPartitionedForeignKey(table, key, steps);
    return;
  }
  const TableName name = schema::NameOf(table);
  v1::Step* add =
      steps->Add(v1::PHASE_CONSTRAIN, absl::StrCat("add foreign key ", sql::Ident(key.name), " to ",
                                                   sql::Ident(table.name()), ", NOT VALID"));
  SetSql(add->mutable_action(), {{"ALTER TABLE ", SqlText::Name(name), " ADD CONSTRAINT ",
                                  SqlText::Name(key.name), " ", key.definition, " NOT VALID"}});
  SetSql(add->mutable_undo(), {DropConstraint(table, key.name)});
  AddLock(add, name, kShareRowExclusive);
  LockReferenced(add, table, key.referenced, kShareRowExclusive);
  LockReferenced(AppendValidate(table, key.name, steps), table, key.referenced, kRowShare);
}

void AppendUnique(const v1::Table& table, absl::string_view name, const SqlText& create_index,
                  v1::Deferral deferral, StepList* steps) {
  const TableName relation = schema::NameOf(table);
  v1::Step* build = AppendIndex(table, name, create_index, v1::PHASE_CONSTRAIN, steps);
  if (table.kind() == v1::TABLE_KIND_PARTITIONED) {
    const std::string constraint =
        SqlText({UniqueClause(ReadIndex(create_index.str()).value()), DeferralClause(deferral)}).str();
    for (v1::Action* action : {build->mutable_action(), build->mutable_undo()}) {
      action->mutable_execute_sql_concurrently()->mutable_partitioned()->set_constraint(constraint);
    }
    build->set_title(absl::StrCat("build UNIQUE constraint ", sql::Ident(name), " of ",
                                  sql::Ident(table.name()), " partition by partition, concurrently"));
    build->mutable_locks(0)->set_mode(kAccessExclusive);
    return;
  }
  v1::Step* step = steps->Add(
      v1::PHASE_CONSTRAIN,
      absl::StrCat("make index ", sql::Ident(name), " a UNIQUE constraint of ", sql::Ident(table.name())));
  SetSql(step->mutable_action(),
         {{"ALTER TABLE ", SqlText::Name(relation), " ADD CONSTRAINT ", SqlText::Name(name),
           " UNIQUE USING INDEX ", SqlText::Name(name), DeferralClause(deferral)}});
  SetSql(step->mutable_undo(), {DropConstraint(table, name)});
  AddLock(step, relation, kAccessExclusive);
}

void AppendUnique(const v1::Table& table, absl::string_view name, const SqlText& create_index,
                  StepList* steps) {
  AppendUnique(table, name, create_index, v1::DEFERRAL_UNSPECIFIED, steps);
}

void AppendNotValid(const v1::Table& table, absl::string_view name, const SqlText& add, StepList* steps) {
  v1::Step* step = steps->Add(v1::PHASE_CONSTRAIN, absl::StrCat("add constraint ", sql::Ident(name), " to ",
                                                                sql::Ident(table.name()), ", NOT VALID"));
  SetSql(step->mutable_action(), {add});
  SetSql(step->mutable_undo(), {DropConstraint(table, name)});
  AddLock(step, schema::NameOf(table), kAccessExclusive);
}

void AppendValidated(const v1::Table& table, absl::string_view name, const SqlText& add, StepList* steps) {
  AppendNotValid(table, name, add, steps);
  AppendValidate(table, name, steps);
}

v1::Step* AppendValidate(const v1::Table& table, absl::string_view name, StepList* steps) {
  const TableName relation = schema::NameOf(table);
  v1::Step* validate = steps->Add(v1::PHASE_CONSTRAIN, absl::StrCat("validate constraint ", sql::Ident(name),
                                                                    " of ", sql::Ident(table.name())));
  validate->mutable_action()->mutable_validate_constraint()->set_table(relation.Quoted());
  validate->mutable_action()->mutable_validate_constraint()->set_constraint(std::string(name));
  validate->set_scans(true);
  AddLock(validate, relation, kShareUpdateExclusive);
  return validate;
}

}  // namespace curlew::operations
