#include "tests/simulation/world.h"

#include <algorithm>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "common/base/proto_time.h"
#include "controller/dispatch/outbox.h"
#include "tests/simulation/plans.h"
#include "tests/simulation/policies.h"

namespace curlew::simulation {
namespace {

constexpr absl::Duration kLongestCalm = absl::Hours(1);
constexpr absl::Duration kAftermath = absl::Seconds(45);

}  // namespace

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
      *place.luck = {.lost_answer = 0.01, .unavailable = 0.01, .unread = 0.01, .slow = 0.004};
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
  if (random_.Chance(0.3)) agent_luck_.check_fails = random_.Chance(0.5) ? 0.1 : 0.4;
  if (random_.Chance(0.3)) agent_luck_.blocked = 0.1;
  controller_options_.check_fails = &agent_luck_.check_fails;
  // Sessions that begin anew by themselves heal what would otherwise hang.
  if (random_.Chance(0.4)) {
    controller_options_.session_age = random_.Between(absl::Seconds(20), absl::Seconds(300));
  }
  if (random_.Chance(0.4)) {
    controller_options_.events = {.retention = random_.Between(absl::Seconds(1), absl::Seconds(60)),
                                  .interval = absl::Seconds(4),
                                  .events_in_commit = 5,
                                  .rollouts_in_task = 2};
  }
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
    const int targets = 1 + random_.Below(2) + (random_.Chance(0.3) ? 1 : 0);
    for (int t = 0; t < targets; ++t) {
      const std::string target = absl::StrCat("t", e, "-", t);
      environment.add_targets(target);
      databases_[target] = std::make_unique<Database>(
          target, &mutations_, &story_,
          [this](const std::string& run, const v1::Step& step) { return WhyNot(run, step); });
      // Some agents serve several databases.
      if (!agents_.empty() && random_.Chance(0.3)) {
        agents_.back().targets.push_back(target);
      } else {
        agents_.push_back({.id = absl::StrCat("agent-", number++), .targets = {target}});
      }
      // What the first environment ran is what all others must.
      if (e > 0 && random_.Chance(0.1)) drifted_.insert(target);
    }
    DrawPolicies(environment, random_);
  }
  (void)shared_.rows().PutEnvironments(environments_, {});
}

void World::BuildPlans() {
  const int rollouts = 1 + random_.Below(3);
  for (int i = 0; i < rollouts; ++i) {
    const v1::StoredPlan plan = RandomPlan(absl::StrCat("p", i), random_);
    (void)shared_.rows().PutPlan(plan, {});
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
                                                             place->clock.get(), controller_options_));
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

std::string World::WhyNot(const std::string& run, const v1::Step& step) {
  const size_t target = run.rfind('/') + 1;
  for (const v1::Environment& environment : environments_) {
    const auto& targets = environment.targets();
    if (std::find(targets.begin(), targets.end(), run.substr(target)) != targets.end()) break;
    for (const std::string& earlier : targets) {
      const Database& database = *databases_.at(earlier);
      const std::string of_earlier = absl::StrCat(run.substr(0, target), earlier);
      if (!database.WasDone(of_earlier) && !shared_.MayLack(of_earlier))
        return absl::StrCat("done before ", of_earlier, " was");
    }
  }
  return operators_.WhyNot(run, step);
}

absl::StatusOr<v1::Rollout> World::State(const std::string& rollout) {
  auto stored = shared_.rows().GetRollout(rollout);
  if (!stored.ok()) return stored.status();
  return std::move(stored->rollout);
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

}  // namespace curlew::simulation
