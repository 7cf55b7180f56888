// Questions to agents for how a check stands, until they are answered.
#ifndef CURLEW_CONTROLLER_DISPATCH_CHECK_REQUESTS_H_
#define CURLEW_CONTROLLER_DISPATCH_CHECK_REQUESTS_H_

#include <string>

#include "absl/status/status.h"
#include "controller/dispatch/agent_link.h"
#include "controller/dispatch/agent_requests.h"
#include "controller/dispatch/loop.h"
#include "controller/dispatch/target_table.h"
#include "curlew/v1/agent.pb.h"

namespace curlew::dispatch {

// Matches answers to questions. Belongs to the loop's thread, and so do the callbacks.
class CheckRequests {
 public:
  using Callback = AgentRequests<v1::CheckReport>::Callback;

  // As AgentRequests; each question has a deadline of its own.
  CheckRequests(Loop* loop, TargetTable* targets)
      : requests_(loop, targets, absl::InfiniteDuration(), "how a check stands") {}

  // Has the agent of `target` make `check`, whose number and target need not be set; its timeout must be. The
  // question is given up a moment after that: the agent is to say itself that it took too long. Calls back as
  // AgentRequests::Ask.
  void Ask(const std::string& target, v1::RunCheck check, Callback callback);

  // An answer. Ignored where nobody waits for it, or another agent was asked.
  void Answered(const AgentLink* link, const v1::CheckReport& report);
  // `target` is not ready any more.
  void TargetDown(const std::string& target) { requests_.TargetDown(target); }
  // The controller ends: everybody who waits gets `status`.
  void FailAll(const absl::Status& status) { requests_.FailAll(status); }

 private:
  AgentRequests<v1::CheckReport> requests_;
};

}  // namespace curlew::dispatch

#endif  // CURLEW_CONTROLLER_DISPATCH_CHECK_REQUESTS_H_
