#include "common/metrics/registry.h"

#include <utility>

namespace curlew::metrics {
namespace {

using Buckets = prometheus::Histogram::BucketBoundaries;

constexpr double kMinute = 60;
constexpr double kHour = 60 * kMinute;
constexpr double kDay = 24 * kHour;

prometheus::MetricFamily Now(const std::string& name, const std::string& help, prometheus::MetricType type,
                             const std::vector<Sample>& samples) {
  prometheus::MetricFamily family;
  family.name = name;
  family.help = help;
  family.type = type;
  for (const Sample& sample : samples) {
    prometheus::ClientMetric metric;
    for (const auto& [label, value] : sample.labels) metric.label.push_back({label, value});
    (type == prometheus::MetricType::Counter ? metric.counter.value : metric.gauge.value) = sample.value;
    family.metric.push_back(std::move(metric));
  }
  return family;
}

}  // namespace

prometheus::Family<prometheus::Counter>& Registry::Counters(const std::string& name,
                                                            const std::string& help) {
  return prometheus::BuildCounter().Name(name).Help(help).Register(registry_);
}

prometheus::Family<prometheus::Gauge>& Registry::Gauges(const std::string& name, const std::string& help) {
  return prometheus::BuildGauge().Name(name).Help(help).Register(registry_);
}

prometheus::Family<prometheus::Histogram>& Registry::Histograms(const std::string& name,
                                                                const std::string& help) {
  return prometheus::BuildHistogram().Name(name).Help(help).Register(registry_);
}

std::vector<prometheus::MetricFamily> Registry::Collect() const {
  std::vector<prometheus::MetricFamily> families;
  for (prometheus::MetricFamily& family : registry_.Collect()) {
    if (!family.metric.empty()) families.push_back(std::move(family));
  }
  return families;
}

prometheus::MetricFamily GaugesNow(const std::string& name, const std::string& help,
                                   const std::vector<Sample>& samples) {
  return Now(name, help, prometheus::MetricType::Gauge, samples);
}

prometheus::MetricFamily CountersNow(const std::string& name, const std::string& help,
                                     const std::vector<Sample>& samples) {
  return Now(name, help, prometheus::MetricType::Counter, samples);
}

void Append(std::vector<prometheus::MetricFamily> more, std::vector<prometheus::MetricFamily>* families) {
  for (prometheus::MetricFamily& family : more) families->push_back(std::move(family));
}

const Buckets& AnswerTimes() {
  static const auto* const buckets =
      new Buckets{0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10};
  return *buckets;
}

const Buckets& WorkTimes() {
  static const auto* const buckets = new Buckets{
      0.01, 0.05, 0.1, 0.5, 1, 5, 15, kMinute, 5 * kMinute, 15 * kMinute, kHour, 4 * kHour, 12 * kHour, kDay};
  return *buckets;
}

const Buckets& PeoplesTimes() {
  static const auto* const buckets =
      new Buckets{kMinute,    5 * kMinute, 15 * kMinute, kHour,    4 * kHour, 8 * kHour,
                  16 * kHour, kDay,        3 * kDay,     7 * kDay, 30 * kDay};
  return *buckets;
}

}  // namespace curlew::metrics
