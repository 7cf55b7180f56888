#include "cli/fleet_view.h"

#include <algorithm>
#include <map>
#include <set>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "cli/gate_view.h"
#include "cli/names.h"
#include "cli/table.h"
#include "cli/units.h"
#include "common/base/proto_time.h"

namespace curlew::cli {
namespace {

using base::FromProto;

constexpr int kMostListed = 50;
constexpr int kWidth = 100;

// What needs attention stands first, then what is at work.
int Rank(v1::RunState state) {
  switch (state) {
    case v1::RUN_STATE_FAILED:
      return 0;
    case v1::RUN_STATE_ROLLING_BACK:
      return 1;
    case v1::RUN_STATE_ROLLED_BACK:
      return 2;
    case v1::RUN_STATE_SKIPPED:
      return 3;
    case v1::RUN_STATE_DROPPING:
      return 4;
    case v1::RUN_STATE_RUNNING:
      return 5;
    case v1::RUN_STATE_COMPILING:
      return 6;
    case v1::RUN_STATE_COMPILED:
      return 7;
    case v1::RUN_STATE_READY_TO_DROP:
      return 8;
    case v1::RUN_STATE_SUCCEEDED:
      return 9;
    case v1::RUN_STATE_PENDING:
      return 10;
    default:
      return 11;
  }
}

Tone ToneOf(v1::WaveState state) {
  switch (state) {
    case v1::WAVE_STATE_DONE:
      return Tone::kGood;
    case v1::WAVE_STATE_PENDING:
      return Tone::kFaint;
    default:
      return Tone::kPlain;
  }
}

Tone ToneOf(v1::PreflightSeverity severity) {
  switch (severity) {
    case v1::PREFLIGHT_SEVERITY_ERROR:
      return Tone::kBad;
    case v1::PREFLIGHT_SEVERITY_WARNING:
      return Tone::kBusy;
    default:
      return Tone::kPlain;
  }
}

bool IsAtWork(v1::RunState state) {
  switch (state) {
    case v1::RUN_STATE_COMPILING:
    case v1::RUN_STATE_RUNNING:
    case v1::RUN_STATE_DROPPING:
    case v1::RUN_STATE_ROLLING_BACK:
      return true;
    default:
      return false;
  }
}

bool Bakes(v1::WaveState state) {
  return state == v1::WAVE_STATE_BAKING || state == v1::WAVE_STATE_BAKING_DROP;
}

std::string BakeText(const v1::Wave& wave, absl::Time now) {
  if (FromProto(wave.bake()) <= absl::ZeroDuration()) return "-";
  std::string text = ShortDuration(FromProto(wave.bake()));
  if (Bakes(wave.state()) && wave.has_bake_until()) {
    absl::StrAppend(&text, ", ",
                    WholeDuration(absl::Ceil(FromProto(wave.bake_until()) - now, absl::Seconds(1))), " left");
  }
  return text;
}

int CountFindings(const v1::Preflight& preflight, v1::PreflightSeverity severity) {
  return static_cast<int>(std::count_if(
      preflight.findings().begin(), preflight.findings().end(),
      [severity](const v1::PreflightFinding& finding) { return finding.severity() == severity; }));
}

std::string StepText(const v1::Run& run) {
  if (run.steps().empty()) return "-";
  const int current = CurrentStep(run);
  if (current >= 0) return Printable(run.steps(current).key());
  const auto done = std::count_if(run.steps().begin(), run.steps().end(), [](const v1::StepStatus& step) {
    return step.state() == v1::STEP_STATE_SUCCEEDED;
  });
  return absl::StrCat(done, "/", run.steps_size());
}

}  // namespace

bool IsFleet(const v1::Rollout& rollout) { return rollout.runs_size() > kMostRunsShown; }

std::string CountRuns(const std::vector<const v1::Run*>& runs, const Style& style) {
  std::map<std::pair<int, int>, int> counts;
  int aside = 0;
  for (const v1::Run* run : runs) {
    ++counts[{Rank(run->state()), run->state()}];
    aside += run->set_aside() ? 1 : 0;
  }
  std::vector<std::string> parts;
  for (const auto& [key, count] : counts) {
    const auto state = static_cast<v1::RunState>(key.second);
    parts.push_back(absl::StrCat(count, " ", Paint(Word(state), ToneOf(state), style)));
  }
  std::string text = parts.empty() ? "-" : absl::StrJoin(parts, ", ");
  if (aside > 0) absl::StrAppend(&text, "; ", aside, " set aside");
  return text;
}

std::vector<const v1::Run*> RunsOf(const v1::Rollout& rollout, const v1::EnvironmentStage& stage,
                                   const v1::Wave& wave) {
  const std::set<std::string> targets(wave.targets().begin(), wave.targets().end());
  std::vector<const v1::Run*> runs;
  for (const v1::Run& run : rollout.runs()) {
    if (run.environment() == stage.environment() && targets.count(run.target()) > 0) runs.push_back(&run);
  }
  return runs;
}

std::string AttentionText(const v1::Run& run) {
  std::vector<std::string> texts;
  if (run.state() == v1::RUN_STATE_FAILED) {
    texts.push_back(run.error().message().empty() ? "failed" : run.error().message());
  }
  if (run.has_skip()) {
    texts.push_back(absl::StrCat("left out by ", run.skip().actor(), ": ", run.skip().reason()));
  }
  if (run.set_aside()) {
    texts.push_back(run.epoch() == 0 ? "set aside: no agent serves it" : "set aside: it is late");
  } else if (run.epoch() == 0 && IsAtWork(run.state())) {
    texts.push_back("no agent serves it");
  }
  if (!run.held_by().empty()) texts.push_back(absl::StrCat("held by ", Bare(run.held_by())));
  if (run.state() != v1::RUN_STATE_FAILED &&
      CountFindings(run.preflight(), v1::PREFLIGHT_SEVERITY_ERROR) > 0) {
    texts.push_back(absl::StrCat("preflight: ", PreflightText(run.preflight())));
  }
  return Printable(absl::StrJoin(texts, "; "));
}

std::string RenderWaves(const v1::Rollout& rollout, const ViewOptions& options) {
  bool worth_it = IsFleet(rollout);
  for (const v1::EnvironmentStage& stage : rollout.stages()) {
    worth_it = worth_it || stage.waves_size() > 1;
    for (const v1::Wave& wave : stage.waves()) {
      worth_it = worth_it || !IsOpen(wave.before()) || wave.before().has_reached_time() ||
                 FromProto(wave.bake()) > absl::ZeroDuration();
    }
  }
  if (!worth_it) return "";
  Table table({"ENVIRONMENT", "WAVE", "STATE", ">TARGETS", "BAKE", "GATE", "RUNS"});
  for (const v1::EnvironmentStage& stage : rollout.stages()) {
    for (const v1::Wave& wave : stage.waves()) {
      const auto runs = RunsOf(rollout, stage, wave);
      table.AddRow({Printable(Bare(stage.environment())), Printable(wave.name()),
                    Paint(Word(wave.state()), ToneOf(wave.state()), options.style),
                    FormatCount(static_cast<int64_t>(runs.size())), BakeText(wave, options.now),
                    GateText(wave.before(), options.now), CountRuns(runs, options.style)});
    }
  }
  return absl::StrCat("\n", Paint("Waves", Tone::kStrong, options.style), "\n",
                      table.Render(options.style, options.width, 2));
}

std::string RenderAttention(const v1::Rollout& rollout, const ViewOptions& options) {
  Table table({"TARGET", "ENVIRONMENT", "STATE", "STEP", "WHY"});
  int shown = 0, all = 0;
  for (const v1::Run& run : rollout.runs()) {
    std::string why = AttentionText(run);
    if (why.empty()) continue;
    if (++all > kMostListed) continue;
    ++shown;
    table.AddRow({Printable(run.target()), Printable(Bare(run.environment())),
                  Paint(Word(run.state()), ToneOf(run.state()), options.style), StepText(run),
                  std::move(why)});
  }
  if (all == 0) return "";
  std::string out = absl::StrCat("\n", Paint("Needs attention", Tone::kStrong, options.style), "\n",
                                 table.Render(options.style, options.width == 0 ? kWidth : options.width, 2));
  if (all > shown) {
    absl::StrAppend(&out, "  and ", FormatCount(all - shown), " more: curlew rollout runs ",
                    Printable(Bare(rollout.name())), " --attention\n");
  }
  return out;
}

std::string PreflightText(const v1::Preflight& preflight) {
  std::vector<std::string> parts;
  const auto count = [&](v1::PreflightSeverity severity, absl::string_view one, absl::string_view many) {
    if (const int n = CountFindings(preflight, severity); n > 0) {
      parts.push_back(absl::StrCat(n, " ", n == 1 ? one : many));
    }
  };
  count(v1::PREFLIGHT_SEVERITY_ERROR, "error", "errors");
  count(v1::PREFLIGHT_SEVERITY_WARNING, "warning", "warnings");
  count(v1::PREFLIGHT_SEVERITY_INFO, "note", "notes");
  if (preflight.has_estimate()) {
    parts.push_back(absl::StrCat("takes about ", ShortDuration(FromProto(preflight.estimate()))));
  }
  return absl::StrJoin(parts, ", ");
}

std::string PreflightLines(const v1::Preflight& preflight, Findings which, int indent, const Style& style) {
  std::string out;
  const std::string spaces(indent, ' ');
  for (const v1::PreflightFinding& finding : preflight.findings()) {
    if (which == Findings::kThatMatter && finding.severity() < v1::PREFLIGHT_SEVERITY_WARNING) continue;
    const std::string text =
        absl::StrCat(Word(finding.severity()), " ", Printable(finding.code()),
                     finding.table().empty() ? "" : absl::StrCat(" of ", Printable(finding.table())), ": ",
                     Printable(finding.message()));
    bool first = true;
    for (const std::string& line : Wrap(text, kWidth - indent - 2)) {
      absl::StrAppend(&out, spaces, first ? "" : "  ",
                      first ? Paint(line, ToneOf(finding.severity()), style) : line, "\n");
      first = false;
    }
    if (finding.hint().empty()) continue;
    for (const std::string& line :
         Wrap(absl::StrCat("what to do: ", Printable(finding.hint())), kWidth - indent - 4)) {
      absl::StrAppend(&out, spaces, "  ", line, "\n");
    }
  }
  return out;
}

Table RunTable(const google::protobuf::RepeatedPtrField<v1::Run>& runs, const ViewOptions& options) {
  Table table({"TARGET", "ENVIRONMENT", "WAVE", "STATE", "STEP", "WHAT"});
  for (const v1::Run& run : runs) {
    std::string what = AttentionText(run);
    if (what.empty() && !run.preflight().findings().empty()) {
      what = absl::StrCat("preflight: ", PreflightText(run.preflight()));
    }
    table.AddRow({Printable(run.target()), Printable(Bare(run.environment())),
                  run.wave().empty() ? "-" : Printable(run.wave()),
                  Paint(Word(run.state()), ToneOf(run.state()), options.style), StepText(run),
                  what.empty() ? "-" : what});
  }
  return table;
}

}  // namespace curlew::cli
