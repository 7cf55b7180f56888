// A target's database, as far as promises go: its journal, what steps have done to it, and its epoch.
#ifndef CURLEW_TESTS_SIMULATION_DATABASE_H_
#define CURLEW_TESTS_SIMULATION_DATABASE_H_

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "agent/journal/journal.h"
#include "agent/session/admission.h"
#include "curlew/v1/agent.pb.h"
#include "curlew/v1/step.pb.h"
#include "tests/simulation/story.h"

namespace curlew::simulation {

// Rules that a mutation switches off, to see that the simulation notices.
struct Mutations {
  bool no_epoch_check = false;        // a database lets a predecessor commit
  bool no_journal_check = false;      // an agent does again what its journal has
  bool result_before_commit = false;  // an agent reports a success before it commits
  bool no_store_fence = false;        // the store takes commits of a deposed controller
  bool no_lease_check = false;        // an agent begins steps past its lease
};

// Who works on a database.
struct Tenure {
  int64_t epoch = 0;
  std::string instance;
  int timeline = 1;
};

// One piece of work: what a transaction commits.
struct Work {
  enum Kind { kIntent, kPart, kStep };
  std::string run;
  v1::Step step;
  v1::Direction direction = v1::DIRECTION_DO;
  int attempt = 0;
  Kind kind = kStep;
  int part = 0;
};

// Every effect is a counter that is raised when its work commits: what is done twice is seen. Judges each
// commit by the promises, whoever makes it. Fencing is what it does, as agent/journal does with a real
// server.
class Database {
 public:
  // Why a step may not run now, by what operators have approved; empty where it may.
  using Permission = std::function<std::string(const std::string& run, const v1::Step& step)>;
  Database(std::string target, const Mutations* mutations, Story* story, Permission permission)
      : target_(std::move(target)),
        mutations_(mutations),
        story_(story),
        permission_(std::move(permission)) {}

  const std::string& target() const { return target_; }
  bool up() const { return up_; }
  void Crash();
  void Start() { up_ = true; }
  // What it is now can come back later; on another timeline, as after a failover to a standby that lagged.
  void TakeSnapshot() { snapshot_ = state_; }
  bool GoBack(absl::Duration now);
  // When it went back last (monotonic).
  absl::Duration went_back() const { return went_back_; }
  // Connections end when it crashes: those of another number are broken.
  int connections() const { return connections_; }

  // Raises the epoch and ends every open transaction.
  Tenure TakeOver(const std::string& instance);
  bool StillMine(const Tenure& tenure) const;
  // As agent::Admit.
  absl::StatusOr<agent::Admission> Admit(const v1::Dispatch& dispatch, const Tenure& tenure);
  std::vector<v1::RunJournal> Journal() const;

  // ABORTED where the tenure is over; UNAVAILABLE where the connections are broken.
  struct Begun {
    int64_t transaction = 0;
    int next_part = 0;
  };
  absl::StatusOr<Begun> Begin(const Tenure& tenure, int connections, const Work& work);
  // UNAVAILABLE where the transaction was ended meanwhile.
  absl::Status Commit(int64_t transaction, const Work& work);
  void Rollback(int64_t transaction) { open_.erase(transaction); }
  // Work that no transaction holds (CONCURRENTLY): on a session of its own, which a takeover ends. ABORTED as
  // Begin.
  absl::Status DoOutside(const Tenure& tenure, int connections, const Work& work);

  // Whether every step of the run is done exactly once, and none undone.
  bool IsDone(const std::string& run) const;
  // Whether it ever was, whatever came after.
  bool WasDone(const std::string& run) const { return ever_done_.count(run) > 0; }
  // Whether nothing is left of it that has to be undone.
  bool IsClean(const std::string& run) const;

 private:
  using StepKey = std::pair<std::string, v1::Direction>;
  struct Run {
    v1::CompiledPlan compiled;
    std::string digest;
    std::map<StepKey, agent::StepRecord> records;
    std::map<StepKey, int> next_part;
    std::map<std::tuple<std::string, v1::Direction, int>, int> effects;  // -1: the step as a whole
    std::map<std::string, bool> there;                                   // steps of which something is there
  };
  struct State {
    Tenure tenure;
    std::map<std::string, Run> runs;
  };
  bool Fenced(const Tenure& tenure, const char* what);
  // Judges a commit, then applies it.
  void Apply(const Tenure& tenure, const Work& work);
  void Count(Run& run, const Work& work, int part);

  const std::string target_;
  const Mutations* const mutations_;
  Story* const story_;
  const Permission permission_;
  bool up_ = true;
  absl::Duration went_back_ = -absl::InfiniteDuration();
  int timelines_ = 1, connections_ = 1;
  State state_;
  std::optional<State> snapshot_;
  std::map<int64_t, Tenure> open_;
  std::set<int64_t> ended_by_takeover_;
  std::set<std::string> ever_done_;  // runs
  int64_t next_transaction_ = 1;
};

}  // namespace curlew::simulation

#endif  // CURLEW_TESTS_SIMULATION_DATABASE_H_
