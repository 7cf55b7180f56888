// Parts of Violations. Written without the machine's own judgement of gates, as plainly as can be.
#ifndef CURLEW_TESTS_CONTROLLER_ROLLOUT_VIOLATIONS_H_
#define CURLEW_TESTS_CONTROLLER_ROLLOUT_VIOLATIONS_H_

#include <string>
#include <vector>

#include "absl/time/time.h"
#include "controller/rollout/machine.h"

namespace curlew::rollout::testing {

// What should have kept the attempt from being sent: gates, freezes, waves, other rollouts.
std::vector<std::string> HeldBack(const v1::Rollout& before, const v1::Rollout& state,
                                  const DispatchAttempt& dispatch, absl::Time now);

// What the policies of environments do not allow, whatever is sent: approvals by authors, more targets at
// work or set aside than may be, more failures than may be in a rollout that goes on.
std::vector<std::string> WrongPolicies(const v1::Rollout& before, const v1::Rollout& state);

}  // namespace curlew::rollout::testing

#endif  // CURLEW_TESTS_CONTROLLER_ROLLOUT_VIOLATIONS_H_
