// Whoever is told of a rollout can show later that the record of it was not changed.
#include <SQLiteCpp/SQLiteCpp.h>
#include <gmock/gmock.h>
#include <signal.h>

#include <fstream>
#include <iterator>
#include <nlohmann/json.hpp>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "tests/controller/notify/receiver.h"
#include "tests/e2e/fleet.h"
#include "tests/support/status_matchers.h"

namespace curlew {
namespace {

using ::curlew::testing::CommandResult;
using ::curlew::testing::FleetTest;
using ::curlew::testing::IsOk;
using ::curlew::testing::IsOkAndHolds;
using ::curlew::testing::Process;
using ::curlew::testing::Received;
using ::curlew::testing::Receiver;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::SizeIs;

constexpr char kPlan[] = R"yaml(
name: add-note
operations:
  - add_column: {table: contacts, column: note, type: text}
)yaml";

class AuditTest : public FleetTest {
 protected:
  // The only block of Python of docs/audit.md.
  static std::string Snippet() {
    std::ifstream file(CURLEW_SOURCE_DIR "/docs/audit.md");
    const std::string page{std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
    const std::string fence = "```python\n";
    const size_t begin = page.find(fence) + fence.size();
    return page.substr(begin, page.find("```\n", begin) - begin);
  }
  // What it says of the log as `curlew audit list` prints it.
  std::string BrokenAt() {
    const std::string log =
        File("log.json", CurlewOk({"audit", "list", "--after", "0", "-n", "100000", "-o", "json"}));
    const auto said = Process::Run({.argv = {"/usr/bin/python3", "-c",
                                             absl::StrCat(Snippet(), "\nprint(broken_at(json.load(open(\"",
                                                          log, "\"))[\"entries\"]))")}});
    EXPECT_THAT(said, IsOk());
    return said.value_or("");
  }
  // Whoever can write to the store, while no controller runs.
  void Tamper(const std::vector<std::string>& statements) {
    controller_->Kill(SIGTERM);
    ASSERT_THAT(controller_->Wait(absl::Seconds(30)), IsOkAndHolds(0));
    {
      SQLite::Database store(folder_ + "/store.db", SQLite::OPEN_READWRITE);
      for (const std::string& statement : statements) store.exec(statement);
    }
    StartController();
  }
};

TEST_F(AuditTest, TheLogIsCheckedFromOutside) {
  const std::string key = folder_ + "/audit.key";
  ASSERT_THAT(Process::Run({.argv = {CURLEW_BIN "/curlew-controller", "audit-key", key}}),
              IsOkAndHolds(HasSubstr(key + ".pub")));
  Receiver receiver;
  File("secret", "hunter2\n");
  controller_flags_ = {"--audit-key", key, "--notifications",
                       File("sinks.yaml", absl::StrCat("sinks:\n  - {name: ops, url: 'http://127.0.0.1:",
                                                       receiver.port(), "/hook', secret_file: secret}\n"))};
  conninfo_ = {{"staging", NewDatabase("CREATE TABLE contacts (id bigint PRIMARY KEY, phone text)")}};
  StartController();
  CurlewOk({"env", "apply", "-f",
            File("e.yaml", "environments: [{name: only, targets: [staging], before: {approvals: 1}}]")});
  StartAgent("staging");
  CurlewOk({"rollout", "start", File("plan.yaml", kPlan), "--id", "r"});
  UntilGate("r");
  Approve("r");
  EXPECT_EQ(UntilEnd("r"), 0);

  const std::vector<Received> received = receiver.WaitFor(2);
  ASSERT_THAT(received, SizeIs(2));
  const auto waits = nlohmann::json::parse(received[0].body), done = nlohmann::json::parse(received[1].body);
  EXPECT_EQ(waits["kind"], "gate-waiting");
  EXPECT_THAT(waits["message"].get<std::string>(),
              AllOf(HasSubstr("only/before"), HasSubstr("curlew rollout approve r --gate only/before")));
  EXPECT_EQ(done["kind"], "done");
  EXPECT_EQ(done["resource"], "rollouts/r");
  const int64_t number = done["audit_head"]["number"];
  const std::string hash = done["audit_head"]["hash"];
  const std::vector<std::string> verify = {
      "audit", "verify", "--public-key", key + ".pub", "--since", absl::StrCat(number), "--hash", hash};
  EXPECT_THAT(CurlewOk(verify),
              AllOf(HasSubstr("the signature is right"), HasSubstr("is still what it was")));
  EXPECT_THAT(CurlewOk({"audit", "list"}), AllOf(HasSubstr("environments.apply"), HasSubstr("rollout.start"),
                                                 HasSubstr("approver"), HasSubstr("rollout.approve")));
  EXPECT_EQ(BrokenAt(), "None\n");
  // As docs/audit.md has it.
  const std::string text = File("head.txt", absl::StrCat("curlew-audit-head\n", number, "\n", hash, "\n"));
  std::string signature;
  ASSERT_TRUE(absl::Base64Unescape(done["audit_head"]["signature"].get<std::string>(), &signature));
  EXPECT_THAT(Process::Run({.argv = {"openssl", "pkeyutl", "-verify", "-pubin", "-inkey", key + ".pub",
                                     "-rawin", "-in", text, "-sigfile", File("head.sig", signature)}}),
              IsOkAndHolds(HasSubstr("Signature Verified Successfully")));

  // The approval is made another's; entries say their actor as it is, so as many bytes will do.
  Tamper({"DROP TRIGGER audit_is_not_changed",
          "UPDATE audit SET entry = CAST(replace(CAST(entry AS TEXT), 'approver', 'somebody') AS BLOB)"});
  CommandResult checked = Curlew(verify);
  EXPECT_EQ(checked.exit_code, 1);
  EXPECT_THAT(checked.output, HasSubstr("was changed: its hash is not that of what it says"));
  EXPECT_NE(BrokenAt(), "None\n");

  // And back; then the newest entries go.
  Tamper({"UPDATE audit SET entry = CAST(replace(CAST(entry AS TEXT), 'somebody', 'approver') AS BLOB)"});
  CurlewOk(verify);
  Tamper({"DROP TRIGGER audit_is_not_removed", absl::StrCat("DELETE FROM audit WHERE number >= ", number)});
  checked = Curlew(verify);
  EXPECT_EQ(checked.exit_code, 1);
  EXPECT_THAT(checked.output, HasSubstr(absl::StrCat("the end is gone, entry ", number)));
}

}  // namespace
}  // namespace curlew
