// /metrics and /healthz of the controller.
#ifndef CURLEW_CONTROLLER_WEB_CONTROLLER_METRICS_H_
#define CURLEW_CONTROLLER_WEB_CONTROLLER_METRICS_H_

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "common/base/clock.h"
#include "common/metrics/metrics_server.h"
#include "common/metrics/registry.h"
#include "controller/dispatch/engine.h"
#include "controller/store/rollout_store.h"
#include "controller/web/metered_store.h"
#include "controller/web/rollout_ledger.h"
#include "controller/web/rpc_metrics.h"

namespace curlew::web {

struct ControllerMetricsOptions {
  // HOST:PORT of the HTTP server; port 0 for any that is free.
  std::string address;
  std::string version;
  // How long the engine may take to answer, and how often it is asked when nobody scrapes.
  absl::Duration deadline = absl::Seconds(2);
  absl::Duration period = absl::Seconds(1);
};

// Everything that the process tells about itself, over all its terms of leadership. The table of metrics is
// docs/metrics.md. Thread-safe.
//
// /healthz is 200 with "leads" or "stands by", and 503 where the engine's loop does not answer in time:
// nothing happens then, and only a restart helps. A scrape never waits longer than the deadline either; what
// only the loop knows is left out then.
class ControllerMetrics {
 public:
  // `clock` must outlive it. Errors as MetricsServer::Start.
  static absl::StatusOr<std::unique_ptr<ControllerMetrics>> Start(ControllerMetricsOptions options,
                                                                  const base::Clock* clock);
  // Engines, metered stores and servers must have ended.
  ~ControllerMetrics();

  int port() const { return server_->port(); }

  // `store`, watched: for one term, and for the engine of that term alone.
  std::unique_ptr<store::RolloutStore> Meter(store::RolloutStore* store);
  // Counts the calls of a server that is about to be built.
  void CountRpcs(grpc::ServerBuilder* builder) { rpcs_.AddTo(builder); }

  // This process leads with `engine`, which has started. `epoch` counts the leaders; 0 where nobody does.
  void Leads(dispatch::Engine* engine, int64_t epoch);
  // It does not, or no longer: before the engine ends. The engine is not touched after that.
  void StandsBy();

 private:
  // What only the engine's loop knows.
  struct Snapshot {
    absl::Duration lag;
    int served = 0, not_served = 0, drifted = 0;
    int checks = 0;
    int sessions = 0;
    std::vector<std::pair<Cause, absl::Time>> waits;
  };
  enum class Answer { kInTime, kTooLate, kNobody };

  ControllerMetrics(ControllerMetricsOptions options, const base::Clock* clock);
  // Asks the engine, and takes in what it says.
  Answer Ask(Snapshot* snapshot);
  std::vector<prometheus::MetricFamily> Collect();
  absl::StatusOr<std::string> Health();
  void AskAgainAndAgain();

  const ControllerMetricsOptions options_;
  const base::Clock* const clock_;
  metrics::Registry registry_;
  StoreMetrics store_;
  RolloutLedger ledger_;
  RpcMetrics rpcs_;
  prometheus::Histogram& lag_;

  absl::Mutex mutex_;
  dispatch::Engine* engine_ ABSL_GUARDED_BY(mutex_) = nullptr;
  int64_t epoch_ ABSL_GUARDED_BY(mutex_) = 0;
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;

  std::thread asker_;
  std::unique_ptr<metrics::MetricsServer> server_;
};

}  // namespace curlew::web

#endif  // CURLEW_CONTROLLER_WEB_CONTROLLER_METRICS_H_
