#include <gmock/gmock.h>

#include "tests/support/operation_harness.h"

namespace curlew::operations {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

class DropMaterializedViewTest : public ::curlew::testing::OperationTest {};

TEST_F(DropMaterializedViewTest, DropsItWithItsIndexes) {
  setup_ =
      "CREATE MATERIALIZED VIEW \"M v\" AS SELECT age FROM \"Peo ple\"; CREATE INDEX mi ON \"M v\" (age);";
  ExpectLife("  - drop_materialized_view: {view: '\"M v\"'}", "CREATE TABLE");
  EXPECT_THAT(PgDump(conninfo_), Not(HasSubstr("M v")));
  EXPECT_THAT(Unpromised(), IsEmpty());
  EXPECT_EQ(compiled_.old_shape_size(), 1);
}

TEST_F(DropMaterializedViewTest, RefusesWhatIsInUseOrAnotherKind) {
  setup_ = "CREATE MATERIALIZED VIEW m AS SELECT 1 AS a; CREATE VIEW v AS SELECT a FROM m;";
  EXPECT_THAT(Refusal("  - drop_materialized_view: {view: m}"),
              AllOf(HasSubstr("drop_materialized_view"), HasSubstr("public.m"), HasSubstr("view public.v")));
  EXPECT_THAT(Refusal("  - drop_materialized_view: {view: v}"), HasSubstr("use drop_view"));
  EXPECT_EQ(RunError("  - drop_view: {view: v}\n  - drop_materialized_view: {view: m}"), "");
  EXPECT_THAT(Unpromised(), IsEmpty());
}

}  // namespace
}  // namespace curlew::operations
