#include "controller/store/store_location.h"

#include "SQLiteCpp/Database.h"
#include "common/base/error_detail.h"
#include "controller/store/sqlite_schema.h"
#include "tests/controller/store/fixture.h"
#include "tests/controller/store/store_location_suite.h"

namespace curlew::store {
namespace {

using ::testing::AllOf;

std::unique_ptr<StoreLocation> Parse(const std::string& url) {
  auto location = StoreLocation::Parse(url, absl::Seconds(5));
  EXPECT_OK(location) << url;
  return location.ok() ? *std::move(location) : nullptr;
}

class Sqlite {
 public:
  StoreLocation& here() { return *here_; }
  StoreLocation& there() { return *there_; }

 private:
  TempFolder folder_;
  std::unique_ptr<StoreLocation> here_ = Parse("sqlite://" + folder_.File("here.db"));
  std::unique_ptr<StoreLocation> there_ = Parse(folder_.File("there.db"));
};

INSTANTIATE_TYPED_TEST_SUITE_P(Sqlite, StoreLocationTest, Sqlite);

TEST(StoreLocationParseTest, KnowsItsUrlsAndNamesThemWithoutPasswords) {
  const std::pair<const char*, const char*> kUrls[] = {
      {"sqlite:///var/lib/curlew.db", "/var/lib/curlew.db"},
      {"sqlite:curlew.db", "curlew.db"},
      {"sqlite:./a/b.db", "./a/b.db"},
      {"SQLITE:///x", "/x"},
      {"curlew.db", "curlew.db"},
      {"/var/lib/curlew.db", "/var/lib/curlew.db"},
      {"./odd:name.db", "./odd:name.db"},
      {"/srv/x=1/curlew.db", "/srv/x=1/curlew.db"},
      {"postgresql://curlew@db/curlew", "postgresql://curlew@db/curlew"},
      {"postgres://curlew@db:5433/curlew", "postgresql://curlew@db:5433/curlew"},
      {"PostgreSQL://db/curlew", "postgresql://db/curlew"},
      {"postgresql://curlew:secret@db/curlew", "postgresql://curlew@db/curlew"},
      {"postgresql://curlew:s%3Acret%40x@db/curlew", "postgresql://curlew@db/curlew"},
      {"postgresql://db/curlew?user=curlew&password=secret", "postgresql://curlew@db/curlew"},
      {"postgresql://db/curlew?p%61ssword=secret&sslpassword=secret", "postgresql://db/curlew"},
      {"postgresql://curlew:secret@one:5432,two:5433/curlew", "postgresql://curlew@one:5432,two:5433/curlew"},
      {"postgresql://u:secret@[::1]:5433/c", "postgresql://u@[::1]:5433/c"},
      {"postgresql:///curlew?host=/run/pg&port=5433&passfile=/secret",
       "postgresql:///curlew?host=/run/pg&port=5433"},
  };
  for (const auto& [url, name] : kUrls) EXPECT_EQ(Parse(url)->Name(), name) << url;
}

TEST(StoreLocationParseTest, RefusesOtherUrlsWithoutShowingWhatMayBeSecret) {
  for (const char* url :
       {"", "sqlite:", "sqlite://", "sqlite://host/x.db", "mysql://u:secret@h/d", "postgresql:secret",
        "postgresql://u:secret@h:port:x/d?nosuch=secret", "postgres://u@h/d?password=%zzsecret",
        "file:///secret", "host=db password=secret dbname=curlew"}) {
    EXPECT_THAT(
        StoreLocation::Parse(url, absl::Seconds(5)),
        StatusIs(absl::StatusCode::kInvalidArgument, AllOf(HasSubstr("--store"), Not(HasSubstr("secret")))))
        << url;
  }
}

class SqliteLocationTest : public ::testing::Test {
 protected:
  // A store as version `version` left it.
  void MakeFixture(int version) {
    SQLite::Database database(path_, SQLite::OPEN_READWRITE | SQLite::OPEN_CREATE);
    database.exec(Fixture(absl::StrCat("sqlite_", version)));
  }

  TempFolder folder_;
  const std::string path_ = folder_.File("store.db");
  const std::unique_ptr<StoreLocation> location_ = Parse(path_);
};

TEST_F(SqliteLocationTest, StoresOfEveryEarlierVersionAreReadRightly) {
  const int newest = static_cast<int>(ControllerMigrations().size());
  for (int version = 1; version <= newest; ++version) {
    SCOPED_TRACE(version);
    MakeFixture(version);
    EXPECT_OK(location_->Check()) << "before it is brought up to date";
    ASSERT_OK(location_->Backup(folder_.File(absl::StrCat(version, ".backup"))));
    const auto restored = Parse(folder_.File("restored.db"));
    ASSERT_OK(restored->Restore(folder_.File(absl::StrCat(version, ".backup"))));
    {
      const OpenStore open = Lead(*restored);
      if (version >= 3) ExpectRunsOfFixture(*open.store);
      ExpectContentOfFixture(*open.store);
      if (version >= 3) ExpectRecordsOfFixture(*open.store);
      if (version >= 5) ExpectTokensOfFixture(*open.store);
    }
    {
      const OpenStore open = Lead(*location_);
      if (version >= 3) ExpectRunsOfFixture(*open.store);
      ExpectContentOfFixture(*open.store);
      if (version >= 3) ExpectRecordsOfFixture(*open.store);
      if (version >= 5) ExpectTokensOfFixture(*open.store);
    }
    EXPECT_THAT(location_->Check(), IsOkAndHolds(HasSubstr(absl::StrCat("schema version ", newest))));
    for (const auto& file : std::filesystem::directory_iterator(folder_.path()))
      std::filesystem::remove(file);
  }
}

TEST_F(SqliteLocationTest, MigratingSaysWhatWasDone) {
  MakeFixture(1);
  const size_t newest = ControllerMigrations().size();
  EXPECT_THAT(location_->Migrate(),
              IsOkAndHolds(HasSubstr(absl::StrCat("from schema version 1 to ", newest))));
  EXPECT_THAT(location_->Migrate(),
              IsOkAndHolds(HasSubstr(absl::StrCat("up to date (schema version ", newest, ")"))));
  ExpectContentOfFixture(*Lead(*location_).store);
}

TEST_F(SqliteLocationTest, NothingIsMigratedUnderALeader) {
  MakeFixture(1);
  ASSERT_OK_AND_ASSIGN(auto lease, location_->OpenLease({"old", "old:7441"}));
  ASSERT_TRUE(lease->Hold()->mine);
  EXPECT_THAT(location_->Migrate(), StatusIs(absl::StatusCode::kFailedPrecondition, HasSubstr("old:7441")));
  EXPECT_THAT(location_->Check(), IsOkAndHolds(HasSubstr("schema version 1")));
}

TEST_F(SqliteLocationTest, AStoreOfANewerVersionIsRefusedByAllAndLeftAlone) {
  MakeFixture(2);
  {
    SQLite::Database database(path_, SQLite::OPEN_READWRITE);
    database.exec("INSERT INTO schema_version VALUES (77, '0077_future', 'then')");
  }
  const std::string before = ContentOf(path_);
  const auto newer =
      StatusIs(absl::StatusCode::kFailedPrecondition, HasSubstr("newer Curlew (schema version 77"));
  EXPECT_THAT(location_->OpenLease({"a", "a:1"}), newer);
  EXPECT_THAT(location_->OpenStore(1), newer);
  EXPECT_THAT(location_->Backup(folder_.File("b")), newer);
  EXPECT_THAT(location_->Check(), newer);
  EXPECT_THAT(location_->Migrate(), newer);
  EXPECT_EQ(ContentOf(path_), before);
}

TEST_F(SqliteLocationTest, ACheckFindsWhatIsDamaged) {
  const std::pair<const char*, const char*> kDamage[] = {
      {"UPDATE rollout SET rollout = x'ffffffff' WHERE name = 'rollouts/ended'",
       "rollouts/ended\" cannot be read"},
      {"UPDATE run SET run = x'ffffffff' WHERE position = 1", "rollouts/running\" cannot be read"},
      {"UPDATE plan SET stored = x'ff'", "plan \"plans/rename-phone-1\" cannot be read"},
      {"UPDATE plan SET digest = '2'", "another name or digest"},
      {"DELETE FROM event WHERE number = 2 AND rollout = 'rollouts/ended'",
       "event 3 of rollout \"rollouts/ended\" "
       "stands where event 2 belongs"},
      {"DELETE FROM event WHERE number = 3", "counts events up to 3, but has them from 1 up to 2"},
      {"UPDATE event SET event = x'ff' WHERE number = 2",
       "event 2 of rollout \"rollouts/running\" cannot be read"},
      {"UPDATE outbox SET rollout = 'rollouts/none'", "command 3 is of rollout \"rollouts/none\""},
      {"UPDATE compiled_plan SET compiled_plan = x'ff'", "runs/staging-crm\" cannot be read"},
      {"UPDATE sqlite_sequence SET seq = 3 WHERE name = 'outbox'",
       "table outbox has number 4, but counts only up to 3"},
      {"UPDATE environment SET position = 7 WHERE position = 1", "has position 7, not 1"},
      {"UPDATE rollout SET name = 'x' || char(0) WHERE sequence = 1", "that is no text"},
      // By somebody who has removed what guards them.
      {"UPDATE audit SET hash = 'x' WHERE number = 1", "audit entry 1 holds another number or hash"},
      {"UPDATE audit SET entry = x'ff' WHERE number = 2", "audit entry 2 cannot be read"},
      {"UPDATE audit SET entry = CAST(replace(CAST(entry AS TEXT), 'ada', 'eve') AS BLOB) WHERE number = 2",
       "audit entry 2 was changed"},
      {"DELETE FROM audit WHERE number = 1", "audit entry 1 is missing"},
      {"UPDATE target_record SET number = 3 WHERE number = 2",
       "record 3 of target \"staging-crm\" stands where record 2 belongs"},
      {"UPDATE target_record SET target = 'erp'", "holds another target or number"},
      {"UPDATE target_record SET record = x'ff' WHERE number = 1",
       "record 1 of target \"staging-crm\" cannot be read"},
      {"UPDATE notification SET notification = x'ff' WHERE id = 3", "notification 3 cannot be read"},
      {"UPDATE sqlite_sequence SET seq = 2 WHERE name = 'notification'",
       "table notification has number 3, but counts only up to 2"},
      {"UPDATE token SET token = x'ff' WHERE sequence = 1", "token \"tokens/ci\" cannot be read"},
      {"UPDATE token SET name = 'tokens/admin' WHERE sequence = 2",
       "token \"tokens/admin\" holds another name: \"tokens/ci\""},
      {"UPDATE token SET hash = 'x' WHERE sequence = 1", "token \"tokens/ci\" has a hash that is none"},
      {"UPDATE sqlite_sequence SET seq = 1 WHERE name = 'token'",
       "table token has number 2, but counts only up to 1"},
  };
  for (const auto& [damage, found] : kDamage) {
    SCOPED_TRACE(damage);
    MakeFixture(5);
    EXPECT_OK(location_->Check());
    {
      SQLite::Database database(path_, SQLite::OPEN_READWRITE);
      database.exec("PRAGMA foreign_keys = OFF");
      for (const char* table : {"audit", "target_record"}) {
        for (const char* guard : {"changed", "removed", "replaced"}) {
          database.exec(absl::StrCat("DROP TRIGGER ", table, "_is_not_", guard));
        }
      }
      database.exec(damage);
    }
    const absl::Status status = location_->Check().status();
    EXPECT_EQ(status.code(), absl::StatusCode::kDataLoss);
    // A reference that leads nowhere is found by SQLite itself, and first.
    EXPECT_THAT(std::string(status.message()),
                ::testing::AnyOf(HasSubstr(found), HasSubstr("refers to one of table")));
    EXPECT_EQ(base::Detail(status, base::kReason), "STORE_DAMAGED");
    for (const auto& file : std::filesystem::directory_iterator(folder_.path()))
      std::filesystem::remove(file);
  }
}

}  // namespace
}  // namespace curlew::store
