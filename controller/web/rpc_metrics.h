// The numbers of the controller's calls.
#ifndef CURLEW_CONTROLLER_WEB_RPC_METRICS_H_
#define CURLEW_CONTROLLER_WEB_RPC_METRICS_H_

#include <grpcpp/server_builder.h>

#include <string>

#include "common/metrics/registry.h"

namespace curlew::web {

// Counts the calls of every server that it is added to. Lives as long as the process. Thread-safe.
class RpcMetrics {
 public:
  // `registry` must outlive it.
  explicit RpcMetrics(metrics::Registry* registry);

  // Before the server is built. No other interceptors may be set. Must outlive the server's calls.
  void AddTo(grpc::ServerBuilder* builder);

 private:
  class Factory;
  class Call;

  prometheus::Family<prometheus::Counter>& calls_;
  prometheus::Family<prometheus::Histogram>& durations_;
  prometheus::Family<prometheus::Gauge>& open_;
};

// As it stands in labels: "RolloutService/GetRollout" of "/curlew.v1.RolloutService/GetRollout"; "other" for
// what is no method of Curlew's: callers must not be able to make labels.
std::string MethodLabel(const std::string& method);

}  // namespace curlew::web

#endif  // CURLEW_CONTROLLER_WEB_RPC_METRICS_H_
