#include "common/plan/waves.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <map>
#include <set>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/base/proto_time.h"
#include "common/base/status_macros.h"
#include "common/plan/check.h"

namespace curlew::plan {
namespace {

constexpr char kOnlyWave[] = "all";
constexpr absl::Duration kLongestBake = absl::Hours(24 * 365);

using Labels = std::map<std::string, std::string>;

bool HasSelector(const v1::WavePolicy& wave) {
  return !wave.labels().empty() || wave.count() != 0 || wave.percent() != 0;
}

// The labels of each target that has any; later entries add to earlier ones.
std::map<std::string, Labels> LabelsByTarget(const v1::Environment& environment) {
  std::map<std::string, Labels> labels;
  for (const v1::TargetLabels& entry : environment.labels()) {
    for (const std::string& target : entry.targets()) {
      for (const auto& [key, value] : entry.labels()) labels[target][key] = value;
    }
  }
  return labels;
}

bool HasAll(const Labels& labels, const v1::WavePolicy& wave) {
  return std::all_of(wave.labels().begin(), wave.labels().end(), [&](const auto& wanted) {
    const auto found = labels.find(wanted.first);
    return found != labels.end() && found->second == wanted.second;
  });
}

std::string SelectorText(const v1::WavePolicy& wave) {
  const Labels labels(wave.labels().begin(), wave.labels().end());
  if (!labels.empty())
    return absl::StrCat("with the labels ", absl::StrJoin(labels, ", ", absl::PairFormatter(": ")));
  return "left for it by the waves before";
}

// The wave by itself. `is_last` of the list.
absl::Status CheckWave(const v1::WavePolicy& wave, const std::string& path, bool is_last) {
  if (wave.name().empty()) return FieldError(absl::StrCat(path, ".name"), "is required");
  if (!IsId(wave.name())) {
    return FieldError(
        absl::StrCat(path, ".name"),
        absl::StrCat("\"", wave.name(),
                     "\" is not 1 to 63 lower-case letters, digits and dashes (no dash at either end)"));
  }
  if (wave.count() < 0) {
    return FieldError(absl::StrCat(path, ".count"),
                      absl::StrCat(wave.count(), " is out of range; give 1 or more"));
  }
  if (wave.percent() < 0 || wave.percent() > 100) {
    return FieldError(absl::StrCat(path, ".percent"),
                      absl::StrCat(wave.percent(), " is out of range; give 1 to 100"));
  }
  if ((wave.labels().empty() ? 0 : 1) + (wave.count() != 0 ? 1 : 0) + (wave.percent() != 0 ? 1 : 0) > 1) {
    return FieldError(path, absl::StrCat("the wave \"", wave.name(),
                                         "\" has more than one of labels, count and percent; give one"));
  }
  if (!HasSelector(wave) && !is_last) {
    return FieldError(path,
                      absl::StrCat("the wave \"", wave.name(),
                                   "\" has none of labels, count and percent, so it takes all that is left: "
                                   "make it the last, or give one of them"));
  }
  const absl::Duration bake = base::FromProto(wave.bake());
  if (!IsValidDuration(wave.bake()) || bake < absl::ZeroDuration() || bake > kLongestBake) {
    return FieldError(absl::StrCat(path, ".bake"),
                      absl::StrCat(absl::FormatDuration(bake), " is out of range; give 0 to ",
                                   absl::FormatDuration(kLongestBake)));
  }
  if (wave.max_parallel() < 0) {
    return FieldError(absl::StrCat(path, ".max_parallel"),
                      absl::StrCat(wave.max_parallel(), " is out of range; give 0 (all) or more"));
  }
  return absl::OkStatus();
}

absl::Status CheckWaves(const v1::Environment& environment, const std::string& prefix) {
  std::map<std::string, std::string> names;
  for (int i = 0; i < environment.waves_size(); ++i) {
    const v1::WavePolicy& wave = environment.waves(i);
    const std::string path = absl::StrCat(prefix, "waves[", i, "]");
    RETURN_IF_ERROR(CheckWave(wave, path, i + 1 == environment.waves_size()));
    const auto [first, is_new] = names.emplace(wave.name(), path);
    if (!is_new) {
      return FieldError(absl::StrCat(path, ".name"),
                        absl::StrCat("the wave \"", wave.name(), "\" stands in ", first->second,
                                     " already; names are unique within an environment"));
    }
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<std::vector<AssignedWave>> AssignWaves(const v1::Environment& environment,
                                                      absl::string_view path) {
  const std::string prefix = path.empty() ? "" : absl::StrCat(path, ".");
  if (environment.waves().empty()) {
    AssignedWave only;
    only.policy.set_name(kOnlyWave);
    only.targets.assign(environment.targets().begin(), environment.targets().end());
    return std::vector<AssignedWave>{std::move(only)};
  }
  RETURN_IF_ERROR(CheckWaves(environment, prefix));
  const int all = environment.targets_size();
  const std::map<std::string, Labels> labels = LabelsByTarget(environment);
  std::vector<AssignedWave> waves(environment.waves_size());
  std::vector<std::string> rest;
  for (int i = 0; i < environment.waves_size(); ++i) waves[i].policy = environment.waves(i);
  for (const std::string& target : environment.targets()) {
    const auto found = labels.find(target);
    const AssignedWave* mine = nullptr;
    for (size_t i = 0; i < waves.size(); ++i) {
      AssignedWave& wave = waves[i];
      if (wave.policy.labels().empty() || found == labels.end() || !HasAll(found->second, wave.policy))
        continue;
      if (mine != nullptr) {
        return FieldError(absl::StrCat(prefix, "waves[", i, "].labels"),
                          absl::StrCat("the target \"", target, "\" is in the wave \"", mine->policy.name(),
                                       "\" already, and has the labels of \"", wave.policy.name(),
                                       "\" too; each target is in one wave"));
      }
      wave.targets.push_back(target);
      mine = &wave;
    }
    if (mine == nullptr) rest.push_back(target);
  }
  size_t taken = 0;
  for (size_t i = 0; i < waves.size(); ++i) {
    AssignedWave& wave = waves[i];
    if (wave.policy.labels().empty()) {
      size_t share = rest.size() - taken;
      if (wave.policy.count() != 0) share = std::min<size_t>(share, wave.policy.count());
      if (wave.policy.percent() != 0) {
        share = std::min<size_t>(share, (int64_t{all} * wave.policy.percent() + 99) / 100);
      }
      wave.targets.assign(rest.begin() + taken, rest.begin() + taken + share);
      taken += share;
    }
    if (wave.targets.empty()) {
      return FieldError(absl::StrCat(prefix, "waves[", i, "]"),
                        absl::StrCat("the wave \"", wave.policy.name(), "\" has no target: there is none ",
                                     SelectorText(wave.policy)));
    }
  }
  if (taken < rest.size()) {
    const size_t shown = std::min<size_t>(rest.size() - taken, 5);
    return FieldError(
        absl::StrCat(prefix, "waves"),
        absl::StrCat(rest.size() - taken, rest.size() - taken == 1 ? " target is" : " targets are",
                     " in no wave: ", absl::StrJoin(rest.begin() + taken, rest.begin() + taken + shown, ", "),
                     taken + shown < rest.size() ? ", …" : "",
                     "; add a last wave without labels, count and percent, which takes all that is left"));
  }
  return waves;
}

}  // namespace curlew::plan
