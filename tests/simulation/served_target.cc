#include "tests/simulation/served_target.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "tests/simulation/agent.h"

namespace curlew::simulation {
namespace {

constexpr absl::Duration kLookAfter = absl::Seconds(5);

}  // namespace

ServedTarget::ServedTarget(AgentProcess* agent, Database* database, const AgentWorld* world)
    : agent_(agent), database_(database), world_(world), random_(world->scheduler->random().Fork()) {
  world_->scheduler->After(kLookAfter, agent_->process(), "", [this] { LookAfter(); });
}

const ProcessPtr& ServedTarget::process() const { return agent_->process(); }

bool ServedTarget::stuck_in(const std::string& rollout) const {
  return running_ != nullptr && running_->stuck && running_->dispatch.run().starts_with(rollout + "/");
}

void ServedTarget::Handle(const v1::ControllerMessage& message) {
  inputs_.emplace_back(message);
  Pump();
}

void ServedTarget::SessionLost() {
  inputs_.emplace_back(Lost{});
  Pump();
}

void ServedTarget::Pump() {
  while (!busy_) {
    if (running_ != nullptr && running_->outcome.has_value()) {
      Finish();
    } else if (!inputs_.empty()) {
      const auto input = std::move(inputs_.front());
      inputs_.pop_front();
      if (const auto* message = std::get_if<v1::ControllerMessage>(&input)) {
        On(*message);
      } else {
        granted_ = false;
        ready_timer_ = 0;
        ready_due_ = false;
      }
    } else if (ready_due_) {
      ready_due_ = false;
      BecomeReady();
    } else {
      return;
    }
  }
}

void ServedTarget::On(const v1::ControllerMessage& message) {
  if (message.has_lease()) return On(message.lease());
  if (message.has_dispatch()) return On(message.dispatch());
  if (message.has_cancel()) return On(message.cancel());
  if (message.has_report_schema()) return On(message.report_schema());
  if (message.has_run_preflight()) return On(message.run_preflight());
  if (message.has_run_check()) return On(message.run_check());
  if (message.has_result_ack()) results_.erase({message.result_ack().run(), message.result_ack().attempt()});
}

void ServedTarget::On(const v1::Lease& lease) {
  granted_ = lease.state() == v1::LEASE_STATE_GRANTED;
  if (granted_) {
    just_granted_ = true;
    return BecomeReadyAfter(absl::ZeroDuration());
  }
  ready_timer_ = 0;
  ready_due_ = false;
  Abandon([] {});
}

void ServedTarget::On(const v1::Dispatch& dispatch) {
  if (!tenure_.has_value() || dispatch.epoch() != tenure_->epoch) {
    return Refuse(dispatch, v1::NACK_REASON_WRONG_EPOCH, "another epoch");
  }
  if (running_ != nullptr) {
    if (running_->dispatch.run() == dispatch.run() && running_->dispatch.attempt() == dispatch.attempt()) {
      return Acknowledge(dispatch);
    }
    // As the agent does: who sends a later attempt of the run has given this one up.
    if (running_->dispatch.run() == dispatch.run() && running_->dispatch.attempt() < dispatch.attempt()) {
      running_->cancelled = true;
    }
    return Refuse(dispatch, v1::NACK_REASON_BUSY, "another attempt is running");
  }
  if (const auto held = results_.find({dispatch.run(), dispatch.attempt()}); held != results_.end()) {
    Acknowledge(dispatch);
    v1::AgentMessage message;
    *message.mutable_result() = held->second;
    return agent_->Say(std::move(message));
  }
  if (!world_->mutations->no_lease_check && (!granted_ || !agent_->lease_.Valid())) {
    return Refuse(dispatch, v1::NACK_REASON_NO_LEASE, "the lease has run out");
  }
  busy_ = true;
  Ask<absl::StatusOr<agent::Admission>>(
      "", [database = database_, dispatch, tenure = *tenure_] { return database->Admit(dispatch, tenure); },
      [this, dispatch](absl::StatusOr<agent::Admission> admission) {
        busy_ = false;
        Admitted(dispatch, admission);
        Pump();
      });
}

void ServedTarget::Admitted(const v1::Dispatch& dispatch, const absl::StatusOr<agent::Admission>& admission) {
  if (!admission.ok()) {
    if (absl::IsAborted(admission.status())) {
      BecomeReadyAfter(absl::ZeroDuration());
      return Refuse(dispatch, v1::NACK_REASON_WRONG_EPOCH, "fenced out");
    }
    Acknowledge(dispatch);
    return Conclude(
        dispatch, {.state = v1::ATTEMPT_STATE_ERRORED, .message = std::string(admission.status().message())});
  }
  if (const auto* refusal = std::get_if<agent::Refusal>(&*admission)) {
    if (refusal->reason != v1::NACK_REASON_INVALID)
      return Refuse(dispatch, refusal->reason, refusal->message);
    // What the journal lacks, it may have lost: then the controller is told what it has, and decides anew.
    busy_ = true;
    Ask<absl::StatusOr<bool>>(
        "",
        [database = database_, tenure = *tenure_]() -> absl::StatusOr<bool> {
          return database->StillMine(tenure);
        },
        [this, dispatch, message = refusal->message](absl::StatusOr<bool> mine) {
          busy_ = false;
          if (mine.ok() && *mine) {
            world_->refused(dispatch, message);
            Refuse(dispatch, v1::NACK_REASON_INVALID, message);
          } else {
            BecomeReadyAfter(absl::ZeroDuration());
            Refuse(dispatch, v1::NACK_REASON_WRONG_EPOCH, message);
          }
          Pump();
        });
    return;
  }
  const auto begun = newest_begun_.find(dispatch.run());
  if (std::holds_alternative<agent::Admitted>(*admission) && begun != newest_begun_.end() &&
      dispatch.attempt() <= begun->second) {
    return Refuse(dispatch, v1::NACK_REASON_INVALID, "an old attempt");
  }
  Acknowledge(dispatch);
  if (std::holds_alternative<agent::AlreadyDone>(*admission)) return Conclude(dispatch, {});
  Start(dispatch, std::get<agent::Admitted>(*admission).step);
}

void ServedTarget::Start(const v1::Dispatch& dispatch, const v1::Step& step) {
  newest_begun_[dispatch.run()] = dispatch.attempt();
  running_ = std::make_shared<Running>();
  running_->dispatch = dispatch;
  running_->step = step;
  running_->tenure = *tenure_;
  running_->connections = database_->connections();
  running_->begun = world_->scheduler->now();
  const bool undo = dispatch.direction() == v1::DIRECTION_UNDO;
  const v1::Action& action = undo && step.has_undo() ? step.undo() : step.action();
  if (action.has_backfill() || action.has_transform_rows()) running_->parts = 1 + random_.Below(4);
  running_->stuck = action.has_wait() && !dispatch.has_override() && random_.Chance(world_->luck->stuck);
  Advance(running_);
}

void ServedTarget::On(const v1::Cancel& cancel) {
  if (running_ != nullptr && running_->dispatch.run() == cancel.run() &&
      running_->dispatch.attempt() == cancel.attempt()) {
    running_->cancelled = true;
  }
}

void ServedTarget::On(const v1::ReportSchema& request) {
  busy_ = true;
  Ask<absl::StatusOr<v1::Schema>>(
      "",
      [this, world = world_, target = target()]() -> absl::StatusOr<v1::Schema> {
        return world->schema(target);
      },
      [this, request](absl::StatusOr<v1::Schema> schema) {
        busy_ = false;
        v1::AgentMessage message;
        v1::SchemaReport& report = *message.mutable_schema_report();
        report.set_request(request.request());
        report.set_target(target());
        if (!tenure_.has_value()) schema = absl::UnavailableError("not served");
        if (schema.ok()) {
          *report.mutable_schema() = *std::move(schema);
        } else {
          report.set_error(std::string(schema.status().message()));
        }
        agent_->Say(std::move(message));
        Pump();
      });
}

void ServedTarget::On(const v1::RunPreflight& request) {
  v1::AgentMessage message;
  v1::PreflightReport& report = *message.mutable_preflight_report();
  report.set_request(request.request());
  report.set_target(target());
  report.mutable_preflight()->mutable_time()->set_seconds(absl::ToInt64Seconds(world_->scheduler->now()));
  if (random_.Chance(world_->luck->blocked)) {
    v1::PreflightFinding& finding = *report.mutable_preflight()->add_findings();
    finding.set_severity(v1::PREFLIGHT_SEVERITY_ERROR);
    finding.set_code("disk");
    finding.set_message("no room");
    world_->scheduler->story().Fault("preflight error");
  }
  agent_->Say(std::move(message));
}

void ServedTarget::On(const v1::RunCheck& request) {
  v1::AgentMessage message;
  v1::CheckReport& report = *message.mutable_check_report();
  report.set_request(request.request());
  report.set_target(target());
  const bool fails = random_.Chance(world_->luck->check_fails);
  report.set_state(fails ? v1::CHECK_STATE_FAILING : v1::CHECK_STATE_PASSING);
  if (fails) world_->scheduler->story().Fault("check fails");
  agent_->Say(std::move(message));
}

void ServedTarget::Abandon(std::function<void()> then) {
  if (running_ == nullptr) return then();
  running_->cancelled = true;
  busy_ = true;
  abandoned_ = std::move(then);
  if (running_->outcome.has_value()) EndAttempt(running_, *running_->outcome);
}

void ServedTarget::BecomeReadyAfter(absl::Duration delay) {
  ready_timer_ = ++timers_;
  if (delay == absl::ZeroDuration()) {
    ready_due_ = true;
    return;
  }
  world_->scheduler->After(delay, agent_->process(), "", [this, timer = ready_timer_] {
    if (ready_timer_ != timer) return;
    ready_due_ = true;
    Pump();
  });
}

void ServedTarget::BecomeReady() {
  if (!agent_->lease_.Valid()) return BecomeReadyAfter(absl::Milliseconds(700));
  ready_timer_ = 0;
  if (!tenure_.has_value()) return TakeOver();
  busy_ = true;
  Ask<absl::StatusOr<bool>>(
      "",
      [this, database = database_, tenure = *tenure_]() -> absl::StatusOr<bool> {
        const bool mine = database->StillMine(tenure);
        if (mine) journal_ = database->Journal();
        return mine;
      },
      [this](absl::StatusOr<bool> mine) {
        busy_ = false;
        if (!mine.ok() || *mine) {
          Secured(mine);
          return Pump();
        }
        Abandon([this] {
          results_.clear();
          newest_begun_.clear();
          tenure_.reset();
          if (!just_granted_) {
            Secured(false);
          } else {
            TakeOver();
          }
        });
        Pump();
      });
}

void ServedTarget::LookAfter() {
  world_->scheduler->After(kLookAfter, agent_->process(), "", [this] { LookAfter(); });
  if (busy_ || !tenure_.has_value() || !granted_ || running_ != nullptr || ready_timer_ != 0) return;
  if (database_->up() && database_->StillMine(*tenure_)) return;
  BecomeReadyAfter(absl::ZeroDuration());
  Pump();
}

void ServedTarget::TakeOver() {
  busy_ = true;
  Ask<absl::StatusOr<Tenure>>(
      absl::StrCat(agent_->process()->name, " takes over ", target()),
      [this, database = database_, instance = agent_->instance()]() -> absl::StatusOr<Tenure> {
        const Tenure tenure = database->TakeOver(instance);
        journal_ = database->Journal();
        return tenure;
      },
      [this](absl::StatusOr<Tenure> tenure) {
        busy_ = false;
        if (tenure.ok()) tenure_ = *tenure;
        Secured(tenure.ok() ? absl::StatusOr<bool>(true) : tenure.status());
        Pump();
      });
}

void ServedTarget::Secured(absl::StatusOr<bool> mine) {
  if (mine.ok() && *mine) {
    just_granted_ = false;
    return SayReady();
  }
  if (mine.ok()) {
    granted_ = false;
    return agent_->Reconnect(absl::ZeroDuration());
  }
  BecomeReadyAfter(random_.Between(absl::Milliseconds(500), absl::Seconds(4)));
  v1::AgentMessage message;
  message.mutable_target_problem()->set_target(target());
  message.mutable_target_problem()->set_message(std::string(mine.status().message()));
  agent_->Say(std::move(message));
}

void ServedTarget::SayReady() {
  v1::AgentMessage message;
  v1::TargetReady& ready = *message.mutable_target_ready();
  ready.set_target(target());
  ready.set_epoch(tenure_->epoch);
  ready.set_timeline(tenure_->timeline);
  ready.set_system_identifier(target());
  ready.set_database(target());
  const auto hold = [&](const std::string& run, const std::string& step, int attempt) {
    v1::HeldAttempt& held = *ready.add_held();
    held.set_run(run);
    held.set_step(step);
    held.set_attempt(attempt);
  };
  if (running_ != nullptr)
    hold(running_->dispatch.run(), running_->dispatch.step(), running_->dispatch.attempt());
  for (const auto& [key, result] : results_) hold(result.run(), result.step(), result.attempt());
  for (const v1::RunJournal& run : journal_) *ready.add_journal() = run;
  ready.set_journal_is_whole(true);
  agent_->Say(std::move(message));
  for (const auto& [key, result] : results_) {
    v1::AgentMessage again;
    *again.mutable_result() = result;
    agent_->Say(std::move(again));
  }
}

void ServedTarget::Acknowledge(const v1::Dispatch& dispatch) {
  v1::AgentMessage message;
  message.mutable_ack()->set_run(dispatch.run());
  message.mutable_ack()->set_attempt(dispatch.attempt());
  agent_->Say(std::move(message));
}

void ServedTarget::Refuse(const v1::Dispatch& dispatch, v1::NackReason reason, std::string message) {
  v1::AgentMessage nack;
  nack.mutable_nack()->set_run(dispatch.run());
  nack.mutable_nack()->set_attempt(dispatch.attempt());
  nack.mutable_nack()->set_reason(reason);
  nack.mutable_nack()->set_message(std::move(message));
  agent_->Say(std::move(nack));
}

void ServedTarget::Conclude(const v1::Dispatch& dispatch, const Outcome& outcome) {
  v1::Result result;
  result.set_target(target());
  result.set_run(dispatch.run());
  result.set_step(dispatch.step());
  result.set_attempt(dispatch.attempt());
  result.set_outcome(outcome.state);
  if (outcome.state != v1::ATTEMPT_STATE_SUCCEEDED) result.mutable_error()->set_message(outcome.message);
  results_[{dispatch.run(), dispatch.attempt()}] = result;
  v1::AgentMessage message;
  *message.mutable_result() = std::move(result);
  agent_->Say(std::move(message));
}

void ServedTarget::Finish() {
  const RunningPtr ended = std::move(running_);
  running_ = nullptr;
  const Outcome& outcome = *ended->outcome;
  if (outcome.fenced_out || outcome.in_doubt) {
    if (granted_) BecomeReadyAfter(absl::ZeroDuration());
    return;
  }
  if (outcome.unreachable && granted_) BecomeReadyAfter(absl::ZeroDuration());
  Conclude(ended->dispatch, outcome);
}

}  // namespace curlew::simulation
