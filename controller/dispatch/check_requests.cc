#include "controller/dispatch/check_requests.h"

#include <cstdint>
#include <utility>

#include "common/base/proto_time.h"

namespace curlew::dispatch {

namespace {

// For question and answer to be on their way.
constexpr absl::Duration kOnTheWay = absl::Seconds(1);

}  // namespace

void CheckRequests::Ask(const std::string& target, v1::RunCheck check, Callback callback) {
  const auto question = [&](int64_t request) {
    v1::ControllerMessage message;
    *message.mutable_run_check() = check;
    message.mutable_run_check()->set_request(request);
    message.mutable_run_check()->set_target(target);
    return message;
  };
  requests_.Ask(target, question, base::FromProto(check.timeout()) + kOnTheWay, std::move(callback));
}

void CheckRequests::Answered(const AgentLink* link, const v1::CheckReport& report) {
  requests_.Answered(link, report.request(), "", report);
}

}  // namespace curlew::dispatch
