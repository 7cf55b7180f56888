// A step that fails and is not needed: the rollout says so, and goes on without it once an operator has
// decided.
#include "absl/strings/str_cat.h"
#include "tests/e2e/fleet.h"
#include "tests/support/status_matchers.h"

namespace curlew {
namespace {

using ::curlew::testing::CommandResult;
using ::curlew::testing::FleetTest;
using ::testing::AllOf;
using ::testing::HasSubstr;

// The statistics of this table cannot be gathered, as a function of an index raises.
constexpr char kSetup[] = R"(
  CREATE TABLE contacts (id bigint PRIMARY KEY, phone text NOT NULL);
  INSERT INTO contacts SELECT g, (5550000000 + g)::text FROM generate_series(1, 1000) AS g;
  CREATE FUNCTION picky(t text) RETURNS text IMMUTABLE LANGUAGE plpgsql AS $$ BEGIN
    IF current_query() ILIKE 'analyze%' THEN RAISE 'no statistics today'; END IF; RETURN t; END $$;
  CREATE INDEX contacts_picky ON contacts (picky(phone));)";

constexpr char kPlan[] = R"yaml(
name: rename-phone
settings: {unused_for: 1s}
operations:
  - rename_column: {table: contacts, from: phone, to: phone_number, up: "'+1' || phone", down: "substr(phone_number, 3)"}
)yaml";

TEST_F(FleetTest, AnAnalyzeThatFailsIsSkippedAndTheRolloutGoesOn) {
  conninfo_ = {{"staging", NewDatabase(kSetup)}};
  StartController();
  CurlewOk({"env", "apply", "-f",
            File("e.yaml", "environments: [{name: only, targets: [staging], before_drop: {approvals: 1}}]")});
  StartAgent("staging");
  CurlewOk({"rollout", "start", File("plan.yaml", kPlan), "--id", "r"});
  const CommandResult failed = Curlew({"rollout", "watch", "r"});
  EXPECT_NE(failed.exit_code, 0);
  EXPECT_THAT(failed.output,
              AllOf(HasSubstr("no statistics today (SQLSTATE P0001)"), HasSubstr("curlew rollout retry r"),
                    HasSubstr("curlew rollout skip r --reason"), HasSubstr("curlew rollout rollback r")));
  const v1::Rollout rollout = Show("r");
  EXPECT_EQ(rollout.state(), v1::ROLLOUT_STATE_FAILED);
  EXPECT_THAT(rollout.reason(), AllOf(HasSubstr("staging: "), HasSubstr("SQLSTATE P0001"),
                                      HasSubstr("`curlew rollout skip r --reason '...'`")));

  // It fails again as long as the cause is there.
  CurlewOk({"rollout", "retry", "r", "--reason", "perhaps now"});
  EXPECT_NE(Curlew({"rollout", "watch", "r"}).exit_code, 0);
  EXPECT_EQ(Show("r").state(), v1::ROLLOUT_STATE_FAILED);

  EXPECT_THAT(CurlewOk({"rollout", "skip", "r", "--reason", "autovacuum will do"}),
              HasSubstr("is left out: skipped by tester: autovacuum will do"));
  UntilGate("r");
  // What is done cannot be skipped any more.
  EXPECT_NE(Curlew({"rollout", "skip", "r", "--reason", "x"}).exit_code, 0);
  EXPECT_NE(Curlew({"rollout", "retry", "r"}).exit_code, 0);
  const std::string shown = CurlewOk({"rollout", "show", "r"});
  EXPECT_THAT(shown, HasSubstr("skipped by tester: autovacuum will do"));
  EXPECT_EQ(Query(conninfo_["staging"], "SELECT count(*) FROM contacts WHERE phone_number = '+1' || phone"),
            "1000");
}

}  // namespace
}  // namespace curlew
