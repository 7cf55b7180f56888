#include <algorithm>
#include <set>

#include "absl/strings/str_cat.h"
#include "common/base/status_macros.h"
#include "common/operations/catalogue.h"
#include "common/operations/dependents.h"
#include "common/operations/new_column.h"
#include "common/operations/operations.h"
#include "common/schema/schema.h"

namespace curlew::operations {
namespace {

using sql::SqlText;
using sql::TableName;

// A column with its expressions read.
struct NewTableColumn {
  v1::TableColumn proto;
  v1::Column column;  // as the catalogue will show it
  std::optional<sql::Expression> default_value, generated;
};

bool IsTaken(const v1::Schema& schema, const std::string& in, const std::string& name) {
  return std::any_of(schema.tables().begin(), schema.tables().end(), [&](const v1::Table& table) {
    return table.schema() == in && (table.name() == name || schema::FindIndex(table, name) != nullptr);
  });
}

// The name that PostgreSQL would give the index of a primary key.
std::string PrimaryKeyName(const v1::Schema& schema, const TableName& table) {
  for (int i = 0;; ++i) {
    const std::string label = i == 0 ? "_pkey" : absl::StrCat("_pkey", i);
    size_t size = std::min(table.name.size(), 63 - label.size());
    // No character is cut in two.
    while (size < table.name.size() && size > 0 && (table.name[size] & 0xC0) == 0x80) --size;
    std::string name = absl::StrCat(table.name.substr(0, size), label);
    if (!IsTaken(schema, table.schema, name)) return name;
  }
}

class CreateTable : public Operation {
 public:
  CreateTable(const v1::CreateTable& proto, TableName name, std::vector<NewTableColumn> columns)
      : proto_(proto), name_(std::move(name)), columns_(std::move(columns)) {}

  v1::Scope Scope() const override { return TableScope(proto_.table()); }

  absl::Status Apply(v1::Schema* schema) const override {
    RETURN_IF_ERROR(CheckNewName(*schema, name_));
    v1::Table table;
    table.set_schema(name_.schema);
    table.set_name(name_.name);
    table.set_kind(v1::TABLE_KIND_TABLE);
    table.set_replica_identity("default");
    table.set_comment(proto_.comment());
    for (const NewTableColumn& column : columns_) *table.add_columns() = column.column;
    for (const NewTableColumn& column : columns_) {
      if (!column.generated.has_value()) continue;
      RETURN_IF_ERROR(CheckGenerated(table, *column.generated));
      AddGeneratedDependents(*column.generated, column.proto.name(), &table);
    }
    if (!proto_.primary_key().empty()) AddPrimaryKey(PrimaryKeyName(*schema, name_), &table);
    *schema->add_tables() = std::move(table);
    std::sort(schema->mutable_tables()->begin(), schema->mutable_tables()->end(),
              [](const v1::Table& a, const v1::Table& b) { return schema::NameOf(a) < schema::NameOf(b); });
    return absl::OkStatus();
  }

  absl::Status Compile(const CompileContext& context, StepList* steps) const override {
    RETURN_IF_ERROR(CheckNameIsFree(context, name_));
    const std::string primary_key = PrimaryKeyName(context.before, name_);
    AppendPreflight(primary_key, steps);
    SqlText definition;
    std::vector<SqlText> statements(1);
    if (!proto_.comment().empty()) {
      statements.push_back(
          {"COMMENT ON TABLE ", SqlText::Name(name_), " IS ", SqlText::String(proto_.comment())});
    }
    for (const NewTableColumn& column : columns_) {
      if (!definition.empty()) definition.Append({", "});
      definition.Append({ColumnSql(column)});
      if (column.proto.comment().empty()) continue;
      statements.push_back({"COMMENT ON COLUMN ", SqlText::Name(name_), ".",
                            SqlText::Name(column.proto.name()), " IS ",
                            SqlText::String(column.proto.comment())});
    }
    if (!proto_.primary_key().empty()) {
      definition.Append({", CONSTRAINT ", SqlText::Name(primary_key), " PRIMARY KEY (",
                         SqlText::NameList(proto_.primary_key()), ")"});
    }
    statements[0] = {"CREATE TABLE ", SqlText::Name(name_), " (", definition, ")"};
    v1::Step* step = steps->Add(v1::PHASE_ADD, absl::StrCat("create table ", name_.Quoted()));
    SetSql(step->mutable_action(), statements);
    SetSql(step->mutable_undo(), {{"DROP TABLE IF EXISTS ", SqlText::Name(name_)}});
    steps->NewShape(name_, "");
    return absl::OkStatus();
  }

 private:
  void AddPrimaryKey(const std::string& name, v1::Table* table) const {
    const std::string columns = SqlText::NameList(proto_.primary_key()).str();
    v1::Index* index = table->add_indexes();
    index->set_name(name);
    index->set_definition(absl::StrCat("CREATE UNIQUE INDEX ", sql::Ident(name), " ON ", name_.Quoted(),
                                       " USING btree (", columns, ")"));
    *index->mutable_columns() = proto_.primary_key();
    std::sort(index->mutable_columns()->begin(), index->mutable_columns()->end());
    index->set_unique(true);
    index->set_primary(true);
    index->set_valid(true);
    index->set_constraint(name);
    v1::Constraint* constraint = table->add_constraints();
    constraint->set_name(name);
    constraint->set_type(v1::CONSTRAINT_TYPE_PRIMARY_KEY);
    constraint->set_definition(absl::StrCat("PRIMARY KEY (", columns, ")"));
    *constraint->mutable_columns() = proto_.primary_key();
    constraint->set_validated(true);
    constraint->set_table(name_.Quoted());
  }

  static SqlText ColumnSql(const NewTableColumn& column) {
    SqlText sql = {SqlText::Name(column.proto.name()), " ", SqlText::Verified(column.proto.type())};
    if (!column.proto.collation().empty()) {
      sql.Append({" COLLATE ", SqlText::Verified(column.proto.collation())});
    }
    if (column.proto.identity() != v1::IDENTITY_UNSPECIFIED) {
      sql.Append({" ", IdentityClause(column.proto.identity())});
    } else if (column.generated.has_value()) {
      sql.Append({" GENERATED ALWAYS AS (", SqlText::Verified(column.generated->text()), ") STORED"});
    } else if (column.default_value.has_value()) {
      sql.Append({" DEFAULT ", column.default_value->Sql()});
    }
    if (column.proto.not_null()) sql.Append({" NOT NULL"});
    return sql;
  }

  // A table brings a type of its name with it.
  void AppendPreflight(const std::string& primary_key, StepList* steps) const {
    SqlText names = SqlText::String(name_.name);
    if (!proto_.primary_key().empty()) names.Append({", ", SqlText::String(primary_key)});
    const SqlText in_schema = {"n.nspname = ", SqlText::String(name_.schema)};
    AppendCatalogueChecks(
        absl::StrCat("check that table ", name_.Quoted(), " can be created"),
        {SchemaExists(name_.schema),
         {.description = absl::StrCat("the agent may create tables in schema ", sql::Ident(name_.schema)),
          .count = {"SELECT count(*) FROM pg_namespace AS n WHERE ", in_schema,
                    " AND NOT has_schema_privilege(n.oid, 'CREATE')"},
          .keys = {},
          .hint = "Grant CREATE on the schema to the agent's role, then resume the rollout."},
         {.description =
              absl::StrCat("nothing in schema ", sql::Ident(name_.schema), " is named ", names.str()),
          .count =
              {"SELECT (SELECT count(*) FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace "
               "WHERE ",
               in_schema, " AND c.relname IN (", names,
               ")) + (SELECT count(*) FROM pg_type AS t JOIN pg_namespace AS n ON n.oid = t.typnamespace "
               "WHERE ",
               in_schema, " AND t.typname = ", SqlText::String(name_.name),
               " AND t.typrelid = 0 AND NOT (t.typcategory = 'A' AND t.typelem <> 0))"},
          .keys = {},
          .hint = "Choose another name in the plan, or free this one, then resume the rollout."}},
        steps);
  }

  const v1::CreateTable proto_;
  const TableName name_;
  const std::vector<NewTableColumn> columns_;
};

absl::Status CheckColumn(const NewTableColumn& column) {
  const v1::TableColumn& proto = column.proto;
  const std::string label = absl::StrCat("column ", sql::Ident(proto.name()), ": ");
  RETURN_IF_ERROR(CheckNewColumn(v1::Table(), proto.name()));
  const int kinds = (proto.identity() != v1::IDENTITY_UNSPECIFIED) + column.default_value.has_value() +
                    column.generated.has_value();
  if (kinds > 1) {
    return absl::InvalidArgumentError(
        absl::StrCat(label, "`default`, `identity` and `generated` exclude each other; keep one of them"));
  }
  if (proto.identity() != v1::IDENTITY_UNSPECIFIED) {
    RETURN_IF_ERROR(CheckIdentityType(proto.type()));
  }
  if (column.default_value.has_value() && !column.default_value->columns().empty()) {
    return absl::InvalidArgumentError(
        absl::StrCat(label, "PostgreSQL allows no column in a default; use `generated`"));
  }
  if (column.generated.has_value() && column.generated->columns().count(proto.name()) > 0) {
    return absl::InvalidArgumentError(
        absl::StrCat(label, "generated: names the column itself; use the table's other columns"));
  }
  return absl::OkStatus();
}

absl::StatusOr<NewTableColumn> ReadColumn(const v1::CreateTable& table, const v1::TableColumn& proto) {
  NewTableColumn column;
  column.proto = proto;
  ASSIGN_OR_RETURN(column.column, MakeColumn(proto.name(), proto.type(), proto.collation()));
  if (!proto.default_().empty()) {
    ASSIGN_OR_RETURN(column.default_value, sql::Expression::Parse(proto.default_()));
  }
  if (!proto.generated().empty()) {
    ASSIGN_OR_RETURN(column.generated, sql::Expression::Parse(proto.generated()));
  }
  RETURN_IF_ERROR(CheckColumn(column));
  column.column.set_identity(IdentityName(proto.identity()));
  column.column.set_not_null(proto.not_null() || proto.identity() != v1::IDENTITY_UNSPECIFIED ||
                             Holds(table.primary_key(), proto.name()));
  if (column.default_value.has_value()) column.column.set_default_(column.default_value->text());
  if (column.generated.has_value()) column.column.set_generated(column.generated->text());
  column.column.set_comment(proto.comment());
  return column;
}

}  // namespace

absl::StatusOr<std::unique_ptr<Operation>> MakeCreateTable(const v1::CreateTable& proto) {
  ASSIGN_OR_RETURN(TableName name, ObjectName(proto.table()));
  std::vector<NewTableColumn> columns;
  std::set<std::string> names;
  for (const v1::TableColumn& column : proto.columns()) {
    ASSIGN_OR_RETURN(NewTableColumn read, ReadColumn(proto, column));
    columns.push_back(std::move(read));
    if (names.insert(column.name()).second) continue;
    return absl::InvalidArgumentError(
        absl::StrCat("column ", sql::Ident(column.name()), " stands there twice; leave one out"));
  }
  for (const std::string& key : proto.primary_key()) {
    if (names.count(key) > 0) continue;
    return absl::InvalidArgumentError(
        absl::StrCat("primary_key: ", sql::Ident(key), " is no column of the table; name one of `columns`"));
  }
  for (const NewTableColumn& column : columns) {
    if (!Holds(proto.primary_key(), column.proto.name()) || column.column.has_equality()) continue;
    return absl::InvalidArgumentError(absl::StrCat("primary_key: ", sql::Ident(column.proto.name()),
                                                   " is of type ", column.column.type(),
                                                   ", which cannot be compared; choose another column"));
  }
  return std::make_unique<CreateTable>(proto, std::move(name), std::move(columns));
}

}  // namespace curlew::operations
