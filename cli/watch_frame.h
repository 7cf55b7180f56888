// A watched rollout as a live region of a terminal. Pure: messages and times in, text out.
#ifndef CURLEW_CLI_WATCH_FRAME_H_
#define CURLEW_CLI_WATCH_FRAME_H_

#include <string>
#include <vector>

#include "cli/rollout_view.h"
#include "cli/watch_state.h"

namespace curlew::cli {

// The lines of the region: one about the rollout, one for each target with a bar (and more where it walks a
// table or waits for something), then what the rollout waits for. No line is wider than options.width; at
// most `height` lines as far as what the rollout waits for leaves room (details of walks are left out and
// working targets go first where there are too many).
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

#endif  // CURLEW_CLI_WATCH_FRAME_H_
