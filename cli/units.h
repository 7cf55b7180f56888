// Numbers for people: durations, counts, rates, bars, times. Pure functions.
#ifndef CURLEW_CLI_UNITS_H_
#define CURLEW_CLI_UNITS_H_

#include <cstdint>
#include <string>

#include "absl/time/time.h"
#include "cli/text.h"

namespace curlew::cli {

// "0s", "850ms", "4.2s", "42s", "3m07s", "2h05m", "3d4h". Negative durations count as none.
std::string ShortDuration(absl::Duration duration);

// The same in whole seconds: "4s" where ShortDuration says "4.2s".
std::string WholeDuration(absl::Duration duration);

// "1,234,567".
std::string FormatCount(int64_t count);

// "43,210 rows/s".
std::string FormatRate(double rows_per_second);

// "62%": rounded down, so that 100% means all.
std::string FormatPercent(double fraction);

// A bar of `width` columns, `fraction` (0 to 1) of it full.
std::string Bar(double fraction, int width, const Style& style);

// "2026-11-22 20:45:12"; "-" for a time that was never set (the epoch).
std::string ShortTime(absl::Time time, absl::TimeZone zone);

// "20:45:12".
std::string FormatClock(absl::Time time, absl::TimeZone zone);

// How long ago, in whole seconds; "-" for a time that was never set.
std::string FormatAge(absl::Time time, absl::Time now);

}  // namespace curlew::cli

#endif  // CURLEW_CLI_UNITS_H_
