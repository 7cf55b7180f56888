// Whole rollouts in a world of bad luck, from seeds: agents fail, crash, are cut off, answer twice, late and
// out of order; databases go back in time; operators pause, resume, abort, roll back and approve when they
// please. After every event all invariants must hold; when the world has calmed down every rollout must come
// to its end, and the databases must be what it says they are.
//
// CURLEW_SIMULATION_SEEDS says how many seeds, CURLEW_SIMULATION_SEED which single one.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/base/hash.h"
#include "common/base/proto_time.h"
#include "controller/rollout/machine.h"
#include "controller/rollout/same_state.h"
#include "tests/controller/rollout/driver.h"
#include "tests/controller/rollout/fake_agent.h"

namespace curlew::rollout::testing {
namespace {

v1::CompiledPlan RandomPlan(Random& random) {
  v1::CompiledPlan plan;
  for (int phase = v1::PHASE_ADD; phase <= v1::PHASE_DROP; ++phase) {
    const int steps = random.Below(3);
    for (int i = 0; i < steps; ++i) {
      v1::Step& step = *plan.add_steps();
      step.set_key(absl::StrCat(phase, "-", i));
      step.set_phase(static_cast<v1::Phase>(phase));
      step.set_preflight(phase == v1::PHASE_ADD && i == 0 && random.Percent(70));
      if (random.Percent(phase == v1::PHASE_DROP ? 30 : 5)) {
        step.set_preflight(false);
        step.mutable_action()->mutable_wait();
        if (random.Percent(50)) step.set_title(kStuck);
        continue;
      }
      if (step.preflight() || random.Percent(30)) {
        step.mutable_action()->mutable_verify();
        continue;
      }
      step.mutable_action()->mutable_execute_sql();
      // Before DROP a step without an undo leaves nothing behind.
      if (random.Percent(phase == v1::PHASE_DROP ? 30 : 80)) step.mutable_undo()->mutable_execute_sql();
    }
  }
  if (random.Percent(60)) plan.mutable_rollback_gate()->mutable_action()->mutable_wait();
  if (random.Percent(30) && plan.has_rollback_gate()) plan.mutable_rollback_gate()->set_title(kStuck);
  return plan;
}

google::protobuf::Duration Seconds(int seconds) { return base::ToProto(absl::Seconds(seconds)); }

v1::HealthCheck Check(const std::string& name, Random& random) {
  v1::HealthCheck check;
  check.set_name(name);
  *check.mutable_interval() = Seconds(5 + random.Below(20));
  return check;
}

// Now and then: windows that are open every other minute, a soak, checks, approvals that expire.
v1::GatePolicy RandomGate(Random& random, int approvals) {
  v1::GatePolicy gate;
  gate.set_approvals(random.Below(approvals + 1));
  if (random.Percent(20)) *gate.mutable_approval_expires() = Seconds(30 + random.Below(90));
  if (random.Percent(20)) *gate.mutable_soak() = Seconds(random.Below(60));
  if (random.Percent(15)) {
    v1::Window& window = *gate.add_windows();
    window.set_cron("*/2 * * * *");
    *window.mutable_duration() = Seconds(60);
  }
  if (random.Percent(15)) {
    v1::HealthCheck check = Check("up", random);
    check.mutable_http()->set_url("http://up");
    if (random.Percent(50)) *check.mutable_hold() = Seconds(random.Below(40));
    *gate.add_checks() = check;
  }
  if (random.Percent(10)) {
    v1::HealthCheck check = Check("lag", random);
    check.mutable_agent()->set_name("lag");
    *gate.add_checks() = check;
  }
  if (random.Percent(10)) {
    v1::HealthCheck check = Check("deployed", random);
    check.mutable_reported();
    if (random.Percent(50)) *check.mutable_reported()->mutable_expires() = Seconds(60 + random.Below(60));
    *gate.add_checks() = check;
  }
  return gate;
}

void AddWaves(v1::Environment& environment, Random& random) {
  v1::WavePolicy& canary = *environment.add_waves();
  canary.set_name("canary");
  canary.set_count(1);
  *canary.mutable_bake() = Seconds(random.Below(60));
  v1::WavePolicy& rest = *environment.add_waves();
  rest.set_name("rest");
  rest.set_max_parallel(random.Below(3));
  *rest.mutable_bake() = Seconds(random.Below(30));
  if (random.Percent(40)) *rest.mutable_before() = RandomGate(random, 1);
}

std::vector<v1::Environment> RandomPipeline(Random& random) {
  std::vector<v1::Environment> environments(1 + random.Below(3));
  for (size_t e = 0; e < environments.size(); ++e) {
    v1::Environment& environment = environments[e];
    environment.set_name(absl::StrCat("environments/e", e));
    const int targets = 1 + random.Below(4);
    for (int t = 0; t < targets; ++t) environment.add_targets(absl::StrCat("t", e, "-", t));
    *environment.mutable_before() = RandomGate(random, 1);
    *environment.mutable_before_drop() = RandomGate(random, 2);
    *environment.mutable_soak() = Seconds(random.Below(60));
    if (targets > 1 && random.Percent(50)) AddWaves(environment, random);
    environment.set_max_parallel(random.Below(3));
    if (random.Percent(30)) environment.set_max_failed(1);
    if (random.Percent(30)) {
      environment.set_on_failure(random.Percent(50) ? v1::FAILURE_ACTION_CONTINUE
                                                    : v1::FAILURE_ACTION_ROLLBACK);
    }
    if (random.Percent(40)) {
      environment.set_max_unavailable(1);
      *environment.mutable_target_deadline() = Seconds(20 + random.Below(100));
    }
    if (random.Percent(15)) {
      v1::Window& every = *environment.add_freezes()->mutable_every();
      every.set_cron("*/3 * * * *");
      *every.mutable_duration() = Seconds(60);
    }
    if (random.Percent(20)) {
      v1::HealthCheck check = Check("errors", random);
      check.mutable_agent()->set_name("errors");
      check.set_failure_threshold(1 + random.Below(3));
      *environment.add_health() = check;
      if (random.Percent(50)) environment.set_on_unhealthy(v1::HEALTH_ACTION_ROLLBACK);
    }
  }
  return environments;
}

// One rollout and its world.
class World {
 public:
  explicit World(uint64_t seed)
      : random_(seed),
        plan_(RandomPlan(random_)),
        wants_rollback_(random_.Percent(40)),
        says_journal_(random_.Percent(90)) {
    options_.max_errored_attempts = 1 + random_.Below(4);
    state_ =
        NewRollout({.name = "rollouts/r", .plan = "plans/p", .plan_digest = "digest", .creator = "alice"},
                   RandomPipeline(random_), now_);
    Feed(Started{"alice"});
    const v1::Rollout started = state_;
    for (const v1::Run& run : started.runs()) {
      links_[run.target()].agent = std::make_unique<FakeAgent>(run.target(), plan_, random_);
    }
  }

  // Returns what was wrong; empty where nothing was.
  std::vector<std::string> Run() {
    for (int i = 0; i < 1000 && wrong_.empty() && !IsOver(); ++i) Chaos();
    for (int i = 0; i < 5000 && wrong_.empty() && !IsOver(); ++i) Calm();
    if (!IsOver()) wrong_.push_back("it never ends: " + state_.ShortDebugString());
    // What is still under way must do no harm.
    while (!mail_.empty() && wrong_.empty()) Deliver();
    JudgeDatabases();
    for (const auto& [target, link] : links_) {
      wrong_.insert(wrong_.end(), link.agent->complaints().begin(), link.agent->complaints().end());
    }
    return wrong_;
  }

  v1::RolloutState end() const { return state_.state(); }
  std::string transcript() const { return base::Sha256Hex(transcript_); }
  int inputs() const { return inputs_; }
  // How often a database went back; how often the rollout had to open something again.
  int went_back() const { return went_back_; }
  int opened_again() const { return opened_again_; }
  // How often each kind of event was told.
  const std::map<std::string, int>& told() const { return told_; }

 private:
  // The way between the controller and an agent.
  struct Link {
    std::unique_ptr<FakeAgent> agent;
    bool connected = false;
    int session = 0;
    int schema = 0;
  };
  // Under way: a command to an agent or what an agent says.
  struct Letter {
    std::string target;
    int session = 0;
    std::variant<Command, Input> content;
  };

  void Chaos() {
    Link& link = AnyLink();
    const int dice = random_.Below(100);
    if (dice < 50) {
      Deliver();
    } else if (dice < 70) {
      Post(link, link.agent->Work(8));
    } else if (dice < 76) {
      Pass(absl::Milliseconds(random_.Below(5000)));
    } else if (dice < 80) {
      Lose(link);
    } else if (dice < 84) {
      link.agent->Restart();
      // The loss of the one before is not always noticed.
      if (random_.Percent(50)) Lose(link);
      Connect(link);
    } else if (dice < 90) {
      if (!link.connected) Connect(link);
    } else if (dice < 91) {
      if (says_journal_ && random_.Percent(50)) {
        link.agent->GoBack();
        ++went_back_;
        if (random_.Percent(50)) Lose(link);
      }
      Connect(link);
    } else if (dice < 95) {
      Feed(Approved{"", random_.Percent(50) ? "bob" : random_.Percent(80) ? "carol" : "alice"});
    } else if (dice < 98) {
      LookAtSomething(70);
    } else {
      AskSomething();
    }
  }

  // One of the checks that are due is made; and somebody says something, or another rollout comes or goes.
  void LookAtSomething(int holds_percent) {
    const std::vector<DueCheck> due = DueChecks(state_, now_);
    const auto state = [&] {
      if (random_.Percent(holds_percent)) return v1::CHECK_STATE_PASSING;
      return random_.Percent(50) ? v1::CHECK_STATE_FAILING : v1::CHECK_STATE_ERROR;
    };
    if (!due.empty()) {
      const DueCheck& check = due[random_.Below(static_cast<int>(due.size()))];
      Feed(CheckReported{
          .place = check.place, .check = check.check.name(), .target = check.target, .state = state()});
    }
    if (random_.Percent(20)) Feed(CheckReported{.check = "deployed", .state = state(), .actor = "ci"});
    if (random_.Percent(20)) {
      HoldersChanged holders;
      if (random_.Percent(50)) holders.held_by[TargetOf(AnyLink())] = "rollouts/other";
      Feed(holders);
    }
  }

  // Everything that is due is made, and holds.
  void LookAtAll() {
    for (const DueCheck& check : DueChecks(state_, now_)) {
      Feed(CheckReported{.place = check.place,
                         .check = check.check.name(),
                         .target = check.target,
                         .state = v1::CHECK_STATE_PASSING});
    }
    Feed(CheckReported{.check = "deployed", .state = v1::CHECK_STATE_PASSING, .actor = "ci"});
  }

  // Nothing goes wrong any more, and the operator wants to come to an end.
  void Calm() {
    for (auto& [target, link] : links_) {
      if (!link.connected) Connect(link);
    }
    if (!mail_.empty()) return Deliver();
    Feed(HoldersChanged{});
    LookAtAll();
    if (!mail_.empty()) return;
    for (auto& [target, link] : links_) Post(link, link.agent->Work(0));
    if (!mail_.empty()) return;
    switch (state_.state()) {
      case v1::ROLLOUT_STATE_ABORTED:
        Feed(RollbackAsked{"bob"});
        nothing_to_undo_ = state_.state() == v1::ROLLOUT_STATE_ABORTED;
        return;
      case v1::ROLLOUT_STATE_PAUSED:
      case v1::ROLLOUT_STATE_FAILED:
        if (wants_rollback_ || state_.has_rollback_time()) {
          Feed(RollbackAsked{"bob"});
          if (state_.state() == v1::ROLLOUT_STATE_ROLLING_BACK) return;
        }
        return Feed(ResumeAsked{"bob"});
      default:
        Feed(Approved{"", "bob"});
        Feed(Approved{"", "carol"});
        Feed(OverrideAsked{"", "bob", "it never comes"});
        // Checks are made in time.
        Pass(std::min(absl::Seconds(10), wake_ == absl::InfiniteFuture() ? absl::Seconds(1) : wake_ - now_));
    }
  }

  void AskSomething() {
    // Some operators are hasty, and most of all when it is almost too late.
    if (wants_rollback_ && IsDropping() && random_.Percent(15)) return Feed(RollbackAsked{"bob"});
    if (wants_rollback_ && random_.Percent(4)) return Feed(RollbackAsked{"bob"});
    if (wants_rollback_ && random_.Percent(2)) {
      return Feed(RollbackAsked{"bob", "", state_.stages(random_.Below(state_.stages_size())).environment()});
    }
    if (random_.Percent(3)) return Feed(TargetSkipped{TargetOf(AnyLink()), "bob", "not now"});
    if (random_.Percent(5)) return Feed(GateSkipped{"", "carol", "an emergency"});
    if (wants_rollback_ && random_.Percent(2)) return Feed(AbortAsked{"bob"});
    if (state_.has_rollback_time() && !Ended(state_)) return Feed(RollbackAsked{"bob"});
    if (random_.Percent(20)) return Feed(PauseAsked{"bob"});
    if (random_.Percent(20)) return Feed(OverrideAsked{"", "bob", "it never comes"});
    if (random_.Percent(20)) return Feed(OverrideAsked{TargetOf(AnyLink()), "carol", "it never comes"});
    if (random_.Percent(20)) return Feed(RandomTuning());
    Feed(ResumeAsked{"bob"});
  }

  TuneAsked RandomTuning() {
    TuneAsked asked{.target = random_.Percent(50) ? TargetOf(AnyLink()) : "", .actor = "bob"};
    asked.tuning.set_max_workers(1 + random_.Below(3));
    for (const char* signal : {"replica_lag_ms", "active_sessions", "wal_bytes_per_s"}) {
      if (random_.Percent(50)) (*asked.tuning.mutable_limits())[signal] = 1 + random_.Below(3);
    }
    return asked;
  }

  bool IsDropping() const {
    return std::any_of(state_.stages().begin(), state_.stages().end(), [](const v1::EnvironmentStage& stage) {
      return stage.state() == v1::STAGE_STATE_DROPPING;
    });
  }

  bool IsOver() const {
    if (state_.state() != v1::ROLLOUT_STATE_ABORTED) return Ended(state_);
    return nothing_to_undo_;
  }

  Link& AnyLink() {
    return std::next(links_.begin(), random_.Below(static_cast<int>(links_.size())))->second;
  }

  const std::string& TargetOf(const Link& link) const {
    return std::find_if(links_.begin(), links_.end(), [&](const auto& e) { return &e.second == &link; })
        ->first;
  }

  void Connect(Link& link) {
    if (link.agent->epoch() == 0) link.agent->Restart();
    link.connected = true;
    ++link.session;
    AgentReady ready{.target = TargetOf(link), .epoch = link.agent->epoch(), .held = link.agent->Held()};
    // Agents of an earlier version do not say.
    if (says_journal_) ready.journal = link.agent->Journal();
    Feed(ready);
    Post(link, link.agent->Unacknowledged());
  }

  void Lose(Link& link) {
    link.connected = false;
    Feed(AgentLost{TargetOf(link)});
  }

  void Post(Link& link, const std::vector<Input>& inputs) {
    if (!link.connected) return;
    for (const Input& input : inputs) mail_.push_back({TargetOf(link), link.session, input});
  }

  // Delivers a letter, any of them; sometimes it arrives again later.
  void Deliver() {
    if (mail_.empty()) return;
    const int i = random_.Below(static_cast<int>(mail_.size()));
    const Letter letter = mail_[i];
    if (!random_.Percent(10)) mail_.erase(mail_.begin() + i);
    Link& link = links_[letter.target];
    // A letter of a session that has ended may be lost, or late.
    if (letter.session != link.session && random_.Percent(50)) return;
    if (const auto* input = std::get_if<Input>(&letter.content)) {
      Feed(*input);
      if (const auto* ended = std::get_if<AttemptEnded>(input)) link.agent->Acknowledge(ended->attempt);
      return;
    }
    // What came in a session was taken up, or is gone, before the agent says in the next one what it holds.
    if (!link.connected || letter.session != link.session) return;
    const auto& command = std::get<Command>(letter.content);
    if (const auto* dispatch = std::get_if<DispatchAttempt>(&command)) {
      Post(link, link.agent->OnDispatch(*dispatch));
    } else if (const auto* cancel = std::get_if<CancelAttempt>(&command)) {
      link.agent->OnCancel(cancel->attempt);
    } else if (std::holds_alternative<SendTuning>(command)) {
      // Nothing comes back.
    } else {
      Post(link, {CompileAnswer(letter.target)});
    }
  }

  Input CompileAnswer(const std::string& target) {
    CompileFailed failed{.target = target, .retriable = random_.Percent(70)};
    failed.error.set_message("bad luck");
    if (random_.Percent(10)) return failed;
    // Somebody changes the schema: seldom, and not once the run has begun.
    Link& link = links_[target];
    if (random_.Percent(3)) ++link.schema;
    Compiled compiled{.target = target,
                      .plan = plan_,
                      .digest = absl::StrCat("compiled", link.schema),
                      .steps_digest = "steps"};
    compiled.plan.set_schema_fingerprint(absl::StrCat("schema", link.schema));
    if (random_.Percent(5)) compiled.differences = {"another step"};
    if (random_.Percent(5)) {
      v1::PreflightFinding& finding = *compiled.preflight.add_findings();
      finding.set_severity(random_.Percent(50) ? v1::PREFLIGHT_SEVERITY_ERROR
                                               : v1::PREFLIGHT_SEVERITY_WARNING);
      finding.set_message("no room");
    }
    return compiled;
  }

  void Pass(absl::Duration duration) {
    now_ += duration;
    Feed(Ticked{});
  }

  void Feed(const Input& input) {
    if (!wrong_.empty()) return;
    ++inputs_;
    const absl::StatusOr<Transition> next = Advance(state_, input, now_, options_);
    const absl::StatusOr<Transition> same = Advance(state_, input, now_, options_);
    if (!next.ok()) {
      const bool is_operators =
          input.index() >= Input(Approved{}).index() && !std::holds_alternative<Ticked>(input);
      const bool no_such_check =
          std::holds_alternative<CheckReported>(input) && absl::IsNotFound(next.status());
      if (!no_such_check &&
          (!is_operators || next.status().code() != absl::StatusCode::kFailedPrecondition)) {
        wrong_.push_back(next.status().ToString());
      }
      return;
    }
    for (const std::string& violation : Violations(state_, *next, now_)) wrong_.push_back(violation);
    for (const v1::Event& event : next->events) {
      opened_again_ += event.type() == v1::EVENT_TYPE_TARGET_WENT_BACK;
      ++told_[v1::EventType_Name(event.type())];
    }
    if (Letters(*next) != Letters(*same)) wrong_.push_back("it is not deterministic");
    JudgeRepetition(input, *next);
    state_ = next->state;
    wake_ = next->wake;
    transcript_ = base::Sha256Hex(transcript_ + Letters(*next));
    for (const Command& command : next->commands) {
      const std::string target = std::visit([](const auto& c) { return c.target; }, command);
      mail_.push_back({target, links_[target].session, command});
    }
  }

  static std::string Letters(const Transition& transition) {
    std::string letters = StableBytes(transition.state);
    for (const v1::Event& event : transition.events) letters += event.SerializeAsString();
    for (const Command& command : transition.commands) letters += Describe(command);
    return letters;
  }

  // What agents say may be said again at once: nothing follows from that.
  void JudgeRepetition(const Input& input, const Transition& next) {
    if (!std::holds_alternative<AttemptEnded>(input) && !std::holds_alternative<AttemptAcked>(input) &&
        !std::holds_alternative<Compiled>(input) && !std::holds_alternative<CompileFailed>(input) &&
        !std::holds_alternative<AgentLost>(input) && !std::holds_alternative<Ticked>(input)) {
      return;
    }
    const absl::StatusOr<Transition> again = Advance(next.state, input, now_, options_);
    if (!again.ok() || !again->commands.empty() || !SameState(again->state, next.state)) {
      wrong_.push_back(absl::StrCat("something follows from a repetition of input ", input.index()));
      if (!again.ok()) return wrong_.push_back(again.status().ToString());
      for (const v1::Event& event : again->events) wrong_.push_back(event.message());
      for (const Command& command : again->commands) wrong_.push_back(Describe(command));
    }
  }

  void JudgeDatabases() {
    for (const v1::Run& run : state_.runs()) {
      const FakeAgent& agent = *links_[run.target()].agent;
      if (run.state() == v1::RUN_STATE_SUCCEEDED && !agent.IsDone()) {
        wrong_.push_back(run.target() + " SUCCEEDED but is not done");
      }
      if (run.state() == v1::RUN_STATE_ROLLED_BACK && !agent.IsClean()) {
        wrong_.push_back(run.target() + " ROLLED_BACK but is not clean");
      }
      // What was never begun, and environments that were not meant, are left as they are.
      const bool meant = absl::StartsWith(state_.reason(), "rolled back") ||
                         absl::StartsWith(state_.reason(), run.environment().substr(sizeof("environments")));
      const bool left = run.state() != v1::RUN_STATE_SUCCEEDED && run.state() != v1::RUN_STATE_ROLLED_BACK &&
                        run.has_start_time() && meant;
      if (state_.state() == v1::ROLLOUT_STATE_ROLLED_BACK && left &&
          !absl::StrContains(state_.reason(), run.target())) {
        wrong_.push_back(run.target() + " was left without a word");
      }
    }
  }

  Random random_;
  const v1::CompiledPlan plan_;
  const bool wants_rollback_;
  // Whether agents say what their journals have; those that do not have databases that never go back.
  const bool says_journal_;
  MachineOptions options_;
  absl::Time now_ = absl::FromUnixSeconds(1'800'000'000);
  absl::Time wake_ = absl::InfiniteFuture();
  v1::Rollout state_;
  std::map<std::string, Link> links_;
  std::vector<Letter> mail_;
  bool nothing_to_undo_ = false;  // by a rollout that was ABORTED
  std::vector<std::string> wrong_;
  std::string transcript_;
  int inputs_ = 0;
  int went_back_ = 0;
  int opened_again_ = 0;
  std::map<std::string, int> told_;
};

int FromEnvironment(const char* name, int otherwise) {
  const char* text = std::getenv(name);
  int value = otherwise;
  return text != nullptr && absl::SimpleAtoi(text, &value) ? value : otherwise;
}

TEST(SimulationTest, EveryInvariantHoldsAndEveryRolloutEnds) {
  const int only = FromEnvironment("CURLEW_SIMULATION_SEED", -1);
  const int first = std::max(only, 0);
  const int last = only >= 0 ? only + 1 : FromEnvironment("CURLEW_SIMULATION_SEEDS", CURLEW_SEEDS);
  std::map<std::string, int> ends;
  std::map<std::string, int> told;
  int inputs = 0, went_back = 0, opened_again = 0;
  for (int seed = first; seed < last; ++seed) {
    World world(seed);
    const std::vector<std::string> wrong = world.Run();
    ASSERT_TRUE(wrong.empty()) << absl::StrJoin(wrong, "\n")
                               << "\nTo see it again: CURLEW_SIMULATION_SEED=" << seed;
    ++ends[v1::RolloutState_Name(world.end())];
    inputs += world.inputs();
    went_back += world.went_back();
    opened_again += world.opened_again();
    for (const auto& [event, count] : world.told()) told[event] += count;
  }
  std::string summary =
      absl::StrCat(last - first, " seeds, ", inputs, " inputs, databases went back ", went_back,
                   " times, steps were opened again ", opened_again, " times, 0 violations");
  for (const auto& [end, count] : ends) absl::StrAppend(&summary, ", ", end, " ", count);
  std::cout << summary << "\n";
  if (only < 0 && last >= 100) {
    EXPECT_GT(ends["ROLLOUT_STATE_SUCCEEDED"], last / 20);
    EXPECT_GT(ends["ROLLOUT_STATE_ROLLED_BACK"], last / 20);
    EXPECT_GT(opened_again, last / 20);
    // What never comes proves nothing.
    for (const char* event :
         {"GATE_TAKEN_BACK", "APPROVAL_VOID", "CHECK_CHANGED", "WAVE_CHANGED", "RUN_SET_ASIDE",
          "RUN_RETURNED", "RUN_HELD", "TARGET_SKIPPED", "GATE_SKIPPED", "POLICY_ACTED"}) {
      EXPECT_GT(told[absl::StrCat("EVENT_TYPE_", event)], last / 50) << event;
    }
  }
}

TEST(SimulationTest, ASeedAlwaysTellsTheSameStory) {
  for (int seed = 0; seed < 20; ++seed) {
    World first(seed);
    World second(seed);
    first.Run();
    second.Run();
    EXPECT_EQ(first.transcript(), second.transcript()) << "seed " << seed;
  }
}

}  // namespace
}  // namespace curlew::rollout::testing
