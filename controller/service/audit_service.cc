#include "controller/service/audit_service.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/base/status_macros.h"
#include "controller/service/call.h"

namespace curlew::service {
namespace {

constexpr int kDefaultPage = 500;
constexpr int kLargestPage = 1000;

}  // namespace

grpc::ServerUnaryReactor* AuditService::ListAuditEntries(grpc::CallbackServerContext* context,
                                                         const v1::ListAuditEntriesRequest* request,
                                                         v1::ListAuditEntriesResponse* response) {
  return Answer(
      context, &engine_->loop(), At("ListAuditEntries"),
      [=, this](const access::Caller& /*caller*/) -> absl::Status { return List(*request, response); });
}

absl::Status AuditService::List(const v1::ListAuditEntriesRequest& request,
                                v1::ListAuditEntriesResponse* response) {
  if (request.after() < 0) {
    return BadField("after", absl::StrCat("after is ", request.after(), "; it must not be negative"));
  }
  if (request.page_size() < 0) {
    return BadField("page_size",
                    absl::StrCat("page_size is ", request.page_size(), "; it must not be negative"));
  }
  const int size = request.page_size() == 0 ? kDefaultPage : std::min(request.page_size(), kLargestPage);
  // Nothing is added in between: both are read on the loop.
  store::RecordStore& records = engine_->store().records();
  ASSIGN_OR_RETURN(auto entries, records.ListAudit(request.after(), size));
  ASSIGN_OR_RETURN(v1::AuditHead head, records.AuditHead());
  if (signer_ != nullptr) {
    ASSIGN_OR_RETURN(head, signer_->Vouch(head, [&records](int64_t after, int limit) {
      return records.ListAudit(after, limit);
    }));
  }
  for (v1::AuditEntry& entry : entries) *response->add_entries() = std::move(entry);
  *response->mutable_head() = std::move(head);
  return absl::OkStatus();
}

}  // namespace curlew::service
