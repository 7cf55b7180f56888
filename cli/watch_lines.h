// A watched rollout as plain lines. Pure: messages and times in, text out.
#ifndef CURLEW_CLI_WATCH_LINES_H_
#define CURLEW_CLI_WATCH_LINES_H_

#include <map>
#include <set>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "cli/rollout_view.h"
#include "cli/watch_state.h"

namespace curlew::cli {

// How often progress of one target is printed in plain lines at most: the longer the same has gone on, the
// less often, from the first to the second.
inline constexpr absl::Duration kPlainProgressInterval = absl::Seconds(2);
inline constexpr absl::Duration kLongestPlainProgressInterval = absl::Minutes(1);

// Columns that the targets of a rollout take, to align lines.
int TargetWidth(const v1::Rollout& rollout);

// One line about an event: time, target, phase, message, actor.
std::string EventLine(const v1::Event& event, int target_width, const ViewOptions& options);

// One line about progress.
std::string ProgressLine(const v1::Progress& progress, int target_width, const ViewOptions& options);

// The word of a phase; "-" for none.
std::string PhaseText(v1::Phase phase);
// Columns of the widest phase.
inline constexpr int kPhaseWidth = 10;

// Makes plain lines: each event once, progress of a target now and then (at once where it begins or ends to
// wait for something), and what is waited for when that changes. Not thread-safe.
class PlainWatch {
 public:
  // Lines to print after `state` has taken in `message`.
  std::string OnMessage(const v1::WatchRolloutResponse& message, const WatchState& state,
                        const ViewOptions& options);
  // Lines that have become due with time.
  std::string OnTick(const WatchState& state, const ViewOptions& options);

 private:
  std::string NewWaits(const WatchState& state, const ViewOptions& options);

  struct Printed {
    // When progress of the target was printed last.
    absl::Time at = absl::InfinitePast();
    // Whether newer has come since.
    bool newer = false;
    // What it was about (attempt and cause of waiting), and since when it has been.
    std::string about;
    absl::Time since;
  };
  std::map<std::string, Printed> printed_;
  std::set<std::string> waits_;
};

}  // namespace curlew::cli

#endif  // CURLEW_CLI_WATCH_LINES_H_
