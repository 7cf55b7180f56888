#include "agent/guard/governor.h"

#include <algorithm>
#include <cmath>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"

namespace curlew::agent {
namespace {

constexpr double kAddUnder = 0.4;
constexpr double kShedOver = 0.7;
constexpr double kPauseOver = 1;
constexpr double kResumeUnder = 0.9;

// 1813, 0.25, 2147483648: as exact as a person needs it.
std::string Number(double value) {
  return std::abs(value) >= 100 || value == std::floor(value) ? absl::StrFormat("%.0f", value)
                                                              : absl::StrFormat("%.3g", value);
}

double Ratio(double value, const SignalRule& rule) {
  // A limit of nothing: anything is too much.
  const double ratio = rule.limit > 0 ? value / rule.limit : (value > 0 ? 1 + value : 0);
  return rule.effect == Effect::kBound && ratio <= kPauseOver ? 0 : ratio;
}

std::string Named(const Signal& signal) {
  return absl::StrCat(signal.name, signal.detail.empty() ? "" : absl::StrCat(" (", signal.detail, ")"));
}

// The signal that is nearest to its limit, or furthest above it.
struct Highest {
  const Signal* signal = nullptr;
  double ratio = 0;
  double limit = 0;
  void Consider(const Signal& other, double its_ratio, double its_limit) {
    if (signal == nullptr || its_ratio > ratio) *this = {&other, its_ratio, its_limit};
  }
};

// What all signals say together.
struct Findings {
  Highest highest;
  Highest pausing;  // of those that may pause a walk
  const Signal* stale = nullptr;
  WhenStale then = WhenStale::kFreezes;
};

Findings Judge(const std::vector<Signal>& signals, const SignalRules& rules, absl::Time now) {
  Findings found;
  for (const Signal& signal : signals) {
    const auto rule = rules.find(signal.name);
    if (rule == rules.end() || rule->second.limit < 0) continue;
    if (now - signal.read > signal.stale_after) {
      const WhenStale then = signal.absent ? WhenStale::kFreezes : rule->second.when_stale;
      if (found.stale == nullptr || (found.then == WhenStale::kFreezes && then == WhenStale::kPauses)) {
        found.stale = &signal;
        found.then = then;
      }
      continue;
    }
    if (signal.absent) continue;
    const double ratio = Ratio(signal.value, rule->second);
    found.highest.Consider(signal, ratio, rule->second.limit);
    if (rule->second.effect != Effect::kSheds) found.pausing.Consider(signal, ratio, rule->second.limit);
  }
  return found;
}

std::string WhatIsStale(const Signal& signal, absl::Time now) {
  const std::string since =
      signal.read == absl::InfinitePast()
          ? " yet"
          : absl::StrCat(" for ",
                         absl::FormatDuration(absl::Trunc(now - signal.read, absl::Milliseconds(100))));
  return absl::StrCat(Named(signal), " could not be read", since,
                      signal.problem.empty() ? "" : absl::StrCat(" (", signal.problem, ")"));
}

}  // namespace

Governor::Governor(SignalRules rules, int max_workers)
    : rules_(std::move(rules)), max_workers_(std::max(1, max_workers)) {}

void Governor::Set(SignalRules rules, int max_workers) {
  rules_ = std::move(rules);
  max_workers_ = std::max(1, max_workers);
}

v1::Load Governor::Look(const std::vector<Signal>& signals, absl::Time now) {
  const Findings found = Judge(signals, rules_, now);
  const double utilisation = found.highest.ratio;
  const bool was_paused = workers_ == 0;
  if (!looked_) last_added_ = now;
  looked_ = true;
  workers_ = std::min(workers_, max_workers_);
  if (utilisation >= kAddUnder || found.stale != nullptr) first_additions_ = false;

  enum class Cause { kHighest, kPausing, kStale } cause = Cause::kHighest;
  std::string what;
  if (found.stale != nullptr && found.then == WhenStale::kPauses) {
    workers_ = 0;
    cause = Cause::kStale;
    what = "pauses until it is read";
  } else if (found.pausing.ratio > kPauseOver) {
    workers_ = 0;
    cause = Cause::kPausing;
    what = "pauses";
  } else if (was_paused && found.pausing.ratio >= kResumeUnder) {
    cause = Cause::kPausing;
    what = "stays paused until it is under 90 %";
  } else if (utilisation > kShedOver && workers_ > 1) {
    --workers_;
    what = absl::StrCat("takes a worker away, ", workers_, " of ", max_workers_, " may work");
  } else if (found.stale != nullptr) {
    cause = Cause::kStale;
    what = was_paused ? "stays paused until it is read"
                      : absl::StrCat("adds no worker, ", workers_, " of ", max_workers_, " may work");
  } else if (was_paused) {
    workers_ = 1;
    last_added_ = now;
    what = "goes on with one worker";
  } else if (utilisation < kAddUnder && workers_ < max_workers_ &&
             now - last_added_ >= (first_additions_ ? kBetweenFirstAdditions : kBetweenAdditions)) {
    ++workers_;
    last_added_ = now;
    what = absl::StrCat("adds a worker, ", workers_, " of ", max_workers_, " may work");
  } else {
    what = absl::StrCat(workers_, " of ", max_workers_, " workers may work");
  }

  v1::Load load;
  load.set_workers(workers_);
  load.set_utilisation(utilisation);
  if (cause == Cause::kStale) {
    load.set_signal(found.stale->name);
    load.set_value(found.stale->value);
    load.set_limit(rules_.at(found.stale->name).limit);
    load.set_reason(absl::StrCat(WhatIsStale(*found.stale, now), ": ", what));
    return load;
  }
  const Highest& why = cause == Cause::kPausing ? found.pausing : found.highest;
  if (why.signal == nullptr) {
    load.set_reason(absl::StrCat("no signal applies here: ", what));
    return load;
  }
  load.set_signal(why.signal->name);
  load.set_value(why.signal->value);
  load.set_limit(why.limit);
  load.set_reason(absl::StrCat(Named(*why.signal), " is ", Number(why.signal->value), ", limit ",
                               Number(why.limit), ": ", what));
  return load;
}

}  // namespace curlew::agent
