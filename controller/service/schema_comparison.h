// How schemas of this moment differ.
#ifndef CURLEW_CONTROLLER_SERVICE_SCHEMA_COMPARISON_H_
#define CURLEW_CONTROLLER_SERVICE_SCHEMA_COMPARISON_H_

#include <functional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "controller/dispatch/engine.h"
#include "curlew/v1/operator.pb.h"

namespace curlew::service {

// Compares each of `targets` (bare names) with `reference`, a target. At most 8 agents are asked at a time,
// and each schema is dropped once it was compared. What cannot be reached is told in its comparison. On the
// loop's thread; calls `done` there once, when `response`, which must live until then, has them all in order.
void CompareWithTarget(dispatch::Engine* engine, const std::string& reference,
                       const std::vector<std::string>& targets, v1::CompareSchemasResponse* response,
                       std::function<void()> done);

// The same with what is on record of each target.
void CompareWithRecords(dispatch::Engine* engine, const std::vector<std::string>& targets,
                        v1::CompareSchemasResponse* response, std::function<void()> done);

}  // namespace curlew::service

#endif  // CURLEW_CONTROLLER_SERVICE_SCHEMA_COMPARISON_H_
