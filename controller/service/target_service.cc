#include "controller/service/target_service.h"

#include <algorithm>
#include <functional>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/base/canonical_json.h"
#include "common/base/error_detail.h"
#include "common/base/status_macros.h"
#include "common/plan/labels.h"
#include "common/plan/plan_reader.h"
#include "common/schema/schema.h"
#include "controller/dispatch/names.h"
#include "controller/dispatch/target_record.h"
#include "controller/service/call.h"
#include "controller/service/schema_comparison.h"

namespace curlew::service {
namespace {

std::string EtagOf(v1::Environment environment) {
  environment.clear_etag();
  return base::CanonicalDigest(environment).substr(0, 16);
}

// In place of a target's name, for all.
constexpr absl::string_view kEveryTarget = "-";

absl::Status NoEnvironment(const dispatch::TargetTable& targets, absl::string_view name) {
  std::vector<std::string> known;
  for (const v1::Environment& environment : targets.environments()) {
    known.push_back(dispatch::WithoutCollection("environments", environment.name()));
  }
  return absl::NotFoundError(
      absl::StrCat("there is no \"", name, "\"; ",
                   known.empty() ? "define environments with `curlew env apply -f FILE`"
                                 : absl::StrCat("the environments are ", absl::StrJoin(known, ", "))));
}

}  // namespace

v1::Target TargetService::Describe(const std::string& target) {
  v1::Target resource = engine_->targets().Describe(target);
  if (const v1::Rollout* rollout = engine_->rollouts().OccupantOf(target); rollout != nullptr) {
    resource.set_rollout(rollout->name());
  }
  return resource;
}

absl::Status TargetService::CheckTarget(const std::string& target) {
  if (engine_->targets().Find(target) != nullptr) return absl::OkStatus();
  return base::WithDetail(absl::NotFoundError(engine_->targets().WhyNotServed(target)), base::kTarget,
                          target);
}

absl::StatusOr<std::vector<std::string>> TargetService::TargetsOf(const std::string& name) {
  for (const v1::Environment& environment : engine_->targets().environments()) {
    if (environment.name() != name && environment.name() != absl::StrCat("environments/", name)) continue;
    return std::vector<std::string>(environment.targets().begin(), environment.targets().end());
  }
  if (absl::StartsWith(name, "environments/")) return NoEnvironment(engine_->targets(), name);
  const std::string target = dispatch::WithoutCollection("targets", name);
  RETURN_IF_ERROR(CheckTarget(target));
  return std::vector<std::string>{target};
}

grpc::ServerUnaryReactor* TargetService::GetTarget(grpc::CallbackServerContext* context,
                                                   const v1::GetTargetRequest* request,
                                                   v1::Target* response) {
  return Answer(context, &engine_->loop(), At("GetTarget"),
                [=, this](const access::Caller& caller) -> absl::Status {
                  RETURN_IF_ERROR(Required("name", request->name()));
                  const std::string target = dispatch::WithoutCollection("targets", request->name());
                  RETURN_IF_ERROR(CheckTarget(target));
                  RETURN_IF_ERROR(caller.InAll(EnvironmentsOf(engine_->targets(), target)));
                  *response = Describe(target);
                  return absl::OkStatus();
                });
}

grpc::ServerUnaryReactor* TargetService::ListTargets(grpc::CallbackServerContext* context,
                                                     const v1::ListTargetsRequest* request,
                                                     v1::ListTargetsResponse* response) {
  return Answer(context, &engine_->loop(), At("ListTargets"),
                [=, this](const access::Caller& caller) { return List(caller, *request, response); });
}

absl::Status TargetService::List(const access::Caller& caller, const v1::ListTargetsRequest& request,
                                 v1::ListTargetsResponse* response) {
  ASSIGN_OR_RETURN(const store::Page page, PageOf(request.page_size(), request.page_token()));
  const std::string environment =
      request.environment().empty() ? "" : dispatch::WithCollection("environments", request.environment());
  if (!environment.empty()) RETURN_IF_ERROR(TargetsOf(environment).status());
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
  for (; next != names.end(); ++next) {
    if (!environment.empty() && engine_->targets().Find(*next)->environment != environment) continue;
    if (!caller.InAll(EnvironmentsOf(engine_->targets(), *next)).ok()) continue;
    v1::Target target = Describe(*next);
    if (!plan::HasLabels(target.labels(), request.labels())) continue;
    if (response->targets_size() == page.size) {
      response->set_next_page_token(
          dispatch::WithoutCollection("targets", response->targets(page.size - 1).name()));
      break;
    }
    *response->add_targets() = std::move(target);
  }
  return absl::OkStatus();
}

grpc::ServerUnaryReactor* TargetService::GetSchema(grpc::CallbackServerContext* context,
                                                   const v1::GetSchemaRequest* request,
                                                   v1::GetSchemaResponse* response) {
  return AnswerLater(context, &engine_->loop(), At("GetSchema"),
                     [=, this](const access::Caller& caller, std::function<void(absl::Status)> done) {
                       const std::string target = dispatch::WithoutCollection("targets", request->name());
                       absl::Status status = Required("name", target);
                       if (status.ok()) status = CheckTarget(target);
                       if (status.ok()) status = caller.InAll(EnvironmentsOf(engine_->targets(), target));
                       if (!status.ok()) return done(status);
                       engine_->schemas().Ask(target, v1::Scope(),
                                              [=, done = std::move(done)](absl::StatusOr<v1::Schema> schema) {
                                                if (!schema.ok()) return done(schema.status());
                                                response->set_fingerprint(schema::Fingerprint(*schema));
                                                *response->mutable_schema() = *std::move(schema);
                                                done(absl::OkStatus());
                                              });
                     });
}

grpc::ServerUnaryReactor* TargetService::BaselineTarget(grpc::CallbackServerContext* context,
                                                        const v1::BaselineTargetRequest* request,
                                                        v1::TargetRecord* response) {
  return AnswerLater(context, &engine_->loop(), At("BaselineTarget"),
                     [=, this](const access::Caller& caller, std::function<void(absl::Status)> done) {
                       const std::string target = dispatch::WithoutCollection("targets", request->name());
                       absl::Status status = Required("name", target);
                       const absl::StatusOr<std::string> actor = caller.Decider(request->actor());
                       if (status.ok()) status = actor.status();
                       if (status.ok()) status = CheckTarget(target);
                       if (status.ok()) status = caller.InAll(EnvironmentsOf(engine_->targets(), target));
                       if (!status.ok()) return done(status);
                       engine_->schemas().Ask(target, v1::Scope(),
                                              [=, this, actor = *actor, done = std::move(done)](
                                                  const absl::StatusOr<v1::Schema>& schema) {
                                                if (!schema.ok()) return done(schema.status());
                                                auto recorded = Baseline(*request, actor, target, *schema);
                                                if (recorded.ok()) *response = *std::move(recorded);
                                                done(recorded.status());
                                              });
                     });
}

absl::StatusOr<v1::TargetRecord> TargetService::Baseline(const v1::BaselineTargetRequest& request,
                                                         const std::string& actor, const std::string& target,
                                                         const v1::Schema& schema) {
  const absl::Time now = engine_->clock().Now();
  v1::TargetRecord baseline = dispatch::RecordOfSchema(target, schema, now);
  baseline.set_kind(v1::TARGET_RECORD_KIND_BASELINE);
  baseline.set_actor(actor);
  baseline.set_reason(request.reason());
  store::Record record =
      RecordOf(now, "target.baseline", absl::StrCat("targets/", target), actor, request.reason());
  (*record.audit.back().mutable_details())["fingerprint"] = baseline.schema_fingerprint();
  ASSIGN_OR_RETURN(v1::TargetRecord recorded, engine_->store().records().AddTargetRecord(baseline, record));
  engine_->drift_watch().Look(target);
  return recorded;
}

grpc::ServerUnaryReactor* TargetService::ListTargetRecords(grpc::CallbackServerContext* context,
                                                           const v1::ListTargetRecordsRequest* request,
                                                           v1::ListTargetRecordsResponse* response) {
  return Answer(context, &engine_->loop(), At("ListTargetRecords"),
                [=, this](const access::Caller& caller) { return Records(caller, *request, response); });
}

absl::Status TargetService::Records(const access::Caller& caller, const v1::ListTargetRecordsRequest& request,
                                    v1::ListTargetRecordsResponse* response) {
  std::string target = dispatch::WithoutCollection("targets", request.name());
  RETURN_IF_ERROR(Required("name", target));
  if (target == kEveryTarget) target.clear();
  // What is on record of targets that are in no environment any more is for who has the role everywhere.
  RETURN_IF_ERROR(caller.InAll(EnvironmentsOf(engine_->targets(), target)));
  ASSIGN_OR_RETURN(const store::Page page, PageOf(request.page_size(), request.page_token()));
  ASSIGN_OR_RETURN(auto records, engine_->store().records().ListTargetRecords(
                                     target, page, response->mutable_next_page_token()));
  // What is on record of a target that has left the pipeline is shown still.
  if (records.empty() && !target.empty() && page.token.empty()) RETURN_IF_ERROR(CheckTarget(target));
  for (v1::TargetRecord& record : records) *response->add_records() = std::move(record);
  return absl::OkStatus();
}

grpc::ServerUnaryReactor* TargetService::CompareSchemas(grpc::CallbackServerContext* context,
                                                        const v1::CompareSchemasRequest* request,
                                                        v1::CompareSchemasResponse* response) {
  return AnswerLater(
      context, &engine_->loop(), At("CompareSchemas"),
      [=, this](const access::Caller& caller, std::function<void(absl::Status)> done) {
        absl::Status status = Required("from", request->from());
        if (!status.ok()) return done(status);
        const auto from = TargetsOf(request->from());
        if (!from.ok()) return done(from.status());
        const auto to = request->to().empty() ? std::vector<std::string>() : TargetsOf(request->to());
        if (!to.ok()) return done(to.status());
        for (const std::vector<std::string>* targets : {&*from, &*to}) {
          for (const std::string& target : *targets) {
            const absl::Status allowed = caller.InAll(EnvironmentsOf(engine_->targets(), target));
            if (!allowed.ok()) return done(allowed);
          }
        }
        const auto finish = [done = std::move(done)] { done(absl::OkStatus()); };
        if (to->empty()) return CompareWithRecords(engine_, *from, response, finish);
        CompareWithTarget(engine_, from->front(), *to, response, finish);
      });
}

grpc::ServerUnaryReactor* EnvironmentService::ApplyEnvironments(grpc::CallbackServerContext* context,
                                                                const v1::ApplyEnvironmentsRequest* request,
                                                                v1::ListEnvironmentsResponse* response) {
  return Answer(context, &engine_->loop(), At("ApplyEnvironments"), [=, this](const access::Caller& caller) {
    return Apply(*request, caller.Actor(request->actor()), response);
  });
}

absl::Status EnvironmentService::Apply(const v1::ApplyEnvironmentsRequest& request, const std::string& actor,
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
  store::Record record = RecordOf(engine_->clock().Now(), "environments.apply", "environments", actor);
  auto& details = *record.audit.back().mutable_details();
  for (const v1::Environment& environment : environments) details[environment.name()] = environment.etag();
  RETURN_IF_ERROR(engine_->ApplyEnvironments(std::move(environments), record));
  for (const v1::Environment& environment : engine_->targets().environments()) {
    *response->add_environments() = environment;
  }
  return absl::OkStatus();
}

grpc::ServerUnaryReactor* EnvironmentService::ListEnvironments(grpc::CallbackServerContext* context,
                                                               const v1::ListEnvironmentsRequest*,
                                                               v1::ListEnvironmentsResponse* response) {
  return Answer(context, &engine_->loop(), At("ListEnvironments"),
                [=, this](const access::Caller& /*caller*/) {
                  for (const v1::Environment& environment : engine_->targets().environments()) {
                    *response->add_environments() = environment;
                  }
                  return absl::OkStatus();
                });
}

}  // namespace curlew::service
