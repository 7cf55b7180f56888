// Where a run is killed.
#ifndef CURLEW_TESTS_HARNESS_CRASH_H_
#define CURLEW_TESTS_HARNESS_CRASH_H_

#include <string>
#include <vector>

#include "absl/time/time.h"
#include "curlew/v1/step.pb.h"

namespace curlew::testing {

struct Crash {
  enum class When {
    kNever,
    kDo,          // in the second run, which is then resumed
    kDoThenUndo,  // in the first run, which is then rolled back from where it stands
    kUndo,        // in the first run's rollback, which is then resumed
    kAnyInstant,  // in the second run, by a real SIGKILL after `delay`; resumed
  };
  enum class Where { kAfter /* the step has committed */, kIn /* before it, or amid its batches */ };
  When when = When::kNever;
  Where where = Where::kAfter;
  std::string step;
  absl::Duration delay;

  // "do after add-1", "undo in dual-write-1", "rollback in add-2", "kill 120": what CURLEW_CRASH takes.
  std::string Text() const;
};

// kNever where `text` is none of those.
Crash ParseCrash(const std::string& text);

// Every place at which a run of the plan can be killed.
std::vector<Crash> AllCrashes(const v1::CompiledPlan& plan);

}  // namespace curlew::testing

#endif  // CURLEW_TESTS_HARNESS_CRASH_H_
