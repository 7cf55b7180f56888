#include "controller/rollout/gates.h"

#include <algorithm>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/base/proto_time.h"
#include "controller/rollout/operators.h"
#include "controller/rollout/run.h"

namespace curlew::rollout {
namespace {

void Open(Draft& draft, v1::Gate& gate) {
  if (gate.has_open_time()) return;
  *gate.mutable_open_time() = base::ToProto(draft.now);
  AddEvent(draft, v1::EVENT_TYPE_GATE_OPENED, absl::StrCat("gate ", gate.id(), " is open"));
}

// Arrives at the gate. Returns whether it may be passed.
bool Pass(Draft& draft, v1::Gate& gate) {
  const bool holds = Holds(gate);
  if (!gate.has_reached_time()) {
    *gate.mutable_reached_time() = base::ToProto(draft.now);
    if (!holds) {
      AddEvent(draft, v1::EVENT_TYPE_GATE_REACHED,
               absl::StrCat("gate ", gate.id(), " needs ", gate.required_approvals(),
                            gate.required_approvals() == 1 ? " approval" : " approvals"));
    }
  }
  if (holds) {
    Open(draft, gate);
  } else {
    gate.clear_open_time();
  }
  return holds;
}

std::vector<v1::Run*> RunsOf(v1::Rollout& rollout, const v1::EnvironmentStage& stage) {
  std::vector<v1::Run*> runs;
  for (v1::Run& run : *rollout.mutable_runs()) {
    if (run.environment() == stage.environment()) runs.push_back(&run);
  }
  return runs;
}

bool AllAre(const std::vector<v1::Run*>& runs, v1::RunState state) {
  return std::all_of(runs.begin(), runs.end(), [&](const v1::Run* run) { return run->state() == state; });
}

// Takes the stage one state further. Returns false where it has to wait.
bool AdvanceStage(Draft& draft, v1::EnvironmentStage& stage) {
  const std::vector<v1::Run*> runs = RunsOf(draft.state, stage);
  switch (stage.state()) {
    case v1::STAGE_STATE_PENDING:
      if (!Pass(draft, *stage.mutable_before())) return false;
      SetStageState(draft, stage, v1::STAGE_STATE_RUNNING);
      for (v1::Run* run : runs) {
        QueueCompilation(*run);
        SetRunState(draft, *run, v1::RUN_STATE_COMPILING);
      }
      return true;
    case v1::STAGE_STATE_RUNNING:
      for (v1::Run* run : runs) AdvanceRun(draft, *run);
      if (!AllAre(runs, v1::RUN_STATE_READY_TO_DROP)) return false;
      SetStageState(draft, stage, v1::STAGE_STATE_AT_DROP_GATE);
      return true;
    case v1::STAGE_STATE_AT_DROP_GATE:
      if (!Pass(draft, *stage.mutable_before_drop())) return false;
      SetStageState(draft, stage, v1::STAGE_STATE_DROPPING);
      for (v1::Run* run : runs) SetRunState(draft, *run, v1::RUN_STATE_DROPPING);
      return true;
    case v1::STAGE_STATE_DROPPING:
      // Looked at again before every step: what is stored decides, not that it once was open.
      if (!Pass(draft, *stage.mutable_before_drop())) return false;
      for (v1::Run* run : runs) AdvanceRun(draft, *run);
      if (!AllAre(runs, v1::RUN_STATE_SUCCEEDED)) return false;
      *stage.mutable_soak_until() = base::ToProto(draft.now + base::FromProto(stage.soak()));
      SetStageState(draft, stage, v1::STAGE_STATE_SOAKING);
      return true;
    case v1::STAGE_STATE_SOAKING:
      if (draft.now < base::FromProto(stage.soak_until())) return false;
      SetStageState(draft, stage, v1::STAGE_STATE_DONE);
      return true;
    default:
      return false;
  }
}

std::vector<v1::Gate*> Gates(v1::Rollout& rollout) {
  std::vector<v1::Gate*> gates;
  for (v1::EnvironmentStage& stage : *rollout.mutable_stages()) {
    gates.push_back(stage.mutable_before());
    gates.push_back(stage.mutable_before_drop());
  }
  return gates;
}

absl::StatusOr<v1::Gate*> GateToApprove(v1::Rollout& rollout, const std::string& id) {
  const std::string name(BareName(rollout.name()));
  v1::Gate* closed = ClosedGate(rollout);
  const std::string waiting =
      closed ? absl::StrCat("gate ", closed->id(), " is the one that waits: `curlew rollout approve ", name,
                            " --gate ", closed->id(), "`")
             : absl::StrCat("no gate of ", name, " waits for an approval now");
  if (id.empty()) {
    if (closed) return closed;
    return absl::FailedPreconditionError(absl::StrCat(waiting, "; see `curlew rollout show ", name, "`"));
  }
  std::vector<std::string> ids;
  for (v1::Gate* gate : Gates(rollout)) {
    if (gate == closed && gate->id() == id) return closed;
    if (gate->id() == id) {
      return absl::FailedPreconditionError(absl::StrCat(
          "gate ", id, gate->has_open_time() ? " is open already; " : " has not been reached; ", waiting));
    }
    ids.push_back(gate->id());
  }
  return absl::NotFoundError(
      absl::StrCat(name, " has no gate \"", id, "\"; its gates are ", absl::StrJoin(ids, ", ")));
}

}  // namespace

bool Holds(const v1::Gate& gate) { return gate.approvals_size() >= gate.required_approvals(); }

v1::Gate* ClosedGate(v1::Rollout& rollout) {
  for (v1::Gate* gate : Gates(rollout)) {
    if (gate->has_reached_time() && !gate->has_open_time()) return gate;
  }
  return nullptr;
}

void AdvanceStages(Draft& draft) {
  bool done = true;
  for (v1::EnvironmentStage& stage : *draft.state.mutable_stages()) {
    // One that has begun goes on, also where a database of an earlier one went back.
    if (stage.state() == v1::STAGE_STATE_PENDING && !done) return;
    while (AdvanceStage(draft, stage)) {
    }
    done = done && stage.state() == v1::STAGE_STATE_DONE;
  }
  if (done) SetRolloutState(draft, v1::ROLLOUT_STATE_SUCCEEDED, "");
}

absl::Status OnApproved(Draft& draft, const Approved& input) {
  v1::Rollout& rollout = draft.state;
  if (input.actor.empty()) {
    return absl::InvalidArgumentError("an approval needs an actor: who approves?");
  }
  if (rollout.state() != v1::ROLLOUT_STATE_RUNNING && rollout.state() != v1::ROLLOUT_STATE_PAUSED &&
      rollout.state() != v1::ROLLOUT_STATE_FAILED) {
    return Misfit(rollout, "approved");
  }
  absl::StatusOr<v1::Gate*> found = GateToApprove(rollout, input.gate);
  if (!found.ok()) return found.status();
  v1::Gate& gate = **found;
  for (const v1::Approval& approval : gate.approvals()) {
    if (approval.actor() == input.actor) {
      return absl::FailedPreconditionError(
          absl::StrCat(input.actor, " has approved gate ", gate.id(), " already; it needs ",
                       gate.required_approvals() - gate.approvals_size(), " more from other people"));
    }
  }
  v1::Approval& approval = *gate.add_approvals();
  approval.set_actor(input.actor);
  approval.set_reason(input.reason);
  *approval.mutable_time() = base::ToProto(draft.now);
  AddEvent(draft, v1::EVENT_TYPE_GATE_APPROVED,
           Deed(absl::StrCat("gate ", gate.id(), " approved"), input.actor, input.reason))
      .set_actor(input.actor);
  if (Holds(gate)) Open(draft, gate);
  return absl::OkStatus();
}

}  // namespace curlew::rollout
