#include "tests/simulation/simulate.h"

#include "tests/simulation/world.h"

namespace curlew::simulation {

Figures Simulate(uint64_t first, int64_t seeds, std::ostream& out, Mutations mutations, int most_failures) {
  Figures figures;
  int failures = 0;
  for (uint64_t seed = first; seed < first + static_cast<uint64_t>(seeds) && failures < most_failures;
       ++seed) {
    World world(seed, mutations);
    world.Run();
    figures.Add(world.story().figures);
    if (world.story().violations().empty()) continue;
    ++failures;
    out << "seed " << seed << ", the last events:\n";
    for (const std::string& line : world.story().last()) out << line << "\n";
    for (const std::string& violation : world.story().violations()) out << "VIOLATION: " << violation << "\n";
    out << "To see it again: ./dev simulate --seed " << seed << "\n";
  }
  return figures;
}

uint64_t HashOf(uint64_t seed) {
  World world(seed);
  world.Run();
  return world.story().hash();
}

}  // namespace curlew::simulation
