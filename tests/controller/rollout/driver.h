// What the machine's tests share: a plan, a pipeline, and a driver that feeds inputs and watches invariants.
#ifndef CURLEW_TESTS_CONTROLLER_ROLLOUT_DRIVER_H_
#define CURLEW_TESTS_CONTROLLER_ROLLOUT_DRIVER_H_

#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "controller/rollout/machine.h"
#include "curlew/v1/rollout.pb.h"
#include "curlew/v1/step.pb.h"

namespace curlew::rollout::testing {

// Steps of all phases: look (preflight), add, dual (both with undo), fill, check (neither has one), bind
// (with undo), drain (of DROP, only waits), drop (of DROP, no way back); with a rollback gate.
v1::CompiledPlan RenamePlan();
// The same without its steps of DROP.
v1::CompiledPlan AddPlan();

// staging with the target "s", production with "p" and "q". Approvals: none before staging, one before
// production and before each DROP. Soaks: 10 minutes after staging, none after production.
std::vector<v1::Environment> Pipeline();
// staging alone.
std::vector<v1::Environment> Staging();

// "compile s", "do s add #2", "undo s add #7", with " +plan", " +override" and " +tuning" where they are sent
// along; "cancel s #2"; "tune s".
std::string Describe(const Command& command);

// What is wrong with a transition from `before` at `now`; nothing ever should be.
std::vector<std::string> Violations(const v1::Rollout& before, const Transition& transition, absl::Time now);

// Feeds a rollout and fails the test on every violation.
class Driver {
 public:
  explicit Driver(const std::vector<v1::Environment>& environments = Pipeline(), MachineOptions options = {});

  // Applies the input, which must not be refused. Returns the transition's commands.
  std::vector<std::string> Apply(const Input& input);
  // Applies it unless it is refused.
  absl::Status Try(const Input& input);
  // The rollout is another one from now on: as it was stored, say.
  void Replace(v1::Rollout state) { state_ = std::move(state); }
  // Lets time pass, and ticks.
  std::vector<std::string> Pass(absl::Duration duration);

  // Started, and an agent for every target, with epoch 1.
  void Start();
  // Answers to CompileRun.
  std::vector<std::string> Compile(const std::string& target, v1::CompiledPlan plan = RenamePlan());
  // Answers whatever is asked of these targets, until nothing is any more: what was compiled before its gate
  // is compiled once more when it begins.
  void CompileAll(const std::vector<std::string>& targets, const v1::CompiledPlan& plan = RenamePlan());
  // Acknowledges the run's live attempt; ends it.
  std::vector<std::string> Ack(const std::string& target);
  std::vector<std::string> End(const std::string& target, v1::AttemptState outcome,
                               const std::string& message = "");
  std::vector<std::string> Succeed(const std::string& target);
  // Lets the run's attempts succeed until `step` is the one that has been sent.
  void RunTo(const std::string& target, const std::string& step);
  // Lets the run's attempts succeed until none is live.
  void Finish(const std::string& target);
  // Starts, compiles s and finishes it up to its DROP gate.
  void ToDropGate();
  // The same, and all of staging, its soak included; then p and q are compiled, and wait for their gate.
  void ToProduction();
  // The same, approved and compiled again: their first steps are sent.
  void IntoProduction();

  const v1::Rollout& state() const { return state_; }
  const v1::Run& run(const std::string& target) const;
  const v1::StepStatus& step(const std::string& target, const std::string& key) const;
  // The step with the live attempt; fails the test where there is none.
  const v1::StepStatus& live(const std::string& target) const;
  const Transition& last() const { return last_; }
  std::vector<v1::EventType> events() const;
  const std::vector<v1::Event>& history() const { return history_; }
  absl::Time now() const { return now_; }

 private:
  const MachineOptions options_;
  absl::Time now_ = absl::FromUnixSeconds(1'800'000'000);
  v1::Rollout state_;
  Transition last_;
  std::vector<v1::Event> history_;
};

}  // namespace curlew::rollout::testing

#endif  // CURLEW_TESTS_CONTROLLER_ROLLOUT_DRIVER_H_
