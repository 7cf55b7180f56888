#include "common/rpc/error.h"

#include <string>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "common/base/error_detail.h"
#include "common/base/proto_time.h"
#include "google/rpc/error_details.pb.h"
#include "google/rpc/status.pb.h"

namespace curlew::rpc {
namespace {

constexpr size_t kLongest = 8 * 1024;

// Cuts at a character's border, so that what is left is UTF-8 still: protobuf refuses anything else.
std::string Cut(absl::string_view text) {
  if (text.size() <= kLongest) return std::string(text);
  size_t end = kLongest;
  while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xC0) == 0x80) --end;
  return absl::StrCat(text.substr(0, end), " … (cut)");
}

void AddBadRequest(const absl::Status& status, google::rpc::Status* details) {
  google::rpc::BadRequest bad_request;
  auto* violation = bad_request.add_field_violations();
  violation->set_field(base::Detail(status, base::kField));
  violation->set_description(base::Detail(status, base::kHint));
  details->add_details()->PackFrom(bad_request);
}

void AddPreconditionFailure(const absl::Status& status, google::rpc::Status* details) {
  google::rpc::PreconditionFailure failure;
  auto* violation = failure.add_violations();
  violation->set_type(base::Detail(status, base::kReason));
  if (const std::string target = base::Detail(status, base::kTarget); !target.empty()) {
    violation->set_subject(absl::StrCat("targets/", target));
  }
  violation->set_description(base::Detail(status, base::kHint));
  details->add_details()->PackFrom(failure);
}

void AddRetryInfo(const absl::Status& status, google::rpc::Status* details) {
  absl::Duration after;
  if (!absl::ParseDuration(base::Detail(status, kRetryAfter), &after)) return;
  google::rpc::RetryInfo info;
  *info.mutable_retry_delay() = base::ToProto(after);
  details->add_details()->PackFrom(info);
}

}  // namespace

grpc::Status ToGrpc(const absl::Status& status) {
  if (status.ok()) return grpc::Status::OK;
  const auto code = static_cast<grpc::StatusCode>(status.code());
  const std::string message = Cut(status.message());
  const auto details = base::Details(status);
  if (details.empty()) return grpc::Status(code, message);

  google::rpc::Status rich;
  rich.set_code(static_cast<int>(code));
  rich.set_message(message);
  google::rpc::ErrorInfo info;
  info.set_domain(kErrorDomain);
  for (const auto& [key, value] : details) {
    if (key == base::kReason) {
      info.set_reason(value);
    } else {
      (*info.mutable_metadata())[key] = Cut(value);
    }
  }
  rich.add_details()->PackFrom(info);
  if (details.count(std::string(base::kField)) > 0) AddBadRequest(status, &rich);
  if (status.code() == absl::StatusCode::kFailedPrecondition && !info.reason().empty()) {
    AddPreconditionFailure(status, &rich);
  }
  AddRetryInfo(status, &rich);
  return grpc::Status(code, message, rich.SerializeAsString());
}

absl::Status FromGrpc(const grpc::Status& status) {
  if (status.ok()) return absl::OkStatus();
  const auto code = static_cast<absl::StatusCode>(status.error_code());
  absl::Status result(
      code, status.error_message().empty() ? absl::StatusCodeToString(code) : status.error_message());
  google::rpc::Status rich;
  if (!rich.ParseFromString(status.error_details())) return result;
  for (const auto& detail : rich.details()) {
    google::rpc::ErrorInfo info;
    if (!detail.UnpackTo(&info)) continue;
    if (!info.reason().empty()) result = base::WithDetail(result, base::kReason, info.reason());
    for (const auto& [key, value] : info.metadata()) result = base::WithDetail(result, key, value);
  }
  return result;
}

}  // namespace curlew::rpc
