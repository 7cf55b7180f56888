// From signals to a number of workers.
#ifndef CURLEW_AGENT_GUARD_GOVERNOR_H_
#define CURLEW_AGENT_GUARD_GOVERNOR_H_

#include <string>
#include <vector>

#include "absl/time/time.h"
#include "agent/guard/signals.h"
#include "curlew/v1/rollout.pb.h"

namespace curlew::agent {

// Decides look by look how many workers may work. The utilisation is the highest ratio of a fresh signal to
// its limit. It begins with one worker and then:
//
//   utilisation         what follows
//   under 40 %          a worker is added, at most one in kBetweenAdditions
//   40 % to 70 %        nothing
//   over 70 %           a worker is taken away, one at each look, never the last
//   over 100 %          all pause, at once
//   paused, under 90 %  one worker goes on; until then all stay paused
//
// Signals of Effect::kSheds count for the third line, but neither pause nor keep paused. While one is stale
// no worker is added, or all pause (WhenStale). One that was never read is stale; one that was absent when it
// was read last never pauses. Pure: no clock, no I/O. Not thread-safe.
class Governor {
 public:
  // The first additions come faster, as long as every look has been under 40 %: an idle database would else
  // be used in full only after seconds, when many walks are over. It is safe, because each look sees what the
  // addition before has done, and a look over 40 % ends it for the rest of the walk.
  static constexpr absl::Duration kBetweenFirstAdditions = absl::Milliseconds(200);
  static constexpr absl::Duration kBetweenAdditions = absl::Seconds(1);

  // `max_workers` is at least 1.
  Governor(SignalRules rules, int max_workers);

  // Other limits from now on. What is beyond the new number of workers is taken away at the next look.
  void Set(SignalRules rules, int max_workers);
  // What follows from `signals` at `now`, which does not go backwards. Signals without a rule, or with a
  // negative limit, do not count.
  v1::Load Look(const std::vector<Signal>& signals, absl::Time now);

 private:
  SignalRules rules_;
  int max_workers_;
  int workers_ = 1;  // 0: paused
  bool first_additions_ = true;
  absl::Time last_added_ = absl::InfinitePast();
  bool looked_ = false;
};

}  // namespace curlew::agent

#endif  // CURLEW_AGENT_GUARD_GOVERNOR_H_
