#include "absl/strings/str_cat.h"
#include "common/base/status_macros.h"
#include "common/operations/catalogue.h"
#include "common/operations/operations.h"
#include "common/operations/sequence.h"
#include "common/schema/schema.h"

namespace curlew::operations {
namespace {

using sql::SqlText;

class AlterSequence : public Operation {
 public:
  AlterSequence(const v1::AlterSequence& proto, sql::TableName name)
      : proto_(proto), name_(std::move(name)) {}

  v1::Scope Scope() const override { return SequenceScope(proto_.sequence()); }

  absl::Status Apply(v1::Schema* schema) const override {
    ASSIGN_OR_RETURN(v1::Sequence * sequence, NamedSequence(schema, name_));
    ApplySettings(proto_.settings(), sequence);
    return CheckSequence(*sequence);
  }

  absl::Status Compile(const CompileContext& context, StepList* steps) const override {
    const v1::Sequence& before = *schema::FindSequence(context.before, name_.Quoted());
    v1::Sequence after = before;
    ApplySettings(proto_.settings(), &after);
    const SqlText alter = {"ALTER SEQUENCE ", SqlText::Name(name_)};
    if (MovesLimits() && schema::FindSequence(context.now, name_.Quoted()) != nullptr) {
      AppendCatalogueChecks(
          absl::StrCat("check the present value of sequence ", name_.Quoted()),
          {{.description = absl::StrCat("the present value of ", name_.Quoted(), " lies between ",
                                        after.minimum(), " and ", after.maximum()),
            .count = {"SELECT count(*) FROM ", SqlText::Name(name_), " WHERE NOT ", Holds(after)},
            .keys = {},
            .hint = "Choose limits that hold the present value, then resume the rollout."}},
          steps);
    }
    v1::Step* step = steps->Add(v1::PHASE_CONSTRAIN, absl::StrCat("alter sequence ", name_.Quoted()));
    SetSql(step->mutable_action(), {{alter, SequenceClauses(after, proto_.settings())}});
    const SqlText back = {alter, SequenceClauses(before, proto_.settings())};
    SetSql(step->mutable_undo(), {MovesLimits() ? BackWithin(before, back) : back});
    AddLock(step, name_, kShareRowExclusive);
    return absl::OkStatus();
  }

 private:
  bool MovesLimits() const { return proto_.settings().has_minimum() || proto_.settings().has_maximum(); }

  static SqlText Holds(const v1::Sequence& sequence) {
    return {"last_value BETWEEN ", SqlText::Verified(absl::StrCat(sequence.minimum())), " AND ",
            SqlText::Verified(absl::StrCat(sequence.maximum()))};
  }

  // Limits that the sequence has passed meanwhile cannot come back: the wider ones then stay.
  SqlText BackWithin(const v1::Sequence& before, const SqlText& back) const {
    SqlText body = {"BEGIN IF EXISTS (SELECT FROM ",
                    SqlText::Name(name_),
                    " WHERE ",
                    Holds(before),
                    ") THEN ",
                    back,
                    "; "};
    const SqlText rest = SequenceClauses(before, proto_.settings(), Clauses::kWithoutLimits);
    if (!rest.empty()) body.Append({"ELSE ALTER SEQUENCE ", SqlText::Name(name_), rest, "; "});
    body.Append({"END IF; END"});
    return {"DO ", SqlText::String(body.str())};
  }

  const v1::AlterSequence proto_;
  const sql::TableName name_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<Operation>> MakeAlterSequence(const v1::AlterSequence& proto) {
  ASSIGN_OR_RETURN(sql::TableName name, ObjectName(proto.sequence()));
  if (proto.settings().ByteSizeLong() == 0) {
    return absl::InvalidArgumentError("settings is empty; give at least one of them");
  }
  return std::make_unique<AlterSequence>(proto, std::move(name));
}

}  // namespace curlew::operations
