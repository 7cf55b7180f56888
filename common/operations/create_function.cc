#include "absl/strings/str_cat.h"
#include "common/base/status_macros.h"
#include "common/operations/objects.h"
#include "common/operations/operations.h"
#include "common/schema/schema.h"
#include "common/sql/object_definition.h"

namespace curlew::operations {
namespace {

using sql::SqlText;

class CreateFunction : public Operation {
 public:
  explicit CreateFunction(sql::FunctionDefinition function) : function_(std::move(function)) {}

  v1::Scope Scope() const override {
    v1::Scope scope;
    scope.add_functions(function_.signature);
    return scope;
  }

  absl::Status Apply(v1::Schema* schema) const override {
    v1::Function* function = schema::FindFunction(schema, function_.signature);
    if (function != nullptr) {
      RETURN_IF_ERROR(CheckReplaceable(*function));
    } else {
      function = schema->add_functions();
      function->set_name(function_.signature);
      function->set_identity(function_.identity);
      function->set_procedure(function_.is_procedure);
    }
    function->set_definition(function_.statement.str());
    return absl::OkStatus();
  }

  absl::Status Compile(const CompileContext& context, StepList* steps) const override {
    const v1::Function* function = schema::FindFunction(context.before, function_.signature);
    const bool exists_now = schema::FindFunction(context.now, function_.signature) != nullptr;
    if ((function != nullptr) != exists_now) {
      if (exists_now) {
        return NeedsLaterStage(
            absl::StrCat("the name ", function_.signature,
                         " is still in use while the plan runs; drop the function in a plan "
                         "before this one"));
      }
      return absl::FailedPreconditionError(
          absl::StrCat(What(), " is created by this very plan; write its definition once"));
    }
    if (!exists_now) {
      AppendCatalogueChecks(absl::StrCat("check the schema of ", function_.signature),
                            {SchemaExists(function_.name.schema)}, steps);
    }
    v1::Step* step = steps->Add(exists_now ? v1::PHASE_CONSTRAIN : v1::PHASE_ADD,
                                absl::StrCat(exists_now ? "replace " : "create ", What()));
    SetSql(step->mutable_action(), {SetSearchPathToPublic(), function_.statement});
    if (exists_now) {
      // It was good once; what its body names need not be in this search_path.
      SetSql(step->mutable_undo(),
             {{"SET LOCAL check_function_bodies = off"}, SqlText::Verified(function->definition())});
      WarnOfStored(*function, steps);
    } else {
      SetSql(step->mutable_undo(), {{function_.is_procedure ? SqlText({"DROP PROCEDURE IF EXISTS "})
                                                            : SqlText({"DROP FUNCTION IF EXISTS "}),
                                     SqlText::Verified(function_.signature)}});
    }
    return absl::OkStatus();
  }

 private:
  std::string What() const {
    return absl::StrCat(function_.is_procedure ? "procedure " : "function ", function_.signature);
  }

  // What PostgreSQL has computed by the function and keeps.
  void WarnOfStored(const v1::Function& function, StepList* steps) const {
    for (const v1::Dependent& dependent : function.dependents()) {
      const std::string& type = dependent.type();
      if (type != "index" && type != "table constraint" && type != "table column") continue;
      steps->Warn(
          absl::StrCat(type, " ", dependent.identity(), " holds what ", function_.signature,
                       " gave until now, and is not computed anew; where the results change, follow with "
                       "reindex or backfill"));
    }
  }

  absl::Status CheckReplaceable(const v1::Function& function) const {
    auto refuse = [&](absl::string_view why, absl::string_view way_out) {
      return absl::FailedPreconditionError(absl::StrCat(What(), " exists already", why, "; ", way_out));
    };
    if (!function_.or_replace) {
      return refuse("", "write CREATE OR REPLACE to give it another body, or choose another name");
    }
    constexpr absl::string_view kAnotherName =
        "create it under another name, let the application use that, and drop this one (drop_function)";
    if (function.procedure() != function_.is_procedure) {
      return refuse(function.procedure() ? " as a procedure" : " as a function", kAnotherName);
    }
    const auto before = sql::ParseFunction(function.definition());
    // What the parser of PostgreSQL 15 cannot read is left to the server.
    if (!before.ok()) return absl::OkStatus();
    if (before->result != function_.result) {
      return refuse(absl::StrCat(" and returns ", before->result, ", not ", function_.result,
                                 ", which PostgreSQL cannot change"),
                    kAnotherName);
    }
    for (size_t i = 0; i < before->arguments.size() && i < function_.arguments.size(); ++i) {
      if (before->arguments[i].empty() || before->arguments[i] == function_.arguments[i]) continue;
      return refuse(absl::StrCat(" and calls argument ", i + 1, " ", sql::Ident(before->arguments[i]),
                                 ", a name that PostgreSQL cannot change"),
                    "keep the argument's name, or create the function under another one");
    }
    return absl::OkStatus();
  }

  const sql::FunctionDefinition function_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<Operation>> MakeCreateFunction(const v1::CreateFunction& proto) {
  ASSIGN_OR_RETURN(sql::FunctionDefinition function, sql::ParseFunction(proto.definition()));
  RETURN_IF_ERROR(ObjectName(function.name.Quoted()).status());
  return std::make_unique<CreateFunction>(std::move(function));
}

}  // namespace curlew::operations
