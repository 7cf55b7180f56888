#include "cli/units.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"

namespace curlew::cli {

std::string ShortDuration(absl::Duration duration) {
  if (duration <= absl::ZeroDuration()) return "0s";
  if (duration == absl::InfiniteDuration()) return "forever";
  const int64_t ms = absl::ToInt64Milliseconds(duration);
  if (ms < 1000) return absl::StrCat(std::max<int64_t>(ms, 1), "ms");
  const int64_t s = ms / 1000;
  if (const int64_t tenth = ms % 1000 / 100; s < 10 && tenth != 0) return absl::StrFormat("%d.%ds", s, tenth);
  if (s < 60) return absl::StrCat(s, "s");
  if (s < 3600) return absl::StrFormat("%dm%02ds", s / 60, s % 60);
  if (s < 86'400) return absl::StrFormat("%dh%02dm", s / 3600, s % 3600 / 60);
  return absl::StrFormat("%dd%dh", s / 86'400, s % 86'400 / 3600);
}

std::string WholeDuration(absl::Duration duration) {
  if (duration < absl::Seconds(1)) return "0s";
  return ShortDuration(absl::Trunc(duration, absl::Seconds(1)));
}

std::string FormatCount(int64_t count) {
  std::string digits = absl::StrCat(count);
  for (int i = static_cast<int>(digits.size()) - 3; i > (count < 0 ? 1 : 0); i -= 3) digits.insert(i, ",");
  return digits;
}

std::string FormatRate(double rows_per_second) {
  return absl::StrCat(FormatCount(std::llround(std::max(rows_per_second, 0.0))), " rows/s");
}

std::string FormatPercent(double fraction) {
  // A hair is added because 0.29 * 100 is 28.999….
  return absl::StrCat(static_cast<int>(std::floor(std::clamp(fraction, 0.0, 1.0) * 100 + 1e-9)), "%");
}

std::string Bar(double fraction, int width, const Style& style) {
  fraction = std::clamp(fraction, 0.0, 1.0);
  if (style.glyphs == Style::Glyphs::kAscii) {
    const int inner = std::max(width - 2, 0);
    const int full = static_cast<int>(fraction * inner);
    return absl::StrCat("[", std::string(full, '#'), std::string(inner - full, '.'), "]");
  }
  static constexpr std::array<absl::string_view, 8> kEighths = {"", "▏", "▎", "▍", "▌", "▋", "▊", "▉"};
  const int eighths = static_cast<int>(fraction * width * 8);
  std::string bar;
  int used = eighths / 8;
  for (int i = 0; i < used; ++i) bar += "█";
  if (eighths % 8 != 0) {
    absl::StrAppend(&bar, kEighths[eighths % 8]);
    ++used;
  }
  for (; used < width; ++used) bar += "░";
  return bar;
}

std::string ShortTime(absl::Time time, absl::TimeZone zone) {
  if (time == absl::UnixEpoch()) return "-";
  return absl::FormatTime("%Y-%m-%d %H:%M:%S", time, zone);
}

std::string FormatClock(absl::Time time, absl::TimeZone zone) {
  return absl::FormatTime("%H:%M:%S", time, zone);
}

std::string FormatAge(absl::Time time, absl::Time now) {
  if (time == absl::UnixEpoch()) return "-";
  return WholeDuration(now - time);
}

}  // namespace curlew::cli
