#include "controller/service/plan_service.h"

#include <spdlog/spdlog.h>

#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/base/error_detail.h"
#include "common/base/log.h"
#include "common/base/proto_time.h"
#include "common/base/status_macros.h"
#include "common/compiler/compiler.h"
#include "common/plan/plan_reader.h"
#include "controller/dispatch/names.h"
#include "controller/service/call.h"
#include "controller/service/signature_rules.h"

namespace curlew::service {
namespace {

absl::Status CheckDigest(const std::string& given, const std::string& actual) {
  if (given.empty() || given == actual) return absl::OkStatus();
  return base::WithDetail(absl::FailedPreconditionError(absl::StrCat(
                              "the plan that arrived has digest ", actual, ", but ", given,
                              " was expected; it was changed on the way, or client and controller "
                              "are of different versions")),
                          base::kReason, "PLAN_DIGEST_MISMATCH");
}

}  // namespace

grpc::ServerUnaryReactor* PlanService::CreatePlan(grpc::CallbackServerContext* context,
                                                  const v1::CreatePlanRequest* request,
                                                  v1::StoredPlan* response) {
  return Answer(context, &engine_->loop(), At("CreatePlan"), [=, this](const access::Caller& caller) {
    return Create(*request, caller.Actor(request->actor()), response);
  });
}

absl::Status PlanService::Create(const v1::CreatePlanRequest& request, const std::string& actor,
                                 v1::StoredPlan* response) {
  RETURN_IF_ERROR(plan::Validate(request.plan()));
  const std::string digest = plan::Digest(request.plan());
  RETURN_IF_ERROR(CheckDigest(request.digest(), digest));
  v1::StoredPlan stored;
  stored.set_name(dispatch::NameOfPlan(request.plan().name(), digest));
  stored.set_digest(digest);
  *stored.mutable_plan() = request.plan();
  *stored.mutable_create_time() = base::ToProto(engine_->clock().Now());
  stored.set_creator(actor);
  store::Record record = RecordOf(engine_->clock().Now(), "plan.create", stored.name(), actor);
  (*record.audit.back().mutable_details())["digest"] = digest;
  ASSIGN_OR_RETURN(*response, engine_->store().PutPlan(stored, record));
  spdlog::info("{}", base::WithFields("plan stored", {{"plan", stored.name()}, {"actor", actor}}));
  return absl::OkStatus();
}

grpc::ServerUnaryReactor* PlanService::GetPlan(grpc::CallbackServerContext* context,
                                               const v1::GetPlanRequest* request, v1::StoredPlan* response) {
  return Answer(context, &engine_->loop(), At("GetPlan"),
                [=, this](const access::Caller& /*caller*/) -> absl::Status {
                  RETURN_IF_ERROR(Required("name", request->name()));
                  ASSIGN_OR_RETURN(*response, engine_->store().GetPlan(request->name()));
                  return absl::OkStatus();
                });
}

grpc::ServerUnaryReactor* PlanService::ListPlans(grpc::CallbackServerContext* context,
                                                 const v1::ListPlansRequest* request,
                                                 v1::ListPlansResponse* response) {
  return Answer(
      context, &engine_->loop(), At("ListPlans"),
      [=, this](const access::Caller& /*caller*/) -> absl::Status {
        ASSIGN_OR_RETURN(const store::Page page, PageOf(request->page_size(), request->page_token()));
        ASSIGN_OR_RETURN(auto plans, engine_->store().ListPlans(page, response->mutable_next_page_token()));
        for (v1::StoredPlan& plan : plans) *response->add_plans() = std::move(plan);
        return absl::OkStatus();
      });
}

grpc::ServerUnaryReactor* PlanService::AddPlanSignature(grpc::CallbackServerContext* context,
                                                        const v1::AddPlanSignatureRequest* request,
                                                        v1::StoredPlan* response) {
  return Answer(context, &engine_->loop(), At("AddPlanSignature"), [=, this](const access::Caller& caller) {
    return AddSignature(*request, caller.Actor(request->actor()), response);
  });
}

absl::Status PlanService::AddSignature(const v1::AddPlanSignatureRequest& request, const std::string& actor,
                                       v1::StoredPlan* response) {
  RETURN_IF_ERROR(Required("name", request.name()));
  ASSIGN_OR_RETURN(const v1::StoredPlan plan, engine_->store().GetPlan(request.name()));
  const absl::Time now = engine_->clock().Now();
  ASSIGN_OR_RETURN(const signing::PublicKey key, CheckPlanSignature(request.signature(), plan, now));
  const v1::PlanStatement& statement = request.signature().statement();
  store::Record record = RecordOf(now, "plan.sign", plan.name(), actor);
  auto& details = *record.audit.back().mutable_details();
  details["digest"] = plan.digest();
  details["environment"] = statement.environment();
  details["key_id"] = key.id();
  details["statement"] = statement.id();
  ASSIGN_OR_RETURN(*response, engine_->store().PutPlanSignature(plan.name(), request.signature(), record));
  spdlog::info("{}", base::WithFields("plan signed", {{"plan", plan.name()},
                                                      {"environment", statement.environment()},
                                                      {"key", key.id()},
                                                      {"actor", actor}}));
  return absl::OkStatus();
}

grpc::ServerUnaryReactor* PlanService::CompilePlan(grpc::CallbackServerContext* context,
                                                   const v1::CompilePlanRequest* request,
                                                   v1::CompilePlanResponse* response) {
  return AnswerLater(context, &engine_->loop(), At("CompilePlan"),
                     [=, this](const access::Caller& caller, const std::function<void(absl::Status)>& done) {
                       const std::string target = dispatch::WithoutCollection("targets", request->target());
                       absl::Status status = Required("target", target);
                       if (status.ok()) status = plan::Validate(request->plan());
                       if (status.ok() && engine_->targets().Find(target) == nullptr) {
                         status = absl::NotFoundError(engine_->targets().WhyNotServed(target));
                       }
                       if (status.ok()) status = caller.InAll(EnvironmentsOf(engine_->targets(), target));
                       if (!status.ok()) return done(status);
                       engine_->schemas().Ask(
                           target, compiler::ScopeOf(request->plan()),
                           [=](const absl::StatusOr<v1::Schema>& schema) {
                             if (!schema.ok()) return done(schema.status());
                             auto compiled = compiler::Compile(request->plan(), *schema);
                             if (!compiled.ok()) {
                               return done(base::WithDetail(compiled.status(), base::kTarget, target));
                             }
                             response->set_digest(compiler::Digest(*compiled));
                             *response->mutable_compiled_plan() = *std::move(compiled);
                             *response->mutable_schema() = *schema;
                             done(absl::OkStatus());
                           });
                     });
}

}  // namespace curlew::service
