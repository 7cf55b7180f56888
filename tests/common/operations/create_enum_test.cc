#include <gmock/gmock.h>

#include "tests/support/operation_harness.h"

namespace curlew::operations {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

class CreateEnumTest : public ::curlew::testing::OperationTest {};

TEST_F(CreateEnumTest, MakesTheTypeWithItsValuesInOrder) {
  setup_ = "CREATE SCHEMA \"S s\";";
  ExpectLife(R"yaml(
  - create_enum: {type: '"S s"."Mo od"', values: ["it's", sad, 'a,"b"\c']}
)yaml",
             "CREATE TYPE \"S s\".\"Mo od\" AS ENUM (\n    'it''s',\n    'sad',\n    'a,\"b\"\\c'\n);");
  EXPECT_THAT(Unpromised(), IsEmpty());
}

TEST_F(CreateEnumTest, ServesAColumnOfTheSamePlan) {
  ExpectLife(R"yaml(
  - create_enum: {type: mood, values: [sad, happy]}
  - add_column: {table: '"Peo ple"', column: mood, type: public.mood, default: "'sad'"}
)yaml",
             "mood public.mood DEFAULT 'sad'::public.mood");
}

TEST_F(CreateEnumTest, RefusesWhatPostgresqlWould) {
  setup_ = "CREATE TYPE mood AS ENUM ('x'); CREATE DOMAIN d AS int;";
  EXPECT_THAT(Refusal("  - create_enum: {type: mood, values: [a]}"),
              AllOf(HasSubstr("create_enum"), HasSubstr("enum type public.mood exists already"),
                    HasSubstr("choose another name")));
  EXPECT_THAT(Refusal("  - create_enum: {type: d, values: [a]}"),
              HasSubstr("domain public.d exists already"));
  EXPECT_THAT(Refusal("  - create_enum: {type: m, values: [a, b, a]}"), HasSubstr("stands there twice"));
  EXPECT_THAT(Refusal("  - create_enum: {type: m, values: ['']}"), HasSubstr("1 to 63 bytes"));
  EXPECT_THAT(Refusal("  - create_enum: {type: m, values: [" + std::string(64, 'x') + "]}"),
              HasSubstr("64 bytes"));
  EXPECT_THAT(Refusal("  - create_enum: {type: curlew.m, values: [a]}"), HasSubstr("not the applications'"));
}

TEST_F(CreateEnumTest, LooksForTheNameBeforeAnythingChanges) {
  setup_ = "CREATE VIEW taken AS SELECT 1 AS one; CREATE TABLE t (a int);";
  EXPECT_THAT(RunError("  - create_enum: {type: taken, values: [a]}"),
              HasSubstr("the name public.taken is free: 1"));
  EXPECT_THAT(RunError("  - create_enum: {type: nowhere.m, values: [a]}"),
              HasSubstr("schema nowhere exists: 1"));
  EXPECT_THAT(RunError("  - create_enum: {type: _t, values: [a]}"), IsEmpty()) << "array types make room";
}

TEST_F(CreateEnumTest, TakesANameThatThePlanFreesInALaterStage) {
  setup_ = "CREATE TYPE mood AS ENUM ('old');";
  EXPECT_THAT(RunError(R"yaml(
  - drop_type: {type: mood}
  - create_enum: {type: mood, values: [new]}
)yaml"),
              IsEmpty());
  EXPECT_EQ(Query(conninfo_, "SELECT enum_range(NULL::mood)"), "{new}");
  EXPECT_EQ(compiled_.steps(compiled_.steps_size() - 1).stage(), 1);
}
}  // namespace
}  // namespace curlew::operations
