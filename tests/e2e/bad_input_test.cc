// Each kind of bad input gives one clear error that names the thing and what to do, and changes nothing.
#include "absl/strings/str_cat.h"
#include "tests/e2e/fleet.h"
#include "tests/support/status_matchers.h"

namespace curlew {
namespace {

using ::curlew::testing::CommandResult;
using ::curlew::testing::FleetTest;
using ::curlew::testing::IsOk;
using ::testing::HasSubstr;

class BadInputTest : public FleetTest {
 protected:
  void ExpectRefused(std::vector<std::string> arguments, int exit_code,
                     const std::vector<std::string>& named) {
    CommandResult result = Curlew(std::move(arguments));
    EXPECT_EQ(result.exit_code, exit_code) << result.output;
    for (const std::string& name : named) EXPECT_THAT(result.output, HasSubstr(name));
  }
};

constexpr char kTable[] = "CREATE TABLE t (id int PRIMARY KEY, a text)";

TEST_F(BadInputTest, PlansThatAreWrongAreRefusedWithTheirPlace) {
  address_ = "127.0.0.1:1";  // validation needs no controller
  ExpectRefused({"plan", "validate", File("a.yaml", "name: p\noperations: [\n")}, 4, {"a.yaml:3:"});
  ExpectRefused({"plan", "validate", File("b.yaml", "name: p\noperations:\n  - renam_column: {table: t}\n")},
                4, {"b.yaml:3:", "renam_column", "rename_column"});
  ExpectRefused(
      {"plan", "validate",
       File("c.yaml", "name: p\noperations:\n  - add_check: {table: t, name: c, expression: a >}\n")},
      4, {"c.yaml:3:", "expression"});
}

TEST_F(BadInputTest, WhatDoesNotFitTheDatabaseIsRefusedBeforeAnythingRuns) {
  StartFleet(kTable);
  const std::string before = PgDump(conninfo_["staging"]);
  const std::string plan =
      File("p.yaml", "name: p\noperations:\n  - set_not_null: {table: t, column: nope}\n");
  CurlewOk({"rollout", "start", plan, "--id", "r"});
  EXPECT_EQ(UntilEnd("r"), 7);
  const std::string shown = CurlewOk({"rollout", "show", "r"});
  EXPECT_THAT(shown, HasSubstr("nope"));
  EXPECT_THAT(shown, HasSubstr("there are: id, a"));
  EXPECT_EQ(PgDump(conninfo_["staging"]), before);
}

TEST_F(BadInputTest, ADigestThatDoesNotMatchIsRefused) {
  StartFleet(kTable);
  const std::string plan = File("p.yaml", "name: p\noperations:\n  - set_not_null: {table: t, column: a}\n");
  ExpectRefused({"rollout", "start", plan, "--digest", std::string(64, '0')}, 5,
                {std::string(64, '0'), "digest"});
  CurlewOk({"plan", "submit", plan});
  ExpectRefused({"rollout", "start", "p", "--digest", std::string(64, '1')}, 5,
                {std::string(64, '1'), "digest"});
  ExpectRefused({"rollout", "start", "unknown-plan"}, 3, {"unknown-plan"});
}

TEST_F(BadInputTest, AnAgentWithAnUnknownTargetIsToldAndServesOnceTheTargetIsKnown) {
  conninfo_ = {{"staging", NewDatabase(kTable)}};
  StartController();
  StartAgent("staging");
  ASSERT_THAT(agents_["staging"]->WaitForOutput("staging.*curlew env apply", absl::Seconds(20)), IsOk());
  CurlewOk({"env", "apply", "-f", File("e.yaml", "environments: [{name: only, targets: [staging]}]")});
  ASSERT_THAT(controller_->WaitForOutput("staging.*epoch", absl::Seconds(30)), IsOk());
}

TEST_F(BadInputTest, AnotherIdentityForAServedTargetIsRefused) {
  StartFleet(kTable);
  ASSERT_THAT(controller_->WaitForOutput("staging.*epoch", absl::Seconds(30)), IsOk());
  StartAgent("staging", {}, "intruder");
  ASSERT_THAT(agents_["intruder"]->WaitForOutput("served by.*agent-staging", absl::Seconds(20)), IsOk());
  EXPECT_THAT(CurlewOk({"target", "show", "staging"}), HasSubstr("agent-staging"));
}

TEST_F(BadInputTest, ADatabaseThatRefusesConnectionsIsNamedAndPickedUpWhenItIsBack) {
  conninfo_ = {{"staging", NewDatabase(kTable)}};
  const std::string name = Query(conninfo_["staging"], "SELECT current_database()");
  const std::string admin = NewDatabase();
  Query(admin, absl::StrCat("ALTER DATABASE ", name, " ALLOW_CONNECTIONS false"));
  StartController();
  CurlewOk({"env", "apply", "-f", File("e.yaml", "environments: [{name: only, targets: [staging]}]")});
  StartAgent("staging");
  ASSERT_THAT(agents_["staging"]->WaitForOutput("not currently accepting connections", absl::Seconds(20)),
              IsOk());
  ASSERT_THAT(controller_->WaitForOutput("not currently accepting connections", absl::Seconds(20)), IsOk());
  EXPECT_THAT(CurlewOk({"target", "show", "staging"}), HasSubstr("not currently accepting connections"));
  Query(admin, absl::StrCat("ALTER DATABASE ", name, " ALLOW_CONNECTIONS true"));
  ASSERT_THAT(controller_->WaitForOutput("staging.*epoch", absl::Seconds(40)), IsOk());
}

TEST_F(BadInputTest, AControllerThatIsNotThereIsNamed) {
  address_ = absl::StrCat("127.0.0.1:", testing::FreePort());
  ExpectRefused({"--timeout", "2s", "rollout", "list"}, 6, {address_});
}

}  // namespace
}  // namespace curlew
