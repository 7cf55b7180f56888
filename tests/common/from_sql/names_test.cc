#include "common/from_sql/names.h"

#include <gtest/gtest.h>

#include <set>

namespace curlew::from_sql {
namespace {

TEST(NamesTest, JoinsNamesAndLabel) {
  EXPECT_EQ(MakeObjectName("t", "a_b", "key"), "t_a_b_key");
  EXPECT_EQ(MakeObjectName("t", "", "pkey"), "t_pkey");
}

TEST(NamesTest, CutsTheLongerOfTheTwo) {
  const std::string name = MakeObjectName(std::string(60, 'x'), "ab", "idx");
  EXPECT_EQ(name.substr(56), "_ab_idx");
  EXPECT_EQ(name.size(), 63u);
}

TEST(NamesTest, CutsNoCharacterInTwo) {
  std::string umlauts;
  for (int i = 0; i < 40; ++i) umlauts += "ü";
  const std::string name = MakeObjectName(umlauts, "", "pkey");
  EXPECT_LE(name.size(), 63u);
  EXPECT_EQ((name.size() - 5) % 2, 0u);
}

TEST(NamesTest, NumbersWhatIsTaken) {
  const std::set<std::string> taken = {"t_a_idx", "t_a_idx1"};
  EXPECT_EQ(ChooseName("t", "a", "idx", [&](const std::string& n) { return taken.count(n) > 0; }),
            "t_a_idx2");
}

TEST(NamesTest, AddsColumnsAsLongAsThereIsRoom) {
  EXPECT_EQ(NameAddition({"a", "b"}), "a_b");
  const std::string x(64, 'x');
  EXPECT_EQ(NameAddition({x, "b"}), x);
}

}  // namespace
}  // namespace curlew::from_sql
