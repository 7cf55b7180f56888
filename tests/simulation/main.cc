// simulate: what ./dev simulate runs.
#include <spdlog/spdlog.h>

#include <CLI/CLI.hpp>
#include <cstdint>
#include <iostream>

#include "tests/simulation/simulate.h"
#include "tests/simulation/world.h"

int main(int argc, char** argv) {
  CLI::App app("Simulates whole installations in one thread, each from a seed.", "simulate");
  int64_t seeds = -1;
  int64_t seed = -1;
  bool story = false;
  curlew::simulation::Mutations mutations;
  app.add_option("--seeds", seeds, "How many seeds; 500 where neither option is given, 1 with --seed alone");
  app.add_option("--seed", seed, "The first seed; default 0");
  app.add_flag("--story", story,
               "Print the whole story of the first seed, not only the end of one that went wrong");
  app.add_flag("--break-epoch-check", mutations.no_epoch_check,
               "Break it: databases let predecessors commit");
  app.add_flag("--break-journal-check", mutations.no_journal_check, "Break it: agents do again what is done");
  app.add_flag("--break-commit-order", mutations.result_before_commit,
               "Break it: agents report a success before they commit");
  app.add_flag("--break-store-fence", mutations.no_store_fence,
               "Break it: the store takes commits of a deposed controller");
  CLI11_PARSE(app, argc, argv);
  spdlog::set_level(spdlog::level::off);
  if (story) {
    curlew::simulation::World world(seed < 0 ? 0 : seed, mutations);
    world.story().keep = 10'000'000;
    world.Run();
    for (const std::string& line : world.story().last()) std::cout << line << "\n";
    std::cout << world.story().figures.Line() << "\n";
    return world.story().violations().empty() ? 0 : 1;
  }
  const auto figures = curlew::simulation::Simulate(
      seed < 0 ? 0 : seed, seeds > 0 ? seeds : (seed < 0 ? 500 : 1), std::cout, mutations);
  std::cout << figures.Line() << "\n";
  return figures.violations == 0 ? 0 : 1;
}
