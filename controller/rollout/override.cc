#include "controller/rollout/override.h"

#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/string_view.h"
#include "common/base/error_detail.h"
#include "common/base/own_sqlstate.h"
#include "controller/rollout/attempt.h"
#include "controller/rollout/gates.h"
#include "controller/rollout/names.h"
#include "controller/rollout/operators.h"
#include "controller/rollout/rollback.h"
#include "controller/rollout/run.h"

namespace curlew::rollout {
namespace {

// The step that the run is at, or nullptr where it is at none.
v1::StepStatus* StepAt(const v1::Rollout& rollout, v1::Run& run) {
  switch (run.state()) {
    case v1::RUN_STATE_RUNNING:
    case v1::RUN_STATE_DROPPING:
      return NextStep(run);
    case v1::RUN_STATE_ROLLING_BACK:
      return GateAhead(run);
    case v1::RUN_STATE_FAILED:
      if (!rollout.has_rollback_time()) return NextStep(run);
      // Others that failed were left behind where the rollback could not take them.
      return run.rollback_gate().state() == v1::STEP_STATE_FAILED ? run.mutable_rollback_gate() : nullptr;
    default:
      return nullptr;
  }
}

absl::Status NeedsWord(absl::string_view message, absl::string_view hint) {
  return base::WithDetail(absl::InvalidArgumentError(message), base::kHint, hint);
}

absl::Status CheckInput(v1::Rollout& rollout, const OverrideAsked& input) {
  if (input.actor.empty()) return NeedsWord("an override needs an actor: who decides?", "give --actor NAME");
  if (absl::StripAsciiWhitespace(input.reason).empty()) {
    return NeedsWord("an override needs a reason: why need it not hold?", "give --reason TEXT");
  }
  if (!input.target.empty() && FindRun(rollout, input.target) == nullptr) {
    return UnknownTarget(rollout, input.target);
  }
  return Ended(rollout) ? Misfit(rollout, "overridden") : absl::OkStatus();
}

bool IsIdle(const v1::Run& run) {
  return run.state() == v1::RUN_STATE_PENDING || run.state() == v1::RUN_STATE_COMPILED ||
         run.state() == v1::RUN_STATE_SKIPPED || run.state() == v1::RUN_STATE_SUCCEEDED ||
         run.state() == v1::RUN_STATE_ROLLED_BACK;
}

// Whether it may be said of the step, by itself or, signed, once more.
bool MayOverride(const v1::Run& run, const v1::StepStatus& step, const OverrideAsked& input) {
  if (input.signature.has_value()) {
    if (!IsNamed(*input.signature, run, step)) return false;
    if (step.has_override()) return true;
  }
  return !step.has_override() && (step.waits() || HasRowsQuarantined(step));
}

absl::Status NothingWaits(v1::Rollout& rollout, const std::string& target, absl::Time now) {
  std::vector<std::string> runs;
  for (v1::Run& run : *rollout.mutable_runs()) {
    if (target.empty() ? IsIdle(run) : run.target() != target) continue;
    const v1::StepStatus* step = StepAt(rollout, run);
    if (step == nullptr) {
      runs.push_back(absl::StrCat(run.target(), " is ", Name(run.state())));
    } else if (step->has_override()) {
      runs.push_back(
          absl::StrCat(run.target(), " is at ", step->key(), ", ", OverrideText(step->override())));
    } else {
      runs.push_back(absl::StrCat(run.target(), " is at ", step->key()));
    }
  }
  std::string message = absl::StrCat(BareName(rollout.name()), " has nothing that could be overridden: ",
                                     runs.empty() ? "no target is at work" : absl::StrJoin(runs, ", "));
  if (const v1::Gate* gate = GateToApprove(rollout, now).gate) {
    absl::StrAppend(&message, "; gate ", gate->id(), " is opened by `curlew rollout approve ",
                    BareName(rollout.name()), " --gate ", gate->id(), "`");
  }
  return base::WithDetail(absl::FailedPreconditionError(message), base::kReason, "NOTHING_WAITS");
}

}  // namespace

bool LacksOverride(const v1::StepStatus& step) {
  return step.has_override() && !step.attempt().with_override();
}

bool HasRowsQuarantined(const v1::StepStatus& step) {
  return step.state() == v1::STEP_STATE_FAILED && step.attempt().error().sqlstate() == base::kRowsQuarantined;
}

bool IsNamed(const v1::DecisionSignature& signature, const v1::Run& run, const v1::StepStatus& step) {
  return signature.statement().step() == step.key() &&
         signature.statement().compiled_digests().contains(run.target());
}

void SetOverride(v1::StepStatus& step, const std::string& actor, const std::string& reason,
                 const std::optional<v1::DecisionSignature>& signature) {
  v1::Override& said = *step.mutable_override();
  said.Clear();
  said.set_actor(actor);
  said.set_reason(reason);
  if (signature.has_value()) *said.mutable_signature() = *signature;
}

std::string OverrideText(const v1::Override& override_wait) {
  return Deed("overridden", override_wait.actor(), override_wait.reason());
}

absl::Status OnOverrideAsked(Draft& draft, const OverrideAsked& input) {
  v1::Rollout& rollout = draft.state;
  if (absl::Status status = CheckInput(rollout, input); !status.ok()) return status;
  bool any = false;
  for (v1::Run& run : *rollout.mutable_runs()) {
    if (!input.target.empty() && run.target() != input.target) continue;
    v1::StepStatus* step = StepAt(rollout, run);
    if (step == nullptr || !MayOverride(run, *step, input)) continue;
    any = true;
    const bool said_before = step->has_override();
    SetOverride(*step, input.actor, input.reason, input.signature);
    const std::string deed = OverrideText(step->override());
    const absl::string_view what =
        step->waits() ? "need not wait: " : "may leave the rows that it could not write: ";
    AddEvent(draft, v1::EVENT_TYPE_STEP_OVERRIDDEN, run, *step, absl::StrCat(what, deed))
        .set_actor(input.actor);
    // An attempt that runs with what was said before needs no more.
    if (!said_before) OnOverridden(draft, run, *step, deed);
  }
  return any ? absl::OkStatus() : NothingWaits(rollout, input.target, draft.now);
}

}  // namespace curlew::rollout
