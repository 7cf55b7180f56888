// Numbers for Prometheus: what is counted as it happens, and what is looked up when somebody asks.
#ifndef CURLEW_COMMON_METRICS_REGISTRY_H_
#define CURLEW_COMMON_METRICS_REGISTRY_H_

#include <prometheus/counter.h>
#include <prometheus/family.h>
#include <prometheus/gauge.h>
#include <prometheus/histogram.h>
#include <prometheus/labels.h>
#include <prometheus/metric_family.h>
#include <prometheus/metric_type.h>
#include <prometheus/registry.h>

#include <string>
#include <vector>

namespace curlew::metrics {

// Names carry their base unit ("_seconds", "_bytes", "_ratio", and "_total" where they only grow), and every
// metric of a program stands in the table of docs/metrics.md: a test scrapes both programs and compares.

// Numbers that are counted as things happen. Families live as long as the registry. Thread-safe.
class Registry {
 public:
  prometheus::Family<prometheus::Counter>& Counters(const std::string& name, const std::string& help);
  prometheus::Family<prometheus::Gauge>& Gauges(const std::string& name, const std::string& help);
  prometheus::Family<prometheus::Histogram>& Histograms(const std::string& name, const std::string& help);

  // All that have at least one value.
  std::vector<prometheus::MetricFamily> Collect() const;

 private:
  prometheus::Registry registry_;
};

// A value of a family.
struct Sample {
  prometheus::Labels labels;
  double value = 0;
};

// Families of what is looked up at this moment.
prometheus::MetricFamily GaugesNow(const std::string& name, const std::string& help,
                                   const std::vector<Sample>& samples);
prometheus::MetricFamily CountersNow(const std::string& name, const std::string& help,
                                     const std::vector<Sample>& samples);

// Adds `more` to `families`.
void Append(std::vector<prometheus::MetricFamily> more, std::vector<prometheus::MetricFamily>* families);

// Upper bounds of histograms, in seconds: of what a machine answers (1 ms to 10 s), of work on a database
// (10 ms to a day), and of what people take (a minute to a month).
const prometheus::Histogram::BucketBoundaries& AnswerTimes();
const prometheus::Histogram::BucketBoundaries& WorkTimes();
const prometheus::Histogram::BucketBoundaries& PeoplesTimes();

}  // namespace curlew::metrics

#endif  // CURLEW_COMMON_METRICS_REGISTRY_H_
