#include <gmock/gmock.h>

#include "tests/support/operation_harness.h"

namespace curlew::operations {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

class ReindexTest : public ::curlew::testing::OperationTest {
 protected:
  static constexpr char kFile[] = "SELECT relfilenode FROM pg_class WHERE relname = 'people_tenant'";
};

TEST_F(ReindexTest, EveryIndexOfTheTableIsNew) {
  ExpectLife("  - reindex: {table: '\"Peo ple\"'}\n", "CREATE INDEX people_tenant");
  EXPECT_THAT(Unpromised(), IsEmpty());
  const std::string file = Query(conninfo_, kFile);
  EXPECT_EQ(RunAgain("  - reindex: {table: '\"Peo ple\"'}\n"), "");
  EXPECT_NE(Query(conninfo_, kFile), file);
  ASSERT_EQ(compiled_.steps_size(), 1);
  EXPECT_EQ(compiled_.steps(0).action().execute_sql_concurrently().index(), "");
  EXPECT_EQ(compiled_.steps(0).action().execute_sql_concurrently().effect(),
            v1::ExecuteSqlConcurrently::EFFECT_REINDEXES);
}

TEST_F(ReindexTest, OneIndexThatWasInvalidIsValid) {
  setup_ = "UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'people_tenant'::regclass;";
  EXPECT_EQ(RunError("  - reindex: {table: '\"Peo ple\"', name: people_tenant}\n"), "");
  EXPECT_EQ(compiled_.steps(0).action().execute_sql_concurrently().index(), "public.people_tenant");
  EXPECT_THAT(Unpromised(), IsEmpty());
}

TEST_F(ReindexTest, AnExclusionConstraintsIndexIsLeftOut) {
  setup_ = "ALTER TABLE \"Peo ple\" ADD CONSTRAINT ex EXCLUDE USING btree (id WITH =);";
  EXPECT_THAT(Refusal("  - reindex: {table: '\"Peo ple\"', name: ex}\n"),
              HasSubstr("cannot reindex concurrently"));
  EXPECT_EQ(Refusal("  - reindex: {table: '\"Peo ple\"'}\n"), "");
  EXPECT_THAT(Refusal("  - reindex: {table: '\"Peo ple\"', name: no}\n"),
              HasSubstr("there are: \"Peo ple_pkey\""));
  EXPECT_EQ(RunError("  - reindex: {table: '\"Peo ple\"', name: people_tenant}\n"), "");
  EXPECT_THAT(compiled_.warnings(), IsEmpty());
}

}  // namespace
}  // namespace curlew::operations
