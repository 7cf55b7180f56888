#include <algorithm>

#include "absl/strings/str_cat.h"
#include "common/base/status_macros.h"
#include "common/operations/objects.h"
#include "common/operations/operations.h"
#include "common/schema/schema.h"
#include "common/sql/object_definition.h"

namespace curlew::operations {
namespace {

using sql::SqlText;

class DropFunction : public Operation {
 public:
  explicit DropFunction(std::string signature) : signature_(std::move(signature)) {}

  v1::Scope Scope() const override {
    v1::Scope scope;
    scope.add_functions(signature_);
    return scope;
  }

  absl::Status Apply(v1::Schema* schema) const override {
    const v1::Function* function = schema::FindFunction(*schema, signature_);
    if (function == nullptr) {
      return absl::FailedPreconditionError(absl::StrCat(
          "function ", signature_,
          " does not exist at this point of the plan; check its schema (public where none is written) "
          "and the types of its arguments"));
    }
    RETURN_IF_ERROR(CheckNoDependents(absl::StrCat("function ", signature_), function->dependents()));
    ForgetDependent("function", function->identity(), schema);
    auto* functions = schema->mutable_functions();
    functions->erase(std::find_if(functions->begin(), functions->end(),
                                  [&](const v1::Function& f) { return &f == function; }));
    return absl::OkStatus();
  }

  absl::Status Compile(const CompileContext& context, StepList* steps) const override {
    const v1::Function* function = schema::FindFunction(context.now, signature_);
    if (function == nullptr) {
      return absl::FailedPreconditionError(
          absl::StrCat("function ", signature_, " is created by this very plan; leave both operations out"));
    }
    const char* kind = function->procedure() ? "procedure " : "function ";
    v1::Step* step = steps->Add(v1::PHASE_DROP, absl::StrCat("drop ", kind, signature_));
    SetSql(step->mutable_action(),
           {{function->procedure() ? SqlText({"DROP PROCEDURE "}) : SqlText({"DROP FUNCTION "}),
             SqlText::Verified(signature_)}});
    steps->Warn(
        absl::StrCat("calls of ", signature_,
                     " by applications and in bodies of other functions leave no trace that can be looked "
                     "for; make sure that there are none before DROP"));
    return absl::OkStatus();
  }

 private:
  const std::string signature_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<Operation>> MakeDropFunction(const v1::DropFunction& proto) {
  ASSIGN_OR_RETURN(std::string signature, sql::ParseFunctionName(proto.function()));
  return std::make_unique<DropFunction>(std::move(signature));
}

}  // namespace curlew::operations
