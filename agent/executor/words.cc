#include "agent/executor/words.h"

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"

namespace curlew::agent {

std::string CountOf(int64_t count, absl::string_view noun) {
  std::string digits = absl::StrCat(count);
  for (int at = static_cast<int>(digits.size()) - 3; at > (count < 0 ? 1 : 0); at -= 3)
    digits.insert(at, ",");
  return absl::StrCat(digits, " ", noun, count == 1 ? "" : "s");
}

std::string SizeOf(int64_t bytes) {
  double size = static_cast<double>(bytes) / 1024;
  const char* unit = "kB";
  for (const char* larger : {"MB", "GB", "TB"}) {
    if (size < 1024) break;
    size /= 1024;
    unit = larger;
  }
  return absl::StrFormat("%.*f %s", size < 10 && *unit != 'k' ? 1 : 0, size, unit);
}

std::string TimeOf(absl::Duration duration) {
  const double seconds = absl::ToDoubleSeconds(duration);
  if (seconds < 60) return absl::StrFormat("%.*f s", seconds < 10 ? 1 : 0, seconds);
  return absl::FormatDuration(absl::Floor(duration, absl::Seconds(1)));
}

}  // namespace curlew::agent
