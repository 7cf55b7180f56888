// Questions to agents for what preflight finds, until they are answered.
#ifndef CURLEW_CONTROLLER_DISPATCH_PREFLIGHT_REQUESTS_H_
#define CURLEW_CONTROLLER_DISPATCH_PREFLIGHT_REQUESTS_H_

#include <string>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "controller/dispatch/agent_link.h"
#include "controller/dispatch/agent_requests.h"
#include "controller/dispatch/loop.h"
#include "controller/dispatch/target_table.h"
#include "curlew/v1/agent.pb.h"
#include "curlew/v1/operator.pb.h"

namespace curlew::dispatch {

// Matches answers to questions. Belongs to the loop's thread, and so do the callbacks.
class PreflightRequests {
 public:
  using Callback = AgentRequests<v1::Preflight>::Callback;

  // As AgentRequests.
  PreflightRequests(Loop* loop, TargetTable* targets, absl::Duration deadline)
      : targets_(targets), requests_(loop, targets, deadline, "what preflight found") {}

  // Has the agent of `target` look at it before `plan`, compiled from `origin`, is run. One that runs signed
  // plans alone gets that, too, with its signatures. Calls back as AgentRequests::Ask.
  void Ask(const std::string& target, const v1::CompiledPlan& plan, const v1::StoredPlan& origin,
           Callback callback);

  // An answer. Ignored where nobody waits for it, or another agent was asked.
  void Answered(const AgentLink* link, const v1::PreflightReport& report);
  // `target` is not ready any more.
  void TargetDown(const std::string& target) { requests_.TargetDown(target); }
  // The controller ends: everybody who waits gets `status`.
  void FailAll(const absl::Status& status) { requests_.FailAll(status); }

 private:
  TargetTable* const targets_;
  AgentRequests<v1::Preflight> requests_;
};

// What is told in place of a report that did not come: a warning that says why. The agent may be too old to
// know of preflight; then it does not answer.
v1::Preflight PreflightNotMade(const absl::Status& why, absl::Time now);

}  // namespace curlew::dispatch

#endif  // CURLEW_CONTROLLER_DISPATCH_PREFLIGHT_REQUESTS_H_
