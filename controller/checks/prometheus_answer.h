// What Prometheus's answer to a query says of a check.
#ifndef CURLEW_CONTROLLER_CHECKS_PROMETHEUS_ANSWER_H_
#define CURLEW_CONTROLLER_CHECKS_PROMETHEUS_ANSWER_H_

#include "controller/checks/check_runner.h"
#include "controller/checks/http_get.h"

namespace curlew::checks {

// The request for `query`, to the server at `server` ("http://prometheus:9090", with or without a path).
Url PrometheusQuery(const Url& server, absl::string_view query);

// PASSING where the answer holds samples (a vector, or a scalar) of which none is 0 or NaN; FAILING where one
// is, and where there is none; ERROR where it is no answer of an instant query. Pure.
Outcome JudgePrometheus(const Answer& answer);

}  // namespace curlew::checks

#endif  // CURLEW_CONTROLLER_CHECKS_PROMETHEUS_ANSWER_H_
