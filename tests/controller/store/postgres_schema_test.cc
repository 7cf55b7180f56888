#include "controller/store/postgres_schema.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <thread>

#include "common/base/error_detail.h"
#include "tests/controller/store/postgres_store.h"

namespace curlew::store {
namespace {

using ::curlew::testing::IsOkAndHolds;
using ::curlew::testing::StatusIs;
using ::testing::HasSubstr;

class PostgresSchemaTest : public ::testing::Test {
 protected:
  std::string Objects() {
    return database_.Sql(
        "SELECT string_agg(c.relname, ',' ORDER BY c.relname) FROM pg_class c"
        " WHERE c.relnamespace = 'curlew_controller'::regnamespace AND c.relname NOT LIKE 'schema_version%'");
  }

  PostgresDatabase database_;
  PostgresSession session_{database_.options(), "test"};
  const std::vector<Migration> migrations_ = PostgresMigrations();
  const int newest_ = static_cast<int>(migrations_.size());
};

TEST_F(PostgresSchemaTest, EachMigrationIsVerifiedAndUndoneByItsOwnFiles) {
  ASSERT_FALSE(migrations_.empty());
  database_.Sql("CREATE SCHEMA curlew_controller");
  for (size_t i = 0; i < migrations_.size(); ++i) {
    const Migration& migration = migrations_[i];
    EXPECT_EQ(migration.version, static_cast<int>(i) + 1);
    const std::string before = Objects();
    EXPECT_EQ(database_.Sql(migration.verify), "f") << migration.name;
    database_.Sql(migration.up);
    EXPECT_EQ(database_.Sql(migration.verify), "t") << migration.name;
    const std::string after = Objects();
    database_.Sql(migration.down);
    EXPECT_EQ(Objects(), before) << migration.name;
    database_.Sql(migration.up);
    EXPECT_EQ(Objects(), after) << migration.name;
  }
}

TEST_F(PostgresSchemaTest, RunsGoBackIntoTheirRolloutWhereTheirTableGoes) {
  ASSERT_OK(MigratePostgres(session_, migrations_));
  ASSERT_EQ(migrations_[2].name, "0003_runs");
  database_.Sql(
      "INSERT INTO curlew_controller.rollout (name, version, last_event, rollout)"
      " VALUES ('a', 1, 0, '\\x0a00ff'), ('b', 1, 0, '\\x01');"
      "INSERT INTO curlew_controller.run VALUES ('a', 1, '\\x0500'), ('a', 10, '\\x07'), ('a', 2, '\\x80')");
  database_.Sql(migrations_[2].down);
  EXPECT_EQ(database_.Sql("SELECT string_agg(encode(rollout, 'hex'), ',' ORDER BY name)"
                          " FROM curlew_controller.rollout"),
            "0a00ff05008007,01");
}

TEST_F(PostgresSchemaTest, MigratesAnEmptyDatabaseAndLeavesANewOneAlone) {
  EXPECT_THAT(ReadPostgresVersion(session_, newest_), IsOkAndHolds(0));
  ASSERT_OK(MigratePostgres(session_, migrations_));
  EXPECT_THAT(ReadPostgresVersion(session_, newest_), IsOkAndHolds(newest_));
  ASSERT_OK(MigratePostgres(session_, migrations_));
  EXPECT_EQ(database_.Sql("SELECT count(*) FROM curlew_controller.schema_version"), std::to_string(newest_));
}

TEST_F(PostgresSchemaTest, OfSeveralThatStartTogetherOneMigrates) {
  std::vector<std::thread> threads;
  std::vector<absl::Status> statuses(6);
  for (absl::Status& status : statuses) {
    threads.emplace_back([&] {
      PostgresSession session(database_.options(), "test");
      status = MigratePostgres(session, migrations_);
    });
  }
  for (std::thread& thread : threads) thread.join();
  for (const absl::Status& status : statuses) EXPECT_OK(status);
  EXPECT_EQ(database_.Sql("SELECT count(*) FROM curlew_controller.schema_version"), std::to_string(newest_));
}

TEST_F(PostgresSchemaTest, DoesNotWaitForEverForAnotherThatMigrates) {
  auto other = database_.Session();
  ASSERT_OK(other->Execute("SELECT pg_advisory_lock(7155767)"));
  PostgresStoreOptions options = database_.options();
  options.lock_timeout = absl::Milliseconds(50);
  PostgresSession session(options, "test");
  const absl::Status status = MigratePostgres(session, migrations_);
  EXPECT_THAT(status, StatusIs(absl::StatusCode::kUnavailable, HasSubstr("another controller")));
  EXPECT_EQ(database_.Sql("SELECT count(*) FROM pg_namespace WHERE nspname = 'curlew_controller'"), "0");
}

TEST_F(PostgresSchemaTest, AMigrationThatIsNotInForceIsTakenBack) {
  const std::vector<Migration> bad = {{.version = 1,
                                       .name = "0001_bad",
                                       .up = "CREATE TABLE curlew_controller.bad (x integer)",
                                       .down = "",
                                       .verify = "SELECT false"}};
  EXPECT_THAT(MigratePostgres(session_, bad), StatusIs(absl::StatusCode::kInternal, HasSubstr("0001_bad")));
  EXPECT_EQ(database_.Sql("SELECT count(*) FROM pg_namespace WHERE nspname = 'curlew_controller'"), "0");
}

TEST_F(PostgresSchemaTest, RefusesASchemaThatIsNewerThanItselfAndLeavesItAlone) {
  ASSERT_OK(MigratePostgres(session_, migrations_));
  database_.Sql("INSERT INTO curlew_controller.schema_version VALUES (77, '0077_future')");
  const absl::Status status = MigratePostgres(session_, migrations_);
  EXPECT_THAT(status,
              StatusIs(absl::StatusCode::kFailedPrecondition, HasSubstr("newer Curlew (schema version 77")));
  EXPECT_EQ(base::Detail(status, base::kReason), "STORE_NEWER");
}

TEST_F(PostgresSchemaTest, RefusesASchemaOfItsNameWithOtherThingsInIt) {
  database_.Sql("CREATE SCHEMA curlew_controller; CREATE TABLE curlew_controller.photos (x integer)");
  EXPECT_THAT(MigratePostgres(session_, migrations_),
              StatusIs(absl::StatusCode::kFailedPrecondition, HasSubstr("something else")));
  EXPECT_EQ(Objects(), "photos");
}

// As an administrator does it who gives the controller no right to make schemas.
TEST_F(PostgresSchemaTest, FillsAnEmptySchemaThatWasMadeForIt) {
  const std::string role = database_.Role();
  database_.Sql(absl::StrCat("CREATE SCHEMA curlew_controller AUTHORIZATION ", role));
  PostgresStoreOptions options = database_.options();
  options.url = database_.As(role);
  PostgresSession session(options, "test");
  EXPECT_OK(MigratePostgres(session, migrations_));
  EXPECT_THAT(ReadPostgresVersion(session, newest_), IsOkAndHolds(newest_));
}

TEST_F(PostgresSchemaTest, RefusesASchemaOfARoleThatItHasNoPowerOver) {
  database_.Sql("CREATE SCHEMA curlew_controller");
  PostgresStoreOptions options = database_.options();
  options.url = database_.As(database_.Role());
  PostgresSession session(options, "test");
  EXPECT_THAT(MigratePostgres(session, migrations_),
              StatusIs(absl::StatusCode::kFailedPrecondition, HasSubstr("belongs to a role")));
}

TEST_F(PostgresSchemaTest, ARoleThatMayNotMakeASchemaIsTold) {
  PostgresStoreOptions options = database_.options();
  options.url = database_.As(database_.Role());
  PostgresSession session(options, "test");
  const absl::Status status = MigratePostgres(session, migrations_);
  EXPECT_THAT(status, StatusIs(absl::StatusCode::kUnavailable, HasSubstr("CREATE on the database")));
  EXPECT_EQ(base::Detail(status, base::kReason), "STORE_NOT_ACCESSIBLE");
}

}  // namespace
}  // namespace curlew::store
