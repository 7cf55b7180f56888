// GET /metrics and GET /healthz.
#ifndef CURLEW_COMMON_METRICS_METRICS_SERVER_H_
#define CURLEW_COMMON_METRICS_METRICS_SERVER_H_

#include <prometheus/metric_family.h>

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"

namespace curlew::metrics {

struct MetricsServerOptions {
  // HOST:PORT; port 0 for any that is free.
  std::string address;
  // The numbers. Asked at each scrape, on one of the server's threads, never after the server's end; must not
  // wait for long.
  std::function<std::vector<prometheus::MetricFamily>()> collect;
  // How the program is: OK, with a word that says more ("ok", "stands by"), or what is wrong with it and
  // would be mended by a restart. As `collect`.
  std::function<absl::StatusOr<std::string>()> health;
};

// The one HTTP server of Curlew: a few threads, plain text, GET only. /metrics gives `collect` and the
// process's own numbers in Prometheus' text format, sorted; /healthz 200 with the word or 503 with
// the reason, in one line. Nobody is asked who he is. Thread-safe.
class MetricsServer {
 public:
  // INVALID_ARGUMENT where the address is none, UNAVAILABLE where it cannot be listened on.
  static absl::StatusOr<std::unique_ptr<MetricsServer>> Start(MetricsServerOptions options);
  // Waits for answers that are being given.
  ~MetricsServer();
  MetricsServer(const MetricsServer&) = delete;
  MetricsServer& operator=(const MetricsServer&) = delete;

  int port() const;

 private:
  class Impl;
  explicit MetricsServer(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace curlew::metrics

#endif  // CURLEW_COMMON_METRICS_METRICS_SERVER_H_
