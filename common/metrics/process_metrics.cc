#include "common/metrics/process_metrics.h"

#include <sys/resource.h>
#include <unistd.h>

#include <cstdint>
#include <filesystem>
#include <fstream>
#include <optional>
#include <sstream>
#include <string>
#include <system_error>

#include "absl/strings/numbers.h"
#include "absl/strings/str_split.h"
#include "common/metrics/registry.h"

namespace curlew::metrics {
namespace {

std::string ReadFile(const char* path) {
  std::ifstream file(path);
  std::stringstream text;
  text << file.rdbuf();
  return text.str();
}

// Fields of /proc/self/stat after the program's name, which may hold spaces and brackets: the first of them
// is number 3 of proc(5).
std::vector<std::string> StatFields() {
  const std::string stat = ReadFile("/proc/self/stat");
  const size_t name_end = stat.rfind(") ");
  if (name_end == std::string::npos) return {};
  return absl::StrSplit(stat.substr(name_end + 2), ' ');
}

std::optional<double> Field(const std::vector<std::string>& fields, size_t number) {
  double value = 0;
  if (number - 3 >= fields.size() || !absl::SimpleAtod(fields[number - 3], &value)) return std::nullopt;
  return value;
}

// When the machine was started, in seconds of Unix time.
std::optional<double> BootTime() {
  for (const absl::string_view line : absl::StrSplit(ReadFile("/proc/stat"), '\n')) {
    double value = 0;
    if (line.substr(0, 6) == "btime " && absl::SimpleAtod(line.substr(6), &value)) return value;
  }
  return std::nullopt;
}

std::optional<double> OpenFiles() {
  std::error_code error;
  int64_t count = 0;
  for (std::filesystem::directory_iterator file("/proc/self/fd", error), end; !error && file != end;
       file.increment(error)) {
    ++count;
  }
  // The listing itself is one.
  return error ? std::nullopt : std::optional<double>(static_cast<double>(count - 1));
}

}  // namespace

std::vector<prometheus::MetricFamily> ProcessMetrics() {
  std::vector<prometheus::MetricFamily> families;
  const auto gauge = [&](const char* name, const char* help, std::optional<double> value) {
    if (value.has_value()) families.push_back(GaugesNow(name, help, {{.labels = {}, .value = *value}}));
  };
  const std::vector<std::string> fields = StatFields();
  const auto ticks = static_cast<double>(sysconf(_SC_CLK_TCK));
  if (const auto user = Field(fields, 14), system = Field(fields, 15); user && system) {
    families.push_back(CountersNow("process_cpu_seconds_total", "Processor time of the process.",
                                   {{.labels = {}, .value = (*user + *system) / ticks}}));
  }
  if (const auto started = Field(fields, 22), boot = BootTime(); started && boot) {
    gauge("process_start_time_seconds", "When the process was started, in Unix time.",
          *boot + *started / ticks);
  }
  gauge("process_virtual_memory_bytes", "Address space of the process.", Field(fields, 23));
  if (const auto pages = Field(fields, 24); pages) {
    gauge("process_resident_memory_bytes", "Memory of the process that is in RAM.",
          *pages * static_cast<double>(sysconf(_SC_PAGESIZE)));
  }
  gauge("process_open_fds", "File descriptors that are open.", OpenFiles());
  rlimit limit = {};
  if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur != RLIM_INFINITY) {
    gauge("process_max_fds", "File descriptors that may be open.", static_cast<double>(limit.rlim_cur));
  }
  return families;
}

}  // namespace curlew::metrics
