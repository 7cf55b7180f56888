#include "controller/store/sqlite_schema.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "SQLiteCpp/Statement.h"
#include "tests/support/status_matchers.h"

namespace curlew::store {
namespace {

using ::curlew::testing::IsOkAndHolds;
using ::curlew::testing::StatusIs;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

class SqliteSchemaTest : public ::testing::Test {
 protected:
  std::vector<std::string> Objects() {
    std::vector<std::string> names;
    SQLite::Statement select(database_,
                             "SELECT name FROM sqlite_schema WHERE name NOT LIKE 'sqlite_%' ORDER BY name");
    while (select.executeStep()) names.push_back(select.getColumn(0).getString());
    return names;
  }

  SQLite::Database database_{":memory:", SQLite::OPEN_READWRITE | SQLite::OPEN_CREATE};
};

TEST_F(SqliteSchemaTest, MigrationsAreNumberedFromOneAndComplete) {
  const std::vector<Migration> migrations = ControllerMigrations();
  ASSERT_FALSE(migrations.empty());
  for (size_t i = 0; i < migrations.size(); ++i) {
    EXPECT_EQ(migrations[i].version, static_cast<int>(i) + 1);
    EXPECT_EQ(std::stoi(migrations[i].name.substr(0, 4)), migrations[i].version);
    EXPECT_FALSE(migrations[i].up.empty()) << migrations[i].name;
    EXPECT_FALSE(migrations[i].down.empty()) << migrations[i].name;
    EXPECT_FALSE(migrations[i].verify.empty()) << migrations[i].name;
  }
}

TEST_F(SqliteSchemaTest, EachMigrationIsVerifiedAndUndoneByItsOwnFiles) {
  for (const Migration& migration : ControllerMigrations()) {
    const std::vector<std::string> before = Objects();
    EXPECT_EQ(database_.execAndGet(std::string(migration.verify)).getInt(), 0) << migration.name;
    database_.exec(std::string(migration.up));
    EXPECT_EQ(database_.execAndGet(std::string(migration.verify)).getInt(), 1) << migration.name;
    const std::vector<std::string> after = Objects();
    database_.exec(std::string(migration.down));
    EXPECT_EQ(Objects(), before) << migration.name;
    database_.exec(std::string(migration.up));
    EXPECT_EQ(Objects(), after) << migration.name;
  }
}

TEST_F(SqliteSchemaTest, MigratesAnEmptyDatabaseAndLeavesANewOneAlone) {
  const std::vector<Migration> migrations = ControllerMigrations();
  const int newest = migrations.back().version;
  EXPECT_THAT(ReadVersion(database_, newest), IsOkAndHolds(0));
  ASSERT_OK(Migrate(database_, migrations));
  EXPECT_THAT(ReadVersion(database_, newest), IsOkAndHolds(newest));
  const int changes = database_.getTotalChanges();
  ASSERT_OK(Migrate(database_, migrations));
  EXPECT_EQ(database_.getTotalChanges(), changes);
}

TEST_F(SqliteSchemaTest, AnUpgradeKeepsCommandsThatAreOnTheirWayAndTheCountOfTheirIds) {
  std::vector<Migration> migrations = ControllerMigrations();
  const Migration kinds = migrations[1];
  ASSERT_EQ(kinds.name, "0002_outbox_kinds");
  ASSERT_OK(Migrate(database_, {migrations[0]}));
  database_.exec("PRAGMA foreign_keys = ON");
  database_.exec("INSERT INTO rollout (name, version, last_event, rollout) VALUES ('r', 1, 0, x'')");
  for (int i = 0; i < 3; ++i) {
    database_.exec(
        "INSERT INTO outbox (rollout, target, kind, payload) VALUES ('r', 't', 'cancel', x'00ff')");
  }
  database_.exec("DELETE FROM outbox WHERE id = 3");
  ASSERT_OK(Migrate(database_, migrations));
  EXPECT_EQ(database_.execAndGet("SELECT count(*) FROM outbox WHERE payload = x'00ff'").getInt(), 2);
  database_.exec("INSERT INTO outbox (rollout, target, kind, payload) VALUES ('r', 't', 'tune', x'')");
  EXPECT_EQ(database_.execAndGet("SELECT max(id) FROM outbox").getInt(), 4) << "3 was used";
  database_.exec(std::string(kinds.down));
  EXPECT_EQ(database_.execAndGet("SELECT count(*) FROM outbox").getInt(), 2);
  database_.exec("INSERT INTO outbox (rollout, target, kind, payload) VALUES ('r', 't', 'cancel', x'')");
  EXPECT_EQ(database_.execAndGet("SELECT max(id) FROM outbox").getInt(), 5);
}

TEST_F(SqliteSchemaTest, RunsGoBackIntoTheirRolloutWhereTheirTableGoes) {
  const std::vector<Migration> migrations = ControllerMigrations();
  const Migration runs = migrations[3];
  ASSERT_EQ(runs.name, "0004_runs");
  ASSERT_OK(Migrate(database_, migrations));
  database_.exec(
      "INSERT INTO rollout (name, version, last_event, rollout) VALUES ('a', 1, 0, x'0a00ff'), ('b', 1, 0, "
      "x'01')");
  database_.exec(
      "INSERT INTO run (rollout, position, run) VALUES ('a', 1, x'0500'), ('a', 10, x'07'), ('a', 2, "
      "x'80')");
  database_.exec(std::string(runs.down));
  EXPECT_EQ(database_.execAndGet("SELECT hex(rollout) FROM rollout WHERE name = 'a'").getString(),
            "0A00FF05008007");
  EXPECT_EQ(database_.execAndGet("SELECT hex(rollout) FROM rollout WHERE name = 'b'").getString(), "01");
  EXPECT_EQ(database_.execAndGet("SELECT typeof(rollout) FROM rollout WHERE name = 'a'").getString(), "blob");
}

TEST_F(SqliteSchemaTest, GoesOnFromTheVersionThatIsThere) {
  std::vector<Migration> migrations = ControllerMigrations();
  ASSERT_OK(Migrate(database_, migrations));
  Migration next{.version = static_cast<int>(migrations.size()) + 1,
                 .name = "9999_next",
                 .up = "CREATE TABLE next (x INTEGER)",
                 .down = "DROP TABLE next",
                 .verify = "SELECT count(*) = 1 FROM sqlite_schema WHERE name = 'next'"};
  migrations.push_back(next);
  ASSERT_OK(Migrate(database_, migrations));
  EXPECT_TRUE(database_.tableExists("next"));
  EXPECT_THAT(ReadVersion(database_, next.version), IsOkAndHolds(next.version));
}

TEST_F(SqliteSchemaTest, AMigrationThatIsNotInForceIsTakenBack) {
  const std::vector<Migration> migrations = {{.version = 1,
                                              .name = "0001_bad",
                                              .up = "CREATE TABLE bad (x INTEGER)",
                                              .down = "",
                                              .verify = "SELECT 0"}};
  EXPECT_THAT(Migrate(database_, migrations), StatusIs(absl::StatusCode::kInternal, HasSubstr("0001_bad")));
  EXPECT_THAT(Objects(), IsEmpty());
}

TEST_F(SqliteSchemaTest, RefusesASchemaThatIsNewerThanItself) {
  const std::vector<Migration> migrations = ControllerMigrations();
  ASSERT_OK(Migrate(database_, migrations));
  database_.exec("INSERT INTO schema_version VALUES (77, '0077_future', 'then')");
  EXPECT_THAT(Migrate(database_, migrations),
              StatusIs(absl::StatusCode::kFailedPrecondition, HasSubstr("newer Curlew (schema version 77")));
}

TEST_F(SqliteSchemaTest, RefusesADatabaseOfSomethingElse) {
  database_.exec("CREATE TABLE photos (x INTEGER)");
  EXPECT_THAT(Migrate(database_, ControllerMigrations()),
              StatusIs(absl::StatusCode::kFailedPrecondition, HasSubstr("something else")));
  EXPECT_FALSE(database_.tableExists("rollout"));
}

}  // namespace
}  // namespace curlew::store
