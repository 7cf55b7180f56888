#include "controller/rollout/first_compiled.h"

namespace curlew::rollout {

const v1::Run* FirstCompiled(const v1::Rollout& rollout, absl::string_view target) {
  for (const v1::Run& run : rollout.runs()) {
    if (run.target() != target && !run.compiled_digest().empty()) return &run;
  }
  return nullptr;
}

}  // namespace curlew::rollout
