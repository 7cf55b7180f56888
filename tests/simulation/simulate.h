// Seed after seed.
#ifndef CURLEW_TESTS_SIMULATION_SIMULATE_H_
#define CURLEW_TESTS_SIMULATION_SIMULATE_H_

#include <cstdint>
#include <ostream>

#include "tests/simulation/database.h"
#include "tests/simulation/story.h"

namespace curlew::simulation {

// Runs `seeds` worlds from `first` on. What went wrong is written to `out`, with how to see it again. Goes on
// after a seed that failed, up to `most_failures` of them.
Figures Simulate(uint64_t first, int64_t seeds, std::ostream& out, Mutations mutations = {},
                 int most_failures = 3);

// The hash of the story of a seed.
uint64_t HashOf(uint64_t seed);

}  // namespace curlew::simulation

#endif  // CURLEW_TESTS_SIMULATION_SIMULATE_H_
