#include "controller/rollout/failure.h"

#include <algorithm>
#include <string>

#include "absl/strings/str_cat.h"
#include "controller/rollout/attempt.h"
#include "controller/rollout/describe.h"
#include "controller/rollout/rollback.h"

namespace curlew::rollout {
namespace {

// How the run's wave stands, the run itself included.
struct Count {
  int failed = 0, others = 0;  // others: neither failed nor left out nor set aside
};

Count CountWave(const v1::Rollout& rollout, const v1::Run& run) {
  Count count;
  for (const v1::Run& other : rollout.runs()) {
    if (other.environment() != run.environment() || other.wave() != run.wave()) continue;
    count.failed += other.state() == v1::RUN_STATE_FAILED;
    count.others +=
        other.state() != v1::RUN_STATE_FAILED && other.state() != v1::RUN_STATE_SKIPPED && !other.set_aside();
  }
  return count;
}

bool AnyBegun(const v1::Rollout& rollout, const v1::EnvironmentStage& stage) {
  return std::any_of(rollout.runs().begin(), rollout.runs().end(), [&](const v1::Run& run) {
    return run.environment() == stage.environment() && IsBegun(run);
  });
}

}  // namespace

bool RollBackByPolicy(Draft& draft, const v1::EnvironmentStage& stage, absl::string_view why) {
  const RollbackAsked asked{
      .actor = kPolicyActor, .reason = std::string(why), .environment = stage.environment()};
  if (!CheckRollback(draft.state, asked).ok()) return false;
  AddEvent(draft, v1::EVENT_TYPE_POLICY_ACTED,
           absl::StrCat(BareName(stage.environment()), " is rolled back: ", why))
      .set_actor(kPolicyActor);
  return OnRollbackAsked(draft, asked).ok();
}

void FailRun(Draft& draft, v1::Run& run, const v1::StepError& error) {
  if (run.state() == v1::RUN_STATE_FAILED) return;
  const bool undoing = run.state() == v1::RUN_STATE_ROLLING_BACK;
  run.clear_compilation();
  run.set_set_aside(false);
  *run.mutable_error() = error;
  SetRunState(draft, run, v1::RUN_STATE_FAILED);
  const v1::Rollout& rollout = draft.state;
  // A run that is not undone holds up no other that is.
  if (Ended(rollout) || (rollout.state() == v1::ROLLOUT_STATE_ROLLING_BACK && !undoing)) return;
  const bool forward = !rollout.has_rollback_time() && (rollout.state() == v1::ROLLOUT_STATE_RUNNING ||
                                                        rollout.state() == v1::ROLLOUT_STATE_PAUSED);
  const v1::EnvironmentStage& stage = StageOf(draft.state, run);
  const v1::Environment& policy = stage.policy();
  if (forward) {
    const auto [failed, others] = CountWave(rollout, run);
    // A wave of which nothing is left has proved nothing, whatever the budget: a canary above all.
    const bool tolerated = failed <= policy.max_failed() && others > 0;
    if (policy.on_failure() == v1::FAILURE_ACTION_CONTINUE || tolerated) return;
    // Where nothing was changed yet there is nothing to undo: what is wrong may be mended, and the rollout
    // resumed.
    if (policy.on_failure() == v1::FAILURE_ACTION_ROLLBACK && rollout.state() == v1::ROLLOUT_STATE_RUNNING &&
        AnyBegun(rollout, stage) &&
        RollBackByPolicy(draft, stage,
                         absl::StrCat(failed, failed == 1 ? " target" : " targets", " of ",
                                      BareName(stage.environment()), "/", run.wave(), " failed (at most ",
                                      policy.max_failed(), " may); ", run.target(), ": ", error.message()))) {
      return;
    }
  }
  for (v1::Run& other : *draft.state.mutable_runs()) DropQueued(other);
  SetRolloutState(draft, v1::ROLLOUT_STATE_FAILED, DescribeFailure(draft.state));
}

}  // namespace curlew::rollout
