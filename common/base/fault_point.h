// Named places at which a test can make the process die.
#ifndef CURLEW_COMMON_BASE_FAULT_POINT_H_
#define CURLEW_COMMON_BASE_FAULT_POINT_H_

#include <signal.h>
#include <unistd.h>

#include <atomic>
#include <cstdlib>
#include <functional>
#include <string>
#include <string_view>

namespace curlew::base {

// Where the environment variable CURLEW_FAULT is "NAME" or "NAME:N", the process ends at the N-th (first)
// time that it passes FaultPoint(NAME), with _exit(137), as kill -9 would end it. With "NAME:N:freeze" all of
// it stands still there, as after kill -STOP, until SIGCONT. Always compiled in; without the variable it
// costs one comparison.
class FaultPlan {
 public:
  static FaultPlan& Get() {
    static FaultPlan plan(std::getenv("CURLEW_FAULT"));
    return plan;
  }

  // Passes the place `name`.
  void Pass(const char* name) {
    if (name_.empty() || name_ != name || --left_ != 0) return;
    handler_ ? handler_() : _exit(137);
  }

  // For tests within one process: `handler` is called instead of ending it. Not while other threads pass.
  void Arm(std::string name, int passes, std::function<void()> handler) {
    name_ = std::move(name);
    left_ = passes;
    handler_ = std::move(handler);
  }
  void Disarm() { Arm("", 0, nullptr); }

 private:
  explicit FaultPlan(const char* spec) {
    if (spec == nullptr) return;
    name_ = spec;
    constexpr std::string_view kFreeze = ":freeze";
    if (name_.ends_with(kFreeze)) {
      name_.resize(name_.size() - kFreeze.size());
      // This thread itself stops, before its next statement; to the process as a whole another thread may
      // listen first.
      handler_ = [] { raise(SIGSTOP); };
    }
    if (const size_t colon = name_.find(':'); colon != std::string::npos) {
      left_ = std::atoi(name_.c_str() + colon + 1);
      name_.resize(colon);
    }
  }

  std::string name_;
  std::atomic<int> left_ = 1;
  std::function<void()> handler_;
};

inline void FaultPoint(const char* name) { FaultPlan::Get().Pass(name); }

}  // namespace curlew::base

#endif  // CURLEW_COMMON_BASE_FAULT_POINT_H_
