#include <algorithm>

#include "absl/strings/str_cat.h"
#include "common/base/status_macros.h"
#include "common/operations/operations.h"
#include "common/schema/schema.h"

namespace curlew::operations {
namespace {

using sql::SqlText;

class AddUnique : public Operation {
 public:
  explicit AddUnique(const v1::AddUnique& proto) : proto_(proto) {}

  v1::Scope Scope() const override { return TableScope(proto_.table()); }

  absl::Status Apply(v1::Schema* schema) const override {
    ASSIGN_OR_RETURN(v1::Table * table, NamedTable(schema, proto_.table()));
    RETURN_IF_ERROR(CheckNewObject(*table, proto_.name()));
    for (const std::string& column : proto_.columns()) {
      RETURN_IF_ERROR(NamedColumn(*table, column).status());
    }
    for (const std::string& column : proto_.include()) {
      RETURN_IF_ERROR(NamedColumn(*table, column).status());
    }
    RETURN_IF_ERROR(CheckHoldsPartitionKey(
        *table, absl::StrCat("unique constraint ", sql::Ident(proto_.name())), Columns()));
    v1::Constraint* constraint = table->add_constraints();
    constraint->set_name(proto_.name());
    constraint->set_type(v1::CONSTRAINT_TYPE_UNIQUE);
    SqlText definition = {"UNIQUE "};
    if (proto_.nulls_not_distinct()) definition.Append({"NULLS NOT DISTINCT "});
    definition.Append({"(", SqlText::NameList(proto_.columns()), ")"});
    if (!proto_.include().empty()) {
      definition.Append({" INCLUDE (", SqlText::NameList(proto_.include()), ")"});
    }
    definition.Append({DeferralClause(proto_.deferral())});
    constraint->set_definition(definition.str());
    // As the catalogue gives them: keys in order, then the others by name.
    std::vector<std::string> columns = Columns(), include(proto_.include().begin(), proto_.include().end());
    std::sort(include.begin(), include.end());
    columns.insert(columns.end(), include.begin(), include.end());
    for (const std::string& column : columns) constraint->add_columns(column);
    constraint->set_validated(true);
    constraint->set_table(schema::NameOf(*table).Quoted());
    v1::Index* index = table->add_indexes();
    std::sort(columns.begin(), columns.end());
    for (const std::string& column : columns) index->add_columns(column);
    index->set_name(proto_.name());
    index->set_definition(Create(*table, {}).str());
    index->set_unique(true);
    index->set_valid(true);
    index->set_constraint(proto_.name());
    return absl::OkStatus();
  }

  absl::Status Compile(const CompileContext& context, StepList* steps) const override {
    ASSIGN_OR_RETURN(const v1::Table* table, NamedTable(context.before, proto_.table()));
    RETURN_IF_ERROR(CheckObjectIsFree(context, schema::NameOf(*table), proto_.name()));
    RETURN_IF_ERROR(CheckRelationNameIsFree(context, *table, proto_.name()));
    AppendIndexNamePreflight(*table, proto_.name(), steps);
    AppendConstraintNamePreflight(*table, proto_.name(), steps);
    if (proto_.nulls_not_distinct()) AppendNullsNotDistinctPreflight(*table, proto_.name(), steps);
    AppendPartitionedIndexPreflights(*table, proto_.name(), Columns(), steps);
    UniqueKeys unique{
        .keys = {}, .predicate = std::nullopt, .nulls_not_distinct = proto_.nulls_not_distinct()};
    for (const std::string& column : proto_.columns()) {
      unique.keys.push_back({.value = sql::Expression::Column(column), .collation = ""});
    }
    RETURN_IF_ERROR(AppendUniquePreflight(context, *table, proto_.name(), unique, steps));
    AppendUnique(*table, proto_.name(), Create(*table, {"CONCURRENTLY "}), proto_.deferral(), steps);
    return absl::OkStatus();
  }

 private:
  std::vector<std::string> Columns() const { return {proto_.columns().begin(), proto_.columns().end()}; }

  // `how` is "CONCURRENTLY ", or empty in the catalogue's words.
  SqlText Create(const v1::Table& table, const SqlText& how) const {
    SqlText create = {"CREATE UNIQUE INDEX ", how, SqlText::Name(proto_.name()), " ON "};
    if (table.kind() == v1::TABLE_KIND_PARTITIONED) create.Append({"ONLY "});
    create.Append(
        {SqlText::Name(schema::NameOf(table)), " USING btree (", SqlText::NameList(proto_.columns()), ")"});
    if (!proto_.include().empty()) create.Append({" INCLUDE (", SqlText::NameList(proto_.include()), ")"});
    if (proto_.nulls_not_distinct()) create.Append({" NULLS NOT DISTINCT"});
    return create;
  }

  const v1::AddUnique proto_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<Operation>> MakeAddUnique(const v1::AddUnique& proto) {
  if (proto.columns().empty()) return absl::InvalidArgumentError("columns is empty; name at least one");
  return std::make_unique<AddUnique>(proto);
}

}  // namespace curlew::operations
