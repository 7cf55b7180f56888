// The audit log's entry of what an operator asked for.
#ifndef CURLEW_CONTROLLER_DISPATCH_AUDIT_OF_H_
#define CURLEW_CONTROLLER_DISPATCH_AUDIT_OF_H_

#include <optional>

#include "absl/time/time.h"
#include "controller/rollout/machine.h"
#include "curlew/v1/rollout.pb.h"

namespace curlew::dispatch {

// The entry of an input that took a rollout from `before` to `after`; nothing for what no operator asks for.
// Its action is "rollout." and one of start, approve, skip-gate, skip-target, pause, resume, abort, rollback,
// override, skip-step, tune, report-check; its resource the rollout. Details, where there are any: plan,
// digest, gate, cover, target, step, environment, check, state, tuning, reset. Pure.
std::optional<v1::AuditEntry> AuditOf(const v1::Rollout& before, const v1::Rollout& after,
                                      const rollout::Input& input, absl::Time now);

}  // namespace curlew::dispatch

#endif  // CURLEW_CONTROLLER_DISPATCH_AUDIT_OF_H_
