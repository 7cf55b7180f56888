#include "tests/simulation/world.h"

#include <algorithm>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "common/base/proto_time.h"
#include "controller/dispatch/outbox.h"
#include "tests/simulation/plans.h"

namespace curlew::simulation {
namespace {

constexpr absl::Duration kLongestCalm = absl::Hours(1);
constexpr absl::Duration kAftermath = absl::Seconds(45);

// Kinds of faults; a seed has about half of them, so that each is also seen without the others.
enum Kind {
  kAgents,
  kTwins,
  kStrangers,
  kMutes,
  kStreams,
  kPartitions,
  kControllers,
  kFrozen,
  kStalledLease,
  kStores,
  kDatabases,
  kLostCommits,
  kFailovers,
  kClocks,
  kKinds
};

}  // namespace

// Opens a stream and says nothing, or nothing that makes sense.
class World::Mute : public Client {
 public:
  Mute(World* world, bool says_nonsense) : process_(std::make_shared<Process>("mute")) {
    Wire* wire = world->Dial(this, process_, "mute");
    if (!says_nonsense) return;
    v1::AgentMessage message;
    switch (world->random_.Below(4)) {
      case 0:
        message.mutable_heartbeat();
        break;
      case 1:
        message.mutable_hello()->set_protocol_version(7);
        break;
      case 2:
        message.mutable_hello()->set_protocol_version(1);
        message.mutable_hello()->set_agent_id("mute");
        break;
      default:
        message.mutable_result()->set_target("t0-0");
        message.mutable_result()->set_run("rollouts/r0/runs/t0-0");
        message.mutable_result()->set_attempt(1);
        message.mutable_result()->set_outcome(v1::ATTEMPT_STATE_SUCCEEDED);
    }
    wire->Say(message);
  }
  void OnMessage(Wire*, const v1::ControllerMessage&) override {}
  void OnClosed(Wire*) override {}

 private:
  const ProcessPtr process_;
};

World::World(uint64_t seed, Mutations mutations)
    : mutations_(mutations),
      scheduler_(seed, &story_),
      random_(scheduler_.random().Fork()),
      shared_(&scheduler_, &mutations_),
      operators_(&scheduler_, &environments_, [this] { return AnyController(); }) {
  story_.figures.seeds = 1;
  DrawLuck();
  BuildPipeline();
  BuildPlans();
  agent_world_ = {
      .scheduler = &scheduler_,
      .luck = &agent_luck_,
      .mutations = &mutations_,
      .dial = [this](Client* client, const ProcessPtr& process,
                     const std::string& name) { return Dial(client, process, name); },
      .database = [this](const std::string& target) { return databases_.at(target).get(); },
      .schema = [this](const std::string& target) { return ItemsSchema(drifted_.count(target) > 0); },
      .refused =
          [this](const v1::Dispatch& dispatch, const std::string& why) {
            // Old commands may come again, from the network or from a deposed controller.
            const Database& database = *databases_.at(dispatch.target());
            if (replays_ || places_.size() > 1 || database.went_back() >= absl::ZeroDuration()) return;
            story_.Violate(absl::StrCat(dispatch.run(), "#", dispatch.attempt(), " ", dispatch.step(),
                                        " contradicts the journal: ", why));
          }};
  const int places = random_.Chance(0.5) ? 1 : 2 + random_.Below(2);
  for (int i = 0; i < places; ++i) {
    Place& place = places_.emplace_back();
    place.name = absl::StrCat("c", i);
    place.clock = std::make_unique<SettableClock>(&scheduler_);
    place.luck = std::make_unique<StoreLuck>();
    if (kinds_.count(kStores) > 0) {
      *place.luck = {.lost_answer = 0.01, .unavailable = 0.01, .slow = 0.004};
    }
    if (kinds_.count(kControllers) > 0) place.luck->crash_before = place.luck->crash_after = 0.004;
  }
  for (Place& place : places_) StartController(&place);
  for (Installed& agent : agents_) {
    agent.process = StartAgent(agent.id, agent.targets);
    if (kinds_.count(kTwins) > 0 && random_.Chance(0.5)) agent.twin = StartAgent(agent.id, agent.targets);
  }
  for (const Started& started : operators_.rollouts()) {
    watchers_.push_back(
        std::make_unique<Watching>(started.name, &scheduler_, &shared_, [this] { return AnyController(); }));
    watchers_.back()->broken = 0.02;
  }
}

World::~World() {
  for (const auto& controller : controllers_) {
    controller->Die();
    controller->Bury();
  }
}

void World::DrawLuck() {
  for (int kind = 0; kind < kKinds; ++kind) {
    if (random_.Chance(0.5)) kinds_.insert(kind);
  }
  network_luck_.slowest = random_.Between(absl::Milliseconds(1), absl::Milliseconds(200));
  replays_ = random_.Chance(0.5);
  if (replays_) network_luck_.duplicate = 0.05;
  if (random_.Chance(0.5)) network_luck_.spike = 0.01;
  if (random_.Chance(0.6)) {
    agent_luck_.failed = 0.01;
    agent_luck_.errored = 0.05;
  }
  if (kinds_.count(kLostCommits) > 0) agent_luck_.lost_answer = 0.05;
  if (random_.Chance(0.5)) agent_luck_.stuck = 0.5;
  agent_luck_.longest_work =
      random_.Between(absl::Milliseconds(10), random_.Chance(0.5) ? absl::Seconds(1) : absl::Seconds(15));
}

void World::BuildPipeline() {
  const int environments = 1 + random_.Below(3);
  int number = 0;
  for (int e = 0; e < environments; ++e) {
    v1::Environment& environment = environments_.emplace_back();
    environment.set_name(absl::StrCat("environments/e", e));
    environment.set_position(e);
    const int targets = 1 + random_.Below(2);
    for (int t = 0; t < targets; ++t) {
      const std::string target = absl::StrCat("t", e, "-", t);
      environment.add_targets(target);
      databases_[target] = std::make_unique<Database>(
          target, &mutations_, &story_,
          [this](const std::string& run, const v1::Step& step) { return operators_.WhyNot(run, step); });
      // Some agents serve several databases.
      if (!agents_.empty() && random_.Chance(0.3)) {
        agents_.back().targets.push_back(target);
      } else {
        agents_.push_back({.id = absl::StrCat("agent-", number++), .targets = {target}});
      }
      // What the first environment ran is what all others must.
      if (e > 0 && random_.Chance(0.1)) drifted_.insert(target);
    }
    environment.mutable_before()->set_approvals(random_.Below(2));
    environment.mutable_before_drop()->set_approvals(random_.Below(3));
    *environment.mutable_soak() = base::ToProto(absl::Seconds(random_.Below(20)));
  }
  (void)shared_.rows().PutEnvironments(environments_);
}

void World::BuildPlans() {
  const int rollouts = 1 + random_.Below(3);
  for (int i = 0; i < rollouts; ++i) {
    const v1::StoredPlan plan = RandomPlan(absl::StrCat("p", i), random_);
    (void)shared_.rows().PutPlan(plan);
    operators_.Plan({.name = absl::StrCat("rollouts/r", i),
                     .plan = plan.name(),
                     .digest = plan.digest(),
                     .wants_rollback = random_.Chance(0.4)});
  }
}

AgentProcess* World::StartAgent(const std::string& id, const std::vector<std::string>& targets) {
  processes_.push_back(
      std::make_unique<AgentProcess>(id, absl::StrCat("i", ++instances_), targets, &agent_world_));
  return processes_.back().get();
}

void World::StartController(Place* place) {
  place->starting = false;
  controllers_.push_back(std::make_unique<ControllerProcess>(absl::StrCat(place->name, "/", ++incarnations_),
                                                             &scheduler_, &shared_, place->luck.get(),
                                                             place->clock.get()));
  place->process = controllers_.back().get();
}

ControllerProcess* World::AnyController() {
  std::vector<ControllerProcess*> there;
  for (const Place& place : places_) {
    if (place.process != nullptr && place.process->alive()) there.push_back(place.process);
  }
  if (there.empty()) return nullptr;
  // Clients ask who leads; what they hear may be old.
  for (ControllerProcess* controller : there) {
    if (controller->serving() && random_.Chance(0.6)) return controller;
  }
  return there[random_.Below(static_cast<int>(there.size()))];
}

ControllerProcess* World::Leader() {
  for (const Place& place : places_) {
    if (place.process != nullptr && place.process->leads()) return place.process;
  }
  return nullptr;
}

Wire* World::Dial(Client* client, const ProcessPtr& process, const std::string& name) {
  ControllerProcess* controller = AnyController();
  wires_.push_back(std::make_unique<Wire>(
      absl::StrCat(name, "~", wires_.size(), "~", controller == nullptr ? "nobody" : controller->name()),
      &scheduler_, &network_luck_, client, process,
      controller == nullptr ? Endpoint() : controller->endpoint()));
  return wires_.back().get();
}

absl::StatusOr<v1::Rollout> World::State(const std::string& rollout) {
  auto stored = shared_.rows().GetRollout(rollout);
  if (!stored.ok()) return stored.status();
  return std::move(stored->rollout);
}

// --- Faults. ---

void World::MisfortuneLater() {
  if (calm_) return;
  scheduler_.After(random_.Between(absl::Milliseconds(50), absl::Seconds(2)), nullptr, "", [this] {
    if (calm_) return;
    Misfortune();
    MisfortuneLater();
  });
}

void World::Misfortune() {
  switch (random_.Below(7)) {
    case 0:
      return BadAgent();
    case 1:
    case 2:
      return BadNetwork();
    case 3:
      return BadController();
    case 4:
      return BadStore();
    case 5:
      return BadDatabase();
    default:
      return BadClock();
  }
}

void World::BadAgent() {
  Installed& agent = agents_[random_.Below(static_cast<int>(agents_.size()))];
  const absl::Duration noticed = random_.Chance(0.7)
                                     ? random_.Between(absl::ZeroDuration(), absl::Milliseconds(50))
                                     : random_.Between(absl::Seconds(1), absl::Seconds(60));
  switch (random_.Below(7)) {
    case 6:
    case 0:
      if (kinds_.count(kAgents) == 0 || agent.process == nullptr) return;
      story_.Fault("agent crash");
      scheduler_.Tell(agent.process->process()->name + " is killed");
      agent.process->Kill(noticed);
      agent.process = nullptr;
      scheduler_.After(random_.Between(absl::Milliseconds(100), absl::Seconds(20)), nullptr, "",
                       [this, &agent] {
                         if (agent.process == nullptr) agent.process = StartAgent(agent.id, agent.targets);
                       });
      return;
    case 1:
    case 2:
      if (kinds_.count(kFrozen) == 0 || agent.process == nullptr) return;
      // Best in the middle of something.
      if (agent.process->idle() && random_.Chance(0.7)) return;
      story_.Fault("frozen agent");
      scheduler_.Tell(agent.process->process()->name + " freezes");
      return scheduler_.Freeze(agent.process->process(),
                               random_.Between(absl::Milliseconds(100), absl::Seconds(40)));
    case 3:
      if (kinds_.count(kTwins) == 0) return;
      if (agent.twin == nullptr) {
        story_.Fault("second process of an agent");
        agent.twin = StartAgent(agent.id, agent.targets);
      } else if (agent.process != nullptr) {
        // One of the two goes; the other stays.
        if (random_.Chance(0.5)) std::swap(agent.process, agent.twin);
        agent.twin->Kill(noticed);
        agent.twin = nullptr;
      }
      return;
    case 4:
      if (kinds_.count(kStrangers) == 0) return;
      if (strangers_.empty()) {
        story_.Fault("agent with another identity");
        strangers_.push_back(StartAgent("stranger", agent.targets));
      } else {
        strangers_.back()->Kill(noticed);
        strangers_.pop_back();
      }
      return;
    default:
      if (kinds_.count(kMutes) == 0) return;
      story_.Fault("stream without a hello");
      mutes_.push_back(std::make_unique<Mute>(this, random_.Chance(0.5)));
      return;
  }
}

void World::BadNetwork() {
  std::vector<Wire*> open;
  for (const auto& wire : wires_) {
    if (wire->open()) open.push_back(wire.get());
  }
  if (open.empty()) return;
  Wire* wire = open[random_.Below(static_cast<int>(open.size()))];
  const absl::Duration long_or_short = random_.Chance(0.7)
                                           ? random_.Between(absl::ZeroDuration(), absl::Seconds(1))
                                           : random_.Between(absl::Seconds(1), absl::Seconds(40));
  switch (random_.Below(4)) {
    case 0:
    case 1:
      if (kinds_.count(kStreams) == 0) return;
      story_.Fault("broken stream");
      return wire->Break(random_.Between(absl::ZeroDuration(), absl::Seconds(2)), long_or_short);
    case 2:
      if (kinds_.count(kPartitions) == 0) return;
      story_.Fault("partition from the agent");
      scheduler_.Tell(absl::StrCat(wire->name(), " is held up"));
      return wire->HoldUp(random_.Between(absl::Seconds(1), absl::Seconds(40)));
    default:
      if (kinds_.count(kPartitions) == 0) return;
      story_.Fault("partition from the controller");
      scheduler_.Tell(absl::StrCat(wire->name(), " is held down"));
      return wire->HoldDown(random_.Between(absl::Seconds(1), absl::Seconds(40)));
  }
}

void World::BadController() {
  Place& place = places_[random_.Below(static_cast<int>(places_.size()))];
  if (place.process == nullptr || !place.process->alive()) return;
  switch (random_.Below(4)) {
    case 0:
      if (kinds_.count(kControllers) == 0) return;
      story_.Fault("controller crash");
      return place.process->Die();
    case 1:
      if (kinds_.count(kControllers) == 0) return;
      story_.Fault("controller restart");
      return place.process->Drain();
    case 2:
      if (kinds_.count(kFrozen) == 0) return;
      story_.Fault("frozen controller");
      scheduler_.Tell(place.process->name() + " freezes");
      return scheduler_.Freeze(place.process->process(),
                               random_.Between(absl::Milliseconds(100), absl::Seconds(30)));
    default:
      if (kinds_.count(kStalledLease) == 0 || places_.size() < 2) return;
      story_.Fault("deposed controller that does not know");
      return place.process->StallLease(random_.Between(absl::Seconds(5), absl::Seconds(40)));
  }
}

void World::BadStore() {
  if (kinds_.count(kStores) == 0) return;
  Place& place = places_[random_.Below(static_cast<int>(places_.size()))];
  if (place.process == nullptr || !place.process->alive()) return;
  story_.Fault("store cut off");
  place.process->view().CutOffUntil(scheduler_.now() +
                                    random_.Between(absl::Milliseconds(100), absl::Seconds(15)));
}

void World::BadDatabase() {
  const auto chosen = std::next(databases_.begin(), random_.Below(static_cast<int>(databases_.size())));
  Database* database = chosen->second.get();
  if (!database->up()) return;
  if (kinds_.count(kFailovers) > 0 && random_.Chance(0.5)) {
    // A standby lags, and is promoted some time later.
    if (!database->GoBack(scheduler_.now())) return database->TakeSnapshot();
    story_.Fault("failover to a standby that lagged");
    scheduler_.Tell(absl::StrCat("database ", chosen->first, " fails over and goes back"));
  } else if (kinds_.count(kDatabases) > 0) {
    story_.Fault("database crash");
    scheduler_.Tell(absl::StrCat("database ", chosen->first, " crashes"));
  } else {
    return;
  }
  database->Crash();
  scheduler_.After(random_.Between(absl::Milliseconds(50), absl::Seconds(12)), nullptr,
                   absl::StrCat("database ", chosen->first, " is up"), [database] { database->Start(); });
}

void World::BadClock() {
  if (kinds_.count(kClocks) == 0) return;
  Place& place = places_[random_.Below(static_cast<int>(places_.size()))];
  const absl::Duration most = random_.Chance(0.9) ? absl::Seconds(30) : absl::Minutes(10);
  const absl::Duration jump = random_.Between(-most, most);
  story_.Fault(jump > absl::ZeroDuration() ? "clock set forward" : "clock set back");
  scheduler_.Tell(absl::StrCat("clock of ", place.name, " jumps by ", absl::FormatDuration(jump)));
  place.clock->offset += jump;
}

// --- The story. ---

void World::MeddleLater() {
  if (calm_) return;
  scheduler_.After(random_.Between(absl::Milliseconds(20), absl::Milliseconds(1500)), nullptr, "", [this] {
    if (calm_) return;
    operators_.Meddle([this](const std::string& name) { return State(name); });
    MeddleLater();
  });
}

void World::SettleLater() {
  scheduler_.After(absl::Seconds(3), nullptr, "", [this] {
    operators_.Settle([this](const std::string& name) { return State(name); });
    SettleLater();
  });
}

void World::CalmDown() {
  calm_ = true;
  scheduler_.Tell("--- from here on nothing goes wrong any more ---");
  network_luck_ = {};
  agent_luck_ = {.longest_work = absl::Milliseconds(50)};
  drifted_.clear();
  for (Place& place : places_) {
    *place.luck = {};
    place.clock->offset = absl::ZeroDuration();
    if (place.process != nullptr) place.process->view().CutOffUntil(scheduler_.now());
  }
  for (const auto& controller : controllers_) scheduler_.Thaw(controller->process());
  for (const auto& process : processes_) scheduler_.Thaw(process->process());
  for (const auto& [target, database] : databases_) database->Start();
  for (AgentProcess* stranger : strangers_) stranger->Kill(absl::ZeroDuration());
  strangers_.clear();
  for (Installed& agent : agents_) {
    if (agent.process == nullptr) agent.process = StartAgent(agent.id, agent.targets);
  }
  SettleLater();
}

bool World::Step() {
  if (!scheduler_.Step()) return false;
  AfterEvent();
  return story_.violations().empty();
}

void World::AfterEvent() {
  for (const auto& controller : controllers_) {
    if (!controller->Bury()) continue;
    scheduler_.Tell(controller->name() + " is dead");
    for (const auto& watcher : watchers_) watcher->Buried(controller.get());
    const absl::Duration noticed =
        random_.Chance(0.7) ? absl::Milliseconds(1) : random_.Between(absl::Seconds(1), absl::Seconds(30));
    for (const auto& wire : wires_) {
      if (wire->open() && wire->server() == controller->process())
        wire->Break(noticed, absl::InfiniteDuration());
    }
  }
  for (Place& place : places_) {
    if (place.process == nullptr || place.process->alive() || place.starting) continue;
    place.starting = true;
    scheduler_.After(random_.Between(absl::Milliseconds(100), absl::Seconds(8)), nullptr, "",
                     [this, &place] { StartController(&place); });
  }
  for (const std::string& changed : shared_.TakeChanged()) {
    for (const Place& place : places_) {
      if (place.process != nullptr) place.process->CheckMemory(changed, /*strict=*/false);
    }
  }
  for (const auto& watcher : watchers_) watcher->Look();
}

bool World::AllEnded() {
  return operators_.AllEnded([this](const std::string& name) { return State(name); });
}

void World::Run() {
  MisfortuneLater();
  MeddleLater();
  const absl::Duration chaos = random_.Between(absl::Seconds(20), absl::Seconds(240));
  while (scheduler_.now() < chaos) {
    if (!Step()) return;
  }
  CalmDown();
  const absl::Duration calm = scheduler_.now();
  int events = 0;
  while (++events % 50 != 0 || !AllEnded()) {
    if (!Step()) return;
    if (scheduler_.now() - calm > kLongestCalm) {
      for (const Started& started : operators_.rollouts()) {
        const auto state = State(started.name);
        if (state.ok() && rollout::Ended(*state)) continue;
        story_.Violate(absl::StrCat(
            started.name,
            " never ends: ", state.ok() ? state->ShortDebugString() : std::string(state.status().message())));
      }
      return;
    }
  }
  const absl::Duration ended = scheduler_.now();
  while (scheduler_.now() - ended < kAftermath) {
    if (!Step()) return;
  }
  JudgeTheEnd();
}

void World::JudgeTheEnd() {
  ControllerProcess* leader = Leader();
  if (leader == nullptr) return story_.Violate("in the end nobody leads");
  const auto entries = shared_.rows().PendingOutbox();
  for (const store::OutboxEntry& entry : *entries) {
    story_.Violate(absl::StrCat("in the end the outbox still has a ", entry.kind, " for ", entry.target));
  }
  for (const Started& started : operators_.rollouts()) {
    leader->CheckMemory(started.name, /*strict=*/true);
    const auto state = State(started.name);
    ++story_.figures.ends[v1::RolloutState_Name(state->state()).substr(14)];
    for (const v1::Run& run : state->runs()) {
      const Database& database = *databases_.at(run.target());
      // What went back when it was over, or almost, is told to people at best.
      const bool went_back = database.went_back() + absl::Minutes(1) > shared_.ended(started.name);
      if (run.state() == v1::RUN_STATE_SUCCEEDED && !went_back && !database.IsDone(run.name())) {
        story_.Violate(absl::StrCat(run.name(), " SUCCEEDED and is not done"));
      }
      if (run.state() == v1::RUN_STATE_ROLLED_BACK && !went_back && !database.IsClean(run.name())) {
        story_.Violate(absl::StrCat(run.name(), " ROLLED_BACK and is not clean"));
      }
      const bool left = run.state() != v1::RUN_STATE_SUCCEEDED && run.state() != v1::RUN_STATE_ROLLED_BACK;
      if (state->state() == v1::ROLLOUT_STATE_SUCCEEDED && left) {
        story_.Violate(absl::StrCat(started.name, " SUCCEEDED without ", run.target()));
      }
      if (state->state() == v1::ROLLOUT_STATE_ROLLED_BACK && left &&
          !absl::StrContains(state->reason(), run.target())) {
        story_.Violate(absl::StrCat(run.name(), " was left without a word"));
      }
    }
  }
  for (const auto& watcher : watchers_) {
    if (watcher->last() != static_cast<int64_t>(shared_.events(watcher->rollout()).size())) {
      story_.Violate(absl::StrCat("a watcher of ", watcher->rollout(), " has event ", watcher->last(), " of ",
                                  shared_.events(watcher->rollout()).size()));
    }
  }
  for (const Installed& agent : agents_) {
    if (!agent.process->idle() && (agent.twin == nullptr || !agent.twin->idle())) {
      story_.Violate(absl::StrCat(agent.id, " still has something under way"));
    }
  }
}

}  // namespace curlew::simulation
