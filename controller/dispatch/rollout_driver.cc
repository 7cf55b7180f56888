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
#include "common/base/proto_time.h"
#include "common/base/status_macros.h"
#include "controller/dispatch/audit_of.h"
#include "controller/dispatch/log_event.h"
#include "controller/dispatch/names.h"
#include "controller/dispatch/outbox.h"
#include "controller/rollout/same_state.h"

namespace curlew::dispatch {
namespace {

// A machine that asks to be woken at once, for ever, must not take the thread away from everybody else.
constexpr absl::Duration kShortestWake = absl::Milliseconds(5);

// How many inputs become one change at most: what they say is in memory until it is stored.
constexpr size_t kMostInputs = 100;

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

// Whether a transition changes which targets others find occupied, or what others wait for.
bool OccupiesOtherwise(const v1::Rollout& before, const v1::Rollout& after) {
  if (before.state() == v1::ROLLOUT_STATE_UNSPECIFIED) return true;
  if (rollout::Active(before) != rollout::Active(after)) return true;
  return !rollout::Active(after) && OccupiedTargets(before) != OccupiedTargets(after);
}

// What an input has compiled, where the machine has taken it: it does not take every answer. What is pinned
// already stays, unless nothing of it was ever begun.
std::optional<store::RolloutChange::Pin> PinOf(const v1::Rollout& before, const v1::Rollout& after,
                                               const rollout::Input& input) {
  const auto* compiled = std::get_if<rollout::Compiled>(&input);
  if (compiled == nullptr) return std::nullopt;
  const v1::Run* old = FindRun(before, compiled->target);
  const v1::Run* run = FindRun(after, compiled->target);
  if (run == nullptr || old == nullptr || run->compiled_digest() != compiled->digest) return std::nullopt;
  if (old->compiled_digest() == compiled->digest || old->last_attempt() > 0) return std::nullopt;
  return store::RolloutChange::Pin{run->name(), compiled->plan};
}

}  // namespace

RolloutDriver::RolloutDriver(Loop* loop, store::RolloutStore* store, const base::Clock* clock,
                             TargetTable* targets, Questions questions, Options options)
    : loop_(loop),
      store_(store),
      clock_(clock),
      targets_(targets),
      options_(std::move(options)),
      runner_(
          store, clock, targets, questions.schemas, questions.preflights,
          [this](const std::string& name) -> absl::StatusOr<const v1::Rollout*> {
            if (const v1::Rollout* rollout = InMemory(name); rollout != nullptr) return rollout;
            return absl::NotFoundError(absl::StrCat("rollout \"", name, "\" is not in memory"));
          },
          [this](const std::string& name, rollout::Input input, int64_t entry) {
            pending_[name].push_back(Pending{std::move(input), nullptr, {entry}});
            DrainSoon(name);
          }),
      watches_(store, [this](const std::string& name) { return Get(name); }) {}

absl::Status RolloutDriver::Load() {
  // Whole rollouts, each of a whole fleet.
  store::Page page{.size = 20};
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
  OrderChanged();
  // What was due while nobody ran is due now; this also sets the timers.
  for (const auto& [name, held] : held_) {
    pending_[name].push_back(Pending{rollout::Ticked{}, nullptr, {}});
    if (observer_) observer_(held.stored.rollout, held.stored.rollout);
  }
  loop_->Post([this] { Retry(); });
  return absl::OkStatus();
}

absl::StatusOr<v1::Rollout> RolloutDriver::Create(v1::Rollout fresh, const std::string& actor) {
  // One whose commit was reported as failed may be there for all that, and comes first then.
  RETURN_IF_ERROR(NotStored(ReconcileAllBut(fresh.name())));
  const std::string name = fresh.name();
  for (const auto& [other, held] : held_) {
    const absl::Time created = base::FromProto(held.stored.rollout.create_time());
    if (!rollout::Active(held.stored.rollout) || base::FromProto(fresh.create_time()) > created) continue;
    *fresh.mutable_create_time() = base::ToProto(created + absl::Nanoseconds(1));
  }
  Held held;
  held.stored.rollout = std::move(fresh);
  const v1::Rollout& planned = held.stored.rollout;
  auto held_by = HoldersOf(planned);
  RETURN_IF_ERROR(NotStored(held_by.status()));
  Change change;
  RETURN_IF_ERROR(Take(planned, rollout::HoldersChanged{.held_by = *held_by}, &change));
  RETURN_IF_ERROR(Take(planned, rollout::Started{actor}, &change));
  held.held_by = *std::move(held_by);
  RETURN_IF_ERROR(NotStored(Commit(&held, std::move(change))));
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
  Change change;
  absl::Status status = Take(now, input, &change);
  const bool again = status.ok() && !was_active && rollout::Active(change.transition.state);
  if (again) status = CheckNoneHasBegun(now);
  if (again && status.ok()) {
    // Until it is known that this was not stored, nobody else begins there.
    maybe_active_[name] = change.transition.state;
    OrderChanged();
  }
  if (status.ok()) status = NotStored(Commit(held, std::move(change)));
  if (again && doubtful_.count(name) == 0) Settled(name);
  if (!status.ok()) {
    if (absl::IsAborted(status)) RETURN_IF_ERROR(Reload(name));
    DropIfDone(name);
    return status;
  }
  v1::Rollout result = held->stored.rollout;
  DrainOrRetry(name);
  return result;
}

void RolloutDriver::Enqueue(std::deque<Pending>* queue, Pending next) {
  const auto is_check = [](const Pending& pending) {
    return std::holds_alternative<rollout::CheckReported>(pending.input);
  };
  const auto place = is_check(next) ? std::find_if_not(queue->begin(), queue->end(), is_check) : queue->end();
  queue->insert(place, std::move(next));
}

void RolloutDriver::Feed(const std::string& name, rollout::Input input, absl::AnyInvocable<void()> stored) {
  Enqueue(&pending_[name], {std::move(input), std::move(stored), {}});
  DrainOrRetry(name);
}

void RolloutDriver::FeedSoon(const std::string& name, rollout::Input input,
                             absl::AnyInvocable<void()> stored) {
  Enqueue(&pending_[name], {std::move(input), std::move(stored), {}});
  DrainSoon(name);
}

void RolloutDriver::FeedAll(const std::string& target,
                            const std::function<rollout::Input(const v1::Rollout&)>& input) {
  std::vector<std::string> names;
  for (const auto& [name, held] : held_) {
    if (FindRun(held.stored.rollout, target) != nullptr) names.push_back(name);
  }
  for (const std::string& name : names) {
    DrainOrRetry(name);  // the input may be made from the state
    if (const auto it = held_.find(name); it != held_.end()) Feed(name, input(it->second.stored.rollout));
  }
}

absl::StatusOr<store::VersionedRollout> RolloutDriver::Get(const std::string& name) {
  if (const auto it = held_.find(name); it != held_.end()) return it->second.stored;
  return store_->GetRollout(name);
}

const v1::Rollout* RolloutDriver::InMemory(const std::string& name) const {
  const auto it = held_.find(name);
  return it == held_.end() ? nullptr : &it->second.stored.rollout;
}

const v1::Rollout* RolloutDriver::OccupantOf(const std::string& target) const {
  for (const std::string& name : holders().On(target)) {
    const v1::Rollout* rollout = InMemory(name);
    if (rollout != nullptr && rollout::Active(*rollout)) return rollout;
  }
  return nullptr;
}

bool RolloutDriver::IsAtWorkOn(const std::string& target) const {
  for (const std::string& name : holders().On(target)) {
    const v1::Rollout* rollout = InMemory(name);
    const v1::Run* run = rollout == nullptr ? nullptr : FindRun(*rollout, target);
    if (rollout == nullptr || (run != nullptr && IsAtWork(*run))) return true;
  }
  return false;
}

absl::StatusOr<Holders> RolloutDriver::OccupantsNow() {
  RETURN_IF_ERROR(NotStored(ReconcileAllBut("")));
  return holders();
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
  const v1::Rollout before = std::exchange(held.stored, std::move(stored)).rollout;
  held.held_by.reset();
  held.order = -1;
  if (OccupiesOtherwise(before, held.stored.rollout)) OrderChanged();
  if (is_new) TellAgents(held.stored.rollout);
  if (observer_) observer_(held.stored.rollout, held.stored.rollout);
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

absl::Status RolloutDriver::CheckNoneHasBegun(const v1::Rollout& rollout) {
  // One whose commit was reported as failed may be active for all that.
  RETURN_IF_ERROR(NotStored(ReconcileAllBut(rollout.name())));
  holders_.reset();  // who has begun may be newer than the order
  for (const v1::Run& run : rollout.runs()) {
    const std::string other = holders().BegunOn(run.target(), rollout.name());
    if (other.empty()) continue;
    return base::WithDetail(
        base::WithDetail(absl::FailedPreconditionError(absl::StrCat(
                             "rollout \"", other, "\" is active on target \"", run.target(),
                             "\"; wait until it has ended, or stop it with `curlew rollout rollback ",
                             WithoutCollection("rollouts", other), "` or `curlew rollout abort ",
                             WithoutCollection("rollouts", other), "`")),
                         base::kReason, "ROLLOUT_ACTIVE"),
        base::kTarget, run.target());
  }
  return absl::OkStatus();
}

const Holders& RolloutDriver::holders() const {
  if (holders_.has_value()) return *holders_;
  std::vector<const v1::Rollout*> rollouts;
  for (const auto& [name, held] : held_) {
    if (maybe_active_.count(name) == 0) rollouts.push_back(&held.stored.rollout);
  }
  for (const auto& [name, rollout] : maybe_active_) rollouts.push_back(&rollout);
  return holders_.emplace(rollouts);
}

absl::StatusOr<std::map<std::string, std::string>> RolloutDriver::HoldersOf(const v1::Rollout& rollout) {
  return holders().Of(rollout, [this](const std::string& name) -> absl::StatusOr<bool> {
    const auto stored = Get(name);
    if (absl::IsNotFound(stored.status())) return false;
    RETURN_IF_ERROR(stored.status());
    return stored->rollout.state() == v1::ROLLOUT_STATE_SUCCEEDED;
  });
}

bool RolloutDriver::KnowsHolders(const Held& held) const {
  return held.order == order_ || !rollout::Active(held.stored.rollout);
}

absl::Status RolloutDriver::TellHolders(const std::string& name) {
  bool reloaded = false;
  for (auto it = held_.find(name); it != held_.end() && !KnowsHolders(it->second); it = held_.find(name)) {
    Held& held = it->second;
    const int64_t order = order_;
    ASSIGN_OR_RETURN(auto held_by, HoldersOf(held.stored.rollout));
    if (!held.held_by.has_value() || *held.held_by != held_by) {
      Change change;
      RETURN_IF_ERROR(Take(held.stored.rollout, rollout::HoldersChanged{.held_by = held_by}, &change));
      const absl::Status stored = Commit(&held, std::move(change));
      if (absl::IsAborted(stored) && !std::exchange(reloaded, true)) {
        RETURN_IF_ERROR(Reload(name));
        continue;
      }
      RETURN_IF_ERROR(stored);
    }
    held.held_by = std::move(held_by);
    held.order = order;
  }
  return absl::OkStatus();
}

void RolloutDriver::OrderChanged() {
  ++order_;
  holders_.reset();
  if (std::exchange(order_posted_, true)) return;
  loop_->Post([this] {
    order_posted_ = false;
    std::vector<std::string> names;
    for (const auto& [name, held] : held_) {
      if (!KnowsHolders(held)) names.push_back(name);
    }
    for (const std::string& name : names) DrainOrRetry(name);
  });
}

void RolloutDriver::Settled(const std::string& name) {
  if (maybe_active_.erase(name) > 0) OrderChanged();
}

absl::Status RolloutDriver::Take(const v1::Rollout& stored, const rollout::Input& input,
                                 Change* change) const {
  const absl::Time now = clock_->Now();
  const v1::Rollout& before = change->inputs == 0 ? stored : change->transition.state;
  ASSIGN_OR_RETURN(rollout::Transition next, rollout::Advance(before, input, now, options_.machine));
  if (auto pin = PinOf(before, next.state, input); pin.has_value()) change->pin = std::move(pin);
  if (auto entry = AuditOf(before, next.state, input, now); entry.has_value()) {
    change->record.audit.push_back(*std::move(entry));
  }
  rollout::Transition& whole = change->transition;
  whole.state = std::move(next.state);
  whole.wake = next.wake;
  whole.events.insert(whole.events.end(), next.events.begin(), next.events.end());
  whole.commands.insert(whole.commands.end(), next.commands.begin(), next.commands.end());
  ++change->inputs;
  return absl::OkStatus();
}

absl::Status RolloutDriver::Commit(Held* held, Change taken) {
  const v1::Rollout& old = held->stored.rollout;
  rollout::Transition& transition = taken.transition;
  std::vector<int64_t> done = runner_.Done(transition.state);
  if (transition.events.empty() && transition.commands.empty() && taken.answers.empty() && done.empty() &&
      held->stored.version > 0 && rollout::SameState(old, transition.state)) {
    Wake(held, transition.wake);
    return absl::OkStatus();
  }
  store::RolloutChange change;
  change.expected_version = held->stored.version;
  change.rollout = std::move(transition.state);
  change.events = std::move(transition.events);
  for (const rollout::Command& command : transition.commands) {
    change.outbox.push_back(EncodeCommand(change.rollout.name(), command));
  }
  change.outbox_done = std::move(done);
  for (const int64_t id : taken.answers) {
    if (std::find(change.outbox_done.begin(), change.outbox_done.end(), id) == change.outbox_done.end()) {
      change.outbox_done.push_back(id);
    }
  }
  change.pin = std::move(taken.pin);
  change.record = std::move(taken.record);
  if (options_.planner) {
    change.record.notifications = options_.planner(old, change.rollout, change.events);
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
  const v1::Rollout before = std::exchange(held->stored.rollout, std::move(change.rollout));
  Committed(held, before, change, transition.wake);
  return absl::OkStatus();
}

void RolloutDriver::Committed(Held* held, const v1::Rollout& before, const store::RolloutChange& change,
                              absl::Time wake) {
  const v1::Rollout& now = held->stored.rollout;
  for (const v1::Event& event : change.events) LogEvent(now, event);
  runner_.Forget(change.outbox_done);
  if (!change.outbox.empty()) outbox_changed_ = true;
  if (OccupiesOtherwise(before, now)) OrderChanged();
  Wake(held, wake);
  watches_.Changed(now);
  if (observer_) observer_(before, now);
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
  RETURN_IF_ERROR(TellHolders(name));
  const auto queue = pending_.find(name);
  if (queue == pending_.end()) {
    DropIfDone(name);
    return absl::OkStatus();
  }
  bool reloaded = false;
  while (!queue->second.empty()) {
    RETURN_IF_ERROR(TellHolders(name));
    const absl::StatusOr<Held*> held = Hold(name);
    if (absl::IsNotFound(held.status())) {
      spdlog::warn("{}",
                   base::WithFields(absl::StrCat("ignored: ", held.status().message()), {{"rollout", name}}));
      Pending lost = std::move(queue->second.front());
      queue->second.pop_front();
      if (lost.stored) lost.stored();
      continue;
    }
    RETURN_IF_ERROR(held.status());
    const absl::Status stored = CommitNext(*held, &queue->second);
    // A commit that failed may have been stored for all that: what the store has is what holds.
    if (absl::IsAborted(stored) && !std::exchange(reloaded, true)) {
      RETURN_IF_ERROR(Reload(name));
      continue;
    }
    RETURN_IF_ERROR(stored);
  }
  pending_.erase(queue);
  DropIfDone(name);
  return absl::OkStatus();
}

absl::Status RolloutDriver::CommitNext(Held* held, std::deque<Pending>* queue) {
  const v1::Rollout& stored = held->stored.rollout;
  const std::string name = stored.name();
  Change change;
  std::vector<std::string> ignored;  // why inputs change nothing, now or ever
  size_t taken = 0;
  // A change has one pin, and what comes together may be much.
  while (taken < queue->size() && taken < kMostInputs && !change.pin.has_value()) {
    const Pending& next = (*queue)[taken++];
    if (const absl::Status status = Take(stored, next.input, &change); !status.ok()) {
      ignored.push_back(std::string(status.message()));
      continue;
    }
    change.answers.insert(change.answers.end(), next.answers.begin(), next.answers.end());
  }
  if (change.inputs > 0) RETURN_IF_ERROR(Commit(held, std::move(change)));
  for (const std::string& why : ignored) {
    spdlog::warn("{}", base::WithFields(absl::StrCat("ignored: ", why), {{"rollout", name}}));
  }
  for (; taken > 0; --taken) {
    Pending done = std::move(queue->front());
    queue->pop_front();
    if (done.stored) done.stored();
  }
  return absl::OkStatus();
}

void RolloutDriver::DrainSoon(const std::string& name) {
  const bool posted = !drain_soon_.empty();
  drain_soon_.insert(name);
  if (posted) return;
  loop_->Post([this] {
    for (const std::string& waits : std::exchange(drain_soon_, {})) DrainOrRetry(waits);
    // Also where that has changed nothing: commands wait until it is known what becomes of their rollout.
    CarryOutSoon();
  });
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
    if (Reconcile(name).ok()) {
      Settled(name);
    } else {
      doubtful_.insert(name);
    }
  }
  if (!doubtful_.empty()) RetryLater();
  std::set<std::string> names;
  for (const auto& [name, queue] : pending_) names.insert(name);
  for (const auto& [name, held] : held_) {
    if (!KnowsHolders(held)) names.insert(name);
  }
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
    Settled(name);
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
