#include "agent/journal/migrator.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <thread>

#include "tests/support/pg_test.h"
#include "tests/support/status_matchers.h"

namespace curlew::agent {
namespace {

using ::curlew::testing::IsOkAndHolds;
using ::curlew::testing::StatusIs;
using ::testing::HasSubstr;

class MigratorTest : public ::curlew::testing::PgTest {
 protected:
  const std::string conninfo_ = NewDatabase();
  const std::unique_ptr<pg::Connection> connection_ = Connect(conninfo_);
};

TEST_F(MigratorTest, InstallsTheJournalOnceHoweverOftenItIsAsked) {
  EXPECT_THAT(ReadJournalVersion(connection_.get()), IsOkAndHolds(0));
  ASSERT_OK(MigrateJournal(connection_.get()));
  EXPECT_THAT(ReadJournalVersion(connection_.get()), IsOkAndHolds(JournalVersion()));
  Query(conninfo_, "INSERT INTO curlew.run VALUES ('r', 'p', 'd', '{}') RETURNING 1");
  ASSERT_OK(MigrateJournal(connection_.get()));
  EXPECT_EQ(Query(conninfo_, "SELECT count(*) FROM curlew.run"), "1");
}

TEST_F(MigratorTest, LeavesNothingBehindWhenTakenBack) {
  const std::string before = Query(conninfo_, "SELECT string_agg(nspname, ' ' ORDER BY 1) FROM pg_namespace");
  ASSERT_OK(MigrateJournal(connection_.get()));
  ASSERT_OK(RemoveJournal(connection_.get()));
  EXPECT_EQ(Query(conninfo_, "SELECT string_agg(nspname, ' ' ORDER BY 1) FROM pg_namespace"), before);
  ASSERT_OK(MigrateJournal(connection_.get()));
}

TEST_F(MigratorTest, IsTakenBackWhileAWalkHasJustBegun) {
  ASSERT_OK(MigrateJournal(connection_.get()));
  Query(conninfo_, "INSERT INTO curlew.run VALUES ('r', 'p', 'd', '{}') RETURNING 1");
  Query(conninfo_,
        "INSERT INTO curlew.backfill (run, step, leaf, leaf_name, relfilenode, blocks, bound, claimed)"
        " VALUES ('r', 'unclaimed', 1, 't', 2, 9, '(9,0)', ''), ('r', 'claimed', 1, 't', 2, 9, '(9,0)', "
        "'(4,0)')"
        " RETURNING 1");
  Query(conninfo_,
        "INSERT INTO curlew.backfill_range (run, step, leaf, first, last, next)"
        " VALUES ('r', 'claimed', 1, '', '(4,0)', '(2,0)') RETURNING 1");
  EXPECT_OK(RemoveJournal(connection_.get()));
}

TEST_F(MigratorTest, IsNotTakenBackWhileDualWriteFunctionsLiveInTheSchema) {
  ASSERT_OK(MigrateJournal(connection_.get()));
  Query(conninfo_, "CREATE FUNCTION curlew.dual() RETURNS int LANGUAGE sql AS 'SELECT 1'");
  EXPECT_FALSE(RemoveJournal(connection_.get()).ok());
  EXPECT_THAT(ReadJournalVersion(connection_.get()), IsOkAndHolds(JournalVersion()));
}

TEST_F(MigratorTest, RefusesAJournalOfANewerAgent) {
  ASSERT_OK(MigrateJournal(connection_.get()));
  Query(conninfo_, "INSERT INTO curlew.migration (version, name) VALUES (999, 'future') RETURNING 1");
  EXPECT_THAT(MigrateJournal(connection_.get()),
              StatusIs(absl::StatusCode::kFailedPrecondition, HasSubstr("version 999")));
}

TEST_F(MigratorTest, SeveralAtOnceInstallItOnce) {
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&] {
      const auto connection = Connect(conninfo_);
      absl::Status status = MigrateJournal(connection.get());
      while (absl::IsAborted(status)) status = MigrateJournal(connection.get());
      EXPECT_OK(status);
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(Query(conninfo_, "SELECT count(*) FROM curlew.migration"), absl::StrCat(JournalVersion()));
}

TEST_F(MigratorTest, NamesWhatARoleLacks) {
  const std::string role = NewRole("LOGIN");
  const auto connection = Connect(AsUser(conninfo_, role));
  ASSERT_NE(connection, nullptr);
  EXPECT_THAT(MigrateJournal(connection.get()),
              StatusIs(absl::StatusCode::kPermissionDenied, HasSubstr("cannot install the journal")));
}

}  // namespace
}  // namespace curlew::agent
