#include "controller/rollout/holders.h"

#include <string>

#include "absl/strings/str_cat.h"
#include "controller/rollout/run.h"

namespace curlew::rollout {

void OnHoldersChanged(Draft& draft, const HoldersChanged& input) {
  if (Ended(draft.state)) return;
  for (v1::Run& run : *draft.state.mutable_runs()) {
    const bool may_begin = run.state() == v1::RUN_STATE_PENDING || run.state() == v1::RUN_STATE_COMPILING ||
                           run.state() == v1::RUN_STATE_COMPILED ||
                           (run.state() == v1::RUN_STATE_FAILED && !IsBegun(run));
    const auto found = input.held_by.find(run.target());
    const std::string holder = may_begin && found != input.held_by.end() ? found->second : "";
    if (holder == run.held_by()) continue;
    run.set_held_by(holder);
    if (holder.empty()) {
      if (may_begin) AddEvent(draft, v1::EVENT_TYPE_RUN_HELD, run, "no other rollout holds it any more");
      continue;
    }
    AddEvent(draft, v1::EVENT_TYPE_RUN_HELD, run,
             absl::StrCat("waits until ", BareName(holder), " has ended"));
    if (run.state() != v1::RUN_STATE_COMPILING && run.state() != v1::RUN_STATE_COMPILED) continue;
    ForgetCompiled(run);
    SetRunState(draft, run, v1::RUN_STATE_PENDING);
  }
}

}  // namespace curlew::rollout
