#include "controller/dispatch/engine.h"

#include <spdlog/spdlog.h>

#include <map>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/base/error_detail.h"
#include "common/base/fault_point.h"
#include "common/base/log.h"
#include "common/base/status_macros.h"
#include "controller/dispatch/names.h"
#include "controller/dispatch/outbox.h"
#include "controller/dispatch/thread_loop.h"

namespace curlew::dispatch {
namespace {

rollout::AgentReady ReadyFor(const v1::Rollout& rollout, const v1::TargetReady& facts) {
  rollout::AgentReady input{.target = facts.target(), .epoch = facts.epoch()};
  for (const v1::HeldAttempt& held : facts.held()) {
    if (RolloutOfRun(held.run()) == rollout.name()) input.held.push_back(held.attempt());
  }
  const v1::Run* run = FindRun(rollout, facts.target());
  if (run == nullptr) return input;
  if (facts.journal_is_whole()) input.journal.emplace();
  for (const v1::RunJournal& journal : facts.journal()) {
    if (journal.run() != run->name()) continue;
    input.journal.reset();
    // That of another plan says nothing; the agent refuses this one's steps, and says why.
    if (journal.compiled_digest() != run->compiled_digest()) break;
    input.journal = rollout::KnownJournal{.done = {journal.done().begin(), journal.done().end()},
                                          .undone = {journal.undone().begin(), journal.undone().end()}};
  }
  return input;
}

// Whether the target's database is another one, or in another timeline, than what the agent before said.
bool IsElsewhere(const v1::TargetReady& before, const v1::TargetReady& now) {
  return before.epoch() != 0 &&
         (before.system_identifier() != now.system_identifier() || before.timeline() != now.timeline());
}

}  // namespace

Engine::Engine(store::RolloutStore* store, const base::Clock* clock, EngineOptions options)
    : Engine(std::make_unique<ThreadLoop>(), store, clock, nullptr, std::move(options)) {}

Engine::Engine(store::RolloutStore* store, const base::Clock* clock, Loop* loop, EngineOptions options)
    : Engine(nullptr, store, clock, loop, std::move(options)) {}

Engine::Engine(std::unique_ptr<Loop> own_loop, store::RolloutStore* store, const base::Clock* clock,
               Loop* loop, EngineOptions options)
    : own_loop_(std::move(own_loop)),
      store_(store),
      clock_(clock),
      options_(options),
      loop_(loop != nullptr ? loop : own_loop_.get()),
      schemas_(loop_, &targets_, options.schema_deadline),
      row_problems_(loop_, &targets_, options.schema_deadline),
      preflights_(loop_, &targets_, options.preflight_deadline),
      checks_(loop_, &targets_),
      rollouts_(loop_, store, clock, &targets_, {.schemas = &schemas_, .preflights = &preflights_},
                options.rollouts),
      ended_(store),
      check_dispatcher_(
          loop_, store, clock, &targets_, &checks_,
          [this](const std::string& name) { return rollouts_.InMemory(name); },
          [this](const std::string& name, rollout::CheckReported report, absl::AnyInvocable<void()> stored) {
            rollouts_.FeedSoon(name, std::move(report), std::move(stored));
          },
          options.checks),
      recorder_(
          loop_, store, clock, &targets_, &schemas_,
          [this](const std::string& target) { return rollouts_.IsAtWorkOn(target); }, options.records),
      drift_watch_(
          loop_, store, clock, &targets_, &schemas_,
          [this](const std::string& target) {
            return rollouts_.IsAtWorkOn(target) || recorder_.HasPending(target);
          },
          options.drift) {
  rollouts_.Observe([this](const v1::Rollout& before, const v1::Rollout& after) {
    recorder_.Changed(before, after);
    check_dispatcher_.Changed(after.name());
  });
  recorder_.Observe([this](const std::string& target) { drift_watch_.Look(target); });
}

Engine::~Engine() { Stop(); }

absl::Status Engine::Start() {
  absl::Status status;
  loop_->Run([&] {
    status = [&]() -> absl::Status {
      ASSIGN_OR_RETURN(auto environments, store_->ListEnvironments());
      targets_.SetEnvironments(std::move(environments));
      RETURN_IF_ERROR(recorder_.LookUp());
      RETURN_IF_ERROR(rollouts_.Load());
      // Databases may have gone back while nobody was there to notice.
      return ended_.LookUp();
    }();
  });
  RETURN_IF_ERROR(status);
  loop_->Post([this] { drift_watch_.Start(); });
  loop_->PostAfter(options_.reconnect_grace, [this] {
    if (draining_) return;
    for (const std::string& target : targets_.names()) {
      if (!targets_.Find(target)->ready)
        rollouts_.FeedAll(target,
                          [&](const v1::Rollout&) -> rollout::Input { return rollout::AgentLost{target}; });
    }
  });
  return absl::OkStatus();
}

void Engine::Drain(const absl::Status& status) {
  loop_->Run([&] {
    draining_ = true;
    // Timers and calls still come; the streams that agents are reached by end now.
    for (const std::string& target : targets_.names()) Unlink(targets_.Find(target));
    rollouts_.watches().EndAll(status);
    check_dispatcher_.Stop();
    recorder_.Stop();
    drift_watch_.Stop();
    schemas_.FailAll(status);
    row_problems_.FailAll(status);
    preflights_.FailAll(status);
    checks_.FailAll(status);
  });
}

void Engine::Granted(const std::string& target, AgentLink* link) {
  TargetEntry* entry = targets_.Find(target);
  if (entry == nullptr || draining_) return;
  entry->link = link;
  entry->agent_id = link->agent_id();
  entry->agent_version = link->agent_version();
  entry->requires_signatures = link->requires_signatures();
  entry->problem.clear();
  entry->ready = false;
  AnswersLost(target);
  rollouts_.TargetChanged(target);
}

void Engine::AnswersLost(const std::string& target) {
  schemas_.TargetDown(target);
  row_problems_.TargetDown(target);
  preflights_.TargetDown(target);
  checks_.TargetDown(target);
}

void Engine::Released(const std::string& target) {
  if (TargetEntry* entry = targets_.Find(target); entry != nullptr) Unlink(entry);
  Lost(target);
}

void Engine::Unlink(TargetEntry* entry) {
  if (entry->link == nullptr) return;
  entry->last_seen = entry->link->last_heard();
  entry->link = nullptr;
  entry->ready = false;
  entry->problem.clear();
}

void Engine::Lost(const std::string& target) {
  if (draining_) return;
  AnswersLost(target);
  rollouts_.TargetChanged(target);
  rollouts_.FeedAll(target, [&](const v1::Rollout&) -> rollout::Input { return rollout::AgentLost{target}; });
}

void Engine::Received(AgentLink* link, const v1::AgentMessage& message) {
  switch (message.kind_case()) {
    case v1::AgentMessage::kTargetReady:
      return OnReady(link, message.target_ready());
    case v1::AgentMessage::kTargetProblem:
      return OnProblem(link, message.target_problem());
    case v1::AgentMessage::kAck:
      return OnAck(link, message.ack());
    case v1::AgentMessage::kNack:
      return OnNack(link, message.nack());
    case v1::AgentMessage::kProgress:
      return OnProgress(link, message.progress());
    case v1::AgentMessage::kSchemaReport:
      return schemas_.Answered(link, message.schema_report());
    case v1::AgentMessage::kRowProblemReport:
      return row_problems_.Answered(link, message.row_problem_report());
    case v1::AgentMessage::kCheckReport:
      return checks_.Answered(link, message.check_report());
    case v1::AgentMessage::kPreflightReport:
      return preflights_.Answered(link, message.preflight_report());
    case v1::AgentMessage::kResult:
      return OnResult(link, message.result());
    case v1::AgentMessage::kHello:
    case v1::AgentMessage::kHeartbeat:
    case v1::AgentMessage::KIND_NOT_SET:
      return;
  }
}

absl::Status Engine::ApplyEnvironments(std::vector<v1::Environment> environments,
                                       const store::Record& record) {
  std::map<std::string, std::string> homes;  // target -> environment
  for (const v1::Environment& environment : environments) {
    for (const std::string& target : environment.targets()) homes[target] = environment.name();
  }
  ASSIGN_OR_RETURN(const Holders holders, rollouts_.OccupantsNow());
  for (const std::string& target : targets_.names()) {
    const auto home = homes.find(target);
    if (home != homes.end() && home->second == targets_.Find(target)->environment) continue;
    const std::vector<std::string> active = holders.On(target);
    if (active.empty()) continue;
    return base::WithDetail(
        base::WithDetail(
            absl::FailedPreconditionError(absl::StrCat(
                "rollout \"", active.front(), "\" is active on target \"", target, "\", which would ",
                home == homes.end() ? "leave the pipeline" : "move to another environment",
                "; that can be done when it has ended (`curlew rollout show ",
                WithoutCollection("rollouts", active.front()), "`)")),
            base::kReason, "ROLLOUT_ACTIVE"),
        base::kTarget, target);
  }
  RETURN_IF_ERROR(store_->PutEnvironments(environments, record));
  targets_.SetEnvironments(std::move(environments));
  spdlog::info("{}", base::WithFields("environments applied",
                                      {{"environments", absl::StrCat(targets_.environments().size())},
                                       {"targets", absl::StrCat(targets_.names().size())}}));
  if (observer_) observer_();
  return absl::OkStatus();
}

TargetEntry* Engine::LeasedTo(AgentLink* link, const std::string& target) {
  TargetEntry* entry = targets_.Find(target);
  if (entry != nullptr && entry->link == link) return entry;
  spdlog::debug("{}", base::WithFields("ignored a message about a target that is not leased to the agent",
                                       {{"target", target}, {"agent", link->agent_id()}}));
  return nullptr;
}

void Engine::OnReady(AgentLink* link, const v1::TargetReady& ready) {
  TargetEntry* entry = LeasedTo(link, ready.target());
  if (entry == nullptr) return;
  if (ready.epoch() <= 0) {
    spdlog::warn("{}", base::WithFields("ignored an agent that is ready without an epoch",
                                        {{"target", ready.target()}, {"agent", link->agent_id()}}));
    return;
  }
  const bool went_elsewhere = IsElsewhere(entry->facts, ready);
  entry->ready = true;
  entry->problem.clear();
  entry->facts = ready;
  spdlog::info("{}", base::WithFields("target is served", {{"target", ready.target()},
                                                           {"agent", link->agent_id()},
                                                           {"epoch", absl::StrCat(ready.epoch())},
                                                           {"database", ready.database()},
                                                           {"held", absl::StrCat(ready.held_size())}}));
  rollouts_.FeedAll(ready.target(),
                    [&](const v1::Rollout& rollout) -> rollout::Input { return ReadyFor(rollout, ready); });
  rollouts_.TargetChanged(ready.target());
  recorder_.TargetReady(ready.target());
  if (went_elsewhere) {
    LookUpAndTellEnded(ready.target());
  } else {
    TellEnded(ready.target());
  }
}

void Engine::TellEnded(const std::string& target) {
  const TargetEntry* entry = targets_.Find(target);
  if (entry == nullptr || !entry->ready) return;  // who is ready next is compared
  const v1::TargetReady facts = entry->facts;
  for (const std::string& name : ended_.TakeContradicted(facts)) {
    const auto stored = rollouts_.Get(name);
    if (!stored.ok()) {
      loop_->PostAfter(options_.rollouts.store_retry, [this, target] { LookUpAndTellEnded(target); });
      return;
    }
    // All others are told of everybody who is ready.
    if (rollout::Ended(stored->rollout)) rollouts_.Feed(name, ReadyFor(stored->rollout, facts));
  }
}

void Engine::LookUpAndTellEnded(const std::string& target) {
  if (ended_.LookUp(target).ok()) return TellEnded(target);
  loop_->PostAfter(options_.rollouts.store_retry, [this, target] { LookUpAndTellEnded(target); });
}

void Engine::OnProblem(AgentLink* link, const v1::TargetProblem& problem) {
  TargetEntry* entry = LeasedTo(link, problem.target());
  if (entry == nullptr) return;
  entry->ready = false;
  entry->problem = problem.message();
  spdlog::warn("{}", base::WithFields(absl::StrCat("target cannot be served: ", problem.message()),
                                      {{"target", problem.target()}, {"agent", link->agent_id()}}));
  // Also where it was not ready: a newer stream of the same process has taken the target over as it stood.
  Lost(problem.target());
}

void Engine::OnAck(AgentLink* link, const v1::Ack& ack) {
  const std::string target = TargetOfRun(ack.run());
  if (LeasedTo(link, target) == nullptr) return;
  rollouts_.FeedSoon(RolloutOfRun(ack.run()),
                     rollout::AttemptAcked{.target = target, .attempt = ack.attempt()});
}

void Engine::OnNack(AgentLink* link, const v1::Nack& nack) {
  const std::string target = TargetOfRun(nack.run());
  if (LeasedTo(link, target) == nullptr) return;
  spdlog::info("{}", base::WithFields(absl::StrCat("agent refused: ", nack.message()),
                                      {{"target", target},
                                       {"run", nack.run()},
                                       {"attempt", absl::StrCat(nack.attempt())},
                                       {"reason", v1::NackReason_Name(nack.reason())}}));
  rollouts_.FeedSoon(RolloutOfRun(nack.run()),
                     rollout::AttemptNacked{.target = target,
                                            .attempt = nack.attempt(),
                                            .need_plan = nack.reason() == v1::NACK_REASON_NEED_PLAN,
                                            .invalid = nack.reason() == v1::NACK_REASON_INVALID,
                                            .message = nack.message()});
}

void Engine::OnProgress(AgentLink* link, const v1::Progress& progress) {
  if (LeasedTo(link, progress.target()) == nullptr) return;
  const std::string rollout = rollouts_.OwnerOfAttempt(progress);
  if (!rollout.empty()) rollouts_.watches().MadeProgress(rollout, progress);
}

std::optional<rollout::StepPolicy> Engine::PolicyOfResult(const v1::Result& result) {
  if (result.outcome() != v1::ATTEMPT_STATE_ERRORED) return std::nullopt;
  const auto plan = store_->GetCompiledPlan(result.run());
  const auto stored = rollouts_.Get(RolloutOfRun(result.run()));
  const v1::Run* run = stored.ok() ? FindRun(stored->rollout, result.target()) : nullptr;
  const v1::Attempt* attempt = run != nullptr ? FindAttempt(*run, result.attempt()) : nullptr;
  if (!plan.ok() || attempt == nullptr) return std::nullopt;
  return PolicyOf(*plan, result.step(), attempt->direction());
}

void Engine::OnResult(AgentLink* link, const v1::Result& result) {
  if (LeasedTo(link, result.target()) == nullptr) return;
  rollouts_.FeedSoon(RolloutOfRun(result.run()),
                     rollout::AttemptEnded{.target = result.target(),
                                           .attempt = result.attempt(),
                                           .outcome = result.outcome(),
                                           .error = result.error(),
                                           .rows = result.rows(),
                                           .step = result.step(),
                                           .summary = result.summary(),
                                           .backups = {result.backups().begin(), result.backups().end()},
                                           .policy = PolicyOfResult(result)},
                     // Only now may the agent forget it. By then another stream may serve the target: it, or
                     // the next, will send the result again if this is not heard.
                     [this, link, target = result.target(), run = result.run(), attempt = result.attempt()] {
                       const TargetEntry* entry = targets_.Find(target);
                       if (entry == nullptr || entry->link != link) return;
                       v1::ControllerMessage message;
                       message.mutable_result_ack()->set_run(run);
                       message.mutable_result_ack()->set_attempt(attempt);
                       base::FaultPoint("result.before_ack");
                       entry->link->Send(std::move(message));
                       base::FaultPoint("result.after_ack");
                     });
}

}  // namespace curlew::dispatch
