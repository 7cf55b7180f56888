// Every operation goes through its life.
#include <gtest/gtest.h>

#include <set>

#include "curlew/v1/plan.pb.h"
#include "tests/harness/case.h"

namespace curlew::testing {
namespace {

TEST(HarnessTest, EveryOperationHasACase) {
  std::set<std::string> have;
  for (const Case& the_case : AllCases()) have.insert(the_case.operation);
  const auto* oneof = v1::Operation::descriptor()->oneof_decl(0);
  for (int i = 0; i < oneof->field_count(); ++i) {
    EXPECT_EQ(have.count(oneof->field(i)->name()), 1u)
        << "tests/harness/cases/ has no case of " << oneof->field(i)->name();
    have.erase(oneof->field(i)->name());
  }
  for (const std::string& other : have) ADD_FAILURE() << other << " is no operation";
}

// A column pair is not what makes partitions, the agent's walk and the indexes of partitions hard.
TEST(HarnessTest, WhatWorksOnPartitionsIsTriedOnThem) {
  std::set<std::string> partitioned;
  for (const Case& the_case : AllCases()) {
    if (the_case.partitioned) partitioned.insert(the_case.operation);
  }
  for (const char* operation : {"add_check", "add_foreign_key", "add_unique", "backfill", "create_index",
                                "purge", "reindex", "rename_column", "transform"}) {
    EXPECT_EQ(partitioned.count(operation), 1u) << operation;
  }
}

TEST(HarnessTest, NamesOfCasesAreUnique) {
  std::set<std::string> names;
  for (const Case& the_case : AllCases())
    EXPECT_TRUE(names.insert(the_case.Name()).second) << the_case.Name();
}

}  // namespace
}  // namespace curlew::testing
