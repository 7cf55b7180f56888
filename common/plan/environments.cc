#include <map>
#include <string>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "common/base/proto_time.h"
#include "common/base/status_macros.h"
#include "common/plan/check.h"
#include "common/plan/plan_reader.h"
#include "common/plan/yaml_reader.h"

namespace curlew::plan {
namespace {

constexpr absl::string_view kCollection = "environments/";
constexpr absl::Duration kLongestSoak = absl::Hours(24 * 365);
constexpr int kMostApprovals = 100;

std::string NameRule(absl::string_view name) {
  return absl::StrCat("\"", name,
                      "\" is not 1 to 63 lower-case letters, digits and dashes (no dash at either end)");
}

absl::Status CheckGate(const v1::GatePolicy& gate, const std::string& path) {
  if (gate.approvals() >= 0 && gate.approvals() <= kMostApprovals) return absl::OkStatus();
  return FieldError(absl::StrCat(path, ".approvals"),
                    absl::StrCat(gate.approvals(), " is out of range; give 0 to ", kMostApprovals));
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

}  // namespace

absl::StatusOr<v1::ApplyEnvironmentsRequest> ReadEnvironments(absl::string_view text,
                                                              absl::string_view file) {
  v1::ApplyEnvironmentsRequest request;
  Places places;
  RETURN_IF_ERROR(ReadYamlWithPlaces(text, file, &request, &places));
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
    RETURN_IF_ERROR(CheckGate(environment.before(), absl::StrCat(path, ".before")));
    RETURN_IF_ERROR(CheckGate(environment.before_drop(), absl::StrCat(path, ".before_drop")));
    const absl::Duration soak = base::FromProto(environment.soak());
    if (!IsValidDuration(environment.soak()) || soak < absl::ZeroDuration() || soak > kLongestSoak) {
      return FieldError(absl::StrCat(path, ".soak"),
                        absl::StrCat(absl::FormatDuration(soak), " is out of range; give 0 to ",
                                     absl::FormatDuration(kLongestSoak)));
    }
  }
  return absl::OkStatus();
}

}  // namespace curlew::plan
