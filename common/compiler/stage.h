// One stage of a plan: operations that go through the five phases together. Of this folder alone.
#ifndef CURLEW_COMMON_COMPILER_STAGE_H_
#define CURLEW_COMMON_COMPILER_STAGE_H_

#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "common/operations/operation.h"
#include "curlew/v1/plan.pb.h"
#include "curlew/v1/schema.pb.h"
#include "curlew/v1/step.pb.h"

namespace curlew::compiler {

// A stage, compiled. Steps have no keys yet; phases ascend.
struct Stage {
  std::vector<v1::Step> steps;
  std::vector<std::string> warnings;
  std::vector<v1::ShapeUse> old_shape, new_shape;
  std::vector<std::string> old_counters, new_counters;
  v1::Schema after;
};

// What the operations of a stage make of `now`: before[i] is what operation i sees; the last one is the end.
struct Analysis {
  std::vector<v1::Schema> before;
  std::vector<operations::AddedColumn> added;
};

// An operation's refusal, and which operation's: counted in the plan.
struct Blame {
  absl::Status status;
  int operation = 0;
};

// Applies the operations [first, end) of `all` to `now`. On failure sets *blame.
absl::StatusOr<Analysis> Analyse(const std::vector<std::unique_ptr<operations::Operation>>& all, int first,
                                 int end, const v1::Schema& now, Blame* blame);

// Compiles the operations [first, end) as one stage that begins with the schema `now`. On failure sets
// *blame; where its status IsNeedsLaterStage, the stage has to end before that operation.
absl::StatusOr<Stage> CompileStage(const v1::Plan& plan,
                                   const std::vector<std::unique_ptr<operations::Operation>>& all, int first,
                                   int end, const v1::Schema& now, const v1::PlanSettings& settings,
                                   Blame* blame);

// Looks of preflight at one table become one step: all that is wrong with its data is then reported together,
// of one moment.
std::vector<v1::Step> MergeLooks(std::vector<v1::Step> steps);

// "operations[2].add_check", for messages.
std::string OperationName(const v1::Plan& plan, int index);

}  // namespace curlew::compiler

#endif  // CURLEW_COMMON_COMPILER_STAGE_H_
