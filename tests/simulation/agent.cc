#include "tests/simulation/agent.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "common/base/proto_time.h"

namespace curlew::simulation {
namespace {

constexpr absl::Duration kKeepalive = absl::Seconds(25);
constexpr absl::Duration kLookAfter = absl::Seconds(5);

}  // namespace

// --- The process. ---

AgentProcess::AgentProcess(std::string id, std::string instance, const std::vector<std::string>& targets,
                           const AgentWorld* world)
    : id_(std::move(id)),
      instance_(std::move(instance)),
      world_(world),
      process_(std::make_shared<Process>(absl::StrCat(id_, "/", instance_))),
      random_(world->scheduler->random().Fork()),
      lease_([scheduler = world->scheduler] { return scheduler->now(); }) {
  for (const std::string& target : targets) {
    targets_.push_back(std::make_unique<ServedTarget>(this, world->database(target), world));
  }
  Dial();
}

bool AgentProcess::idle() const {
  return std::all_of(targets_.begin(), targets_.end(), [](const auto& target) { return target->idle(); });
}

void AgentProcess::Dial() {
  welcome_ = false;
  asked_to_wait_ = absl::ZeroDuration();
  heard_ = world_->scheduler->now();
  wire_ = world_->dial(this, process_, process_->name);
  v1::AgentMessage message;
  v1::Hello& hello = *message.mutable_hello();
  hello.set_agent_id(id_);
  hello.set_instance_id(instance_);
  hello.set_version(CURLEW_VERSION);
  hello.set_protocol_version(1);
  for (const auto& target : targets_) hello.add_targets(target->target());
  wire_->Say(std::move(message));
  world_->scheduler->After(interval_, process_, "", [this, wire = wire_] { Beat(wire); });
}

void AgentProcess::Beat(Wire* wire) {
  if (wire_ != wire) return;
  if (world_->scheduler->now() - heard_ > kKeepalive) {
    wire->Break(absl::ZeroDuration(), random_.Between(absl::ZeroDuration(), absl::Seconds(30)));
    return;
  }
  v1::AgentMessage message;
  message.mutable_heartbeat();
  wire->Say(std::move(message));
  world_->scheduler->After(interval_, process_, "", [this, wire] { Beat(wire); });
}

void AgentProcess::Say(v1::AgentMessage message) {
  if (wire_ != nullptr) wire_->Say(std::move(message));
}

void AgentProcess::OnMessage(Wire* wire, const v1::ControllerMessage& message) {
  if (wire != wire_) return;
  heard_ = world_->scheduler->now();
  lease_.Heard();
  std::string target;
  switch (message.kind_case()) {
    case v1::ControllerMessage::kWelcome:
      lease_.SetLeaseTime(base::FromProto(message.welcome().lease_time()));
      interval_ = base::FromProto(message.welcome().heartbeat_interval());
      return;
    case v1::ControllerMessage::kReconnect:
      asked_to_wait_ = base::FromProto(message.reconnect().after());
      wire->HangUp();
      return;
    case v1::ControllerMessage::kLease:
      target = message.lease().target();
      break;
    case v1::ControllerMessage::kDispatch:
      target = message.dispatch().target();
      break;
    case v1::ControllerMessage::kCancel:
      target = message.cancel().target();
      break;
    case v1::ControllerMessage::kTune:
      target = message.tune().target();
      break;
    case v1::ControllerMessage::kReportSchema:
      target = message.report_schema().target();
      break;
    case v1::ControllerMessage::kResultAck:
      target = message.result_ack().run().substr(message.result_ack().run().rfind('/') + 1);
      break;
    default:
      return;
  }
  for (const auto& served : targets_) {
    if (served->target() == target) served->Handle(message);
  }
}

void AgentProcess::OnClosed(Wire* wire) {
  if (wire != wire_) return;
  wire_ = nullptr;
  for (const auto& target : targets_) target->SessionLost();
  const absl::Duration pause =
      std::max(random_.Between(absl::Milliseconds(200), absl::Seconds(3)), asked_to_wait_);
  world_->scheduler->After(pause, process_, "", [this] { Dial(); });
}

void AgentProcess::Reconnect(absl::Duration) {
  if (wire_ != nullptr) wire_->HangUp();
}

void AgentProcess::Kill(absl::Duration controller_learns) {
  world_->scheduler->Kill(process_);
  if (wire_ != nullptr) wire_->Break(absl::InfiniteDuration(), controller_learns);
  wire_ = nullptr;
}

// --- One target. ---

ServedTarget::ServedTarget(AgentProcess* agent, Database* database, const AgentWorld* world)
    : agent_(agent), database_(database), world_(world), random_(world->scheduler->random().Fork()) {
  world_->scheduler->After(kLookAfter, agent_->process(), "", [this] { LookAfter(); });
}

template <typename Answer>
void ServedTarget::Ask(std::string what, std::function<Answer()> request, std::function<void(Answer)> then) {
  Scheduler* scheduler = world_->scheduler;
  const absl::Duration there = random_.Between(absl::Microseconds(100), absl::Milliseconds(3));
  const absl::Duration back = random_.Between(absl::Microseconds(100), absl::Milliseconds(3));
  scheduler->After(
      there, nullptr, std::move(what),
      [=, process = agent_->process(), database = database_, request = std::move(request),
       then = std::move(then)]() mutable {
        Answer answer = database->up() ? request() : Answer(absl::UnavailableError("the database is down"));
        scheduler->After(back, process, "", [answer = std::move(answer), then = std::move(then)]() mutable {
          then(std::move(answer));
        });
      });
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

// --- The attempt. ---

void ServedTarget::EndAttempt(const RunningPtr& running, Outcome outcome) {
  if (running_ != running) return;
  running->outcome = std::move(outcome);
  if (abandoned_) {
    running_ = nullptr;
    busy_ = false;
    std::exchange(abandoned_, nullptr)();
  }
  Pump();
}

void ServedTarget::Advance(const RunningPtr& running) {
  if (running->cancelled && random_.Chance(0.9)) {
    return EndAttempt(running, {.state = v1::ATTEMPT_STATE_CANCELLED, .message = "stopped"});
  }
  if (random_.Chance(0.2)) {
    v1::AgentMessage message;
    message.mutable_progress()->set_target(target());
    message.mutable_progress()->set_step(running->dispatch.step());
    message.mutable_progress()->set_attempt(running->dispatch.attempt());
    agent_->Say(std::move(message));
  }
  const v1::Dispatch& dispatch = running->dispatch;
  if (dispatch.has_deadline() &&
      world_->scheduler->now() - running->begun > base::FromProto(dispatch.deadline())) {
    return EndAttempt(running, {.state = v1::ATTEMPT_STATE_ERRORED, .message = "its deadline is over"});
  }
  if (running->stuck) {
    world_->scheduler->After(absl::Seconds(1), agent_->process(), "", [this, running] { Advance(running); });
    return;
  }
  const v1::Direction direction = running->dispatch.direction();
  const bool undo = direction == v1::DIRECTION_UNDO;
  const v1::Action& action = undo && running->step.has_undo() ? running->step.undo() : running->step.action();
  const auto again = [this, running] { Advance(running); };
  if (running->next_part < running->parts) return Transact(running, Work::kPart, again);
  if (action.has_execute_sql_concurrently() && !running->built) {
    if (!running->intended) {
      running->intended = true;
      return Transact(running, Work::kIntent, again);
    }
    if (!world_->mutations->no_lease_check && !agent_->lease_.Valid()) {
      return EndAttempt(running, {.state = v1::ATTEMPT_STATE_ERRORED, .message = "the lease has run out"});
    }
    running->built = true;
    const Work work{.run = running->dispatch.run(),
                    .step = running->step,
                    .direction = direction,
                    .attempt = running->dispatch.attempt()};
    Ask<absl::Status>(
        "",
        [database = database_, tenure = running->tenure, connections = running->connections, work] {
          return database->DoOutside(tenure, connections, work);
        },
        [this, running, again](absl::Status status) {
          if (status.ok()) return again();
          EndAttempt(running, {.state = v1::ATTEMPT_STATE_ERRORED,
                               .message = std::string(status.message()),
                               .fenced_out = absl::IsAborted(status),
                               .unreachable = absl::IsUnavailable(status)});
        });
    return;
  }
  Transact(running, Work::kStep, [this, running] { EndAttempt(running, {}); });
}

void ServedTarget::Transact(const RunningPtr& running, Work::Kind kind, std::function<void()> then) {
  Work work{.run = running->dispatch.run(),
            .step = running->step,
            .direction = running->dispatch.direction(),
            .attempt = running->dispatch.attempt(),
            .kind = kind};
  work.step.set_key(running->dispatch.step());
  const auto fail = [this, running](const absl::Status& status) {
    EndAttempt(running, {.state = v1::ATTEMPT_STATE_ERRORED,
                         .message = std::string(status.message()),
                         .fenced_out = absl::IsAborted(status),
                         .in_doubt = absl::IsDataLoss(status),
                         .unreachable = absl::IsUnavailable(status)});
  };
  Ask<absl::StatusOr<Database::Begun>>(
      "",
      [database = database_, tenure = running->tenure, connections = running->connections, work] {
        return database->Begin(tenure, connections, work);
      },
      [this, running, work, then, fail](absl::StatusOr<Database::Begun> begun) mutable {
        if (!begun.ok()) return fail(begun.status());
        if (work.kind == Work::kPart) {
          running->next_part = std::max(running->next_part, begun->next_part);
          if (running->next_part >= running->parts) {
            database_->Rollback(begun->transaction);
            return then();
          }
          work.part = running->next_part++;
        }
        const absl::Duration time = random_.Between(absl::Milliseconds(1), world_->luck->longest_work);
        world_->scheduler->After(
            time, agent_->process(), "", [this, running, work, then, fail, transaction = begun->transaction] {
              const bool failed = random_.Chance(world_->luck->failed);
              if (failed || random_.Chance(world_->luck->errored) ||
                  (running->cancelled && random_.Chance(0.8))) {
                database_->Rollback(transaction);
                const v1::AttemptState state = running->cancelled ? v1::ATTEMPT_STATE_CANCELLED
                                               : failed           ? v1::ATTEMPT_STATE_FAILED
                                                                  : v1::ATTEMPT_STATE_ERRORED;
                if (!running->cancelled)
                  world_->scheduler->story().Fault(failed ? "failed step" : "errored step");
                return EndAttempt(running, {.state = state, .message = "bad luck"});
              }
              const bool lost = random_.Chance(world_->luck->lost_answer);
              if (lost) world_->scheduler->story().Fault("commit whose answer is lost");
              if (world_->mutations->result_before_commit && work.kind == Work::kStep) {
                if (!lost)
                  Ask<absl::Status>(
                      "",
                      [database = database_, transaction, work] {
                        return database->Commit(transaction, work);
                      },
                      [](absl::Status) {});
                return then();
              }
              Ask<absl::Status>(
                  absl::StrCat(agent_->process()->name, " commits ", work.run, "#", work.attempt, " ",
                               work.step.key(), work.direction == v1::DIRECTION_UNDO ? " undone" : ""),
                  [database = database_, transaction, work, lost] {
                    const absl::Status status = database->Commit(transaction, work);
                    return lost ? absl::DataLossError("nobody knows") : status;
                  },
                  [then, fail](absl::Status status) { status.ok() ? then() : fail(status); });
            });
      });
}

}  // namespace curlew::simulation
