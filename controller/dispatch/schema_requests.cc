#include "controller/dispatch/schema_requests.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "common/base/error_detail.h"

namespace curlew::dispatch {
namespace {

absl::Status NotServed(const std::string& target, absl::string_view why) {
  return base::WithDetail(
      base::WithDetail(absl::UnavailableError(absl::StrCat("target \"", target, "\" is not served: ", why)),
                       base::kReason, kTargetNotServed),
      base::kTarget, target);
}

}  // namespace

void SchemaRequests::Ask(const std::string& target, const v1::Scope& scope, Callback callback) {
  const TargetEntry* entry = targets_->Find(target);
  if (entry == nullptr || !entry->ready) {
    loop_->Post([status = NotServed(target, targets_->WhyNotServed(target)),
                 callback = std::move(callback)]() mutable { callback(std::move(status)); });
    return;
  }
  const int64_t request = next_++;
  waiters_.emplace(request, Waiter{target, entry->link, std::move(callback)});
  v1::ControllerMessage message;
  message.mutable_report_schema()->set_request(request);
  message.mutable_report_schema()->set_target(target);
  *message.mutable_report_schema()->mutable_scope() = scope;
  entry->link->Send(std::move(message));
  loop_->PostAfter(deadline_, [this, request, target] {
    End(request, absl::DeadlineExceededError(
                     absl::StrCat("the agent of target \"", target, "\" did not report the schema within ",
                                  absl::FormatDuration(deadline_), "; look at the agent's log")));
  });
}

void SchemaRequests::Answered(const AgentLink* link, const v1::SchemaReport& report) {
  const auto it = waiters_.find(report.request());
  if (it == waiters_.end() || it->second.link != link) return;
  if (report.error().empty() && report.has_schema()) {
    End(report.request(), report.schema());
  } else {
    End(report.request(),
        base::WithDetail(absl::UnavailableError(absl::StrCat(
                             "the agent could not read the schema of target \"", it->second.target,
                             "\": ", report.error().empty() ? "its report holds none" : report.error())),
                         base::kTarget, it->second.target));
  }
}

void SchemaRequests::TargetDown(const std::string& target) {
  std::vector<int64_t> requests;
  for (const auto& [request, waiter] : waiters_) {
    if (waiter.target == target) requests.push_back(request);
  }
  for (const int64_t request : requests) End(request, NotServed(target, targets_->WhyNotServed(target)));
}

void SchemaRequests::FailAll(const absl::Status& status) {
  while (!waiters_.empty()) End(waiters_.begin()->first, status);
}

void SchemaRequests::End(int64_t request, absl::StatusOr<v1::Schema> result) {
  auto node = waiters_.extract(request);
  if (!node.empty()) node.mapped().callback(std::move(result));
}

}  // namespace curlew::dispatch
