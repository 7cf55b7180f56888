// What must hold when all is calm.
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "tests/simulation/world.h"

namespace curlew::simulation {

void World::JudgeTheEnd() {
  ControllerProcess* leader = Leader();
  if (leader == nullptr) return story_.Violate("in the end nobody leads");
  const auto entries = shared_.rows().PendingOutbox();
  for (const store::OutboxEntry& entry : *entries) {
    story_.Violate(absl::StrCat("in the end the outbox still has a ", entry.kind, " for ", entry.target));
  }
  for (const Started& started : operators_.rollouts()) {
    leader->CheckMemory(started.name, /*strict=*/true);
    const auto state = State(started.name);
    ++story_.figures.ends[v1::RolloutState_Name(state->state()).substr(14)];
    for (const v1::Run& run : state->runs()) {
      const Database& database = *databases_.at(run.target());
      // What went back when it was over is told to people.
      const bool told = absl::StrContains(run.error().message(), "went back");
      if (run.state() == v1::RUN_STATE_SUCCEEDED && !told && !database.IsDone(run.name())) {
        story_.Violate(absl::StrCat(run.name(), " SUCCEEDED and is not done"));
      }
      if (run.state() == v1::RUN_STATE_ROLLED_BACK && !told && !database.IsClean(run.name())) {
        story_.Violate(absl::StrCat(run.name(), " ROLLED_BACK and is not clean"));
      }
      bool left = run.state() != v1::RUN_STATE_SUCCEEDED && run.state() != v1::RUN_STATE_ROLLED_BACK;
      if (state->state() == v1::ROLLOUT_STATE_SUCCEEDED && left && run.state() != v1::RUN_STATE_SKIPPED) {
        story_.Violate(absl::StrCat(started.name, " SUCCEEDED without ", run.target()));
      }
      // What was never begun, and environments that were not meant, are left as they are.
      left = left && run.has_start_time() &&
             (absl::StartsWith(state->reason(), "rolled back") ||
              absl::StartsWith(state->reason(), run.environment().substr(sizeof("environments"))));
      if (state->state() == v1::ROLLOUT_STATE_ROLLED_BACK && left &&
          !absl::StrContains(state->reason(), run.target())) {
        story_.Violate(absl::StrCat(run.name(), " was left without a word"));
      }
    }
  }
  for (const auto& watcher : watchers_) {
    if (watcher->last() != static_cast<int64_t>(shared_.events(watcher->rollout()).size())) {
      story_.Violate(absl::StrCat("a watcher of ", watcher->rollout(), " has event ", watcher->last(), " of ",
                                  shared_.events(watcher->rollout()).size()));
    }
  }
  for (const Installed& agent : agents_) {
    if (!agent.process->idle() && (agent.twin == nullptr || !agent.twin->idle())) {
      story_.Violate(absl::StrCat(agent.id, " still has something under way"));
    }
  }
}

}  // namespace curlew::simulation
