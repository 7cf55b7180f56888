// Resource names of rollouts, runs and targets.
#ifndef CURLEW_CONTROLLER_DISPATCH_NAMES_H_
#define CURLEW_CONTROLLER_DISPATCH_NAMES_H_

#include <string>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "absl/strings/strip.h"

namespace curlew::dispatch {

// "rollouts/x/runs/y" -> "rollouts/x"; "" where it is no run's name.
inline std::string RolloutOfRun(absl::string_view run) {
  const size_t at = run.find("/runs/");
  return at == absl::string_view::npos ? "" : std::string(run.substr(0, at));
}

// "rollouts/x/runs/y" -> "y"; "" where it is no run's name.
inline std::string TargetOfRun(absl::string_view run) {
  const size_t at = run.find("/runs/");
  return at == absl::string_view::npos ? "" : std::string(run.substr(at + 6));
}

// The resource name of a plan: "plans/NAME-DIGEST12".
inline std::string NameOfPlan(absl::string_view plan, absl::string_view digest) {
  return absl::StrCat("plans/", plan, "-", digest.substr(0, 12));
}

// "crm" or "targets/crm" -> "crm"; likewise for other collections ("rollouts", "plans", "environments").
inline std::string WithoutCollection(absl::string_view collection, absl::string_view name) {
  const std::string prefix = absl::StrCat(collection, "/");
  return std::string(absl::StripPrefix(name, prefix));
}

// "crm" or "targets/crm" -> "targets/crm".
inline std::string WithCollection(absl::string_view collection, absl::string_view name) {
  return absl::StrCat(collection, "/", WithoutCollection(collection, name));
}

}  // namespace curlew::dispatch

#endif  // CURLEW_CONTROLLER_DISPATCH_NAMES_H_
