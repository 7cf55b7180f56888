#include "agent/metrics.h"

#include <prometheus/counter.h>
#include <prometheus/exposer.h>
#include <prometheus/family.h>
#include <prometheus/gauge.h>
#include <prometheus/histogram.h>
#include <prometheus/registry.h>

#include <exception>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"

namespace curlew::agent {
namespace {

using prometheus::Counter;
using prometheus::Family;
using prometheus::Gauge;
using prometheus::Histogram;
using prometheus::Labels;

constexpr char kHealth[] = "/healthz";
constexpr char kMetrics[] = "/metrics";

const Histogram::BucketBoundaries& Buckets() {
  static const auto* const buckets =
      new Histogram::BucketBoundaries{0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10};
  return *buckets;
}

Labels For(const WalkName& walk) { return {{"target", walk.target}, {"table", walk.table}}; }

// An endpoint with nothing to tell but that it answers.
class Nothing : public prometheus::Collectable {
 public:
  std::vector<prometheus::MetricFamily> Collect() const override { return {}; }
};

class PrometheusWalkMetrics : public WalkMetrics {
 public:
  explicit PrometheusWalkMetrics(prometheus::Registry* registry)
      : rows_(Counters(registry, "curlew_agent_backfill_rows_total", "Rows that walks have written.")),
        blocks_(Counters(registry, "curlew_agent_backfill_blocks_total", "Blocks that walks have passed.")),
        throttled_(Counters(registry, "curlew_agent_backfill_throttled_seconds_total",
                            "Time that walks have paused, by the signal that was over its limit.")),
        durations_(prometheus::BuildHistogram()
                       .Name("curlew_agent_backfill_batch_duration_seconds")
                       .Help("How long batches took.")
                       .Register(*registry)),
        workers_(Gauges(registry, "curlew_agent_backfill_workers", "Workers that may work now.")),
        utilisation_(Gauges(registry, "curlew_agent_backfill_load_utilisation_ratio",
                            "The highest ratio of a signal to its limit.")),
        quarantined_(Gauges(registry, "curlew_agent_backfill_quarantined_rows",
                            "Rows that were put aside, because they could not be written.")) {}

  void Batch(const WalkName& walk, int64_t rows, int64_t blocks, absl::Duration took) override {
    const Labels labels = For(walk);
    rows_.Add(labels).Increment(static_cast<double>(rows));
    blocks_.Add(labels).Increment(static_cast<double>(blocks));
    durations_.Add(labels, Buckets()).Observe(absl::ToDoubleSeconds(took));
  }
  void Load(const WalkName& walk, const v1::Load& load) override {
    workers_.Add(For(walk)).Set(load.workers());
    utilisation_.Add(For(walk)).Set(load.utilisation());
  }
  void Throttled(const WalkName& walk, const std::string& signal, absl::Duration time) override {
    Labels labels = For(walk);
    labels.emplace("signal", signal);
    throttled_.Add(labels).Increment(absl::ToDoubleSeconds(time));
  }
  void Quarantined(const WalkName& walk, int64_t rows) override {
    quarantined_.Add(For(walk)).Set(static_cast<double>(rows));
  }
  void Ended(const WalkName& walk) override {
    for (Family<Gauge>* gauges : {&workers_, &utilisation_, &quarantined_}) {
      gauges->Remove(&gauges->Add(For(walk)));
    }
  }

 private:
  static Family<Counter>& Counters(prometheus::Registry* registry, const char* name, const char* help) {
    return prometheus::BuildCounter().Name(name).Help(help).Register(*registry);
  }
  static Family<Gauge>& Gauges(prometheus::Registry* registry, const char* name, const char* help) {
    return prometheus::BuildGauge().Name(name).Help(help).Register(*registry);
  }

  // Of the registry.
  Family<Counter>& rows_;
  Family<Counter>& blocks_;
  Family<Counter>& throttled_;
  Family<Histogram>& durations_;
  Family<Gauge>& workers_;
  Family<Gauge>& utilisation_;
  Family<Gauge>& quarantined_;
};

}  // namespace

class MetricsServer::Impl {
 public:
  // Throws where it cannot listen.
  explicit Impl(const std::string& address) : exposer_(address, /*num_threads=*/2) {
    prometheus::BuildGauge()
        .Name("curlew_agent_info")
        .Help("1, with the agent's version.")
        .Register(*registry_)
        .Add({{"version", CURLEW_VERSION}})
        .Set(1);
    exposer_.RegisterCollectable(registry_, kMetrics);
    exposer_.RegisterCollectable(nothing_, kHealth);
  }

  int port() const {
    const std::vector<int> ports = exposer_.GetListeningPorts();
    return ports.empty() ? 0 : ports.front();
  }
  WalkMetrics* walks() { return &walks_; }

 private:
  const std::shared_ptr<prometheus::Registry> registry_ = std::make_shared<prometheus::Registry>();
  const std::shared_ptr<Nothing> nothing_ = std::make_shared<Nothing>();
  PrometheusWalkMetrics walks_{registry_.get()};
  prometheus::Exposer exposer_;
};

MetricsServer::MetricsServer(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
MetricsServer::~MetricsServer() = default;
int MetricsServer::port() const { return impl_->port(); }
WalkMetrics* MetricsServer::walks() { return impl_->walks(); }

absl::StatusOr<std::unique_ptr<MetricsServer>> MetricsServer::Start(const std::string& address) {
  try {
    return std::unique_ptr<MetricsServer>(new MetricsServer(std::make_unique<Impl>(address)));
  } catch (const std::exception&) {
    return absl::UnavailableError(
        absl::StrCat("cannot listen on \"", address,
                     "\": give HOST:PORT of this machine, such as 127.0.0.1:9187, that is free"));
  }
}

}  // namespace curlew::agent
