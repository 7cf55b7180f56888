// A controller in the test's own process, behind a real port.
#ifndef CURLEW_TESTS_CONTROLLER_SUPPORT_CONTROLLER_FIXTURE_H_
#define CURLEW_TESTS_CONTROLLER_SUPPORT_CONTROLLER_FIXTURE_H_

#include <gtest/gtest.h>

#include <functional>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "common/base/clock.h"
#include "controller/server.h"
#include "curlew/v1/operator.grpc.pb.h"
#include "tests/controller/support/fake_agent.h"
#include "tests/controller/support/shared_store.h"

namespace curlew::testing {

// The table public.items (id bigint).
v1::Schema Items();
// Adds items.note; one that gets along without DROP steps.
v1::Plan AddNote(const std::string& name = "add-note");
// staging (staging-crm), then production (production-crm) behind one approval.
v1::ApplyEnvironmentsRequest TwoEnvironments();

// Starts a server on an empty store that outlives it.
class ControllerTest : public ::testing::Test {
 protected:
  ControllerTest();
  ~ControllerTest() override;

  // Ends the server that runs, and starts one on the same store.
  void Restart();
  void Stop() { server_.reset(); }

  // Calls. Each fails with what the server says.
  absl::StatusOr<v1::StoredPlan> CreatePlan(const v1::Plan& plan, const std::string& digest = "");
  absl::StatusOr<v1::Rollout> CreateRollout(const std::string& plan, const std::string& id = "");
  absl::StatusOr<v1::Rollout> GetRollout(const std::string& name);
  absl::StatusOr<v1::Target> GetTarget(const std::string& name);
  absl::Status ApplyEnvironments(const v1::ApplyEnvironmentsRequest& request = TwoEnvironments());
  absl::Status Approve(const std::string& rollout, const std::string& gate = "");
  absl::Status Rollback(const std::string& rollout);
  absl::StatusOr<v1::Rollout> Override(const std::string& rollout, const std::string& target,
                                       const std::string& reason, const std::string& actor = "bob",
                                       const std::string& etag = "");

  absl::StatusOr<v1::Rollout> Tune(const v1::TuneRolloutRequest& request);
  absl::StatusOr<v1::ListRowProblemsResponse> ListRowProblems(const v1::ListRowProblemsRequest& request);

  // The rollout when it first fulfils `wanted`; else as it was last.
  v1::Rollout WaitFor(const std::string& rollout, const std::function<bool(const v1::Rollout&)>& wanted);
  v1::Rollout WaitForState(const std::string& rollout, v1::RolloutState state);
  // The target when it first fulfils `wanted`; else as it was last.
  v1::Target WaitForTarget(const std::string& target, const std::function<bool(const v1::Target&)>& wanted);

  // A channel of its own.
  std::shared_ptr<grpc::Channel> Channel();
  // Environments and a plan; returns the plan's name.
  std::string SetUpPlan();

  SharedStore store_;
  base::SystemClock clock_;
  controller::ServerOptions options_;
  std::unique_ptr<controller::Server> server_;
};

}  // namespace curlew::testing

#endif  // CURLEW_TESTS_CONTROLLER_SUPPORT_CONTROLLER_FIXTURE_H_
