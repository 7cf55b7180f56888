#include <deque>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "agent/session/admission.h"
#include "common/base/version.h"
#include "controller/dispatch/engine.h"
#include "controller/rollout/machine.h"
#include "controller/session/agent_peer.h"
#include "controller/session/session_manager.h"
#include "tests/fuzz/bytes.h"
#include "tests/fuzz/promise.h"
#include "tests/fuzz/targets.h"
#include "tests/support/fake_rollout_store.h"

namespace curlew::fuzz {
namespace {

constexpr char kRollout[] = "rollouts/r";
const char* const kTargets[] = {"staging-crm", "production-crm", "unknown"};

// Time that goes on when it is told to.
class HandClock : public base::Clock {
 public:
  absl::Time Now() const override { return absl::FromUnixSeconds(1'800'000'000) + elapsed; }
  absl::Duration elapsed;
};

// A loop that is stepped through by hand.
class HandLoop : public dispatch::Loop {
 public:
  explicit HandLoop(HandClock* clock) : clock_(clock) {}
  bool Post(Task task) override {
    tasks_.push_back(std::move(task));
    return true;
  }
  void PostAfter(absl::Duration delay, Task task) override {
    if (delay < absl::InfiniteDuration()) timers_.emplace(clock_->elapsed + delay, std::move(task));
  }
  bool Run(absl::FunctionRef<void()> task) override {
    task();
    return true;
  }
  void Stop() override {}
  absl::Duration Elapsed() const override { return clock_->elapsed; }

  // Everything that is due in the next `time`, in its order.
  void Advance(absl::Duration time) {
    const absl::Duration end = clock_->elapsed + time;
    // A store that fails is tried again and again: that is enough of it.
    for (int steps = 0; steps < 2000; ++steps) {
      if (!tasks_.empty()) {
        Task task = std::move(tasks_.front());
        tasks_.pop_front();
        task();
      } else if (!timers_.empty() && timers_.begin()->first <= end) {
        clock_->elapsed = std::max(clock_->elapsed, timers_.begin()->first);
        Task task = std::move(timers_.begin()->second);
        timers_.erase(timers_.begin());
        task();
      } else {
        break;
      }
    }
    clock_->elapsed = std::max(clock_->elapsed, end);
  }
  // Without running it: what would be dropped.
  void Clear() {
    tasks_.clear();
    timers_.clear();
  }

 private:
  HandClock* const clock_;
  std::deque<Task> tasks_;
  std::multimap<absl::Duration, Task> timers_;
};

// A stream that keeps what it is told.
class FakePeer : public session::AgentPeer {
 public:
  FakePeer(const dispatch::Loop* loop, const base::Clock* clock, session::StreamHandler* handler)
      : AgentPeer(loop, clock), handler_(handler) {}
  const std::string& peer() const override { return peer_; }
  void FinishAfterSent(const absl::Status& status) override { FinishNow(status); }
  void FinishNow(const absl::Status& status) override {
    Promise(!status.ok() && !status.message().empty(), "a stream ends with a reason");
    Promise(base::FindInvalidUtf8(status.message()) == absl::string_view::npos, "a reason is text");
    ended_ = true;
  }
  void Say(const v1::AgentMessage& message) {
    Heard();
    handler_->Received(this, message);
  }
  bool ended() const { return ended_; }

  std::deque<v1::Dispatch> dispatched;
  int64_t preflights_asked = 0;  // number of the newest
  std::deque<int64_t> schemas_asked;
  std::map<std::string, v1::LeaseState> leases;
  std::map<std::string, int64_t> epochs;  // as it has said since the lease was given
  bool welcome = false;

 private:
  void Write(v1::ControllerMessage message) override {
    if (ended_) return;  // whoever holds it may send for ever
    Promise(message.IsInitialized() && message.kind_case() != v1::ControllerMessage::KIND_NOT_SET,
            "a message says something");
    if (message.has_welcome()) welcome = true;
    if (!message.has_welcome()) Promise(welcome, "the first word is Welcome");
    if (message.has_lease()) {
      leases[message.lease().target()] = message.lease().state();
      if (message.lease().state() != v1::LEASE_STATE_GRANTED) epochs.erase(message.lease().target());
    }
    if (message.has_report_schema()) schemas_asked.push_back(message.report_schema().request());
    if (message.has_run_preflight()) preflights_asked = message.run_preflight().request();
    if (!message.has_dispatch()) return;
    const v1::Dispatch& dispatch = message.dispatch();
    Promise(leases[dispatch.target()] == v1::LEASE_STATE_GRANTED, "work goes to whom the target is leased");
    Promise(epochs.count(dispatch.target()) > 0, "work goes to whom has said that it is ready");
    Promise(epochs[dispatch.target()] == dispatch.epoch(),
            absl::StrCat("work carries the epoch that the agent has: ", epochs[dispatch.target()], ", not ",
                         dispatch.epoch()));
    dispatched.push_back(dispatch);
  }

  session::StreamHandler* const handler_;
  const std::string peer_ = "a fuzzer";
  bool ended_ = false;
};

v1::Schema Items() {
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

v1::StoredPlan TwoSteps() {
  v1::StoredPlan stored;
  stored.set_name("plans/p");
  stored.set_digest("digest");
  stored.mutable_plan()->set_name("p");
  for (const char* name : {"note", "more"}) {
    v1::AddColumn* column = stored.mutable_plan()->add_operations()->mutable_add_column();
    column->set_table("items");
    column->set_column(name);
    column->set_type("text");
  }
  return stored;
}

// A controller with one rollout of two targets, and agents that say what the bytes tell them to.
class World {
 public:
  explicit World(Bytes bytes) : bytes_(bytes), loop_(&clock_) {
    v1::Environment staging, production;
    staging.set_name("environments/staging");
    staging.add_targets(kTargets[0]);
    production.set_name("environments/production");
    production.add_targets(kTargets[1]);
    const v1::StoredPlan plan = TwoSteps();
    Promise(store_.PutEnvironments({staging, production}, {}).ok() && store_.PutPlan(plan, {}).ok(),
            "it begins");
    engine_ = std::make_unique<dispatch::Engine>(&store_, &clock_, &loop_, dispatch::EngineOptions());
    session::SessionOptions options;
    options.jitter = [] { return 0.5; };
    manager_ = std::make_unique<session::SessionManager>(engine_.get(), options);
    Promise(engine_->Start().ok(), "the engine starts");
    engine_->ObserveTargets([this] { manager_->TargetsChanged(); });
    manager_->TargetsChanged();
    Promise(
        engine_->rollouts()
            .Create(
                rollout::NewRollout(
                    {.name = kRollout, .plan = plan.name(), .plan_digest = plan.digest(), .creator = "alice"},
                    {staging, production}, clock_.Now()),
                "alice")
            .ok(),
        "a rollout begins");
    loop_.Advance(absl::ZeroDuration());
  }
  ~World() {
    loop_.Clear();
    peers_.clear();
  }

  void Run() {
    for (int i = 0; i < 400 && !bytes_.empty(); ++i) {
      Step();
      loop_.Advance(absl::ZeroDuration());
      CheckMemory();
    }
    CheckThatItStillWorks();
  }

 private:
  FakePeer* Peer() {
    if (peers_.empty()) Open();
    return peers_[static_cast<size_t>(bytes_.Below(static_cast<int>(peers_.size())))].get();
  }

  void Open() {
    if (peers_.size() >= 6) peers_.erase(peers_.begin());
    peers_.push_back(std::make_shared<FakePeer>(&loop_, &clock_, manager_.get()));
    manager_->Opened(peers_.back());
  }

  std::string Target() { return kTargets[bytes_.Below(3)]; }

  void Say(FakePeer* peer, const v1::AgentMessage& message) {
    if (peer->ended()) return;
    // As the engine sees it: only of a target that is leased to the peer.
    // An epoch of 0 or less is none, and not listened to.
    if (message.has_target_ready() && message.target_ready().epoch() > 0 &&
        peer->leases[message.target_ready().target()] == v1::LEASE_STATE_GRANTED) {
      peer->epochs[message.target_ready().target()] = message.target_ready().epoch();
    }
    peer->Say(message);
  }

  void SayHello(FakePeer* peer, const std::string& agent, const std::string& instance,
                const std::vector<std::string>& targets) {
    v1::AgentMessage message;
    v1::Hello* hello = message.mutable_hello();
    hello->set_agent_id(agent);
    hello->set_instance_id(instance);
    hello->set_version(std::string(base::OwnVersion()));
    hello->set_protocol_version(1);
    for (const std::string& target : targets) hello->add_targets(target);
    Say(peer, message);
  }

  static v1::AgentMessage Report(int64_t request, const std::string& target) {
    v1::AgentMessage message;
    message.mutable_schema_report()->set_request(request);
    message.mutable_schema_report()->set_target(target);
    *message.mutable_schema_report()->mutable_schema() = Items();
    return message;
  }

  void Step() {
    v1::AgentMessage message;
    switch (bytes_.Below(14)) {
      case 0:
        return Open();
      case 1: {
        FakePeer* peer = Peer();
        const int what = bytes_.Byte();
        std::vector<std::string> targets;
        for (int i = 0; i < 3; ++i)
          if ((what & (1 << i)) != 0) targets.emplace_back(kTargets[i]);
        return SayHello(peer, (what & 8) != 0 ? "a" : "b", (what & 16) != 0 ? "1" : "2", targets);
      }
      case 2: {
        FakePeer* peer = Peer();
        v1::TargetReady* ready = message.mutable_target_ready();
        ready->set_target(Target());
        ready->set_epoch(bytes_.Number());
        for (int i = bytes_.Below(3); i > 0 && !peer->dispatched.empty(); --i) {
          const v1::Dispatch& dispatch = peer->dispatched.back();
          v1::HeldAttempt* held = ready->add_held();
          held->set_run(dispatch.run());
          held->set_step(dispatch.step());
          held->set_attempt(static_cast<int>(dispatch.attempt() + bytes_.Number()));
        }
        if (bytes_.Below(2) == 1 && !peer->dispatched.empty()) {
          v1::RunJournal* journal = ready->add_journal();
          journal->set_run(peer->dispatched.back().run());
          journal->set_compiled_digest(peer->dispatched.back().compiled_digest());
          journal->add_done(peer->dispatched.back().step());
        }
        ready->set_journal_is_whole(bytes_.Below(2) == 1);
        return Say(peer, message);
      }
      case 3: {
        FakePeer* peer = Peer();
        if (peer->schemas_asked.empty()) return;
        const int64_t request = peer->schemas_asked.front() + (bytes_.Below(8) == 7 ? 1 : 0);
        peer->schemas_asked.pop_front();
        message = Report(request, Target());
        if (bytes_.Below(8) == 7) message.mutable_schema_report()->set_error("it does not work");
        Say(peer, message);
        // What was compiled then is looked at, too: these questions have numbers of their own.
        loop_.Advance(absl::ZeroDuration());
        message.mutable_preflight_report()->set_request(peer->preflights_asked);
        message.mutable_preflight_report()->mutable_preflight();
        return Say(peer, message);
      }
      case 4: {
        FakePeer* peer = Peer();
        if (peer->dispatched.empty()) return;
        message.mutable_ack()->set_run(peer->dispatched.back().run());
        message.mutable_ack()->set_attempt(
            static_cast<int>(peer->dispatched.back().attempt() + bytes_.Number()));
        return Say(peer, message);
      }
      case 5:
      case 6: {
        FakePeer* peer = Peer();
        if (peer->dispatched.empty()) return;
        const v1::Dispatch dispatch = peer->dispatched.back();
        if (bytes_.Below(2) == 1) peer->dispatched.pop_back();
        v1::Result* result = message.mutable_result();
        result->set_target(dispatch.target());
        result->set_run(dispatch.run());
        result->set_step(dispatch.step());
        result->set_attempt(static_cast<int>(dispatch.attempt() + bytes_.Number()));
        result->set_outcome(static_cast<v1::AttemptState>(bytes_.Below(12)));
        result->set_rows(bytes_.Number());
        return Say(peer, message);
      }
      case 7: {
        FakePeer* peer = Peer();
        if (peer->dispatched.empty()) return;
        v1::Nack* nack = message.mutable_nack();
        nack->set_run(peer->dispatched.back().run());
        nack->set_attempt(static_cast<int>(peer->dispatched.back().attempt() + bytes_.Number()));
        nack->set_reason(static_cast<v1::NackReason>(bytes_.Below(8)));
        nack->set_message(std::string(1, 'x'));
        return Say(peer, message);
      }
      case 8: {
        FakePeer* peer = Peer();
        const absl::string_view raw = bytes_.Take();
        if (message.ParseFromArray(raw.data(), static_cast<int>(raw.size()))) Say(peer, message);
        return;
      }
      case 9: {
        FakePeer* peer = Peer();
        return manager_->Closed(peer);
      }
      case 10:
        return loop_.Advance(absl::Milliseconds(1) * (int64_t{1} << bytes_.Below(24)));
      case 11:
        return Operate();
      case 12:
        return store_.FailWith(bytes_.Below(2) == 1 ? absl::UnavailableError("no disk") : absl::OkStatus());
      case 13: {
        FakePeer* peer = Peer();
        message.mutable_heartbeat();
        return Say(peer, message);
      }
    }
  }

  void Operate() {
    const rollout::Input inputs[] = {
        rollout::Approved{.gate = "", .actor = "bob", .reason = "r"},
        rollout::PauseAsked{.actor = "bob", .reason = "r"},
        rollout::ResumeAsked{.actor = "bob", .reason = "r"},
        rollout::AbortAsked{.actor = "bob", .reason = "r"},
        rollout::RollbackAsked{.actor = "bob", .reason = "r"},
        rollout::SkipAsked{.target = Target(), .step = "", .actor = "bob", .reason = "r"},
        rollout::OverrideAsked{.target = Target(), .actor = "bob", .reason = "r"},
    };
    const auto result = engine_->rollouts().Apply(kRollout, inputs[bytes_.Below(7)]);
    if (!result.ok()) Promise(!result.status().message().empty(), "an operator hears a reason");
  }

  // What is in memory is what is stored.
  void CheckMemory() {
    store_.FailWith(absl::OkStatus());
    const auto stored = store_.GetRollout(kRollout);
    const auto held = engine_->rollouts().Get(kRollout);
    Promise(stored.ok() && held.ok(), "a rollout is there");
    Promise(stored->rollout.SerializeAsString() == held->rollout.SerializeAsString(),
            "memory is what the store has");
  }

  // Whatever was said: an agent that behaves is served once the others have gone.
  void CheckThatItStillWorks() {
    loop_.Advance(absl::Minutes(10));  // leases of the silent run out
    for (const auto& peer : peers_) manager_->Closed(peer.get());
    loop_.Advance(absl::Seconds(1));
    Open();
    const std::shared_ptr<FakePeer> good = peers_.back();
    SayHello(good.get(), "good", "g", {kTargets[0], kTargets[1]});
    loop_.Advance(absl::ZeroDuration());
    for (int i = 0; i < 2; ++i) {
      Promise(good->leases[kTargets[i]] == v1::LEASE_STATE_GRANTED,
              absl::StrCat("an agent that behaves is given ", kTargets[i]));
      v1::AgentMessage message;
      message.mutable_target_ready()->set_target(kTargets[i]);
      message.mutable_target_ready()->set_epoch(1000);
      Say(good.get(), message);
    }
    Promise(!good->ended(), "an agent that behaves is not sent away");
    CheckMemory();
  }

  Bytes bytes_;
  HandClock clock_;
  HandLoop loop_;
  testing::FakeRolloutStore store_;
  std::unique_ptr<dispatch::Engine> engine_;
  std::unique_ptr<session::SessionManager> manager_;
  std::vector<std::shared_ptr<FakePeer>> peers_;
};

// The agent's side: a plan, what the journal knows of it, and a command.
void JudgeCommand(Bytes bytes) {
  v1::CompiledPlan compiled;
  v1::Dispatch dispatch;
  const absl::string_view plan = bytes.Take(), command = bytes.Take();
  if (!compiled.ParseFromArray(plan.data(), static_cast<int>(plan.size())) ||
      !dispatch.ParseFromArray(command.data(), static_cast<int>(command.size())))
    return;
  std::vector<agent::StepRecord> records;
  while (!bytes.empty() && records.size() < 64) {
    agent::StepRecord record;
    const int which = bytes.Below(8);
    record.step = which < compiled.steps_size() ? compiled.steps(which).key() : std::string(bytes.Take());
    const int how = bytes.Byte();
    record.direction = (how & 1) != 0 ? v1::DIRECTION_UNDO : v1::DIRECTION_DO;
    record.succeeded = (how & 2) != 0;
    record.rows = how;
    records.push_back(std::move(record));
  }
  const agent::Admission admission = agent::Judge(compiled, records, dispatch);
  if (const auto* refusal = std::get_if<agent::Refusal>(&admission); refusal != nullptr) {
    Promise(!refusal->message.empty(), "a refusal has a reason");
    Promise(refusal->reason != v1::NACK_REASON_UNSPECIFIED, "a refusal has a kind");
  } else if (const auto* admitted = std::get_if<agent::Admitted>(&admission); admitted != nullptr) {
    bool known = dispatch.step() == rollout::kRollbackGateKey;
    for (const v1::Step& step : compiled.steps()) known |= step.key() == dispatch.step();
    Promise(known, "only steps of the plan are admitted");
    Promise(dispatch.direction() == v1::DIRECTION_DO || dispatch.direction() == v1::DIRECTION_UNDO,
            "a step is done or undone");
  }
}

}  // namespace

void FuzzSession(absl::string_view bytes) {
  Bytes input(bytes);
  if (input.Byte() % 4 == 3) return JudgeCommand(input);
  World(input).Run();
}

}  // namespace curlew::fuzz
