#include <gmock/gmock.h>

#include "tests/support/operation_harness.h"

namespace curlew::operations {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

class AlterSequenceTest : public ::curlew::testing::OperationTest {};

TEST_F(AlterSequenceTest, ChangesSettingsAndBringsThemBack) {
  setup_ = "CREATE SEQUENCE \"Num bers\" AS integer START 3 MAXVALUE 50; SELECT nextval('\"Num bers\"');";
  ExpectLife(
      "  - alter_sequence: {sequence: '\"Num bers\"', settings: {start: 60, increment: 5, minimum: 2, "
      "maximum: "
      "99, cache: 20, cycle: true}}",
      "CREATE SEQUENCE public.\"Num bers\"\n    AS integer\n    START WITH 60\n    INCREMENT BY 5\n    "
      "MINVALUE "
      "2\n    MAXVALUE 99\n    CACHE 20\n    CYCLE;");
  EXPECT_THAT(Unpromised(), IsEmpty());
  EXPECT_EQ(Query(conninfo_, "SELECT nextval('\"Num bers\"')"), "8") << "the present value stays";
}

TEST_F(AlterSequenceTest, WorksOnAnIdentityColumnsOwn) {
  setup_ = "CREATE TABLE t (id int GENERATED ALWAYS AS IDENTITY);";
  ExpectLife("  - alter_sequence: {sequence: t_id_seq, settings: {cache: 50}}", "CACHE 50");
  EXPECT_THAT(Unpromised(), IsEmpty());
}

TEST_F(AlterSequenceTest, KeepsWiderLimitsThatTheSequenceHasPassed) {
  setup_ = "CREATE SEQUENCE s MAXVALUE 10 CACHE 2;";
  ASSERT_THAT(RunError("  - alter_sequence: {sequence: s, settings: {maximum: 1000, cache: 1}}"), IsEmpty());
  Query(conninfo_, "SELECT setval('s', 500)");
  EXPECT_THAT(Undo(), IsEmpty());
  EXPECT_EQ(Query(conninfo_, "SELECT seqmax FROM pg_sequence WHERE seqrelid = 's'::regclass"), "1000");
  EXPECT_EQ(Query(conninfo_, "SELECT seqcache FROM pg_sequence WHERE seqrelid = 's'::regclass"), "2");
  EXPECT_EQ(Query(conninfo_, "SELECT nextval('s')"), "501");
  Query(conninfo_, "SELECT setval('s', 4)");
  EXPECT_THAT(Undo(), IsEmpty());
  EXPECT_EQ(Query(conninfo_, "SELECT seqmax FROM pg_sequence WHERE seqrelid = 's'::regclass"), "10");
}

TEST_F(AlterSequenceTest, StopsWhereThePresentValueLiesOutside) {
  setup_ = "CREATE SEQUENCE s; SELECT setval('s', 500);";
  EXPECT_THAT(RunError("  - alter_sequence: {sequence: s, settings: {maximum: 100}}"),
              HasSubstr("the present value of public.s lies between 1 and 100: 1"));
}

TEST_F(AlterSequenceTest, Refuses) {
  setup_ = "CREATE SEQUENCE s; CREATE TYPE mood AS ENUM ('a');";
  EXPECT_THAT(Refusal("  - alter_sequence: {sequence: nowhere, settings: {cache: 2}}"),
              AllOf(HasSubstr("alter_sequence"), HasSubstr("sequence public.nowhere does not exist")));
  EXPECT_THAT(Refusal("  - alter_sequence: {sequence: s, settings: {minimum: 5}}"),
              HasSubstr("start 1 is not between 5 and"));
  EXPECT_THAT(Refusal("  - alter_sequence: {sequence: s, settings: {}}"), HasSubstr("settings"));
}
}  // namespace
}  // namespace curlew::operations
