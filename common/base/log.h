// The form of our logs, and what writes them.
#ifndef CURLEW_COMMON_BASE_LOG_H_
#define CURLEW_COMMON_BASE_LOG_H_

#include <spdlog/formatter.h>

#include <initializer_list>
#include <memory>
#include <string>
#include <utility>

#include "absl/strings/string_view.h"

namespace curlew::base {

// Forms of a log line.
enum class LogFormat { kText, kJson };

// A message with fields, for spdlog: LogFormatter writes them as "message key=value" or as members of a JSON
// object. Fields without a value are left out.
std::string WithFields(absl::string_view message,
                       std::initializer_list<std::pair<absl::string_view, absl::string_view>> fields);

// Writes one line a message: time in UTC, level, message, fields. Escapes what could break the line or the
// JSON.
class LogFormatter : public spdlog::formatter {
 public:
  explicit LogFormatter(LogFormat format) : format_(format) {}
  void format(const spdlog::details::log_msg& message, spdlog::memory_buf_t& out) override;
  std::unique_ptr<spdlog::formatter> clone() const override {
    return std::make_unique<LogFormatter>(format_);
  }

 private:
  const LogFormat format_;
};

// Makes the default logger write to standard error in `format`, from `level` ("debug", "info", "warn", ...)
// on.
void SetUpLog(const std::string& name, const std::string& level, LogFormat format);

}  // namespace curlew::base

#endif  // CURLEW_COMMON_BASE_LOG_H_
