#include "controller/rollout/machine.h"

#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "common/base/proto_time.h"
#include "common/base/status_macros.h"
#include "controller/rollout/attempt.h"
#include "controller/rollout/describe.h"
#include "controller/rollout/draft.h"
#include "controller/rollout/gates.h"
#include "controller/rollout/operators.h"
#include "controller/rollout/override.h"
#include "controller/rollout/rollback.h"
#include "controller/rollout/run.h"
#include "controller/rollout/same_state.h"
#include "controller/rollout/skip.h"
#include "controller/rollout/tuning.h"

namespace curlew::rollout {
namespace {

// Whether the coming and going of its agent is worth telling.
bool NeedsAgent(const v1::Rollout& rollout, const v1::Run& run) {
  return !Ended(rollout) && run.state() != v1::RUN_STATE_PENDING && run.state() != v1::RUN_STATE_SUCCEEDED &&
         run.state() != v1::RUN_STATE_ROLLED_BACK;
}

bool IsOutcome(v1::AttemptState state) {
  return state == v1::ATTEMPT_STATE_SUCCEEDED || state == v1::ATTEMPT_STATE_FAILED ||
         state == v1::ATTEMPT_STATE_ERRORED || state == v1::ATTEMPT_STATE_CANCELLED;
}

// Applies one input to the draft: each kind finds its part of the machine here.
class Dispatcher {
 public:
  explicit Dispatcher(Draft& draft) : draft_(draft) {}

  absl::Status operator()(const Started& input) {
    if (draft_.state.state() != v1::ROLLOUT_STATE_UNSPECIFIED) return absl::OkStatus();
    AddEvent(draft_, v1::EVENT_TYPE_ROLLOUT_CREATED, Deed("started", input.actor, "")).set_actor(input.actor);
    draft_.state.set_state(v1::ROLLOUT_STATE_RUNNING);
    return absl::OkStatus();
  }
  absl::Status operator()(const Compiled& input) { return OnRun(input, OnCompiled); }
  absl::Status operator()(const CompileFailed& input) { return OnRun(input, OnCompileFailed); }
  absl::Status operator()(const AttemptAcked& input) { return OnRun(input, OnAcked); }
  absl::Status operator()(const AttemptNacked& input) { return OnRun(input, OnNacked); }
  absl::Status operator()(const AttemptEnded& input) {
    if (!IsOutcome(input.outcome)) {
      return absl::InvalidArgumentError(absl::StrCat("attempt ", input.attempt, " on ", input.target,
                                                     " cannot end as ",
                                                     v1::AttemptState_Name(input.outcome)));
    }
    return OnRun(input, OnEnded);
  }
  absl::Status operator()(const AgentLost& input) {
    return OnRun(input, [](Draft& draft, v1::Run& run, const AgentLost&) {
      if (run.epoch() == 0) return;
      if (NeedsAgent(draft.state, run)) AddEvent(draft, v1::EVENT_TYPE_AGENT_LOST, run, "its agent is lost");
      OnAgentLost(run);
    });
  }
  absl::Status operator()(const AgentReady& input) {
    return OnRun(input, [](Draft& draft, v1::Run& run, const AgentReady& input) {
      if (input.epoch <= 0) return;
      if (run.epoch() != input.epoch && NeedsAgent(draft.state, run)) {
        AddEvent(draft, v1::EVENT_TYPE_AGENT_READY, run,
                 absl::StrCat("its agent is ready, epoch ", input.epoch));
      }
      OnAgentReady(draft, run, input);
    });
  }
  absl::Status operator()(const Approved& input) { return OnApproved(draft_, input); }
  absl::Status operator()(const PauseAsked& input) { return OnPauseAsked(draft_, input); }
  absl::Status operator()(const ResumeAsked& input) { return OnResumeAsked(draft_, input); }
  absl::Status operator()(const AbortAsked& input) { return OnAbortAsked(draft_, input); }
  absl::Status operator()(const RollbackAsked& input) { return OnRollbackAsked(draft_, input); }
  absl::Status operator()(const OverrideAsked& input) { return OnOverrideAsked(draft_, input); }
  absl::Status operator()(const SkipAsked& input) { return OnSkipAsked(draft_, input); }
  absl::Status operator()(const TuneAsked& input) { return OnTuneAsked(draft_, input); }
  absl::Status operator()(const Ticked&) { return absl::OkStatus(); }

 private:
  template <typename In, typename Part>
  absl::Status OnRun(const In& input, const Part& part) {
    v1::Run* run = FindRun(draft_.state, input.target);
    if (run == nullptr) {
      return absl::NotFoundError(absl::StrCat(draft_.state.name(), " has no target \"", input.target, "\""));
    }
    part(draft_, *run, input);
    return absl::OkStatus();
  }

  Draft& draft_;
};

std::string NextEtag(const std::string& etag) {
  int64_t version = 0;
  if (!etag.empty() && !absl::SimpleAtoi(etag.substr(1), &version)) version = 0;
  return absl::StrCat("v", version + 1);
}

v1::Gate NewGate(absl::string_view environment, absl::string_view which, const v1::GatePolicy& policy,
                 absl::Time now) {
  v1::Gate gate;
  gate.set_id(absl::StrCat(environment, "/", which));
  gate.set_required_approvals(policy.approvals());
  if (Holds(gate)) *gate.mutable_open_time() = base::ToProto(now);
  return gate;
}

}  // namespace

v1::Rollout NewRollout(std::string name, std::string plan, std::string plan_digest, std::string creator,
                       const std::vector<v1::Environment>& environments, absl::Time now) {
  v1::Rollout rollout;
  rollout.set_name(std::move(name));
  rollout.set_plan(std::move(plan));
  rollout.set_plan_digest(std::move(plan_digest));
  rollout.set_creator(std::move(creator));
  *rollout.mutable_create_time() = base::ToProto(now);
  *rollout.mutable_update_time() = base::ToProto(now);
  rollout.set_etag(NextEtag(""));
  for (const v1::Environment& environment : environments) {
    const absl::string_view bare = BareName(environment.name());
    v1::EnvironmentStage& stage = *rollout.add_stages();
    stage.set_environment(environment.name());
    stage.set_state(v1::STAGE_STATE_PENDING);
    *stage.mutable_before() = NewGate(bare, "before", environment.before(), now);
    *stage.mutable_before_drop() = NewGate(bare, "before-drop", environment.before_drop(), now);
    *stage.mutable_soak() = environment.soak();
    for (const std::string& target : environment.targets()) {
      v1::Run& run = *rollout.add_runs();
      run.set_name(absl::StrCat(rollout.name(), "/runs/", target));
      run.set_target(target);
      run.set_environment(environment.name());
      run.set_state(v1::RUN_STATE_PENDING);
    }
  }
  return rollout;
}

absl::StatusOr<Transition> Advance(const v1::Rollout& state, const Input& input, absl::Time now,
                                   const MachineOptions& options) {
  if (state.state() == v1::ROLLOUT_STATE_UNSPECIFIED && !std::holds_alternative<Started>(input)) {
    return absl::FailedPreconditionError(absl::StrCat(state.name(), " has not been started"));
  }
  Draft draft{.state = state, .now = now, .options = options};
  RETURN_IF_ERROR(std::visit(Dispatcher(draft), input));
  if (draft.state.state() == v1::ROLLOUT_STATE_RUNNING) AdvanceStages(draft);
  if (draft.state.state() == v1::ROLLOUT_STATE_ROLLING_BACK) AdvanceRollback(draft);
  DescribeWaiting(draft.state, now);
  if (!SameState(draft.state, state)) {
    *draft.state.mutable_update_time() = base::ToProto(now);
    draft.state.set_etag(NextEtag(state.etag()));
  }
  const absl::Time wake = NextWake(draft.state);
  return Transition{.state = std::move(draft.state),
                    .events = std::move(draft.events),
                    .commands = std::move(draft.commands),
                    .wake = wake};
}

bool Ended(const v1::Rollout& state) {
  return state.state() == v1::ROLLOUT_STATE_SUCCEEDED || state.state() == v1::ROLLOUT_STATE_ROLLED_BACK ||
         state.state() == v1::ROLLOUT_STATE_ABORTED;
}

bool Active(const v1::Rollout& state) { return !Ended(state); }

}  // namespace curlew::rollout
