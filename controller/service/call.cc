#include "controller/service/call.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/base/error_detail.h"
#include "common/base/proto_time.h"
#include "common/rpc/endpoint.h"
#include "common/rpc/error.h"
#include "common/rpc/peer_version.h"
#include "controller/dispatch/names.h"

namespace curlew::service {
namespace {

constexpr int kDefaultPage = 50;
constexpr int kLargestPage = 500;

}  // namespace

grpc::ServerUnaryReactor* Answer(grpc::CallbackServerContext* context, dispatch::Loop* loop, Door door,
                                 std::function<absl::Status(const access::Caller& caller)> work) {
  return AnswerLater(
      context, loop, std::move(door),
      [work = std::move(work)](const access::Caller& caller, const auto& done) { done(work(caller)); });
}

grpc::ServerUnaryReactor* AnswerLater(
    grpc::CallbackServerContext* context, dispatch::Loop* loop, Door door,
    std::function<void(const access::Caller& caller, std::function<void(absl::Status)> done)> work) {
  grpc::ServerUnaryReactor* reactor = context->DefaultReactor();
  if (const absl::Status status = rpc::CheckClientVersion(context); !status.ok()) {
    reactor->Finish(rpc::ToGrpc(status));
    return reactor;
  }
  const bool posted = loop->Post([reactor, credential = access::Credential::Of(*context),
                                  door = std::move(door), work = std::move(work)] {
    const auto caller = door.Enter(credential);
    if (!caller.ok()) return reactor->Finish(rpc::ToGrpc(caller.status()));
    work(*caller, [reactor](const absl::Status& status) { reactor->Finish(rpc::ToGrpc(status)); });
  });
  if (!posted) {
    // As one that stands by: nothing was done, and the call may be repeated elsewhere.
    reactor->Finish(rpc::ToGrpc(
        base::WithDetail(absl::UnavailableError("the controller is shutting down; try again later"),
                         base::kReason, rpc::kStandbyReason)));
  }
  return reactor;
}

std::vector<std::string> EnvironmentsOf(const v1::Rollout& rollout) {
  std::vector<std::string> environments;
  for (const v1::EnvironmentStage& stage : rollout.stages()) {
    environments.push_back(dispatch::WithoutCollection("environments", stage.environment()));
  }
  return environments;
}

std::vector<std::string> EnvironmentsOf(dispatch::TargetTable& targets, const std::string& target) {
  const auto* found = targets.Find(target);
  if (found == nullptr) return {};
  return {dispatch::WithoutCollection("environments", found->environment)};
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
