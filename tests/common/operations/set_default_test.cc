#include <gmock/gmock.h>

#include "tests/support/operation_harness.h"

namespace curlew::operations {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;

class SetDefaultTest : public ::curlew::testing::OperationTest {
 protected:
  static std::string Set(const std::string& column, const std::string& value) {
    return "  - set_default: {table: '\"Peo ple\"', column: " + column + ", default: \"" + value + "\"}\n";
  }
};

TEST_F(SetDefaultTest, BringsTheDefaultOfBeforeBack) {
  setup_ = R"sql(
    CREATE FUNCTION one() RETURNS int LANGUAGE sql AS 'SELECT 1';
    ALTER TABLE "Peo ple" ALTER COLUMN tenant SET DEFAULT one() + 1;)sql";
  ExpectLife(Set("tenant", "7") + Set("tenant", "8") + Set("Ph one", "'it''s ' || now()"),
             "tenant integer DEFAULT 8 NOT NULL");
}

TEST_F(SetDefaultTest, WaitsForDropWhereThePlanAddsTheColumn) {
  ExpectLife("  - add_column: {table: '\"Peo ple\"', column: c, type: uuid, up: gen_random_uuid()}\n" +
                 Set("c", "gen_random_uuid()") +
                 "  - rename_column: {table: '\"Peo ple\"', from: note, to: remark}\n" + Set("remark", "'r'"),
             "c uuid DEFAULT gen_random_uuid()");
  EXPECT_THAT(PgDump(conninfo_), HasSubstr("remark text DEFAULT 'r'::text"));
  for (const v1::Step& step : compiled_.steps()) {
    if (step.phase() == v1::PHASE_DROP) continue;
    for (const std::string& statement : step.action().execute_sql().statements()) {
      EXPECT_THAT(statement, ::testing::Not(HasSubstr("DEFAULT (")));
    }
  }
}

TEST_F(SetDefaultTest, RefusesAColumnThatIsKeptInStepUntilItGoes) {
  EXPECT_THAT(
      Refusal(Set("note", "'n'") + "  - rename_column: {table: '\"Peo ple\"', from: note, to: remark}\n"),
      HasSubstr("put set_default after that operation"));
  EXPECT_THAT(Refusal(Set("age", "1") + "  - change_type: {table: '\"Peo ple\"', column: age, type: text}\n"),
              HasSubstr("put set_default after that operation"));
}

TEST_F(SetDefaultTest, ComesAfterTheDropOfTheOldOne) {
  setup_ = R"sql(ALTER TABLE "Peo ple" ALTER COLUMN tenant SET DEFAULT 1;)sql";
  ExpectLife("  - drop_default: {table: '\"Peo ple\"', column: tenant}\n" + Set("tenant", "2"),
             "tenant integer DEFAULT 2");
}

TEST_F(SetDefaultTest, RefusesWhatHasNoDefault) {
  setup_ = R"sql(ALTER TABLE "Peo ple" ALTER COLUMN tenant ADD GENERATED ALWAYS AS IDENTITY,
                 ADD COLUMN g int GENERATED ALWAYS AS (age + 1) STORED;)sql";
  EXPECT_THAT(Refusal(Set("tenant", "1")), HasSubstr("is an identity column"));
  EXPECT_THAT(Refusal(Set("g", "1")), HasSubstr("is a generated column"));
  EXPECT_THAT(Refusal(Set("age", "tenant")), HasSubstr("names the column tenant"));
  EXPECT_THAT(RunError(Set("age", "'x'::date")), HasSubstr("SET DEFAULT ('x'::date): invalid input"));
}

TEST_F(SetDefaultTest, LooksForPartitionsWithADefaultOfTheirOwn) {
  setup_ = R"sql(
    CREATE TABLE parts (id int, a int DEFAULT 1) PARTITION BY LIST (id);
    CREATE TABLE parts_1 PARTITION OF parts FOR VALUES IN (1);)sql";
  const std::string plan = "  - set_default: {table: parts, column: a, default: '2'}\n";
  ExpectLife(plan, "a integer DEFAULT 2");
  EXPECT_THAT(Unpromised(), IsEmpty());
  setup_ += "ALTER TABLE parts_1 ALTER COLUMN a SET DEFAULT 5;";
  EXPECT_THAT(RunError(plan), HasSubstr("no partition of public.parts has a default of its own for a: 1"));
}

}  // namespace
}  // namespace curlew::operations
