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

// Progress of one target is printed at most so often in plain lines.
inline constexpr absl::Duration kPlainProgressInterval = absl::Seconds(2);

// Columns that the targets of a rollout take, to align lines.
int TargetWidth(const v1::Rollout& rollout);

// One line about an event: time, target, phase, message, actor.
std::string EventLine(const v1::Event& event, int target_width, const ViewOptions& options);

// One line about progress.
std::string ProgressLine(const v1::Progress& progress, int target_width, const ViewOptions& options);

// What progress says beside a bar: rows per second, time left, throttle; where there are none of these, its
// message.
std::vector<std::string> ProgressFacts(const v1::Progress& progress);

// The word of a phase; "-" for none.
std::string PhaseText(v1::Phase phase);
// Columns of the widest phase.
inline constexpr int kPhaseWidth = 10;

// Makes plain lines: each event once, progress of a target every kPlainProgressInterval at most, and what is
// waited for when that changes. Not thread-safe.
class PlainWatch {
 public:
  // Lines to print after `state` has taken in `message`.
  std::string OnMessage(const v1::WatchRolloutResponse& message, const WatchState& state,
                        const ViewOptions& options);
  // Lines that have become due with time.
  std::string OnTick(const WatchState& state, const ViewOptions& options);

 private:
  std::string NewWaits(const WatchState& state, const ViewOptions& options);

  // When progress of a target was printed last, and whether newer has come since.
  struct Printed {
    absl::Time at = absl::InfinitePast();
    bool newer = false;
  };
  std::map<std::string, Printed> printed_;
  std::set<std::string> waits_;
};

}  // namespace curlew::cli

#endif  // CURLEW_CLI_WATCH_LINES_H_
