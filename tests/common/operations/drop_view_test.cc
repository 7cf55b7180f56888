#include <gmock/gmock.h>

#include "tests/support/operation_harness.h"

namespace curlew::operations {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

class DropViewTest : public ::curlew::testing::OperationTest {};

constexpr char kViews[] = R"(
  CREATE VIEW "Old v" AS SELECT id, note FROM "Peo ple"; CREATE VIEW above AS SELECT id FROM "Old v";
  CREATE MATERIALIZED VIEW m AS SELECT age FROM "Peo ple";)";

TEST_F(DropViewTest, DropsBehindTheGateThatLooksForItsUse) {
  setup_ = kViews;
  ExpectLife("  - drop_view: {view: above}", "CREATE VIEW public.\"Old v\"");
  EXPECT_THAT(Unpromised(), IsEmpty());
  ASSERT_EQ(compiled_.old_shape_size(), 1);
  EXPECT_EQ(compiled_.old_shape(0).table(), "public.above");
  EXPECT_EQ(compiled_.old_shape(0).column(), "");
}

TEST_F(DropViewTest, FollowsTheOrderOfThePlan) {
  setup_ = kViews;
  EXPECT_EQ(RunError(R"yaml(
  - drop_view: {view: above}
  - drop_view: {view: '"Old v"'}
  - drop_column: {table: '"Peo ple"', column: note, discard: [people_tenant]}
)yaml"),
            "");
  EXPECT_THAT(Unpromised(), IsEmpty());
}

// All that goes of one table goes in one transaction; that comes after what the plan takes off it before.
TEST_F(DropViewTest, ComesBeforeTheColumnAlsoWhereAnEarlierOperationEndsOnTheTable) {
  setup_ = kViews;
  EXPECT_EQ(RunError(R"yaml(
  - rename_column: {table: '"Peo ple"', from: Ph one, to: phone}
  - drop_view: {view: above}
  - drop_view: {view: '"Old v"'}
  - drop_column: {table: '"Peo ple"', column: note, discard: [people_tenant]}
)yaml"),
            "");
  EXPECT_THAT(Unpromised(), IsEmpty());
}

TEST_F(DropViewTest, RefusesWhatIsInUseOrIsNoView) {
  setup_ = kViews;
  EXPECT_THAT(Refusal("  - drop_view: {view: '\"Old v\"'}"),
              AllOf(HasSubstr("drop_view"), HasSubstr("public.\"Old v\""), HasSubstr("view public.above"),
                    HasSubstr("first")));
  EXPECT_THAT(Refusal("  - drop_view: {view: m}"), HasSubstr("use drop_materialized_view"));
  EXPECT_THAT(Refusal("  - drop_view: {view: '\"Peo ple\"'}"), HasSubstr("use drop_table"));
  EXPECT_THAT(Refusal("  - drop_view: {view: none}"), HasSubstr("does not exist"));
  EXPECT_THAT(Refusal(R"yaml(
  - create_view: {view: w, query: SELECT 1 AS a}
  - drop_view: {view: w}
)yaml"),
              HasSubstr("leave both operations out"));
}

}  // namespace
}  // namespace curlew::operations
