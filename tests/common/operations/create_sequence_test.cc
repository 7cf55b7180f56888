#include <gmock/gmock.h>

#include "tests/support/operation_harness.h"

namespace curlew::operations {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

class CreateSequenceTest : public ::curlew::testing::OperationTest {};

TEST_F(CreateSequenceTest, MakesItWithPostgresqlsDefaults) {
  ExpectLife("  - create_sequence: {sequence: '\"Num bers\"'}",
             "CREATE SEQUENCE public.\"Num bers\"\n    START WITH 1");
  EXPECT_THAT(Unpromised(), IsEmpty());
}

TEST_F(CreateSequenceTest, MakesItWithEverySetting) {
  ExpectLife(
      "  - create_sequence: {sequence: s, type: int2, settings: {start: 5, increment: 3, minimum: -7, "
      "maximum: 100, cache: 9, cycle: true}}",
      "CREATE SEQUENCE public.s\n    AS smallint\n    START WITH 5\n    INCREMENT BY 3\n    MINVALUE -7\n    "
      "MAXVALUE 100\n    CACHE 9\n    CYCLE;");
  EXPECT_THAT(Unpromised(), IsEmpty());
}

TEST_F(CreateSequenceTest, KnowsTheDefaultsOfOneThatDescends) {
  ExpectLife("  - create_sequence: {sequence: s, type: integer, settings: {increment: -1}}",
             "INCREMENT BY -1");
  EXPECT_THAT(Unpromised(), IsEmpty());
  ExpectLife("  - create_sequence: {sequence: s, settings: {increment: -2, maximum: 0, cycle: false}}",
             "MAXVALUE 0");
  EXPECT_THAT(Unpromised(), IsEmpty());
}

TEST_F(CreateSequenceTest, RefusesWhatPostgresqlWould) {
  setup_ = "CREATE SEQUENCE taken;";
  EXPECT_THAT(Refusal("  - create_sequence: {sequence: taken}"),
              AllOf(HasSubstr("create_sequence"), HasSubstr("sequence public.taken exists already")));
  EXPECT_THAT(Refusal("  - create_sequence: {sequence: s, type: text}"),
              HasSubstr("bigint, integer or smallint"));
  EXPECT_THAT(Refusal("  - create_sequence: {sequence: s, settings: {increment: 0}}"),
              HasSubstr("increment is 0"));
  EXPECT_THAT(Refusal("  - create_sequence: {sequence: s, settings: {cache: 0}}"),
              HasSubstr("1 is the least"));
  EXPECT_THAT(Refusal("  - create_sequence: {sequence: s, settings: {minimum: 5, maximum: 5}}"),
              HasSubstr("not below maximum"));
  EXPECT_THAT(Refusal("  - create_sequence: {sequence: s, settings: {start: 0}}"),
              HasSubstr("start 0 is not between 1 and"));
  EXPECT_THAT(Refusal("  - create_sequence: {sequence: s, type: smallint, settings: {maximum: 40000}}"),
              HasSubstr("from -32768 to 32767"));
  setup_ = "CREATE INDEX taken ON \"Peo ple\" (age);";
  EXPECT_THAT(RunError("  - create_sequence: {sequence: taken}"),
              HasSubstr("the name public.taken is free: 1"));
}
}  // namespace
}  // namespace curlew::operations
