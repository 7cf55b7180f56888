// The changes that operators ask of rollouts.
#include <set>
#include <string>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/base/status_macros.h"
#include "common/base/utf8.h"
#include "controller/dispatch/names.h"
#include "controller/rollout/machine.h"
#include "controller/service/call.h"
#include "controller/service/rollout_service.h"
#include "controller/service/rollout_view.h"

namespace curlew::service {
namespace {

// It stands in the rollout, and is written with each of its changes.
constexpr size_t kLongestMessage = 1000;

// Of a change that is kept with who decided it, and why.
template <typename Request>
absl::Status CheckDecision(const Request& request) {
  RETURN_IF_ERROR(Required("name", request.name()));
  RETURN_IF_ERROR(Required("reason", absl::StripAsciiWhitespace(request.reason())));
  return Required("actor", request.actor());
}

std::string TargetOf(const std::string& target) { return dispatch::WithoutCollection("targets", target); }

// Names of the rollout's checks of kind `reported`.
std::set<std::string> ReportedChecks(const v1::Rollout& rollout) {
  std::set<std::string> names;
  const auto add = [&](const auto& checks) {
    for (const v1::HealthCheck& check : checks) {
      if (check.has_reported()) names.insert(check.name());
    }
  };
  for (const v1::EnvironmentStage& stage : rollout.stages()) {
    add(stage.before().policy().checks());
    add(stage.before_drop().policy().checks());
    add(stage.policy().health());
    for (const v1::Wave& wave : stage.waves()) add(wave.before().policy().checks());
  }
  return names;
}

}  // namespace

absl::Status RolloutService::Apply(const std::string& name, const rollout::Input& input,
                                   const std::string& etag, v1::Rollout* response) {
  ASSIGN_OR_RETURN(*response,
                   engine_->rollouts().Apply(dispatch::WithCollection("rollouts", name), input, etag));
  ApplyView(v1::ROLLOUT_VIEW_UNSPECIFIED, response);
  return absl::OkStatus();
}

grpc::ServerUnaryReactor* RolloutService::ApproveRollout(grpc::CallbackServerContext* context,
                                                         const v1::ApproveRolloutRequest* request,
                                                         v1::Rollout* response) {
  return Answer(context, &engine_->loop(), [=, this]() -> absl::Status {
    RETURN_IF_ERROR(Required("name", request->name()));
    RETURN_IF_ERROR(Required("actor", request->actor()));
    const rollout::Approved approved{.gate = request->gate(),
                                     .actor = request->actor(),
                                     .reason = request->reason(),
                                     .cover = request->cover()};
    return Apply(request->name(), approved, "", response);
  });
}

template <typename Asked>
grpc::ServerUnaryReactor* RolloutService::Change(grpc::CallbackServerContext* context,
                                                 const v1::ChangeRolloutRequest* request,
                                                 v1::Rollout* response) {
  return Answer(context, &engine_->loop(), [=, this]() -> absl::Status {
    RETURN_IF_ERROR(Required("name", request->name()));
    Asked asked;
    asked.actor = ActorOf(*context, request->actor());
    asked.reason = request->reason();
    return Apply(request->name(), asked, request->etag(), response);
  });
}

grpc::ServerUnaryReactor* RolloutService::PauseRollout(grpc::CallbackServerContext* context,
                                                       const v1::ChangeRolloutRequest* request,
                                                       v1::Rollout* response) {
  return Change<rollout::PauseAsked>(context, request, response);
}

grpc::ServerUnaryReactor* RolloutService::ResumeRollout(grpc::CallbackServerContext* context,
                                                        const v1::ChangeRolloutRequest* request,
                                                        v1::Rollout* response) {
  return Change<rollout::ResumeAsked>(context, request, response);
}

grpc::ServerUnaryReactor* RolloutService::AbortRollout(grpc::CallbackServerContext* context,
                                                       const v1::ChangeRolloutRequest* request,
                                                       v1::Rollout* response) {
  return Change<rollout::AbortAsked>(context, request, response);
}

grpc::ServerUnaryReactor* RolloutService::RollbackRollout(grpc::CallbackServerContext* context,
                                                          const v1::ChangeRolloutRequest* request,
                                                          v1::Rollout* response) {
  return Change<rollout::RollbackAsked>(context, request, response);
}

grpc::ServerUnaryReactor* RolloutService::OverrideWait(grpc::CallbackServerContext* context,
                                                       const v1::OverrideWaitRequest* request,
                                                       v1::Rollout* response) {
  return Answer(context, &engine_->loop(), [=, this]() -> absl::Status {
    RETURN_IF_ERROR(CheckDecision(*request));
    const rollout::OverrideAsked asked{
        .target = TargetOf(request->target()), .actor = request->actor(), .reason = request->reason()};
    return Apply(request->name(), asked, request->etag(), response);
  });
}

grpc::ServerUnaryReactor* RolloutService::SkipStep(grpc::CallbackServerContext* context,
                                                   const v1::SkipStepRequest* request,
                                                   v1::Rollout* response) {
  return Answer(context, &engine_->loop(), [=, this]() -> absl::Status {
    RETURN_IF_ERROR(CheckDecision(*request));
    const rollout::SkipAsked asked{.target = TargetOf(request->target()),
                                   .step = request->step(),
                                   .actor = request->actor(),
                                   .reason = request->reason()};
    return Apply(request->name(), asked, request->etag(), response);
  });
}

grpc::ServerUnaryReactor* RolloutService::SkipGate(grpc::CallbackServerContext* context,
                                                   const v1::SkipGateRequest* request,
                                                   v1::Rollout* response) {
  return Answer(context, &engine_->loop(), [=, this]() -> absl::Status {
    RETURN_IF_ERROR(CheckDecision(*request));
    const rollout::GateSkipped skipped{
        .gate = request->gate(), .actor = request->actor(), .reason = request->reason()};
    return Apply(request->name(), skipped, request->etag(), response);
  });
}

grpc::ServerUnaryReactor* RolloutService::SkipTarget(grpc::CallbackServerContext* context,
                                                     const v1::SkipTargetRequest* request,
                                                     v1::Rollout* response) {
  return Answer(context, &engine_->loop(), [=, this]() -> absl::Status {
    RETURN_IF_ERROR(CheckDecision(*request));
    RETURN_IF_ERROR(Required("target", request->target()));
    const rollout::TargetSkipped skipped{
        .target = TargetOf(request->target()), .actor = request->actor(), .reason = request->reason()};
    return Apply(request->name(), skipped, request->etag(), response);
  });
}

grpc::ServerUnaryReactor* RolloutService::ReportCheck(grpc::CallbackServerContext* context,
                                                      const v1::ReportCheckRequest* request,
                                                      v1::Rollout* response) {
  return Answer(context, &engine_->loop(), [=, this]() -> absl::Status {
    RETURN_IF_ERROR(Required("name", request->name()));
    RETURN_IF_ERROR(Required("check", request->check()));
    RETURN_IF_ERROR(Required("actor", request->actor()));
    const std::string name = dispatch::WithCollection("rollouts", request->name());
    ASSIGN_OR_RETURN(const auto stored, engine_->rollouts().Get(name));
    const std::set<std::string> known = ReportedChecks(stored.rollout);
    if (known.count(request->check()) == 0) {
      return absl::NotFoundError(absl::StrCat(
          name, " has no check \"", request->check(), "\" that is reported; ",
          known.empty() ? "its pipeline has none" : absl::StrCat("those are ", absl::StrJoin(known, ", "))));
    }
    rollout::CheckReported reported;
    reported.check = request->check();
    reported.state = request->holds() ? v1::CHECK_STATE_PASSING : v1::CHECK_STATE_FAILING;
    reported.message = std::string(base::Utf8Prefix(request->message(), kLongestMessage));
    reported.actor = request->actor();
    return Apply(name, reported, "", response);
  });
}

grpc::ServerUnaryReactor* RolloutService::TuneRollout(grpc::CallbackServerContext* context,
                                                      const v1::TuneRolloutRequest* request,
                                                      v1::Rollout* response) {
  return Answer(context, &engine_->loop(), [=, this]() -> absl::Status {
    RETURN_IF_ERROR(Required("name", request->name()));
    RETURN_IF_ERROR(Required("actor", request->actor()));
    const rollout::TuneAsked asked{.target = TargetOf(request->target()),
                                   .tuning = request->tuning(),
                                   .reset = {request->reset().begin(), request->reset().end()},
                                   .actor = request->actor(),
                                   .reason = request->reason()};
    return Apply(request->name(), asked, request->etag(), response);
  });
}

}  // namespace curlew::service
