// Checks that the controller makes itself.
#ifndef CURLEW_CONTROLLER_CHECKS_CHECK_RUNNER_H_
#define CURLEW_CONTROLLER_CHECKS_CHECK_RUNNER_H_

#include <string>

#include "absl/functional/any_invocable.h"
#include "curlew/v1/rollout.pb.h"

namespace curlew::checks {

// How a check stands.
struct Outcome {
  v1::CheckState state = v1::CHECK_STATE_UNSPECIFIED;  // PASSING, FAILING or ERROR
  std::string value;                                   // what was measured; may be empty
  std::string message;                                 // what was seen, or went wrong, in words
};

// Makes checks of kinds http and prometheus. Thread-safe.
class CheckRunner {
 public:
  using Done = absl::AnyInvocable<void(Outcome)>;

  virtual ~CheckRunner() = default;

  // Begins, and does not wait. The check's timeout must be set. Calls `done` exactly once, on any thread, no
  // later than a moment after the check's timeout from when it was begun: ERROR where it did not answer, or
  // cannot be made. {target} and {environment} have been replaced.
  virtual void Run(const v1::HealthCheck& check, Done done) = 0;
};

}  // namespace curlew::checks

#endif  // CURLEW_CONTROLLER_CHECKS_CHECK_RUNNER_H_
