// The states' names for people: the protos' without prefix and in lower case. Internal to controller/rollout.
#ifndef CURLEW_CONTROLLER_ROLLOUT_NAMES_H_
#define CURLEW_CONTROLLER_ROLLOUT_NAMES_H_

#include <string>

#include "absl/strings/ascii.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/string_view.h"
#include "curlew/v1/rollout.pb.h"

namespace curlew::rollout {

inline std::string PlainName(absl::string_view name, absl::string_view prefix) {
  return absl::StrReplaceAll(absl::AsciiStrToLower(name.substr(prefix.size())), {{"_", " "}});
}

inline std::string Name(v1::RolloutState state) {
  return PlainName(v1::RolloutState_Name(state), "ROLLOUT_STATE_");
}
inline std::string Name(v1::StageState state) {
  return PlainName(v1::StageState_Name(state), "STAGE_STATE_");
}
inline std::string Name(v1::WaveState state) { return PlainName(v1::WaveState_Name(state), "WAVE_STATE_"); }
inline std::string Name(v1::CheckState state) {
  return PlainName(v1::CheckState_Name(state), "CHECK_STATE_");
}
inline std::string Name(v1::RunState state) { return PlainName(v1::RunState_Name(state), "RUN_STATE_"); }

}  // namespace curlew::rollout

#endif  // CURLEW_CONTROLLER_ROLLOUT_NAMES_H_
