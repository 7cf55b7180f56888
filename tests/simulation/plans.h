// Plans and a schema for simulations: real operations, for the real compiler.
#ifndef CURLEW_TESTS_SIMULATION_PLANS_H_
#define CURLEW_TESTS_SIMULATION_PLANS_H_

#include <string>

#include "curlew/v1/operator.pb.h"
#include "curlew/v1/plan.pb.h"
#include "curlew/v1/schema.pb.h"
#include "tests/simulation/random.h"

namespace curlew::simulation {

// A table "items" with columns id, note and spare. Where `drifted`, plans of RandomPlan compile to other
// steps.
v1::Schema ItemsSchema(bool drifted);

// A few operations of all phases and kinds of steps, some without a way back.
v1::StoredPlan RandomPlan(const std::string& name, Random& random);

}  // namespace curlew::simulation

#endif  // CURLEW_TESTS_SIMULATION_PLANS_H_
