// A watched rollout as text: plain lines, or a live region of a terminal. Pure: messages and times in, text
// out.
#ifndef CURLEW_CLI_WATCH_VIEW_H_
#define CURLEW_CLI_WATCH_VIEW_H_

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

// One line about an event: time, target, phase, message, actor. `target_width` aligns the lines.
std::string EventLine(const v1::Event& event, int target_width, const ViewOptions& options);

// One line about progress.
std::string ProgressLine(const v1::Progress& progress, int target_width, const ViewOptions& options);

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

// The live region: a line about the rollout, one for each target with a bar, then what the rollout waits for.
// No line is wider than options.width; at most `height` lines (working targets go first where there are
// more).
std::vector<std::string> WatchFrame(const WatchState& state, int height, const ViewOptions& options);

// Redraws a region at the end of a terminal. Not thread-safe.
class LiveRegion {
 public:
  // The bytes that replace the region by `above` (whole lines that then scroll away) and the new lines.
  std::string Redraw(const std::string& above, const std::vector<std::string>& lines);

 private:
  int height_ = 0;
};

}  // namespace curlew::cli

#endif  // CURLEW_CLI_WATCH_VIEW_H_
