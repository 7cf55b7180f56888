// AuditService: the audit log is shown.
#ifndef CURLEW_CONTROLLER_SERVICE_AUDIT_SERVICE_H_
#define CURLEW_CONTROLLER_SERVICE_AUDIT_SERVICE_H_

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "controller/audit/signer.h"
#include "controller/dispatch/engine.h"
#include "controller/service/call.h"
#include "controller/service/kept_messages.h"
#include "curlew/v1/operator.grpc.pb.h"

namespace curlew::service {

// Behaviour and errors of each call stand in operator.proto. Thread-safe.
class AuditService : public v1::AuditService::CallbackService {
 public:
  // All must outlive every call; `signer` is null where no key is configured: then the head is
  // not signed.
  AuditService(dispatch::Engine* engine, const audit::HeadSigner* signer,
               const access::Guard* guard = &access::Guard::Open(),
               limits::Limiter* limiter = &limits::Limiter::Off())
      : engine_(engine), guard_(guard), limiter_(limiter), signer_(signer) {
    KeepMessages(this);
  }

  grpc::ServerUnaryReactor* ListAuditEntries(grpc::CallbackServerContext* context,
                                             const v1::ListAuditEntriesRequest* request,
                                             v1::ListAuditEntriesResponse* response) override;

 private:
  absl::Status List(const v1::ListAuditEntriesRequest& request, v1::ListAuditEntriesResponse* response);

  Door At(absl::string_view method) const {
    return {guard_, absl::StrCat(v1::AuditService::service_full_name(), ".", method), limiter_};
  }

  dispatch::Engine* const engine_;
  const access::Guard* const guard_;
  limits::Limiter* const limiter_;
  const audit::HeadSigner* const signer_;
};

}  // namespace curlew::service

#endif  // CURLEW_CONTROLLER_SERVICE_AUDIT_SERVICE_H_
