// The invariants of every transition.
#include "tests/controller/rollout/violations.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "common/base/proto_time.h"
#include "controller/rollout/same_state.h"
#include "tests/controller/rollout/driver.h"

namespace curlew::rollout::testing {
namespace {

using Lines = std::vector<std::string>;

bool IsOut(const v1::Attempt& attempt) {
  return attempt.state() == v1::ATTEMPT_STATE_LEASED || attempt.state() == v1::ATTEMPT_STATE_RUNNING ||
         attempt.state() == v1::ATTEMPT_STATE_UNKNOWN;
}

bool IsUndoing(const v1::StepStatus& step) {
  return step.state() == v1::STEP_STATE_UNDONE || step.attempt().direction() == v1::DIRECTION_UNDO;
}

std::vector<const v1::StepStatus*> AllSteps(const v1::Run& run) {
  std::vector<const v1::StepStatus*> steps;
  for (const v1::StepStatus& step : run.steps()) steps.push_back(&step);
  if (run.has_rollback_gate()) steps.push_back(&run.rollback_gate());
  return steps;
}

void CheckEvents(const v1::Rollout& before, const Transition& transition, Lines& found) {
  int64_t number = before.last_event();
  for (const v1::Event& event : transition.events) {
    if (event.number() != ++number)
      found.push_back(absl::StrCat("event ", event.number(), " is not ", number));
    if (event.message().empty() || !event.has_time()) found.push_back("an event without message or time");
  }
  if (transition.state.last_event() != number) found.push_back("last_event does not count the events");
}

void CheckEtag(const v1::Rollout& before, const Transition& transition, Lines& found) {
  const bool same = SameState(before, transition.state);
  if (same != (before.etag() == transition.state.etag())) found.push_back("the etag does not tell changes");
  if (same && !transition.events.empty()) found.push_back("events without a change");
}

void CheckRun(const v1::Run& run, Lines& found) {
  int live = 0;
  for (const v1::StepStatus* step : AllSteps(run)) {
    const bool is_live = IsOut(step->attempt()) || step->attempt().state() == v1::ATTEMPT_STATE_QUEUED;
    live += is_live;
    if (is_live != (step->state() == v1::STEP_STATE_ACTIVE)) {
      found.push_back(absl::StrCat(step->key(), " of ", run.target(), " is not ACTIVE as its attempt is"));
    }
    if (step->attempt().number() > run.last_attempt()) found.push_back("an attempt beyond the last");
    if ((step->attempt().state() == v1::ATTEMPT_STATE_LEASED ||
         step->attempt().state() == v1::ATTEMPT_STATE_RUNNING) &&
        run.epoch() == 0) {
      found.push_back(absl::StrCat(step->key(), " of ", run.target(), " runs without an agent"));
    }
  }
  if (live > 1) found.push_back(absl::StrCat(live, " live attempts on ", run.target()));
  const bool forward = run.state() == v1::RUN_STATE_RUNNING || run.state() == v1::RUN_STATE_READY_TO_DROP ||
                       run.state() == v1::RUN_STATE_DROPPING || run.state() == v1::RUN_STATE_SUCCEEDED;
  for (int i = 0; i + 1 < run.steps_size(); ++i) {
    const v1::StepStatus& step = run.steps(i);
    const v1::StepStatus& next = run.steps(i + 1);
    if (forward && next.has_start_time() && step.state() != v1::STEP_STATE_SUCCEEDED) {
      found.push_back(
          absl::StrCat(next.key(), " of ", run.target(), " began before ", step.key(), " was done"));
    }
    if (IsUndoing(step) && next.has_start_time() && next.state() != v1::STEP_STATE_UNDONE) {
      found.push_back(absl::StrCat(step.key(), " of ", run.target(), " is undone before ", next.key()));
    }
  }
  if (run.state() == v1::RUN_STATE_SUCCEEDED) {
    for (const v1::StepStatus& step : run.steps()) {
      if (step.state() != v1::STEP_STATE_SUCCEEDED) found.push_back("a run SUCCEEDED without " + step.key());
    }
  }
  if (run.state() == v1::RUN_STATE_ROLLED_BACK) {
    for (const v1::StepStatus& step : run.steps()) {
      if (step.has_start_time() && step.state() != v1::STEP_STATE_UNDONE) {
        found.push_back("a run ROLLED_BACK without undoing " + step.key());
      }
    }
  }
  if (run.state() == v1::RUN_STATE_FAILED && run.error().message().empty()) {
    found.push_back("a run FAILED without an error");
  }
}

void CheckDispatch(const v1::Rollout& state, const DispatchAttempt& dispatch, Lines& found) {
  const auto complain = [&](absl::string_view what) {
    found.push_back(absl::StrCat(Describe(dispatch), " ", what));
  };
  const auto run = std::find_if(state.runs().begin(), state.runs().end(),
                                [&](const v1::Run& run) { return run.target() == dispatch.target; });
  if (run == state.runs().end()) return complain("has no run");
  if (dispatch.epoch == 0 || dispatch.epoch != run->epoch()) complain("has not the agent's epoch");
  if (dispatch.compiled_digest != run->compiled_digest()) complain("has not the run's digest");
  const bool undo = dispatch.direction == v1::DIRECTION_UNDO;
  if (state.state() != (undo ? v1::ROLLOUT_STATE_ROLLING_BACK : v1::ROLLOUT_STATE_RUNNING)) {
    complain("while nothing may begin");
  }
  for (const v1::StepStatus* step : AllSteps(*run)) {
    if (step->key() != dispatch.step) continue;
    if (step->attempt().number() != dispatch.attempt || step->attempt().state() != v1::ATTEMPT_STATE_LEASED) {
      complain("is not the live attempt");
    }
    if (dispatch.override_wait.has_value() != step->has_override() ||
        step->attempt().with_override() != step->has_override()) {
      complain("has not the step's override");
    }
    if (step->has_override() && step->override().reason().empty()) {
      complain("has an override that nobody gave");
    }
    const bool gated = undo && step != &run->rollback_gate() && run->has_rollback_gate();
    if (gated && run->rollback_gate().state() != v1::STEP_STATE_SUCCEEDED)
      complain("before the rollback gate");
  }
}

// What is sent is all that operators have set.
void CheckTuning(const v1::Rollout& state, const std::string& target, const v1::Tuning& sent, Lines& found) {
  for (const v1::Run& run : state.runs()) {
    if (run.target() == target && StableBytes(run.tuning()) != StableBytes(sent)) {
      found.push_back(absl::StrCat(target, " is told another tuning than the run's"));
    }
  }
}

void CheckCause(const v1::Rollout& state, Lines& found) {
  bool works = !state.waiting().empty();
  for (const v1::Run& run : state.runs()) {
    works |= run.compilation().state() == v1::ATTEMPT_STATE_LEASED;
    for (const v1::StepStatus* step : AllSteps(run)) works |= IsOut(step->attempt());
  }
  const bool goes =
      state.state() == v1::ROLLOUT_STATE_RUNNING || state.state() == v1::ROLLOUT_STATE_ROLLING_BACK;
  if (goes && !works) found.push_back("it neither works nor waits");
  if (!goes && !state.waiting().empty()) found.push_back("it stands and waits");
  const bool stands = state.state() == v1::ROLLOUT_STATE_PAUSED ||
                      state.state() == v1::ROLLOUT_STATE_FAILED || state.state() == v1::ROLLOUT_STATE_ABORTED;
  if (stands && state.reason().empty()) found.push_back("it stands without a reason");
  for (const v1::Waiting& waiting : state.waiting()) {
    if (waiting.message().empty() || !waiting.has_since()) found.push_back("a cause without words");
  }
}

}  // namespace

std::vector<std::string> Violations(const v1::Rollout& before, const Transition& transition, absl::Time now) {
  Lines found;
  const v1::Rollout& state = transition.state;
  CheckEvents(before, transition, found);
  CheckEtag(before, transition, found);
  CheckCause(state, found);
  for (const v1::Run& run : state.runs()) CheckRun(run, found);
  for (const Command& command : transition.commands) {
    if (const auto* dispatch = std::get_if<DispatchAttempt>(&command)) {
      CheckDispatch(state, *dispatch, found);
      for (const std::string& held : HeldBack(before, state, *dispatch, now)) {
        found.push_back(absl::StrCat(Describe(command), " ", held));
      }
      CheckTuning(state, dispatch->target, dispatch->tuning.value_or(v1::Tuning()), found);
    }
    if (const auto* tune = std::get_if<SendTuning>(&command)) {
      CheckTuning(state, tune->target, tune->tuning, found);
    }
  }
  for (int i = 0; i + 1 < state.stages_size(); ++i) {
    // One that has begun goes on, also where the one before falls back.
    const bool had_begun = before.stages(i + 1).state() != v1::STAGE_STATE_PENDING &&
                           before.stages(i + 1).state() != v1::STAGE_STATE_PREPARING;
    const bool has_begun = state.stages(i + 1).state() != v1::STAGE_STATE_PENDING &&
                           state.stages(i + 1).state() != v1::STAGE_STATE_PREPARING;
    if (!had_begun && has_begun && state.stages(i).state() != v1::STAGE_STATE_DONE) {
      found.push_back("a stage began before the one before was done");
    }
  }
  if (state.state() == v1::ROLLOUT_STATE_SUCCEEDED) {
    for (const v1::Run& run : state.runs()) {
      if (run.state() != v1::RUN_STATE_SUCCEEDED && run.state() != v1::RUN_STATE_SKIPPED) {
        found.push_back("SUCCEEDED without " + run.target());
      }
    }
  }
  for (const std::string& wrong : WrongPolicies(before, state)) found.push_back(wrong);
  if (Ended(state) != state.has_end_time()) found.push_back("end_time does not tell the end");
  if (transition.wake <= now) found.push_back("it wants to wake in the past");
  return found;
}

}  // namespace curlew::rollout::testing
