#include <gmock/gmock.h>

#include "tests/support/operation_harness.h"

namespace curlew::operations {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

class SetCommentTest : public ::curlew::testing::OperationTest {};

TEST_F(SetCommentTest, SetsTheTableAndItsColumnsAndBringsTheOldOnesBack) {
  setup_ = R"sql(COMMENT ON TABLE "Peo ple" IS 'o''ld\n'; COMMENT ON COLUMN "Peo ple".age IS 'years';)sql";
  ExpectLife(R"yaml(
  - set_comment: {table: '"Peo ple"', comment: it's \new}
  - set_comment: {table: '"Peo ple"', column: Ph one, comment: a "number"}
  - set_comment: {table: '"Peo ple"', column: age}
  - add_column: {table: '"Peo ple"', column: other, type: text, up: note}
  - set_comment: {table: '"Peo ple"', column: other, comment: and more}
)yaml",
             "COMMENT ON COLUMN public.\"Peo ple\".\"Ph one\" IS 'a \"number\"'");
  EXPECT_THAT(Unpromised(), IsEmpty());
  EXPECT_THAT(PgDump(conninfo_), Not(HasSubstr("years")));
  EXPECT_EQ(Query(conninfo_, "SELECT obj_description('\"Peo ple\"'::regclass, 'pg_class')"), "it's \\new");
}

TEST_F(SetCommentTest, DoesNothingTwice) {
  ExpectLife("  - set_comment: {table: '\"Peo ple\"'}\n", "");
  EXPECT_EQ(compiled_.steps_size(), 0);
  EXPECT_THAT(Refusal("  - set_comment: {table: '\"Peo ple\"', column: nope}\n"), HasSubstr("nope"));
}

}  // namespace
}  // namespace curlew::operations
