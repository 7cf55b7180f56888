// The engine: one loop that owns the store and the state of everything.
#ifndef CURLEW_CONTROLLER_DISPATCH_ENGINE_H_
#define CURLEW_CONTROLLER_DISPATCH_ENGINE_H_

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "common/base/clock.h"
#include "controller/dispatch/agent_link.h"
#include "controller/dispatch/check_dispatcher.h"
#include "controller/dispatch/check_requests.h"
#include "controller/dispatch/drift_watch.h"
#include "controller/dispatch/ended_runs.h"
#include "controller/dispatch/loop.h"
#include "controller/dispatch/preflight_requests.h"
#include "controller/dispatch/rollout_driver.h"
#include "controller/dispatch/row_problem_requests.h"
#include "controller/dispatch/schema_requests.h"
#include "controller/dispatch/target_recorder.h"
#include "controller/dispatch/target_table.h"
#include "controller/store/rollout_store.h"
#include "curlew/v1/agent.pb.h"

namespace curlew::dispatch {

// Settings of an engine.
struct EngineOptions {
  RolloutDriver::Options rollouts;
  // How long an agent may take to report a schema, or rows that could not be written.
  absl::Duration schema_deadline = absl::Seconds(30);
  // How long it may look at a target before a run. One that does not know of preflight lets this pass.
  absl::Duration preflight_deadline = absl::Minutes(1);
  CheckDispatcher::Options checks;
  TargetRecorder::Options records;
  DriftWatch::Options drift;
  // After a start, how long agents have to come back before rollouts are told that they are lost.
  absl::Duration reconnect_grace = absl::Seconds(15);
};

// Ties the parts together: what agents say goes to the rollouts of their targets. Sessions and services post
// to loop() and use everything else there, and only there.
class Engine {
 public:
  // `store` and `clock` must outlive it; the store is used on the loop's thread only, which is the engine's
  // own.
  Engine(store::RolloutStore* store, const base::Clock* clock, EngineOptions options);
  // The same on `loop`, which must outlive it, serves nothing else, and is stopped by it.
  Engine(store::RolloutStore* store, const base::Clock* clock, Loop* loop, EngineOptions options);
  // Stops.
  ~Engine();

  // Loads the pipeline and every rollout that can still change, and begins. Fails as the store does.
  absl::Status Start();
  // Watchers, and whoever waits for an agent's answer, get `status`; agents that go are not lost any more,
  // but expected by the next controller.
  void Drain(const absl::Status& status);
  // Ends the thread. Calls that came before are answered first.
  void Stop() { loop_->Stop(); }

  Loop& loop() { return *loop_; }

  // --- On the loop's thread only. ---

  store::RolloutStore& store() { return *store_; }
  const base::Clock& clock() const { return *clock_; }
  TargetTable& targets() { return targets_; }
  SchemaRequests& schemas() { return schemas_; }
  RowProblemRequests& row_problems() { return row_problems_; }
  PreflightRequests& preflights() { return preflights_; }
  CheckRequests& checks() { return checks_; }
  DriftWatch& drift_watch() { return drift_watch_; }
  int checks_in_flight() const { return check_dispatcher_.in_flight(); }
  RolloutDriver& rollouts() { return rollouts_; }

  // The lease of a target was given to `link`. From another link of the same process it passes without the
  // target being lost.
  void Granted(const std::string& target, AgentLink* link);
  // The lease was taken from whoever had it.
  void Released(const std::string& target);
  // What the agent at `link` says; Hello and Heartbeat are not for the engine. What it says of targets that
  // are not leased to it is ignored.
  void Received(AgentLink* link, const v1::AgentMessage& message);

  // Replaces the pipeline; `record` is stored with it. FAILED_PRECONDITION where a target goes, or moves to
  // another environment, while a rollout is active on it; else fails as the store does.
  absl::Status ApplyEnvironments(std::vector<v1::Environment> environments, const store::Record& record);
  // `observer` is called when the set of targets has changed. It must outlive the engine's thread.
  void ObserveTargets(std::function<void()> observer) { observer_ = std::move(observer); }

 private:
  TargetEntry* LeasedTo(AgentLink* link, const std::string& target);
  void OnReady(AgentLink* link, const v1::TargetReady& ready);
  void OnProblem(AgentLink* link, const v1::TargetProblem& problem);
  void OnAck(AgentLink* link, const v1::Ack& ack);
  void OnNack(AgentLink* link, const v1::Nack& nack);
  void OnProgress(AgentLink* link, const v1::Progress& progress);
  // Tells rollouts that have ended what the target's journal has, where steps of theirs are gone.
  void TellEnded(const std::string& target);
  // The same of what the store has now; tries until it is there.
  void LookUpAndTellEnded(const std::string& target);
  // How patient to be with an attempt that ERRORED; nothing where that is not known.
  std::optional<rollout::StepPolicy> PolicyOfResult(const v1::Result& result);
  void OnResult(AgentLink* link, const v1::Result& result);
  void Lost(const std::string& target);
  // Whoever waits for an answer of the target's agent gets none.
  void AnswersLost(const std::string& target);
  static void Unlink(TargetEntry* entry);

  Engine(std::unique_ptr<Loop> own_loop, store::RolloutStore* store, const base::Clock* clock, Loop* loop,
         EngineOptions options);

  const std::unique_ptr<Loop> own_loop_;  // null where it was given one
  store::RolloutStore* const store_;
  const base::Clock* const clock_;
  const EngineOptions options_;
  Loop* const loop_;
  TargetTable targets_;
  SchemaRequests schemas_;
  RowProblemRequests row_problems_;
  PreflightRequests preflights_;
  CheckRequests checks_;
  RolloutDriver rollouts_;
  EndedRuns ended_;
  CheckDispatcher check_dispatcher_;
  TargetRecorder recorder_;
  DriftWatch drift_watch_;
  std::function<void()> observer_;
  bool draining_ = false;
};

}  // namespace curlew::dispatch

#endif  // CURLEW_CONTROLLER_DISPATCH_ENGINE_H_
