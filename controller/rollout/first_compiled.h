// What the steps of a rollout's targets are compared with. Its users: machine and command runner.
#ifndef CURLEW_CONTROLLER_ROLLOUT_FIRST_COMPILED_H_
#define CURLEW_CONTROLLER_ROLLOUT_FIRST_COMPILED_H_

#include "absl/strings/string_view.h"
#include "curlew/v1/rollout.pb.h"

namespace curlew::rollout {

// The run whose steps those of `target` must be: the first that was compiled, which is one of a later
// environment where all targets of the first were left out. nullptr where no other was compiled.
const v1::Run* FirstCompiled(const v1::Rollout& rollout, absl::string_view target);

}  // namespace curlew::rollout

#endif  // CURLEW_CONTROLLER_ROLLOUT_FIRST_COMPILED_H_
