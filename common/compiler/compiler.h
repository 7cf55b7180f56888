// Plan + Schema -> CompiledPlan. Pure and deterministic: controller and CLI get the same bytes.
#ifndef CURLEW_COMMON_COMPILER_COMPILER_H_
#define CURLEW_COMMON_COMPILER_COMPILER_H_

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "curlew/v1/plan.pb.h"
#include "curlew/v1/schema.pb.h"
#include "curlew/v1/step.pb.h"

namespace curlew::compiler {

// Part of every compiled plan and of its digest. Raised whenever the same input gives other steps.
inline constexpr char kCompilerVersion[] = "5";

// Compiles `plan` against `schema`, which must hold what the plan touches (ScopeOf) as far as it exists. Most
// plans have one stage of five phases; where an operation needs what the DROP of an earlier one provides,
// such as a name that is dropped and used again, another stage begins with it. The steps come in the order in
// which they run: looks before anything is changed; backups; what verifications compare is measured; the
// operations, phase by phase, with the plan's verifications before DROP, and once more as DROP begins, where
// every row and trigger of a dual write is looked at, too. INVALID_ARGUMENT or FAILED_PRECONDITION where the
// plan does not fit the schema; the message names operation, object, reason and the way out, and base::kField
// the operation. Thread-safe.
absl::StatusOr<v1::CompiledPlan> Compile(const v1::Plan& plan, const v1::Schema& schema);

// The schema as it will be when the plan is done. Same errors.
absl::StatusOr<v1::Schema> Apply(const v1::Plan& plan, const v1::Schema& schema);

// What the plan touches, by the names that it writes, without duplicates: what to introspect.
v1::Scope ScopeOf(const v1::Plan& plan);

// Digest of a compiled plan: of its canonical form.
std::string Digest(const v1::CompiledPlan& compiled);

// Digest of what is executed alone (steps and shapes, not the schema's fingerprint): equal digests mean that
// two targets run exactly the same.
std::string StepsDigest(const v1::CompiledPlan& compiled);

// What differs between the steps of two compiled plans, one line each, for people; empty where nothing does.
std::vector<std::string> DiffSteps(const v1::CompiledPlan& proved, const v1::CompiledPlan& other);

}  // namespace curlew::compiler

#endif  // CURLEW_COMMON_COMPILER_COMPILER_H_
