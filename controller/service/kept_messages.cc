#include "controller/service/kept_messages.h"

#include <grpcpp/support/message_allocator.h>

#include <memory>

namespace curlew::service {
namespace {

template <typename Request, typename Response>
class Messages : public grpc::MessageHolder<Request, Response>, public KeptMessages {
 public:
  Messages() {
    this->set_request(&request_);
    this->set_response(&response_);
  }
  size_t RequestBytes() const override { return request_.ByteSizeLong(); }
  // gRPC has it from now on, until it calls Release.
  void HoldFor(std::shared_ptr<Messages> self) { grpcs_ = std::move(self); }
  // May end this object.
  void Release() override { const auto last = std::move(grpcs_); }

 private:
  Request request_;
  Response response_;
  std::shared_ptr<Messages> grpcs_;
};

template <typename Request, typename Response>
class Allocator : public grpc::MessageAllocator<Request, Response> {
 public:
  grpc::MessageHolder<Request, Response>* AllocateMessages() override {
    const auto messages = std::make_shared<Messages<Request, Response>>();
    messages->HoldFor(messages);
    return messages.get();
  }
};

// `set` is the service's SetMessageAllocatorFor_... of a method.
template <typename Service, typename Owner, typename Request, typename Response>
void Keep(Service* service, void (Owner::*set)(grpc::MessageAllocator<Request, Response>*)) {
  static auto* const allocator = new Allocator<Request, Response>();  // outlives every server
  (service->*set)(allocator);
}

}  // namespace

std::shared_ptr<KeptMessages> KeptMessages::Of(grpc::CallbackServerContext* context) {
  auto* kept = dynamic_cast<KeptMessages*>(context->GetRpcAllocatorState());
  return kept == nullptr ? nullptr : kept->shared_from_this();
}

void KeepMessages(v1::PlanService::CallbackService* service) {
  using Service = v1::PlanService::CallbackService;
  Keep(service, &Service::SetMessageAllocatorFor_CreatePlan);
  Keep(service, &Service::SetMessageAllocatorFor_GetPlan);
  Keep(service, &Service::SetMessageAllocatorFor_ListPlans);
  Keep(service, &Service::SetMessageAllocatorFor_CompilePlan);
  Keep(service, &Service::SetMessageAllocatorFor_AddPlanSignature);
}

void KeepMessages(v1::RolloutService::CallbackService* service) {
  using Service = v1::RolloutService::CallbackService;
  Keep(service, &Service::SetMessageAllocatorFor_CreateRollout);
  Keep(service, &Service::SetMessageAllocatorFor_GetRollout);
  Keep(service, &Service::SetMessageAllocatorFor_ListRollouts);
  Keep(service, &Service::SetMessageAllocatorFor_ApproveRollout);
  Keep(service, &Service::SetMessageAllocatorFor_PauseRollout);
  Keep(service, &Service::SetMessageAllocatorFor_ResumeRollout);
  Keep(service, &Service::SetMessageAllocatorFor_AbortRollout);
  Keep(service, &Service::SetMessageAllocatorFor_RollbackRollout);
  Keep(service, &Service::SetMessageAllocatorFor_OverrideWait);
  Keep(service, &Service::SetMessageAllocatorFor_SkipStep);
  Keep(service, &Service::SetMessageAllocatorFor_TuneRollout);
  Keep(service, &Service::SetMessageAllocatorFor_ListRowProblems);
  Keep(service, &Service::SetMessageAllocatorFor_SkipGate);
  Keep(service, &Service::SetMessageAllocatorFor_SkipTarget);
  Keep(service, &Service::SetMessageAllocatorFor_ReportCheck);
  Keep(service, &Service::SetMessageAllocatorFor_ListRuns);
  Keep(service, &Service::SetMessageAllocatorFor_GetCompiledPlan);
}

void KeepMessages(v1::TargetService::CallbackService* service) {
  using Service = v1::TargetService::CallbackService;
  Keep(service, &Service::SetMessageAllocatorFor_GetTarget);
  Keep(service, &Service::SetMessageAllocatorFor_ListTargets);
  Keep(service, &Service::SetMessageAllocatorFor_GetSchema);
  Keep(service, &Service::SetMessageAllocatorFor_BaselineTarget);
  Keep(service, &Service::SetMessageAllocatorFor_ListTargetRecords);
  Keep(service, &Service::SetMessageAllocatorFor_CompareSchemas);
}

void KeepMessages(v1::EnvironmentService::CallbackService* service) {
  using Service = v1::EnvironmentService::CallbackService;
  Keep(service, &Service::SetMessageAllocatorFor_ApplyEnvironments);
  Keep(service, &Service::SetMessageAllocatorFor_ListEnvironments);
}

void KeepMessages(v1::AuditService::CallbackService* service) {
  using Service = v1::AuditService::CallbackService;
  Keep(service, &Service::SetMessageAllocatorFor_ListAuditEntries);
}

void KeepMessages(v1::TokenService::CallbackService* service) {
  using Service = v1::TokenService::CallbackService;
  Keep(service, &Service::SetMessageAllocatorFor_CreateToken);
  Keep(service, &Service::SetMessageAllocatorFor_ListTokens);
  Keep(service, &Service::SetMessageAllocatorFor_RevokeToken);
}

}  // namespace curlew::service
