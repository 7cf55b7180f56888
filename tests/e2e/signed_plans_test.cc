// Plans that people sign, for agents that run no others: by the real programs, from the keys to the end.
#include <fstream>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "tests/e2e/fleet.h"
#include "tests/support/status_matchers.h"

namespace curlew {
namespace {

using ::curlew::testing::FleetTest;
using ::testing::AllOf;
using ::testing::HasSubstr;

constexpr char kSetup[] = "CREATE TABLE contacts (id bigint PRIMARY KEY); CREATE SEQUENCE numbers;";
constexpr char kPlan[] = R"yaml(
name: no-numbers
settings: {unused_for: 1ms}
operations:
  - add_column: {table: contacts, column: a, type: text}
  - drop_sequence: {sequence: numbers}
)yaml";

class SignedPlansTest : public FleetTest {
 protected:
  // Makes a key and returns its public half, as agents are given it.
  std::string Key(const std::string& name) {
    CurlewOk({"key", "create", KeyFile(name)});
    // Among other words: 44 letters that end with "=".
    const std::string shown = CurlewOk({"key", "show", KeyFile(name) + ".pub"});
    for (const absl::string_view word : absl::StrSplit(shown, absl::ByAnyChar(" \n"), absl::SkipEmpty())) {
      if (word.size() == 44 && word.back() == '=') return std::string(word);
    }
    ADD_FAILURE() << "no key in: " << shown;
    return "";
  }
  std::string KeyFile(const std::string& name) { return absl::StrCat(folder_, "/", name, ".pem"); }
};

TEST_F(SignedPlansTest, ARolloutFailsUntilItsPlanIsSignedAndEndsOnceDropIsSignedToo) {
  conninfo_ = {{"staging", NewDatabase(kSetup)}};
  StartController();
  CurlewOk({"env", "apply", "-f",
            File("e.yaml", "environments: [{name: only, targets: [staging], before_drop: {approvals: 1}}]")});
  const std::string alice = Key("alice"), bob = Key("bob");
  agent_flags_ = {"--config",
                  File("agent.yaml", absl::StrCat("trust:\n  environment: only\n  plan_keys: {alice: ", alice,
                                                  "}\n  approver_keys: {bob: ", bob, "}\n"))};
  StartAgent("staging");
  const std::string plan = File("plan.yaml", kPlan);
  CurlewOk({"rollout", "start", plan, "--id", "r"});
  EXPECT_NE(Curlew({"rollout", "watch", "r"}).exit_code, 0);
  EXPECT_EQ(Show("r").state(), v1::ROLLOUT_STATE_FAILED);
  EXPECT_THAT(Show("r").reason(), AllOf(HasSubstr("plan no-numbers"), HasSubstr("is not signed")));

  CurlewOk({"plan", "sign", plan, "--key", KeyFile("alice"), "--environment", "only"});
  CurlewOk({"rollout", "resume", "r"});
  UntilGate("r");
  EXPECT_EQ(Query(conninfo_["staging"], "SELECT plan_signature->'statement'->>'environment' FROM curlew.run"),
            "only");
  // An approval that is not signed opens the gate of the controller, and no more.
  Approve("r");
  EXPECT_NE(Curlew({"rollout", "watch", "r"}).exit_code, 0);
  EXPECT_THAT(Show("r").reason(), HasSubstr("1 signed approval is needed, and 0 count"));
  EXPECT_EQ(Query(conninfo_["staging"], "SELECT count(*) FROM pg_class WHERE relname = 'numbers'"), "1");
  // The same people sign, and it goes on.
  actor_ = "approver";
  EXPECT_THAT(CurlewOk({"rollout", "approve", "r", "--sign-key", KeyFile("bob")}),
              HasSubstr("signed       that DROP may begin"));
  actor_ = "tester";
  CurlewOk({"rollout", "resume", "r"});
  EXPECT_EQ(UntilEnd("r"), 0);
  EXPECT_EQ(Query(conninfo_["staging"], "SELECT count(*) FROM pg_class WHERE relname = 'numbers'"), "0");
  EXPECT_THAT(CurlewOk({"plan", "show", "no-numbers"}), HasSubstr("# signed by key "));
  EXPECT_THAT(CurlewOk({"target", "show", "staging"}), HasSubstr("signatures   required"));
  EXPECT_THAT(CurlewOk({"audit", "list", "-o", "json"}), AllOf(HasSubstr("plan.sign"), HasSubstr("key_id")));
}

TEST_F(SignedPlansTest, ASignedApprovalLetsDropBegin) {
  conninfo_ = {{"staging", NewDatabase(kSetup)}};
  StartController();
  CurlewOk({"env", "apply", "-f",
            File("e.yaml", "environments: [{name: only, targets: [staging], before_drop: {approvals: 1}}]")});
  const std::string alice = Key("alice"), bob = Key("bob");
  agent_flags_ = {"--config",
                  File("agent.yaml", absl::StrCat("trust:\n  environment: only\n  plan_keys: {alice: ", alice,
                                                  "}\n  approver_keys: {bob: ", bob, "}\n"))};
  StartAgent("staging");
  const std::string plan = File("plan.yaml", kPlan);
  CurlewOk({"plan", "sign", plan, "--key", KeyFile("alice"), "--environment", "only"});
  CurlewOk({"rollout", "start", plan, "--id", "r"});
  UntilGate("r");
  actor_ = "approver";
  CurlewOk({"rollout", "approve", "r", "--sign-key", KeyFile("bob")});
  actor_ = "tester";
  EXPECT_EQ(UntilEnd("r"), 0);
  EXPECT_EQ(Query(conninfo_["staging"], "SELECT count(*) FROM pg_class WHERE relname = 'numbers'"), "0");
  EXPECT_EQ(Query(conninfo_["staging"], "SELECT signature->'statement'->>'rollout' FROM curlew.decision"),
            "rollouts/r");

  // A second rollout needs a second signature.
  Query(conninfo_["staging"], "ALTER TABLE contacts DROP COLUMN a; CREATE SEQUENCE numbers");
  CurlewOk({"rollout", "start", plan, "--id", "again"});
  EXPECT_NE(Curlew({"rollout", "watch", "again"}).exit_code, 0);
  EXPECT_THAT(Show("again").reason(), HasSubstr("was used already, by rollouts/r/runs/staging"));
  CurlewOk({"plan", "sign", plan, "--key", KeyFile("alice"), "--environment", "only"});
  CurlewOk({"rollout", "resume", "again"});
  UntilGate("again");
}

}  // namespace
}  // namespace curlew
