#include "controller/dispatch/log_event.h"

#include <spdlog/spdlog.h>

#include <string>

#include "absl/strings/str_cat.h"
#include "common/base/log.h"

namespace curlew::dispatch {

void LogEvent(const v1::Rollout& rollout, const v1::Event& event) {
  const bool bad = event.type() == v1::EVENT_TYPE_STEP_FAILED || event.type() == v1::EVENT_TYPE_AGENT_LOST;
  const std::string run =
      event.target().empty() ? "" : absl::StrCat(rollout.name(), "/runs/", event.target());
  spdlog::log(bad ? spdlog::level::warn : spdlog::level::info, "{}",
              base::WithFields(event.message(),
                               {{"rollout", rollout.name()},
                                {"target", event.target()},
                                {"run", run},
                                {"step", event.step()},
                                {"attempt", event.attempt() == 0 ? "" : absl::StrCat(event.attempt())},
                                {"event", absl::StrCat(event.number())},
                                {"actor", event.actor()}}));
}

}  // namespace curlew::dispatch
