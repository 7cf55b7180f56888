#include "cli/preview_view.h"

#include <algorithm>
#include <map>
#include <tuple>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "cli/errors.h"
#include "cli/explain_view.h"
#include "cli/fleet_view.h"
#include "cli/names.h"
#include "cli/steps_group.h"
#include "cli/units.h"
#include "common/base/proto_time.h"

namespace curlew::cli {
namespace {

using base::FromProto;

constexpr int kWidth = 100;
constexpr size_t kMostDifferences = 20;

// "staging/all: a; production/canary: b, c".
std::string Places(const std::vector<std::string>& targets, const std::vector<v1::TargetPreview>& previews) {
  std::vector<std::pair<std::string, std::vector<std::string>>> places;
  for (const v1::TargetPreview& preview : previews) {
    if (std::find(targets.begin(), targets.end(), preview.target()) == targets.end()) continue;
    std::string place = Bare(preview.environment());
    if (!preview.wave().empty()) absl::StrAppend(&place, "/", preview.wave());
    if (places.empty() || places.back().first != place) places.push_back({place, {}});
    places.back().second.push_back(preview.target());
  }
  return absl::StrJoin(places, "; ", [](std::string* out, const auto& place) {
    absl::StrAppend(out, Printable(place.first), ": ", ListNames(place.second));
  });
}

void AppendWrapped(absl::string_view text, int indent, std::string& out) {
  for (const std::string& line : Wrap(text, kWidth - indent)) {
    absl::StrAppend(&out, std::string(indent, ' '), line, "\n");
  }
}

void AppendGroup(const StepsGroup& group, const std::vector<v1::TargetPreview>& previews, const Style& style,
                 std::string& out) {
  const size_t count = group.targets.size();
  absl::StrAppend(&out, "\n",
                  Paint(absl::StrCat(group.compiled.steps_size(),
                                     group.compiled.steps_size() == 1 ? " step on " : " steps on ", count,
                                     count == 1 ? " target" : " targets"),
                        Tone::kStrong, style),
                  " (steps ", group.digest.substr(0, 12), ")\n");
  AppendWrapped(Places(group.targets, previews), 2, out);
  if (!group.differences.empty()) {
    absl::StrAppend(&out, "  ", Paint("differs from the first target's:", Tone::kBusy, style), "\n");
    for (size_t i = 0; i < group.differences.size() && i < kMostDifferences; ++i) {
      AppendWrapped(Printable(group.differences[i]), 4, out);
    }
    if (group.differences.size() > kMostDifferences) {
      absl::StrAppend(&out, "    and ", group.differences.size() - kMostDifferences, " more\n");
    }
  }
  out += StepsTable(group.compiled, style);
  for (const std::string& warning : group.compiled.warnings()) {
    AppendWrapped(absl::StrCat("* ", Printable(warning)), 2, out);
  }
}

void AppendFindings(const std::vector<v1::TargetPreview>& previews, const Style& style, std::string& out) {
  // The worst first, each once.
  std::map<std::tuple<int, std::string, std::string, std::string, std::string>, std::vector<std::string>>
      targets;
  for (const v1::TargetPreview& preview : previews) {
    for (const v1::PreflightFinding& f : preview.preflight().findings()) {
      targets[{-f.severity(), f.code(), f.table(), f.message(), f.hint()}].push_back(preview.target());
    }
  }
  if (targets.empty()) return;
  absl::StrAppend(&out, "\n", Paint("Preflight", Tone::kStrong, style), "\n");
  for (const auto& [key, names] : targets) {
    v1::Preflight one;
    v1::PreflightFinding* finding = one.add_findings();
    finding->set_severity(static_cast<v1::PreflightSeverity>(-std::get<0>(key)));
    finding->set_code(std::get<1>(key));
    finding->set_table(std::get<2>(key));
    finding->set_message(std::get<3>(key));
    finding->set_hint(std::get<4>(key));
    out += PreflightLines(one, Findings::kAll, 2, style);
    AppendWrapped(absl::StrCat("on ", ListNames(names)), 4, out);
  }
}

void AppendErrors(const std::vector<v1::TargetPreview>& previews, const Style& style, std::string& out) {
  bool first = true;
  for (const v1::TargetPreview& preview : previews) {
    if (!preview.has_error()) continue;
    if (first) absl::StrAppend(&out, "\n", Paint("Could not be compiled", Tone::kBad, style), "\n");
    first = false;
    absl::StrAppend(&out, "  ", Printable(preview.target()), ":\n",
                    RenderStepError(preview.error(), 4, style));
  }
}

}  // namespace

bool IsBad(const v1::TargetPreview& preview) {
  return preview.has_error() ||
         std::any_of(preview.preflight().findings().begin(), preview.preflight().findings().end(),
                     [](const v1::PreflightFinding& finding) {
                       return finding.severity() == v1::PREFLIGHT_SEVERITY_ERROR;
                     });
}

ExitCode PreviewOutcome(const std::vector<v1::TargetPreview>& previews) {
  return std::any_of(previews.begin(), previews.end(), IsBad) ? ExitCode::kPrecondition : ExitCode::kOk;
}

std::string RenderPreview(const std::string& plan, const std::vector<v1::TargetPreview>& previews,
                          const Style& style) {
  std::vector<CompiledTarget> compiled;
  absl::Duration longest;
  std::string slowest;
  for (const v1::TargetPreview& preview : previews) {
    if (preview.has_compiled_plan()) compiled.push_back({preview.target(), &preview.compiled_plan()});
    if (const absl::Duration estimate = FromProto(preview.preflight().estimate()); estimate > longest) {
      longest = estimate;
      slowest = preview.target();
    }
  }
  const std::vector<StepsGroup> groups = GroupBySteps(compiled);
  std::string out = absl::StrCat("Plan ", Paint(Printable(plan), Tone::kStrong, style), " on ",
                                 previews.size(), previews.size() == 1 ? " target" : " targets",
                                 ": nothing is started, and nothing changes\n");
  if (!groups.empty()) absl::StrAppend(&out, "  digest    ", groups[0].compiled.plan_digest(), "\n");
  if (!slowest.empty()) {
    absl::StrAppend(&out, "  takes     about ", ShortDuration(longest), " on ", Printable(slowest),
                    ", the longest\n");
  }
  for (const StepsGroup& group : groups) AppendGroup(group, previews, style, out);
  AppendFindings(previews, style, out);
  AppendErrors(previews, style, out);
  const auto bad = std::count_if(previews.begin(), previews.end(), IsBad);
  absl::StrAppend(&out, "\n");
  if (bad == 0) {
    absl::StrAppend(&out, Paint("It can run.", Tone::kGood, style),
                    groups.size() > 1 ? " The steps are not the same on all targets: a rollout stops where"
                                        " they differ from those that the first environment ran.\n"
                                      : "\n");
  } else {
    absl::StrAppend(&out, Paint("It cannot run", Tone::kBad, style), " on ", bad, " of ", previews.size(),
                    " targets; see above what to do.\n");
  }
  return out;
}

}  // namespace curlew::cli
