// People: who start, approve and stop rollouts, and who watch them.
#ifndef CURLEW_TESTS_SIMULATION_OPERATORS_H_
#define CURLEW_TESTS_SIMULATION_OPERATORS_H_

#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "controller/dispatch/watches.h"
#include "controller/rollout/machine.h"
#include "curlew/v1/rollout.pb.h"
#include "tests/simulation/controller.h"
#include "tests/simulation/scheduler.h"

namespace curlew::simulation {

// What people make of it where the steps of a target differ and to resume does not help.
enum class WayOut { kUndecided, kLeaveOut, kRollBack, kAbort };

// What operators know of a rollout, by their own notes.
struct Started {
  std::string name, plan, digest;
  bool created = false;
  bool wants_rollback = false;
  bool nothing_to_undo = false;  // an ABORTED one
  // Kept once it is chosen, unless it is refused: each has to lead to the end alone.
  WayOut way_out = WayOut::kUndecided;
  // Who has approved which gate, and by how many calls that were not refused: also by those that were never
  // answered, which may count.
  std::map<std::string, std::map<std::string, int>> approvals;
};

class Operators {
 public:
  // `any` gives a controller to call, null where none is there; environments are the pipeline's.
  Operators(Scheduler* scheduler, const std::vector<v1::Environment>* environments,
            std::function<ControllerProcess*()> any)
      : scheduler_(scheduler),
        environments_(environments),
        any_(std::move(any)),
        random_(scheduler->random().Fork()) {}

  // A rollout that is to be started.
  void Plan(Started started) { rollouts_.push_back(std::move(started)); }
  const std::vector<Started>& rollouts() const { return rollouts_; }
  // Why a step on `run` may not run, by what was approved; empty where it may.
  std::string WhyNot(const std::string& run, const v1::Step& step) const;

  // Somebody does something, wise or not.
  // `state` is what they have seen last.
  void Meddle(const std::function<absl::StatusOr<v1::Rollout>(const std::string&)>& state);
  // Everybody wants to come to an end. Does nothing that is not needed for that: each call makes a controller
  // try again what it may have forgotten. `stuck`: whether the rollout waits for what never comes.
  void Settle(const std::function<absl::StatusOr<v1::Rollout>(const std::string&)>& state,
              const std::function<bool(const std::string&)>& stuck);
  // Whether all that was started has ended.
  bool AllEnded(const std::function<absl::StatusOr<v1::Rollout>(const std::string&)>& state) const;

 private:
  void Call(std::string what, std::function<absl::Status(dispatch::Engine&)> deed,
            std::function<void(const absl::Status&)> answered);
  void Create(Started* started);
  void Apply(const Started& started, const std::string& what, const rollout::Input& input);
  void Approve(Started* started, const std::string& gate, const std::string& actor);
  void ApproveSomething(Started* started);
  // The gates that wait. False where none does.
  bool ApproveWaiting(Started* started, const v1::Rollout& now);
  void Tune(Started* started);
  // Takes, or goes on with, the way out.
  void GetOut(Started* started, const v1::Rollout& now);
  // What only somebody's word tells.
  void SayDeployed(const Started& started, bool holds);
  void LeaveSomethingOut(const Started& started);

  Scheduler* const scheduler_;
  const std::vector<v1::Environment>* const environments_;
  const std::function<ControllerProcess*()> any_;
  Random random_;
  std::vector<Started> rollouts_;
};

// Follows one rollout from its first event to its last, over any number of calls.
class Watching : public dispatch::Watcher {
 public:
  Watching(std::string rollout, Scheduler* scheduler, SharedStore* shared,
           std::function<ControllerProcess*()> any);

  const std::string& rollout() const { return rollout_; }
  int64_t last() const { return last_; }
  // How often a call breaks off.
  double broken = 0;

  void Changed() override { dirty_ = true; }
  void End(const absl::Status&) override { ended_ = true; }
  // After every event of the simulation.
  void Look();
  void Buried(const ControllerProcess* controller);

 private:
  void Attach();
  void Detach();
  void Read();

  const std::string rollout_;
  Scheduler* const scheduler_;
  SharedStore* const shared_;
  const std::function<ControllerProcess*()> any_;
  Random random_;
  ControllerProcess* controller_ = nullptr;
  dispatch::WatchCursor cursor_;
  int64_t last_ = 0;
  bool dirty_ = false, reading_ = false, ended_ = false, attaching_ = false;
};

}  // namespace curlew::simulation

#endif  // CURLEW_TESTS_SIMULATION_OPERATORS_H_
