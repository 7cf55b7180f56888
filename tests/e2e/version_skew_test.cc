// Programs of other versions, built from the same sources: one minor version apart they work together, two
// apart they say so and do nothing.
#include <signal.h>

#include <string>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "tests/e2e/fleet.h"
#include "tests/support/status_matchers.h"

namespace curlew {
namespace {

using ::curlew::testing::CommandResult;
using ::curlew::testing::FleetTest;
using ::curlew::testing::IsOk;
using ::curlew::testing::IsOkAndHolds;
using ::curlew::testing::Process;
using ::testing::HasSubstr;

constexpr char kTable[] =
    "CREATE TABLE t (id int PRIMARY KEY, a text); INSERT INTO t SELECT g, 'x' FROM generate_series(1, 100) "
    "AS g";
constexpr char kPlan[] = "name: p\noperations:\n  - set_not_null: {table: t, column: a}\n";
constexpr char kPipeline[] = "environments: [{name: only, targets: [staging]}]";

class VersionSkewTest : public FleetTest {
 protected:
  // `program` as "curlew-next".
  CommandResult Run(const std::string& program, std::vector<std::string> arguments) {
    std::vector<std::string> argv = {absl::StrCat(CURLEW_OTHERS, "/", program), "--controller", address_};
    for (const auto& flags : {UserTransport("tester"), arguments}) {
      argv.insert(argv.end(), flags.begin(), flags.end());
    }
    auto process = Process::Start({.argv = std::move(argv)});
    EXPECT_THAT(process, IsOk());
    if (!process.ok()) return {};
    auto exit_code = (*process)->Wait(absl::Seconds(60));
    EXPECT_THAT(exit_code, IsOk());
    return {exit_code.value_or(-1), (*process)->output()};
  }

  void StartOtherAgent(const std::string& program) {
    std::vector<std::string> argv = {absl::StrCat(CURLEW_OTHERS, "/", program), "--controller", address_,
                                     "--target", absl::StrCat("staging=", conninfo_["staging"])};
    for (const std::string& flag : AgentTransport("agent-staging", "staging")) argv.push_back(flag);
    auto process = Process::Start({.argv = argv});
    ASSERT_THAT(process, IsOk());
    agents_["staging"] = *std::move(process);
  }
};

TEST_F(VersionSkewTest, OneMinorVersionApartAWholeRolloutWorks) {
  conninfo_ = {{"staging", NewDatabase(kTable)}};
  StartController();
  const std::string pipeline = File("e.yaml", kPipeline);
  EXPECT_EQ(Run("curlew-next", {"env", "apply", "-f", pipeline}).exit_code, 0);
  StartOtherAgent("curlew-agent-next");
  const CommandResult started =
      Run("curlew-next", {"rollout", "start", File("p.yaml", kPlan), "--id", "r", "--watch"});
  EXPECT_EQ(started.exit_code, 0) << started.output;
  EXPECT_THAT(Run("curlew-next", {"target", "show", "staging"}).output, HasSubstr(CURLEW_NEXT));
  EXPECT_THAT(PgDump(conninfo_["staging"]), HasSubstr("a text NOT NULL"));
}

TEST_F(VersionSkewTest, TwoMinorVersionsApartAreRefusedAndSayWhatToDo) {
  conninfo_ = {{"staging", NewDatabase(kTable)}};
  StartController();
  const std::string pipeline = File("e.yaml", kPipeline);
  for (const std::vector<std::string>& arguments : {std::vector<std::string>{"env", "apply", "-f", pipeline},
                                                    {"rollout", "list"},
                                                    {"rollout", "watch", "r"}}) {
    const CommandResult refused = Run("curlew-far", arguments);
    EXPECT_EQ(refused.exit_code, 5) << refused.output;
    EXPECT_THAT(refused.output, HasSubstr(absl::StrCat("the client version ", CURLEW_FAR)));
    EXPECT_THAT(refused.output, HasSubstr("bring the controller to version"));
  }
  EXPECT_EQ(Curlew({"env", "list"}).output.find("only"), std::string::npos) << "nothing was applied";

  CurlewOk({"env", "apply", "-f", pipeline});
  StartOtherAgent("curlew-agent-far");
  ASSERT_THAT(agents_["staging"]->WaitForOutput(absl::StrCat("session ended.*the agent version ", CURLEW_FAR),
                                                absl::Seconds(20)),
              IsOk());
  EXPECT_TRUE(agents_["staging"]->running());
  EXPECT_EQ(Query(conninfo_["staging"], "SELECT to_regnamespace('curlew') IS NULL"), "t");

  // It rests for 15 s now. The controller, which tells all clients of its end, waits for none that rests.
  const absl::Time begin = absl::Now();
  controller_->Kill(SIGTERM);
  EXPECT_THAT(controller_->Wait(absl::Seconds(20)), IsOkAndHolds(0));
  EXPECT_LT(absl::Now() - begin, absl::Seconds(3));
}

}  // namespace
}  // namespace curlew
