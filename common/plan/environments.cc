#include <map>
#include <set>
#include <string>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "common/base/proto_time.h"
#include "common/base/status_macros.h"
#include "common/plan/check.h"
#include "common/plan/health_checks.h"
#include "common/plan/labels.h"
#include "common/plan/plan_reader.h"
#include "common/plan/scalar.h"
#include "common/plan/waves.h"
#include "common/plan/window.h"
#include "common/plan/yaml_reader.h"

namespace curlew::plan {
namespace {

constexpr absl::string_view kCollection = "environments/";
constexpr absl::Duration kLongest = absl::Hours(24 * 365);
constexpr int kMostApprovals = 100;
constexpr int kMostTimes = 100;
constexpr size_t kMostNamed = 20;

std::string NameRule(absl::string_view name) {
  return absl::StrCat("\"", name,
                      "\" is not 1 to 63 lower-case letters, digits and dashes (no dash at either end)");
}

absl::Status CheckDuration(const google::protobuf::Duration& given, const std::string& path) {
  const absl::Duration value = base::FromProto(given);
  if (IsValidDuration(given) && value >= absl::ZeroDuration() && value <= kLongest) return absl::OkStatus();
  return FieldError(path, absl::StrCat(absl::FormatDuration(value), " is out of range; give 0 to ",
                                       absl::FormatDuration(kLongest)));
}

// A number of runs. `zero` is what 0 means.
absl::Status CheckNumber(int32_t given, absl::string_view zero, const std::string& path) {
  if (given >= 0) return absl::OkStatus();
  return FieldError(path, absl::StrCat(given, " is out of range; give 0 (", zero, ") or more"));
}

absl::Status CheckCount(int given, absl::string_view noun, const std::string& path) {
  if (given <= kMostTimes) return absl::OkStatus();
  return FieldError(path, absl::StrCat(given, " ", noun, " are too many; give at most ", kMostTimes));
}

absl::Status CheckGate(const v1::GatePolicy& gate, const std::string& path) {
  if (gate.approvals() < 0 || gate.approvals() > kMostApprovals) {
    return FieldError(absl::StrCat(path, ".approvals"),
                      absl::StrCat(gate.approvals(), " is out of range; give 0 to ", kMostApprovals));
  }
  const std::string expires = absl::StrCat(path, ".approval_expires");
  RETURN_IF_ERROR(CheckDuration(gate.approval_expires(), expires));
  if (base::FromProto(gate.approval_expires()) > absl::ZeroDuration() && gate.approvals() == 0) {
    return FieldError(expires, absl::StrCat(DurationText(gate.approval_expires()),
                                            " counts for nothing, as the gate needs no approval; give "
                                            "approvals too, or leave it out"));
  }
  RETURN_IF_ERROR(CheckDuration(gate.soak(), absl::StrCat(path, ".soak")));
  RETURN_IF_ERROR(CheckCount(gate.windows_size(), "windows", absl::StrCat(path, ".windows")));
  for (int i = 0; i < gate.windows_size(); ++i) {
    RETURN_IF_ERROR(Window::Parse(gate.windows(i), absl::StrCat(path, ".windows[", i, "]")).status());
  }
  return ValidateChecks(gate.checks(), ChecksOf::kGate, absl::StrCat(path, ".checks"));
}

// `seen` holds the path of each name that came before. `noun` is what the name is of.
absl::Status CheckName(absl::string_view noun, absl::string_view name, const std::string& path,
                       std::map<std::string, std::string>* seen) {
  if (!IsId(name)) return FieldError(path, NameRule(name));
  auto [first, is_new] = seen->emplace(std::string(name), path);
  if (is_new) return absl::OkStatus();
  return FieldError(path, absl::StrCat("the ", noun, " \"", name, "\" stands in ", first->second,
                                       " already; each belongs into one place"));
}

// Labels of targets of the environment: a target has one value of a label.
absl::Status CheckTargetLabels(const v1::Environment& environment, const std::string& path) {
  const std::set<std::string> targets(environment.targets().begin(), environment.targets().end());
  // Where each target got the value of each label.
  std::map<std::pair<std::string, std::string>, std::pair<std::string, std::string>> given;
  for (int i = 0; i < environment.labels_size(); ++i) {
    const v1::TargetLabels& entry = environment.labels(i);
    const std::string at = absl::StrCat(path, ".labels[", i, "]");
    if (entry.targets().empty()) {
      return FieldError(absl::StrCat(at, ".targets"), "needs at least one target of the environment");
    }
    if (entry.labels().empty()) {
      return FieldError(absl::StrCat(at, ".labels"), "needs at least one label, for example tier: canary");
    }
    RETURN_IF_ERROR(CheckLabels(entry.labels(), absl::StrCat(at, ".labels")));
    for (int t = 0; t < entry.targets_size(); ++t) {
      const std::string& target = entry.targets(t);
      const std::string target_at = absl::StrCat(at, ".targets[", t, "]");
      if (targets.count(target) == 0) {
        const bool few = targets.size() <= kMostNamed;
        return FieldError(target_at,
                          absl::StrCat("\"", target, "\" is no target of the environment; ",
                                       few ? Suggestion(target, {targets.begin(), targets.end()})
                                           : std::string("add it to targets, or take it out here")));
      }
      for (const auto& [key, value] : entry.labels()) {
        const auto [first, is_new] = given.emplace(std::pair(target, key), std::pair(value, at));
        if (is_new || first->second.first == value) continue;
        return FieldError(
            absl::StrCat(at, ".labels.", key),
            absl::StrCat("the target \"", target, "\" is given ", key, ": ", value, ", but ",
                         first->second.second, " gives it ", key, ": ", first->second.first, "; keep one"));
      }
    }
  }
  return absl::OkStatus();
}

// What is done where runs fail, are late or are not healthy.
absl::Status CheckPolicies(const v1::Environment& environment, const std::string& path) {
  RETURN_IF_ERROR(CheckNumber(environment.max_parallel(), "all", absl::StrCat(path, ".max_parallel")));
  RETURN_IF_ERROR(CheckNumber(environment.max_failed(), "none", absl::StrCat(path, ".max_failed")));
  RETURN_IF_ERROR(CheckNumber(environment.max_unavailable(), "none", absl::StrCat(path, ".max_unavailable")));
  RETURN_IF_ERROR(CheckDuration(environment.target_deadline(), absl::StrCat(path, ".target_deadline")));
  if (!v1::FailureAction_IsValid(environment.on_failure())) {
    return FieldError(absl::StrCat(path, ".on_failure"),
                      absl::StrCat(static_cast<int>(environment.on_failure()),
                                   " is not known; give stop, continue or rollback"));
  }
  if (!v1::HealthAction_IsValid(environment.on_unhealthy())) {
    return FieldError(
        absl::StrCat(path, ".on_unhealthy"),
        absl::StrCat(static_cast<int>(environment.on_unhealthy()), " is not known; give pause or rollback"));
  }
  RETURN_IF_ERROR(ValidateChecks(environment.health(), ChecksOf::kHealth, absl::StrCat(path, ".health")));
  if (environment.on_unhealthy() != v1::HEALTH_ACTION_UNSPECIFIED && environment.health().empty()) {
    return FieldError(absl::StrCat(path, ".on_unhealthy"),
                      "is never done, as the environment has no health checks; give it health too");
  }
  RETURN_IF_ERROR(CheckCount(environment.freezes_size(), "freezes", absl::StrCat(path, ".freezes")));
  for (int i = 0; i < environment.freezes_size(); ++i) {
    RETURN_IF_ERROR(Freeze::Parse(environment.freezes(i), absl::StrCat(path, ".freezes[", i, "]")).status());
  }
  return absl::OkStatus();
}

absl::Status CheckEnvironment(const v1::Environment& environment, const std::string& path) {
  RETURN_IF_ERROR(CheckGate(environment.before(), absl::StrCat(path, ".before")));
  RETURN_IF_ERROR(CheckGate(environment.before_drop(), absl::StrCat(path, ".before_drop")));
  RETURN_IF_ERROR(CheckDuration(environment.soak(), absl::StrCat(path, ".soak")));
  RETURN_IF_ERROR(CheckTargetLabels(environment, path));
  for (int i = 0; i < environment.waves_size(); ++i) {
    const std::string at = absl::StrCat(path, ".waves[", i, "]");
    RETURN_IF_ERROR(CheckLabels(environment.waves(i).labels(), absl::StrCat(at, ".labels")));
    RETURN_IF_ERROR(CheckGate(environment.waves(i).before(), absl::StrCat(at, ".before")));
  }
  RETURN_IF_ERROR(AssignWaves(environment, path).status());
  return CheckPolicies(environment, path);
}

}  // namespace

absl::StatusOr<v1::ApplyEnvironmentsRequest> ReadEnvironments(absl::string_view text,
                                                              absl::string_view file) {
  v1::ApplyEnvironmentsRequest request;
  Places places;
  RETURN_IF_ERROR(ReadYamlWithPlaces(text, file, &request, &places));
  if (!request.actor().empty()) {
    return AtPlace(FieldError("actor", "is not for a file: it is who applies it"), file, places);
  }
  for (int i = 0; i < request.environments_size(); ++i) {
    v1::Environment* environment = request.mutable_environments(i);
    // What `curlew env list -o yaml` wrote has it already.
    if (!absl::StartsWith(environment->name(), kCollection) && !environment->name().empty()) {
      environment->set_name(absl::StrCat(kCollection, environment->name()));
    }
    environment->set_position(i);
  }
  if (absl::Status status = ValidateEnvironments(request); !status.ok()) return AtPlace(status, file, places);
  return request;
}

absl::Status ValidateEnvironments(const v1::ApplyEnvironmentsRequest& request) {
  if (request.environments().empty()) return FieldError("environments", "needs at least one environment");
  std::map<std::string, std::string> names, targets;
  for (int i = 0; i < request.environments_size(); ++i) {
    const v1::Environment& environment = request.environments(i);
    const std::string path = absl::StrCat("environments[", i, "]");
    absl::string_view name = environment.name();
    if (name.empty()) return FieldError(absl::StrCat(path, ".name"), "is required");
    if (!absl::ConsumePrefix(&name, kCollection)) {
      return FieldError(
          absl::StrCat(path, ".name"),
          absl::StrCat("\"", name, "\" is not a resource name; write \"", kCollection, name, "\""));
    }
    RETURN_IF_ERROR(CheckName("environment", name, absl::StrCat(path, ".name"), &names));
    if (environment.targets().empty()) {
      return FieldError(absl::StrCat(path, ".targets"),
                        absl::StrCat("the environment \"", name, "\" needs at least one target"));
    }
    for (int t = 0; t < environment.targets_size(); ++t) {
      RETURN_IF_ERROR(
          CheckName("target", environment.targets(t), absl::StrCat(path, ".targets[", t, "]"), &targets));
    }
    RETURN_IF_ERROR(CheckEnvironment(environment, path));
  }
  return absl::OkStatus();
}

}  // namespace curlew::plan
