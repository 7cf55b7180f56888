#include "tests/harness/names.h"

#include <gtest/gtest.h>

#include <set>

namespace curlew::testing {
namespace {

TEST(NamesTest, ATokenHasOneNameInEachForm) {
  const Names names(Spelling::kQuotes, "r_1");
  EXPECT_EQ(names.Of("o"), "Weird\"o's");
  EXPECT_EQ(names.Sql("SELECT {o} FROM {s.t}"),
            "SELECT \"Weird\"\"o's\" FROM \"sche\"\"ma's\".\"Weird\"\"t's\"");
  EXPECT_EQ(names.Sql("{'s.t}::regclass"), "'\"sche\"\"ma''s\".\"Weird\"\"t''s\"'::regclass");
  EXPECT_EQ(names.Sql("{=o} {role} {twin}"), "Weird\"o's r_1 twin.twin");
  EXPECT_EQ(names.Yaml("{table: '{s.t}', column: '{=o}'}"),
            "{table: '\"sche\"\"ma''s\".\"Weird\"\"t''s\"', column: 'Weird\"o''s'}");
}

TEST(NamesTest, WhatIsNoTokenStays) {
  const Names names(Spelling::kPlain, "r_1");
  EXPECT_EQ(names.Sql("'{1,2}' '{}' '{\"a\": 1}' {"), "'{1,2}' '{}' '{\"a\": 1}' {");
  EXPECT_EQ(names.Sql("'o{r}'"), "'o{r}'");
  EXPECT_EQ(names.Sql("'o{r}'", 5), "'o5'");
}

TEST(NamesTest, EverySpellingTellsTokensApartWithinSixtyThreeBytes) {
  for (Spelling spelling : AllSpellings()) {
    const Names names(spelling, "r_1");
    std::set<std::string> seen;
    for (const char* token :
         {"t", "id", "u", "len", "ref", "parent", "o", "n", "x", "i", "i2", "k", "set_len"}) {
      const std::string name = names.Of(token);
      EXPECT_LE(name.size(), 63u) << name;
      EXPECT_TRUE(seen.insert(name).second) << SpellingName(spelling) << ": " << name;
      EXPECT_EQ(names.Of(token), name);
    }
  }
}

TEST(NamesTest, LongNamesHaveSixtyThreeBytes) {
  const Names names(Spelling::kLong, "r_1");
  for (const char* token : {"t", "id", "len"}) EXPECT_EQ(names.Of(token).size(), 63u);
}

}  // namespace
}  // namespace curlew::testing
