// Whole installations from seeds: see docs/simulation.md.
#include "tests/simulation/world.h"

#include <gtest/gtest.h>
#include <spdlog/spdlog.h>

#include <iostream>
#include <sstream>

#include "tests/simulation/simulate.h"

namespace curlew::simulation {
namespace {

// As CMakeLists.txt says: fewer with a sanitizer, which sees no more in more of them.
constexpr int kSeeds = CURLEW_SEEDS;

class WorldTest : public ::testing::Test {
 protected:
  static void SetUpTestSuite() { spdlog::set_level(spdlog::level::off); }
};

TEST_F(WorldTest, EveryPromiseHoldsAndEveryRolloutEnds) {
  std::ostringstream out;
  const Figures figures = Simulate(0, kSeeds, out);
  std::cout << figures.Line() << "\n";
  ASSERT_EQ(figures.violations, 0) << out.str();
  // A fault that never comes proves nothing.
  EXPECT_GT(figures.fenced_in_db, 0);
  EXPECT_GT(figures.fenced_in_store, 0);
  EXPECT_GE(figures.faults.size(), 20u) << figures.Line();
}

TEST_F(WorldTest, TheSameSeedTellsTheSameStory) {
  for (uint64_t seed = 0; seed < kSeeds / 50; ++seed)
    EXPECT_EQ(HashOf(seed), HashOf(seed)) << "seed " << seed;
  EXPECT_NE(HashOf(1), HashOf(2));
}

// What is broken on purpose is seen, within few seeds.
int64_t ViolationsOf(const Mutations& mutations) {
  std::ostringstream out;
  return Simulate(0, 100, out, mutations, /*most_failures=*/1).violations;
}

TEST_F(WorldTest, SeesADatabaseThatLetsPredecessorsCommit) {
  EXPECT_GT(ViolationsOf({.no_epoch_check = true}), 0);
}

TEST_F(WorldTest, SeesAnAgentThatDoesAgainWhatItsJournalHas) {
  EXPECT_GT(ViolationsOf({.no_journal_check = true}), 0);
}

TEST_F(WorldTest, SeesAnAgentThatReportsBeforeItCommits) {
  EXPECT_GT(ViolationsOf({.result_before_commit = true}), 0);
}

TEST_F(WorldTest, SeesAStoreThatTakesCommitsOfADeposedController) {
  EXPECT_GT(ViolationsOf({.no_store_fence = true}), 0);
}

}  // namespace
}  // namespace curlew::simulation
