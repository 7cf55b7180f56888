// How long a shape has not been used, judged by looks at sessions and counters.
#ifndef CURLEW_AGENT_EXECUTOR_QUIET_TIME_H_
#define CURLEW_AGENT_EXECUTOR_QUIET_TIME_H_

#include <cstdint>
#include <deque>
#include <optional>
#include <vector>

#include "absl/time/time.h"

namespace curlew::agent {

// Whether somebody was seen in a look.
enum class Seen { kNobody, kSomebody };

// Takes looks one after another. Pure: time comes with them. Not thread-safe.
class QuietTime {
 public:
  // Nothing may be seen for `needed`, from the first look on.
  explicit QuietTime(absl::Duration needed) : needed_(needed) {}

  // What a look at `now` found: sessions, and how far each counter stands (nullopt where there is no such
  // counter), always in the same order. A counter that stands elsewhere than before was moved since; one that
  // appears, or goes, was not.
  void Look(absl::Time now, Seen sessions, const std::vector<std::optional<int64_t>>& counters);

  // The rest is valid after the first look.

  // How long before the newest look something was seen; where nothing ever was, how long was looked.
  absl::Duration quiet() const { return looked_ - used_; }
  bool enough() const { return quiet() >= needed_; }
  // How often the counters moved within window().
  int64_t writes() const;
  // The time before the newest look that counts: at most what is needed.
  absl::Duration window() const;

 private:
  struct Writes {
    absl::Time time;
    int64_t count;
  };

  const absl::Duration needed_;
  std::optional<absl::Time> began_;
  absl::Time looked_;
  absl::Time used_;
  std::vector<std::optional<int64_t>> counters_;
  std::deque<Writes> writes_;  // those within window(), in order
};

}  // namespace curlew::agent

#endif  // CURLEW_AGENT_EXECUTOR_QUIET_TIME_H_
