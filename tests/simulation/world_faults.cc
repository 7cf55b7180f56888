// What goes wrong in a world, and how it ends.
#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "tests/simulation/mute.h"
#include "tests/simulation/world.h"

namespace curlew::simulation {

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
  // How long until the controller learns that a process is gone: never, where its machine went with it.
  const double luck = random_.Fraction();
  const absl::Duration noticed = luck < 0.65   ? random_.Between(absl::ZeroDuration(), absl::Milliseconds(50))
                                 : luck < 0.85 ? random_.Between(absl::Seconds(1), absl::Seconds(60))
                                               : absl::InfiniteDuration();
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
      mutes_.push_back(
          std::make_unique<Mute>([this](Client* client, const ProcessPtr& process,
                                        const std::string& name) { return Dial(client, process, name); },
                                 &random_));
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
    operators_.Settle([this](const std::string& name) { return State(name); },
                      [this](const std::string& name) {
                        return std::any_of(processes_.begin(), processes_.end(), [&](const auto& process) {
                          return process->alive() && process->stuck_in(name);
                        });
                      });
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

}  // namespace curlew::simulation
