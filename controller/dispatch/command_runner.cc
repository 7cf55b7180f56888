#include "controller/dispatch/command_runner.h"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <optional>
#include <set>
#include <utility>
#include <variant>

#include "absl/strings/str_cat.h"
#include "common/base/error_detail.h"
#include "common/base/fault_point.h"
#include "common/base/log.h"
#include "common/base/proto_time.h"
#include "common/base/status_macros.h"
#include "common/compiler/compiler.h"
#include "common/schema/schema.h"
#include "controller/dispatch/outbox.h"
#include "controller/dispatch/signed_words.h"
#include "controller/rollout/first_compiled.h"

namespace curlew::dispatch {
namespace {

rollout::CompileFailed Failed(const std::string& target, const absl::Status& status, absl::string_view hint,
                              bool retriable) {
  rollout::CompileFailed input{.target = target, .retriable = retriable};
  input.error.set_message(std::string(status.message()));
  const std::string own_hint = base::Detail(status, base::kHint);
  input.error.set_hint(own_hint.empty() ? std::string(hint) : own_hint);
  input.error.set_sqlstate(base::Detail(status, base::kSqlstate));
  return input;
}

constexpr absl::string_view kByItself = "it is tried again by itself";

// What the schema of the first run's target, as it is now, is to be compared with, to see why a plan compiles
// otherwise here: the schema here, as it is where nothing was changed there, as the plan would leave it where
// all is done there. Nothing in between, or where the plan fits neither way.
std::optional<v1::Schema> WhatToCompare(const v1::Run& first, const v1::Plan& plan, const v1::Schema& here) {
  if (first.state() == v1::RUN_STATE_COMPILED || first.state() == v1::RUN_STATE_COMPILING) {
    return here;
  }
  if (first.state() != v1::RUN_STATE_SUCCEEDED) return std::nullopt;
  absl::StatusOr<v1::Schema> after = compiler::Apply(plan, here);
  if (!after.ok()) return std::nullopt;
  return *std::move(after);
}

}  // namespace

absl::Status CommandRunner::Sync() {
  ASSIGN_OR_RETURN(const auto entries, store_->PendingOutbox());
  for (const store::OutboxEntry& entry : entries) {
    if (entry.id <= newest_) continue;
    newest_ = entry.id;
    absl::StatusOr<rollout::Command> command = DecodeCommand(entry);
    if (!command.ok()) {
      spdlog::error("{}", base::WithFields(command.status().message(), {{"rollout", entry.rollout}}));
      continue;
    }
    by_target_[entry.target].emplace(entry.id, Item{entry.rollout, *std::move(command)});
  }
  return absl::OkStatus();
}

// A run is compiled anew when its agent has come back, and a tuning is all of it: only the newest of these
// commands counts.
bool CommandRunner::Superseded(const std::map<int64_t, Item>& items, int64_t id, const Item& item) {
  if (!std::holds_alternative<rollout::CompileRun>(item.command) &&
      !std::holds_alternative<rollout::SendTuning>(item.command)) {
    return false;
  }
  for (auto newer = items.upper_bound(id); newer != items.end(); ++newer) {
    if (newer->second.rollout == item.rollout && newer->second.command.index() == item.command.index()) {
      return true;
    }
  }
  return false;
}

std::vector<int64_t> CommandRunner::Done(const v1::Rollout& next) const {
  std::vector<int64_t> done;
  for (const auto& [target, items] : by_target_) {
    for (const auto& [id, item] : items) {
      if (item.rollout != next.name()) continue;
      const bool told = item.sent && std::holds_alternative<rollout::SendTuning>(item.command);
      if (Wanted(item.command, next) && !Superseded(items, id, item) && !told) continue;
      // An attempt of the past may still be running: it is to be told once in any case.
      if (std::holds_alternative<rollout::CancelAttempt>(item.command) && !item.sent) continue;
      done.push_back(id);
    }
  }
  return done;
}

void CommandRunner::Forget(const std::vector<int64_t>& entries) {
  for (const int64_t id : entries) {
    for (auto it = by_target_.begin(); it != by_target_.end();) {
      it->second.erase(id);
      it = it->second.empty() ? by_target_.erase(it) : std::next(it);
    }
  }
}

bool CommandRunner::Has(const std::string& rollout) const {
  for (const auto& [target, items] : by_target_) {
    for (const auto& [id, item] : items) {
      if (item.rollout == rollout) return true;
    }
  }
  return false;
}

std::vector<std::string> CommandRunner::Rollouts() const {
  std::set<std::string> names;
  for (const auto& [target, items] : by_target_) {
    for (const auto& [id, item] : items) names.insert(item.rollout);
  }
  return {names.begin(), names.end()};
}

absl::Status CommandRunner::Deliver(const std::string& target, const std::set<std::string>& unsettled) {
  const auto items = by_target_.find(target);
  const TargetEntry* entry = targets_->Find(target);
  if (items == by_target_.end() || entry == nullptr || !entry->ready) return absl::OkStatus();
  absl::Status result;
  for (auto& [id, item] : items->second) {
    if (item.sent || unsettled.count(item.rollout) > 0 || Superseded(items->second, id, item)) continue;
    // One that cannot be carried out does not hold up what stands behind it.
    const absl::Status status = CarryOut(id, &item, entry->link);
    item.sent = status.ok();
    result.Update(base::Annotate(status, item.rollout));
  }
  return result;
}

absl::Status CommandRunner::DeliverAll(const std::set<std::string>& unsettled) {
  absl::Status result;
  for (const auto& [target, items] : by_target_) result.Update(Deliver(target, unsettled));
  return result;
}

void CommandRunner::Reset(const std::string& target) {
  const auto items = by_target_.find(target);
  if (items == by_target_.end()) return;
  for (auto& [id, item] : items->second) item.sent = false;
}

absl::Status CommandRunner::CarryOut(int64_t id, Item* item, AgentLink* link) {
  if (const auto* command = std::get_if<rollout::CompileRun>(&item->command)) {
    return Compile(id, *item, command->target);
  }
  if (const auto* command = std::get_if<rollout::DispatchAttempt>(&item->command))
    return Send(item->rollout, *command, link);
  if (const auto* command = std::get_if<rollout::SendTuning>(&item->command)) {
    v1::ControllerMessage message;
    message.mutable_tune()->set_target(command->target);
    message.mutable_tune()->set_run(command->run);
    *message.mutable_tune()->mutable_tuning() = command->tuning;
    link->Send(std::move(message));
    return absl::OkStatus();
  }
  const auto& command = std::get<rollout::CancelAttempt>(item->command);
  v1::ControllerMessage message;
  message.mutable_cancel()->set_target(command.target);
  message.mutable_cancel()->set_run(command.run);
  message.mutable_cancel()->set_attempt(command.attempt);
  message.mutable_cancel()->set_reason(command.reason);
  link->Send(std::move(message));
  return absl::OkStatus();
}

absl::Status CommandRunner::Send(const std::string& rollout, const rollout::DispatchAttempt& command,
                                 AgentLink* link) {
  v1::ControllerMessage message;
  v1::Dispatch* dispatch = message.mutable_dispatch();
  dispatch->set_target(command.target);
  dispatch->set_run(command.run);
  dispatch->set_step(command.step);
  dispatch->set_attempt(command.attempt);
  dispatch->set_direction(command.direction);
  dispatch->set_epoch(command.epoch);
  dispatch->set_compiled_digest(command.compiled_digest);
  if (command.override_wait.has_value()) *dispatch->mutable_override() = *command.override_wait;
  if (command.tuning.has_value()) *dispatch->mutable_tuning() = *command.tuning;
  ASSIGN_OR_RETURN(v1::CompiledPlan plan, store_->GetCompiledPlan(command.run));
  const rollout::StepPolicy policy = PolicyOf(plan, command.step, command.direction);
  if (policy.deadline != absl::InfiniteDuration()) {
    *dispatch->mutable_deadline() = base::ToProto(policy.deadline);
  }
  if (link->requires_signatures()) RETURN_IF_ERROR(AddSignedWords(rollout, command, plan, dispatch));
  if (command.with_plan) *dispatch->mutable_compiled_plan() = std::move(plan);
  base::FaultPoint("command.before_send");
  link->Send(std::move(message));
  base::FaultPoint("command.after_send");
  return absl::OkStatus();
}

absl::Status CommandRunner::AddSignedWords(const std::string& rollout,
                                           const rollout::DispatchAttempt& command,
                                           const v1::CompiledPlan& compiled, v1::Dispatch* dispatch) {
  ASSIGN_OR_RETURN(const v1::Rollout* state, state_(rollout));
  if (command.with_plan) {
    ASSIGN_OR_RETURN(v1::StoredPlan stored, store_->GetPlan(state->plan()));
    *dispatch->mutable_plan_signatures() = SignaturesFor(stored, command.target);
    *dispatch->mutable_plan() = std::move(*stored.mutable_plan());
  }
  const bool drops = command.direction == v1::DIRECTION_DO &&
                     std::any_of(compiled.steps().begin(), compiled.steps().end(), [&](const v1::Step& step) {
                       return step.key() == command.step && step.phase() == v1::PHASE_DROP;
                     });
  if (drops) *dispatch->mutable_decisions() = DropDecisionsFor(*state, command.target);
  return absl::OkStatus();
}

absl::Status CommandRunner::Compile(int64_t id, const Item& item, const std::string& target) {
  ASSIGN_OR_RETURN(const v1::Rollout* state, state_(item.rollout));
  ASSIGN_OR_RETURN(v1::StoredPlan stored, store_->GetPlan(state->plan()));
  auto compilation = std::make_shared<Compilation>();
  compilation->id = id;
  compilation->rollout = item.rollout;
  compilation->target = target;
  compilation->stored = std::move(stored);
  schemas_->Ask(target, compiler::ScopeOf(compilation->stored.plan()),
                [this, compilation](absl::StatusOr<v1::Schema> schema) {
                  CompileAgainst(compilation, std::move(schema));
                });
  return absl::OkStatus();
}

void CommandRunner::CompileFails(const Compilation& compilation, const absl::Status& why,
                                 absl::string_view hint, bool retriable) {
  if (!IsAwaited(compilation)) return;
  answer_(compilation.rollout, Failed(compilation.target, why, hint, retriable), compilation.id);
}

void CommandRunner::CompileAgainst(CompilationPtr compilation, absl::StatusOr<v1::Schema> schema) {
  if (base::Detail(schema.status(), base::kReason) == kTargetNotServed) return;
  if (!schema.ok()) {
    return CompileFails(*compilation, schema.status(), kByItself, /*retriable=*/true);
  }
  absl::StatusOr<v1::CompiledPlan> compiled = compiler::Compile(compilation->stored.plan(), *schema);
  if (!compiled.ok()) {
    return CompileFails(
        *compilation,
        base::Annotate(compiled.status(),
                       absl::StrCat("plan does not fit target \"", compilation->target, "\"")),
        "change the plan or the schema, then start another rollout, or `curlew rollout resume` this one",
        /*retriable=*/false);
  }
  compilation->schema = *std::move(schema);
  rollout::Compiled& result = compilation->result;
  result.target = compilation->target;
  result.digest = compiler::Digest(*compiled);
  result.steps_digest = compiler::StepsDigest(*compiled);
  result.plan = *std::move(compiled);
  Preflight(std::move(compilation));
}

void CommandRunner::Compare(CompilationPtr compilation) {
  const absl::StatusOr<const v1::Rollout*> state = state_(compilation->rollout);
  if (!state.ok()) return CompileFails(*compilation, state.status(), kByItself, /*retriable=*/true);
  const v1::Run* first = rollout::FirstCompiled(**state, compilation->target);
  if (first == nullptr) return Succeed(*compilation);
  const absl::StatusOr<v1::CompiledPlan> proved = store_->GetCompiledPlan(first->name());
  if (!proved.ok()) return CompileFails(*compilation, proved.status(), kByItself, /*retriable=*/true);
  rollout::Compiled& result = compilation->result;
  if (compiler::StepsDigest(*proved) == result.steps_digest) return Succeed(*compilation);
  result.differences = compiler::DiffSteps(*proved, result.plan);
  const std::optional<v1::Schema> here =
      WhatToCompare(*first, compilation->stored.plan(), compilation->schema);
  if (!here.has_value()) return Succeed(*compilation);
  schemas_->Ask(
      first->target(), compiler::ScopeOf(compilation->stored.plan()),
      [this, compilation, here = *here, there = first->target()](const absl::StatusOr<v1::Schema>& schema) {
        if (schema.ok()) {
          for (const std::string& line : schema::Diff(*schema, here)) {
            compilation->result.differences.push_back(
                absl::StrCat("schema, from ", there, " to ", compilation->target, ": ", line));
          }
        }
        Succeed(*compilation);
      });
}

void CommandRunner::Preflight(CompilationPtr compilation) {
  const std::string target = compilation->target;
  const v1::CompiledPlan& plan = compilation->result.plan;
  preflights_->Ask(
      target, plan, compilation->stored, [this, compilation](absl::StatusOr<v1::Preflight> preflight) {
        if (base::Detail(preflight.status(), base::kReason) == kTargetNotServed) return;
        compilation->result.preflight =
            preflight.ok() ? *std::move(preflight) : PreflightNotMade(preflight.status(), clock_->Now());
        // Now, and not before: those that are compiled at the same time are to be compared, too.
        Compare(compilation);
      });
}

void CommandRunner::Succeed(Compilation& compilation) {
  if (!IsAwaited(compilation)) return;
  base::FaultPoint("compile.before_answer");
  answer_(compilation.rollout, std::move(compilation.result), compilation.id);
}

bool CommandRunner::IsAwaited(const Compilation& compilation) const {
  const auto items = by_target_.find(compilation.target);
  if (items == by_target_.end()) return false;
  const auto item = items->second.find(compilation.id);
  return item != items->second.end() && !Superseded(items->second, item->first, item->second);
}

}  // namespace curlew::dispatch
