#include "absl/strings/str_cat.h"
#include "common/base/status_macros.h"
#include "common/operations/operations.h"
#include "common/schema/schema.h"

namespace curlew::operations {
namespace {

class RenameIndex : public Operation {
 public:
  explicit RenameIndex(const v1::RenameIndex& proto) : proto_(proto) {}

  v1::Scope Scope() const override { return TableScope(proto_.table()); }

  absl::Status Apply(v1::Schema* schema) const override {
    ASSIGN_OR_RETURN(v1::Table * table, NamedTable(schema, proto_.table()));
    ASSIGN_OR_RETURN(const v1::Index* index, NamedIndex(*table, proto_.name()));
    if (!index->constraint().empty()) {
      return absl::FailedPreconditionError(
          absl::StrCat("index ", sql::Ident(index->name()), " of ", schema::NameOf(*table).Quoted(),
                       " belongs to the constraint ", sql::Ident(index->constraint()),
                       ", which would be renamed with it; use rename_constraint"));
    }
    RETURN_IF_ERROR(CheckNewObject(*table, proto_.to()));
    return RenameIndexIn(table, proto_.name(), proto_.to());
  }

  absl::Status Compile(const CompileContext& context, StepList* steps) const override {
    ASSIGN_OR_RETURN(const v1::Table* table, NamedTable(context.before, proto_.table()));
    ASSIGN_OR_RETURN(const v1::Index* index, NamedIndex(*table, proto_.name()));
    RETURN_IF_ERROR(CheckIndexStands(context, *table, *index));
    RETURN_IF_ERROR(CheckObjectIsFree(context, schema::NameOf(*table), proto_.to()));
    RETURN_IF_ERROR(CheckRelationNameIsFree(context, *table, proto_.to()));
    AppendIndexNamePreflight(*table, proto_.to(), steps);
    AppendIndexRename(*table, proto_.name(), proto_.to(),
                      absl::StrCat("rename index ", sql::Ident(proto_.name()), " of ",
                                   sql::Ident(table->name()), " to ", sql::Ident(proto_.to())),
                      steps);
    return absl::OkStatus();
  }

 private:
  const v1::RenameIndex proto_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<Operation>> MakeRenameIndex(const v1::RenameIndex& proto) {
  if (proto.name() == proto.to()) {
    return absl::InvalidArgumentError("name and to are the same; give another name in `to`");
  }
  return std::make_unique<RenameIndex>(proto);
}

}  // namespace curlew::operations
