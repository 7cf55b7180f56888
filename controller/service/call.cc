#include "controller/service/call.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/base/error_detail.h"
#include "common/base/proto_time.h"
#include "common/rpc/endpoint.h"
#include "common/rpc/error.h"
#include "common/rpc/peer_version.h"

namespace curlew::service {
namespace {

constexpr int kDefaultPage = 50;
constexpr int kLargestPage = 500;

}  // namespace

grpc::ServerUnaryReactor* Answer(grpc::CallbackServerContext* context, dispatch::Loop* loop,
                                 std::function<absl::Status()> work) {
  return AnswerLater(context, loop, [work = std::move(work)](const auto& done) { done(work()); });
}

grpc::ServerUnaryReactor* AnswerLater(grpc::CallbackServerContext* context, dispatch::Loop* loop,
                                      std::function<void(std::function<void(absl::Status)> done)> work) {
  grpc::ServerUnaryReactor* reactor = context->DefaultReactor();
  if (const absl::Status status = rpc::CheckClientVersion(context); !status.ok()) {
    reactor->Finish(rpc::ToGrpc(status));
    return reactor;
  }
  const bool posted = loop->Post([reactor, work = std::move(work)] {
    work([reactor](const absl::Status& status) { reactor->Finish(rpc::ToGrpc(status)); });
  });
  if (!posted) {
    // As one that stands by: nothing was done, and the call may be repeated elsewhere.
    reactor->Finish(rpc::ToGrpc(
        base::WithDetail(absl::UnavailableError("the controller is shutting down; try again later"),
                         base::kReason, rpc::kStandbyReason)));
  }
  return reactor;
}

std::string ActorOf(const grpc::CallbackServerContext& context, const std::string& given) {
  return given.empty() ? absl::StrCat("unknown at ", context.peer()) : given;
}

store::Record RecordOf(absl::Time now, absl::string_view action, const std::string& resource,
                       const std::string& actor, const std::string& reason) {
  store::Record record;
  v1::AuditEntry& entry = record.audit.emplace_back();
  *entry.mutable_time() = base::ToProto(now);
  entry.set_actor(actor);
  entry.set_action(std::string(action));
  entry.set_resource(resource);
  entry.set_reason(reason);
  return record;
}

absl::Status Required(absl::string_view field, absl::string_view value) {
  return value.empty() ? BadField(field, absl::StrCat(field, " is empty; it is required")) : absl::OkStatus();
}

absl::Status BadField(absl::string_view field, absl::string_view message) {
  return base::WithDetail(absl::InvalidArgumentError(message), base::kField, field);
}

absl::StatusOr<store::Page> PageOf(int32_t size, const std::string& token) {
  if (size < 0)
    return BadField("page_size", absl::StrCat("page_size is ", size, "; it must not be negative"));
  return store::Page{.size = size == 0 ? kDefaultPage : std::min(size, kLargestPage), .token = token};
}

}  // namespace curlew::service
