// What environments ask for, from a seed.
#ifndef CURLEW_TESTS_SIMULATION_POLICIES_H_
#define CURLEW_TESTS_SIMULATION_POLICIES_H_

#include "curlew/v1/rollout.pb.h"
#include "tests/simulation/random.h"

namespace curlew::simulation {

// Gates with approvals and, now and then, a soak, windows or checks; where there is more than one target
// perhaps two waves, the first of one target (WavePolicy.count 1), the second of the rest; budgets,
// deadlines, freezes and health checks.
void DrawPolicies(v1::Environment& environment, Random& random);

}  // namespace curlew::simulation

#endif  // CURLEW_TESTS_SIMULATION_POLICIES_H_
