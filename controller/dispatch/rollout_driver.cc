#include "controller/dispatch/rollout_driver.h"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <utility>
#include <variant>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "common/base/error_detail.h"
#include "common/base/fault_point.h"
#include "common/base/log.h"
#include "common/base/status_macros.h"
#include "controller/dispatch/log_event.h"
#include "controller/dispatch/names.h"
#include "controller/dispatch/outbox.h"
#include "controller/rollout/same_state.h"

namespace curlew::dispatch {
namespace {

// A machine that asks to be woken at once, for ever, must not take the thread away from everybody else.
constexpr absl::Duration kShortestWake = absl::Milliseconds(5);

bool MayChange(const v1::Rollout& rollout) { return !rollout::Ended(rollout) || HasLiveAttempt(rollout); }

absl::Status NotStored(const absl::Status& status) {
  const std::string reason = base::Detail(status, base::kReason);
  // Of what is in doubt nobody can say that nothing was changed. And what is no failure of the store's, as
  // that another controller leads, says itself what can be done.
  if (!absl::IsUnavailable(status) || reason == store::kStoreInDoubt ||
      !(reason.empty() || absl::StartsWith(reason, "STORE_"))) {
    return status;
  }
  return base::WithDetail(base::Annotate(status, "nothing was changed, the controller's store failed"),
                          base::kReason, "STORE_UNAVAILABLE");
}

}  // namespace

RolloutDriver::RolloutDriver(Loop* loop, store::RolloutStore* store, const base::Clock* clock,
                             TargetTable* targets, SchemaRequests* schemas, Options options)
    : loop_(loop),
      store_(store),
      clock_(clock),
      targets_(targets),
      options_(options),
      runner_(
          store, targets, schemas,
          [this](const std::string& name) -> absl::StatusOr<v1::Rollout> {
            ASSIGN_OR_RETURN(auto stored, Get(name));
            return std::move(stored.rollout);
          },
          [this](const std::string& name, rollout::Input input, int64_t entry) {
            pending_[name].push_back(Pending{std::move(input), nullptr, {entry}});
            DrainOrRetry(name);
          }),
      watches_(store, [this](const std::string& name) { return Get(name); }) {}

absl::Status RolloutDriver::Load() {
  store::Page page{.size = 500};
  do {
    std::string next;
    ASSIGN_OR_RETURN(auto rollouts, store_->ListRollouts(page, &next));
    for (store::VersionedRollout& rollout : rollouts) {
      if (!MayChange(rollout.rollout)) continue;
      const std::string name = rollout.rollout.name();
      held_[name].stored = std::move(rollout);
    }
    page.token = next;
  } while (!page.token.empty());
  RETURN_IF_ERROR(runner_.Sync());
  for (const std::string& name : runner_.Rollouts()) {
    if (held_.count(name) > 0) continue;
    ASSIGN_OR_RETURN(held_[name].stored, store_->GetRollout(name));
  }
  // What was due while nobody ran is due now; this also sets the timers.
  for (const auto& [name, held] : held_) pending_[name].push_back(Pending{rollout::Ticked{}, nullptr, {}});
  loop_->Post([this] { Retry(); });
  return absl::OkStatus();
}

absl::StatusOr<v1::Rollout> RolloutDriver::Create(v1::Rollout fresh, const std::string& actor) {
  RETURN_IF_ERROR(CheckTargetsFree(fresh));
  const std::string name = fresh.name();
  Held held;
  held.stored.rollout = std::move(fresh);
  const rollout::Input input = rollout::Started{actor};
  ASSIGN_OR_RETURN(rollout::Transition transition,
                   rollout::Advance(held.stored.rollout, input, clock_->Now(), options_.machine));
  RETURN_IF_ERROR(NotStored(Commit(&held, std::move(transition), input, {})));
  held_[name] = std::move(held);
  TellAgents(held_[name].stored.rollout);
  DrainOrRetry(name);
  ASSIGN_OR_RETURN(auto stored, Get(name));
  return std::move(stored.rollout);
}

absl::StatusOr<v1::Rollout> RolloutDriver::Apply(const std::string& name, const rollout::Input& input,
                                                 const std::string& etag) {
  // What happened before comes first: it may be what the operator has not seen.
  RETURN_IF_ERROR(Hold(name).status());
  RETURN_IF_ERROR(NotStored(Drain(name)));
  ASSIGN_OR_RETURN(Held * held, Hold(name));
  const v1::Rollout& now = held->stored.rollout;
  if (!etag.empty() && etag != now.etag()) {
    return base::WithDetail(
        absl::AbortedError(absl::StrCat("rollout \"", name, "\" has changed since (its etag is \"",
                                        now.etag(), "\", not \"", etag, "\"); look at it again")),
        base::kReason, "ETAG_MISMATCH");
  }
  const bool was_active = rollout::Active(now);
  auto transition = rollout::Advance(now, input, clock_->Now(), options_.machine);
  absl::Status status = transition.status();
  if (status.ok() && !was_active && rollout::Active(transition->state)) status = CheckTargetsFree(now);
  if (status.ok()) status = NotStored(Commit(held, *std::move(transition), input, {}));
  if (!status.ok()) {
    if (absl::IsAborted(status)) RETURN_IF_ERROR(Reload(name));
    DropIfDone(name);
    return status;
  }
  v1::Rollout result = held->stored.rollout;
  DrainOrRetry(name);
  return result;
}

void RolloutDriver::Feed(const std::string& name, rollout::Input input, absl::AnyInvocable<void()> stored) {
  pending_[name].push_back(Pending{std::move(input), std::move(stored), {}});
  DrainOrRetry(name);
}

void RolloutDriver::FeedAll(const std::string& target,
                            const std::function<rollout::Input(const v1::Rollout&)>& input) {
  std::vector<std::string> names;
  for (const auto& [name, held] : held_) {
    if (FindRun(held.stored.rollout, target) != nullptr) names.push_back(name);
  }
  for (const std::string& name : names) {
    if (const auto it = held_.find(name); it != held_.end()) Feed(name, input(it->second.stored.rollout));
  }
}

absl::StatusOr<store::VersionedRollout> RolloutDriver::Get(const std::string& name) {
  if (const auto it = held_.find(name); it != held_.end()) return it->second.stored;
  return store_->GetRollout(name);
}

const v1::Rollout* RolloutDriver::OccupantOf(const std::string& target) const {
  for (const auto& [name, held] : held_) {
    const v1::Rollout& rollout = held.stored.rollout;
    if (rollout::Active(rollout) && FindRun(rollout, target) != nullptr) return &rollout;
  }
  return nullptr;
}

const v1::Rollout* RolloutDriver::AnyActive() const {
  for (const auto& [name, held] : held_) {
    if (rollout::Active(held.stored.rollout)) return &held.stored.rollout;
  }
  return nullptr;
}

std::string RolloutDriver::OwnerOfAttempt(const v1::Progress& progress) const {
  for (const auto& [name, held] : held_) {
    if (IsAbout(progress, held.stored.rollout)) return name;
  }
  return "";
}

void RolloutDriver::TargetChanged(const std::string& target) {
  runner_.Reset(target);
  CarryOut();
}

absl::Status RolloutDriver::Reload(const std::string& name) {
  ASSIGN_OR_RETURN(auto stored, store_->GetRollout(name));
  const bool is_new = held_.count(name) == 0;
  Held& held = held_[name];
  held.stored = std::move(stored);
  if (is_new) TellAgents(held.stored.rollout);
  outbox_changed_ = true;
  CarryOutSoon();
  watches_.Changed(held.stored.rollout);
  return absl::OkStatus();
}

absl::StatusOr<RolloutDriver::Held*> RolloutDriver::Hold(const std::string& name) {
  if (const auto it = held_.find(name); it != held_.end()) return &it->second;
  ASSIGN_OR_RETURN(auto stored, store_->GetRollout(name));
  Held& held = held_[name];
  held.stored = std::move(stored);
  TellAgents(held.stored.rollout);
  return &held;
}

void RolloutDriver::TellAgents(const v1::Rollout& rollout) {
  for (const v1::Run& run : rollout.runs()) {
    const TargetEntry* entry = targets_->Find(run.target());
    const bool ready = entry != nullptr && entry->ready;
    if (ready && run.epoch() != entry->facts.epoch()) {
      pending_[rollout.name()].push_back(
          Pending{rollout::AgentReady{.target = run.target(), .epoch = entry->facts.epoch()}, nullptr, {}});
    } else if (!ready && run.epoch() != 0) {
      pending_[rollout.name()].push_back(Pending{rollout::AgentLost{run.target()}, nullptr, {}});
    }
  }
}

absl::Status RolloutDriver::CheckTargetsFree(const v1::Rollout& rollout) {
  // One whose commit was reported as failed may be active for all that.
  RETURN_IF_ERROR(NotStored(ReconcileAllBut(rollout.name())));
  for (const v1::Run& run : rollout.runs()) {
    const v1::Rollout* other = OccupantOf(run.target());
    if (other == nullptr || other->name() == rollout.name()) continue;
    return base::WithDetail(
        base::WithDetail(absl::FailedPreconditionError(absl::StrCat(
                             "rollout \"", other->name(), "\" is active on target \"", run.target(),
                             "\"; wait until it has ended, or stop it with `curlew rollout rollback ",
                             WithoutCollection("rollouts", other->name()), "` or `curlew rollout abort ",
                             WithoutCollection("rollouts", other->name()), "`")),
                         base::kReason, "ROLLOUT_ACTIVE"),
        base::kTarget, run.target());
  }
  return absl::OkStatus();
}

absl::Status RolloutDriver::Commit(Held* held, rollout::Transition transition, const rollout::Input& input,
                                   const std::vector<int64_t>& answers) {
  const v1::Rollout& old = held->stored.rollout;
  std::vector<int64_t> done = runner_.Done(transition.state);
  if (transition.events.empty() && transition.commands.empty() && answers.empty() && done.empty() &&
      held->stored.version > 0 && rollout::SameState(old, transition.state)) {
    Wake(held, transition.wake);
    return absl::OkStatus();
  }
  store::RolloutChange change;
  change.expected_version = held->stored.version;
  change.rollout = transition.state;
  change.events = transition.events;
  for (const rollout::Command& command : transition.commands) {
    change.outbox.push_back(EncodeCommand(transition.state.name(), command));
  }
  change.outbox_done = std::move(done);
  for (const int64_t id : answers) {
    if (std::find(change.outbox_done.begin(), change.outbox_done.end(), id) == change.outbox_done.end()) {
      change.outbox_done.push_back(id);
    }
  }
  if (const auto* compiled = std::get_if<rollout::Compiled>(&input)) {
    const v1::Run* before = FindRun(old, compiled->target);
    const v1::Run* run = FindRun(transition.state, compiled->target);
    // The machine does not take every answer: only the one that it took is pinned.
    if (run != nullptr && before->compiled_digest().empty() && run->compiled_digest() == compiled->digest) {
      change.pin = store::RolloutChange::Pin{run->name(), compiled->plan};
    }
  }
  base::FaultPoint("store.before_commit");
  const auto version = store_->Commit(change);
  base::FaultPoint("store.after_commit");
  if (!version.ok()) {
    if (absl::IsUnavailable(version.status())) {
      doubtful_.insert(change.rollout.name());
      RetryLater();
    }
    return version.status();
  }
  held->stored.version = *version;
  held->stored.rollout = change.rollout;
  Committed(held, transition, change);
  return absl::OkStatus();
}

void RolloutDriver::Committed(Held* held, const rollout::Transition& transition,
                              const store::RolloutChange& change) {
  for (const v1::Event& event : transition.events) LogEvent(transition.state, event);
  runner_.Forget(change.outbox_done);
  if (!change.outbox.empty()) outbox_changed_ = true;
  Wake(held, transition.wake);
  watches_.Changed(transition.state);
  CarryOutSoon();
}

void RolloutDriver::CarryOutSoon() {
  if (std::exchange(carry_out_posted_, true)) return;
  loop_->Post([this] {
    carry_out_posted_ = false;
    CarryOut();
  });
}

absl::Status RolloutDriver::Drain(const std::string& name) {
  const auto queue = pending_.find(name);
  if (queue == pending_.end()) {
    DropIfDone(name);
    return absl::OkStatus();
  }
  bool reloaded = false;
  while (!queue->second.empty()) {
    const Pending& next = queue->second.front();
    absl::Status ignored;  // why the input changes nothing, now or ever
    if (const absl::StatusOr<Held*> held = Hold(name); held.ok()) {
      auto transition =
          rollout::Advance((*held)->stored.rollout, next.input, clock_->Now(), options_.machine);
      ignored = transition.status();
      const absl::Status stored = transition.ok()
                                      ? Commit(*held, *std::move(transition), next.input, next.answers)
                                      : absl::OkStatus();
      // A commit that failed may have been stored for all that: what the store has is what holds.
      if (absl::IsAborted(stored) && !std::exchange(reloaded, true)) {
        RETURN_IF_ERROR(Reload(name));
        continue;
      }
      RETURN_IF_ERROR(stored);
    } else if (absl::IsNotFound(held.status())) {
      ignored = held.status();
    } else {
      return held.status();
    }
    if (!ignored.ok()) {
      spdlog::warn("{}", base::WithFields(absl::StrCat("ignored: ", ignored.message()), {{"rollout", name}}));
    }
    Pending done = std::move(queue->second.front());
    queue->second.pop_front();
    if (done.stored) done.stored();
  }
  pending_.erase(queue);
  DropIfDone(name);
  return absl::OkStatus();
}

void RolloutDriver::DrainOrRetry(const std::string& name) {
  const absl::Status status = Drain(name);
  if (status.ok()) return;
  spdlog::error("{}", base::WithFields(absl::StrCat("the store failed, trying again: ", status.message()),
                                       {{"rollout", name}}));
  RetryLater();
}

void RolloutDriver::RetryLater() {
  if (std::exchange(retry_posted_, true)) return;
  loop_->PostAfter(options_.store_retry, [this] {
    retry_posted_ = false;
    Retry();
  });
}

void RolloutDriver::Retry() {
  for (const std::string& name : std::exchange(doubtful_, {})) {
    if (!Reconcile(name).ok()) doubtful_.insert(name);
  }
  if (!doubtful_.empty()) RetryLater();
  std::vector<std::string> names;
  for (const auto& [name, queue] : pending_) names.push_back(name);
  for (const std::string& name : names) DrainOrRetry(name);
  CarryOut();
}

absl::Status RolloutDriver::Reconcile(const std::string& name) {
  const auto stored = store_->GetRollout(name);
  if (absl::IsNotFound(stored.status())) return absl::OkStatus();
  RETURN_IF_ERROR(stored.status());
  const auto held = held_.find(name);
  if (held == held_.end() ? !MayChange(stored->rollout) : held->second.stored.version == stored->version) {
    return absl::OkStatus();
  }
  spdlog::warn(
      "{}", base::WithFields("a change whose storing was reported as failed is stored", {{"rollout", name}}));
  RETURN_IF_ERROR(Reload(name));
  pending_[name].push_back(Pending{rollout::Ticked{}, nullptr, {}});
  return absl::OkStatus();
}

absl::Status RolloutDriver::ReconcileAllBut(const std::string& other) {
  const std::set<std::string> names = doubtful_;
  for (const std::string& name : names) {
    if (name == other) continue;
    RETURN_IF_ERROR(Reconcile(name));
    doubtful_.erase(name);
  }
  return absl::OkStatus();
}

void RolloutDriver::DropIfDone(const std::string& name) {
  const auto it = held_.find(name);
  if (it == held_.end() || MayChange(it->second.stored.rollout) || pending_.count(name) > 0 ||
      outbox_changed_ || runner_.Has(name)) {
    return;
  }
  held_.erase(it);
}

void RolloutDriver::Wake(Held* held, absl::Time when) {
  held->wake = next_wake_++;
  if (when == absl::InfiniteFuture()) return;
  loop_->PostAfter(std::max(when - clock_->Now(), kShortestWake),
                   [this, name = held->stored.rollout.name(), number = held->wake] {
                     const auto it = held_.find(name);
                     if (it != held_.end() && it->second.wake == number) Feed(name, rollout::Ticked{});
                   });
}

void RolloutDriver::ForgetDone() {
  for (const std::string& name : runner_.Rollouts()) {
    const auto held = held_.find(name);
    if (held == held_.end() || pending_.count(name) > 0 ||
        runner_.Done(held->second.stored.rollout).empty()) {
      continue;
    }
    pending_[name].push_back(Pending{rollout::Ticked{}, nullptr, {}});
    DrainOrRetry(name);
  }
}

void RolloutDriver::CarryOut() {
  absl::Status status;
  if (outbox_changed_) {
    status = runner_.Sync();
    if (status.ok()) outbox_changed_ = false;
  }
  // What an input that is not stored yet makes of them, or a commit that may be, is not known: an attempt
  // that the agent is about to be said not to hold must not reach it now.
  std::set<std::string> unsettled = doubtful_;
  for (const auto& [name, queue] : pending_) unsettled.insert(name);
  if (!unsettled.empty()) RetryLater();
  status.Update(runner_.DeliverAll(unsettled));
  ForgetDone();
  std::vector<std::string> names;
  for (const auto& [name, held] : held_) names.push_back(name);
  for (const std::string& name : names) DropIfDone(name);
  if (status.ok()) return;
  spdlog::error("{}",
                base::WithFields(absl::StrCat("the store failed, trying again: ", status.message()), {}));
  RetryLater();
}

}  // namespace curlew::dispatch
