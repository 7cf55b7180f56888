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

  std::vector<std::string> Tables() const override { return {proto_.table()}; }

  absl::Status Apply(v1::Schema* schema) const override {
    ASSIGN_OR_RETURN(v1::Table * table, NamedTable(schema, proto_.table()));
    RETURN_IF_ERROR(CheckNewObject(*table, proto_.name()));
    if (table->kind() == v1::TABLE_KIND_PARTITIONED) {
      return absl::FailedPreconditionError(absl::StrCat(
          "table ", schema::NameOf(*table).Quoted(),
          " is partitioned: an index on it cannot be built concurrently; add the constraint to each "
          "partition in a `sql` operation"));
    }
    v1::Constraint* constraint = table->add_constraints();
    v1::Index* index = table->add_indexes();
    for (const std::string& column : proto_.columns()) {
      RETURN_IF_ERROR(NamedColumn(*table, column).status());
      constraint->add_columns(column);
      index->add_columns(column);
    }
    constraint->set_name(proto_.name());
    constraint->set_type(v1::CONSTRAINT_TYPE_UNIQUE);
    constraint->set_definition(SqlText({"UNIQUE (", SqlText::NameList(proto_.columns()), ")"}).str());
    constraint->set_validated(true);
    constraint->set_table(schema::NameOf(*table).Quoted());
    index->set_name(proto_.name());
    index->set_definition(Create(*table).str());
    index->set_unique(true);
    index->set_valid(true);
    index->set_constraint(proto_.name());
    return absl::OkStatus();
  }

  absl::Status Compile(const CompileContext& context, StepList* steps) const override {
    ASSIGN_OR_RETURN(const v1::Table* table, NamedTable(context.before, proto_.table()));
    RETURN_IF_ERROR(CheckObjectIsFree(context, schema::NameOf(*table), proto_.name()));
    AppendIndexNamePreflight(*table, proto_.name(), steps);
    RETURN_IF_ERROR(AppendUniquePreflight(context, *table, proto_.name(),
                                          {proto_.columns().begin(), proto_.columns().end()}, std::nullopt,
                                          steps));
    AppendUnique(*table, proto_.name(), Create(*table), steps);
    return absl::OkStatus();
  }

 private:
  SqlText Create(const v1::Table& table) const {
    return {"CREATE UNIQUE INDEX CONCURRENTLY ",
            SqlText::Name(proto_.name()),
            " ON ",
            SqlText::Name(schema::NameOf(table)),
            " (",
            SqlText::NameList(proto_.columns()),
            ")"};
  }

  const v1::AddUnique proto_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<Operation>> MakeAddUnique(const v1::AddUnique& proto) {
  if (proto.columns().empty()) return absl::InvalidArgumentError("columns is empty; name at least one");
  return std::make_unique<AddUnique>(proto);
}

}  // namespace curlew::operations
