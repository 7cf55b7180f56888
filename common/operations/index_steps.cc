#include "common/operations/index_steps.h"

#include <algorithm>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/base/status_macros.h"
#include "common/operations/dependents.h"
#include "common/operations/operation.h"
#include "common/schema/schema.h"
#include "common/sql/parser.h"

namespace curlew::operations {

using sql::SqlText;
using sql::TableName;

namespace {

absl::StatusOr<pg_query::IndexStmt> ParseIndex(absl::string_view definition) {
  auto tree = sql::Parse(definition);
  if (!tree.ok() || tree->stmts_size() != 1 || !tree->stmts(0).stmt().has_index_stmt()) {
    return absl::InternalError(absl::StrCat("not an index's definition: ", definition));
  }
  return tree->stmts(0).stmt().index_stmt();
}

std::vector<std::string> NamesOf(const google::protobuf::RepeatedPtrField<pg_query::Node>& elements) {
  std::vector<std::string> names;
  for (const pg_query::Node& element : elements) names.push_back(element.index_elem().name());
  return names;
}

// The value of a storage parameter as text; "" where there is none.
std::string ValueOf(const pg_query::Node& value) {
  if (value.has_string()) return value.string().sval();
  if (value.has_integer()) return absl::StrCat(value.integer().ival());
  if (value.has_float_()) return value.float_().fval();
  if (value.has_type_name() && value.type_name().names_size() > 0) {
    return value.type_name().names(value.type_name().names_size() - 1).string().sval();
  }
  return "";
}

// What follows the table's name in `create`, a statement of ours.
std::string AfterTable(const std::string& create) {
  const size_t table = ParseIndex(create).value().relation().location();
  const std::vector<sql::Token> tokens = sql::Scan(create).value();
  auto token = std::find_if(tokens.begin(), tokens.end(),
                            [&](const sql::Token& t) { return t.start == static_cast<int>(table); });
  // schema . name
  if (token + 1 < tokens.end() && create[(token + 1)->start] == '.') token += 2;
  return std::string(absl::StripAsciiWhitespace(create.substr(token->end)));
}

bool HasUnique(const v1::Table& table, const std::string& but, const std::set<std::string>& columns) {
  return std::any_of(table.indexes().begin(), table.indexes().end(), [&](const v1::Index& index) {
    if (index.name() == but || !index.valid()) return false;
    const auto shape = ReadIndex(index.definition());
    return shape.ok() && shape->MakesUnique(columns);
  });
}

SqlText TextArray(const std::vector<std::string>& values) {
  SqlText array = {"ARRAY["};
  for (size_t i = 0; i < values.size(); ++i) {
    if (i > 0) array.Append({", "});
    array.Append({SqlText::String(values[i])});
  }
  return array.Append({"]::pg_catalog.text[]"});
}

}  // namespace

std::string MethodOf(absl::string_view method) { return std::string(method.empty() ? "btree" : method); }

bool IndexShape::MakesUnique(const std::set<std::string>& columns) const {
  return unique && !partial && std::set<std::string>(keys.begin(), keys.end()) == columns;
}

absl::StatusOr<IndexShape> ReadIndex(absl::string_view definition) {
  ASSIGN_OR_RETURN(const pg_query::IndexStmt index, ParseIndex(definition));
  IndexShape shape;
  shape.keys = NamesOf(index.index_params());
  shape.include = NamesOf(index.index_including_params());
  for (const pg_query::Node& option : index.options()) {
    shape.options.Append({shape.options.empty() ? SqlText{" WITH ("} : SqlText{", "},
                          SqlText::Name(option.def_elem().defname())});
    if (option.def_elem().has_arg()) {
      shape.options.Append({" = ", SqlText::String(ValueOf(option.def_elem().arg()))});
    }
  }
  if (!shape.options.empty()) shape.options.Append({")"});
  shape.unique = index.unique();
  shape.partial = index.has_where_clause();
  shape.nulls_not_distinct = index.nulls_not_distinct();
  return shape;
}

absl::StatusOr<const v1::Index*> NamedIndex(const v1::Table& table, absl::string_view name) {
  const v1::Index* index = schema::FindIndex(table, name);
  if (index != nullptr) return index;
  std::vector<std::string> names;
  for (const v1::Index& i : table.indexes()) names.push_back(sql::Ident(i.name()));
  return absl::FailedPreconditionError(absl::StrCat(
      "index ", sql::Ident(name), " of table ", schema::NameOf(table).Quoted(),
      " does not exist at this point of the plan; there are: ",
      names.empty() ? "none" : absl::StrJoin(names, ", "), ". Check the name, and that it is on this table"));
}

absl::Status CheckIndexStands(const CompileContext& context, const v1::Table& table, const v1::Index& index) {
  const v1::Table* now = schema::FindTable(context.now, schema::NameOf(table));
  const v1::Index* found = now == nullptr ? nullptr : schema::FindIndex(*now, index.name());
  if (found != nullptr && found->definition() == index.definition()) return absl::OkStatus();
  return NeedsLaterStage(absl::StrCat("index ", sql::Ident(index.name()), " of ",
                                      schema::NameOf(table).Quoted(),
                                      " is made or changed by an operation before this one"));
}

absl::Status CheckRelationNameIsFree(const CompileContext& context, const v1::Table& table,
                                     absl::string_view name) {
  const std::string quoted = TableName{table.schema(), std::string(name)}.Quoted();
  std::string owner;
  for (const v1::Table& other : context.now.tables()) {
    if (other.schema() != table.schema()) continue;
    if (other.name() == name) owner = absl::StrCat("the table ", quoted);
    if (schema::FindIndex(other, name) != nullptr) {
      owner = absl::StrCat("an index of ", schema::NameOf(other).Quoted());
    }
  }
  if (schema::FindView(context.now, quoted) != nullptr) owner = absl::StrCat("the view ", quoted);
  if (schema::FindSequence(context.now, quoted) != nullptr) owner = absl::StrCat("the sequence ", quoted);
  if (owner.empty()) return absl::OkStatus();
  return NeedsLaterStage(absl::StrCat("the name ", sql::Ident(name), " is that of ", owner,
                                      ", and indexes share names with them; choose another name, or drop "
                                      "that object first"));
}

absl::Status CheckHoldsPartitionKey(const v1::Table& table, absl::string_view object,
                                    const std::vector<std::string>& columns) {
  if (table.kind() != v1::TABLE_KIND_PARTITIONED) return absl::OkStatus();
  const auto refuse = [&](const std::string& why, absl::string_view way_out) {
    return absl::FailedPreconditionError(absl::StrCat(
        object, " of ", schema::NameOf(table).Quoted(), ": the table is partitioned by ",
        table.partition_key(), ", and PostgreSQL keeps rows unique within each partition only, so that ", why,
        "; ", way_out));
  };
  const auto tree = sql::Parse(absl::StrCat("CREATE TABLE t (c int) PARTITION BY ", table.partition_key()));
  if (!tree.ok()) return refuse("the key cannot be read", "use a `sql` operation");
  for (const auto& part : tree->stmts(0).stmt().create_stmt().partspec().part_params()) {
    const std::string& column = part.partition_elem().name();
    if (column.empty()) {
      return refuse("it cannot be unique where the partition key holds an expression",
                    "keep each partition unique by itself, or partition by columns");
    }
    if (std::find(columns.begin(), columns.end(), column) == columns.end()) {
      return refuse(absl::StrCat("its columns have to hold ", sql::Ident(column)),
                    absl::StrCat("add ", sql::Ident(column), " to the columns"));
    }
  }
  return absl::OkStatus();
}

absl::Status CheckIndexMayGo(const CompileContext& context, const v1::Table& table, const v1::Index& index,
                             absl::string_view object, StepList* steps) {
  const TableName name = schema::NameOf(table);
  if (table.replica_identity() == absl::StrCat("index ", index.name())) {
    return absl::FailedPreconditionError(
        absl::StrCat(object, " of ", name.Quoted(), ": the index is the table's replica identity, by which ",
                     "updates and deletes are replicated; choose another one first (set_replica_identity)"));
  }
  ASSIGN_OR_RETURN(const IndexShape shape, ReadIndex(index.definition()));
  bool asked = false;
  const auto check = [&](const v1::Constraint& key) -> absl::Status {
    const std::set<std::string> columns(key.referenced_columns().begin(), key.referenced_columns().end());
    if (!shape.MakesUnique(columns)) return absl::OkStatus();
    if (!HasUnique(table, index.name(), columns)) {
      return absl::FailedPreconditionError(absl::StrCat(
          object, " of ", name.Quoted(), ": foreign key ", sql::Ident(key.name()), " of ", key.table(),
          " stands on it; drop that foreign key first (drop_constraint), in this plan or before"));
    }
    asked = true;
    return absl::OkStatus();
  };
  for (const v1::Constraint& key : table.referenced_by()) RETURN_IF_ERROR(check(key));
  for (const v1::Constraint& key : table.constraints()) {
    const auto referenced = sql::ParseTableName(key.referenced_table());
    if (referenced.ok() && *referenced == name) RETURN_IF_ERROR(check(key));
  }
  if (asked && context.ExistsNow(name)) {
    AppendCataloguePreflight(
        table, absl::StrCat("no foreign key stands on ", object, " of ", name.Quoted()),
        {"SELECT count(*) FROM pg_catalog.pg_constraint AS k WHERE k.contype = 'f' AND k.conparentid = 0 AND "
         "k.conindid = pg_catalog.to_regclass(",
         SqlText::String(TableName{table.schema(), index.name()}.Quoted()), ")"},
        "Drop that foreign key first and add it anew: it then stands on the other index over the same "
        "columns.",
        steps);
  }
  return absl::OkStatus();
}

absl::Status RenameIndexIn(v1::Table* table, const std::string& from, const std::string& to) {
  for (v1::Index& index : *table->mutable_indexes()) {
    if (index.name() != from) continue;
    const std::string definition = index.definition();
    ASSIGN_OR_RETURN(const std::vector<sql::Token> tokens, sql::Scan(definition));
    const auto on = std::find_if(tokens.begin(), tokens.end(), [&](const sql::Token& t) {
      return absl::EqualsIgnoreCase(definition.substr(t.start, t.end - t.start), "ON");
    });
    if (on == tokens.begin() || on == tokens.end()) {
      return absl::InternalError(absl::StrCat("not an index's definition: ", definition));
    }
    const sql::Token name = *(on - 1);
    index.set_definition(
        absl::StrCat(definition.substr(0, name.start), sql::Ident(to), definition.substr(name.end)));
    index.set_name(to);
    if (table->replica_identity() == absl::StrCat("index ", from)) {
      table->set_replica_identity(absl::StrCat("index ", to));
    }
  }
  return absl::OkStatus();
}

void AppendIndexRename(const v1::Table& table, const std::string& from, const std::string& to,
                       std::string title, StepList* steps) {
  v1::Step* step = steps->Add(v1::PHASE_CONSTRAIN, std::move(title));
  SetSql(step->mutable_action(),
         {{"ALTER INDEX ", SqlText::Name(table.schema(), from), " RENAME TO ", SqlText::Name(to)}});
  SetSql(step->mutable_undo(),
         {{"ALTER INDEX IF EXISTS ", SqlText::Name(table.schema(), to), " RENAME TO ", SqlText::Name(from)}});
}

void AppendIndexNamePreflight(const v1::Table& table, absl::string_view name, StepList* steps) {
  AppendRelationNamePreflight(table, table.schema(), name, steps);
}

void AppendNullsNotDistinctPreflight(const v1::Table& table, absl::string_view name, StepList* steps) {
  AppendCataloguePreflight(
      table,
      absl::StrCat("the server knows NULLS NOT DISTINCT, which ", sql::Ident(name),
                   " asks for (PostgreSQL 15)"),
      {"SELECT CASE WHEN pg_catalog.current_setting('server_version_num')::pg_catalog.int4 < 150000 THEN 1 "
       "ELSE 0 END"},
      "Leave nulls_not_distinct out, make the columns NOT NULL, or upgrade the server.", steps);
}

void AppendPartitionedIndexPreflights(const v1::Table& table, absl::string_view name,
                                      const std::optional<std::vector<std::string>>& unique_over,
                                      StepList* steps) {
  if (table.kind() != v1::TABLE_KIND_PARTITIONED) return;
  const TableName relation = schema::NameOf(table);
  const SqlText tree = {"pg_catalog.pg_partition_tree(", SqlText::String(relation.Quoted()),
                        "::pg_catalog.regclass) AS p"};
  AppendCataloguePreflight(
      table,
      absl::StrCat("no partition of ", relation.Quoted(), " is a foreign table, which index ",
                   sql::Ident(name), " could not cover"),
      {"SELECT count(*) FROM ", tree,
       " JOIN pg_catalog.pg_class AS c ON c.oid = p.relid WHERE c.relkind NOT IN ('r', 'p')"},
      "Detach these partitions first, then resume the rollout.", steps);
  if (!unique_over.has_value()) return;
  AppendCataloguePreflight(
      table,
      absl::StrCat("the columns of ", sql::Ident(name), " hold every partition key below ",
                   relation.Quoted()),
      {"SELECT count(*) FROM ", tree,
       " JOIN pg_catalog.pg_partitioned_table AS k ON k.partrelid = p.relid WHERE EXISTS (SELECT FROM "
       "pg_catalog.unnest(k.partattrs::pg_catalog.int2[]) AS n LEFT JOIN pg_catalog.pg_attribute AS a ON "
       "a.attrelid = p.relid AND a.attnum = n WHERE n = 0 OR a.attname::pg_catalog.text <> ALL (",
       TextArray(*unique_over), "))"},
      "A partition is partitioned again by other columns: add them to the columns of the plan.", steps);
}

absl::Status AppendUniquePreflight(const CompileContext& context, const v1::Table& table,
                                   absl::string_view name, const UniqueKeys& keys, StepList* steps) {
  const TableName relation = schema::NameOf(table);
  if (!context.ExistsNow(relation)) return absl::OkStatus();
  std::vector<std::string> labels, expressions;
  SqlText values, given;
  for (const UniqueKeys::Key& key : keys.keys) {
    labels.push_back(key.value.IsColumn() ? key.value.text() : absl::StrCat("(", key.value.text(), ")"));
    ASSIGN_OR_RETURN(const sql::Expression value, ProjectOrNull(context, table, key.value));
    const SqlText qualified = value.Qualified("t");
    expressions.push_back(qualified.str());
    if (!values.empty()) values.Append({", "});
    values.Append({qualified});
    if (!key.collation.empty()) values.Append({" COLLATE ", SqlText::Verified(key.collation)});
    if (!keys.nulls_not_distinct) {
      given.Append({given.empty() ? SqlText{""} : SqlText{" AND "}, IsGiven(qualified)});
    }
  }
  if (keys.predicate.has_value()) {
    ASSIGN_OR_RETURN(const sql::Expression value, ProjectOrNull(context, table, *keys.predicate));
    given.Append({given.empty() ? SqlText{""} : SqlText{" AND "}, value.Qualified("t")});
  }
  SqlText from = {" FROM ", SqlText::Name(relation), " AS t"};
  if (!given.empty()) from.Append({" WHERE ", given});

  v1::Step* step = steps->AddPreflight(absl::StrCat("check that no rows collide in ", sql::Ident(name)));
  v1::Verify* verify = step->mutable_action()->mutable_verify();
  verify->set_search_path(SearchPath(table));
  v1::Check* check = verify->add_checks();
  check->set_description(absl::StrCat("no two rows of ", relation.Quoted(), " share (",
                                      absl::StrJoin(labels, ", "), "), as ", sql::Ident(name), " demands"));
  check->set_count_query(
      SqlText({"SELECT count(*) FROM (SELECT 1", from, " GROUP BY ", values, " HAVING count(*) > 1) AS d"})
          .str());
  check->set_key_query(
      SqlText({"SELECT k FROM (SELECT ", RowKey(table, "t"), " AS k, count(*) OVER (PARTITION BY ", values,
               ") AS n", from, ") AS d WHERE n > 1"})
          .str());
  check->set_hint("Make these rows differ, or change `up` or the columns, then resume the rollout.");
  check->set_table(relation.Quoted());
  for (const std::string& expression : expressions) check->add_expressions(expression);
  AddLock(step, relation, kAccessShare);
  return absl::OkStatus();
}

absl::Status AppendUniquePreflight(const CompileContext& context, const v1::Table& table,
                                   absl::string_view name, const std::vector<std::string>& columns,
                                   const std::optional<sql::Expression>& predicate, StepList* steps) {
  UniqueKeys keys;
  for (const std::string& column : columns) {
    keys.keys.push_back({.value = sql::Expression::Column(column), .collation = ""});
  }
  keys.predicate = predicate;
  return AppendUniquePreflight(context, table, name, keys, steps);
}

v1::Step* AppendIndex(const v1::Table& table, absl::string_view name, const SqlText& create, v1::Phase phase,
                      StepList* steps) {
  const TableName relation = schema::NameOf(table);
  const bool partitioned = table.kind() == v1::TABLE_KIND_PARTITIONED;
  v1::Step* step = steps->Add(
      phase, absl::StrCat("build index ", sql::Ident(name), " on ", partitioned ? "each partition of " : "",
                          sql::Ident(table.name()), " concurrently"));
  v1::ExecuteSqlConcurrently* action = step->mutable_action()->mutable_execute_sql_concurrently();
  action->set_index(TableName{table.schema(), std::string(name)}.Quoted());
  action->set_table(relation.Quoted());
  v1::ExecuteSqlConcurrently* undo = step->mutable_undo()->mutable_execute_sql_concurrently();
  if (partitioned) {
    action->mutable_partitioned()->set_unique(ParseIndex(create.str()).value().unique());
    action->mutable_partitioned()->set_definition(AfterTable(create.str()));
  } else {
    action->set_statement(create.str());
  }
  // With the table, so that an index of that name on another one is left alone.
  *undo = *action;
  if (!partitioned) {
    undo->set_statement(
        SqlText({"DROP INDEX CONCURRENTLY IF EXISTS ", SqlText::Name(table.schema(), name)}).str());
  }
  action->set_effect(v1::ExecuteSqlConcurrently::EFFECT_CREATES);
  undo->set_effect(v1::ExecuteSqlConcurrently::EFFECT_DROPS);
  step->set_scans(true);
  AddLock(step, relation, partitioned ? kShare : kShareUpdateExclusive);
  return step;
}

}  // namespace curlew::operations
