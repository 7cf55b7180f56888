// Requests and responses that live on when their call has been answered early.
#ifndef CURLEW_CONTROLLER_SERVICE_KEPT_MESSAGES_H_
#define CURLEW_CONTROLLER_SERVICE_KEPT_MESSAGES_H_

#include <grpcpp/server_context.h>

#include <cstddef>
#include <memory>

#include "curlew/v1/operator.grpc.pb.h"

namespace curlew::service {

// The request and the response of one call. gRPC takes them from here instead of its call, and whoever holds
// this may use them after the call has ended: work that is late writes to what nobody reads any more.
class KeptMessages : public std::enable_shared_from_this<KeptMessages> {
 public:
  virtual ~KeptMessages() = default;

  // How large the request is.
  virtual size_t RequestBytes() const = 0;

  // Those of the call with this context; null where its method does not keep them.
  static std::shared_ptr<KeptMessages> Of(grpc::CallbackServerContext* context);
};

// From now on the messages of every method with one answer are kept: to be called by the service's
// constructor. One that is forgotten answers INTERNAL (see AnswerLater).
void KeepMessages(v1::PlanService::CallbackService* service);
void KeepMessages(v1::RolloutService::CallbackService* service);
void KeepMessages(v1::TargetService::CallbackService* service);
void KeepMessages(v1::EnvironmentService::CallbackService* service);
void KeepMessages(v1::AuditService::CallbackService* service);
void KeepMessages(v1::TokenService::CallbackService* service);

}  // namespace curlew::service

#endif  // CURLEW_CONTROLLER_SERVICE_KEPT_MESSAGES_H_
