#include "controller/health_server.h"

#include <grpcpp/health_check_service_interface.h>
#include <grpcpp/server_builder.h>

#include <chrono>

#include "absl/strings/str_cat.h"
#include "common/base/status_macros.h"
#include "common/rpc/endpoint.h"

namespace curlew::controller {

absl::StatusOr<std::unique_ptr<HealthServer>> HealthServer::Start(const std::string& listen) {
  std::unique_ptr<HealthServer> health(new HealthServer());
  grpc::EnableDefaultHealthCheckService(true);
  ASSIGN_OR_RETURN(health->server_,
                   rpc::AcceptingServer::StartInTheOpen(listen, [&](grpc::ServerBuilder& builder) {
                     rpc::ConfigureServer(&builder);
                     builder.RegisterCallbackGenericService(&health->nothing_);
                   }));
  health->address_ = absl::StrCat(listen.substr(0, listen.rfind(':')), ":", health->server_->port());
  health->SetLeads(false);
  return health;
}

HealthServer::~HealthServer() {
  if (server_ == nullptr) return;
  server_->GetHealthCheckService()->Shutdown();
  server_->Shutdown(std::chrono::system_clock::now());
}

void HealthServer::SetLeads(bool leads) {
  server_->GetHealthCheckService()->SetServingStatus(rpc::kLeaderService, leads);
}

}  // namespace curlew::controller
