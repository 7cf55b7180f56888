// What happens next, in one thread.
#ifndef CURLEW_TESTS_SIMULATION_SCHEDULER_H_
#define CURLEW_TESTS_SIMULATION_SCHEDULER_H_

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/functional/any_invocable.h"
#include "absl/time/time.h"
#include "tests/simulation/random.h"
#include "tests/simulation/story.h"

namespace curlew::simulation {

using Task = absl::AnyInvocable<void()>;

// Something that can die or be stopped for a while (SIGKILL, SIGSTOP): an agent, a controller.
struct Process {
  explicit Process(std::string n) : name(std::move(n)) {}
  const std::string name;
  bool alive = true;
  bool frozen = false;
  struct Late {
    std::string what;
    Task task;
  };
  std::vector<Late> backlog;  // what came due while it was frozen
};
using ProcessPtr = std::shared_ptr<Process>;

// Runs tasks by a clock of its own, which goes on only from one task to the next. Delays are drawn from the
// seed, so that everything that can happen at about the same time happens in any order.
class Scheduler {
 public:
  Scheduler(uint64_t seed, Story* story) : random_(seed), story_(story) {}

  // Monotonic time.
  absl::Duration now() const { return now_; }
  Random& random() { return random_; }
  Story& story() { return *story_; }

  // Runs `task` after `delay` on `process` (null: on the world): not at all once that is dead, and not before
  // it goes on again where it is frozen. `what` is told then, if it is not empty.
  void After(absl::Duration delay, ProcessPtr process, std::string what, Task task);
  // Tells something that happens now.
  void Tell(std::string what) { story_->Tell(now_, std::move(what)); }

  // Runs the next task, whatever the time. False where there is none.
  bool Step();

  void Kill(const ProcessPtr& process);
  // For so long; what would have happened meanwhile happens afterwards, in its order.
  void Freeze(const ProcessPtr& process, absl::Duration how_long);
  void Thaw(const ProcessPtr& process);

 private:
  struct Event {
    ProcessPtr process;
    std::string what;
    Task task;
  };
  Random random_;
  Story* const story_;
  absl::Duration now_;
  uint64_t sequence_ = 0;
  std::map<std::pair<absl::Duration, uint64_t>, Event> events_;
};

}  // namespace curlew::simulation

#endif  // CURLEW_TESTS_SIMULATION_SCHEDULER_H_
