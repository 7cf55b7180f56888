// What a controller serves while another one leads.
#ifndef CURLEW_CONTROLLER_STANDBY_SERVER_H_
#define CURLEW_CONTROLLER_STANDBY_SERVER_H_

#include <grpcpp/generic/async_generic_service.h>

#include <memory>
#include <string>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "common/rpc/acceptor.h"
#include "common/rpc/transport.h"
#include "controller/access/guard.h"

namespace curlew::controller {

// Answers every method with UNAVAILABLE and reason rpc::kStandbyReason, and says in words who leads, but not
// to whom no certificate names: a standby knows no tokens, and strangers learn nothing but its health. The
// health service says that the process lives (""), and that it does not lead (rpc::kLeaderService).
// Thread-safe.
class StandbyServer {
 public:
  // `listen` is "127.0.0.1:7441"; port 0 for any free one. `guard` must outlive it. Errors as Server::Start.
  static absl::StatusOr<std::unique_ptr<StandbyServer>> Start(const std::string& listen,
                                                              const rpc::Transport& transport,
                                                              const access::Guard* guard);
  // Stops. Calls are answered at once, so nothing is waited for but watches of the health service.
  ~StandbyServer();

  // Whom answers name from now on; empty where nobody leads, or it is not known.
  void SetLeader(const std::string& address);

  int port() const { return port_; }

 private:
  class Refusal;
  class RefuseEverything;

  StandbyServer(std::string listen, const access::Guard* guard);

  const std::string listen_;
  const access::Guard* const guard_;
  mutable absl::Mutex mutex_;
  absl::Status answer_ ABSL_GUARDED_BY(mutex_);
  std::unique_ptr<grpc::CallbackGenericService> service_;
  std::unique_ptr<rpc::AcceptingServer> server_;
  int port_ = 0;
};

}  // namespace curlew::controller

#endif  // CURLEW_CONTROLLER_STANDBY_SERVER_H_
