#include <algorithm>
#include <map>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "common/base/proto_time.h"
#include "common/plan/window.h"
#include "tests/controller/rollout/violations.h"

namespace curlew::rollout::testing {
namespace {

using Lines = std::vector<std::string>;

const v1::Run& RunOf(const v1::Rollout& state, const std::string& target) {
  return *std::find_if(state.runs().begin(), state.runs().end(),
                       [&](const v1::Run& run) { return run.target() == target; });
}

const v1::EnvironmentStage& StageOf(const v1::Rollout& state, const v1::Run& run) {
  return *std::find_if(state.stages().begin(), state.stages().end(), [&](const v1::EnvironmentStage& stage) {
    return stage.environment() == run.environment();
  });
}

// Whether the check holds at the gate, for the target ("" for one that is made once for all).
bool CheckHolds(const v1::Gate& gate, const v1::HealthCheck& check, const std::string& target,
                absl::Time now) {
  for (const v1::CheckStatus& status : gate.checks()) {
    if (status.check() != check.name() || status.target() != target) continue;
    return status.state() == v1::CHECK_STATE_PASSING &&
           base::FromProto(status.since()) + base::FromProto(check.hold()) <= now;
  }
  return false;
}

void CheckGate(const v1::Gate& gate, const std::string& target, bool needs_approvals, absl::Time now,
               Lines& found) {
  const auto complain = [&](absl::string_view what) {
    found.push_back(absl::StrCat("before gate ", gate.id(), ": ", what));
  };
  if (needs_approvals) {
    int approvals = 0;
    for (const v1::Approval& approval : gate.approvals()) {
      approvals +=
          approval.void_reason().empty() && (approval.cover().empty() || approval.cover() == gate.cover());
    }
    if (approvals < gate.required_approvals()) complain("approvals are missing");
    if (!gate.has_open_time()) complain("it is not open");
  }
  if (gate.has_skip()) return;
  if (base::FromProto(gate.policy().soak()) > absl::ZeroDuration() &&
      (!gate.has_reached_time() ||
       base::FromProto(gate.reached_time()) + base::FromProto(gate.policy().soak()) > now)) {
    complain("it has not soaked");
  }
  const bool open =
      gate.policy().windows().empty() ||
      std::any_of(gate.policy().windows().begin(), gate.policy().windows().end(),
                  [&](const v1::Window& window) { return plan::Window::Parse(window).value().IsOpen(now); });
  if (!open) complain("outside its windows");
  for (const v1::HealthCheck& check : gate.policy().checks()) {
    const bool per_target = check.has_agent() || check.has_plan();
    if (!CheckHolds(gate, check, per_target ? target : "", now)) {
      complain("check " + check.name() + " does not hold");
    }
  }
}

bool IsAtWork(const v1::Run& run) {
  if (run.state() == v1::RUN_STATE_COMPILING) return !run.compiled_digest().empty();
  return run.state() == v1::RUN_STATE_RUNNING || run.state() == v1::RUN_STATE_DROPPING;
}

// Runs that have just begun while their wave had no room.
void CheckLimits(const v1::Rollout& before, const v1::Rollout& state, Lines& found) {
  std::map<std::string, int> at_work, begun;
  for (int i = 0; i < state.runs_size(); ++i) {
    const v1::Run& run = state.runs(i);
    if (!IsAtWork(run) || run.set_aside()) continue;
    const std::string wave = absl::StrCat(run.environment(), "/", run.wave());
    ++at_work[wave];
    const v1::RunState was = i < before.runs_size() ? before.runs(i).state() : v1::RUN_STATE_UNSPECIFIED;
    begun[wave] += was == v1::RUN_STATE_COMPILED;
  }
  for (const v1::EnvironmentStage& stage : state.stages()) {
    for (const v1::Wave& wave : stage.waves()) {
      const std::string name = absl::StrCat(stage.environment(), "/", wave.name());
      if (wave.max_parallel() > 0 && begun[name] > 0 && at_work[name] > wave.max_parallel()) {
        found.push_back("too many work at the same time in " + name);
      }
    }
  }
}

}  // namespace

std::vector<std::string> HeldBack(const v1::Rollout& before, const v1::Rollout& state,
                                  const DispatchAttempt& dispatch, absl::Time now) {
  // Rollbacks pass all of them.
  if (dispatch.direction == v1::DIRECTION_UNDO) return {};
  Lines found;
  const v1::Run& run = RunOf(state, dispatch.target);
  const v1::EnvironmentStage& stage = StageOf(state, run);
  const bool begins = !RunOf(before, dispatch.target).has_start_time();
  if (begins && !run.held_by().empty()) found.push_back("while another rollout comes first");
  if (run.state() == v1::RUN_STATE_SKIPPED) found.push_back("of a target that is left out");
  for (const v1::Freeze& freeze : stage.policy().freezes()) {
    if (plan::Freeze::Parse(freeze).value().IsOn(now)) found.push_back("in a freeze");
  }
  const auto step = std::find_if(run.steps().begin(), run.steps().end(),
                                 [&](const v1::StepStatus& step) { return step.key() == dispatch.step; });
  const bool drops = step != run.steps().end() && step->phase() == v1::PHASE_DROP;
  CheckGate(stage.before(), run.target(), begins, now, found);
  if (drops) {
    CheckGate(stage.before_drop(), run.target(), true, now, found);
    if (stage.state() != v1::STAGE_STATE_DROPPING) found.push_back("before the gate before DROP");
  }
  for (const v1::Wave& wave : stage.waves()) {
    if (wave.name() != run.wave()) {
      const bool through = wave.state() == v1::WAVE_STATE_READY_TO_DROP ||
                           wave.state() == v1::WAVE_STATE_DROPPING ||
                           wave.state() == v1::WAVE_STATE_BAKING_DROP || wave.state() == v1::WAVE_STATE_DONE;
      if (begins && !through) found.push_back(absl::StrCat("before wave ", wave.name(), " has baked"));
      continue;
    }
    if (wave.state() == v1::WAVE_STATE_PENDING) found.push_back("before its wave");
    if (wave.has_before()) CheckGate(wave.before(), run.target(), begins, now, found);
    break;
  }
  return found;
}

std::vector<std::string> WrongPolicies(const v1::Rollout& before, const v1::Rollout& state) {
  Lines found;
  CheckLimits(before, state, found);
  const auto judge = [&](const v1::Gate& gate) {
    for (const v1::Approval& approval : gate.approvals()) {
      if (absl::EqualsIgnoreCase(approval.actor(), state.creator()) ||
          absl::EqualsIgnoreCase(approval.actor(), state.plan_author())) {
        found.push_back("an approval by the author of gate " + gate.id());
      }
    }
  };
  for (const v1::EnvironmentStage& stage : state.stages()) {
    judge(stage.before());
    judge(stage.before_drop());
    for (const v1::Wave& wave : stage.waves()) judge(wave.before());
  }
  std::map<std::string, int> aside, failed;
  for (const v1::Run& run : state.runs()) {
    const std::string wave = absl::StrCat(run.environment(), "/", run.wave());
    const v1::Environment& policy = StageOf(state, run).policy();
    if (run.set_aside() && ++aside[wave] > policy.max_unavailable()) {
      found.push_back("too many are set aside of " + wave);
    }
    if (run.state() == v1::RUN_STATE_FAILED && ++failed[wave] > policy.max_failed() &&
        policy.on_failure() != v1::FAILURE_ACTION_CONTINUE && state.state() == v1::ROLLOUT_STATE_RUNNING) {
      found.push_back("it goes on with too many failures in " + wave);
    }
    if (run.state() == v1::RUN_STATE_SKIPPED && run.has_start_time()) {
      found.push_back("left out after it had begun: " + run.target());
    }
  }
  return found;
}

}  // namespace curlew::rollout::testing
