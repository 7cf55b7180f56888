// What people and agents are told where certificates or roles are in the way, by the real programs.
#include <gmock/gmock.h>

#include <fstream>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/time/clock.h"
#include "tests/e2e/fleet.h"
#include "tests/support/status_matchers.h"

namespace curlew {
namespace {

using ::curlew::testing::Certificates;
using ::curlew::testing::CommandResult;
using ::curlew::testing::FleetTest;
using ::curlew::testing::IsOk;
using ::testing::AllOf;
using ::testing::HasSubstr;

constexpr char kPipeline[] =
    "environments: [{name: staging, targets: [staging]}, {name: production, targets: [p]}]";
constexpr char kPlan[] = "name: p\noperations:\n  - add_column: {table: t, column: b, type: text}\n";

class SecureTest : public FleetTest {
 protected:
  // `curlew target list` with these flags alone.
  CommandResult List(std::vector<std::string> flags) {
    std::vector<std::string> argv = {CURLEW_BIN "/curlew", "--controller", address_, "target", "list"};
    argv.insert(argv.end(), flags.begin(), flags.end());
    auto process = testing::Process::Start({.argv = argv});
    EXPECT_THAT(process, IsOk());
    const auto exit_code = (*process)->Wait(absl::Seconds(60));
    EXPECT_THAT(exit_code, IsOk());
    return {exit_code.value_or(-1), (*process)->output()};
  }
  // By this certificate.
  CommandResult ListAs(rpc::TransportOptions options) {
    options.server_name = "curlew.test";
    return List(Certificates::Flags(options));
  }
  // Makes this the access file, and returns when it holds.
  void Access(const std::string& text) {
    std::ofstream(folder_ + "/access.yaml.new") << text;
    ASSERT_EQ(rename((folder_ + "/access.yaml.new").c_str(), (folder_ + "/access.yaml").c_str()), 0);
    const int before = Changes();
    const absl::Time deadline = absl::Now() + absl::Seconds(20);
    while (Changes() == before && absl::Now() < deadline) Curlew({"env", "list"});
    EXPECT_GT(Changes(), before);
  }
  // How often the controller has taken a new access file.
  int Changes() const {
    const std::vector<std::string> parts =
        absl::StrSplit(controller_->output(), "the access file has changed and holds from now on");
    return static_cast<int>(parts.size()) - 1;
  }
};

TEST_F(SecureTest, PeopleAreToldWhatIsWrongWithTheirCertificate) {
  StartController();
  const auto expect = [](const CommandResult& result, int exit_code, const auto& message) {
    EXPECT_EQ(result.exit_code, exit_code) << result.output;
    EXPECT_THAT(result.output, message);
  };
  expect(ListAs(certificates_.User("ann")), 0, ::testing::_);
  expect(List({"--insecure"}), 6, AllOf(HasSubstr(address_), HasSubstr("it speaks TLS")));
  expect(List({}), 2, AllOf(HasSubstr("--tls-cert"), HasSubstr("--insecure")));
  Certificates others;
  rpc::TransportOptions foreign = others.User("ann");
  expect(ListAs(foreign), 6, HasSubstr("of another CA than the one in --tls-ca"));
  foreign.ca = certificates_.User("ann").ca;
  expect(ListAs(foreign), 6,
         AllOf(HasSubstr("does not take our certificate (spiffe://curlew/user/ann"),
               HasSubstr("of another CA")));
  expect(ListAs(certificates_.User("old", 1, absl::Now() - absl::Hours(48))), 5,
         AllOf(HasSubstr("expired at"), HasSubstr("curlew pki issue --renew")));
}

TEST_F(SecureTest, ARoleThatIsMissingIsNamedAndCanBeGivenWhileEverythingRuns) {
  conninfo_ = {{"staging", NewDatabase("CREATE TABLE t (a bigint PRIMARY KEY)")}};
  StartController();
  CurlewOk({"env", "apply", "-f", File("e.yaml", kPipeline)});
  StartAgent("staging");
  const std::string plan = File("p.yaml", kPlan);
  Access(
      "roles:\n  - {role: author, users: [tester], environments: [staging]}\n  - {role: operator, users: "
      "[tester], environments: "
      "[staging]}\n"
      "agents: [{agent: agent-staging, targets: [staging]}]\n");
  const CommandResult refused = Curlew({"env", "apply", "-f", File("e.yaml", kPipeline)});
  EXPECT_THAT(refused.output,
              AllOf(HasSubstr("tester may not do this (ApplyEnvironments)"),
                    HasSubstr("needs the role admin everywhere"),
                    HasSubstr("is author in staging, operator in staging"), HasSubstr("--access")));
  EXPECT_EQ(Curlew({"plan", "submit", plan}).exit_code, 0);
  EXPECT_THAT(Curlew({"rollout", "start", plan, "--id", "r"}).output,
              HasSubstr("the role operator in production"));
  EXPECT_THAT(Curlew({"schema", "snapshot", "--target", "p"}).output,
              HasSubstr("the role viewer in production"));
}

TEST_F(SecureTest, AnAgentThatMayNotServeSaysSoAndServesOnceItMay) {
  conninfo_ = {{"staging", NewDatabase("CREATE TABLE t (a bigint PRIMARY KEY)")}};
  StartController();
  CurlewOk({"env", "apply", "-f", File("e.yaml", kPipeline)});
  StartAgent("staging");
  ASSERT_THAT(controller_->WaitForOutput("staging.*epoch", absl::Seconds(30)), IsOk());
  agents_.clear();
  Access("roles: [{role: admin, users: [\"*\"]}]\n");
  StartAgent("staging");
  ASSERT_THAT(agents_["staging"]->WaitForOutput("agent agent-staging may not serve target staging",
                                                absl::Seconds(20)),
              IsOk());
  WriteAccess();
  ASSERT_THAT(controller_->WaitForOutput("target is served.*staging.*epoch=2", absl::Seconds(30)), IsOk());
}

}  // namespace
}  // namespace curlew
