#include "tests/e2e/fleet.h"

#include <google/protobuf/util/json_util.h>
#include <stdlib.h>

#include <filesystem>
#include <fstream>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "tests/support/status_matchers.h"

namespace curlew::testing {
namespace {

constexpr char kEnvironments[] = R"(
environments:
  - name: staging
    targets: [staging]
    before_drop: {approvals: 1}
  - name: production
    targets: [production]
    before: {approvals: 1}
    before_drop: {approvals: 1}
)";

std::string Binary(const char* name) { return absl::StrCat(CURLEW_BIN, "/", name); }

}  // namespace

void FleetTest::SetUp() {
  std::string pattern = (std::filesystem::temp_directory_path() / "curlew-e2e-XXXXXX").string();
  folder_ = mkdtemp(pattern.data());
}

void FleetTest::TearDown() {
  if (HasFailure()) {
    if (controller_) std::cerr << "--- controller\n" << controller_->output();
    for (const auto& [name, agent] : agents_) std::cerr << "--- agent of " << name << "\n" << agent->output();
  }
  agents_.clear();
  controller_.reset();
  std::filesystem::remove_all(folder_);
  PgTest::TearDown();
}

std::string FleetTest::File(const std::string& name, absl::string_view text) {
  const std::string path = absl::StrCat(folder_, "/", name);
  std::ofstream(path) << text;
  return path;
}

void FleetTest::WriteAccess() {
  std::string access = "roles: [{role: admin, users: [\"*\"]}]\nagents:\n";
  if (served_.empty()) served_["nobody"] = {"nothing"};
  for (const auto& [agent, targets] : served_) {
    absl::StrAppend(&access, "  - {agent: ", agent, ", targets: [", absl::StrJoin(targets, ", "), "]}\n");
  }
  // In one step: the controller may be reading it.
  std::filesystem::rename(File("access.yaml.new", access), folder_ + "/access.yaml");
}

std::vector<std::string> FleetTest::ControllerTransport() {
  std::vector<std::string>& flags = transports_["a controller"];
  if (flags.empty()) {
    WriteAccess();
    flags = Certificates::Flags(certificates_.Controller());
    flags.insert(flags.end(), {"--access", folder_ + "/access.yaml"});
  }
  return flags;
}

std::vector<std::string> FleetTest::AgentTransport(const std::string& id, const std::string& target) {
  if (served_[id].insert(target).second) WriteAccess();
  rpc::TransportOptions options = certificates_.Agent(id);
  options.server_name = "curlew.test";
  return Certificates::Flags(options);
}

std::vector<std::string> FleetTest::UserTransport(const std::string& name) {
  std::vector<std::string>& flags = transports_[name];
  if (flags.empty()) {
    rpc::TransportOptions options = certificates_.User(name);
    options.server_name = "curlew.test";
    flags = Certificates::Flags(options);
  }
  return flags;
}

void FleetTest::StartController() {
  if (address_.empty()) address_ = absl::StrCat("127.0.0.1:", FreePort());
  std::vector<std::string> argv = {
      Binary("curlew-controller"), "--listen", address_,       "--store", absl::StrCat(folder_, "/store.db"),
      "--heartbeat-interval",      "500ms",    "--lease-time", "3s"};
  for (const auto& flags : {ControllerTransport(), controller_flags_}) {
    argv.insert(argv.end(), flags.begin(), flags.end());
  }
  auto process = Process::Start({.argv = argv});
  ASSERT_THAT(process, IsOk());
  controller_ = *std::move(process);
  ASSERT_THAT(controller_->WaitForOutput("(listening|serving)", absl::Seconds(20)), IsOk());
}

void FleetTest::StartAgent(const std::string& target, std::map<std::string, std::string> env,
                           std::string id) {
  const std::string name = id.empty() ? "agent-" + target : id;
  std::vector<std::string> argv = {Binary("curlew-agent"),
                                   "--controller",
                                   address_,
                                   "--target",
                                   absl::StrCat(target, "=", conninfo_[target]),
                                   "--report-row-keys"};
  for (const auto& flags : {AgentTransport(name, target), agent_flags_}) {
    argv.insert(argv.end(), flags.begin(), flags.end());
  }
  auto process = Process::Start({.argv = argv, .env = std::move(env)});
  ASSERT_THAT(process, IsOk());
  agents_[id.empty() ? target : id] = *std::move(process);
}

void FleetTest::StartFleet(absl::string_view setup) {
  conninfo_ = {{"staging", NewDatabase(setup)}, {"production", NewDatabase(setup)}};
  StartController();
  CurlewOk({"env", "apply", "-f", File("environments.yaml", kEnvironments)});
  StartAgent("staging");
  StartAgent("production");
}

std::unique_ptr<Process> FleetTest::StartCurlew(std::vector<std::string> arguments) {
  std::vector<std::string> argv = {Binary("curlew"), "--controller", address_};
  for (const auto& flags : {UserTransport(actor_), arguments})
    argv.insert(argv.end(), flags.begin(), flags.end());
  auto process = Process::Start({.argv = argv});
  EXPECT_THAT(process, IsOk());
  return process.ok() ? *std::move(process) : nullptr;
}

CommandResult FleetTest::Curlew(std::vector<std::string> arguments, absl::Duration timeout) {
  const std::unique_ptr<Process> process = StartCurlew(std::move(arguments));
  if (process == nullptr) return {};
  auto exit_code = process->Wait(timeout);
  EXPECT_THAT(exit_code, IsOk());
  return {exit_code.value_or(-1), process->output()};
}

std::string FleetTest::CurlewOk(std::vector<std::string> arguments) {
  const std::string line = absl::StrJoin(arguments, " ");
  CommandResult result = Curlew(std::move(arguments));
  EXPECT_EQ(result.exit_code, 0) << "curlew " << line << "\n" << result.output;
  return result.output;
}

v1::Rollout FleetTest::Show(const std::string& rollout) {
  v1::Rollout shown;
  const std::string json = CurlewOk({"rollout", "show", rollout, "-o", "json"});
  const auto status = google::protobuf::util::JsonStringToMessage(json, &shown);
  EXPECT_TRUE(status.ok()) << status.ToString() << json;
  return shown;
}

void FleetTest::UntilGate(const std::string& rollout) {
  CommandResult result = Curlew({"rollout", "watch", rollout, "--until", "gate"});
  EXPECT_EQ(result.exit_code, 0) << result.output;
}

int FleetTest::UntilEnd(const std::string& rollout) {
  return Curlew({"rollout", "watch", rollout}).exit_code;
}

void FleetTest::Approve(const std::string& rollout) {
  const std::string before = std::exchange(actor_, "approver");
  CurlewOk({"rollout", "approve", rollout, "--reason", "a test"});
  actor_ = before;
}

}  // namespace curlew::testing
