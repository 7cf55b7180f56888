// The agent's numbers over HTTP, for Prometheus.
#ifndef CURLEW_AGENT_METRICS_H_
#define CURLEW_AGENT_METRICS_H_

#include <functional>
#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "agent/guard/agent_metrics.h"
#include "agent/guard/lease_clock.h"
#include "agent/guard/pulse.h"
#include "agent/guard/walk_metrics.h"

namespace curlew::agent {

// Answers GET /metrics with what was told to walks() and agent(), and GET /healthz with 200 unless a thread
// that is watched has been at the same thing for longer than it may. The table of metrics, and why nothing
// else makes the agent unwell, is docs/metrics.md. Nobody is asked who he is: names of targets and tables can
// be read by all who reach the address. Thread-safe.
class MetricsServer {
 public:
  // Time since some fixed instant, monotonic. The default is the system's steady clock.
  using Monotonic = std::function<absl::Duration()>;

  // `address` is HOST:PORT; port 0 for any that is free. `lease` must outlive the server. Errors as
  // metrics::MetricsServer::Start.
  static absl::StatusOr<std::unique_ptr<MetricsServer>> Start(const std::string& address,
                                                              const LeaseClock* lease,
                                                              Monotonic now = nullptr);
  // Waits for answers that are being given. Nobody may use walks() or agent() any more.
  ~MetricsServer();
  MetricsServer(const MetricsServer&) = delete;
  MetricsServer& operator=(const MetricsServer&) = delete;

  int port() const;
  // Live as long as the server.
  WalkMetrics* walks();
  AgentMetrics* agent();

  // From now on the agent is unwell where that thread is at the same thing for longer than `limit`. `who` is
  // for people: "the loop of target crm".
  void Watch(const std::string& who, std::shared_ptr<const Pulse> pulse, absl::Duration limit);

 private:
  class Impl;
  explicit MetricsServer(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace curlew::agent

#endif  // CURLEW_AGENT_METRICS_H_
