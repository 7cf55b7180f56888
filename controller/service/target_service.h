// TargetService and EnvironmentService: the pipeline and who serves it.
#ifndef CURLEW_CONTROLLER_SERVICE_TARGET_SERVICE_H_
#define CURLEW_CONTROLLER_SERVICE_TARGET_SERVICE_H_

#include <string>

#include "controller/dispatch/engine.h"
#include "curlew/v1/operator.grpc.pb.h"

namespace curlew::service {

// Behaviour and errors of each call stand in operator.proto. Thread-safe.
class TargetService : public v1::TargetService::CallbackService {
 public:
  // `engine` must outlive every call.
  explicit TargetService(dispatch::Engine* engine) : engine_(engine) {}

  grpc::ServerUnaryReactor* GetTarget(grpc::CallbackServerContext* context,
                                      const v1::GetTargetRequest* request, v1::Target* response) override;
  grpc::ServerUnaryReactor* ListTargets(grpc::CallbackServerContext* context,
                                        const v1::ListTargetsRequest* request,
                                        v1::ListTargetsResponse* response) override;

 private:
  v1::Target Describe(const std::string& target);
  absl::Status List(const v1::ListTargetsRequest& request, v1::ListTargetsResponse* response);

  dispatch::Engine* const engine_;
};

// As above.
class EnvironmentService : public v1::EnvironmentService::CallbackService {
 public:
  // `engine` must outlive every call.
  explicit EnvironmentService(dispatch::Engine* engine) : engine_(engine) {}

  grpc::ServerUnaryReactor* ApplyEnvironments(grpc::CallbackServerContext* context,
                                              const v1::ApplyEnvironmentsRequest* request,
                                              v1::ListEnvironmentsResponse* response) override;
  grpc::ServerUnaryReactor* ListEnvironments(grpc::CallbackServerContext* context,
                                             const v1::ListEnvironmentsRequest* request,
                                             v1::ListEnvironmentsResponse* response) override;

 private:
  absl::Status Apply(const v1::ApplyEnvironmentsRequest& request, v1::ListEnvironmentsResponse* response);

  dispatch::Engine* const engine_;
};

}  // namespace curlew::service

#endif  // CURLEW_CONTROLLER_SERVICE_TARGET_SERVICE_H_
