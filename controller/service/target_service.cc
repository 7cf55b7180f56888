#include "controller/service/target_service.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/base/canonical_json.h"
#include "common/base/error_detail.h"
#include "common/base/status_macros.h"
#include "common/plan/plan_reader.h"
#include "controller/dispatch/names.h"
#include "controller/service/call.h"

namespace curlew::service {
namespace {

std::string EtagOf(v1::Environment environment) {
  environment.clear_etag();
  return base::CanonicalDigest(environment).substr(0, 16);
}

}  // namespace

v1::Target TargetService::Describe(const std::string& target) {
  v1::Target resource = engine_->targets().Describe(target);
  if (const v1::Rollout* rollout = engine_->rollouts().OccupantOf(target); rollout != nullptr) {
    resource.set_rollout(rollout->name());
  }
  return resource;
}

grpc::ServerUnaryReactor* TargetService::GetTarget(grpc::CallbackServerContext* context,
                                                   const v1::GetTargetRequest* request,
                                                   v1::Target* response) {
  return Answer(context, &engine_->loop(), [=, this]() -> absl::Status {
    RETURN_IF_ERROR(Required("name", request->name()));
    const std::string target = dispatch::WithoutCollection("targets", request->name());
    if (engine_->targets().Find(target) == nullptr) {
      return base::WithDetail(absl::NotFoundError(engine_->targets().WhyNotServed(target)), base::kTarget,
                              target);
    }
    *response = Describe(target);
    return absl::OkStatus();
  });
}

grpc::ServerUnaryReactor* TargetService::ListTargets(grpc::CallbackServerContext* context,
                                                     const v1::ListTargetsRequest* request,
                                                     v1::ListTargetsResponse* response) {
  return Answer(context, &engine_->loop(), [=, this] { return List(*request, response); });
}

absl::Status TargetService::List(const v1::ListTargetsRequest& request, v1::ListTargetsResponse* response) {
  ASSIGN_OR_RETURN(const store::Page page, PageOf(request.page_size(), request.page_token()));
  const std::vector<std::string>& names = engine_->targets().names();
  // A token is the name of the last target of the page before.
  auto next = names.begin();
  if (!page.token.empty()) {
    next = std::find(names.begin(), names.end(), page.token);
    if (next == names.end()) {
      return BadField("page_token",
                      "page_token is unknown: environments have changed; list from the first page");
    }
    ++next;
  }
  for (; next != names.end() && response->targets_size() < page.size; ++next) {
    *response->add_targets() = Describe(*next);
  }
  if (next != names.end()) response->set_next_page_token(*std::prev(next));
  return absl::OkStatus();
}

grpc::ServerUnaryReactor* EnvironmentService::ApplyEnvironments(grpc::CallbackServerContext* context,
                                                                const v1::ApplyEnvironmentsRequest* request,
                                                                v1::ListEnvironmentsResponse* response) {
  return Answer(context, &engine_->loop(), [=, this] { return Apply(*request, response); });
}

absl::Status EnvironmentService::Apply(const v1::ApplyEnvironmentsRequest& request,
                                       v1::ListEnvironmentsResponse* response) {
  RETURN_IF_ERROR(plan::ValidateEnvironments(request));
  std::vector<v1::Environment> environments(request.environments().begin(), request.environments().end());
  for (size_t i = 0; i < environments.size(); ++i) {
    v1::Environment& environment = environments[i];
    environment.set_name(dispatch::WithCollection("environments", environment.name()));
    environment.set_position(static_cast<int32_t>(i));
    for (const v1::Environment& old : engine_->targets().environments()) {
      if (environment.etag().empty() || old.name() != environment.name() || old.etag() == environment.etag())
        continue;
      return base::WithDetail(absl::AbortedError(absl::StrCat(
                                  "environment \"", old.name(), "\" has changed since (its ", "etag is \"",
                                  old.etag(), "\", not \"", environment.etag(), "\"); look at it again")),
                              base::kReason, "ETAG_MISMATCH");
    }
    environment.set_etag(EtagOf(environment));
  }
  RETURN_IF_ERROR(engine_->ApplyEnvironments(std::move(environments)));
  for (const v1::Environment& environment : engine_->targets().environments()) {
    *response->add_environments() = environment;
  }
  return absl::OkStatus();
}

grpc::ServerUnaryReactor* EnvironmentService::ListEnvironments(grpc::CallbackServerContext* context,
                                                               const v1::ListEnvironmentsRequest*,
                                                               v1::ListEnvironmentsResponse* response) {
  return Answer(context, &engine_->loop(), [=, this] {
    for (const v1::Environment& environment : engine_->targets().environments()) {
      *response->add_environments() = environment;
    }
    return absl::OkStatus();
  });
}

}  // namespace curlew::service
