// Which gate an operator means.
#ifndef CURLEW_CONTROLLER_ROLLOUT_GATE_NAMED_H_
#define CURLEW_CONTROLLER_ROLLOUT_GATE_NAMED_H_

#include <string>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "curlew/v1/rollout.pb.h"

namespace curlew::rollout {

// The environment (bare name) of the gate that Approved would approve, with a signature or without, or
// GateSkipped let through, at `now`: that with the id `gate`, or where that is empty the one that waits.
// Errors as Advance's of those inputs. Pure.
enum class Signed { kNo, kYes };
absl::StatusOr<std::string> EnvironmentToApprove(const v1::Rollout& state, const std::string& gate,
                                                 Signed is_signed, absl::Time now);
absl::StatusOr<std::string> EnvironmentToSkip(const v1::Rollout& state, const std::string& gate,
                                              absl::Time now);

}  // namespace curlew::rollout

#endif  // CURLEW_CONTROLLER_ROLLOUT_GATE_NAMED_H_
