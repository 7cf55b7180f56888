#include "controller/rollout/skip.h"

#include <string>
#include <utility>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/string_view.h"
#include "common/base/error_detail.h"
#include "common/base/status_macros.h"
#include "controller/rollout/names.h"
#include "controller/rollout/operators.h"
#include "controller/rollout/override.h"
#include "controller/rollout/run.h"

namespace curlew::rollout {
namespace {

using Found = std::vector<std::pair<v1::Run*, v1::StepStatus*>>;

absl::Status NeedsWord(absl::string_view message, absl::string_view hint) {
  return base::WithDetail(absl::InvalidArgumentError(message), base::kHint, hint);
}

absl::Status CheckInput(v1::Rollout& rollout, const SkipAsked& input) {
  if (input.actor.empty())
    return NeedsWord("to skip a step needs an actor: who decides?", "give --actor NAME");
  if (absl::StripAsciiWhitespace(input.reason).empty()) {
    return NeedsWord("to skip a step needs a reason: why is it not needed?", "give --reason TEXT");
  }
  if (!input.target.empty() && FindRun(rollout, input.target) == nullptr) {
    return UnknownTarget(rollout, input.target);
  }
  return absl::OkStatus();
}

// The steps that are meant: the named one, or those that have failed.
Found FindSteps(v1::Rollout& rollout, const SkipAsked& input) {
  Found found;
  for (v1::Run& run : *rollout.mutable_runs()) {
    if (!input.target.empty() && run.target() != input.target) continue;
    for (v1::StepStatus& step : *run.mutable_steps()) {
      const bool failed = step.state() == v1::STEP_STATE_FAILED;
      if (input.signature.has_value() && !IsNamed(*input.signature, run, step)) continue;
      if (input.step.empty() ? failed : step.key() == input.step) found.emplace_back(&run, &step);
    }
  }
  // Without a target it is about those that stand at the step, if any do.
  Found failed;
  for (const auto& [run, step] : found) {
    if (step->state() == v1::STEP_STATE_FAILED) failed.emplace_back(run, step);
  }
  return input.target.empty() && !failed.empty() ? failed : found;
}

std::string State(const v1::StepStatus& step) {
  return PlainName(v1::StepState_Name(step.state()), "STEP_STATE_");
}

absl::Status Refused(std::string message) {
  return base::WithDetail(absl::FailedPreconditionError(message), base::kReason, "NOT_SKIPPABLE");
}

absl::Status CheckStep(const v1::Rollout& rollout, const v1::Run& run, const v1::StepStatus& step) {
  const std::string name(BareName(rollout.name()));
  const std::string about = absl::StrCat(step.key(), " of ", run.target());
  if (step.waits()) {
    return Refused(absl::StrCat(about,
                                " waits, which is not skipped but overridden: `curlew rollout override ",
                                name, " --target ", run.target(), " --reason '...'`"));
  }
  if (step.state() != v1::STEP_STATE_FAILED) {
    return Refused(absl::StrCat(about, " has not failed, so it cannot be skipped: it is ", State(step)));
  }
  if (step.skippable()) return absl::OkStatus();
  std::string message = absl::StrCat(about, " cannot be skipped: what comes later, or the data, needs it; ");
  if (HasRowsQuarantined(step)) {
    absl::StrAppend(&message,
                    "to leave the rows that it could not write as they are: `curlew rollout override ", name,
                    " --target ", run.target(), " --reason '...'`, then retry; ");
  }
  return Refused(absl::StrCat(message, "to try it again: `curlew rollout retry ", name,
                              "`; to undo what was done: `curlew rollout rollback ", name, "`"));
}

}  // namespace

absl::Status OnSkipAsked(Draft& draft, const SkipAsked& input) {
  v1::Rollout& rollout = draft.state;
  RETURN_IF_ERROR(CheckInput(rollout, input));
  const Found found = FindSteps(rollout, input);
  if (found.empty() && !input.step.empty()) {
    return absl::NotFoundError(absl::StrCat(
        input.target.empty() ? BareName(rollout.name()) : absl::string_view(input.target), " has no step \"",
        input.step, "\"; `curlew rollout show ", BareName(rollout.name()), "` lists them"));
  }
  if (Ended(rollout) || rollout.has_rollback_time()) {
    return Refused(absl::StrCat(BareName(rollout.name()), " is ", Name(rollout.state()),
                                ": steps are skipped on the way forward only"));
  }
  if (found.empty()) {
    return Refused(
        absl::StrCat(BareName(rollout.name()), " has no step that has failed, so none can be skipped"));
  }
  for (const auto& [run, step] : found) RETURN_IF_ERROR(CheckStep(rollout, *run, *step));
  for (const auto& [run, step] : found) {
    SetOverride(*step, input.actor, input.reason, input.signature);
    AddEvent(draft, v1::EVENT_TYPE_STEP_SKIPPED, *run, *step,
             absl::StrCat("is left out: ", Deed("skipped", input.actor, input.reason)))
        .set_actor(input.actor);
  }
  if (rollout.state() != v1::ROLLOUT_STATE_RUNNING) return OnResumeAsked(draft, {input.actor, input.reason});
  // Their failures are tolerated, and the rollout goes on: so do they.
  for (const auto& [run, step] : found) TakeUp(draft, *run);
  return absl::OkStatus();
}

absl::Status OnTargetSkipped(Draft& draft, const TargetSkipped& input) {
  v1::Rollout& rollout = draft.state;
  if (input.actor.empty()) {
    return NeedsWord("to leave a target out needs an actor: who decides?", "give --actor NAME");
  }
  if (absl::StripAsciiWhitespace(input.reason).empty()) {
    return NeedsWord("to leave a target out needs a reason: why is it left out?", "give --reason TEXT");
  }
  v1::Run* run = FindRun(rollout, input.target);
  if (run == nullptr) return UnknownTarget(rollout, input.target);
  if (Ended(rollout) || rollout.has_rollback_time()) {
    return Misfit(rollout, absl::StrCat("left out of ", input.target));
  }
  if (run->state() == v1::RUN_STATE_SKIPPED || IsBegun(*run)) {
    return base::WithDetail(
        absl::FailedPreconditionError(absl::StrCat(
            input.target,
            run->state() == v1::RUN_STATE_SKIPPED
                ? absl::StrCat(" is left out already, ",
                               Deed("decided", run->skip().actor(), run->skip().reason()))
                : absl::StrCat(" cannot be left out: its steps have begun; `curlew rollout rollback ",
                               BareName(rollout.name()), "` undoes them"))),
        base::kReason, "TARGET_BEGUN");
  }
  run->mutable_skip()->set_actor(input.actor);
  run->mutable_skip()->set_reason(input.reason);
  run->clear_error();
  run->set_set_aside(false);
  run->clear_waiting_since();
  ForgetCompiled(*run);
  AddEvent(draft, v1::EVENT_TYPE_TARGET_SKIPPED, *run,
           absl::StrCat("is left out: ", Deed("decided", input.actor, input.reason)))
      .set_actor(input.actor);
  SetRunState(draft, *run, v1::RUN_STATE_SKIPPED);
  return absl::OkStatus();
}

}  // namespace curlew::rollout
