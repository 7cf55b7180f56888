#include "absl/strings/str_cat.h"
#include "common/base/status_macros.h"
#include "common/operations/catalogue.h"
#include "common/operations/operations.h"
#include "common/operations/sequence.h"
#include "common/schema/schema.h"

namespace curlew::operations {
namespace {

using sql::SqlText;

// Whether a column of `schema` is the sequence's owner.
bool HasOwner(const v1::Schema& schema, const v1::Sequence& sequence) {
  for (const v1::Table& table : schema.tables()) {
    for (const v1::Column& column : table.columns()) {
      if (absl::StrCat(schema::NameOf(table).Quoted(), ".", sql::Ident(column.name())) ==
          sequence.owned_by()) {
        return true;
      }
    }
  }
  return false;
}

class DropSequence : public Operation {
 public:
  DropSequence(const v1::DropSequence& proto, sql::TableName name) : proto_(proto), name_(std::move(name)) {}

  v1::Scope Scope() const override { return SequenceScope(proto_.sequence()); }

  absl::Status Apply(v1::Schema* schema) const override {
    RETURN_IF_ERROR(NamedSequence(schema, name_).status());
    EraseNamed(name_.Quoted(), schema->mutable_sequences());
    return absl::OkStatus();
  }

  absl::Status Compile(const CompileContext& context, StepList* steps) const override {
    const v1::Sequence& sequence = *schema::FindSequence(context.before, name_.Quoted());
    if (HasOwner(context.now, sequence) && !HasOwner(context.before, sequence)) {
      return absl::FailedPreconditionError(
          absl::StrCat("sequence ", name_.Quoted(), " belongs to column ", sequence.owned_by(),
                       ", which this plan drops, and goes with it; leave this operation out"));
    }
    const std::string what = absl::StrCat("sequence ", name_.Quoted());
    AppendCatalogueChecks(
        absl::StrCat("check that nothing uses ", what),
        {NothingUses(context, what, SequenceRoot(name_)),
         {.description = absl::StrCat(what, " is not an identity column's own"),
          .count = {"WITH root (class, id) AS (", SequenceRoot(name_),
                    ") SELECT count(*) FROM root JOIN pg_depend AS d ON d.classid = root.class AND d.objid = "
                    "root.id WHERE d.deptype = 'i'"},
          .keys = {},
          .hint = "It goes with the column; leave this operation out."}},
        steps);
    v1::Step* step = steps->Add(v1::PHASE_DROP, absl::StrCat("drop ", what));
    SetSql(step->mutable_action(), {{"DROP SEQUENCE ", SqlText::Name(name_)}});
    AddLock(step, name_, kAccessExclusive);
    return absl::OkStatus();
  }

 private:
  const v1::DropSequence proto_;
  const sql::TableName name_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<Operation>> MakeDropSequence(const v1::DropSequence& proto) {
  ASSIGN_OR_RETURN(sql::TableName name, ObjectName(proto.sequence()));
  return std::make_unique<DropSequence>(proto, std::move(name));
}

}  // namespace curlew::operations
