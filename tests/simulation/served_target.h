// A target as its agent serves it: agent/session/target_server and its attempts, without their threads.
#ifndef CURLEW_TESTS_SIMULATION_SERVED_TARGET_H_
#define CURLEW_TESTS_SIMULATION_SERVED_TARGET_H_

#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "agent/session/admission.h"
#include "curlew/v1/agent.pb.h"
#include "tests/simulation/database.h"
#include "tests/simulation/network.h"
#include "tests/simulation/scheduler.h"

namespace curlew::simulation {

// How unlucky agents and their databases are.
struct AgentLuck {
  double failed = 0;       // an attempt FAILS
  double errored = 0;      // it ERRORS
  double lost_answer = 0;  // a commit is done, and nobody learns of it
  double stuck = 0;        // a condition that is waited for never comes
  double check_fails = 0;  // a check does not hold
  double blocked = 0;      // preflight finds what keeps a run from beginning
  absl::Duration longest_work = absl::Milliseconds(400);
};

// What agents and databases need of the world.
struct AgentWorld {
  Scheduler* scheduler = nullptr;
  const AgentLuck* luck = nullptr;
  const Mutations* mutations = nullptr;
  // Dials any controller.
  std::function<Wire*(Client*, const ProcessPtr&, const std::string& name)> dial;
  std::function<Database*(const std::string& target)> database;
  std::function<v1::Schema(const std::string& target)> schema;
  // A command that the journal contradicts was refused.
  std::function<void(const v1::Dispatch& dispatch, const std::string& why)> refused;
};

class AgentProcess;

// A target as its agent serves it: agent/session/target_server, without its threads.
class ServedTarget {
 public:
  ServedTarget(AgentProcess* agent, Database* database, const AgentWorld* world);

  void Handle(const v1::ControllerMessage& message);
  void SessionLost();
  const std::string& target() const { return database_->target(); }
  // Whether an attempt of the rollout waits for what never comes.
  bool stuck_in(const std::string& rollout) const;
  // Whether nothing is under way and every result was acknowledged.
  bool idle() const { return running_ == nullptr && !busy_ && results_.empty(); }

 private:
  struct Lost {};
  struct Outcome {
    v1::AttemptState state = v1::ATTEMPT_STATE_SUCCEEDED;
    std::string message;
    bool fenced_out = false, in_doubt = false, unreachable = false;
  };
  struct Running {
    v1::Dispatch dispatch;
    v1::Step step;
    Tenure tenure;
    int connections = 0;
    int next_part = 0, parts = 0;
    absl::Duration begun;
    bool stuck = false, cancelled = false, intended = false, built = false;
    std::optional<Outcome> outcome;
  };
  using RunningPtr = std::shared_ptr<Running>;

  const ProcessPtr& process() const;
  // Asks the database: the request is carried out whatever becomes of this process meanwhile.
  template <typename Answer>
  void Ask(std::string what, std::function<Answer()> request, std::function<void(Answer)> then) {
    const absl::Duration there = random_.Between(absl::Microseconds(100), absl::Milliseconds(3));
    const absl::Duration back = random_.Between(absl::Microseconds(100), absl::Milliseconds(3));
    world_->scheduler->After(
        there, nullptr, std::move(what),
        [=, scheduler = world_->scheduler, process = process(), database = database_,
         request = std::move(request), then = std::move(then)]() mutable {
          Answer answer = database->up() ? request() : Answer(absl::UnavailableError("the database is down"));
          scheduler->After(back, process, "", [answer = std::move(answer), then = std::move(then)]() mutable {
            then(std::move(answer));
          });
        });
  }
  // Does what comes next, unless the database is being asked.
  void Pump();
  void On(const v1::ControllerMessage& message);
  void On(const v1::Lease& lease);
  void On(const v1::Dispatch& dispatch);
  // Looks now and then whether the database is what it was.
  void LookAfter();
  void Admitted(const v1::Dispatch& dispatch, const absl::StatusOr<agent::Admission>& admission);
  void On(const v1::Cancel& cancel);
  void On(const v1::ReportSchema& request);
  void On(const v1::RunPreflight& request);
  void On(const v1::RunCheck& request);
  void Start(const v1::Dispatch& dispatch, const v1::Step& step);
  // Stops what runs and forgets it, then goes on.
  void Abandon(std::function<void()> then);
  void BecomeReadyAfter(absl::Duration delay);
  void BecomeReady();
  void Secured(absl::StatusOr<bool> mine);
  void TakeOver();
  void SayReady();
  void Acknowledge(const v1::Dispatch& dispatch);
  void Refuse(const v1::Dispatch& dispatch, v1::NackReason reason, std::string message);
  void Conclude(const v1::Dispatch& dispatch, const Outcome& outcome);
  void Finish();

  // The attempt's own thread.
  void Advance(const RunningPtr& running);
  void Transact(const RunningPtr& running, Work::Kind kind, std::function<void()> then);
  void EndAttempt(const RunningPtr& running, Outcome outcome);

  AgentProcess* const agent_;
  Database* const database_;
  const AgentWorld* const world_;
  Random random_;
  std::deque<std::variant<v1::ControllerMessage, Lost>> inputs_;
  bool busy_ = false;
  bool granted_ = false, just_granted_ = false;
  int ready_timer_ = 0;  // number of the timer that counts; 0 for none
  int timers_ = 0;
  bool ready_due_ = false;
  std::optional<Tenure> tenure_;
  std::vector<v1::RunJournal> journal_;
  RunningPtr running_;
  std::function<void()> abandoned_;  // what waits for the running attempt's end
  std::map<std::pair<std::string, int>, v1::Result> results_;
  std::map<std::string, int> newest_begun_;
};

}  // namespace curlew::simulation

#endif  // CURLEW_TESTS_SIMULATION_SERVED_TARGET_H_
