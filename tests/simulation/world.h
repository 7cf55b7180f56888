// A whole installation in one thread, and everything that can go wrong with it, from one seed.
#ifndef CURLEW_TESTS_SIMULATION_WORLD_H_
#define CURLEW_TESTS_SIMULATION_WORLD_H_

#include <cstdint>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "controller/store/rollout_store.h"
#include "curlew/v1/rollout.pb.h"
#include "tests/simulation/agent.h"
#include "tests/simulation/controller.h"
#include "tests/simulation/database.h"
#include "tests/simulation/mute.h"
#include "tests/simulation/network.h"
#include "tests/simulation/operators.h"
#include "tests/simulation/scheduler.h"
#include "tests/simulation/shared_store.h"
#include "tests/simulation/story.h"

namespace curlew::simulation {

// Databases, agents, controllers, operators and watchers. First bad luck of every kind that the seed has,
// then a calm in which all must come to its end.
class World {
 public:
  explicit World(uint64_t seed, Mutations mutations = {});
  ~World();
  World(const World&) = delete;
  World& operator=(const World&) = delete;

  // Until the end, or the first violation. The story says the rest.
  void Run();
  const Story& story() const { return story_; }
  Story& story() { return story_; }

 private:
  // An agent as it is installed: the identity, what it serves, its processes.
  struct Installed {
    std::string id;
    std::vector<std::string> targets;
    AgentProcess* process = nullptr;  // the one that is kept alive
    AgentProcess* twin = nullptr;     // a second process of the same identity
  };
  // A place where a controller runs.
  struct Place {
    std::string name;
    std::unique_ptr<SettableClock> clock;
    std::unique_ptr<StoreLuck> luck;
    ControllerProcess* process = nullptr;
    bool starting = false;
  };
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

  void DrawLuck();
  void BuildPipeline();
  void BuildPlans();

  AgentProcess* StartAgent(const std::string& id, const std::vector<std::string>& targets);
  void StartController(Place* place);
  ControllerProcess* AnyController();
  ControllerProcess* Leader();
  Wire* Dial(Client* client, const ProcessPtr& process, const std::string& name);
  // Why a step may not run now; empty where it may.
  std::string WhyNot(const std::string& run, const v1::Step& step);
  absl::StatusOr<v1::Rollout> State(const std::string& rollout);

  // One event, and what must hold after it.
  bool Step();
  void AfterEvent();
  void Misfortune();
  void BadAgent();
  void BadNetwork();
  void BadController();
  void BadStore();
  void BadDatabase();
  void BadClock();
  void MeddleLater();
  void MisfortuneLater();
  void CalmDown();
  void SettleLater();
  bool AllEnded();
  void JudgeTheEnd();

  const Mutations mutations_;
  Story story_;
  Scheduler scheduler_;
  Random random_;  // of the faults
  NetworkLuck network_luck_;
  AgentLuck agent_luck_;
  std::set<int> kinds_;   // of faults that this seed has
  bool replays_ = false;  // messages come again
  SharedStore shared_;
  ControllerOptions controller_options_;
  std::vector<v1::Environment> environments_;
  v1::Schema schema_;
  std::set<std::string> drifted_;  // targets whose schema is another
  Operators operators_;
  AgentWorld agent_world_;
  std::map<std::string, std::unique_ptr<Database>> databases_;
  std::vector<std::unique_ptr<Wire>> wires_;
  std::vector<std::unique_ptr<Mute>> mutes_;
  std::vector<std::unique_ptr<AgentProcess>> processes_;
  std::vector<Installed> agents_;
  std::vector<AgentProcess*> strangers_;
  std::vector<std::unique_ptr<ControllerProcess>> controllers_;
  std::vector<Place> places_;
  std::vector<std::unique_ptr<Watching>> watchers_;
  bool calm_ = false;
  int instances_ = 0, incarnations_ = 0;
};

}  // namespace curlew::simulation

#endif  // CURLEW_TESTS_SIMULATION_WORLD_H_
