// Health checks for those who cannot show a certificate.
#ifndef CURLEW_CONTROLLER_HEALTH_SERVER_H_
#define CURLEW_CONTROLLER_HEALTH_SERVER_H_

#include <grpcpp/generic/async_generic_service.h>

#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "common/rpc/acceptor.h"

namespace curlew::controller {

// Answers grpc.health.v1.Health, and nothing else, in plain text: the kubelet's probes know no TLS. Service
// "" says that the process lives, rpc::kLeaderService whether it leads. Thread-safe.
class HealthServer {
 public:
  // `listen` is "0.0.0.0:7443"; port 0 for any free one. Errors as AcceptingServer::StartInTheOpen.
  static absl::StatusOr<std::unique_ptr<HealthServer>> Start(const std::string& listen);
  // Stops; who watches is cut off.
  ~HealthServer();

  void SetLeads(bool leads);
  // What it listens on, with the port's number.
  const std::string& address() const { return address_; }

 private:
  HealthServer() = default;

  std::string address_;
  grpc::CallbackGenericService nothing_;  // UNIMPLEMENTED; a server needs one service of its own
  std::unique_ptr<rpc::AcceptingServer> server_;
};

}  // namespace curlew::controller

#endif  // CURLEW_CONTROLLER_HEALTH_SERVER_H_
