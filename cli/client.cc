#include "cli/client.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "cli/exit_code.h"
#include "cli/units.h"
#include "common/base/error_detail.h"
#include "common/base/status_macros.h"
#include "common/rpc/endpoint.h"
#include "common/rpc/error.h"

namespace curlew::cli {

absl::StatusOr<std::unique_ptr<Client>> Client::Make(const std::string& address, absl::Duration timeout) {
  ASSIGN_OR_RETURN(const auto channel, rpc::MakeChannel(address));
  return std::unique_ptr<Client>(new Client(address, timeout, channel));
}

Client::Client(std::string address, absl::Duration timeout, std::shared_ptr<grpc::Channel> channel)
    : address_(std::move(address)),
      timeout_(timeout),
      channel_(std::move(channel)),
      plans_(v1::PlanService::NewStub(channel_)),
      rollouts_(v1::RolloutService::NewStub(channel_)),
      targets_(v1::TargetService::NewStub(channel_)),
      environments_(v1::EnvironmentService::NewStub(channel_)) {}

std::chrono::system_clock::time_point Client::Deadline() const {
  return absl::ToChronoTime(absl::Now() + timeout_);
}

std::unique_ptr<grpc::ClientReader<v1::WatchRolloutResponse>> Client::Watch(
    grpc::ClientContext* context, const v1::WatchRolloutRequest& request) {
  // The caller paces its tries; the channel's own pauses grow to two minutes.
  grpc::experimental::ChannelResetConnectionBackoff(channel_.get());
  return rollouts_->WatchRollout(context, request);
}

absl::Status Client::ToStatus(const grpc::Status& status) const {
  // Statuses of the controller's own carry details; those without are the connection's.
  const bool own = !status.error_details().empty();
  absl::Status result = rpc::FromGrpc(status);
  if (own) return result;
  if (absl::IsUnavailable(result)) {
    result = base::Annotate(result, absl::StrCat("the controller at ", address_, " cannot be reached"));
  } else if (absl::IsDeadlineExceeded(result)) {
    result = absl::DeadlineExceededError(
        absl::StrCat("the controller at ", address_, " gave no answer within ", ShortDuration(timeout_)));
  } else {
    return result;
  }
  result = base::WithDetail(std::move(result), base::kReason, kUnreachableReason);
  return base::WithDetail(std::move(result), base::kHint,
                          "check that curlew-controller runs and listens there; --controller HOST:PORT or "
                          "CURLEW_CONTROLLER names another one, --timeout waits longer");
}

}  // namespace curlew::cli
