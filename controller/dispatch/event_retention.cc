#include "controller/dispatch/event_retention.h"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/base/log.h"
#include "common/base/proto_time.h"
#include "controller/rollout/machine.h"

namespace curlew::dispatch {

void EventRetention::Start() {
  if (options_.retention == absl::InfiniteDuration()) return;
  loop_->PostAfter(options_.interval, [this] { Round(); });
}

void EventRetention::Round() {
  next_page_.clear();
  all_seen_ = false;
  due_.clear();
  removed_ = 0;
  Look();
}

int64_t EventRetention::OldestToKeep(const v1::Rollout& rollout) const {
  if (!rollout::Ended(rollout) || !rollout.has_end_time()) return 0;
  if (clock_->Now() - base::FromProto(rollout.end_time()) <= options_.retention) return 0;
  return rollout.last_event();
}

void EventRetention::Look() {
  std::string next;
  auto rollouts = store_->ListRollouts({.size = options_.rollouts_in_task, .token = next_page_}, &next);
  if (!rollouts.ok()) return EndRound(rollouts.status());
  for (store::VersionedRollout& rollout : *rollouts) {
    if (OldestToKeep(rollout.rollout) > std::max<int64_t>(rollout.rollout.first_event(), 1)) {
      due_.push_back(std::move(rollout));
    }
  }
  next_page_ = next;
  all_seen_ = next.empty();
  loop_->Post([this] { Trim(); });
}

void EventRetention::Trim() {
  if (due_.empty()) return all_seen_ ? EndRound(absl::OkStatus()) : Look();
  store::VersionedRollout& now = due_.front();
  const int64_t first = std::max<int64_t>(now.rollout.first_event(), 1);
  const int64_t keep = OldestToKeep(now.rollout);
  store::RolloutChange change{.expected_version = now.version, .rollout = now.rollout};
  change.trim_events_below = std::min(keep, first + options_.events_in_commit);
  change.rollout.set_first_event(change.trim_events_below);
  const auto version = store_->Commit(change);
  if (version.ok()) {
    removed_ += change.trim_events_below - first;
    now = {.version = *version, .rollout = std::move(change.rollout)};
    if (change.trim_events_below == keep) due_.pop_front();
  } else if (absl::IsAborted(version.status())) {
    // It has changed since it was read: the next round sees how it stands then.
    due_.pop_front();
  } else {
    return EndRound(version.status());
  }
  loop_->Post([this] { Trim(); });
}

void EventRetention::EndRound(const absl::Status& status) {
  due_.clear();
  if (removed_ > 0) {
    spdlog::info("{}", base::WithFields("events were removed at the end of their retention",
                                        {{"events", absl::StrCat(removed_)},
                                         {"retention", absl::FormatDuration(options_.retention)}}));
  }
  if (!status.ok()) {
    spdlog::warn("{}", base::WithFields(absl::StrCat("events whose retention has ended could not be removed, "
                                                     "trying again later: ",
                                                     status.message()),
                                        {}));
  }
  loop_->PostAfter(options_.interval, [this] { Round(); });
}

}  // namespace curlew::dispatch
