#include "controller/rollout/run.h"

#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/base/proto_time.h"
#include "controller/rollout/attempt.h"
#include "controller/rollout/failure.h"
#include "controller/rollout/first_compiled.h"
#include "controller/rollout/gates.h"

namespace curlew::rollout {
namespace {

// Whether the action only looks.
bool ChangesNothing(const v1::Action& action) {
  switch (action.kind_case()) {
    case v1::Action::kVerify:
    case v1::Action::kWait:
    case v1::Action::kAnalyze:
    case v1::Action::kBackup:
    case v1::Action::kMeasure:
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

// Why preflight keeps the run from beginning; empty where it does not.
std::vector<std::string> Blockers(const v1::Environment& policy, const v1::Preflight& preflight) {
  std::vector<std::string> blockers;
  for (const v1::PreflightFinding& finding : preflight.findings()) {
    const bool blocks = finding.severity() == v1::PREFLIGHT_SEVERITY_ERROR ||
                        (finding.severity() == v1::PREFLIGHT_SEVERITY_WARNING && policy.strict_preflight());
    if (!blocks) continue;
    std::string text = absl::StrCat(finding.code(), ": ", finding.message());
    if (!finding.hint().empty()) absl::StrAppend(&text, "; ", finding.hint());
    blockers.push_back(std::move(text));
  }
  return blockers;
}

// How it goes on after a run that could not begin.
std::string OrLeaveItOut(const v1::Rollout& rollout, const v1::Run& run) {
  const absl::string_view name = BareName(rollout.name());
  return absl::StrCat(" or leave it out with `curlew rollout skip-target ", name, " ", run.target(),
                      " --reason '...'`; then `curlew rollout resume ", name, "`");
}

v1::StepError Blocked(const v1::Rollout& rollout, const v1::Run& run,
                      const std::vector<std::string>& blockers) {
  v1::StepError error;
  error.set_message(absl::StrCat("preflight: ", absl::StrJoin(blockers, "\n")));
  error.set_hint(absl::StrCat("see to it on ", run.target(), ",", OrLeaveItOut(rollout, run)));
  return error;
}

v1::StepError Differs(const v1::Rollout& rollout, const v1::Run& run,
                      const std::vector<std::string>& differences) {
  const v1::Run* compiled = FirstCompiled(rollout, run.target());
  const std::string first = compiled == nullptr ? "the first target" : compiled->target();
  v1::StepError error;
  error.set_message(
      absl::StrCat("its steps differ from those of ", first, ":\n", absl::StrJoin(differences, "\n")));
  error.set_hint(absl::StrCat("bring the schema of ", run.target(), " in line with what ", first,
                              " was compiled against,", OrLeaveItOut(rollout, run)));
  return error;
}

v1::StepError Drifted(const v1::Rollout& rollout, const v1::Run& run, const Compiled& input) {
  v1::StepError error;
  error.set_message(absl::StrCat("its schema has changed since it was approved: fingerprint ",
                                 input.plan.schema_fingerprint(), ", not ", run.schema_fingerprint()));
  if (!input.differences.empty()) {
    absl::StrAppend(error.mutable_message(), "; its steps differ now:\n",
                    absl::StrJoin(input.differences, "\n"));
  }
  error.set_hint(absl::StrCat("find out who changed it; `curlew rollout resume ", BareName(rollout.name()),
                              "` takes it as it is now, and approvals that did not cover that are void"));
  return error;
}

// The agent, which is there, does not have it: another attempt would follow, but nothing may.
void Settle(Draft& draft, v1::Run& run, v1::StepStatus& step) {
  if (step.attempt().state() == v1::ATTEMPT_STATE_UNKNOWN && run.epoch() > 0) SettleUnknown(draft, run, step);
}

// Whether the step stands behind the gate before DROP: a step of DROP, and in a plan of several stages
// whatever comes after one.
bool IsBehindDropGate(const v1::Run& run, const v1::StepStatus& step) {
  for (const v1::StepStatus& other : run.steps()) {
    if (other.phase() == v1::PHASE_DROP) return true;
    if (&other == &step) return false;
  }
  return step.phase() == v1::PHASE_DROP;
}

bool IsHeld(const v1::Run& run, const v1::StepStatus& step, const Holds& holds) {
  if (IsBehindDropGate(run, step)) return holds.drop;
  return IsBegun(run) ? holds.step : holds.begin;
}

}  // namespace

void AdvanceRun(Draft& draft, v1::Run& run, const Holds& holds) {
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
  if (v1::StepStatus* step = NextStep(run)) {
    if (IsHeld(run, *step, holds)) {
      Settle(draft, run, *step);
    } else {
      Work(draft, run, *step, v1::DIRECTION_DO);
    }
    return;
  }
  const bool dropping = run.state() == v1::RUN_STATE_DROPPING;
  SetRunState(draft, run, dropping ? v1::RUN_STATE_SUCCEEDED : v1::RUN_STATE_READY_TO_DROP);
}

v1::StepStatus* NextStep(v1::Run& run) {
  for (v1::StepStatus& step : *run.mutable_steps()) {
    if (step.state() == v1::STEP_STATE_SUCCEEDED) continue;
    return run.state() != v1::RUN_STATE_RUNNING || step.phase() != v1::PHASE_DROP ? &step : nullptr;
  }
  return nullptr;
}

void StartCompilation(Draft& draft, v1::Run& run) {
  if (run.state() != v1::RUN_STATE_PENDING || !run.held_by().empty()) return;
  QueueCompilation(run);
  SetRunState(draft, run, v1::RUN_STATE_COMPILING);
}

void QueueCompilation(v1::Run& run) {
  run.clear_compilation();
  run.mutable_compilation()->set_state(v1::ATTEMPT_STATE_QUEUED);
}

void ForgetCompiled(v1::Run& run) {
  run.clear_compilation();
  run.clear_compiled_digest();
  run.clear_steps();
  run.clear_rollback_gate();
}

void OnCompiled(Draft& draft, v1::Run& run, const Compiled& input) {
  if (run.state() != v1::RUN_STATE_COMPILING || Ended(draft.state)) return;
  const bool again = !run.compiled_digest().empty();
  // What was asked for before its agent was lost says nothing of now.
  if (again && run.compilation().state() != v1::ATTEMPT_STATE_LEASED) return;
  *run.mutable_preflight() = input.preflight;
  *run.mutable_preflight()->mutable_time() = base::ToProto(draft.now);
  if (again && input.digest != run.compiled_digest()) {
    return FailRun(draft, run, Drifted(draft.state, run, input));
  }
  if (!input.differences.empty()) return FailRun(draft, run, Differs(draft.state, run, input.differences));
  const auto blockers = Blockers(StageOf(draft.state, run).policy(), input.preflight);
  if (!blockers.empty()) return FailRun(draft, run, Blocked(draft.state, run, blockers));
  run.clear_compilation();
  if (again) return SetRunState(draft, run, v1::RUN_STATE_RUNNING);
  run.set_compiled_digest(input.digest);
  for (const v1::Step& step : input.plan.steps()) *run.add_steps() = NewStep(step);
  if (input.plan.has_rollback_gate()) {
    *run.mutable_rollback_gate() = NewStep(input.plan.rollback_gate());
    run.mutable_rollback_gate()->set_key(kRollbackGateKey);
  }
  std::string message = absl::StrCat("compiled to ", run.steps_size(), " steps");
  for (const std::string& warning : input.plan.warnings()) absl::StrAppend(&message, "; warning: ", warning);
  AddEvent(draft, v1::EVENT_TYPE_RUN_COMPILED, run, std::move(message));
  SetRunState(draft, run, v1::RUN_STATE_COMPILED);
  draft.compiled = run.target();
  if (run.schema_fingerprint() == input.plan.schema_fingerprint()) return;
  run.set_schema_fingerprint(input.plan.schema_fingerprint());
  OnSchemaChanged(draft, run);
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

}  // namespace curlew::rollout
