#include <set>

#include "absl/strings/str_cat.h"
#include "common/base/status_macros.h"
#include "common/operations/operations.h"
#include "common/schema/schema.h"

namespace curlew::operations {
namespace {

using sql::SqlText;

class CreateIndex : public Operation {
 public:
  CreateIndex(const v1::CreateIndex& proto, std::optional<sql::Expression> where)
      : proto_(proto), where_(std::move(where)) {}

  std::vector<std::string> Tables() const override { return {proto_.table()}; }

  absl::Status Apply(v1::Schema* schema) const override {
    ASSIGN_OR_RETURN(v1::Table * table, NamedTable(schema, proto_.table()));
    RETURN_IF_ERROR(CheckNewObject(*table, proto_.name()));
    if (table->kind() == v1::TABLE_KIND_PARTITIONED) {
      return absl::FailedPreconditionError(absl::StrCat(
          "table ", schema::NameOf(*table).Quoted(),
          " is partitioned: an index on it cannot be built concurrently; build one on each partition in "
          "`sql` operations"));
    }
    v1::Index* index = table->add_indexes();
    for (const std::string& column : Columns()) {
      RETURN_IF_ERROR(NamedColumn(*table, column).status());
      index->add_columns(column);
    }
    index->set_name(proto_.name());
    index->set_definition(Create(*table).str());
    index->set_unique(proto_.unique());
    index->set_valid(true);
    return absl::OkStatus();
  }

  absl::Status Compile(const CompileContext& context, StepList* steps) const override {
    ASSIGN_OR_RETURN(const v1::Table* table, NamedTable(context.before, proto_.table()));
    RETURN_IF_ERROR(CheckObjectIsFree(context, schema::NameOf(*table), proto_.name()));
    AppendIndexNamePreflight(*table, proto_.name(), steps);
    if (proto_.unique()) {
      RETURN_IF_ERROR(AppendUniquePreflight(
          context, *table, proto_.name(), {proto_.columns().begin(), proto_.columns().end()}, where_, steps));
    }
    // On what the plan adds, the index is built when the rows are filled.
    v1::Phase phase = v1::PHASE_ADD;
    for (const std::string& column : Columns()) {
      if (!context.ExistsNow(schema::NameOf(*table), column)) phase = v1::PHASE_CONSTRAIN;
    }
    AppendIndex(*table, proto_.name(), Create(*table), phase, steps);
    return absl::OkStatus();
  }

 private:
  std::set<std::string> Columns() const {
    std::set<std::string> columns(proto_.columns().begin(), proto_.columns().end());
    columns.insert(proto_.include().begin(), proto_.include().end());
    if (where_.has_value()) columns.insert(where_->columns().begin(), where_->columns().end());
    return columns;
  }

  SqlText Create(const v1::Table& table) const {
    SqlText create = {"CREATE "};
    if (proto_.unique()) create.Append({"UNIQUE "});
    create.Append({"INDEX CONCURRENTLY ", SqlText::Name(proto_.name()), " ON ",
                   SqlText::Name(schema::NameOf(table)), " USING ",
                   SqlText::Name(proto_.method().empty() ? "btree" : proto_.method()), " (",
                   SqlText::NameList(proto_.columns()), ")"});
    if (!proto_.include().empty()) create.Append({" INCLUDE (", SqlText::NameList(proto_.include()), ")"});
    if (where_.has_value()) create.Append({" WHERE ", where_->Sql()});
    return create;
  }

  const v1::CreateIndex proto_;
  const std::optional<sql::Expression> where_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<Operation>> MakeCreateIndex(const v1::CreateIndex& proto) {
  if (proto.columns().empty()) return absl::InvalidArgumentError("columns is empty; name at least one");
  std::optional<sql::Expression> where;
  if (!proto.where().empty()) {
    ASSIGN_OR_RETURN(where, sql::Expression::Parse(proto.where()));
  }
  return std::make_unique<CreateIndex>(proto, std::move(where));
}

}  // namespace curlew::operations
