// The form of the agent's log.
#ifndef CURLEW_AGENT_LOG_H_
#define CURLEW_AGENT_LOG_H_

#include <spdlog/formatter.h>

#include <memory>
#include <string>

namespace curlew::agent {

enum class LogFormat { kText, kJson };

// One line a message: "time level message", or a JSON object of the three. A message is words and then
// key=value pairs.
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

// Makes the default logger write to stderr in `format`, from `level` ("info", "debug", ...) on.
void SetUpLog(const std::string& level, LogFormat format);

}  // namespace curlew::agent

#endif  // CURLEW_AGENT_LOG_H_
