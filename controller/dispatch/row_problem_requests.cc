#include "controller/dispatch/row_problem_requests.h"

#include <cstdint>
#include <utility>

namespace curlew::dispatch {

void RowProblemRequests::Ask(const std::string& target, const std::string& run, int limit,
                             Callback callback) {
  const auto question = [&](int64_t request) {
    v1::ControllerMessage message;
    message.mutable_report_row_problems()->set_request(request);
    message.mutable_report_row_problems()->set_target(target);
    message.mutable_report_row_problems()->set_run(run);
    message.mutable_report_row_problems()->set_limit(limit);
    return message;
  };
  requests_.Ask(target, question, std::move(callback));
}

void RowProblemRequests::Answered(const AgentLink* link, const v1::RowProblemReport& report) {
  requests_.Answered(link, report.request(), report.error(), report);
}

}  // namespace curlew::dispatch
