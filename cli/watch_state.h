// What a watcher knows of a rollout, from the messages that came so far.
#ifndef CURLEW_CLI_WATCH_STATE_H_
#define CURLEW_CLI_WATCH_STATE_H_

#include <cstdint>
#include <map>
#include <optional>
#include <string>

#include "cli/exit_code.h"
#include "curlew/v1/operator.pb.h"

namespace curlew::cli {

// What a watcher waits for.
enum class WatchGoal {
  // The rollout has ended or failed.
  kEnd,
  // The same, or it waits for an approval.
  kGate,
  // It has ended or failed, or it waits for an approval, or is paused: nothing happens until somebody
  // decides.
  kDecision,
  // It has been rolled back, which is a success then.
  kUndone,
};

// Folds messages of WatchRollout. Pure; not thread-safe.
class WatchState {
 public:
  // `last_event` is the number of the newest event that the watcher has seen before.
  explicit WatchState(int64_t last_event) : last_event_(last_event) {}

  // What a message was.
  enum class Applied {
    // Something new.
    kNew,
    // An event that was seen before: not to be shown again.
    kRepeated,
    // An event after one that is missing: not taken in; watch again from last_event().
    kGap,
  };
  Applied Apply(const v1::WatchRolloutResponse& message);

  // Number of the newest event that was taken in.
  int64_t last_event() const { return last_event_; }
  // The rollout as it stood last; without a name until it was sent.
  const v1::Rollout& rollout() const { return rollout_; }
  // Newest progress by target, of attempts that have not ended.
  const std::map<std::string, v1::Progress>& progress() const { return progress_; }
  // Whether every event of the rollout as it stood last has been taken in.
  bool caught_up() const { return !rollout_.name().empty() && last_event_ >= rollout_.last_event(); }

  // How the watch ends; nothing while it goes on, or events are still to come.
  std::optional<ExitCode> Outcome(WatchGoal goal) const;
  // How a watch ends that is given up now: kNeedsDecision or kWaitedTooLong.
  ExitCode OutcomeAtTimeout() const;

 private:
  void DropEndedProgress();
  bool WaitsForApproval() const;

  int64_t last_event_;
  v1::Rollout rollout_;
  std::map<std::string, v1::Progress> progress_;
};

}  // namespace curlew::cli

#endif  // CURLEW_CLI_WATCH_STATE_H_
