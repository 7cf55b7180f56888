#include "cli/cover_view.h"

#include <algorithm>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "cli/explain_view.h"
#include "cli/fleet_view.h"
#include "cli/gate_view.h"
#include "cli/names.h"
#include "cli/steps_group.h"
#include "cli/units.h"
#include "common/base/proto_time.h"
#include "common/compiler/compiler.h"

namespace curlew::cli {
namespace {

using base::FromProto;

constexpr int kWidth = 100;
constexpr size_t kMostDifferences = 20;

// The runs behind a gate: of its wave, or of its environment.
std::vector<const v1::Run*> RunsBehind(const v1::Rollout& rollout, const v1::Gate& gate) {
  const v1::EnvironmentStage* stage = StageOf(rollout, gate);
  if (stage == nullptr) return {};
  for (const v1::Wave& wave : stage->waves()) {
    if (wave.before().id() == gate.id()) return RunsOf(rollout, *stage, wave);
  }
  std::vector<const v1::Run*> runs;
  for (const v1::Run& run : rollout.runs()) {
    if (run.environment() == stage->environment()) runs.push_back(&run);
  }
  return runs;
}

void AppendWrapped(absl::string_view text, int indent, std::string& out) {
  for (const std::string& line : Wrap(text, kWidth - indent)) {
    absl::StrAppend(&out, std::string(indent, ' '), line, "\n");
  }
}

// A label of ten columns, and text beside it.
void AppendFact(absl::string_view label, absl::string_view text, std::string& out) {
  constexpr int kBeside = 12;
  bool first = true;
  for (const std::string& line : Wrap(text, kWidth - kBeside)) {
    absl::StrAppend(&out, PadRight(first ? absl::StrCat("  ", label) : "", kBeside), line, "\n");
    first = false;
  }
}

// What was proved: the steps of the first run of the pipeline that has been compiled.
const v1::CompiledPlan* Proved(const v1::Rollout& rollout, const CompiledPlans& plans) {
  for (const v1::Run& run : rollout.runs()) {
    if (const auto it = plans.find(run.compiled_digest()); it != plans.end()) return &it->second;
  }
  return nullptr;
}

void AppendSteps(const v1::Rollout& rollout, const std::vector<const v1::Run*>& runs,
                 const CompiledPlans& plans, const ViewOptions& options, std::string& out) {
  std::vector<CompiledTarget> compiled;
  std::vector<std::string> unknown;
  for (const v1::Run* run : runs) {
    if (const auto it = plans.find(run->compiled_digest()); it != plans.end()) {
      compiled.push_back({run->target(), &it->second});
    } else if (run->state() != v1::RUN_STATE_SKIPPED) {
      unknown.push_back(run->target());
    }
  }
  const v1::CompiledPlan* proved = Proved(rollout, plans);
  const std::string proved_digest = proved == nullptr ? "" : compiler::StepsDigest(*proved);
  for (const StepsGroup& group : GroupBySteps(compiled)) {
    AppendWrapped(
        absl::StrCat(group.compiled.steps_size(), group.compiled.steps_size() == 1 ? " step (" : " steps (",
                     group.digest.substr(0, 12), ") on ", ListNames(group.targets), ":"),
        2, out);
    out += StepsTable(group.compiled, options.style);
    if (group.digest == proved_digest) continue;
    absl::StrAppend(&out, "  ", Paint("not the steps that the first target ran:", Tone::kBad, options.style),
                    "\n");
    const std::vector<std::string> differences = compiler::DiffSteps(*proved, group.compiled);
    for (size_t i = 0; i < differences.size() && i < kMostDifferences; ++i) {
      AppendWrapped(Printable(differences[i]), 4, out);
    }
    if (differences.size() > kMostDifferences) {
      absl::StrAppend(&out, "    and ", differences.size() - kMostDifferences, " more\n");
    }
  }
  if (!unknown.empty()) AppendWrapped(absl::StrCat("not compiled yet: ", ListNames(unknown)), 2, out);
}

std::string PolicyText(const v1::Gate& gate) {
  const v1::GatePolicy& policy = gate.policy();
  std::vector<std::string> parts;
  if (gate.required_approvals() > 0) {
    std::string text =
        absl::StrCat(gate.required_approvals(), gate.required_approvals() == 1 ? " approval" : " approvals",
                     ", not of the author");
    if (const absl::Duration expires = FromProto(policy.approval_expires()); expires > absl::ZeroDuration()) {
      absl::StrAppend(&text, ", good for ", ShortDuration(expires));
    }
    parts.push_back(std::move(text));
  }
  if (const absl::Duration soak = FromProto(policy.soak()); soak > absl::ZeroDuration()) {
    parts.push_back(absl::StrCat("soak ", ShortDuration(soak)));
  }
  for (const v1::Window& window : policy.windows()) {
    parts.push_back(absl::StrCat("window ", WindowText(window)));
  }
  for (const v1::HealthCheck& check : policy.checks()) {
    std::string text = absl::StrCat("check ", Printable(check.name()));
    if (const absl::Duration hold = FromProto(check.hold()); hold > absl::ZeroDuration()) {
      absl::StrAppend(&text, " for ", ShortDuration(hold));
    }
    parts.push_back(std::move(text));
  }
  return parts.empty() ? "nothing" : absl::StrJoin(parts, "; ");
}

}  // namespace

std::string RenderCover(const v1::Rollout& rollout, const v1::Gate& gate, const CompiledPlans& plans,
                        const ViewOptions& options) {
  const std::vector<const v1::Run*> runs = RunsBehind(rollout, gate);
  std::vector<std::string> targets;
  for (const v1::Run* run : runs) {
    if (run->state() != v1::RUN_STATE_SKIPPED) targets.push_back(run->target());
  }
  std::string out = absl::StrCat("  plan      ", Printable(rollout.plan()), "\n  digest    ",
                                 Printable(rollout.plan_digest()), "\n");
  const v1::EnvironmentStage* stage = StageOf(rollout, gate);
  AppendFact(
      "targets",
      absl::StrCat(targets.size(), " in ", stage == nullptr ? "-" : Printable(Bare(stage->environment())),
                   ": ", ListNames(targets)),
      out);
  if (!gate.cover().empty()) absl::StrAppend(&out, "  cover     ", Printable(gate.cover()), "\n");
  AppendSteps(rollout, runs, plans, options, out);
  int shown = 0;
  for (const v1::Run* run : runs) {
    const std::string lines = PreflightLines(run->preflight(), Findings::kThatMatter, 4, options.style);
    if (lines.empty() || ++shown > kMostRunsShown) continue;
    absl::StrAppend(&out, "  preflight on ", Printable(run->target()), ":\n", lines);
  }
  if (shown > kMostRunsShown) {
    absl::StrAppend(&out, "  and on ", shown - kMostRunsShown, " targets more: curlew rollout runs ",
                    Printable(Bare(rollout.name())), "\n");
  }
  return out;
}

std::string RenderGate(const v1::Rollout& rollout, const v1::Gate& gate, const CompiledPlans& plans,
                       const ViewOptions& options) {
  std::string out = absl::StrCat("Gate ", Paint(Printable(gate.id()), Tone::kStrong, options.style), " of ",
                                 Printable(Bare(rollout.name())), ": ", GateText(gate, options.now), "\n");
  AppendFact("asks for", PolicyText(gate), out);
  if (gate.has_open_time()) {
    absl::StrAppend(&out, "  opened    ", ShortTime(FromProto(gate.open_time()), options.zone), "\n");
  }
  out += GateLines(rollout, gate, options);
  for (const v1::Waiting& waiting : rollout.waiting()) {
    if (waiting.gate() != gate.id()) continue;
    AppendWrapped(absl::StrCat("waits for ", WaitingText(waiting, options.now)), 2, out);
  }
  for (const v1::CheckStatus& check : gate.checks()) {
    if (!IsOpen(gate) || check.state() != v1::CHECK_STATE_PASSING) continue;  // GateLines has the others
    absl::StrAppend(&out, "  check ", Printable(check.check()), ": ", CheckText(check, options), "\n");
  }
  absl::StrAppend(&out, "\n", Paint("An approval covers", Tone::kStrong, options.style), "\n",
                  RenderCover(rollout, gate, plans, options));
  return out;
}

}  // namespace curlew::cli
