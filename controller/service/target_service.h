// TargetService and EnvironmentService: the pipeline and who serves it.
#ifndef CURLEW_CONTROLLER_SERVICE_TARGET_SERVICE_H_
#define CURLEW_CONTROLLER_SERVICE_TARGET_SERVICE_H_

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "controller/dispatch/engine.h"
#include "controller/service/call.h"
#include "controller/service/kept_messages.h"
#include "curlew/v1/operator.grpc.pb.h"

namespace curlew::service {

// Behaviour and errors of each call stand in operator.proto. Thread-safe.
class TargetService : public v1::TargetService::CallbackService {
 public:
  // All must outlive every call.
  explicit TargetService(dispatch::Engine* engine, const access::Guard* guard = &access::Guard::Open(),
                         limits::Limiter* limiter = &limits::Limiter::Off())
      : engine_(engine), guard_(guard), limiter_(limiter) {
    KeepMessages(this);
  }

  grpc::ServerUnaryReactor* GetTarget(grpc::CallbackServerContext* context,
                                      const v1::GetTargetRequest* request, v1::Target* response) override;
  grpc::ServerUnaryReactor* ListTargets(grpc::CallbackServerContext* context,
                                        const v1::ListTargetsRequest* request,
                                        v1::ListTargetsResponse* response) override;
  grpc::ServerUnaryReactor* GetSchema(grpc::CallbackServerContext* context,
                                      const v1::GetSchemaRequest* request,
                                      v1::GetSchemaResponse* response) override;
  grpc::ServerUnaryReactor* BaselineTarget(grpc::CallbackServerContext* context,
                                           const v1::BaselineTargetRequest* request,
                                           v1::TargetRecord* response) override;
  grpc::ServerUnaryReactor* ListTargetRecords(grpc::CallbackServerContext* context,
                                              const v1::ListTargetRecordsRequest* request,
                                              v1::ListTargetRecordsResponse* response) override;
  grpc::ServerUnaryReactor* CompareSchemas(grpc::CallbackServerContext* context,
                                           const v1::CompareSchemasRequest* request,
                                           v1::CompareSchemasResponse* response) override;

 private:
  // On the loop's thread.
  v1::Target Describe(const std::string& target);
  // OK where an environment has the target (bare name); else NOT_FOUND.
  absl::Status CheckTarget(const std::string& target);
  // Bare names of the targets that an environment's or target's resource name stands for; a name without its
  // collection is an environment's first. NOT_FOUND.
  absl::StatusOr<std::vector<std::string>> TargetsOf(const std::string& name);
  absl::StatusOr<v1::TargetRecord> Baseline(const v1::BaselineTargetRequest& request,
                                            const std::string& actor, const std::string& target,
                                            const v1::Schema& schema);
  absl::Status Records(const access::Caller& caller, const v1::ListTargetRecordsRequest& request,
                       v1::ListTargetRecordsResponse* response);
  absl::Status List(const access::Caller& caller, const v1::ListTargetsRequest& request,
                    v1::ListTargetsResponse* response);

  Door At(absl::string_view method) const {
    return {guard_, absl::StrCat(v1::TargetService::service_full_name(), ".", method), limiter_};
  }

  dispatch::Engine* const engine_;
  const access::Guard* const guard_;
  limits::Limiter* const limiter_;
};

// As above.
class EnvironmentService : public v1::EnvironmentService::CallbackService {
 public:
  // All must outlive every call.
  explicit EnvironmentService(dispatch::Engine* engine, const access::Guard* guard = &access::Guard::Open(),
                              limits::Limiter* limiter = &limits::Limiter::Off())
      : engine_(engine), guard_(guard), limiter_(limiter) {
    KeepMessages(this);
  }

  grpc::ServerUnaryReactor* ApplyEnvironments(grpc::CallbackServerContext* context,
                                              const v1::ApplyEnvironmentsRequest* request,
                                              v1::ListEnvironmentsResponse* response) override;
  grpc::ServerUnaryReactor* ListEnvironments(grpc::CallbackServerContext* context,
                                             const v1::ListEnvironmentsRequest* request,
                                             v1::ListEnvironmentsResponse* response) override;

 private:
  absl::Status Apply(const v1::ApplyEnvironmentsRequest& request, const std::string& actor,
                     v1::ListEnvironmentsResponse* response);

  Door At(absl::string_view method) const {
    return {guard_, absl::StrCat(v1::EnvironmentService::service_full_name(), ".", method), limiter_};
  }

  dispatch::Engine* const engine_;
  const access::Guard* const guard_;
  limits::Limiter* const limiter_;
};

}  // namespace curlew::service

#endif  // CURLEW_CONTROLLER_SERVICE_TARGET_SERVICE_H_
