#include "tests/controller/rollout/driver.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <utility>

#include "absl/strings/str_cat.h"
#include "common/base/proto_time.h"

namespace curlew::rollout::testing {
namespace {

v1::Step& AddStep(v1::CompiledPlan& plan, const std::string& key, v1::Phase phase) {
  v1::Step& step = *plan.add_steps();
  step.set_key(key);
  step.set_phase(phase);
  step.set_title("title of " + key);
  return step;
}

void SetSql(v1::Action& action, const std::string& sql) { action.mutable_execute_sql()->add_statements(sql); }

}  // namespace

v1::CompiledPlan AddPlan() {
  v1::CompiledPlan plan;
  plan.set_schema_fingerprint("fingerprint");
  v1::Step& look = AddStep(plan, "look", v1::PHASE_ADD);
  look.mutable_action()->mutable_verify();
  look.set_preflight(true);
  v1::Step& add = AddStep(plan, "add", v1::PHASE_ADD);
  SetSql(*add.mutable_action(), "ALTER TABLE t ADD COLUMN c text");
  SetSql(*add.mutable_undo(), "ALTER TABLE t DROP COLUMN c");
  v1::Step& dual = AddStep(plan, "dual", v1::PHASE_DUAL_WRITE);
  dual.mutable_action()->mutable_install_trigger();
  SetSql(*dual.mutable_undo(), "DROP FUNCTION curlew.f CASCADE");
  AddStep(plan, "fill", v1::PHASE_BACKFILL).mutable_action()->mutable_backfill();
  AddStep(plan, "check", v1::PHASE_CONSTRAIN).mutable_action()->mutable_verify();
  v1::Step& bind = AddStep(plan, "bind", v1::PHASE_CONSTRAIN);
  SetSql(*bind.mutable_action(), "ALTER TABLE t ALTER c SET NOT NULL");
  SetSql(*bind.mutable_undo(), "ALTER TABLE t ALTER c DROP NOT NULL");
  plan.mutable_rollback_gate()->set_key("any-key");
  plan.mutable_rollback_gate()->set_title("sessions that use the new shape are gone");
  plan.mutable_rollback_gate()->mutable_action()->mutable_wait();
  return plan;
}

v1::CompiledPlan RenamePlan() {
  v1::CompiledPlan plan = AddPlan();
  AddStep(plan, "drain", v1::PHASE_DROP).mutable_action()->mutable_wait();
  SetSql(*AddStep(plan, "drop", v1::PHASE_DROP).mutable_action(), "ALTER TABLE t DROP COLUMN b");
  return plan;
}

std::vector<v1::Environment> Staging() {
  v1::Environment staging;
  staging.set_name("environments/staging");
  staging.add_targets("s");
  staging.mutable_before_drop()->set_approvals(1);
  *staging.mutable_soak() = base::ToProto(absl::Minutes(10));
  return {staging};
}

std::vector<v1::Environment> Pipeline() {
  std::vector<v1::Environment> environments = Staging();
  v1::Environment production;
  production.set_name("environments/production");
  production.add_targets("p");
  production.add_targets("q");
  production.mutable_before()->set_approvals(1);
  production.mutable_before_drop()->set_approvals(1);
  environments.push_back(production);
  return environments;
}

std::string Describe(const Command& command) {
  if (const auto* compile = std::get_if<CompileRun>(&command)) return "compile " + compile->target;
  if (const auto* cancel = std::get_if<CancelAttempt>(&command)) {
    return absl::StrCat("cancel ", cancel->target, " #", cancel->attempt);
  }
  if (const auto* tune = std::get_if<SendTuning>(&command)) return "tune " + tune->target;
  const auto& dispatch = std::get<DispatchAttempt>(command);
  return absl::StrCat(dispatch.direction == v1::DIRECTION_UNDO ? "undo " : "do ", dispatch.target, " ",
                      dispatch.step, " #", dispatch.attempt, dispatch.with_plan ? " +plan" : "",
                      dispatch.override_wait.has_value() ? " +override" : "",
                      dispatch.tuning.has_value() ? " +tuning" : "");
}

Driver::Driver(const std::vector<v1::Environment>& environments, MachineOptions options)
    : options_(options),
      state_(NewRollout({.name = "rollouts/r",
                         .plan = "plans/p-1",
                         .plan_digest = "digest",
                         .plan_author = "paul",
                         .creator = "alice"},
                        environments, now_)) {}

absl::Status Driver::Try(const Input& input) {
  absl::StatusOr<Transition> transition = Advance(state_, input, now_, options_);
  if (!transition.ok()) return transition.status();
  EXPECT_THAT(Violations(state_, *transition, now_), ::testing::IsEmpty()) << state_.ShortDebugString();
  last_ = *std::move(transition);
  state_ = last_.state;
  history_.insert(history_.end(), last_.events.begin(), last_.events.end());
  return absl::OkStatus();
}

std::vector<std::string> Driver::Apply(const Input& input) {
  last_ = {};
  const absl::Status status = Try(input);
  EXPECT_TRUE(status.ok()) << status;
  std::vector<std::string> commands;
  for (const Command& command : last_.commands) commands.push_back(Describe(command));
  return commands;
}

std::vector<std::string> Driver::Pass(absl::Duration duration) {
  now_ += duration;
  return Apply(Ticked{});
}

void Driver::Start() {
  Apply(Started{"alice"});
  const v1::Rollout started = state_;
  for (const v1::Run& run : started.runs()) Apply(AgentReady{.target = run.target(), .epoch = 1});
}

std::vector<std::string> Driver::Compile(const std::string& target, v1::CompiledPlan plan) {
  return Apply(
      Compiled{.target = target, .plan = std::move(plan), .digest = "compiled", .steps_digest = "steps"});
}

void Driver::CompileAll(const std::vector<std::string>& targets, const v1::CompiledPlan& plan) {
  for (bool any = true; any;) {
    any = false;
    for (const std::string& target : targets) {
      if (run(target).compilation().state() != v1::ATTEMPT_STATE_LEASED) continue;
      Compile(target, plan);
      any = true;
    }
  }
}

std::vector<std::string> Driver::Ack(const std::string& target) {
  return Apply(AttemptAcked{target, live(target).attempt().number()});
}

std::vector<std::string> Driver::End(const std::string& target, v1::AttemptState outcome,
                                     const std::string& message) {
  AttemptEnded input{.target = target, .attempt = live(target).attempt().number(), .outcome = outcome};
  input.step = live(target).key();
  input.error.set_message(message);
  return Apply(input);
}

std::vector<std::string> Driver::Succeed(const std::string& target) {
  if (live(target).attempt().state() == v1::ATTEMPT_STATE_LEASED) Ack(target);
  return End(target, v1::ATTEMPT_STATE_SUCCEEDED);
}

void Driver::RunTo(const std::string& target, const std::string& step) {
  for (int i = 0; i < 20 && live(target).key() != step; ++i) Succeed(target);
  ASSERT_EQ(live(target).key(), step);
}

void Driver::Finish(const std::string& target) {
  for (int i = 0; i < 20; ++i) {
    bool any = false;
    for (const v1::StepStatus& step : run(target).steps()) any |= step.state() == v1::STEP_STATE_ACTIVE;
    any |= run(target).rollback_gate().state() == v1::STEP_STATE_ACTIVE;
    if (!any) return;
    Succeed(target);
  }
  FAIL() << target << " does not come to an end";
}

void Driver::ToDropGate() {
  Start();
  Compile("s");
  Finish("s");
}

void Driver::ToProduction() {
  ToDropGate();
  Apply(Approved{"", "bob"});
  Finish("s");
  Pass(absl::Minutes(10));
  CompileAll({"p", "q"});
}

void Driver::IntoProduction() {
  ToProduction();
  Apply(Approved{"", "bob"});
  CompileAll({"p", "q"});
}

const v1::Run& Driver::run(const std::string& target) const {
  for (const v1::Run& run : state_.runs()) {
    if (run.target() == target) return run;
  }
  ADD_FAILURE() << "no run " << target;
  return v1::Run::default_instance();
}

const v1::StepStatus& Driver::step(const std::string& target, const std::string& key) const {
  if (key == kRollbackGateKey) return run(target).rollback_gate();
  for (const v1::StepStatus& step : run(target).steps()) {
    if (step.key() == key) return step;
  }
  ADD_FAILURE() << "no step " << key;
  return v1::StepStatus::default_instance();
}

const v1::StepStatus& Driver::live(const std::string& target) const {
  for (const v1::StepStatus& step : run(target).steps()) {
    if (step.state() == v1::STEP_STATE_ACTIVE) return step;
  }
  if (run(target).rollback_gate().state() == v1::STEP_STATE_ACTIVE) return run(target).rollback_gate();
  ADD_FAILURE() << "no live attempt on " << target << " in " << state_.ShortDebugString();
  return v1::StepStatus::default_instance();
}

std::vector<v1::EventType> Driver::events() const {
  std::vector<v1::EventType> types;
  for (const v1::Event& event : last_.events) types.push_back(event.type());
  return types;
}

}  // namespace curlew::rollout::testing
