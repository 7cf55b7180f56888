// Following a rollout until it gets somewhere.
#ifndef CURLEW_CLI_WATCH_H_
#define CURLEW_CLI_WATCH_H_

#include <cstdint>
#include <string>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "cli/context.h"
#include "cli/exit_code.h"
#include "cli/verb.h"
#include "cli/watch_state.h"
#include "common/base/backoff.h"

namespace curlew::cli {

// How a rollout is followed.
struct WatchOptions {
  // Resource name.
  std::string rollout;
  // The newest event that was seen before; 0 shows all.
  int64_t after_event = 0;
  WatchGoal goal = WatchGoal::kEnd;
  // What is printed on the way: a live region on a screen and lines on a pipe, one JSON message a line, or
  // nothing but how it ended.
  enum class Print { kProgress, kJson, kQuiet } print = Print::kProgress;
  // How long is waited in all.
  absl::Duration timeout = absl::InfiniteDuration();
  // After a connection was lost, tries go on for so long.
  absl::Duration give_up_after = absl::Minutes(5);
  base::BackoffOptions backoff = {absl::Milliseconds(200), absl::Seconds(2), 2.0};
};

// Follows a rollout until the goal is reached; goes on from the last event after a lost connection. What went
// wrong with the rollout is written to context.err; the exit code says how it ended. Errors: those of the
// first connection, those that another try cannot mend (NOT_FOUND, …), and UNAVAILABLE when giving up, also
// where the time is over before the rollout could be seen at all.
absl::StatusOr<ExitCode> Watch(Context& context, const WatchOptions& options);

// The flags --watch, --wait, --until, --timeout and --give-up-after of verbs after which one may want to
// follow.
struct FollowFlags {
  bool watch = false;
  bool wait = false;
  std::string until = "end";
  // How long is waited in all; zero for no end.
  absl::Duration timeout = absl::ZeroDuration();
  absl::Duration give_up_after = absl::Minutes(5);
};
void AddFollowFlags(CLI::App& verb, FollowFlags& flags);
void AddUntilFlags(CLI::App& verb, FollowFlags& flags);

// Whether to follow at all.
bool Follows(const FollowFlags& flags);

// Watch with the flags' options; every message as a line of JSON where `output` is "json".
absl::StatusOr<ExitCode> Follow(Context& context, const FollowFlags& flags, const std::string& rollout,
                                int64_t after_event, const std::string& output = "table");

// What the flags mean, as far as they say it: goal and times.
WatchOptions ToWatchOptions(const FollowFlags& flags, const std::string& rollout, int64_t after_event);

}  // namespace curlew::cli

#endif  // CURLEW_CLI_WATCH_H_
