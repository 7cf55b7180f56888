// What tells how busy a database is, and how much of each is too much.
#ifndef CURLEW_AGENT_GUARD_SIGNALS_H_
#define CURLEW_AGENT_GUARD_SIGNALS_H_

#include <map>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "agent/guard/throttle_config.h"
#include "curlew/v1/rollout.pb.h"

namespace curlew::agent {

// What a signal does to a walk.
enum class Effect {
  // Counts in proportion to its limit; pauses the walk above it.
  kPauses,
  // As that, but never takes the last worker: a walk that stands would not mend it.
  kSheds,
  // Counts only above its limit, where it pauses the walk: going slower would not mend it.
  kBound,
};

// What it means that a signal could not be read for a while.
enum class WhenStale {
  // No worker is added; else all stays as it is.
  kFreezes,
  // The walk pauses: what it does to others cannot be seen.
  kPauses,
};

// One signal of those that the agent knows.
struct SignalKind {
  absl::string_view name;  // with its unit
  // Above this it is too much; negative where it is off unless someone gives a limit.
  double limit = 0;
  // Whether the limit is that of the whole, or of each processor of the agent's machine.
  enum class Scale { kWhole, kPerProcessor } scale = Scale::kWhole;
  Effect effect = Effect::kPauses;
  WhenStale when_stale = WhenStale::kFreezes;
  absl::string_view meaning;  // one sentence for docs/throttle.md
};

// All of them, in the order of docs/throttle.md: the only place where their names and limits stand.
const std::vector<SignalKind>& KnownSignals();

// The limits of KnownSignals() on this machine, by name.
std::map<std::string, double> DefaultLimits();

// How a signal is judged. A value.
struct SignalRule {
  double limit = -1;  // negative: not at all
  Effect effect = Effect::kPauses;
  WhenStale when_stale = WhenStale::kFreezes;
};
// By name of the signal.
using SignalRules = std::map<std::string, SignalRule>;

// The known signals and the configuration's checks, with the limits of the configuration and, before those,
// of the tuning. Limits of names that nobody knows are passed over.
SignalRules RulesFor(const ThrottleConfig& config, const v1::Tuning& tuning);

// The tuning as far as it does not make walks less careful than the configuration does: a limit that is above
// the configuration's own, or switches its signal off, is that again; limits of names that nobody knows are
// left out; batches are no longer than `longest_batch`, and no shorter than a millisecond.
v1::Tuning WithinOwnLimits(const ThrottleConfig& config, absl::Duration longest_batch, v1::Tuning tuning);

// One signal as it was read last. A value.
struct Signal {
  std::string name;
  double value = 0;
  // Who has it, for people: `standby "db2"`; may be empty.
  std::string detail;
  // When it was read, on the clock of whoever judges it; never before the first time.
  absl::Time read = absl::InfinitePast();
  // Age at which it says nothing any more.
  absl::Duration stale_after = absl::Seconds(2);
  // There is no such thing here, for example no standby.
  bool absent = false;
  // Why it could not be read the last time; empty where it could.
  std::string problem;
};

}  // namespace curlew::agent

#endif  // CURLEW_AGENT_GUARD_SIGNALS_H_
