// What the system says of this process.
#ifndef CURLEW_COMMON_METRICS_PROCESS_METRICS_H_
#define CURLEW_COMMON_METRICS_PROCESS_METRICS_H_

#include <prometheus/metric_family.h>

#include <vector>

namespace curlew::metrics {

// The usual process_* metrics (processor time, memory, file descriptors, start), read from /proc. What cannot
// be read is left out. Thread-safe.
std::vector<prometheus::MetricFamily> ProcessMetrics();

}  // namespace curlew::metrics

#endif  // CURLEW_COMMON_METRICS_PROCESS_METRICS_H_
