// An agent and its database, as far as the rollout machine can tell: obeys the session's rules, and is as
// unlucky as a seeded random source makes it.
#ifndef CURLEW_TESTS_CONTROLLER_ROLLOUT_FAKE_AGENT_H_
#define CURLEW_TESTS_CONTROLLER_ROLLOUT_FAKE_AGENT_H_

#include <cstdint>
#include <map>
#include <optional>
#include <random>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "controller/rollout/machine.h"
#include "curlew/v1/step.pb.h"

namespace curlew::rollout::testing {

// The same numbers from the same seed on every platform (the standard's distributions are not).
class Random {
 public:
  explicit Random(uint64_t seed) : engine_(seed) {}
  // 0 to below `n`.
  int Below(int n) { return static_cast<int>(engine_() % static_cast<uint64_t>(n)); }
  bool Percent(int percent) { return Below(100) < percent; }

 private:
  std::mt19937_64 engine_;
};

// Title of a step that waits for something that never comes.
inline constexpr char kStuck[] = "stuck";

class FakeAgent {
 public:
  // `random` must outlive the object.
  FakeAgent(std::string target, v1::CompiledPlan plan, Random& random)
      : target_(std::move(target)), plan_(std::move(plan)), random_(random) {}

  // A new process: it fences the target with the next epoch. The one before is gone, and what it ran has
  // either been committed in the last moment or never happened.
  void Restart();
  // The database is restored, or a standby that lagged is promoted: commits of the last time are gone, and so
  // is what runs. The agent notices, and fences the target with the next epoch.
  void GoBack();
  int64_t epoch() const { return epoch_; }
  // What it runs, and what it has ended without an acknowledgement.
  std::vector<int> Held() const;
  // What the journal has.
  KnownJournal Journal() const;

  // A command arrives. Returns the answers.
  std::vector<Input> OnDispatch(const DispatchAttempt& dispatch);
  void OnCancel(int attempt);
  // Goes on with what it runs; in bad luck it fails or errs. Returns the result, if any.
  std::vector<Input> Work(int bad_luck_percent);
  // The controller has stored the result.
  void Acknowledge(int attempt) { unacknowledged_.erase(attempt); }
  // The results that are sent again after a reconnect.
  std::vector<Input> Unacknowledged() const;

  // Whether everything is done; whether nothing is left that has to be undone.
  bool IsDone() const;
  bool IsClean() const;
  // Whether a step without a way back is done.
  bool IsPastNoReturn() const;
  // What the machine did wrong, as the agent sees it: commands in an order that a right agent refuses.
  const std::vector<std::string>& complaints() const { return complaints_; }

 private:
  struct Running {
    DispatchAttempt dispatch;
    int work_left = 0;
    bool stuck = false;  // until an override comes
    bool cancelled = false;
  };
  using Key = std::pair<std::string, v1::Direction>;

  bool IsStuck(const std::string& key) const;
  std::optional<std::string> WhyInvalid(const DispatchAttempt& dispatch) const;
  void Commit(const DispatchAttempt& dispatch);
  Input Result(int attempt, const std::string& step, v1::AttemptState outcome);

  const std::string target_;
  const v1::CompiledPlan plan_;
  Random& random_;

  // Survives restarts.
  struct Database {
    std::set<Key> journal;
    std::set<std::string> traces;  // steps of which something is there, whole or half
    bool has_plan = false;
  };
  Database database_;
  std::vector<Database> past_;  // before each commit
  int64_t epoch_ = 0;

  // The process.
  std::optional<Running> running_;
  int newest_attempt_ = 0;
  std::map<int, AttemptEnded> unacknowledged_;

  std::vector<std::string> complaints_;
};

}  // namespace curlew::rollout::testing

#endif  // CURLEW_TESTS_CONTROLLER_ROLLOUT_FAKE_AGENT_H_
