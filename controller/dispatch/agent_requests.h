// Questions to agents, until they are answered.
#ifndef CURLEW_CONTROLLER_DISPATCH_AGENT_REQUESTS_H_
#define CURLEW_CONTROLLER_DISPATCH_AGENT_REQUESTS_H_

#include <cstdint>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "absl/functional/any_invocable.h"
#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "common/base/error_detail.h"
#include "controller/dispatch/agent_link.h"
#include "controller/dispatch/loop.h"
#include "controller/dispatch/target_table.h"
#include "curlew/v1/agent.pb.h"

namespace curlew::dispatch {

// base::kReason where the target is not served, or its agent went away before it answered.
inline constexpr absl::string_view kTargetNotServed = "TARGET_NOT_SERVED";

// Matches answers to questions of one kind. Belongs to the loop's thread, and so do the callbacks.
template <typename Value>
class AgentRequests {
 public:
  using Callback = absl::AnyInvocable<void(absl::StatusOr<Value>)>;

  // `loop` and `targets` must outlive it; questions are given up after `deadline`. `what` is asked for: "the
  // schema".
  AgentRequests(Loop* loop, TargetTable* targets, absl::Duration deadline, std::string what)
      : loop_(loop), targets_(targets), deadline_(deadline), what_(std::move(what)) {}

  // Sends what `question` makes of the question's number to the agent of `target`. Calls back exactly once,
  // never before it returns: with the answer; UNAVAILABLE with kTargetNotServed; UNAVAILABLE with what the
  // agent said is wrong; DEADLINE_EXCEEDED.
  void Ask(const std::string& target, absl::FunctionRef<v1::ControllerMessage(int64_t)> question,
           Callback callback) {
    Ask(target, question, deadline_, std::move(callback));
  }
  // The same with a deadline of its own.
  void Ask(const std::string& target, absl::FunctionRef<v1::ControllerMessage(int64_t)> question,
           absl::Duration deadline, Callback callback) {
    const TargetEntry* entry = targets_->Find(target);
    if (entry == nullptr || !entry->ready) {
      loop_->Post([status = NotServed(target), callback = std::move(callback)]() mutable {
        callback(std::move(status));
      });
      return;
    }
    const int64_t request = next_++;
    waiters_.emplace(request, Waiter{target, entry->link, std::move(callback)});
    entry->link->Send(question(request));
    loop_->PostAfter(deadline, [this, request, target, deadline] {
      End(request, absl::DeadlineExceededError(
                       absl::StrCat("the agent of target \"", target, "\" did not report ", what_, " within ",
                                    absl::FormatDuration(deadline), "; look at the agent's log")));
    });
  }

  // An answer: `error` says why there is none, empty where there is one. Ignored where nobody waits for it,
  // or another agent was asked.
  void Answered(const AgentLink* link, int64_t request, const std::string& error, Value value) {
    const auto it = waiters_.find(request);
    if (it == waiters_.end() || it->second.link != link) return;
    if (error.empty()) return End(request, std::move(value));
    End(request, base::WithDetail(
                     absl::UnavailableError(absl::StrCat("the agent could not read ", what_, " of target \"",
                                                         it->second.target, "\": ", error)),
                     base::kTarget, it->second.target));
  }

  // `target` is not ready any more.
  void TargetDown(const std::string& target) {
    std::vector<int64_t> requests;
    for (const auto& [request, waiter] : waiters_) {
      if (waiter.target == target) requests.push_back(request);
    }
    for (const int64_t request : requests) End(request, NotServed(target));
  }

  // The controller ends: everybody who waits gets `status`.
  void FailAll(const absl::Status& status) {
    while (!waiters_.empty()) End(waiters_.begin()->first, status);
  }

 private:
  struct Waiter {
    std::string target;
    AgentLink* link;
    Callback callback;
  };

  absl::Status NotServed(const std::string& target) const {
    return base::WithDetail(
        base::WithDetail(absl::UnavailableError(absl::StrCat(
                             "target \"", target, "\" is not served: ", targets_->WhyNotServed(target))),
                         base::kReason, kTargetNotServed),
        base::kTarget, target);
  }

  void End(int64_t request, absl::StatusOr<Value> result) {
    auto node = waiters_.extract(request);
    if (!node.empty()) node.mapped().callback(std::move(result));
  }

  Loop* const loop_;
  TargetTable* const targets_;
  const absl::Duration deadline_;
  const std::string what_;
  int64_t next_ = 1;
  std::map<int64_t, Waiter> waiters_;
};

}  // namespace curlew::dispatch

#endif  // CURLEW_CONTROLLER_DISPATCH_AGENT_REQUESTS_H_
