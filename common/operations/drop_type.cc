#include "absl/strings/str_cat.h"
#include "common/base/status_macros.h"
#include "common/operations/catalogue.h"
#include "common/operations/named_type.h"
#include "common/operations/operations.h"
#include "common/schema/schema.h"

namespace curlew::operations {
namespace {

using sql::SqlText;

class DropType : public Operation {
 public:
  DropType(const v1::DropType& proto, sql::TableName name) : proto_(proto), name_(std::move(name)) {}

  v1::Scope Scope() const override { return TypeScope(proto_.type()); }

  absl::Status Apply(v1::Schema* schema) const override {
    const std::string kind = KindOf(*schema, name_);
    if (kind != "enum type" && kind != "domain") {
      return absl::FailedPreconditionError(absl::StrCat(
          "there is no enum type or domain ", name_.Quoted(),
          kind.empty() ? "; check the name and its schema (public where none is written)"
                       : absl::StrCat(", but a ", kind, " of that name; drop that with drop_", kind)));
    }
    for (const v1::Table& table : schema->tables()) {
      for (const v1::Column& column : table.columns()) {
        if (!IsOfType(column.type(), name_)) continue;
        return absl::FailedPreconditionError(absl::StrCat(
            "column ", sql::Ident(column.name()), " of ", schema::NameOf(table).Quoted(), " is of type ",
            name_.Quoted(), "; drop it, or change its type, before this operation"));
      }
    }
    EraseNamed(name_.Quoted(), schema->mutable_enums());
    EraseNamed(name_.Quoted(), schema->mutable_domains());
    return absl::OkStatus();
  }

  absl::Status Compile(const CompileContext& context, StepList* steps) const override {
    const std::string what = absl::StrCat(KindOf(context.before, name_), " ", name_.Quoted());
    AppendCatalogueChecks(absl::StrCat("check that nothing uses ", what),
                          {NothingUses(context, what, TypeRoot(name_))}, steps);
    v1::Step* step = steps->Add(v1::PHASE_DROP, absl::StrCat("drop ", what));
    SetSql(step->mutable_action(), {{"DROP TYPE ", SqlText::Name(name_)}});
    return absl::OkStatus();
  }

 private:
  const v1::DropType proto_;
  const sql::TableName name_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<Operation>> MakeDropType(const v1::DropType& proto) {
  ASSIGN_OR_RETURN(sql::TableName name, ObjectName(proto.type()));
  return std::make_unique<DropType>(proto, std::move(name));
}

}  // namespace curlew::operations
