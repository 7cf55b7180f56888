#include "controller/dispatch/ended_runs.h"

#include <algorithm>
#include <utility>

#include "common/base/status_macros.h"

namespace curlew::dispatch {
namespace {

// How many of the newest rollouts are looked at.
constexpr int kRolloutsLookedAt = 50;

template <typename Keys>
bool HasAll(const Keys& journal, const std::vector<std::string>& keys) {
  return std::all_of(keys.begin(), keys.end(), [&](const std::string& key) {
    return std::find(journal.begin(), journal.end(), key) != journal.end();
  });
}

}  // namespace

absl::Status EndedRuns::LookUp() { return LookUp(nullptr); }
absl::Status EndedRuns::LookUp(const std::string& target) { return LookUp(&target); }

absl::Status EndedRuns::LookUp(const std::string* target) {
  std::string next;
  ASSIGN_OR_RETURN(const auto newest, store_->ListRollouts({.size = kRolloutsLookedAt, .token = ""}, &next));
  if (target == nullptr) {
    runs_.clear();
  } else {
    runs_.erase(*target);
  }
  for (const store::VersionedRollout& stored : newest) {
    for (const v1::Run& run : stored.rollout.runs()) {
      if (target != nullptr && run.target() != *target) continue;
      Run noted{.rollout = stored.rollout.name(), .name = run.name(), .digest = run.compiled_digest()};
      for (const v1::StepStatus& step : run.steps()) {
        if (step.state() == v1::STEP_STATE_SUCCEEDED) noted.done.push_back(step.key());
        if (step.state() == v1::STEP_STATE_UNDONE && step.has_undo()) noted.undone.push_back(step.key());
      }
      if (!noted.done.empty() || !noted.undone.empty()) runs_[run.target()].push_back(std::move(noted));
    }
  }
  return absl::OkStatus();
}

std::vector<std::string> EndedRuns::TakeContradicted(const v1::TargetReady& ready) {
  std::vector<std::string> rollouts;
  const auto noted = runs_.extract(ready.target());
  if (noted.empty()) return rollouts;
  for (const Run& run : noted.mapped()) {
    const auto journal = std::find_if(ready.journal().begin(), ready.journal().end(),
                                      [&](const v1::RunJournal& of) { return of.run() == run.name; });
    // That of another plan says nothing, and neither does one that was left out.
    const bool agrees = journal == ready.journal().end() ? !ready.journal_is_whole()
                                                         : journal->compiled_digest() != run.digest ||
                                                               (HasAll(journal->done(), run.done) &&
                                                                HasAll(journal->undone(), run.undone));
    if (!agrees) rollouts.push_back(run.rollout);
  }
  return rollouts;
}

}  // namespace curlew::dispatch
