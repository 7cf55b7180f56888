// The agent's numbers over HTTP, for Prometheus.
#ifndef CURLEW_AGENT_METRICS_H_
#define CURLEW_AGENT_METRICS_H_

#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "agent/guard/walk_metrics.h"

namespace curlew::agent {

// Answers GET /metrics with what was told to walks(), in Prometheus' text format, and GET /healthz with 200
// as long as the process lives. Nobody is asked who he is: names of targets and tables can be read by all who
// reach the address. Thread-safe.
//
//   curlew_agent_info                                         version
//   curlew_agent_backfill_rows_total                          target, table
//   curlew_agent_backfill_blocks_total                        target, table
//   curlew_agent_backfill_batch_duration_seconds (histogram)  target, table
//   curlew_agent_backfill_workers                             target, table; while a walk goes on
//   curlew_agent_backfill_load_utilisation_ratio              target, table; while a walk goes on
//   curlew_agent_backfill_throttled_seconds_total             target, table, signal
//   curlew_agent_backfill_quarantined_rows                    target, table; while a walk goes on
class MetricsServer {
 public:
  // `address` is HOST:PORT; port 0 for any that is free. UNAVAILABLE where it cannot listen there.
  static absl::StatusOr<std::unique_ptr<MetricsServer>> Start(const std::string& address);
  // Waits for answers that are being given. Nobody may use walks() any more.
  ~MetricsServer();
  MetricsServer(const MetricsServer&) = delete;
  MetricsServer& operator=(const MetricsServer&) = delete;

  int port() const;
  // Lives as long as the server.
  WalkMetrics* walks();

 private:
  class Impl;
  explicit MetricsServer(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace curlew::agent

#endif  // CURLEW_AGENT_METRICS_H_
