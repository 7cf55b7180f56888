#include "cli/client.h"

#include <algorithm>
#include <utility>

#include "absl/random/random.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "cli/exit_code.h"
#include "cli/units.h"
#include "common/base/error_detail.h"
#include "common/rpc/error.h"
#include "common/rpc/peer_version.h"
#include "common/rpc/probe.h"

namespace curlew::cli {

namespace {

constexpr absl::Duration kLongestSearch = absl::Seconds(10);
constexpr absl::Duration kRetryPause = absl::Milliseconds(200);
// How long one of several is asked what it is, where none leads.
constexpr absl::Duration kAsk = absl::Seconds(1);
constexpr absl::Duration kLongestPreview = absl::Minutes(10);
// How often a call is tried in all that is refused because this identity calls too often.
constexpr int kMostTries = 5;

std::unique_ptr<grpc::ClientContext> NewContext(absl::Time deadline) {
  auto context = std::make_unique<grpc::ClientContext>();
  context->set_deadline(absl::ToChronoTime(deadline));
  rpc::TellVersion(context.get());
  return context;
}

// Whether a call that ended so may have been carried out, and only its answer is missing.
bool MayHaveReachedIt(const grpc::Status& status) {
  if (!status.error_details().empty()) return false;  // the controller's own words
  if (status.error_code() == grpc::StatusCode::DEADLINE_EXCEEDED) return true;
  return status.error_code() == grpc::StatusCode::UNAVAILABLE &&
         !absl::StrContains(status.error_message(), "failed to connect");
}

// Waits as long as the controller asks for that refused a call, a little longer each time and not as long as
// others that were refused. False, at once, where it did not ask, that is too often, or beyond `deadline`.
bool WaitsForItsTurn(const absl::Status& refused, int tries, absl::Time deadline) {
  absl::Duration pause;
  if (!absl::IsResourceExhausted(refused) || tries >= kMostTries ||
      !absl::ParseDuration(base::Detail(refused, rpc::kRetryAfter), &pause)) {
    return false;
  }
  absl::BitGen random;
  pause = (pause + absl::Milliseconds(50)) * (tries + absl::Uniform(random, 0.0, 1.0));
  if (absl::Now() + pause > deadline) return false;
  absl::SleepFor(pause);
  return true;
}

}  // namespace

absl::StatusOr<std::unique_ptr<Client>> Client::Make(const std::string& address, absl::Duration timeout,
                                                     std::unique_ptr<const rpc::Transport> transport) {
  ASSIGN_OR_RETURN(rpc::ControllerAddress controllers, rpc::ParseControllers(address, *transport));
  ASSIGN_OR_RETURN(const auto channel, rpc::MakeChannel(address, *transport));
  return std::unique_ptr<Client>(
      new Client(address, std::move(controllers), timeout, std::move(transport), channel));
}

Client::Client(std::string address, rpc::ControllerAddress controllers, absl::Duration timeout,
               std::unique_ptr<const rpc::Transport> transport, std::shared_ptr<grpc::Channel> channel)
    : address_(std::move(address)),
      controllers_(std::move(controllers)),
      timeout_(timeout),
      transport_(std::move(transport)),
      channel_(std::move(channel)),
      plans_(v1::PlanService::NewStub(channel_)),
      rollouts_(v1::RolloutService::NewStub(channel_)),
      targets_(v1::TargetService::NewStub(channel_)),
      environments_(v1::EnvironmentService::NewStub(channel_)),
      audit_(v1::AuditService::NewStub(channel_)),
      tokens_(v1::TokenService::NewStub(channel_)) {}

Client::Effect Client::EffectOf(const google::protobuf::Descriptor& request) {
  for (const char* prefix : {"Get", "List", "Compile", "Compare"}) {
    if (absl::StartsWith(request.name(), prefix)) return Effect::kReads;
  }
  return Effect::kChanges;
}

absl::Status Client::Invoke(Effect effect, absl::FunctionRef<grpc::Status(grpc::ClientContext*)> call) {
  const absl::Time deadline = absl::Now() + timeout_;
  for (int tries = 1;; ++tries) {
    RETURN_IF_ERROR(WaitForLeader(deadline));
    const auto context = NewContext(deadline);
    const grpc::Status status = call(context.get());
    if (status.ok()) return absl::OkStatus();
    const absl::Status result = ToStatus(status);
    if (WaitsForItsTurn(result, tries, deadline)) continue;
    const bool nothing_done = base::Detail(result, base::kReason) == rpc::kStandbyReason;
    const bool lost = status.error_code() == grpc::StatusCode::UNAVAILABLE && status.error_details().empty();
    const bool again = nothing_done || (lost && effect == Effect::kReads);
    if (!several() || !again || absl::Now() + kRetryPause > deadline) {
      if (effect == Effect::kReads || !MayHaveReachedIt(status)) return result;
      return base::WithDetail(
          result, base::kHint,
          "it is not known whether the controller has done it: look (curlew rollout list, "
          "curlew rollout show ROLLOUT) before you repeat it");
    }
    absl::SleepFor(kRetryPause);
  }
}

absl::Status Client::WaitForLeader() { return WaitForLeader(absl::Now() + timeout_); }

absl::Status Client::WaitForLeader(absl::Time deadline) {
  if (!several()) return absl::OkStatus();
  const absl::Duration patience = std::min(deadline - absl::Now(), kLongestSearch);
  if (channel_->WaitForConnected(absl::ToChronoTime(absl::Now() + patience))) return absl::OkStatus();
  return base::WithDetail(
      base::WithDetail(absl::UnavailableError(
                           absl::StrCat("no controller leads that can be reached, of ", address_, AskEach())),
                       base::kReason, kUnreachableReason),
      base::kHint,
      "check that a curlew-controller runs at one of these addresses and reaches its store; --timeout waits "
      "longer, up to 10s");
}

std::string Client::AskEach() const {
  std::string answers;
  for (const std::string& address : controllers_.each) {
    const auto channel = rpc::MakeChannel(address, *transport_);
    if (!channel.ok()) continue;
    const auto context = NewContext(absl::Now() + kAsk);
    v1::ListEnvironmentsResponse response;
    const grpc::Status status =
        v1::EnvironmentService::NewStub(*channel)->ListEnvironments(context.get(), {}, &response);
    absl::StrAppend(&answers, answers.empty() ? ": " : "; ");
    if (status.ok()) {
      absl::StrAppend(&answers, "the controller at ", address, " leads by now");
    } else if (!status.error_details().empty()) {
      absl::StrAppend(&answers, status.error_message());
    } else {
      const std::string why = rpc::ProbeOne(address, *transport_);
      absl::StrAppend(&answers,
                      why.empty() ? absl::StrCat("the controller at ", address, " cannot be reached") : why);
    }
  }
  return answers;
}

std::unique_ptr<grpc::ClientReader<v1::WatchRolloutResponse>> Client::Watch(
    grpc::ClientContext* context, const v1::WatchRolloutRequest& request) {
  // The caller paces its tries; the channel's own pauses grow.
  grpc::experimental::ChannelResetConnectionBackoff(channel_.get());
  if (several()) channel_->WaitForConnected(absl::ToChronoTime(absl::Now() + kAsk));
  rpc::TellVersion(context);
  return rollouts_->WatchRollout(context, request);
}

absl::Status Client::Preview(const v1::PreviewRolloutRequest& request,
                             absl::FunctionRef<void(const v1::TargetPreview&)> each) {
  RETURN_IF_ERROR(WaitForLeader());
  const absl::Time turn = absl::Now() + timeout_;
  for (int tries = 1;; ++tries) {
    const auto context = NewContext(absl::Now() + std::max(timeout_, kLongestPreview));
    const auto reader = rollouts_->PreviewRollout(context.get(), request);
    v1::TargetPreview preview;
    while (reader->Read(&preview)) each(preview);
    const absl::Status result = ToStatus(reader->Finish());
    if (!WaitsForItsTurn(result, tries, turn)) return result;
  }
}

absl::Status Client::ToStatus(const grpc::Status& status) const {
  // Statuses of the controller's own carry details; those without are the connection's.
  const bool own = !status.error_details().empty();
  const absl::string_view who = several() ? "the controllers at " : "the controller at ";
  absl::Status result = rpc::FromGrpc(status);
  if (own && base::Detail(result, base::kReason) == rpc::kStandbyReason && !several()) {
    return base::WithDetail(std::move(result), base::kReason, kUnreachableReason);
  }
  if (own) return result;
  if (absl::IsUnavailable(result)) {
    const std::string why = rpc::WhyUnreachable(controllers_, *transport_);
    if (!why.empty()) {
      result = base::WithDetail(absl::UnavailableError(why), base::kReason, kUnreachableReason);
      return base::WithDetail(std::move(result), base::kHint,
                              "docs/security.md says what to do about each of these");
    }
    result = base::Annotate(result, absl::StrCat(who, address_, " cannot be reached"));
  } else if (absl::IsDeadlineExceeded(result)) {
    result = absl::DeadlineExceededError(
        absl::StrCat(who, address_, " gave no answer within ", ShortDuration(timeout_)));
  } else {
    return result;
  }
  result = base::WithDetail(std::move(result), base::kReason, kUnreachableReason);
  return base::WithDetail(std::move(result), base::kHint,
                          "check that curlew-controller runs and listens there; --controller HOST:PORT or "
                          "CURLEW_CONTROLLER names another one, --timeout waits longer");
}

}  // namespace curlew::cli
