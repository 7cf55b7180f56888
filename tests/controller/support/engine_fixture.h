// An engine without threads, streams or databases: agents that live in its loop, a store in memory.
#ifndef CURLEW_TESTS_CONTROLLER_SUPPORT_ENGINE_FIXTURE_H_
#define CURLEW_TESTS_CONTROLLER_SUPPORT_ENGINE_FIXTURE_H_

#include <gtest/gtest.h>

#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "controller/checks/check_runner.h"
#include "controller/dispatch/engine.h"
#include "controller/rollout/machine.h"
#include "tests/controller/support/test_loop.h"
#include "tests/support/fake_rollout_store.h"

namespace curlew::testing {

// The table public.items (id bigint), and a plan that adds items.`column`.
v1::Schema SchemaOfItems();
v1::Plan AddsColumn(const std::string& name, const std::string& column = "note");

// A store whose commits can be stored and reported as failed all the same, as after a power cut in the middle
// of one.
class ForgetfulStore : public FakeRolloutStore {
 public:
  absl::StatusOr<int64_t> Commit(const store::RolloutChange& change) override {
    auto version = FakeRolloutStore::Commit(change);
    if (version.ok()) ++commits;
    if (version.ok() && !lost_answer.ok()) return lost_answer;
    return version;
  }
  absl::Status lost_answer;
  int commits = 0;
};

class EngineFixture;

// One agent of any number of targets. What it is sent it answers in the next task, or keeps.
class LoopAgent : public dispatch::AgentLink {
 public:
  explicit LoopAgent(EngineFixture* fixture) : fixture_(fixture) {}

  void Send(v1::ControllerMessage message) override;
  const std::string& agent_id() const override { return id_; }
  const std::string& agent_version() const override { return id_; }
  bool requires_signatures() const override { return requires_signatures_of_plans; }
  absl::Time last_heard() const override;

  // Whether it says that it runs signed plans alone.
  bool requires_signatures_of_plans = false;
  // Whether it answers questions for schemas and preflight, and carries steps out.
  bool answers = true, works = true;
  // What it says of checks; nothing where null.
  std::function<v1::CheckReport(const v1::RunCheck& check)> make_check;
  // What it finds before a run.
  v1::Preflight preflight;
  // What it was asked to look at.
  std::vector<v1::RunPreflight> preflights;

  // All that it was sent and has not answered.
  std::deque<v1::ControllerMessage> kept;
  // Answers, and does, all that.
  void TakeUp();
  // Says how an attempt ended.
  void Report(const v1::Dispatch& dispatch, v1::AttemptState outcome = v1::ATTEMPT_STATE_SUCCEEDED);

 private:
  void Answer(const v1::ControllerMessage& message);
  void Say(v1::AgentMessage message);

  EngineFixture* const fixture_;
  const std::string id_ = "agent-a";
};

// A runner of checks that a test speaks for: it keeps what it is asked.
class HandCheckRunner : public checks::CheckRunner {
 public:
  void Run(const v1::HealthCheck& check, Done done) override { asked.emplace_back(check, std::move(done)); }
  // Answers the oldest question.
  void Answer(v1::CheckState state, const std::string& value = "");

  std::deque<std::pair<v1::HealthCheck, Done>> asked;
};

// Checks, at each step that an agent is asked for, that no other rollout is at work on the target.
class EngineFixture : public ::testing::Test {
 protected:
  EngineFixture();
  ~EngineFixture() override;

  friend class LoopAgent;

  // Ends the engine, as a crash does, and starts another on the same store; nobody serves any target then.
  void Restart();
  dispatch::Engine& engine() { return *engine_; }

  // An environment of these targets, without any gate.
  static v1::Environment Environment(const std::string& name, const std::vector<std::string>& targets);
  void Apply(const std::vector<v1::Environment>& environments);
  // Stores a plan; returns its resource name.
  std::string StorePlan(const v1::Plan& plan);
  // Starts "rollouts/<name>" of a stored plan.
  absl::StatusOr<v1::Rollout> Start(const std::string& name, const std::string& plan,
                                    const std::vector<std::string>& after = {});
  absl::StatusOr<v1::Rollout> Do(const std::string& name, const rollout::Input& input) {
    return engine().rollouts().Apply("rollouts/" + name, input);
  }
  v1::Rollout Get(const std::string& name);
  v1::RolloutState StateOf(const std::string& name) { return Get(name).state(); }
  // The run on `target`.
  v1::Run RunOf(const std::string& name, const std::string& target);

  // `agent` serves the target from now on.
  void Serve(LoopAgent* agent, const std::string& target, int64_t epoch = 1);
  void Lose(const std::string& target);
  // What agents report of a target's schema.
  v1::Schema& schema(const std::string& target);

  TestLoop loop_;
  ForgetfulStore store_;
  dispatch::EngineOptions options_;
  HandCheckRunner checks_;
  LoopAgent agent_{this};
  // Rollouts in the order in which they were first at work on a target.
  std::map<std::string, std::vector<std::string>> worked_;
  int dispatched_ = 0;

 private:
  void CheckAlone(const v1::Dispatch& dispatch);

  std::unique_ptr<dispatch::Engine> engine_;
  std::map<std::string, v1::Schema> schemas_;
};

}  // namespace curlew::testing

#endif  // CURLEW_TESTS_CONTROLLER_SUPPORT_ENGINE_FIXTURE_H_
