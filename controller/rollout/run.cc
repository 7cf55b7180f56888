#include "controller/rollout/run.h"

#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/base/proto_time.h"
#include "controller/rollout/attempt.h"
#include "controller/rollout/describe.h"

namespace curlew::rollout {
namespace {

// Whether the action only looks.
bool ChangesNothing(const v1::Action& action) {
  switch (action.kind_case()) {
    case v1::Action::kVerify:
    case v1::Action::kWait:
    case v1::Action::kAnalyze:
    case v1::Action::KIND_NOT_SET:
      return true;
    case v1::Action::kExecuteSql:
    case v1::Action::kExecuteSqlConcurrently:
    case v1::Action::kInstallTrigger:
    case v1::Action::kBackfill:
    case v1::Action::kValidateConstraint:
    case v1::Action::kTransformRows:
      return false;
  }
  return false;
}

v1::StepStatus NewStep(const v1::Step& step) {
  v1::StepStatus status;
  status.set_key(step.key());
  status.set_phase(step.phase());
  status.set_title(step.title());
  status.set_state(v1::STEP_STATE_PENDING);
  status.set_has_undo(step.has_undo());
  status.set_preflight(step.preflight());
  status.set_stage(step.stage());
  status.set_waits(step.action().has_wait());
  status.set_skippable(MaySkip(step.action()));
  status.set_reversible(step.phase() != v1::PHASE_DROP || step.has_undo() || step.preflight() ||
                        ChangesNothing(step.action()));
  return status;
}

void AdvanceCompilation(Draft& draft, v1::Run& run) {
  v1::Attempt& compilation = *run.mutable_compilation();
  const bool due = !compilation.has_not_before() || base::FromProto(compilation.not_before()) <= draft.now;
  if (compilation.state() != v1::ATTEMPT_STATE_QUEUED || run.epoch() == 0 || !due) return;
  compilation.set_state(v1::ATTEMPT_STATE_LEASED);
  compilation.clear_not_before();
  compilation.clear_error();
  draft.commands.push_back(CompileRun{.target = run.target()});
}

}  // namespace

void AdvanceRun(Draft& draft, v1::Run& run) {
  switch (run.state()) {
    case v1::RUN_STATE_COMPILING:
      AdvanceCompilation(draft, run);
      return;
    case v1::RUN_STATE_RUNNING:
    case v1::RUN_STATE_DROPPING:
      break;
    default:
      return;
  }
  if (v1::StepStatus* step = NextStep(StageOf(draft.state, run), run)) {
    Work(draft, run, *step, v1::DIRECTION_DO);
    return;
  }
  const bool dropping = run.state() == v1::RUN_STATE_DROPPING;
  SetRunState(draft, run, dropping ? v1::RUN_STATE_SUCCEEDED : v1::RUN_STATE_READY_TO_DROP);
}

v1::StepStatus* NextStep(const v1::EnvironmentStage& stage, v1::Run& run) {
  for (v1::StepStatus& step : *run.mutable_steps()) {
    if (step.state() == v1::STEP_STATE_SUCCEEDED) continue;
    const bool may_drop = stage.state() == v1::STAGE_STATE_DROPPING;
    return may_drop || step.phase() != v1::PHASE_DROP ? &step : nullptr;
  }
  return nullptr;
}

void QueueCompilation(v1::Run& run) {
  run.clear_compilation();
  run.mutable_compilation()->set_state(v1::ATTEMPT_STATE_QUEUED);
}

void OnCompiled(Draft& draft, v1::Run& run, const Compiled& input) {
  if (run.state() != v1::RUN_STATE_COMPILING || Ended(draft.state)) return;
  if (!input.differences.empty()) {
    v1::StepError error;
    error.set_message(absl::StrCat("its steps differ from those that ",
                                   BareName(draft.state.stages(0).environment()), " ran:\n",
                                   absl::StrJoin(input.differences, "\n")));
    error.set_hint(absl::StrCat("bring the schema of ", run.target(), " in line with that of ",
                                BareName(draft.state.stages(0).environment()),
                                ", then `curlew rollout resume ", BareName(draft.state.name()), "`"));
    FailRun(draft, run, error);
    return;
  }
  run.clear_compilation();
  run.set_compiled_digest(input.digest);
  run.set_schema_fingerprint(input.plan.schema_fingerprint());
  for (const v1::Step& step : input.plan.steps()) *run.add_steps() = NewStep(step);
  if (input.plan.has_rollback_gate()) {
    *run.mutable_rollback_gate() = NewStep(input.plan.rollback_gate());
    run.mutable_rollback_gate()->set_key(kRollbackGateKey);
  }
  std::string message = absl::StrCat("compiled to ", run.steps_size(), " steps");
  for (const std::string& warning : input.plan.warnings()) absl::StrAppend(&message, "; warning: ", warning);
  AddEvent(draft, v1::EVENT_TYPE_RUN_COMPILED, run, std::move(message));
  SetRunState(draft, run, v1::RUN_STATE_RUNNING);
}

void OnCompileFailed(Draft& draft, v1::Run& run, const CompileFailed& input) {
  if (run.state() != v1::RUN_STATE_COMPILING || Ended(draft.state)) return;
  v1::Attempt& compilation = *run.mutable_compilation();
  if (!input.retriable) {
    FailRun(draft, run, input.error);
    return;
  }
  if (compilation.state() != v1::ATTEMPT_STATE_LEASED) return;
  compilation.set_number(compilation.number() + 1);
  if (compilation.number() > draft.options.max_errored_attempts) {
    v1::StepError error = input.error;
    error.set_message(absl::StrCat("could not be compiled in ", compilation.number(),
                                   " tries; the last: ", input.error.message()));
    FailRun(draft, run, error);
    return;
  }
  compilation.set_state(v1::ATTEMPT_STATE_QUEUED);
  *compilation.mutable_not_before() =
      base::ToProto(draft.now + RetryPause(DefaultPolicy(draft.options), compilation.number()));
  *compilation.mutable_error() = input.error;
}

void FailRun(Draft& draft, v1::Run& run, const v1::StepError& error) {
  if (run.state() == v1::RUN_STATE_FAILED) return;
  run.clear_compilation();
  *run.mutable_error() = error;
  SetRunState(draft, run, v1::RUN_STATE_FAILED);
  if (Ended(draft.state)) return;
  for (v1::Run& other : *draft.state.mutable_runs()) DropQueued(other);
  SetRolloutState(draft, v1::ROLLOUT_STATE_FAILED, DescribeFailure(draft.state));
}

}  // namespace curlew::rollout
