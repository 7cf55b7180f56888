#include <gmock/gmock.h>

#include "tests/support/operation_harness.h"

namespace curlew::operations {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

class DropFunctionTest : public ::curlew::testing::OperationTest {};

constexpr char kFunctions[] = R"(
  CREATE TYPE mood AS ENUM ('sad');
  CREATE FUNCTION "F f"(a int, b mood[]) RETURNS int LANGUAGE sql AS 'SELECT 1';
  CREATE FUNCTION "F f"(a text) RETURNS int LANGUAGE sql AS 'SELECT 1';
  CREATE PROCEDURE p() LANGUAGE sql AS 'SELECT 1';
  CREATE FUNCTION t() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';
  CREATE TRIGGER tr BEFORE INSERT ON "Peo ple" FOR EACH ROW EXECUTE FUNCTION t();)";

TEST_F(DropFunctionTest, DropsTheOneOfThatSignature) {
  setup_ = kFunctions;
  ExpectLife("  - drop_function: {function: '\"F f\"(int4, mood[])'}",
             "CREATE FUNCTION public.\"F f\"(a text)");
  EXPECT_THAT(PgDump(conninfo_), Not(HasSubstr("mood[]")));
  EXPECT_THAT(Unpromised(), IsEmpty());
}

TEST_F(DropFunctionTest, DropsAProcedure) {
  setup_ = kFunctions;
  ExpectLife("  - drop_function: {function: 'p()'}", "CREATE FUNCTION public.t()");
  EXPECT_THAT(PgDump(conninfo_), Not(HasSubstr("PROCEDURE public.p")));
}

TEST_F(DropFunctionTest, RefusesWhatIsInUseUnlessThePlanTakesThatAwayFirst) {
  setup_ = kFunctions;
  EXPECT_THAT(Refusal("  - drop_function: {function: 't()'}"),
              AllOf(HasSubstr("drop_function"), HasSubstr("public.t()"),
                    HasSubstr("trigger tr on public.\"Peo ple\""), HasSubstr("first")));
  EXPECT_EQ(
      RunError("  - drop_trigger: {table: '\"Peo ple\"', name: tr}\n  - drop_function: {function: 't()'}"),
      "");
  EXPECT_THAT(Unpromised(), IsEmpty());
  EXPECT_THAT(Refusal("  - drop_function: {function: '\"F f\"(bigint)'}"), HasSubstr("does not exist"));
  EXPECT_THAT(Refusal("  - drop_function: {function: 'p'}"), HasSubstr("types of its arguments"));
}

}  // namespace
}  // namespace curlew::operations
