// A whole Curlew as real processes: a controller, agents, and `curlew` as people use it.
#ifndef CURLEW_TESTS_E2E_FLEET_H_
#define CURLEW_TESTS_E2E_FLEET_H_

#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "curlew/v1/rollout.pb.h"
#include "tests/support/certificates.h"
#include "tests/support/pg_test.h"
#include "tests/support/process.h"

namespace curlew::testing {

// What a command printed, and its exit status.
struct CommandResult {
  int exit_code = -1;
  std::string output;  // stdout and stderr
};

// Base of the end-to-end tests: two databases, staging and production, on the shared cluster, and the
// processes that serve them, which speak TLS with certificates of a CA of the test's. Everything lives in a
// temporary folder that goes with the test.
class FleetTest : public PgTest {
 protected:
  void SetUp() override;
  void TearDown() override;

  // Makes both databases by `setup`, starts the controller and an agent for each, and applies a pipeline of
  // staging and production in which both need one approval before DROP and production one before it begins.
  void StartFleet(absl::string_view setup);
  void StartController();
  // `target` is "staging" or "production". The id is the target's own unless given.
  void StartAgent(const std::string& target, std::map<std::string, std::string> env = {},
                  std::string id = "");

  // Starts `curlew` with `arguments`; null where it cannot be started, and then the test fails.
  std::unique_ptr<Process> StartCurlew(std::vector<std::string> arguments);
  // Runs it to its end.
  CommandResult Curlew(std::vector<std::string> arguments, absl::Duration timeout = absl::Seconds(60));
  // The same; the test fails unless it exits with 0. Returns the output.
  std::string CurlewOk(std::vector<std::string> arguments);
  // The controllers' access file: everybody may do all, agents serve what served_ says.
  void WriteAccess();
  // Flags of a controller's TLS and access, of an agent's, of a person's.
  std::vector<std::string> ControllerTransport();
  std::vector<std::string> AgentTransport(const std::string& id, const std::string& target);
  std::vector<std::string> UserTransport(const std::string& name);
  // Writes a file into the temporary folder and returns its path.
  std::string File(const std::string& name, absl::string_view text);
  // The rollout as `curlew rollout show -o json` gives it.
  v1::Rollout Show(const std::string& rollout);
  // Follows the rollout until it waits for an approval; the test fails unless it comes to that.
  void UntilGate(const std::string& rollout);
  // Follows it to its end and returns the exit status of the watch.
  int UntilEnd(const std::string& rollout);
  // By somebody else than who starts rollouts.
  void Approve(const std::string& rollout);

  // Who runs `curlew`, by certificate.
  std::string actor_ = "tester";
  // Further arguments of processes that are started from now on.
  std::vector<std::string> controller_flags_, agent_flags_;
  Certificates certificates_;
  std::map<std::string, std::set<std::string>> served_;  // targets of each agent, as the access file has them
  std::map<std::string, std::vector<std::string>> transports_;  // flags of people and of controllers
  std::string folder_;
  std::string address_;
  std::map<std::string, std::string> conninfo_;
  std::unique_ptr<Process> controller_;
  std::map<std::string, std::unique_ptr<Process>> agents_;
};

}  // namespace curlew::testing

#endif  // CURLEW_TESTS_E2E_FLEET_H_
