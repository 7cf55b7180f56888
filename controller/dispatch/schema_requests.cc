#include "controller/dispatch/schema_requests.h"

#include <cstdint>
#include <utility>

namespace curlew::dispatch {

void SchemaRequests::Ask(const std::string& target, const v1::Scope& scope, Callback callback) {
  const auto question = [&](int64_t request) {
    v1::ControllerMessage message;
    message.mutable_report_schema()->set_request(request);
    message.mutable_report_schema()->set_target(target);
    *message.mutable_report_schema()->mutable_scope() = scope;
    return message;
  };
  requests_.Ask(target, question, std::move(callback));
}

void SchemaRequests::Answered(const AgentLink* link, const v1::SchemaReport& report) {
  const bool empty = report.error().empty() && !report.has_schema();
  requests_.Answered(link, report.request(), empty ? "its report holds none" : report.error(),
                     report.schema());
}

}  // namespace curlew::dispatch
