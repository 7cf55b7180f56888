// AuditService: the audit log is shown.
#ifndef CURLEW_CONTROLLER_SERVICE_AUDIT_SERVICE_H_
#define CURLEW_CONTROLLER_SERVICE_AUDIT_SERVICE_H_

#include "controller/audit/signer.h"
#include "controller/dispatch/engine.h"
#include "curlew/v1/operator.grpc.pb.h"

namespace curlew::service {

// Behaviour and errors of each call stand in operator.proto. Thread-safe.
class AuditService : public v1::AuditService::CallbackService {
 public:
  // `engine` must outlive every call, and so must `signer`; null where no key is configured: then the head is
  // not signed.
  AuditService(dispatch::Engine* engine, const audit::HeadSigner* signer)
      : engine_(engine), signer_(signer) {}

  grpc::ServerUnaryReactor* ListAuditEntries(grpc::CallbackServerContext* context,
                                             const v1::ListAuditEntriesRequest* request,
                                             v1::ListAuditEntriesResponse* response) override;

 private:
  absl::Status List(const v1::ListAuditEntriesRequest& request, v1::ListAuditEntriesResponse* response);

  dispatch::Engine* const engine_;
  const audit::HeadSigner* const signer_;
};

}  // namespace curlew::service

#endif  // CURLEW_CONTROLLER_SERVICE_AUDIT_SERVICE_H_
