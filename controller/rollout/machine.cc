#include "controller/rollout/machine.h"

#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "common/base/proto_time.h"
#include "common/base/status_macros.h"
#include "controller/rollout/approvals.h"
#include "controller/rollout/attempt.h"
#include "controller/rollout/checks.h"
#include "controller/rollout/describe.h"
#include "controller/rollout/draft.h"
#include "controller/rollout/holders.h"
#include "controller/rollout/operators.h"
#include "controller/rollout/override.h"
#include "controller/rollout/rollback.h"
#include "controller/rollout/run.h"
#include "controller/rollout/same_state.h"
#include "controller/rollout/skip.h"
#include "controller/rollout/stages.h"
#include "controller/rollout/tuning.h"
#include "controller/rollout/upgrade.h"

namespace curlew::rollout {
namespace {

// Whether the coming and going of its agent is worth telling.
bool NeedsAgent(const v1::Rollout& rollout, const v1::Run& run) {
  return !Ended(rollout) && run.state() != v1::RUN_STATE_PENDING && run.state() != v1::RUN_STATE_COMPILED &&
         run.state() != v1::RUN_STATE_SKIPPED && run.state() != v1::RUN_STATE_SUCCEEDED &&
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
  absl::Status operator()(const GateSkipped& input) { return OnGateSkipped(draft_, input); }
  absl::Status operator()(const TargetSkipped& input) { return OnTargetSkipped(draft_, input); }
  absl::Status operator()(const CheckReported& input) { return OnCheckReported(draft_, input); }
  absl::Status operator()(const HoldersChanged& input) {
    OnHoldersChanged(draft_, input);
    return absl::OkStatus();
  }
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

}  // namespace

absl::StatusOr<Transition> Advance(const v1::Rollout& state, const Input& input, absl::Time now,
                                   const MachineOptions& options) {
  if (state.state() == v1::ROLLOUT_STATE_UNSPECIFIED && !std::holds_alternative<Started>(input) &&
      !std::holds_alternative<HoldersChanged>(input)) {
    return absl::FailedPreconditionError(absl::StrCat(state.name(), " has not been started"));
  }
  Draft draft{.state = state, .now = now, .options = options};
  Upgrade(draft.state);
  RETURN_IF_ERROR(std::visit(Dispatcher(draft), input));
  draft.look_again = true;
  while (draft.state.state() == v1::ROLLOUT_STATE_RUNNING && std::exchange(draft.look_again, false)) {
    AdvanceStages(draft);
  }
  if (draft.state.state() == v1::ROLLOUT_STATE_ROLLING_BACK) AdvanceRollback(draft);
  const absl::Time wake = DescribeWaiting(draft.state, now);
  // Where something is told something has changed: there is no need to look.
  if (!draft.events.empty() || !SameState(draft.state, state)) {
    *draft.state.mutable_update_time() = base::ToProto(now);
    draft.state.set_etag(NextEtag(state.etag()));
  }
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
