// Several controllers on one store, as real processes: one of them dies, ends, or freezes, and nobody has to
// do anything about it.
#include <google/protobuf/util/json_util.h>
#include <signal.h>

#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/str_split.h"
#include "absl/time/clock.h"
#include "curlew/v1/operator.pb.h"
#include "tests/e2e/fleet.h"
#include "tests/support/status_matchers.h"

namespace curlew {
namespace {

using ::curlew::testing::CommandResult;
using ::curlew::testing::FleetTest;
using ::curlew::testing::FreePort;
using ::curlew::testing::IsOk;
using ::curlew::testing::IsOkAndHolds;
using ::curlew::testing::Process;
using ::testing::AnyOf;
using ::testing::HasSubstr;
using ::testing::Not;

constexpr absl::Duration kPatience = absl::Seconds(30);

// An application's own trigger writes down every UPDATE, and takes its time: the test says how much.
constexpr char kContacts[] = R"(
  CREATE TABLE contacts (id bigint PRIMARY KEY, phone text NOT NULL);
  INSERT INTO contacts SELECT g, (5550000000 + g)::text FROM generate_series(1, 6000) AS g;
  CREATE TABLE written (id bigint);
  CREATE TABLE pace (seconds float8);
  INSERT INTO pace VALUES (0.02);
  CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
      INSERT INTO written VALUES (NEW.id);
      PERFORM pg_sleep(seconds) FROM pace WHERE seconds > 0;
      RETURN NULL;
    END $$;
  CREATE TRIGGER note AFTER UPDATE ON contacts FOR EACH ROW EXECUTE FUNCTION note();)";

constexpr char kPlan[] = R"yaml(
name: rename-phone
settings: {unused_for: 1s}
operations:
  - rename_column: {table: contacts, from: phone, to: phone_number, up: "'+1' || phone", down: "substr(phone_number, 3)"}
)yaml";

// "host=/tmp user=postgres" as a URL.
std::string UrlOf(absl::string_view conninfo) {
  return absl::StrCat("postgresql:///?", absl::StrReplaceAll(conninfo, {{" ", "&"}}));
}

class FailoverTest : public FleetTest {
 protected:
  void TearDown() override {
    if (HasFailure()) {
      for (const auto& controller : controllers_) std::cerr << "--- controller\n" << controller->output();
    }
    controllers_.clear();
    FleetTest::TearDown();
  }

  // Starts `count` controllers on one store; the first one leads. Clients are told of all.
  void StartControllers(int count, const std::string& store) {
    store_ = store;
    std::vector<std::string> addresses;
    for (int i = 0; i < count; ++i) addresses.push_back(absl::StrCat("127.0.0.1:", FreePort()));
    address_ = absl::StrJoin(addresses, ",");
    for (const std::string& address : addresses) {
      addresses_.push_back(address);
      controllers_.push_back(nullptr);
      Restart(static_cast<int>(controllers_.size()) - 1);
    }
    ASSERT_THAT(controllers_[0]->WaitForOutput("leads", absl::Seconds(1)), IsOk());
  }

  // The first that is started gets fault_.
  void Restart(int number) {
    std::vector<std::string> argv = {absl::StrCat(CURLEW_BIN, "/curlew-controller"),
                                     "--listen",
                                     addresses_[number],
                                     "--store",
                                     store_,
                                     "--leader-lease",
                                     "1s",
                                     "--heartbeat-interval",
                                     "500ms",
                                     "--lease-time",
                                     "3s"};
    for (const std::string& flag : ControllerTransport()) argv.push_back(flag);
    auto process = Process::Start({.argv = argv, .env = std::exchange(fault_, {})});
    ASSERT_THAT(process, IsOk());
    controllers_[number] = *std::move(process);
    ASSERT_THAT(controllers_[number]->WaitForOutput("listening", kPatience), IsOk());
  }

  // One target, its agent, and a rollout whose backfill is under way.
  void StartBackfill() {
    conninfo_ = {{"staging", NewDatabase(kContacts)}};
    CurlewOk(
        {"env", "apply", "-f",
         File("e.yaml", "environments: [{name: only, targets: [staging], before_drop: {approvals: 1}}]")});
    StartAgent("staging");
    CurlewOk({"rollout", "start", File("plan.yaml", kPlan), "--id", "r"});
    watch_ = StartCurlew({"rollout", "watch", "r", "-o", "json"});
    ASSERT_NE(watch_, nullptr);
    ASSERT_THAT(watch_->WaitForOutput("\"step\":\"backfill-1\"", kPatience), IsOk());
  }

  // The watcher has seen the backfill go on after `from`, bytes of its output: through whoever leads now.
  void ExpectProgress(size_t from) {
    EXPECT_THAT(watch_->WaitForOutput("\"progress\"", kPatience, from), IsOk());
  }

  // Lets the backfill end, then the rollout, and looks at what came of it.
  void ExpectRightEnd() {
    Query(conninfo_["staging"], "UPDATE pace SET seconds = 0");
    UntilGate("r");
    EXPECT_EQ(Query(conninfo_["staging"], "SELECT count(*) FROM contacts WHERE phone_number = '+1' || phone"),
              "6000");
    EXPECT_EQ(Query(conninfo_["staging"], "SELECT count(*) || ' ' || count(DISTINCT id) FROM written"),
              "6000 6000");
    Approve("r");
    EXPECT_THAT(watch_->Wait(kPatience), IsOkAndHolds(0)) << watch_->output();
    EXPECT_EQ(Show("r").state(), v1::ROLLOUT_STATE_SUCCEEDED);
    // Every event once, in order, over all failovers.
    int64_t expected = 1;
    for (const absl::string_view line : absl::StrSplit(watch_->output(), '\n')) {
      v1::WatchRolloutResponse message;
      const auto status = google::protobuf::util::JsonStringToMessage({line.data(), line.size()}, &message);
      if (!status.ok() || !message.has_event()) continue;
      EXPECT_EQ(message.event().number(), expected++);
    }
    EXPECT_GT(expected, 10);
    const std::string dump = PgDump(conninfo_["staging"]);
    EXPECT_THAT(dump, Not(HasSubstr("phone text")));
    EXPECT_THAT(dump, HasSubstr("phone_number text"));
  }

  // A leader freezes at `point`, in the commit of a rollout; the other one takes over. Then it wakes.
  void FreezeInCommit(const std::string& point) {
    const std::string store = NewDatabase();
    fault_ = {{"CURLEW_FAULT", point + ":1:freeze"}};
    StartControllers(2, UrlOf(store));
    CurlewOk({"env", "apply", "-f", File("e.yaml", "environments: [{name: only, targets: [staging]}]")});
    CurlewOk({"plan", "submit", File("plan.yaml", kPlan)});
    const auto start = StartCurlew({"--timeout", "15s", "rollout", "start", "rename-phone"});
    ASSERT_THAT(controllers_[1]->WaitForOutput("leads epoch=2", kPatience), IsOk());
    ASSERT_EQ(Query(store, "SELECT count(*) FROM curlew_controller.rollout"), "0");

    const size_t asleep = controllers_[0]->output().size();
    controllers_[0]->Kill(SIGCONT);
    ASSERT_THAT(controllers_[0]->WaitForOutput("no longer leads", kPatience, asleep), IsOk());
    ASSERT_THAT(controllers_[0]->WaitForOutput(absl::StrCat("stands by.*", addresses_[1]), kPatience, asleep),
                IsOk());
    EXPECT_THAT(controllers_[0]->output().substr(asleep), Not(HasSubstr(" event="))) << "it stored nothing";
    // The operator is told, or the call was repeated where that was safe: one rollout at most.
    const auto exit_code = start->Wait(kPatience);
    ASSERT_THAT(exit_code, IsOk());
    EXPECT_EQ(Query(store, "SELECT count(*) FROM curlew_controller.rollout"), *exit_code == 0 ? "1" : "0")
        << start->output();
    if (*exit_code != 0) {
      EXPECT_THAT(start->output(), AnyOf(HasSubstr("before you repeat it"), HasSubstr("look again")));
      CurlewOk({"rollout", "start", "rename-phone"});
    }
    EXPECT_EQ(Query(store, "SELECT epoch FROM curlew_controller.leader"), "2") << "the sleeper led no more";
    EXPECT_EQ(Query(store, "SELECT string_agg(name, ' ') FROM curlew_controller.rollout"),
              "rollouts/rename-phone-1");
  }

  std::map<std::string, std::string> fault_;  // environment
  std::string store_;
  std::vector<std::string> addresses_;
  std::vector<std::unique_ptr<Process>> controllers_;
  std::unique_ptr<Process> watch_;
};

TEST_F(FailoverTest, ABackfillGoesThroughADeadAnEndedAndAFrozenLeader) {
  const std::string store = NewDatabase();
  StartControllers(2, UrlOf(store));
  ASSERT_THAT(controllers_[1]->WaitForOutput(absl::StrCat("stands by.*", addresses_[0]), kPatience), IsOk());
  StartBackfill();

  // Dead.
  size_t from = watch_->output().size();
  controllers_[0]->Kill(SIGKILL);
  ASSERT_THAT(controllers_[1]->WaitForOutput("leads", absl::Seconds(5)), IsOk());
  ASSERT_THAT(controllers_[1]->WaitForOutput("target is served", kPatience), IsOk());
  ExpectProgress(from);
  EXPECT_THAT(CurlewOk({"target", "show", "staging"}), HasSubstr("agent-staging"));
  Restart(0);

  // Ended by an operator: the other one does not wait for the end of the lease.
  from = watch_->output().size();
  const absl::Time begin = absl::Now();
  controllers_[1]->Kill(SIGTERM);
  EXPECT_THAT(controllers_[1]->Wait(kPatience), IsOkAndHolds(0));
  ASSERT_THAT(controllers_[0]->WaitForOutput("leads", absl::Seconds(5)), IsOk());
  RecordProperty("sigterm_ms", absl::StrCat(absl::ToInt64Milliseconds(absl::Now() - begin)));
  ExpectProgress(from);
  Restart(1);

  // Frozen, and awake again when the other one leads: it changes nothing, and stands by.
  from = watch_->output().size();
  controllers_[0]->Kill(SIGSTOP);
  ASSERT_THAT(controllers_[1]->WaitForOutput("leads", absl::Seconds(5)), IsOk());
  ASSERT_THAT(controllers_[1]->WaitForOutput("target is served", kPatience), IsOk());
  ExpectProgress(from);
  const size_t asleep = controllers_[0]->output().size();
  controllers_[0]->Kill(SIGCONT);
  ASSERT_THAT(controllers_[0]->WaitForOutput("no longer leads", kPatience, asleep), IsOk());
  ASSERT_THAT(controllers_[0]->WaitForOutput(absl::StrCat("stands by.*", addresses_[1]), kPatience, asleep),
              IsOk());
  EXPECT_THAT(controllers_[0]->output().substr(asleep), Not(HasSubstr(" event="))) << "it stored nothing";

  ExpectRightEnd();
  EXPECT_EQ(Query(store, "SELECT epoch FROM curlew_controller.leader"), "4") << "one for each term";
}

TEST_F(FailoverTest, ALeaderThatFreezesBeforeItsCommitIsRefusedWhenItWakes) {
  FreezeInCommit("store.before_commit");
}

TEST_F(FailoverTest, ALeaderThatFreezesWithinItsCommitIsRefusedWhenItWakes) {
  // It holds the row of the leader, until the server ends its session.
  FreezeInCommit("store.in_transaction");
}

TEST_F(FailoverTest, ALeaderWhoseStoreNeverAnswersEndsForAllThat) {
  const std::string store = NewDatabase();
  StartControllers(1, UrlOf(store));
  const std::string backends =
      Query(store,
            "SELECT string_agg(pid::text, ' ') FROM pg_stat_activity WHERE datname = "
            "current_database() AND application_name LIKE 'curlew-controller%'");
  for (const absl::string_view pid : absl::StrSplit(backends, ' ')) {
    ASSERT_EQ(kill(std::stoi(std::string(pid)), SIGSTOP), 0);
  }
  ASSERT_THAT(controllers_[0]->WaitForOutput("no longer leads", kPatience), IsOk());
  controllers_[0]->Kill(SIGTERM);
  EXPECT_THAT(controllers_[0]->Wait(kPatience), IsOkAndHolds(1));
  EXPECT_THAT(controllers_[0]->output(), HasSubstr("the store does not answer"));
  for (const absl::string_view pid : absl::StrSplit(backends, ' ')) {
    kill(std::stoi(std::string(pid)), SIGCONT);
  }
}

TEST_F(FailoverTest, ASecondControllerOnASqliteFileTakesOverWhenTheFirstDies) {
  StartControllers(2, absl::StrCat(folder_, "/store.db"));
  CurlewOk({"env", "apply", "-f", File("e.yaml", "environments: [{name: only, targets: [staging]}]")});
  // Asked by itself, the one that stands by says who leads.
  const std::string both = std::exchange(address_, addresses_[1]);
  const CommandResult refused = Curlew({"env", "list"});
  EXPECT_EQ(refused.exit_code, 6);
  EXPECT_THAT(refused.output, HasSubstr(absl::StrCat("stands by: ", addresses_[0], " leads")));
  address_ = both;
  controllers_[0]->Kill(SIGKILL);
  // Waits for the new leader by itself.
  EXPECT_THAT(CurlewOk({"env", "list"}), HasSubstr("staging"));
  EXPECT_THAT(controllers_[1]->WaitForOutput("leads", absl::Seconds(1)), IsOk());
  controllers_[1]->Kill(SIGKILL);
  const CommandResult nobody = Curlew({"--timeout", "1s", "env", "list"});
  EXPECT_EQ(nobody.exit_code, 6);
  EXPECT_THAT(nobody.output, HasSubstr("no controller leads that can be reached"));
  EXPECT_THAT(nobody.output, HasSubstr(absl::StrCat(addresses_[0], " cannot be reached")));
}

}  // namespace
}  // namespace curlew
