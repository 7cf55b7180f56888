#include "controller/dispatch/watches.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/base/error_detail.h"
#include "common/base/status_macros.h"
#include "controller/dispatch/outbox.h"
#include "controller/rollout/machine.h"

namespace curlew::dispatch {
namespace {

constexpr int kEventsInBatch = 200;

absl::Status EventsRemoved(const std::string& rollout, int64_t after, int64_t oldest) {
  const absl::Status status =
      absl::OutOfRangeError(absl::StrCat(rollout, ": event ", after + 1,
                                         " was removed at the end of its retention; the oldest that is "
                                         "kept has number ",
                                         oldest));
  return base::WithDetail(
      base::WithDetail(status, base::kReason, "EVENTS_REMOVED"), base::kHint,
      absl::StrCat("watch from event ", oldest - 1, " on, or from 0 for all that are kept"));
}

}  // namespace

void Watches::Add(const std::string& rollout, Watcher* watcher) {
  if (!end_.ok()) return watcher->End(end_);
  watchers_[rollout].insert(watcher);
}

void Watches::Remove(const std::string& rollout, Watcher* watcher) {
  const auto it = watchers_.find(rollout);
  if (it == watchers_.end()) return;
  it->second.erase(watcher);
  if (it->second.empty()) watchers_.erase(it);
}

absl::StatusOr<WatchBatch> Watches::Read(const std::string& rollout, WatchCursor* cursor) {
  ASSIGN_OR_RETURN(const store::VersionedRollout now, state_(rollout));
  WatchBatch batch;
  const auto add_rollout = [&] {
    if (cursor->version == now.version) return;
    *batch.messages.emplace_back().mutable_rollout() = now.rollout;
    cursor->version = now.version;
  };
  if (cursor->version < 0) add_rollout();
  if (cursor->event < now.rollout.last_event()) {
    ASSIGN_OR_RETURN(auto events, store_->ListEvents(rollout, cursor->event, kEventsInBatch));
    // Who has read nothing asks for what there is, and the rollout's first_event says what that is.
    if (cursor->event > 0 && !events.empty() && events[0].number() != cursor->event + 1) {
      return EventsRemoved(rollout, cursor->event, events[0].number());
    }
    for (v1::Event& event : events) {
      cursor->event = event.number();
      *batch.messages.emplace_back().mutable_event() = std::move(event);
    }
  }
  if (cursor->event < now.rollout.last_event()) return batch;
  add_rollout();
  int64_t newest = cursor->progress;
  if (const auto it = progress_.find(rollout); it != progress_.end()) {
    for (const auto& [target, latest] : it->second) {
      if (latest.number <= cursor->progress) continue;
      *batch.messages.emplace_back().mutable_progress() = latest.progress;
      newest = std::max(newest, latest.number);
    }
  }
  cursor->progress = newest;
  batch.ended = rollout::Ended(now.rollout);
  return batch;
}

void Watches::Changed(const v1::Rollout& rollout) {
  if (const auto it = progress_.find(rollout.name()); it != progress_.end()) {
    for (auto latest = it->second.begin(); latest != it->second.end();) {
      latest = IsAbout(latest->second.progress, rollout) ? std::next(latest) : it->second.erase(latest);
    }
    if (it->second.empty()) progress_.erase(it);
  }
  Tell(rollout.name());
}

void Watches::MadeProgress(const std::string& rollout, const v1::Progress& progress) {
  progress_[rollout][progress.target()] = Latest{next_progress_++, progress};
  Tell(rollout);
}

std::vector<v1::Waiting> Watches::AgentsWaiting(const std::string& rollout) const {
  std::vector<v1::Waiting> waiting;
  const auto it = progress_.find(rollout);
  if (it == progress_.end()) return waiting;
  for (const auto& [target, latest] : it->second) {
    if (!latest.progress.has_waiting()) continue;
    waiting.push_back(latest.progress.waiting());
    waiting.back().set_target(target);
  }
  return waiting;
}

void Watches::TellAll() {
  for (const auto& [rollout, of_rollout] : watchers_) {
    for (Watcher* watcher : of_rollout) watcher->Changed();
  }
}

void Watches::EndAll(const absl::Status& status) {
  end_ = status;
  // End may lead to Remove.
  const auto watchers = std::exchange(watchers_, {});
  for (const auto& [rollout, of_rollout] : watchers) {
    for (Watcher* watcher : of_rollout) watcher->End(status);
  }
}

void Watches::Tell(const std::string& rollout) {
  const auto it = watchers_.find(rollout);
  if (it == watchers_.end()) return;
  for (Watcher* watcher : it->second) watcher->Changed();
}

}  // namespace curlew::dispatch
