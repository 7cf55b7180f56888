#include "controller/dispatch/holders.h"

#include "common/base/proto_time.h"
#include "common/base/status_macros.h"
#include "controller/dispatch/outbox.h"
#include "controller/rollout/machine.h"

namespace curlew::dispatch {

std::set<std::string> OccupiedTargets(const v1::Rollout& rollout) {
  const bool active = rollout::Active(rollout);
  std::set<std::string> targets;
  for (const v1::Run& run : rollout.runs()) {
    if (active || HasLiveAttempt(run)) targets.insert(run.target());
  }
  return targets;
}

bool HasBegun(const v1::Run& run) {
  if (run.has_start_time() || HasLiveAttempt(run)) return true;
  switch (run.state()) {
    case v1::RUN_STATE_RUNNING:
    case v1::RUN_STATE_READY_TO_DROP:
    case v1::RUN_STATE_DROPPING:
    case v1::RUN_STATE_SUCCEEDED:
    case v1::RUN_STATE_ROLLING_BACK:
      return true;
    case v1::RUN_STATE_UNSPECIFIED:
    case v1::RUN_STATE_PENDING:
    case v1::RUN_STATE_SKIPPED:
    case v1::RUN_STATE_COMPILING:
    case v1::RUN_STATE_COMPILED:
    case v1::RUN_STATE_FAILED:
    case v1::RUN_STATE_ROLLED_BACK:
    case v1::RunState_INT_MIN_SENTINEL_DO_NOT_USE_:
    case v1::RunState_INT_MAX_SENTINEL_DO_NOT_USE_:
      break;
  }
  return false;
}

bool IsAtWork(const v1::Run& run) {
  switch (run.state()) {
    case v1::RUN_STATE_RUNNING:
    case v1::RUN_STATE_READY_TO_DROP:
    case v1::RUN_STATE_DROPPING:
    case v1::RUN_STATE_ROLLING_BACK:
      return true;
    case v1::RUN_STATE_FAILED:
      return run.has_start_time();
    case v1::RUN_STATE_UNSPECIFIED:
    case v1::RUN_STATE_PENDING:
    case v1::RUN_STATE_SKIPPED:
    case v1::RUN_STATE_COMPILING:
    case v1::RUN_STATE_COMPILED:
    case v1::RUN_STATE_SUCCEEDED:
    case v1::RUN_STATE_ROLLED_BACK:
      return HasLiveAttempt(run);
    case v1::RunState_INT_MIN_SENTINEL_DO_NOT_USE_:
    case v1::RunState_INT_MAX_SENTINEL_DO_NOT_USE_:
      break;
  }
  return false;
}

Holders::Holders(const std::vector<const v1::Rollout*>& rollouts) {
  for (const v1::Rollout* rollout : rollouts) {
    const bool active = rollout::Active(*rollout);
    const Place place(base::FromProto(rollout->create_time()), rollout->name());
    for (const v1::Run& run : rollout->runs()) {
      if (!active && !HasLiveAttempt(run)) continue;
      Queue& queue = queues_[run.target()];
      queue.all.insert(place);
      if (HasBegun(run)) queue.begun.insert(place);
    }
  }
}

absl::StatusOr<std::map<std::string, std::string>> Holders::Of(
    const v1::Rollout& rollout,
    absl::FunctionRef<absl::StatusOr<bool>(const std::string& name)> succeeded) const {
  std::string not_succeeded;
  for (const std::string& name : rollout.after()) {
    ASSIGN_OR_RETURN(const bool has, succeeded(name));
    if (has) continue;
    not_succeeded = name;
    break;
  }
  const Place place(base::FromProto(rollout.create_time()), rollout.name());
  std::map<std::string, std::string> held_by;
  for (const v1::Run& run : rollout.runs()) {
    if (HasBegun(run)) continue;
    std::string holder = not_succeeded;
    if (const auto queue = queues_.find(run.target()); queue != queues_.end()) {
      if (!queue->second.begun.empty()) {
        holder = queue->second.begun.begin()->second;
      } else if (!queue->second.all.empty() && *queue->second.all.begin() < place) {
        holder = queue->second.all.begin()->second;
      }
    }
    if (!holder.empty()) held_by[run.target()] = holder;
  }
  return held_by;
}

std::vector<std::string> Holders::On(const std::string& target) const {
  const auto queue = queues_.find(target);
  if (queue == queues_.end()) return {};
  std::vector<std::string> names;
  for (const Place& place : queue->second.begun) names.push_back(place.second);
  for (const Place& place : queue->second.all) {
    if (queue->second.begun.count(place) == 0) names.push_back(place.second);
  }
  return names;
}

std::string Holders::BegunOn(const std::string& target, const std::string& name) const {
  const auto queue = queues_.find(target);
  if (queue == queues_.end()) return "";
  for (const Place& place : queue->second.begun) {
    if (place.second != name) return place.second;
  }
  return "";
}

}  // namespace curlew::dispatch
