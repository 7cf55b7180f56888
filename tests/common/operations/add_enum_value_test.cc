#include <gmock/gmock.h>

#include "tests/support/operation_harness.h"

namespace curlew::operations {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

class AddEnumValueTest : public ::curlew::testing::OperationTest {};

constexpr char kLabels[] = "SELECT enum_range(NULL::\"Mo od\")";

TEST_F(AddEnumValueTest, AddsValuesWhereThePlanSays) {
  setup_ = "CREATE TYPE \"Mo od\" AS ENUM ('b', 'd');";
  EXPECT_THAT(RunError(R"yaml(
  - add_enum_value: {type: '"Mo od"', value: "it's"}
  - add_enum_value: {type: '"Mo od"', value: a, before: b}
  - add_enum_value: {type: '"Mo od"', value: c, after: b}
  - add_enum_value: {type: '"Mo od"', value: cc, after: c}
)yaml"),
              IsEmpty());
  EXPECT_EQ(Query(conninfo_, kLabels), "{a,b,c,cc,d,it's}");
  EXPECT_THAT(Unpromised(), IsEmpty());
}

TEST_F(AddEnumValueTest, ARollbackLeavesTheValueAndThePlanRunsAgain) {
  setup_ = "CREATE TYPE \"Mo od\" AS ENUM ('b');";
  const std::string plan = "  - add_enum_value: {type: '\"Mo od\"', value: a, before: b}";
  ASSERT_THAT(RunError(plan), IsEmpty());
  EXPECT_THAT(compiled_.warnings(),
              ElementsAre(HasSubstr("a rollback leaves value 'a' of public.\"Mo od\"")));
  for (const v1::Step& step : compiled_.steps()) EXPECT_FALSE(step.has_undo());
  const v1::CompiledPlan first = compiled_;
  EXPECT_THAT(RunAgain(plan), IsEmpty());
  EXPECT_THAT(compiled_.warnings(), ElementsAre(HasSubstr("exists already and stays where it is")));
  EXPECT_EQ(Query(conninfo_, kLabels), "{a,b}");
  EXPECT_THAT(Unpromised(), IsEmpty());
  ASSERT_EQ(first.steps_size(), compiled_.steps_size());
  EXPECT_EQ(first.steps(0).action().SerializeAsString(), compiled_.steps(0).action().SerializeAsString());
}

TEST_F(AddEnumValueTest, GoesAfterARenamingOfTheSamePlan) {
  setup_ = "CREATE TYPE \"Mo od\" AS ENUM ('a', 'b');";
  EXPECT_THAT(RunError(R"yaml(
  - rename_enum_value: {type: '"Mo od"', value: a, to: A}
  - add_enum_value: {type: '"Mo od"', value: a, after: A}
settings: {acknowledge: [breaks-applications]}
)yaml"),
              IsEmpty());
  EXPECT_EQ(Query(conninfo_, kLabels), "{A,a,b}");
}

TEST_F(AddEnumValueTest, RefusesWhatItCannotPlace) {
  setup_ = "CREATE TYPE mood AS ENUM ('b'); CREATE DOMAIN d AS int;";
  EXPECT_THAT(Refusal("  - add_enum_value: {type: mood, value: a, before: x}"),
              AllOf(HasSubstr("add_enum_value"), HasSubstr("public.mood has no value 'x'; there are: 'b'")));
  EXPECT_THAT(Refusal("  - add_enum_value: {type: mood, value: a, before: b, after: b}"),
              HasSubstr("at most one"));
  EXPECT_THAT(Refusal("  - add_enum_value: {type: d, value: a}"),
              HasSubstr("public.d is no enum type but a domain"));
  EXPECT_THAT(Refusal("  - add_enum_value: {type: nowhere, value: a}"),
              HasSubstr("enum type public.nowhere does not exist"));
}
}  // namespace
}  // namespace curlew::operations
