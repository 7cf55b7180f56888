// The leases that need no server, by the suite of all, and what is special about them.
#include "controller/store/leader_lease.h"

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <sstream>

#include "common/base/error_detail.h"
#include "controller/store/sqlite_leader_lease.h"
#include "tests/controller/store/leader_lease_suite.h"
#include "tests/controller/store/temp_folder.h"
#include "tests/support/fake_leader_lease.h"

namespace curlew::store {
namespace {

using ::curlew::testing::StatusIs;
using ::testing::HasSubstr;

class TestClock : public base::Clock {
 public:
  absl::Time Now() const override { return now_; }
  void Advance(absl::Duration duration) { now_ += duration; }

 private:
  absl::Time now_ = absl::UnixEpoch();
};

class Fake {
 public:
  std::unique_ptr<LeaderLease> Lease(const std::string& instance) {
    return std::make_unique<curlew::testing::FakeLeaderLease>(
        &leader_, &clock_, LeaderIdentity{instance, instance + ":7441"}, absl::Seconds(5));
  }

 private:
  TestClock clock_;
  curlew::testing::FakeLeader leader_;
};

class Sqlite {
 public:
  std::unique_ptr<LeaderLease> Lease(const std::string& instance) {
    return std::make_unique<SqliteLeaderLease>(path(), LeaderIdentity{instance, instance + ":7441"});
  }
  std::string path() const { return folder_.File("store.db"); }

 private:
  TempFolder folder_;
};

INSTANTIATE_TYPED_TEST_SUITE_P(Fake, LeaderLeaseTest, Fake);
INSTANTIATE_TYPED_TEST_SUITE_P(Sqlite, LeaderLeaseTest, Sqlite);

TEST(FakeLeaderLeaseTest, EndsByItsTerm) {
  TestClock clock;
  curlew::testing::FakeLeader leader;
  curlew::testing::FakeLeaderLease a(&leader, &clock, {"a", "a:1"}, absl::Seconds(5));
  curlew::testing::FakeLeaderLease b(&leader, &clock, {"b", "b:1"}, absl::Seconds(5));
  ASSERT_TRUE(a.Hold()->mine);
  clock.Advance(absl::Seconds(5));
  EXPECT_FALSE(b.Hold()->mine);
  clock.Advance(absl::Milliseconds(1));
  EXPECT_TRUE(b.Hold()->mine);
  EXPECT_FALSE(a.Hold()->mine);
  leader.failure = absl::UnavailableError("no");
  EXPECT_THAT(b.Hold(), StatusIs(absl::StatusCode::kUnavailable));
}

class SqliteLeaderLeaseTest : public ::testing::Test {
 protected:
  std::string Content() const {
    std::ifstream file(folder_.File("store.db.lock"));
    std::ostringstream content;
    content << file.rdbuf();
    return content.str();
  }

  TempFolder folder_;
  const std::string path_ = folder_.File("store.db");
  SqliteLeaderLease a_{path_, {"instance-a", "a:7441"}};
  SqliteLeaderLease b_{path_, {"instance-b", "b:7441"}};
};

TEST_F(SqliteLeaderLeaseTest, TheFileSaysWhoHoldsIt) {
  ASSERT_TRUE(a_.Hold()->mine);
  EXPECT_THAT(Content(), HasSubstr("address a:7441\n"));
  EXPECT_THAT(Content(), HasSubstr("instance instance-a\n"));
  EXPECT_THAT(Content(), HasSubstr(absl::StrCat("pid ", getpid(), "\n")));
  a_.Release();
  EXPECT_THAT(Content(), ::testing::Not(HasSubstr("a:7441")));
}

TEST_F(SqliteLeaderLeaseTest, ADeadProcessHoldsNothing) {
  int ready[2];
  ASSERT_EQ(pipe(ready), 0);
  const pid_t child = fork();
  if (child == 0) {
    SqliteLeaderLease lease(path_, {"child", "child:7441"});
    const auto held = lease.Hold();
    const char mine = held.ok() && held->mine ? 'y' : 'n';
    if (write(ready[1], &mine, 1) != 1) _exit(1);
    pause();
    _exit(0);
  }
  char mine = '?';
  ASSERT_EQ(read(ready[0], &mine, 1), 1);
  EXPECT_EQ(mine, 'y');
  const Leadership seen = *a_.Hold();
  EXPECT_FALSE(seen.mine);
  EXPECT_EQ(seen.address, "child:7441");
  kill(child, SIGSTOP);
  EXPECT_FALSE(a_.Hold()->mine) << "a process that stands still holds it";
  kill(child, SIGKILL);
  ASSERT_EQ(waitpid(child, nullptr, 0), child);
  const Leadership taken = *a_.Hold();
  EXPECT_TRUE(taken.mine);
  EXPECT_EQ(taken.epoch, seen.epoch + 1);
  close(ready[0]);
  close(ready[1]);
}

TEST_F(SqliteLeaderLeaseTest, WhoeverRemovesTheFileEndsTheLease) {
  ASSERT_TRUE(a_.Hold()->mine);
  std::filesystem::remove(path_ + ".lock");
  EXPECT_TRUE(b_.Hold()->mine);
  EXPECT_FALSE(a_.Hold()->mine);
  EXPECT_FALSE(a_.Hold()->mine);
  EXPECT_TRUE(b_.Hold()->mine);
}

TEST_F(SqliteLeaderLeaseTest, TheCountOfEpochsGoesOnWhateverTheFileHolds) {
  const int64_t first = a_.Hold()->epoch;
  std::filesystem::remove(path_ + ".lock");
  ASSERT_FALSE(a_.Hold()->mine);
  std::ofstream(path_ + ".lock") << "epoch x\n\xff\xfe";
  const Leadership again = *a_.Hold();
  EXPECT_TRUE(again.mine);
  EXPECT_GT(again.epoch, first);
}

TEST_F(SqliteLeaderLeaseTest, AnAddressCannotWriteLinesOfItsOwn) {
  SqliteLeaderLease odd(path_, {"c", "x\nepoch 900\n"});
  EXPECT_EQ(odd.Hold()->epoch, 1);
  EXPECT_EQ(a_.Hold()->epoch, 1);
}

TEST_F(SqliteLeaderLeaseTest, SaysThatTheFolderDoesNotExist) {
  SqliteLeaderLease lease(folder_.File("nowhere/store.db"), {"a", "a:1"});
  const absl::Status status = lease.Hold().status();
  EXPECT_THAT(status, StatusIs(absl::StatusCode::kUnavailable, HasSubstr("nowhere/store.db.lock")));
  EXPECT_EQ(base::Detail(status, base::kReason), "STORE_NOT_ACCESSIBLE");
}

}  // namespace
}  // namespace curlew::store
