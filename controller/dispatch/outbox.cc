#include "controller/dispatch/outbox.h"

#include <algorithm>
#include <variant>

#include "absl/strings/str_cat.h"
#include "controller/rollout/same_state.h"
#include "curlew/v1/agent.pb.h"

namespace curlew::dispatch {
namespace {

constexpr char kCompile[] = "compile";
constexpr char kDispatch[] = "dispatch";
constexpr char kCancel[] = "cancel";
constexpr char kTune[] = "tune";

void Encode(const rollout::CompileRun& command, store::OutboxEntry* entry) {
  entry->kind = kCompile;
  entry->target = command.target;
}

void Encode(const rollout::DispatchAttempt& command, store::OutboxEntry* entry) {
  v1::Dispatch payload;
  payload.set_target(command.target);
  payload.set_run(command.run);
  payload.set_step(command.step);
  payload.set_attempt(command.attempt);
  payload.set_direction(command.direction);
  payload.set_epoch(command.epoch);
  payload.set_compiled_digest(command.compiled_digest);
  if (command.with_plan) payload.mutable_compiled_plan();
  if (command.override_wait.has_value()) *payload.mutable_override() = *command.override_wait;
  if (command.tuning.has_value()) *payload.mutable_tuning() = *command.tuning;
  entry->kind = kDispatch;
  entry->target = command.target;
  entry->payload = payload.SerializeAsString();
}

void Encode(const rollout::CancelAttempt& command, store::OutboxEntry* entry) {
  v1::Cancel payload;
  payload.set_target(command.target);
  payload.set_run(command.run);
  payload.set_attempt(command.attempt);
  payload.set_reason(command.reason);
  entry->kind = kCancel;
  entry->target = command.target;
  entry->payload = payload.SerializeAsString();
}

void Encode(const rollout::SendTuning& command, store::OutboxEntry* entry) {
  v1::Tune payload;
  payload.set_target(command.target);
  payload.set_run(command.run);
  *payload.mutable_tuning() = command.tuning;
  entry->kind = kTune;
  entry->target = command.target;
  entry->payload = payload.SerializeAsString();
}

bool InState(const v1::Attempt* attempt, std::initializer_list<v1::AttemptState> states) {
  if (attempt == nullptr) return false;
  for (const v1::AttemptState state : states) {
    if (attempt->state() == state) return true;
  }
  return false;
}

// Whether an attempt of the run is on its way to the agent, or with it.
bool IsWithAgent(const v1::Run& run) {
  const auto with_agent = [](const v1::StepStatus& step) {
    return step.has_attempt() &&
           InState(&step.attempt(), {v1::ATTEMPT_STATE_LEASED, v1::ATTEMPT_STATE_RUNNING});
  };
  return with_agent(run.rollback_gate()) || std::any_of(run.steps().begin(), run.steps().end(), with_agent);
}

}  // namespace

store::OutboxEntry EncodeCommand(const std::string& rollout, const rollout::Command& command) {
  store::OutboxEntry entry;
  entry.rollout = rollout;
  std::visit([&](const auto& c) { Encode(c, &entry); }, command);
  return entry;
}

absl::StatusOr<rollout::Command> DecodeCommand(const store::OutboxEntry& entry) {
  if (entry.kind == kCompile) return rollout::CompileRun{entry.target};
  if (v1::Dispatch d; entry.kind == kDispatch && d.ParseFromString(entry.payload)) {
    rollout::DispatchAttempt command{.target = d.target(),
                                     .run = d.run(),
                                     .step = d.step(),
                                     .attempt = d.attempt(),
                                     .direction = d.direction(),
                                     .epoch = d.epoch(),
                                     .compiled_digest = d.compiled_digest(),
                                     .with_plan = d.has_compiled_plan()};
    if (d.has_override()) command.override_wait = d.override();
    if (d.has_tuning()) command.tuning = d.tuning();
    return command;
  }
  if (v1::Cancel c; entry.kind == kCancel && c.ParseFromString(entry.payload)) {
    return rollout::CancelAttempt{
        .target = c.target(), .run = c.run(), .attempt = c.attempt(), .reason = c.reason()};
  }
  if (v1::Tune t; entry.kind == kTune && t.ParseFromString(entry.payload)) {
    return rollout::SendTuning{.target = t.target(), .run = t.run(), .tuning = t.tuning()};
  }
  return absl::DataLossError(absl::StrCat("entry ", entry.id, " of the outbox (rollout \"", entry.rollout,
                                          "\", kind \"", entry.kind, "\") cannot be read"));
}

bool Wanted(const rollout::Command& command, const v1::Rollout& state) {
  if (const auto* c = std::get_if<rollout::CompileRun>(&command)) {
    const v1::Run* run = FindRun(state, c->target);
    return run != nullptr && run->state() == v1::RUN_STATE_COMPILING &&
           InState(&run->compilation(), {v1::ATTEMPT_STATE_LEASED});
  }
  if (const auto* c = std::get_if<rollout::DispatchAttempt>(&command)) {
    const v1::Run* run = FindRun(state, c->target);
    return run != nullptr && InState(FindAttempt(*run, c->attempt), {v1::ATTEMPT_STATE_LEASED});
  }
  if (const auto* c = std::get_if<rollout::SendTuning>(&command)) {
    const v1::Run* run = FindRun(state, c->target);
    return run != nullptr && IsWithAgent(*run) &&
           rollout::StableBytes(run->tuning()) == rollout::StableBytes(c->tuning);
  }
  const auto& c = std::get<rollout::CancelAttempt>(command);
  const v1::Run* run = FindRun(state, c.target);
  return run != nullptr &&
         InState(FindAttempt(*run, c.attempt),
                 {v1::ATTEMPT_STATE_LEASED, v1::ATTEMPT_STATE_RUNNING, v1::ATTEMPT_STATE_UNKNOWN});
}

bool HasLiveAttempt(const v1::Run& run) {
  const auto live = [](const v1::StepStatus& step) {
    return step.has_attempt() &&
           InState(&step.attempt(), {v1::ATTEMPT_STATE_QUEUED, v1::ATTEMPT_STATE_LEASED,
                                     v1::ATTEMPT_STATE_RUNNING, v1::ATTEMPT_STATE_UNKNOWN});
  };
  return live(run.rollback_gate()) || std::any_of(run.steps().begin(), run.steps().end(), live);
}

bool HasLiveAttempt(const v1::Rollout& state) {
  return std::any_of(state.runs().begin(), state.runs().end(),
                     [](const v1::Run& run) { return HasLiveAttempt(run); });
}

bool IsAbout(const v1::Progress& progress, const v1::Rollout& state) {
  const v1::Run* run = FindRun(state, progress.target());
  return run != nullptr && InState(FindAttempt(*run, progress.attempt()),
                                   {v1::ATTEMPT_STATE_LEASED, v1::ATTEMPT_STATE_RUNNING});
}

const v1::Run* FindRun(const v1::Rollout& state, const std::string& target) {
  for (const v1::Run& run : state.runs()) {
    if (run.target() == target) return &run;
  }
  return nullptr;
}

rollout::StepPolicy PolicyOf(const v1::CompiledPlan& plan, const std::string& step, v1::Direction direction) {
  if (step == rollout::kRollbackGateKey) {
    return rollout::PolicyFor(plan.rollback_gate().action(), plan.settings());
  }
  for (const v1::Step& candidate : plan.steps()) {
    if (candidate.key() != step) continue;
    return rollout::PolicyFor(direction == v1::DIRECTION_UNDO ? candidate.undo() : candidate.action(),
                              plan.settings());
  }
  return {};
}

const v1::Attempt* FindAttempt(const v1::Run& run, int number) {
  if (run.rollback_gate().attempt().number() == number) return &run.rollback_gate().attempt();
  for (const v1::StepStatus& step : run.steps()) {
    if (step.attempt().number() == number) return &step.attempt();
  }
  return nullptr;
}

}  // namespace curlew::dispatch
