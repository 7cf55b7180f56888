#include <gmock/gmock.h>

#include "absl/strings/str_cat.h"
#include "tests/support/operation_harness.h"

namespace curlew::operations {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

class ValidateConstraintTest : public ::curlew::testing::OperationTest {
 protected:
  ValidateConstraintTest() {
    setup_ =
        "CREATE TABLE r (a int, b int, PRIMARY KEY (a, b)); INSERT INTO r SELECT g, 1 FROM "
        "generate_series(0, 100) "
        "AS g; ALTER TABLE \"Peo ple\" ADD one int DEFAULT 1, ADD CONSTRAINT \"c c\" CHECK (age < 100) NOT "
        "VALID, "
        "ADD CONSTRAINT fk FOREIGN KEY (age, one) REFERENCES r MATCH FULL NOT VALID;";
  }
  static std::string Validate(absl::string_view name) {
    return absl::StrCat("  - validate_constraint: {table: '\"Peo ple\"', name: ", name, "}\n");
  }
};

TEST_F(ValidateConstraintTest, ACheckAndAForeignKeyBecomeValid) {
  EXPECT_EQ(RunError(Validate("c c") + Validate("fk")), "");
  EXPECT_THAT(Unpromised(), IsEmpty());
  EXPECT_EQ(
      Query(conninfo_, "SELECT bool_and(convalidated) FROM pg_constraint WHERE conname IN ('c c', 'fk')"),
      "t");
  EXPECT_EQ(RunAgain(Validate("fk")), "");
  EXPECT_THAT(compiled_.warnings(), ElementsAre(HasSubstr("does nothing")));
  EXPECT_THAT(compiled_.steps(), IsEmpty());
}

TEST_F(ValidateConstraintTest, ARollbackMakesItNotValidAgain) {
  setup_ +=
      "COMMENT ON CONSTRAINT \"c c\" ON \"Peo ple\" IS 'it''s %L \\'; COMMENT ON CONSTRAINT fk ON \"Peo "
      "ple\" IS "
      "'b';";
  for (const char* name : {"c c", "fk"}) ExpectLife(Validate(name), "people_tenant");
}

TEST_F(ValidateConstraintTest, RowsThatBreakItStopBeforeAnythingChanges) {
  setup_ =
      "ALTER TABLE \"Peo ple\" ADD one int DEFAULT 1; UPDATE \"Peo ple\" SET age = 500 WHERE id = 8;"
      "UPDATE \"Peo ple\" SET age = NULL WHERE id = 9; UPDATE \"Peo ple\" SET age = NULL, one = NULL WHERE "
      "id = 10;" +
      setup_.substr(0, setup_.find("ALTER TABLE")) +
      "ALTER TABLE \"Peo ple\" ADD CONSTRAINT \"c c\" CHECK (age < 100) NOT VALID, ADD CONSTRAINT fk FOREIGN "
      "KEY "
      "(age, one) REFERENCES r MATCH FULL NOT VALID;";
  const std::string broken = RunError(Validate("c c"));
  EXPECT_THAT(broken, HasSubstr("satisfies \"c c\": (age < 100): 1"));
  EXPECT_THAT(broken, HasSubstr("(id)=(8)"));
  // MATCH FULL: all columns are given, or none.
  const std::string orphans = RunError(Validate("fk"));
  EXPECT_THAT(orphans, HasSubstr("as fk demands: 2"));
  EXPECT_THAT(orphans, HasSubstr("(id)=(9)"));
}

TEST_F(ValidateConstraintTest, OfAPartitionedTableAllPartitionsAreRead) {
  setup_ =
      "CREATE TABLE part (k int) PARTITION BY LIST (k); CREATE TABLE part1 PARTITION OF part FOR VALUES IN "
      "(1); "
      "INSERT INTO part VALUES (1); ALTER TABLE part ADD CONSTRAINT c CHECK (k < 5) NOT VALID;";
  ExpectLife("  - validate_constraint: {table: part, name: c}\n", "CONSTRAINT c CHECK ((k < 5))");
  EXPECT_THAT(Unpromised(), IsEmpty());
}

TEST_F(ValidateConstraintTest, AConstraintThatIsNotThereIsRefused) {
  EXPECT_THAT(Refusal(Validate("no")), HasSubstr("there are: \"Peo ple_pkey\", \"c c\", fk"));
}

}  // namespace
}  // namespace curlew::operations
