// The changes that operators ask of rollouts.
#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/base/status_macros.h"
#include "common/base/utf8.h"
#include "controller/dispatch/names.h"
#include "controller/rollout/gate_named.h"
#include "controller/rollout/machine.h"
#include "controller/service/call.h"
#include "controller/service/rollout_service.h"
#include "controller/service/rollout_view.h"
#include "controller/service/signature_rules.h"

namespace curlew::service {
namespace {

// It stands in the rollout, and is written with each of its changes.
constexpr size_t kLongestMessage = 1000;

// Who decides on a change that is kept with that, and why.
template <typename Request>
absl::StatusOr<std::string> DeciderOf(const access::Caller& caller, const Request& request) {
  RETURN_IF_ERROR(Required("name", request.name()));
  RETURN_IF_ERROR(Required("reason", absl::StripAsciiWhitespace(request.reason())));
  return caller.Decider(request.actor());
}

std::string NameOf(const std::string& name) { return dispatch::WithCollection("rollouts", name); }

template <typename Map>
std::vector<std::string> Names(const Map& map) {
  std::vector<std::string> names;
  for (const auto& [name, value] : map) names.push_back(name);
  return names;
}

std::string TargetOf(const std::string& target) { return dispatch::WithoutCollection("targets", target); }

// The rollout's checks of kind `reported`, each with the environments that have it.
std::map<std::string, std::vector<std::string>> ReportedChecks(const v1::Rollout& rollout) {
  std::map<std::string, std::vector<std::string>> found;
  std::string environment;
  const auto add = [&](const auto& checks) {
    for (const v1::HealthCheck& check : checks) {
      if (check.has_reported()) found[check.name()].push_back(environment);
    }
  };
  for (const v1::EnvironmentStage& stage : rollout.stages()) {
    environment = dispatch::WithoutCollection("environments", stage.environment());
    add(stage.before().policy().checks());
    add(stage.before_drop().policy().checks());
    add(stage.policy().health());
    for (const v1::Wave& wave : stage.waves()) add(wave.before().policy().checks());
  }
  return found;
}

// Environments of a rollout's targets: of one, or of all where `target` is empty. A target that it does not
// have is in none.
std::vector<std::string> EnvironmentsOf(const v1::Rollout& rollout, const std::string& target) {
  std::set<std::string> environments;
  for (const v1::Run& run : rollout.runs()) {
    if (!target.empty() && run.target() != target) continue;
    environments.insert(dispatch::WithoutCollection("environments", run.environment()));
  }
  return {environments.begin(), environments.end()};
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
  return Answer(
      context, &engine_->loop(), At("ApproveRollout"),
      [=, this](const access::Caller& caller) -> absl::Status {
        RETURN_IF_ERROR(Required("name", request->name()));
        ASSIGN_OR_RETURN(const std::string actor, caller.Decider(request->actor()));
        ASSIGN_OR_RETURN(const auto stored, engine_->rollouts().Get(NameOf(request->name())));
        const absl::Time now = engine_->clock().Now();
        const auto is_signed = request->has_signature() ? rollout::Signed::kYes : rollout::Signed::kNo;
        ASSIGN_OR_RETURN(const std::string environment,
                         rollout::EnvironmentToApprove(stored.rollout, request->gate(), is_signed, now));
        RETURN_IF_ERROR(caller.InAll({environment}));
        rollout::Approved approved{
            .gate = request->gate(), .actor = actor, .reason = request->reason(), .cover = request->cover()};
        if (request->has_signature()) {
          RETURN_IF_ERROR(CheckDropSignature(request->signature(), stored.rollout, environment, now));
          approved.signature = request->signature();
        }
        return Apply(request->name(), approved, "", response);
      });
}

template <typename Asked>
grpc::ServerUnaryReactor* RolloutService::Change(grpc::CallbackServerContext* context, const char* method,
                                                 const v1::ChangeRolloutRequest* request,
                                                 v1::Rollout* response) {
  return Answer(context, &engine_->loop(), At(method),
                [=, this](const access::Caller& caller) -> absl::Status {
                  RETURN_IF_ERROR(Required("name", request->name()));
                  ASSIGN_OR_RETURN(const auto stored, engine_->rollouts().Get(NameOf(request->name())));
                  const std::vector<std::string> environments = service::EnvironmentsOf(stored.rollout);
                  // What stops a rollout, whoever is concerned may do.
                  RETURN_IF_ERROR(access::RuleOf(At(method).method).place == access::Place::kAnyOfIt
                                      ? caller.InAny(environments)
                                      : caller.InAll(environments));
                  Asked asked;
                  asked.actor = caller.Actor(request->actor());
                  asked.reason = request->reason();
                  return Apply(request->name(), asked, request->etag(), response);
                });
}

grpc::ServerUnaryReactor* RolloutService::PauseRollout(grpc::CallbackServerContext* context,
                                                       const v1::ChangeRolloutRequest* request,
                                                       v1::Rollout* response) {
  return Change<rollout::PauseAsked>(context, "PauseRollout", request, response);
}

grpc::ServerUnaryReactor* RolloutService::ResumeRollout(grpc::CallbackServerContext* context,
                                                        const v1::ChangeRolloutRequest* request,
                                                        v1::Rollout* response) {
  return Change<rollout::ResumeAsked>(context, "ResumeRollout", request, response);
}

grpc::ServerUnaryReactor* RolloutService::AbortRollout(grpc::CallbackServerContext* context,
                                                       const v1::ChangeRolloutRequest* request,
                                                       v1::Rollout* response) {
  return Change<rollout::AbortAsked>(context, "AbortRollout", request, response);
}

grpc::ServerUnaryReactor* RolloutService::RollbackRollout(grpc::CallbackServerContext* context,
                                                          const v1::ChangeRolloutRequest* request,
                                                          v1::Rollout* response) {
  return Change<rollout::RollbackAsked>(context, "RollbackRollout", request, response);
}

grpc::ServerUnaryReactor* RolloutService::OverrideWait(grpc::CallbackServerContext* context,
                                                       const v1::OverrideWaitRequest* request,
                                                       v1::Rollout* response) {
  return Answer(context, &engine_->loop(), At("OverrideWait"),
                [=, this](const access::Caller& caller) -> absl::Status {
                  ASSIGN_OR_RETURN(const std::string actor, DeciderOf(caller, *request));
                  ASSIGN_OR_RETURN(const auto stored, engine_->rollouts().Get(NameOf(request->name())));
                  RETURN_IF_ERROR(caller.InAll(EnvironmentsOf(stored.rollout, TargetOf(request->target()))));
                  rollout::OverrideAsked asked{
                      .target = TargetOf(request->target()), .actor = actor, .reason = request->reason()};
                  if (request->has_signature()) {
                    RETURN_IF_ERROR(CheckOverrideSignature(request->signature(), stored.rollout, asked.target,
                                                           "", engine_->clock().Now()));
                    asked.signature = request->signature();
                  }
                  return Apply(request->name(), asked, request->etag(), response);
                });
}

grpc::ServerUnaryReactor* RolloutService::SkipStep(grpc::CallbackServerContext* context,
                                                   const v1::SkipStepRequest* request,
                                                   v1::Rollout* response) {
  return Answer(context, &engine_->loop(), At("SkipStep"),
                [=, this](const access::Caller& caller) -> absl::Status {
                  ASSIGN_OR_RETURN(const std::string actor, DeciderOf(caller, *request));
                  ASSIGN_OR_RETURN(const auto stored, engine_->rollouts().Get(NameOf(request->name())));
                  RETURN_IF_ERROR(caller.InAll(EnvironmentsOf(stored.rollout, TargetOf(request->target()))));
                  rollout::SkipAsked asked{.target = TargetOf(request->target()),
                                           .step = request->step(),
                                           .actor = actor,
                                           .reason = request->reason()};
                  if (request->has_signature()) {
                    RETURN_IF_ERROR(CheckOverrideSignature(request->signature(), stored.rollout, asked.target,
                                                           asked.step, engine_->clock().Now()));
                    asked.step = request->signature().statement().step();
                    asked.signature = request->signature();
                  }
                  return Apply(request->name(), asked, request->etag(), response);
                });
}

grpc::ServerUnaryReactor* RolloutService::SkipGate(grpc::CallbackServerContext* context,
                                                   const v1::SkipGateRequest* request,
                                                   v1::Rollout* response) {
  return Answer(
      context, &engine_->loop(), At("SkipGate"), [=, this](const access::Caller& caller) -> absl::Status {
        ASSIGN_OR_RETURN(const std::string actor, DeciderOf(caller, *request));
        ASSIGN_OR_RETURN(const auto stored, engine_->rollouts().Get(NameOf(request->name())));
        ASSIGN_OR_RETURN(const std::string environment,
                         rollout::EnvironmentToSkip(stored.rollout, request->gate(), engine_->clock().Now()));
        RETURN_IF_ERROR(caller.InAll({environment}));
        const rollout::GateSkipped skipped{
            .gate = request->gate(), .actor = actor, .reason = request->reason()};
        return Apply(request->name(), skipped, request->etag(), response);
      });
}

grpc::ServerUnaryReactor* RolloutService::SkipTarget(grpc::CallbackServerContext* context,
                                                     const v1::SkipTargetRequest* request,
                                                     v1::Rollout* response) {
  return Answer(context, &engine_->loop(), At("SkipTarget"),
                [=, this](const access::Caller& caller) -> absl::Status {
                  RETURN_IF_ERROR(Required("target", request->target()));
                  ASSIGN_OR_RETURN(const std::string actor, DeciderOf(caller, *request));
                  ASSIGN_OR_RETURN(const auto stored, engine_->rollouts().Get(NameOf(request->name())));
                  RETURN_IF_ERROR(caller.InAll(EnvironmentsOf(stored.rollout, TargetOf(request->target()))));
                  const rollout::TargetSkipped skipped{
                      .target = TargetOf(request->target()), .actor = actor, .reason = request->reason()};
                  return Apply(request->name(), skipped, request->etag(), response);
                });
}

grpc::ServerUnaryReactor* RolloutService::ReportCheck(grpc::CallbackServerContext* context,
                                                      const v1::ReportCheckRequest* request,
                                                      v1::Rollout* response) {
  return Answer(
      context, &engine_->loop(), At("ReportCheck"), [=, this](const access::Caller& caller) -> absl::Status {
        RETURN_IF_ERROR(Required("name", request->name()));
        RETURN_IF_ERROR(Required("check", request->check()));
        ASSIGN_OR_RETURN(const std::string actor, caller.Decider(request->actor()));
        const std::string name = dispatch::WithCollection("rollouts", request->name());
        ASSIGN_OR_RETURN(const auto stored, engine_->rollouts().Get(name));
        const auto known = ReportedChecks(stored.rollout);
        const auto check = known.find(request->check());
        if (check == known.end()) {
          return absl::NotFoundError(
              absl::StrCat(name, " has no check \"", request->check(), "\" that is reported; ",
                           known.empty() ? "its pipeline has none"
                                         : absl::StrCat("those are ", absl::StrJoin(Names(known), ", "))));
        }
        RETURN_IF_ERROR(caller.InAll(check->second));
        rollout::CheckReported reported;
        reported.check = request->check();
        reported.state = request->holds() ? v1::CHECK_STATE_PASSING : v1::CHECK_STATE_FAILING;
        reported.message = std::string(base::Utf8Prefix(request->message(), kLongestMessage));
        reported.actor = actor;
        return Apply(name, reported, "", response);
      });
}

grpc::ServerUnaryReactor* RolloutService::TuneRollout(grpc::CallbackServerContext* context,
                                                      const v1::TuneRolloutRequest* request,
                                                      v1::Rollout* response) {
  return Answer(context, &engine_->loop(), At("TuneRollout"),
                [=, this](const access::Caller& caller) -> absl::Status {
                  RETURN_IF_ERROR(Required("name", request->name()));
                  ASSIGN_OR_RETURN(const std::string actor, caller.Decider(request->actor()));
                  ASSIGN_OR_RETURN(const auto stored, engine_->rollouts().Get(NameOf(request->name())));
                  RETURN_IF_ERROR(caller.InAll(EnvironmentsOf(stored.rollout, TargetOf(request->target()))));
                  const rollout::TuneAsked asked{.target = TargetOf(request->target()),
                                                 .tuning = request->tuning(),
                                                 .reset = {request->reset().begin(), request->reset().end()},
                                                 .actor = actor,
                                                 .reason = request->reason()};
                  return Apply(request->name(), asked, request->etag(), response);
                });
}

}  // namespace curlew::service
