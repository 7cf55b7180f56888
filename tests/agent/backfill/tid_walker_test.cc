#include "agent/backfill/tid_walker.h"

#include <gtest/gtest.h>

#include "tests/support/status_matchers.h"

namespace curlew::agent {
namespace {

constexpr int64_t kBlock = 8192;
constexpr int64_t kUnits = TidWalker::kUnitsPerBlock;

class TidWalkerTest : public ::testing::Test {
 protected:
  Place Advance(const Place& from, const Place& end, int64_t units) {
    return *walker_.Advance(nullptr, Leaf(), from, end, units);
  }
  std::string Middle(const Place& from, const Place& to) {
    return walker_.Middle(nullptr, Leaf(), from, to)->value_or("none");
  }
  const TidWalker walker_{kBlock, kBlock};
};

TEST_F(TidWalkerTest, TakesWholeBlocksUpToTheEnd) {
  EXPECT_EQ(Advance("", "(100,0)", 16 * kUnits), "(16,0)");
  EXPECT_EQ(Advance("(96,0)", "(100,0)", 16 * kUnits), "(100,0)");
  EXPECT_EQ(Advance("(3,20)", "(100,0)", 2 * kUnits), "(5,0)");
}

TEST_F(TidWalkerTest, TakesPartsOfABlockWhereRowsAreSlow) {
  EXPECT_EQ(Advance("(7,0)", "(100,0)", kUnits / 2), "(7,146)");
  EXPECT_EQ(Advance("(7,146)", "(100,0)", kUnits / 2), "(8,0)");
  EXPECT_EQ(Advance("(7,3)", "(100,0)", 1), "(7,4)");
}

TEST_F(TidWalkerTest, HalvesBlocksFirstAndThenRows) {
  EXPECT_EQ(Middle("(0,0)", "(8,0)"), "(4,0)");
  EXPECT_EQ(Middle("(4,0)", "(5,0)"), "(4,146)");
  EXPECT_EQ(Middle("(4,5)", "(4,6)"), "none");
  // Each half is smaller, down to one row.
  Place from = "(0,0)", to = "(1,0)";
  for (int i = 0; i < 20 && Middle(from, to) != "none"; ++i) to = Middle(from, to);
  EXPECT_EQ(to, "(0,1)");
}

TEST_F(TidWalkerTest, RowsWithLargeValuesElsewhereMakeBatchesSmaller) {
  EXPECT_EQ(TidWalker(kBlock, kBlock).FirstUnits(), 16 * kUnits);
  EXPECT_EQ(TidWalker(kBlock, 64 * kBlock).FirstUnits(), kUnits / 4);
  EXPECT_LT(TidWalker(kBlock, 64 * kBlock).MostUnits(), walker_.MostUnits());
}

TEST_F(TidWalkerTest, RangesGetSmallerTowardsTheEnd) {
  EXPECT_EQ(walker_.RangeUnits(100'000, 4, "", "(100000,0)"), 1024 * kUnits);
  EXPECT_EQ(walker_.RangeUnits(100'000, 4, "(98400,0)", "(100000,0)"), 200 * kUnits);
  EXPECT_EQ(walker_.RangeUnits(100'000, 4, "(99990,0)", "(100000,0)"), 64 * kUnits);
}

TEST_F(TidWalkerTest, NamesRowsAndLeavesThemOut) {
  EXPECT_EQ(walker_.RowCondition("(1,2)"), "t.ctid = '(1,2)'::tid");
  EXPECT_EQ(walker_.Excluding({"(1,2)", "(3,4)"}), "t.ctid <> ALL (ARRAY['(1,2)', '(3,4)']::tid[])");
  EXPECT_EQ(walker_.Condition("", "(2,0)"), "t.ctid >= '(0,0)'::tid AND t.ctid < '(2,0)'::tid");
}

}  // namespace
}  // namespace curlew::agent
