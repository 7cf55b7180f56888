#include <algorithm>

#include "absl/strings/str_cat.h"
#include "common/base/status_macros.h"
#include "common/from_sql/families.h"
#include "common/from_sql/text.h"

namespace curlew::from_sql {
namespace {

using pg_query::Constraint;
using pg_query::CreateStmt;
using pg_query::Node;
using sql::TableName;

struct TableParts {
  v1::CreateTable table;
  std::vector<ColumnParts> columns;
  std::optional<Constraint> primary_key;
  std::vector<Constraint> others;
};

std::string WhyWhole(const CreateStmt& create) {
  if (create.has_partspec()) return "a partitioned table is made by no operation";
  if (create.has_partbound()) return "a partition is made by no operation";
  if (!create.inh_relations().empty()) return "a table that inherits is made by no operation";
  if (create.has_of_typename()) return "a typed table is made by no operation";
  if (create.relation().relpersistence() == "u") return "an UNLOGGED table is made by no operation";
  if (!create.tablespacename().empty() || !create.access_method().empty()) {
    return "no operation chooses a tablespace or an access method";
  }
  return "";
}

absl::StatusOr<TableParts> Read(const CreateStmt& create, const TableName& name, const Known& known) {
  TableParts parts;
  parts.table.set_table(name.Quoted());
  auto take = [&](const Constraint& constraint) {
    if (constraint.contype() == pg_query::CONSTR_PRIMARY) {
      parts.primary_key = constraint;
    } else {
      parts.others.push_back(constraint);
    }
  };
  for (const Node& element : create.table_elts()) {
    if (element.has_constraint()) {
      take(element.constraint());
      continue;
    }
    if (!element.has_column_def()) return absl::InvalidArgumentError("LIKE is no operation's");
    absl::StatusOr<ColumnParts> column = ReadColumn(element.column_def(), known);
    if (!column.ok()) {
      return absl::InvalidArgumentError(absl::StrCat("column ", sql::Ident(element.column_def().colname()),
                                                     ": ", column.status().message()));
    }
    for (const Constraint& constraint : column->others) take(constraint);
    parts.columns.push_back(*std::move(column));
  }
  for (const Node& constraint : create.constraints()) take(constraint.constraint());
  if (parts.columns.empty()) return absl::InvalidArgumentError("a table without columns is no operation's");
  if (parts.primary_key.has_value()) {
    const Constraint& key = *parts.primary_key;
    if (!key.including().empty() || !key.options().empty() || key.deferrable() || !key.indexspace().empty()) {
      return absl::InvalidArgumentError("create_table makes a plain primary key only");
    }
    const std::vector<std::string> columns = Strings(key.keys());
    parts.table.mutable_primary_key()->Assign(columns.begin(), columns.end());
  }
  return parts;
}

// A primary key of another name than PostgreSQL would give it.
void NamePrimaryKey(const Constraint& key, const TableName& table, const std::string& given, Sink* sink) {
  if (key.conname().empty() || key.conname() == given) return;
  v1::Operation operation;
  v1::RenameConstraint* rename = operation.mutable_rename_constraint();
  rename->set_table(table.Quoted());
  rename->set_name(given);
  rename->set_to(key.conname());
  Node node;
  pg_query::RenameStmt* statement = node.mutable_rename_stmt();
  statement->set_rename_type(pg_query::OBJECT_TABCONSTRAINT);
  statement->set_relation_type(pg_query::OBJECT_TABLE);
  statement->mutable_relation()->set_schemaname(table.schema);
  statement->mutable_relation()->set_relname(table.name);
  statement->mutable_relation()->set_inh(true);
  statement->mutable_relation()->set_relpersistence("p");
  statement->set_subname(given);
  statement->set_newname(key.conname());
  statement->set_behavior(pg_query::DROP_RESTRICT);
  sink->Operation(std::move(operation), node, RelationKey(table.Quoted()));
}

void SetOptions(const CreateStmt& create, const TableName& table, const Node& node, Sink* sink) {
  if (create.options().empty()) return;
  const auto parameters = ReadParameters(create.options());
  if (!parameters.has_value()) return;
  v1::Operation operation;
  operation.mutable_set_table_options()->set_table(table.Quoted());
  operation.mutable_set_table_options()->mutable_set()->Assign(parameters->begin(), parameters->end());
  Piece& piece = sink->Operation(std::move(operation), node, RelationKey(table.Quoted()));
  piece.leads = true;
}

}  // namespace

std::optional<std::vector<v1::Parameter>> ReadParameters(const Nodes& options) {
  std::vector<v1::Parameter> parameters;
  for (const Node& node : options) {
    const pg_query::DefElem& option = node.def_elem();
    v1::Parameter& parameter = parameters.emplace_back();
    parameter.set_name(option.defnamespace().empty()
                           ? option.defname()
                           : absl::StrCat(option.defnamespace(), ".", option.defname()));
    parameter.set_value(option.has_arg() ? ValueText(option.arg()) : "true");
    if (parameter.value().empty()) return std::nullopt;
  }
  return parameters;
}

void CreateTable(const Node& node, Sink* sink) {
  const CreateStmt& create = node.create_stmt();
  Known& known = sink->known();
  const TableName name = known.Relation(create.relation());
  const std::string key = RelationKey(name.Quoted());
  if (create.if_not_exists() && known.KindOf(name) != Kind::kUnknown) {
    sink->LeaveOut(absl::StrCat("IF NOT EXISTS: ", name.Quoted(), " is there"));
    return;
  }
  const std::string down = absl::StrCat("DROP TABLE ", name.Quoted());
  std::string why = WhyWhole(create);
  absl::StatusOr<TableParts> parts = Read(create, name, known);
  if (why.empty() && !parts.ok()) why = std::string(parts.status().message());
  if (!why.empty()) {
    Piece& piece = sink->Sql(node, why, down);
    piece.sql = PathPrefix(known) + std::string(sink->text());
    known.MakeRelation(name, create.has_partspec() ? Kind::kPartitioned : Kind::kTable);
    return;
  }
  std::string primary_key;
  if (parts->primary_key.has_value()) {
    Constraint unnamed = *parts->primary_key;
    unnamed.clear_conname();
    primary_key = ConstraintName(unnamed, name, known);
  }
  std::vector<std::pair<std::string, TableName>> owners;
  for (ColumnParts& column : parts->columns) {
    if (!column.serial.empty()) {
      const TableName sequence = SerialSequence(name, column.column.name(), column.serial, sink);
      column.column.set_default_(absl::StrCat("nextval(", sql::Literal(sequence.Quoted()), "::regclass)"));
      owners.emplace_back(column.column.name(), sequence);
    }
    *parts->table.add_columns() = column.column;
  }
  v1::Operation operation;
  *operation.mutable_create_table() = parts->table;
  Piece& piece = sink->Operation(std::move(operation), node, key, down);
  piece.leads = true;
  piece.sql = PathPrefix(known) + std::string(sink->text());
  if (create.if_not_exists()) piece.notes.push_back("IF NOT EXISTS: taken not to be there");
  known.MakeRelation(name, Kind::kTable);
  known.Make(TypeKey(name.Quoted()));
  if (parts->primary_key.has_value()) {
    known.MakeConstraint(name, primary_key);
    known.MakeIndex(name, primary_key);
    NamePrimaryKey(*parts->primary_key, name, primary_key, sink);
    if (!parts->primary_key->conname().empty()) {
      known.MakeConstraint(name, parts->primary_key->conname());
      known.MakeIndex(name, parts->primary_key->conname());
    }
  }
  for (const auto& [column, sequence] : owners) OwnSequence(name, column, sequence, sink);
  // As PostgreSQL makes them: CHECKs with the table, then indexes, then foreign keys.
  auto rank = [](const Constraint& c) {
    return c.contype() == pg_query::CONSTR_CHECK ? 0 : c.contype() == pg_query::CONSTR_FOREIGN ? 2 : 1;
  };
  std::stable_sort(parts->others.begin(), parts->others.end(),
                   [&](const Constraint& a, const Constraint& b) { return rank(a) < rank(b); });
  for (const Constraint& constraint : parts->others) AddConstraint(constraint, name, sink);
  SetOptions(create, name, node, sink);
}

}  // namespace curlew::from_sql
