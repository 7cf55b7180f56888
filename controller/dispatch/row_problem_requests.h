// Questions to agents for rows that could not be written, until they are answered.
#ifndef CURLEW_CONTROLLER_DISPATCH_ROW_PROBLEM_REQUESTS_H_
#define CURLEW_CONTROLLER_DISPATCH_ROW_PROBLEM_REQUESTS_H_

#include <string>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "controller/dispatch/agent_link.h"
#include "controller/dispatch/agent_requests.h"
#include "controller/dispatch/loop.h"
#include "controller/dispatch/target_table.h"
#include "curlew/v1/agent.pb.h"

namespace curlew::dispatch {

// Matches answers to questions. Belongs to the loop's thread, and so do the callbacks.
class RowProblemRequests {
 public:
  using Callback = AgentRequests<v1::RowProblemReport>::Callback;

  // As AgentRequests.
  RowProblemRequests(Loop* loop, TargetTable* targets, absl::Duration deadline)
      : requests_(loop, targets, deadline, "the rows that could not be written") {}

  // Asks the agent of `target` for the newest `limit` of the run. Calls back as AgentRequests::Ask.
  void Ask(const std::string& target, const std::string& run, int limit, Callback callback);

  // An answer. Ignored where nobody waits for it, or another agent was asked.
  void Answered(const AgentLink* link, const v1::RowProblemReport& report);
  // `target` is not ready any more.
  void TargetDown(const std::string& target) { requests_.TargetDown(target); }
  // The controller ends: everybody who waits gets `status`.
  void FailAll(const absl::Status& status) { requests_.FailAll(status); }

 private:
  AgentRequests<v1::RowProblemReport> requests_;
};

}  // namespace curlew::dispatch

#endif  // CURLEW_CONTROLLER_DISPATCH_ROW_PROBLEM_REQUESTS_H_
