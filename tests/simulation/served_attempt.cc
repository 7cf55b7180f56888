// What a target's agent does in an attempt; ServedTarget's other half.
#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/base/proto_time.h"
#include "tests/simulation/agent.h"
#include "tests/simulation/served_target.h"

namespace curlew::simulation {

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
