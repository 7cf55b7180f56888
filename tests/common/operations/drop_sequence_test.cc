#include <gmock/gmock.h>

#include "tests/support/operation_harness.h"

namespace curlew::operations {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

class DropSequenceTest : public ::curlew::testing::OperationTest {};

TEST_F(DropSequenceTest, TakesTheSequenceAwayInDrop) {
  setup_ = "CREATE SEQUENCE \"Num bers\"; CREATE SEQUENCE other;";
  ExpectLife("  - drop_sequence: {sequence: '\"Num bers\"'}", "CREATE SEQUENCE public.other");
  EXPECT_THAT(Unpromised(), IsEmpty());
  EXPECT_EQ(Query(conninfo_, "SELECT to_regclass('\"Num bers\"')"), "");
}

TEST_F(DropSequenceTest, NamesWhatUsesItBeforeAnythingChanges) {
  setup_ = "CREATE SEQUENCE s; ALTER TABLE \"Peo ple\" ALTER age SET DEFAULT nextval('s');";
  EXPECT_THAT(RunError("  - drop_sequence: {sequence: s}"),
              HasSubstr("nothing uses sequence public.s: 1 default value for public.\"Peo ple\".age"));
  setup_ = "CREATE TABLE t (id int GENERATED ALWAYS AS IDENTITY);";
  EXPECT_THAT(RunError("  - drop_sequence: {sequence: t_id_seq}"),
              HasSubstr("is not an identity column's own: 1"));
  setup_ = "CREATE TABLE t (id serial);";
  EXPECT_THAT(RunError("  - drop_sequence: {sequence: t_id_seq}"),
              HasSubstr("default value for public.t.id"));
}

TEST_F(DropSequenceTest, GoesAfterTheDefaultThatUsesIt) {
  setup_ = "CREATE SEQUENCE s; ALTER TABLE \"Peo ple\" ALTER age SET DEFAULT nextval('s');";
  EXPECT_THAT(RunError(R"yaml(
  - drop_column: {table: '"Peo ple"', column: age}
  - drop_sequence: {sequence: s}
)yaml"),
              IsEmpty());
  EXPECT_EQ(Query(conninfo_, "SELECT to_regclass('s')"), "");
}

TEST_F(DropSequenceTest, RefusesWhatGoesWithItsColumn) {
  setup_ = "ALTER TABLE \"Peo ple\" ADD num serial;";
  EXPECT_THAT(Refusal(R"yaml(
  - drop_column: {table: '"Peo ple"', column: num}
  - drop_sequence: {sequence: '"Peo ple_num_seq"'}
)yaml"),
              AllOf(HasSubstr("drop_sequence"), HasSubstr("belongs to column public.\"Peo ple\".num"),
                    HasSubstr("leave this operation out")));
  EXPECT_THAT(Refusal("  - drop_sequence: {sequence: nowhere}"),
              HasSubstr("sequence public.nowhere does not exist"));
}
}  // namespace
}  // namespace curlew::operations
