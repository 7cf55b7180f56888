// The log line of a transition.
#ifndef CURLEW_CONTROLLER_DISPATCH_LOG_EVENT_H_
#define CURLEW_CONTROLLER_DISPATCH_LOG_EVENT_H_

#include "curlew/v1/rollout.pb.h"

namespace curlew::dispatch {

// Writes rollout, target, run, step, attempt and what happened. What went wrong is a warning.
void LogEvent(const v1::Rollout& rollout, const v1::Event& event);

}  // namespace curlew::dispatch

#endif  // CURLEW_CONTROLLER_DISPATCH_LOG_EVENT_H_
