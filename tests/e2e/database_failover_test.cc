// A database fails over to a standby that lagged: steps that were done and reported are gone. The rollout
// notices, does them again, and ends as one that nobody disturbed.
#include <signal.h>

#include <functional>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "tests/e2e/fleet.h"
#include "tests/support/standby.h"
#include "tests/support/status_matchers.h"

namespace curlew {
namespace {

using ::curlew::testing::FleetTest;
using ::curlew::testing::IsOk;
using ::curlew::testing::PrimaryAndStandby;
using ::testing::HasSubstr;

constexpr char kContacts[] = R"(
  CREATE TABLE contacts (id bigint PRIMARY KEY, phone text NOT NULL);
  INSERT INTO contacts SELECT g, (5550000000 + g)::text FROM generate_series(1, 3000) AS g;)";

constexpr char kPlan[] = R"yaml(
name: rename-phone
settings: {unused_for: 1s}
operations:
  - rename_column: {table: contacts, from: phone, to: phone_number, up: "'+1' || phone", down: "substr(phone_number, 3)"}
  - set_not_null: {table: contacts, column: phone_number}
  - create_index: {table: contacts, name: phone_index, columns: [phone_number]}
)yaml";

// The target "staging" lives in the servers of this test, its twin "production" in the shared one,
// undisturbed.
class DatabaseFailoverTest : public FleetTest {
 protected:
  void SetUp() override {
    FleetTest::SetUp();
    auto servers = PrimaryAndStandby::Start();
    ASSERT_THAT(servers, IsOk());
    servers_ = *std::move(servers);
    Query(servers_->primary(), "CREATE DATABASE app TEMPLATE template0 ENCODING 'UTF8' LOCALE 'C.UTF-8'");
    Query(servers_->primary("app"), kContacts);
    conninfo_ = {{"staging", servers_->either("app")}, {"production", NewDatabase(kContacts)}};
    StartController();
    CurlewOk(
        {"env", "apply", "-f",
         File(
             "e.yaml",
             "environments: [{name: only, targets: [staging, production], before_drop: {approvals: 1}, soak: "
             "1h}]")});
    StartAgent("staging");
    StartAgent("production");
  }
  void TearDown() override {
    FleetTest::TearDown();
    servers_.reset();
  }

  void Until(const std::string& what, const std::function<bool(const v1::Rollout&)>& holds) {
    const absl::Time deadline = absl::Now() + absl::Seconds(60);
    v1::Rollout rollout = Show("r");
    while (!holds(rollout) && absl::Now() < deadline) {
      absl::SleepFor(absl::Milliseconds(100));
      rollout = Show("r");
    }
    EXPECT_TRUE(holds(rollout)) << what << " never came: " << rollout.DebugString();
  }
  static v1::Run RunOn(const v1::Rollout& rollout, const std::string& target) {
    return rollout.runs(0).target() == target ? rollout.runs(0) : rollout.runs(1);
  }
  static bool IsSoaking(const v1::Rollout& rollout) {
    return rollout.stages(0).state() == v1::STAGE_STATE_SOAKING;
  }
  // All that was written up to now is on the standby, and nothing that comes later will be.
  void CutTheStandbyOff() {
    const std::string now = Query(servers_->primary(), "SELECT pg_current_wal_lsn()");
    const absl::Time deadline = absl::Now() + absl::Seconds(30);
    while (Query(servers_->standby(),
                 absl::StrCat("SELECT pg_last_wal_replay_lsn() >= '", now, "'::pg_lsn")) != "t" &&
           absl::Now() < deadline) {
      absl::SleepFor(absl::Milliseconds(20));
    }
    ASSERT_THAT(servers_->StopStandby(), IsOk());
  }
  void FailOver() {
    ASSERT_THAT(servers_->KillPrimary(), IsOk());
    ASSERT_THAT(servers_->StartStandby(), IsOk());
    ASSERT_THAT(servers_->Promote(), IsOk());
  }
  void ExpectTheSameAsTheTwin() {
    EXPECT_EQ(PgDump(servers_->standby("app")), PgDump(conninfo_["production"]));
    const std::string rows = "SELECT md5(string_agg(contacts::text, ',' ORDER BY id)) FROM contacts";
    EXPECT_EQ(Query(servers_->standby("app"), rows), Query(conninfo_["production"], rows));
  }

  std::unique_ptr<PrimaryAndStandby> servers_;
};

TEST_F(DatabaseFailoverTest, StepsThatAreGoneAreDoneAgainAlsoThoseOfDrop) {
  // A reader whose transaction is open holds up whatever wants the table for itself.
  auto reader = Connect(servers_->primary("app"));
  ASSERT_THAT(reader->Execute("BEGIN"), IsOk());
  ASSERT_THAT(reader->Execute("SELECT count(*) FROM contacts"), IsOk());
  CurlewOk({"rollout", "start", File("plan.yaml", kPlan), "--id", "r"});
  Until("the first step that wants the table", [](const v1::Rollout& rollout) {
    const v1::Run run = RunOn(rollout, "staging");
    for (const v1::StepStatus& step : run.steps()) {
      if (step.state() == v1::STEP_STATE_ACTIVE && !step.preflight()) return true;
    }
    return false;
  });
  ASSERT_NO_FATAL_FAILURE(CutTheStandbyOff());
  reader.reset();
  UntilGate("r");
  Approve("r");
  Until("the soak", IsSoaking);
  int done = 0;
  const v1::Run soaking = RunOn(Show("r"), "staging");
  for (const v1::StepStatus& step : soaking.steps()) {
    done += step.state() == v1::STEP_STATE_SUCCEEDED;
  }
  EXPECT_EQ(done, soaking.steps_size());
  const int64_t before = Show("r").last_event();

  // Nothing runs at this time: the agent finds out by itself.
  ASSERT_NO_FATAL_FAILURE(FailOver());
  EXPECT_EQ(Query(servers_->standby("app"),
                  "SELECT count(*) FROM pg_attribute WHERE attrelid = 'contacts'::regclass"
                  " AND attname = 'phone_number'"),
            "0");
  Until("the fall back", [](const v1::Rollout& rollout) { return !IsSoaking(rollout); });
  Until("the soak", IsSoaking);
  ExpectTheSameAsTheTwin();
  auto watch = StartCurlew({"rollout", "watch", "r", "--after", absl::StrCat(before)});
  ASSERT_NE(watch, nullptr);
  EXPECT_THAT(watch->WaitForOutput("its database went back", absl::Seconds(20)), IsOk());
  EXPECT_EQ(Query(servers_->standby("app"),
                  "SELECT count(*) || ' ' || bool_and(state = 'succeeded') FROM curlew.step"),
            absl::StrCat(done, " true"));
}

TEST_F(DatabaseFailoverTest, OfARolloutThatHasEndedPeopleAreTold) {
  CurlewOk({"env", "apply", "-f", File("e.yaml", "environments: [{name: only, targets: [staging]}]")});
  ASSERT_NO_FATAL_FAILURE(CutTheStandbyOff());
  CurlewOk({"rollout", "start", File("plan.yaml", kPlan), "--id", "r"});
  EXPECT_EQ(UntilEnd("r"), 0);
  ASSERT_NO_FATAL_FAILURE(FailOver());
  Until("the warning", [](const v1::Rollout& rollout) { return rollout.runs(0).has_error(); });
  const v1::Rollout rollout = Show("r");
  EXPECT_EQ(rollout.state(), v1::ROLLOUT_STATE_SUCCEEDED);
  EXPECT_THAT(CurlewOk({"rollout", "show", "r"}), HasSubstr("its database went back"));
  EXPECT_EQ(Query(servers_->standby("app"),
                  "SELECT count(*) FROM pg_attribute WHERE attrelid = 'contacts'::regclass"
                  " AND attname = 'phone_number'"),
            "0");
}

TEST_F(DatabaseFailoverTest, AWalkThatWasUnderWayGoesOnFromWhatTheStandbyHas) {
  const auto pause = [](const std::string& seconds) {
    return absl::StrCat(
        "CREATE OR REPLACE FUNCTION slow() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN PERFORM pg_sleep(",
        seconds, "); RETURN NEW; END';");
  };
  for (const std::string& conninfo : {servers_->primary("app"), conninfo_["production"]}) {
    Query(conninfo, pause("0.001") +
                        "CREATE TRIGGER slow BEFORE UPDATE ON contacts FOR EACH ROW EXECUTE FUNCTION slow()");
  }
  CurlewOk({"rollout", "start", File("plan.yaml", kPlan), "--id", "r"});
  const auto filled = [&] {
    return std::stoi(
        Query(servers_->primary("app"),
              "SELECT coalesce(sum(n_tup_upd), 0) FROM pg_stat_user_tables WHERE relname = 'contacts'"));
  };
  const absl::Time deadline = absl::Now() + absl::Seconds(60);
  while (filled() < 300 && absl::Now() < deadline) absl::SleepFor(absl::Milliseconds(50));
  ASSERT_NO_FATAL_FAILURE(CutTheStandbyOff());
  const int cut = filled();
  while (filled() < cut + 300 && absl::Now() < deadline) absl::SleepFor(absl::Milliseconds(50));
  ASSERT_NO_FATAL_FAILURE(FailOver());
  // The test need not last.
  for (const std::string& conninfo : {servers_->standby("app"), conninfo_["production"]}) {
    Query(conninfo, pause("0"));
  }
  UntilGate("r");
  Approve("r");
  Until("the soak", IsSoaking);
  ExpectTheSameAsTheTwin();
}

}  // namespace
}  // namespace curlew
