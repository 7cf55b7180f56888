#include "controller/service/call.h"

#include <grpcpp/alarm.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <atomic>
#include <memory>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "common/base/error_detail.h"
#include "common/base/log.h"
#include "common/base/proto_time.h"
#include "common/rpc/endpoint.h"
#include "common/rpc/error.h"
#include "common/rpc/peer_version.h"
#include "controller/dispatch/names.h"
#include "controller/service/kept_messages.h"

namespace curlew::service {
namespace {

constexpr int kDefaultPage = 50;
constexpr int kLargestPage = 500;

// The answer of one call: given by its work, or by its deadline where that comes first. Thread-safe.
class PendingAnswer : public std::enable_shared_from_this<PendingAnswer> {
 public:
  // `messages` are kept until it is gone.
  PendingAnswer(grpc::ServerUnaryReactor* reactor, std::shared_ptr<KeptMessages> messages, std::string method)
      : reactor_(reactor), messages_(std::move(messages)), method_(std::move(method)) {}

  // Gives an answer at the caller's deadline, or after `longest` where that is earlier. Once, first of all.
  void AwaitDeadline(absl::Time callers, absl::Duration longest) {
    begun_ = absl::Now();
    const absl::Time deadline = std::min(callers, begun_ + longest);
    // The alarm ends with what it calls, so that must not hold on to it afterwards.
    alarm_.Set(absl::ToChronoTime(deadline), [self = shared_from_this()](bool reached) mutable {
      const auto last = std::move(self);
      if (reached) last->GiveTooLate();
    });
  }
  // Work on it begins. False where it has been answered already.
  bool Begin() {
    State waiting = State::kWaits;
    return state_.compare_exchange_strong(waiting, State::kWorked);
  }
  // The first answer is the one that counts.
  void Give(const absl::Status& status) {
    if (state_.exchange(State::kAnswered) == State::kAnswered) return;
    reactor_->Finish(rpc::ToGrpc(status));
    alarm_.Cancel();
  }

 private:
  enum class State { kWaits, kWorked, kAnswered };

  void GiveTooLate() {
    const State before = state_.exchange(State::kAnswered);
    if (before == State::kAnswered) return;
    const std::string name = method_.substr(method_.rfind('.') + 1);
    const std::string waited = absl::FormatDuration(absl::Trunc(absl::Now() - begun_, absl::Milliseconds(1)));
    const bool begun = before == State::kWorked;
    const absl::Status status = absl::DeadlineExceededError(
        begun ? absl::StrCat(name, " is not done within ", waited,
                             ": an agent that was asked, or the controller's store, has not answered")
              : absl::StrCat("the controller did not come to ", name, " within ", waited,
                             ": it is held up, for example by its store; nothing was done"));
    spdlog::warn("{}", base::WithFields(status.message(), {{"method", method_}}));
    reactor_->Finish(rpc::ToGrpc(base::WithDetail(
        status, base::kHint,
        begun ? "where the call changes something, look whether it was done (curlew rollout list, curlew "
                "rollout show ROLLOUT) before you repeat it"
              : "repeat it; where that lasts, see the controller's log and its store")));
  }

  grpc::ServerUnaryReactor* const reactor_;  // not touched after the answer
  const std::shared_ptr<KeptMessages> messages_;
  const std::string method_;
  absl::Time begun_;
  std::atomic<State> state_ = State::kWaits;
  grpc::Alarm alarm_;
};

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
  auto credential = access::Credential::Of(*context);
  const auto messages = KeptMessages::Of(context);
  absl::Status status = rpc::CheckClientVersion(context);
  if (status.ok() && messages == nullptr) {
    status = absl::InternalError(absl::StrCat(door.method, " does not keep its messages (KeepMessages)"));
  }
  if (status.ok()) status = door.MayCall(credential, messages->RequestBytes());
  if (!status.ok()) {
    reactor->Finish(rpc::ToGrpc(status));
    return reactor;
  }
  const auto answer = std::make_shared<PendingAnswer>(reactor, messages, door.method);
  answer->AwaitDeadline(absl::FromChrono(context->deadline()), door.limiter->options().call_deadline);
  const bool posted = loop->Post(
      [answer, credential = std::move(credential), door = std::move(door), work = std::move(work)] {
        if (!answer->Begin()) return;
        const auto caller = door.Enter(credential);
        if (!caller.ok()) return answer->Give(caller.status());
        work(*caller, [answer](const absl::Status& result) { answer->Give(result); });
      });
  if (!posted) {
    // As one that stands by: nothing was done, and the call may be repeated elsewhere.
    answer->Give(base::WithDetail(absl::UnavailableError("the controller is shutting down; try again later"),
                                  base::kReason, rpc::kStandbyReason));
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
