#include "common/base/log.h"

#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>

#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_split.h"
#include "absl/time/time.h"

namespace curlew::base {
namespace {

// ASCII's unit separator: it stands in no text that people write.
constexpr char kSeparator = '\x1f';

std::string Escape(absl::string_view text) {
  std::string out;
  for (const char c : text) {
    if (c == '"' || c == '\\') {
      absl::StrAppend(&out, "\\", absl::string_view(&c, 1));
    } else if (c == '\n') {
      absl::StrAppend(&out, "\\n");
    } else if (static_cast<unsigned char>(c) < 0x20) {
      absl::StrAppend(&out, absl::StrFormat("\\u%04x", static_cast<unsigned char>(c)));
    } else {
      out.push_back(c);
    }
  }
  return out;
}

std::string OneLine(absl::string_view text) {
  std::string out;
  for (const char c : text) {
    if (c == '\n') {
      absl::StrAppend(&out, " | ");
    } else {
      out.push_back(static_cast<unsigned char>(c) < 0x20 ? ' ' : c);
    }
  }
  return out;
}

}  // namespace

std::string WithFields(absl::string_view message,
                       std::initializer_list<std::pair<absl::string_view, absl::string_view>> fields) {
  std::string out(message);
  for (const auto& [key, value] : fields) {
    if (value.empty()) continue;
    absl::StrAppend(&out, absl::string_view(&kSeparator, 1), key, absl::string_view(&kSeparator, 1), value);
  }
  return out;
}

void LogFormatter::format(const spdlog::details::log_msg& message, spdlog::memory_buf_t& out) {
  const std::string time =
      absl::FormatTime("%Y-%m-%dT%H:%M:%E3SZ", absl::FromChrono(message.time), absl::UTCTimeZone());
  const auto level = spdlog::level::to_string_view(message.level);
  const std::vector<absl::string_view> parts =
      absl::StrSplit(absl::string_view(message.payload.data(), message.payload.size()), kSeparator);
  std::string line;
  if (format_ == LogFormat::kJson) {
    line =
        absl::StrCat("{\"time\":\"", time, "\",\"level\":\"", absl::string_view(level.data(), level.size()),
                     "\",\"message\":\"", Escape(parts[0]), "\"");
    for (size_t i = 1; i + 1 < parts.size(); i += 2) {
      absl::StrAppend(&line, ",\"", parts[i], "\":\"", Escape(parts[i + 1]), "\"");
    }
    line += "}\n";
  } else {
    line = absl::StrCat(time, " ", absl::string_view(level.data(), level.size()), " ", OneLine(parts[0]));
    for (size_t i = 1; i + 1 < parts.size(); i += 2) {
      absl::StrAppend(&line, " ", parts[i], "=", OneLine(parts[i + 1]));
    }
    line += "\n";
  }
  out.append(line.data(), line.data() + line.size());
}

void SetUpLog(const std::string& name, const std::string& level, LogFormat format) {
  auto logger = std::make_shared<spdlog::logger>(name, std::make_shared<spdlog::sinks::stderr_sink_mt>());
  logger->set_formatter(std::make_unique<LogFormatter>(format));
  logger->set_level(spdlog::level::from_str(level));
  logger->flush_on(spdlog::level::debug);
  spdlog::set_default_logger(std::move(logger));
}

}  // namespace curlew::base
