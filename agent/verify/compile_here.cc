#include "agent/verify/compile_here.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "common/base/status_macros.h"
#include "common/compiler/compiler.h"
#include "common/pg/introspect.h"

namespace curlew::agent {
namespace {

absl::Status DoesNotFit(const std::string& target, const absl::Status& why) {
  return NotTrusted(absl::StrCat("target ", target,
                                 ": the signed plan does not fit this database, as this agent compiles "
                                 "it itself: ",
                                 why.message()),
                    "change the plan or the schema; a changed plan is to be signed anew");
}

}  // namespace

absl::StatusOr<OwnCompilation> CompileHere(pg::Connection* connection, const std::string& target,
                                           const v1::Plan& plan) {
  OwnCompilation own;
  absl::StatusOr<v1::Schema> schema = pg::ReadSchema(connection, compiler::ScopeOf(plan));
  if (absl::IsInvalidArgument(schema.status())) {
    own.refusal = DoesNotFit(target, schema.status());
    return own;
  }
  RETURN_IF_ERROR(schema.status());
  absl::StatusOr<v1::CompiledPlan> compiled = compiler::Compile(plan, *schema);
  if (!compiled.ok()) {
    own.refusal = DoesNotFit(target, compiled.status());
    return own;
  }
  own.run.plan = plan;
  own.run.snapshot = *std::move(schema);
  own.run.digest = compiler::Digest(*compiled);
  own.run.steps_digest = compiler::StepsDigest(*compiled);
  own.run.compiled = *std::move(compiled);
  return own;
}

absl::Status CompareDigests(const std::string& target, const SignedRun& own, const std::string& their_digest,
                            const std::string& their_version) {
  if (own.digest == their_digest) return absl::OkStatus();
  const std::string& version = own.compiled.compiler_version();
  if (!their_version.empty() && their_version != version) {
    return NotTrusted(absl::StrCat("target ", target, ": the controller compiles by version ",
                                   Cut(their_version, 20), " of the compiler, this agent by version ",
                                   version, ": what they make of a plan cannot be compared"),
                      "upgrade the older of the two, then `curlew rollout resume`");
  }
  return NotTrusted(
      absl::StrCat("target ", target, ": the controller wants compiled plan ", Cut(their_digest, 64),
                   " run, this agent has compiled the signed plan to ", own.digest,
                   ": the schema has changed since the controller read it, or the controller wants "
                   "something else done than what was signed"),
      "look at `curlew target drift`; then `curlew rollout resume`, which compiles again what was not begun; "
      "where it is refused once more, roll the rollout back and start another, and look at the controller");
}

}  // namespace curlew::agent
