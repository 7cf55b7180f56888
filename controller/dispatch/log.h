// What the controller writes to its log.
#ifndef CURLEW_CONTROLLER_DISPATCH_LOG_H_
#define CURLEW_CONTROLLER_DISPATCH_LOG_H_

#include <spdlog/formatter.h>

#include <initializer_list>
#include <memory>
#include <string>
#include <utility>

#include "absl/strings/string_view.h"
#include "curlew/v1/rollout.pb.h"

namespace curlew::dispatch {

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

// The line of a transition: rollout, target, run, step, attempt and what happened. What went wrong is a
// warning.
void LogEvent(const v1::Rollout& rollout, const v1::Event& event);

}  // namespace curlew::dispatch

#endif  // CURLEW_CONTROLLER_DISPATCH_LOG_H_
