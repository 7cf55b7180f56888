// Questions to agents for a schema, until they are answered.
#ifndef CURLEW_CONTROLLER_DISPATCH_SCHEMA_REQUESTS_H_
#define CURLEW_CONTROLLER_DISPATCH_SCHEMA_REQUESTS_H_

#include <cstdint>
#include <map>
#include <string>

#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "controller/dispatch/agent_link.h"
#include "controller/dispatch/loop.h"
#include "controller/dispatch/target_table.h"
#include "curlew/v1/agent.pb.h"

namespace curlew::dispatch {

// base::kReason where the target is not served, or its agent went away before it answered.
inline constexpr absl::string_view kTargetNotServed = "TARGET_NOT_SERVED";

// Matches answers to questions. Belongs to the loop's thread, and so do the callbacks.
class SchemaRequests {
 public:
  using Callback = absl::AnyInvocable<void(absl::StatusOr<v1::Schema>)>;

  // `loop` and `targets` must outlive it; questions are given up after `deadline`.
  SchemaRequests(Loop* loop, TargetTable* targets, absl::Duration deadline)
      : loop_(loop), targets_(targets), deadline_(deadline) {}

  // Asks the agent of `target` for what `scope` names. Calls back exactly once, never before it returns: with
  // the schema; UNAVAILABLE with kTargetNotServed; UNAVAILABLE with what the agent said is wrong;
  // DEADLINE_EXCEEDED.
  void Ask(const std::string& target, const v1::Scope& scope, Callback callback);

  // An answer. Ignored where nobody waits for it, or another agent was asked.
  void Answered(const AgentLink* link, const v1::SchemaReport& report);
  // `target` is not ready any more.
  void TargetDown(const std::string& target);
  // The controller ends: everybody who waits gets `status`.
  void FailAll(const absl::Status& status);

 private:
  struct Waiter {
    std::string target;
    AgentLink* link;
    Callback callback;
  };
  void End(int64_t request, absl::StatusOr<v1::Schema> result);

  Loop* const loop_;
  TargetTable* const targets_;
  const absl::Duration deadline_;
  int64_t next_ = 1;
  std::map<int64_t, Waiter> waiters_;
};

}  // namespace curlew::dispatch

#endif  // CURLEW_CONTROLLER_DISPATCH_SCHEMA_REQUESTS_H_
