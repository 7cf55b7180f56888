// Carries out what the store's outbox holds.
#ifndef CURLEW_CONTROLLER_DISPATCH_COMMAND_RUNNER_H_
#define CURLEW_CONTROLLER_DISPATCH_COMMAND_RUNNER_H_

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "common/base/clock.h"
#include "controller/dispatch/preflight_requests.h"
#include "controller/dispatch/schema_requests.h"
#include "controller/dispatch/target_table.h"
#include "controller/rollout/machine.h"
#include "controller/store/rollout_store.h"

namespace curlew::dispatch {

// Sends commands to agents, and compiles. Reads commands from the store alone, so that what was never
// committed is never acted on, and what was committed before a restart is. A command stays until its rollout
// no longer wants it (Wanted); while it does, it is carried out once for each time that its target becomes
// ready. Belongs to the loop's thread.
class CommandRunner {
 public:
  // How a compile ends: as input for the rollout's machine, together with the entries that it answers.
  using Answer = std::function<void(const std::string& rollout, rollout::Input input, int64_t entry)>;
  // The state of a rollout, as all are in memory that entries belong to; valid until anything is answered.
  using State = std::function<absl::StatusOr<const v1::Rollout*>(const std::string& rollout)>;

  // All must outlive it.
  CommandRunner(store::RolloutStore* store, const base::Clock* clock, TargetTable* targets,
                SchemaRequests* schemas, PreflightRequests* preflights, State state, Answer answer)
      : store_(store),
        clock_(clock),
        targets_(targets),
        schemas_(schemas),
        preflights_(preflights),
        state_(std::move(state)),
        answer_(std::move(answer)) {}

  // Takes in what was added to the outbox since the last call, everything at the first. Fails as the store
  // does; then it is to be called again later.
  absl::Status Sync();

  // Entries of a rollout that it does not want any more in state `next`.
  std::vector<int64_t> Done(const v1::Rollout& next) const;
  // The entries are gone from the store.
  void Forget(const std::vector<int64_t>& entries);
  // Whether entries of a rollout are there still.
  bool Has(const std::string& rollout) const;

  // Carries out what is there for `target`, if it is ready, and was not carried out since it became so; but
  // nothing of the `unsettled` rollouts, whose state is about to change. Fails where the store does not give
  // what is needed; then it is to be called again later.
  absl::Status Deliver(const std::string& target, const std::set<std::string>& unsettled);
  // Delivers to all targets.
  absl::Status DeliverAll(const std::set<std::string>& unsettled);
  // `target` became ready or was lost: everything there for it is to be carried out again.
  void Reset(const std::string& target);
  // Rollouts that entries belong to.
  std::vector<std::string> Rollouts() const;

 private:
  struct Item {
    std::string rollout;
    rollout::Command command;
    bool sent = false;
  };
  static bool Superseded(const std::map<int64_t, Item>& items, int64_t id, const Item& item);
  absl::Status CarryOut(int64_t id, Item* item, AgentLink* link);
  absl::Status Send(const std::string& rollout, const rollout::DispatchAttempt& command, AgentLink* link);
  // What an agent that runs signed plans alone needs besides.
  absl::Status AddSignedWords(const std::string& rollout, const rollout::DispatchAttempt& command,
                              const v1::CompiledPlan& compiled, v1::Dispatch* dispatch);
  // A compile goes through these: the target's schema; the plan against it; what the target's agent finds;
  // where the steps are others than the rollout's first run has, that run's target's schema, to say why. Each
  // leads to the next or to an answer, or to nothing, where the target's agent has gone: it is carried out
  // again when there is another.
  struct Compilation {
    int64_t id = 0;
    std::string rollout, target;
    v1::StoredPlan stored;
    v1::Schema schema;
    rollout::Compiled result;
  };
  using CompilationPtr = std::shared_ptr<Compilation>;
  absl::Status Compile(int64_t id, const Item& item, const std::string& target);
  void CompileAgainst(CompilationPtr compilation, absl::StatusOr<v1::Schema> schema);
  void Compare(CompilationPtr compilation);
  void Preflight(CompilationPtr compilation);
  void Succeed(Compilation& compilation);
  // Whether the rollout still waits for just that answer, and not for one of a schema that is read later.
  bool IsAwaited(const Compilation& compilation) const;
  void CompileFails(const Compilation& compilation, const absl::Status& why, absl::string_view hint,
                    bool retriable);

  store::RolloutStore* const store_;
  const base::Clock* const clock_;
  TargetTable* const targets_;
  SchemaRequests* const schemas_;
  PreflightRequests* const preflights_;
  const State state_;
  const Answer answer_;
  int64_t newest_ = 0;                                        // id of the newest entry taken in
  std::map<std::string, std::map<int64_t, Item>> by_target_;  // in order of their ids
};

}  // namespace curlew::dispatch

#endif  // CURLEW_CONTROLLER_DISPATCH_COMMAND_RUNNER_H_
