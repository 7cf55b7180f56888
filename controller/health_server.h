// Health checks for those who cannot show a certificate.
#ifndef CURLEW_CONTROLLER_HEALTH_SERVER_H_
#define CURLEW_CONTROLLER_HEALTH_SERVER_H_

#include <grpcpp/generic/async_generic_service.h>

#include <memory>
#include <string>
#include <thread>

#include "absl/base/thread_annotations.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "common/rpc/acceptor.h"
#include "controller/dispatch/loop.h"

namespace curlew::controller {

// When a loop counts as standing still.
struct HealthOptions {
  // How long it may take to run a task, and how often it is asked for one.
  absl::Duration deadline = absl::Seconds(2);
  absl::Duration period = absl::Seconds(1);
};

// Answers grpc.health.v1.Health, and nothing else, in plain text: the kubelet's probes know no TLS. Service
// "" says that the process works: it is NOT_SERVING while the loop of the engine that leads stands still, as
// /healthz is 503. rpc::kLeaderService says whether it leads. Thread-safe.
class HealthServer {
 public:
  // `listen` is "0.0.0.0:7443"; port 0 for any free one. Errors as AcceptingServer::StartInTheOpen.
  static absl::StatusOr<std::unique_ptr<HealthServer>> Start(const std::string& listen,
                                                             const HealthOptions& options = {});
  // Stops; who watches is cut off.
  ~HealthServer();

  void SetLeads(bool leads);
  // Watches a loop from now on; nobody's with null. It must live until another, or none, is watched.
  void WatchLoop(dispatch::Loop* loop);
  // What it listens on, with the port's number.
  const std::string& address() const { return address_; }

 private:
  explicit HealthServer(const HealthOptions& options) : options_(options) {}
  void AskAgainAndAgain();
  // Whether the loop answers in time; true where none is watched.
  bool LoopAnswers();

  const HealthOptions options_;
  std::string address_;
  absl::Mutex mutex_;
  dispatch::Loop* loop_ ABSL_GUARDED_BY(mutex_) = nullptr;
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;
  std::thread asker_;
  grpc::CallbackGenericService nothing_;  // UNIMPLEMENTED; a server needs one service of its own
  std::unique_ptr<rpc::AcceptingServer> server_;
};

}  // namespace curlew::controller

#endif  // CURLEW_CONTROLLER_HEALTH_SERVER_H_
