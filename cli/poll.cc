#include "cli/poll.h"

#include "absl/time/clock.h"
#include "common/base/status_macros.h"

namespace curlew::cli {
namespace {
constexpr absl::Duration kPollInterval = absl::Seconds(2);
constexpr absl::Duration kLongestOutage = absl::Minutes(5);
}  // namespace

std::vector<std::string> ChangedLines(const std::set<std::string>& before, const KeyedTable& now) {
  std::vector<std::string> lines;
  for (size_t i = 0; i < now.keys.size(); ++i) {
    if (before.count(now.keys[i]) == 0) lines.push_back(now.lines[i + 1]);
  }
  return lines;
}

absl::Status PrintChanges(Context& context, const std::function<absl::StatusOr<KeyedTable>()>& get) {
  ASSIGN_OR_RETURN(KeyedTable table, get());
  context.out << table.lines[0] << "\n";
  std::set<std::string> seen;
  absl::Time answered = absl::Now();
  while (true) {
    for (const std::string& line : ChangedLines(seen, table)) context.out << line << "\n";
    context.out << std::flush;
    seen = {table.keys.begin(), table.keys.end()};
    absl::SleepFor(kPollInterval);
    if (absl::StatusOr<KeyedTable> next = get(); next.ok()) {
      table = *std::move(next);
      answered = absl::Now();
    } else if (ExitCodeOf(next.status()) != ExitCode::kUnreachable ||
               absl::Now() - answered > kLongestOutage) {
      return next.status();
    }
  }
}

}  // namespace curlew::cli
