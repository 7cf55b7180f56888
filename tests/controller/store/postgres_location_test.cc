#include "controller/store/postgres_location.h"

#include "common/base/error_detail.h"
#include "controller/store/backup.h"
#include "controller/store/postgres_schema.h"
#include "tests/controller/store/fixture.h"
#include "tests/controller/store/postgres_store.h"
#include "tests/controller/store/store_location_suite.h"

namespace curlew::store {
namespace {

std::unique_ptr<StoreLocation> Parse(const std::string& url) {
  auto location = StoreLocation::Parse(url, absl::Seconds(30));
  EXPECT_OK(location) << url;
  return location.ok() ? *std::move(location) : nullptr;
}

// A lease that is not released ends with its term: these tests do not wait for that.
class Postgres {
 public:
  StoreLocation& here() { return *here_; }
  StoreLocation& there() { return *there_; }

 private:
  PostgresDatabase here_database_, there_database_;
  std::unique_ptr<StoreLocation> here_ = Parse(here_database_.url());
  std::unique_ptr<StoreLocation> there_ = Parse(there_database_.url());
};

INSTANTIATE_TYPED_TEST_SUITE_P(Postgres, StoreLocationTest, Postgres);

class PostgresLocationTest : public ::testing::Test {
 protected:
  PostgresDatabase database_;
  TempFolder folder_;
  const std::unique_ptr<StoreLocation> location_ = Parse(database_.url());
};

// There and back again: what comes out is what went in, row by row.
TEST_F(PostgresLocationTest, AStoreMovesFromSqliteToPostgresAndBackUnchanged) {
  const auto from = Parse(folder_.File("from.db"));
  Fill(*Lead(*from).store);
  ASSERT_OK(from->Backup(folder_.File("1")));
  ASSERT_OK(location_->Restore(folder_.File("1")));
  EXPECT_OK(location_->Check());
  ASSERT_OK(location_->Backup(folder_.File("2")));
  const auto back = Parse(folder_.File("back.db"));
  ASSERT_OK(back->Restore(folder_.File("2")));
  EXPECT_OK(back->Check());
  ASSERT_OK(back->Backup(folder_.File("3")));
  const auto rows = [&](const std::string& file) {
    std::vector<std::string> all;
    EXPECT_OK(ReadBackup(folder_.File(file), [&](const v1::StoreRow& row) {
      all.push_back(row.SerializeAsString());
      return absl::OkStatus();
    }));
    return all;
  };
  EXPECT_FALSE(rows("1").empty());
  EXPECT_EQ(rows("1"), rows("2"));
  EXPECT_EQ(rows("1"), rows("3"));
}

TEST_F(PostgresLocationTest, ARestoreThatFailsMidwayLeavesTheStoreEmpty) {
  const auto from = Parse(folder_.File("from.db"));
  Fill(*Lead(*from).store);
  ASSERT_OK(from->Backup(folder_.File("b")));
  { ASSERT_TRUE(Lead(*location_).store != nullptr); }
  database_.Sql(
      "UPDATE curlew_controller.leader SET released = true;"
      "CREATE FUNCTION public.full() RETURNS trigger LANGUAGE plpgsql AS"
      " 'BEGIN RAISE EXCEPTION ''could not extend file: No space left on device'' USING ERRCODE = ''53100'';"
      " END';"
      "CREATE TRIGGER full_disk BEFORE INSERT ON curlew_controller.outbox FOR EACH ROW"
      " EXECUTE FUNCTION public.full()");
  const absl::Status status = location_->Restore(folder_.File("b"));
  EXPECT_EQ(base::Detail(status, base::kReason), "STORE_FULL") << status;
  EXPECT_EQ(database_.Sql("SELECT count(*) FROM curlew_controller.plan"), "0");
  database_.Sql("DROP TRIGGER full_disk ON curlew_controller.outbox");
  EXPECT_OK(location_->Restore(folder_.File("b")));
  EXPECT_OK(location_->Check());
}

TEST_F(PostgresLocationTest, StoresOfEveryEarlierVersionAreReadRightly) {
  const int newest = static_cast<int>(PostgresMigrations().size());
  for (int version = 1; version <= newest; ++version) {
    SCOPED_TRACE(version);
    PostgresDatabase database;
    database.Sql(Fixture(absl::StrCat("postgres_", version)));
    const auto location = Parse(database.url());
    EXPECT_OK(location->Check()) << "before it is brought up to date";
    ASSERT_OK(location->Backup(folder_.File(absl::StrCat(version, ".backup"))));
    const OpenStore open = Lead(*location);
    EXPECT_EQ(open.epoch, 8);
    if (version >= 2) ExpectRunsOfFixture(*open.store);
    ExpectContentOfFixture(*open.store);
    if (version >= 2) ExpectRecordsOfFixture(*open.store);
    if (version >= 4) ExpectTokensOfFixture(*open.store);
    EXPECT_THAT(location->Check(),
                IsOkAndHolds(::testing::AllOf(HasSubstr(absl::StrCat("schema version ", newest)),
                                              HasSubstr("the controller at a:7441 leads (epoch 8)"))));
  }
}

TEST_F(PostgresLocationTest, ACheckFindsWhereTheAuditLogBreaks) {
  Fill(*Lead(*location_).store);
  ASSERT_OK(location_->Check());
  database_.Sql(
      "ALTER TABLE curlew_controller.audit DISABLE TRIGGER USER;"
      "UPDATE curlew_controller.audit SET entry ="
      " decode(replace(encode(entry, 'hex'), encode('approve', 'hex'), encode('abandon', 'hex')), 'hex');");
  EXPECT_THAT(location_->Check(),
              StatusIs(absl::StatusCode::kDataLoss, HasSubstr("audit entry 2 was changed")));
  EXPECT_THAT(location_->Backup(folder_.File("b")), curlew::testing::IsOk())
      << "a backup is what there is: it is looked at before it is restored";
}

TEST_F(PostgresLocationTest, AStoreOfANewerVersionIsRefusedByAll) {
  database_.Sql(Fixture("postgres_1"));
  database_.Sql("INSERT INTO curlew_controller.schema_version VALUES (77, '0077_future')");
  const auto newer =
      StatusIs(absl::StatusCode::kFailedPrecondition, HasSubstr("newer Curlew (schema version 77"));
  EXPECT_THAT(location_->OpenLease({"a", "a:1"}), newer);
  EXPECT_THAT(location_->OpenStore(1), newer);
  EXPECT_THAT(location_->Backup(folder_.File("b")), newer);
  EXPECT_THAT(location_->Check(), newer);
  EXPECT_THAT(location_->Migrate(), newer);
}

TEST_F(PostgresLocationTest, ACheckFindsWhatIsDamaged) {
  database_.Sql(Fixture("postgres_1"));
  ASSERT_OK(location_->Check());
  database_.Sql("DELETE FROM curlew_controller.event WHERE number = 2 AND rollout = 'rollouts/ended'");
  EXPECT_THAT(location_->Check(),
              StatusIs(absl::StatusCode::kDataLoss, HasSubstr("stands where event 2 belongs")));
}

// What OpenLease has opened before may commit, and nobody else under its epoch.
TEST_F(PostgresLocationTest, AStoreIsOfTheInstanceWhoseLeaseWasOpened) {
  const OpenStore mine = Lead(*location_, "mine");
  const auto other = Parse(database_.url());
  ASSERT_OK(other->OpenLease({"other", "other:1"}));
  ASSERT_OK_AND_ASSIGN(auto store, other->OpenStore(mine.epoch));
  EXPECT_EQ(base::Detail(store->Commit(MakeChange("rollouts/a", 0, 0, 1)).status(), base::kReason),
            kNotLeader);
  EXPECT_OK(mine.store->Commit(MakeChange("rollouts/a", 0, 0, 1)));
}

TEST_F(PostgresLocationTest, NoErrorShowsThePasswordOfTheUrl) {
  const auto location = Parse("postgresql://nobody:s3cret@127.0.0.1:1/x?connect_timeout=1");
  EXPECT_THAT(location->OpenLease({"a", "a:1"}),
              StatusIs(absl::StatusCode::kUnavailable,
                       ::testing::AllOf(HasSubstr("nobody@127.0.0.1:1/x"), Not(HasSubstr("s3cret")))));
}

}  // namespace
}  // namespace curlew::store
