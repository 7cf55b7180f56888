#include "tests/controller/support/engine_fixture.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/base/canonical_json.h"
#include "controller/dispatch/names.h"
#include "controller/dispatch/outbox.h"

namespace curlew::testing {

v1::Schema SchemaOfItems() {
  v1::Schema schema;
  v1::Table* table = schema.add_tables();
  table->set_schema("public");
  table->set_name("items");
  table->set_kind(v1::TABLE_KIND_TABLE);
  v1::Column* id = table->add_columns();
  id->set_name("id");
  id->set_type("bigint");
  id->set_not_null(true);
  id->set_has_equality(true);
  id->set_statistics_target(-1);
  return schema;
}

v1::Plan AddsColumn(const std::string& name, const std::string& column) {
  v1::Plan plan;
  plan.set_name(name);
  v1::AddColumn* operation = plan.add_operations()->mutable_add_column();
  operation->set_table("items");
  operation->set_column(column);
  operation->set_type("text");
  return plan;
}

void LoopAgent::Send(v1::ControllerMessage message) {
  if (message.has_dispatch()) fixture_->CheckAlone(message.dispatch());
  kept.push_back(std::move(message));
  fixture_->loop_.Post([this] { TakeUp(); });
}

absl::Time LoopAgent::last_heard() const { return fixture_->loop_.Now(); }

void LoopAgent::TakeUp() {
  std::deque<v1::ControllerMessage> messages = std::exchange(kept, {});
  for (const v1::ControllerMessage& message : messages) Answer(message);
}

void LoopAgent::Answer(const v1::ControllerMessage& message) {
  v1::AgentMessage answer;
  if (message.has_report_schema() && answers) {
    answer.mutable_schema_report()->set_request(message.report_schema().request());
    *answer.mutable_schema_report()->mutable_schema() = fixture_->schema(message.report_schema().target());
    return Say(std::move(answer));
  }
  if (message.has_run_preflight() && answers) {
    preflights.push_back(message.run_preflight());
    answer.mutable_preflight_report()->set_request(message.run_preflight().request());
    *answer.mutable_preflight_report()->mutable_preflight() = preflight;
    return Say(std::move(answer));
  }
  if (message.has_run_check() && make_check != nullptr) {
    *answer.mutable_check_report() = make_check(message.run_check());
    answer.mutable_check_report()->set_request(message.run_check().request());
    return Say(std::move(answer));
  }
  if (message.has_dispatch() && works) {
    answer.mutable_ack()->set_run(message.dispatch().run());
    answer.mutable_ack()->set_attempt(message.dispatch().attempt());
    Say(std::move(answer));
    return Report(message.dispatch());
  }
  if (message.has_cancel() || message.has_result_ack() || message.has_tune()) return;
  kept.push_back(message);
}

void LoopAgent::Report(const v1::Dispatch& dispatch, v1::AttemptState outcome) {
  v1::AgentMessage message;
  v1::Result* result = message.mutable_result();
  result->set_target(dispatch.target());
  result->set_run(dispatch.run());
  result->set_step(dispatch.step());
  result->set_attempt(dispatch.attempt());
  result->set_outcome(outcome);
  if (outcome == v1::ATTEMPT_STATE_FAILED) result->mutable_error()->set_message("it does not work");
  Say(std::move(message));
}

void LoopAgent::Say(v1::AgentMessage message) { fixture_->engine().Received(this, message); }

void HandCheckRunner::Answer(v1::CheckState state, const std::string& value) {
  Done done = std::move(asked.front().second);
  asked.pop_front();
  done({.state = state, .value = value, .message = ""});
}

EngineFixture::EngineFixture() {
  loop_.SetClockBy(absl::Hours(24 * 365 * 50));
  options_.checks.runner = &checks_;
  options_.rollouts.store_retry = absl::Milliseconds(20);
  options_.records.store_retry = absl::Milliseconds(20);
  options_.drift.store_retry = absl::Milliseconds(20);
  Restart();
}

EngineFixture::~EngineFixture() { loop_.Stop(); }

void EngineFixture::Restart() {
  loop_.Stop();
  agent_.kept.clear();
  checks_.asked.clear();
  engine_ = nullptr;
  engine_ = std::make_unique<dispatch::Engine>(&store_, &loop_, &loop_, options_);
  const absl::Status started = engine_->Start();
  EXPECT_TRUE(started.ok()) << started;
}

v1::Environment EngineFixture::Environment(const std::string& name, const std::vector<std::string>& targets) {
  v1::Environment environment;
  environment.set_name("environments/" + name);
  for (const std::string& target : targets) environment.add_targets(target);
  return environment;
}

void EngineFixture::Apply(const std::vector<v1::Environment>& environments) {
  const absl::Status applied = engine().ApplyEnvironments(environments, {});
  EXPECT_TRUE(applied.ok()) << applied;
}

std::string EngineFixture::StorePlan(const v1::Plan& plan) {
  v1::StoredPlan stored;
  stored.set_digest(base::CanonicalDigest(plan));
  stored.set_name(absl::StrCat("plans/", plan.name(), "-", stored.digest().substr(0, 12)));
  stored.set_creator("ann");
  *stored.mutable_plan() = plan;
  const auto kept = store_.PutPlan(stored, {});
  EXPECT_TRUE(kept.ok()) << kept.status();
  return stored.name();
}

absl::StatusOr<v1::Rollout> EngineFixture::Start(const std::string& name, const std::string& plan,
                                                 const std::vector<std::string>& after) {
  const auto stored = store_.GetPlan(plan);
  if (!stored.ok()) return stored.status();
  rollout::RolloutSpec spec{.name = "rollouts/" + name,
                            .plan = stored->name(),
                            .plan_digest = stored->digest(),
                            .plan_author = stored->creator(),
                            .creator = "alice",
                            .labels = {{"commit", "abc"}},
                            .after = after};
  return engine().rollouts().Create(
      rollout::NewRollout(std::move(spec), engine().targets().environments(), loop_.Now()), "alice");
}

v1::Rollout EngineFixture::Get(const std::string& name) {
  const auto stored = engine().rollouts().Get("rollouts/" + name);
  EXPECT_TRUE(stored.ok()) << stored.status();
  return stored.ok() ? stored->rollout : v1::Rollout();
}

v1::Run EngineFixture::RunOf(const std::string& name, const std::string& target) {
  const v1::Rollout rollout = Get(name);
  for (const v1::Run& run : rollout.runs()) {
    if (run.target() == target) return run;
  }
  ADD_FAILURE() << name << " has no run on " << target;
  return {};
}

void EngineFixture::Serve(LoopAgent* agent, const std::string& target, int64_t epoch) {
  engine().Granted(target, agent);
  v1::AgentMessage message;
  message.mutable_target_ready()->set_target(target);
  message.mutable_target_ready()->set_epoch(epoch);
  engine().Received(agent, message);
}

void EngineFixture::Lose(const std::string& target) {
  std::erase_if(agent_.kept, [&](const v1::ControllerMessage& message) {
    return message.dispatch().target() == target || message.report_schema().target() == target ||
           message.run_preflight().target() == target || message.run_check().target() == target;
  });
  engine().Released(target);
}

v1::Schema& EngineFixture::schema(const std::string& target) {
  const auto [entry, is_new] = schemas_.try_emplace(target);
  if (is_new) entry->second = SchemaOfItems();
  return entry->second;
}

void EngineFixture::CheckAlone(const v1::Dispatch& dispatch) {
  ++dispatched_;
  const std::string rollout = dispatch::RolloutOfRun(dispatch.run());
  std::vector<std::string>& worked = worked_[dispatch.target()];
  for (const std::string& other : worked) {
    if (other == rollout) continue;
    const auto stored = store_.GetRollout(other);
    if (!stored.ok()) continue;
    EXPECT_FALSE(rollout::Active(stored->rollout))
        << rollout << " works on " << dispatch.target() << " while " << other << " is active there";
    for (const v1::Run& run : stored->rollout.runs()) {
      EXPECT_FALSE(run.target() == dispatch.target() && dispatch::HasLiveAttempt(run))
          << rollout << " works on " << dispatch.target() << " while an attempt of " << other << " may be";
    }
  }
  if (std::find(worked.begin(), worked.end(), rollout) == worked.end()) worked.push_back(rollout);
}

}  // namespace curlew::testing
