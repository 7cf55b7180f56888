#include <gmock/gmock.h>

#include "absl/strings/str_cat.h"
#include "tests/support/operation_harness.h"

namespace curlew::operations {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

class AddDomainConstraintTest : public ::curlew::testing::OperationTest {};

constexpr char kPlan[] =
    "  - add_domain_constraint: {domain: '\"Do m\"', name: 'Posi tive', expression: VALUE > 0}";
constexpr char kAcknowledged[] = "\nsettings: {acknowledge: [blocks-writes]}";

TEST_F(AddDomainConstraintTest, IsValidatedWhereNoTableStoresTheDomain) {
  setup_ =
      "CREATE DOMAIN \"Do m\" AS int CONSTRAINT \"a first\" CHECK (VALUE < 9); CREATE TABLE empty (d \"Do "
      "m\");";
  ExpectLife(kPlan, "CONSTRAINT \"Posi tive\" CHECK ((VALUE > 0))");
  EXPECT_THAT(Unpromised(), IsEmpty());
}

TEST_F(AddDomainConstraintTest, WantsTheLockAcknowledgedWhereATableStoresIt) {
  setup_ =
      "CREATE DOMAIN \"Do m\" AS int; CREATE DOMAIN above AS \"Do m\"; CREATE TABLE \"T t\" (a int, b above);"
      "INSERT INTO \"T t\" VALUES (1, 1); CREATE VIEW v AS SELECT b FROM \"T t\";";
  EXPECT_THAT(RunError(kPlan), AllOf(HasSubstr("no table with rows stores domain public.\"Do m\""),
                                     HasSubstr(": 1 public.\"T t\".b")));
  ExpectLife(absl::StrCat(kPlan, kAcknowledged), "CONSTRAINT \"Posi tive\" CHECK ((VALUE > 0))");
  EXPECT_THAT(compiled_.warnings(), ElementsAre(HasSubstr("validation blocks all writes")));
}

TEST_F(AddDomainConstraintTest, ShowsTheLockOnTablesOfThePlan) {
  setup_ = "CREATE DOMAIN \"Do m\" AS int; ALTER TABLE \"Peo ple\" ADD d \"Do m\";";
  ExpectLife(absl::StrCat(kPlan, "\n  - set_not_null: {table: '\"Peo ple\"', column: age}", kAcknowledged),
             "Posi tive");
  bool shown = false;
  for (const v1::Step& step : compiled_.steps()) {
    for (const v1::TableLock& lock : step.locks()) shown |= lock.mode() == "ShareLock" && step.scans();
  }
  EXPECT_TRUE(shown);
}

// What the documentation says of the lock, as the server has it.
TEST_F(AddDomainConstraintTest, ValidationTakesAShareLockAndNotValidTakesNone) {
  auto connection =
      Connect(NewDatabase("CREATE DOMAIN d AS int; CREATE TABLE t (a d); INSERT INTO t VALUES (1)"));
  const std::string locks =
      "SELECT string_agg(mode, ',') FROM pg_locks WHERE relation = 't'::regclass AND pid = pg_backend_pid()";
  auto ask = [&](const std::string& sql) {
    EXPECT_TRUE(connection->Execute("BEGIN; " + sql).ok());
    const auto held = connection->Execute(locks);
    EXPECT_TRUE(connection->Execute("COMMIT").ok());
    return held.ok() ? held->Text(0, 0) : std::string(held.status().message());
  };
  EXPECT_EQ(ask("ALTER DOMAIN d ADD CONSTRAINT k CHECK (VALUE > 0) NOT VALID"), "");
  EXPECT_EQ(ask("ALTER DOMAIN d VALIDATE CONSTRAINT k"), "ShareLock");
}

TEST_F(AddDomainConstraintTest, StopsBeforeWhatPostgresqlCannotValidate) {
  setup_ =
      "CREATE DOMAIN \"Do m\" AS int; CREATE TYPE pair AS (x \"Do m\", y int); CREATE TABLE t (a pair[]);";
  EXPECT_THAT(RunError(absl::StrCat(kPlan, kAcknowledged)),
              AllOf(HasSubstr("no column holds arrays, rows or ranges of domain"), HasSubstr("public.t.a")));
  setup_ = "CREATE DOMAIN \"Do m\" AS int; CREATE TABLE t (a \"Do m\"[]);";
  EXPECT_THAT(RunError(absl::StrCat(kPlan, kAcknowledged)), HasSubstr("public.t.a"));
}

TEST_F(AddDomainConstraintTest, TakesANameThatThePlanFrees) {
  setup_ = "CREATE DOMAIN \"Do m\" AS int CONSTRAINT \"Posi tive\" CHECK (VALUE > 100);";
  EXPECT_THAT(
      RunError(absl::StrCat("  - drop_domain_constraint: {domain: '\"Do m\"', name: 'Posi tive'}\n", kPlan)),
      IsEmpty());
  EXPECT_EQ(
      Query(conninfo_, "SELECT pg_get_constraintdef(oid) FROM pg_constraint WHERE conname = 'Posi tive'"),
      "CHECK ((VALUE > 0))");
  EXPECT_THAT(Refusal(kPlan), HasSubstr("already has a constraint named \"Posi tive\""));
}

TEST_F(AddDomainConstraintTest, RefusesWhatIsNoDomain) {
  EXPECT_THAT(Refusal(kPlan), AllOf(HasSubstr("add_domain_constraint"), HasSubstr("does not exist")));
  EXPECT_THAT(Refusal("  - add_domain_constraint: {domain: d, name: k, expression: other > 0}"),
              HasSubstr("write VALUE"));
}
}  // namespace
}  // namespace curlew::operations
