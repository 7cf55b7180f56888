// The life of an operation on a real server; case.h tells what happens.
#ifndef CURLEW_TESTS_HARNESS_LIFE_H_
#define CURLEW_TESTS_HARNESS_LIFE_H_

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "curlew/v1/plan.pb.h"
#include "curlew/v1/schema.pb.h"
#include "curlew/v1/step.pb.h"
#include "tests/harness/case.h"
#include "tests/harness/client.h"
#include "tests/harness/crash.h"
#include "tests/harness/names.h"
#include "tests/harness/twin.h"
#include "tests/support/agent_role.h"
#include "tests/support/pg_test.h"

namespace curlew::testing {

// One life after the other; each in a database of its own. The plan is run as an agent's role should be: no
// superuser, with the rights that `curlew-agent bootstrap-sql` grants, on tables of another role, to which
// all must belong in the end; as a superuser with CURLEW_HARNESS_ROLE=superuser. Not thread-safe.
class LifeTest : public PgTest {
 protected:
  void TearDown() override;
  // Picks the crash, once the plan is compiled.
  using Pick = std::function<Crash(const v1::CompiledPlan&)>;
  // A whole life. What differs is reported as a failure of the test; the status tells what kept it from going
  // on. Prints what the run printed where anything failed.
  absl::Status Live(const Case& the_case, Spelling spelling, uint64_t seed, const Pick& pick);

  // For tests of the harness itself: spoils the plan that runs.
  virtual void Tamper(v1::CompiledPlan* compiled) { (void)compiled; }

 private:
  struct Before {
    std::string dump;
    v1::Schema schema;
    std::string ours;
  };

  absl::Status Begin(Spelling spelling);
  absl::Status MakeAgentRole();
  absl::Status Compile();
  absl::Status ToTheGateAndBack();
  absl::Status ToTheEnd();

  // Runs a part of the plan in a process; is killed in it where the crash stands there, and then goes on with
  // it unless the crash says otherwise.
  absl::Status RunUntil(const std::string& run, const std::string& until, bool may_crash);
  absl::Status Undo(const std::string& run, bool may_crash);
  absl::StatusOr<int> Process(std::vector<std::string> args, bool may_crash);

  void StartClient(Knows knows, Pace pace);
  absl::Status StopClients(Knows knows);
  absl::Status Work();
  bool NewClientStarts(NewClient when) const { return case_->new_client == when; }

  void ExpectTwin(const std::vector<Compared>& columns, const std::string& moment);
  void ExpectRolledBack();
  void ExpectPromiseKept();
  void ExpectNothingLeft(const std::string& moment);
  void ExpectChecks(Moment moment);
  v1::Schema ReadNow();
  std::string WithoutLeftovers(std::vector<std::string> lines) const;

  const Case* case_ = nullptr;
  std::unique_ptr<Names> names_;
  std::unique_ptr<Twin> twin_;
  std::unique_ptr<AgentRole> agent_role_;  // null for a superuser
  std::string conninfo_, agent_conninfo_, client_conninfo_, server_folder_, plan_file_;
  v1::Plan plan_;
  v1::CompiledPlan compiled_;
  std::string digest_;
  Before before_;
  Crash crash_;
  bool crashed_ = false;
  std::string log_;
  std::mt19937_64 random_;
  std::atomic<int64_t> numbers_ = 0;
  struct Started {
    Knows knows;
    Pace pace;
    std::unique_ptr<HarnessClient> client;
  };
  std::vector<Started> clients_;
  int transactions_ = 0, retries_ = 0;
  absl::Duration longest_;
};

}  // namespace curlew::testing

#endif  // CURLEW_TESTS_HARNESS_LIFE_H_
