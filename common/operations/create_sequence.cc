#include "absl/strings/str_cat.h"
#include "common/base/status_macros.h"
#include "common/operations/catalogue.h"
#include "common/operations/operations.h"
#include "common/operations/sequence.h"

namespace curlew::operations {
namespace {

using sql::SqlText;

class CreateSequence : public Operation {
 public:
  CreateSequence(const v1::CreateSequence& proto, sql::TableName name, v1::Sequence sequence)
      : proto_(proto), name_(std::move(name)), sequence_(std::move(sequence)) {}

  v1::Scope Scope() const override { return SequenceScope(proto_.sequence()); }

  absl::Status Apply(v1::Schema* schema) const override {
    RETURN_IF_ERROR(CheckNewName(*schema, name_));
    *schema->add_sequences() = sequence_;
    return absl::OkStatus();
  }

  absl::Status Compile(const CompileContext& context, StepList* steps) const override {
    RETURN_IF_ERROR(CheckNameIsFree(context, name_));
    AppendSequenceNamePreflight(name_, steps);
    v1::Step* step = steps->Add(v1::PHASE_ADD, absl::StrCat("create sequence ", name_.Quoted()));
    SetSql(step->mutable_action(),
           {{"CREATE SEQUENCE ", SqlText::Name(name_), " AS ", SqlText::Verified(sequence_.type()),
             SequenceClauses(sequence_, proto_.settings())}});
    SetSql(step->mutable_undo(), {{"DROP SEQUENCE IF EXISTS ", SqlText::Name(name_)}});
    return absl::OkStatus();
  }

 private:
  const v1::CreateSequence proto_;
  const sql::TableName name_;
  const v1::Sequence sequence_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<Operation>> MakeCreateSequence(const v1::CreateSequence& proto) {
  ASSIGN_OR_RETURN(sql::TableName name, ObjectName(proto.sequence()));
  ASSIGN_OR_RETURN(v1::Sequence sequence, NewSequence(proto.type(), proto.settings()));
  RETURN_IF_ERROR(CheckSequence(sequence));
  sequence.set_name(name.Quoted());
  return std::make_unique<CreateSequence>(proto, std::move(name), std::move(sequence));
}

}  // namespace curlew::operations
