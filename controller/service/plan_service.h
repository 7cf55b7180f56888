// PlanService: plans are stored, shown and compiled.
#ifndef CURLEW_CONTROLLER_SERVICE_PLAN_SERVICE_H_
#define CURLEW_CONTROLLER_SERVICE_PLAN_SERVICE_H_

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "controller/dispatch/engine.h"
#include "controller/service/call.h"
#include "controller/service/kept_messages.h"
#include "curlew/v1/operator.grpc.pb.h"

namespace curlew::service {

// Behaviour and errors of each call stand in operator.proto. Thread-safe.
class PlanService : public v1::PlanService::CallbackService {
 public:
  // All must outlive every call.
  explicit PlanService(dispatch::Engine* engine, const access::Guard* guard = &access::Guard::Open(),
                       limits::Limiter* limiter = &limits::Limiter::Off())
      : engine_(engine), guard_(guard), limiter_(limiter) {
    KeepMessages(this);
  }

  grpc::ServerUnaryReactor* CreatePlan(grpc::CallbackServerContext* context,
                                       const v1::CreatePlanRequest* request,
                                       v1::StoredPlan* response) override;
  grpc::ServerUnaryReactor* GetPlan(grpc::CallbackServerContext* context, const v1::GetPlanRequest* request,
                                    v1::StoredPlan* response) override;
  grpc::ServerUnaryReactor* ListPlans(grpc::CallbackServerContext* context,
                                      const v1::ListPlansRequest* request,
                                      v1::ListPlansResponse* response) override;
  grpc::ServerUnaryReactor* AddPlanSignature(grpc::CallbackServerContext* context,
                                             const v1::AddPlanSignatureRequest* request,
                                             v1::StoredPlan* response) override;
  grpc::ServerUnaryReactor* CompilePlan(grpc::CallbackServerContext* context,
                                        const v1::CompilePlanRequest* request,
                                        v1::CompilePlanResponse* response) override;

 private:
  absl::Status AddSignature(const v1::AddPlanSignatureRequest& request, const std::string& actor,
                            v1::StoredPlan* response);
  absl::Status Create(const v1::CreatePlanRequest& request, const std::string& actor,
                      v1::StoredPlan* response);

  Door At(absl::string_view method) const {
    return {guard_, absl::StrCat(v1::PlanService::service_full_name(), ".", method), limiter_};
  }

  dispatch::Engine* const engine_;
  const access::Guard* const guard_;
  limits::Limiter* const limiter_;
};

}  // namespace curlew::service

#endif  // CURLEW_CONTROLLER_SERVICE_PLAN_SERVICE_H_
