#include "tests/simulation/shared_store.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "common/base/error_detail.h"
#include "common/base/proto_time.h"
#include "common/base/status_macros.h"
#include "controller/dispatch/names.h"
#include "controller/dispatch/outbox.h"
#include "controller/rollout/machine.h"
#include "curlew/v1/agent.pb.h"
#include "tests/controller/rollout/violations.h"

namespace curlew::simulation {

store::Leadership SharedStore::Hold(const std::string& holder, absl::Duration term) {
  const absl::Duration now = scheduler_->now();
  if (holder_ != holder && now >= expires_) {
    holder_ = holder;
    ++epoch_;
    scheduler_->Tell(absl::StrCat(holder, " leads, epoch ", epoch_));
  }
  if (holder_ == holder) expires_ = now + term;
  return {.mine = holder_ == holder, .epoch = epoch_, .address = holder_};
}

void SharedStore::Release(const std::string& holder) {
  if (holder_ == holder) expires_ = -absl::InfiniteDuration();
}

absl::Status SharedStore::Fence(int64_t epoch) {
  if (epoch == epoch_ || mutations_->no_store_fence) return absl::OkStatus();
  ++scheduler_->story().figures.fenced_in_store;
  return absl::FailedPreconditionError(
      absl::StrCat("another controller leads: epoch ", epoch_, ", this one has ", epoch));
}

absl::StatusOr<int64_t> SharedStore::Commit(const std::string& holder, int64_t epoch,
                                            const store::RolloutChange& change) {
  RETURN_IF_ERROR(Fence(epoch));
  ASSIGN_OR_RETURN(const int64_t version, rows_.Commit(change));
  Judge(holder, epoch, change);
  changed_.insert(change.rollout.name());
  return version;
}

absl::Duration SharedStore::ended(const std::string& rollout) const {
  const auto found = ended_.find(rollout);
  return found == ended_.end() ? absl::InfiniteDuration() : found->second;
}

void SharedStore::Judge(const std::string& holder, int64_t epoch, const store::RolloutChange& change) {
  Story& story = scheduler_->story();
  const v1::Rollout& next = change.rollout;
  const std::string& name = next.name();
  std::string told = absl::StrCat(holder, " commits ", name, " v", change.expected_version + 1, " ",
                                  v1::RolloutState_Name(next.state()).substr(14));
  for (const v1::Event& event : change.events)
    absl::StrAppend(&told, " [", event.number(), " ", event.target(), " ", event.step(), " ", event.message(),
                    "]");

  // Who commits.
  std::string& committer = committer_[epoch];
  if (committer.empty()) committer = holder;
  if (committer != holder) {
    story.Violate(absl::StrCat(holder, " and ", committer, " both commit under epoch ", epoch));
  }
  if (epoch < newest_committing_epoch_) {
    story.Violate(absl::StrCat(holder, " commits under epoch ", epoch, " after one of epoch ",
                               newest_committing_epoch_));
  }
  newest_committing_epoch_ = std::max(newest_committing_epoch_, epoch);

  // Events.
  std::vector<v1::Event>& all = told_[name];
  for (const v1::Event& event : change.events) {
    if (event.number() != static_cast<int64_t>(all.size()) + 1) {
      story.Violate(absl::StrCat(name, ": event ", event.number(), " is stored after ", all.size()));
    }
    all.push_back(event);
  }

  if (change.trim_events_below > 0) {
    if (!rollout::Ended(next))
      story.Violate(absl::StrCat(name, " has not ended, and its events are removed"));
    first_kept_[name] = change.trim_events_below;
    absl::StrAppend(&told, " -events below ", change.trim_events_below);
  }
  if (const auto before = states_.find(name); before != states_.end()) JudgeStep(before->second, change);
  JudgeTargets(next);
  for (const std::string& wrong : rollout::testing::WrongPolicies(states_[name], next)) {
    story.Violate(absl::StrCat(name, ": ", wrong));
  }
  for (const v1::Run& run : next.runs()) {
    if (run.state() == v1::RUN_STATE_FAILED || run.state() == v1::RUN_STATE_SKIPPED) {
      may_lack_.insert(run.name());
    }
  }
  for (const store::OutboxEntry& entry : change.outbox) {
    absl::StrAppend(&told, " +", entry.kind, " ", entry.target);
    v1::Dispatch dispatch;
    if (entry.kind != "dispatch" || !dispatch.ParseFromString(entry.payload)) continue;
    absl::StrAppend(&told, " ", dispatch.step(), "#", dispatch.attempt());
    int& newest = newest_dispatched_[dispatch.run()];
    if (dispatch.attempt() < newest) {
      story.Violate(
          absl::StrCat(dispatch.run(), ": attempt ", dispatch.attempt(), " is dispatched after ", newest));
    }
    newest = std::max(newest, dispatch.attempt());
    JudgeDispatch(states_[name], change, dispatch);
  }
  if (rollout::Ended(next)) {
    ended_.emplace(name, scheduler_->now());
  } else {
    ended_.erase(name);
  }
  states_[name] = next;
  scheduler_->Tell(std::move(told));
}

void SharedStore::JudgeDispatch(const v1::Rollout& was, const store::RolloutChange& change,
                                const v1::Dispatch& dispatch) {
  const rollout::DispatchAttempt attempt{.target = dispatch::TargetOfRun(dispatch.run()),
                                         .run = dispatch.run(),
                                         .step = dispatch.step(),
                                         .attempt = dispatch.attempt(),
                                         .direction = dispatch.direction()};
  if (was.runs().empty()) return;
  const absl::Time now = base::FromProto(change.rollout.update_time());
  for (const std::string& held : rollout::testing::HeldBack(was, change.rollout, attempt, now)) {
    scheduler_->story().Violate(
        absl::StrCat(dispatch.run(), "#", dispatch.attempt(), " ", dispatch.step(), " is dispatched ", held));
  }
}

void SharedStore::JudgeTargets(const v1::Rollout& next) {
  const auto does = [](const v1::Rollout& rollout, const v1::Run& run) {
    if (rollout::Ended(rollout)) return false;
    for (const v1::StepStatus& step : run.steps()) {
      const v1::AttemptState state = step.attempt().state();
      if (step.attempt().direction() == v1::DIRECTION_DO &&
          (state == v1::ATTEMPT_STATE_LEASED || state == v1::ATTEMPT_STATE_RUNNING ||
           state == v1::ATTEMPT_STATE_UNKNOWN)) {
        return true;
      }
    }
    return false;
  };
  for (const auto& [other, state] : states_) {
    if (other == next.name()) continue;
    for (const v1::Run& run : next.runs()) {
      const v1::Run* theirs = dispatch::FindRun(state, run.target());
      if (theirs == nullptr || !does(next, run) || !does(state, *theirs)) continue;
      scheduler_->story().Violate(absl::StrCat(next.name(), " and ", other, " both work on ", run.target()));
    }
  }
}

void SharedStore::JudgeStep(const v1::Rollout& was, const store::RolloutChange& change) {
  Story& story = scheduler_->story();
  const v1::Rollout& next = change.rollout;
  const auto left = [&](absl::string_view what) {
    story.Violate(absl::StrCat(next.name(), " left ", v1::RolloutState_Name(was.state()), " for ",
                               v1::RolloutState_Name(next.state()), what));
  };
  // Ends are final. Only what a rollback left behind can be rolled back later, where an operator asks for it.
  if (was.state() == v1::ROLLOUT_STATE_SUCCEEDED && next.state() != was.state()) left("");
  if (was.state() == v1::ROLLOUT_STATE_ROLLED_BACK && next.state() != was.state()) {
    bool any_taken_up = false;
    for (int i = 0; i < was.runs_size(); ++i) {
      const v1::RunState before = was.runs(i).state(), after = next.runs(i).state();
      const bool back = after == v1::RUN_STATE_ROLLING_BACK || after == v1::RUN_STATE_ROLLED_BACK;
      if (before == v1::RUN_STATE_ROLLED_BACK && after != before) {
        left(absl::StrCat(", and ", next.runs(i).target(), " had been rolled back"));
      }
      any_taken_up = any_taken_up || (before != v1::RUN_STATE_ROLLED_BACK && back);
    }
    if (next.state() != v1::ROLLOUT_STATE_ROLLING_BACK || !any_taken_up)
      left(", and nothing was left behind");
    if (change.events.empty() || change.events.front().actor().empty()) left(", and nobody asked");
  }
  // Numbers of attempts ascend.
  for (int i = 0; i < std::min(next.runs_size(), was.runs_size()); ++i) {
    if (next.runs(i).last_attempt() >= was.runs(i).last_attempt()) continue;
    story.Violate(absl::StrCat(next.runs(i).name(), ": its last attempt falls from ",
                               was.runs(i).last_attempt(), " to ", next.runs(i).last_attempt()));
  }
}

void SharedStore::JudgeAck(const std::string& holder, const v1::ResultAck& ack) {
  const std::string target = dispatch::TargetOfRun(ack.run());
  const auto stored = rows_.GetRollout(dispatch::RolloutOfRun(ack.run()));
  const v1::Run* run = stored.ok() ? dispatch::FindRun(stored->rollout, target) : nullptr;
  const v1::Attempt* attempt = run != nullptr ? dispatch::FindAttempt(*run, ack.attempt()) : nullptr;
  if (attempt == nullptr ||
      (attempt->state() != v1::ATTEMPT_STATE_LEASED && attempt->state() != v1::ATTEMPT_STATE_RUNNING)) {
    return;
  }
  scheduler_->story().Violate(absl::StrCat(holder, " acknowledges the result of ", ack.run(), "#",
                                           ack.attempt(), ", and the store has it as ",
                                           v1::AttemptState_Name(attempt->state())));
}

// --- The view. ---

absl::Status StoreView::Reach() const {
  if (reachable()) return absl::OkStatus();
  return absl::UnavailableError("the store cannot be reached");
}

absl::Status StoreView::ReachToRead() {
  RETURN_IF_ERROR(Reach());
  if (!random_.Chance(luck_->unread)) return absl::OkStatus();
  scheduler_->story().Fault("store unread");
  return absl::UnavailableError("the store did not answer");
}

void StoreView::Die() {
  dead_ = true;
  die_();
}

absl::StatusOr<int64_t> StoreView::Commit(const store::RolloutChange& change) {
  RETURN_IF_ERROR(Reach());
  Story& story = scheduler_->story();
  if (random_.Chance(luck_->slow)) {
    story.Fault("slow store");
    stall_(random_.Between(absl::Milliseconds(50), absl::Seconds(12)));
  }
  if (random_.Chance(luck_->unavailable)) {
    story.Fault("store unavailable");
    doubtful_.insert(change.rollout.name());
    return absl::UnavailableError("the store is full");
  }
  if (random_.Chance(luck_->crash_before)) {
    story.Fault("controller crash before a commit");
    Die();
    return absl::UnavailableError("it is dead");
  }
  const auto version = shared_->Commit(holder_, epoch_, change);
  // The engine need not know that events were removed.
  if (version.ok() && change.trim_events_below > 0) doubtful_.insert(change.rollout.name());
  if (version.ok() && random_.Chance(luck_->crash_after)) {
    story.Fault("controller crash after a commit");
    Die();
    return absl::UnavailableError("it is dead");
  }
  if (version.ok() && random_.Chance(luck_->lost_answer)) {
    story.Fault("store commit whose answer is lost");
    doubtful_.insert(change.rollout.name());
    return base::WithDetail(absl::UnavailableError("the connection to the store broke"), base::kReason,
                            store::kStoreInDoubt);
  }
  return version;
}

absl::StatusOr<v1::StoredPlan> StoreView::PutPlan(const v1::StoredPlan& plan, const store::Record& record) {
  RETURN_IF_ERROR(Reach());
  RETURN_IF_ERROR(shared_->Fence(epoch_));
  return shared_->rows().PutPlan(plan, record);
}

absl::StatusOr<v1::StoredPlan> StoreView::PutPlanSignature(const std::string& plan,
                                                           const v1::PlanSignature& signature,
                                                           const store::Record& record) {
  RETURN_IF_ERROR(Reach());
  RETURN_IF_ERROR(shared_->Fence(epoch_));
  return shared_->rows().PutPlanSignature(plan, signature, record);
}

absl::StatusOr<v1::StoredPlan> StoreView::GetPlan(const std::string& name) {
  RETURN_IF_ERROR(ReachToRead());
  return shared_->rows().GetPlan(name);
}

absl::StatusOr<std::vector<v1::StoredPlan>> StoreView::ListPlans(const store::Page& page, std::string* next) {
  RETURN_IF_ERROR(ReachToRead());
  return shared_->rows().ListPlans(page, next);
}

absl::Status StoreView::PutEnvironments(const std::vector<v1::Environment>& environments,
                                        const store::Record& record) {
  RETURN_IF_ERROR(Reach());
  RETURN_IF_ERROR(shared_->Fence(epoch_));
  return shared_->rows().PutEnvironments(environments, record);
}

absl::StatusOr<std::vector<v1::Environment>> StoreView::ListEnvironments() {
  RETURN_IF_ERROR(ReachToRead());
  return shared_->rows().ListEnvironments();
}

absl::StatusOr<store::VersionedRollout> StoreView::GetRollout(const std::string& name) {
  RETURN_IF_ERROR(ReachToRead());
  return shared_->rows().GetRollout(name);
}

absl::StatusOr<std::vector<store::VersionedRollout>> StoreView::ListRollouts(const store::Page& page,
                                                                             std::string* next) {
  RETURN_IF_ERROR(ReachToRead());
  return shared_->rows().ListRollouts(page, next);
}

absl::StatusOr<std::vector<v1::Event>> StoreView::ListEvents(const std::string& rollout, int64_t after,
                                                             int limit) {
  RETURN_IF_ERROR(ReachToRead());
  return shared_->rows().ListEvents(rollout, after, limit);
}

absl::StatusOr<v1::CompiledPlan> StoreView::GetCompiledPlan(const std::string& run) {
  RETURN_IF_ERROR(ReachToRead());
  return shared_->rows().GetCompiledPlan(run);
}

absl::StatusOr<std::vector<store::OutboxEntry>> StoreView::PendingOutbox() {
  RETURN_IF_ERROR(ReachToRead());
  return shared_->rows().PendingOutbox();
}

}  // namespace curlew::simulation
