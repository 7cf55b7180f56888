#include <gmock/gmock.h>

#include "tests/support/operation_harness.h"

namespace curlew::operations {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

class CreateMaterializedViewTest : public ::curlew::testing::OperationTest {};

TEST_F(CreateMaterializedViewTest, CreatesAndFillsIt) {
  ExpectLife(
      "  - create_materialized_view: {view: '\"M v\"', query: 'SELECT tenant, count(*) AS n FROM \"Peo ple\" "
      "GROUP "
      "BY tenant -- all'}",
      "CREATE MATERIALIZED VIEW public.\"M v\"");
  EXPECT_EQ(Query(conninfo_, "SELECT sum(n) FROM \"M v\""), "1000");
}

TEST_F(CreateMaterializedViewTest, FillsItWithoutTheDeadlineOfDdl) {
  setup_ = R"(CREATE FUNCTION slow() RETURNS int LANGUAGE sql VOLATILE AS 'SELECT 1 FROM pg_sleep(0.4)';
              DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET statement_timeout = 300', current_database()); END $$;)";
  EXPECT_EQ(RunError("  - create_materialized_view: {view: m, query: 'SELECT public.slow() AS a'}"), "");
  EXPECT_EQ(Query(conninfo_, "SELECT a FROM m"), "1");
}

TEST_F(CreateMaterializedViewTest, RefusesANameThatIsTaken) {
  setup_ = "CREATE MATERIALIZED VIEW m AS SELECT 1 AS a;";
  EXPECT_THAT(
      Refusal("  - create_materialized_view: {view: m, query: SELECT 1 AS a}"),
      AllOf(HasSubstr("create_materialized_view"), HasSubstr("public.m"), HasSubstr("exists already")));
  EXPECT_THAT(Refusal("  - create_materialized_view: {view: m2, query: SELECT 1 AS a FOR UPDATE}"),
              HasSubstr("FOR UPDATE"));
  EXPECT_EQ(RunError(R"yaml(
  - drop_materialized_view: {view: m}
  - create_materialized_view: {view: m, query: SELECT 2 AS b}
)yaml"),
            "");
  EXPECT_EQ(Query(conninfo_, "SELECT b FROM m"), "2");
}

}  // namespace
}  // namespace curlew::operations
