// Whole rollouts through real processes and real databases.
#include <signal.h>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "common/pg/error.h"
#include "tests/e2e/fleet.h"
#include "tests/support/status_matchers.h"

namespace curlew {
namespace {

using ::curlew::testing::CommandResult;
using ::curlew::testing::FleetTest;
using ::curlew::testing::IsOk;
using ::testing::HasSubstr;
using ::testing::Not;

class RolloutTest : public FleetTest {
 protected:
  std::string Plan() {
    return File("plan.yaml", R"yaml(
name: rename-phone
settings: {unused_for: 1s}
operations:
  - rename_column: {table: contacts, from: phone, to: phone_number, up: "'+1' || phone", down: "substr(phone_number, 3)"}
  - set_not_null: {table: contacts, column: phone_number}
  - add_check: {table: contacts, name: phone_format, expression: "phone_number ~ '^\\+1[0-9]{10}$'"}
  - add_unique: {table: contacts, name: phone_key, columns: [phone_number, tenant_id]}
  - create_index: {table: contacts, name: phone_tenant, columns: [tenant_id, phone_number]}
)yaml");
  }
};

constexpr char kContacts[] = R"(
  CREATE TABLE contacts (id bigint PRIMARY KEY, tenant_id int NOT NULL, phone text NOT NULL, name text);
  INSERT INTO contacts SELECT g, g % 3, (5550000000 + g)::text, 'n' || g FROM generate_series(1, 20000) AS g;)";

// The same, with an application's own trigger that writes down every UPDATE: the oracle of "once".
std::string AuditedContacts() {
  return absl::StrCat(kContacts, R"(
  CREATE TABLE written (id bigint);
  CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN INSERT INTO written VALUES (NEW.id); RETURN NULL; END $$;
  CREATE TRIGGER note AFTER UPDATE ON contacts FOR EACH ROW EXECUTE FUNCTION note();)");
}

TEST_F(RolloutTest, GoesThroughStagingThenProduction) {
  StartFleet(kContacts);
  CurlewOk({"rollout", "start", Plan(), "--id", "r"});
  const CommandResult watched =
      Curlew({"rollout", "watch", "r", "--until", "gate"});  // before DROP in staging
  EXPECT_EQ(watched.exit_code, 0) << watched.output;
  EXPECT_THAT(watched.output, HasSubstr("warning: sessions with a prepared SELECT * on public.contacts"));
  EXPECT_EQ(Query(conninfo_["staging"], "SELECT count(*) FROM contacts WHERE phone_number = '+1' || phone"),
            "20000");
  EXPECT_EQ(Query(conninfo_["production"],
                  "SELECT to_regnamespace('curlew') IS NULL OR NOT EXISTS (SELECT FROM curlew.run)"),
            "t");
  Approve("r");
  UntilGate("r");  // before production
  EXPECT_THAT(PgDump(conninfo_["staging"]), Not(HasSubstr("phone text")));
  EXPECT_THAT(PgDump(conninfo_["production"]), HasSubstr("phone text"));
  Approve("r");
  UntilGate("r");  // before DROP in production
  Approve("r");
  EXPECT_EQ(UntilEnd("r"), 0);
  EXPECT_EQ(Show("r").state(), v1::ROLLOUT_STATE_SUCCEEDED);
  const std::string production = PgDump(conninfo_["production"]);
  EXPECT_EQ(production, PgDump(conninfo_["staging"]));
  EXPECT_THAT(production, HasSubstr("phone_number text NOT NULL"));
  EXPECT_THAT(production, HasSubstr("CONSTRAINT phone_format CHECK"));
  EXPECT_THAT(production, HasSubstr("ADD CONSTRAINT phone_key UNIQUE (phone_number, tenant_id)"));
  EXPECT_THAT(production, HasSubstr("CREATE INDEX phone_tenant"));
  EXPECT_THAT(production, Not(HasSubstr("curlew")));
}

TEST_F(RolloutTest, ADeadAgentsBackfillGoesOnAndWritesEachRowOnce) {
  conninfo_ = {{"staging", NewDatabase(AuditedContacts())}, {"production", NewDatabase(AuditedContacts())}};
  StartController();
  CurlewOk({"env", "apply", "-f",
            File("e.yaml", "environments: [{name: only, targets: [staging], before_drop: {approvals: 1}}]")});
  // Dies without a word in the middle of the walk, then once more after a commit.
  StartAgent("staging", {{"CURLEW_FAULT", "backfill.before_commit:3"}});
  CurlewOk({"rollout", "start", Plan(), "--id", "r"});
  ASSERT_THAT(agents_["staging"]->Wait(absl::Seconds(30)), IsOk());
  EXPECT_NE(Query(conninfo_["staging"], "SELECT count(*) FROM contacts WHERE phone_number IS NULL"), "0");
  StartAgent("staging", {{"CURLEW_FAULT", "backfill.after_commit:2"}});
  ASSERT_THAT(agents_["staging"]->Wait(absl::Seconds(30)), IsOk());
  StartAgent("staging");
  UntilGate("r");
  EXPECT_EQ(Query(conninfo_["staging"], "SELECT count(*) FROM contacts WHERE phone_number = '+1' || phone"),
            "20000");
  EXPECT_EQ(Query(conninfo_["staging"], "SELECT count(*) || ' ' || count(DISTINCT id) FROM written"),
            "20000 20000");
}

TEST_F(RolloutTest, RollsBackToTheVerySchemaOnceNobodyUsesTheNewShape) {
  StartFleet(kContacts);
  const std::string before = PgDump(conninfo_["staging"]);
  CurlewOk({"rollout", "start", Plan(), "--id", "r"});
  UntilGate("r");
  EXPECT_NE(PgDump(conninfo_["staging"]), before);
  auto application = Connect(conninfo_["staging"]);
  ASSERT_THAT(application->Execute("SELECT phone_number FROM contacts WHERE id = 1"), IsOk());
  CurlewOk({"rollout", "rollback", "r", "--reason", "a test"});
  auto watch = StartCurlew({"rollout", "watch", "r"});
  ASSERT_NE(watch, nullptr);
  // The session is named by its process id while it holds the gate.
  EXPECT_THAT(watch->WaitForOutput(absl::StrCat(application->backend_pid()), absl::Seconds(30)), IsOk());
  EXPECT_THAT(application->Execute("SELECT phone_number FROM contacts WHERE id = 2"), IsOk());
  application.reset();
  auto ended = watch->Wait(absl::Seconds(60));
  ASSERT_THAT(ended, IsOk());
  EXPECT_EQ(*ended, 8) << watch->output();
  EXPECT_EQ(PgDump(conninfo_["staging"]), before);
  EXPECT_EQ(Show("r").state(), v1::ROLLOUT_STATE_ROLLED_BACK);
}

TEST_F(RolloutTest, AnOverrideDropsAlthoughASessionStillUsesTheOldShape) {
  StartFleet(kContacts);
  CurlewOk({"rollout", "start", Plan(), "--id", "r"});
  UntilGate("r");
  EXPECT_EQ(Curlew({"rollout", "override", "r", "--reason", "too early"}).exit_code, 5);
  auto application = Connect(conninfo_["staging"]);
  ASSERT_THAT(application->Execute("SELECT phone FROM contacts WHERE id = 1"), IsOk());
  Approve("r");
  auto watch = StartCurlew({"rollout", "watch", "r", "--until", "gate"});
  ASSERT_NE(watch, nullptr);
  EXPECT_THAT(watch->WaitForOutput("curlew rollout override r --target staging --reason", absl::Seconds(30)),
              IsOk());
  EXPECT_THAT(CurlewOk({"rollout", "override", "r", "--target", "staging", "--reason", "only a report"}),
              HasSubstr("need not wait: overridden by tester: only a report"));
  auto ended = watch->Wait(absl::Seconds(60));
  ASSERT_THAT(ended, IsOk());
  EXPECT_EQ(*ended, 0) << watch->output();
  EXPECT_THAT(watch->output(), HasSubstr("without waiting, overridden by tester: only a report"));
  EXPECT_EQ(pg::Sqlstate(application->Execute("SELECT phone FROM contacts WHERE id = 1").status()), "42703");
  EXPECT_THAT(CurlewOk({"rollout", "show", "r"}), HasSubstr("overridden by tester: only a report"));
}

TEST_F(RolloutTest, DirtyDataStopsInStagingNamesTheRowsAndLeavesProductionAlone) {
  StartFleet(kContacts);
  Query(
      conninfo_["staging"],
      "ALTER TABLE contacts ALTER phone DROP NOT NULL; UPDATE contacts SET phone = NULL WHERE id = 77; "
      "UPDATE contacts SET phone = (SELECT phone FROM contacts WHERE id = 10), tenant_id = 1 WHERE id = 88");
  const std::string before = PgDump(conninfo_["staging"]), production = PgDump(conninfo_["production"]);
  CurlewOk({"rollout", "start", Plan(), "--id", "r"});
  EXPECT_EQ(UntilEnd("r"), 7);
  const std::string shown = CurlewOk({"rollout", "show", "r"});
  EXPECT_THAT(shown, HasSubstr("contacts (id)=(77)"));
  EXPECT_EQ(PgDump(conninfo_["staging"]), before);
  CurlewOk({"rollout", "rollback", "r", "--reason", "a test"});
  EXPECT_EQ(UntilEnd("r"), 8);
  EXPECT_EQ(PgDump(conninfo_["staging"]), before);
  EXPECT_EQ(PgDump(conninfo_["production"]), production);
}

TEST_F(RolloutTest, ProductionThatDriftedStopsBeforeAnythingRuns) {
  StartFleet(kContacts);
  Query(conninfo_["production"], "CREATE INDEX only_here ON contacts (phone)");
  CurlewOk({"rollout", "start", Plan(), "--id", "r"});
  UntilGate("r");
  const std::string production = PgDump(conninfo_["production"]);
  Approve("r");
  // It is compiled before anybody is asked to approve it.
  EXPECT_EQ(UntilEnd("r"), 7);
  EXPECT_THAT(CurlewOk({"rollout", "show", "r"}), HasSubstr("only here"));
  EXPECT_EQ(PgDump(conninfo_["production"]), production);
}

TEST_F(RolloutTest, AControllerThatDiesGoesOnWhereItWas) {
  StartFleet(kContacts);
  CurlewOk({"rollout", "start", Plan(), "--id", "r"});
  for (int i = 0; i < 3; ++i) {
    controller_->Kill(SIGKILL);
    ASSERT_THAT(controller_->Wait(absl::Seconds(10)), IsOk());
    StartController();
  }
  UntilGate("r");
  EXPECT_EQ(Query(conninfo_["staging"], "SELECT count(*) FROM contacts WHERE phone_number = '+1' || phone"),
            "20000");
}

TEST_F(RolloutTest, PausesResumesAndAborts) {
  StartFleet(kContacts);
  CurlewOk({"rollout", "start", Plan(), "--id", "r"});
  CurlewOk({"rollout", "pause", "r"});
  EXPECT_EQ(Show("r").state(), v1::ROLLOUT_STATE_PAUSED);
  CurlewOk({"rollout", "resume", "r"});
  UntilGate("r");
  CurlewOk({"rollout", "abort", "r"});
  EXPECT_EQ(UntilEnd("r"), 9);
  EXPECT_EQ(Curlew({"rollout", "approve", "r"}).exit_code, 5);
  CurlewOk({"rollout", "rollback", "r"});
  EXPECT_EQ(UntilEnd("r"), 8);
  EXPECT_EQ(Show("r").state(), v1::ROLLOUT_STATE_ROLLED_BACK);
}

TEST_F(RolloutTest, AnAgentThatWasFrozenAndReplacedWritesNothingWhenItWakes) {
  conninfo_ = {{"staging", NewDatabase(AuditedContacts())}};
  StartController();
  CurlewOk({"env", "apply", "-f",
            File("e.yaml", "environments: [{name: only, targets: [staging], before_drop: {approvals: 1}}]")});
  StartAgent("staging");
  CurlewOk({"rollout", "start", Plan(), "--id", "r"});
  while (Query(conninfo_["staging"], "SELECT count(*) FROM written") == "0")
    absl::SleepFor(absl::Milliseconds(5));
  agents_["staging"]->Kill(SIGSTOP);
  StartAgent("staging", {}, "agent-staging");  // the same identity, another process
  UntilGate("r");
  agents_["staging"]->Kill(SIGCONT);
  ASSERT_THAT(agents_["staging"]->WaitForOutput("STANDBY", absl::Seconds(30)), IsOk());
  EXPECT_EQ(Query(conninfo_["staging"], "SELECT count(*) || ' ' || count(DISTINCT id) FROM written"),
            "20000 20000");
  // It goes on where the other one ends.
  agents_["agent-staging"]->Kill(SIGKILL);
  Approve("r");
  EXPECT_EQ(UntilEnd("r"), 0);
  EXPECT_EQ(Query(conninfo_["staging"],
                  "SELECT count(*) FROM contacts WHERE phone_number = '+1' || (5550000000 + id)"),
            "20000");
}

TEST_F(RolloutTest, RollsBackWhileAnIndexIsBeingBuilt) {
  StartFleet(kContacts);
  const std::string before = PgDump(conninfo_["staging"]);
  // An old snapshot, for which every concurrent build waits.
  auto application = Connect(conninfo_["staging"]);
  ASSERT_THAT(application->Execute("BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT 1"), IsOk());
  CurlewOk({"rollout", "start", Plan(), "--id", "r"});
  while (Query(conninfo_["staging"], "SELECT count(*) FROM pg_index WHERE NOT indisvalid") == "0") {
    absl::SleepFor(absl::Milliseconds(5));
  }
  CurlewOk({"rollout", "rollback", "r"});
  EXPECT_EQ(Show("r").state(), v1::ROLLOUT_STATE_ROLLING_BACK);
  ASSERT_THAT(application->Execute("COMMIT"), IsOk());
  EXPECT_EQ(UntilEnd("r"), 8);
  EXPECT_EQ(Show("r").state(), v1::ROLLOUT_STATE_ROLLED_BACK);
  EXPECT_EQ(PgDump(conninfo_["staging"]), before);
}

}  // namespace
}  // namespace curlew
