#include "cli/rollout_view.h"

#include <algorithm>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "cli/errors.h"
#include "cli/fleet_view.h"
#include "cli/gate_view.h"
#include "cli/names.h"
#include "cli/progress_view.h"
#include "cli/units.h"
#include "common/base/own_sqlstate.h"
#include "common/base/proto_time.h"

namespace curlew::cli {
namespace {

using base::FromProto;

std::string Since(absl::Time time, const ViewOptions& options) {
  return absl::StrCat(ShortTime(time, options.zone), " (", FormatAge(time, options.now), " ago)");
}

std::string SoakText(const v1::EnvironmentStage& stage, const ViewOptions& options) {
  if (!stage.has_soak()) return "-";
  std::string text = ShortDuration(FromProto(stage.soak()));
  if (stage.has_soak_until() && stage.state() == v1::STAGE_STATE_SOAKING) {
    absl::StrAppend(&text, ", ", WholeDuration(FromProto(stage.soak_until()) - options.now), " left");
  }
  return text;
}

void AppendHeading(absl::string_view text, const Style& style, std::string& out) {
  absl::StrAppend(&out, "\n", Paint(text, Tone::kStrong, style), "\n");
}

void AppendWaiting(const v1::Rollout& rollout, const ViewOptions& options, std::string& out) {
  if (rollout.waiting().empty()) return;
  AppendHeading("Waits for", options.style, out);
  for (const v1::Waiting& waiting : rollout.waiting()) {
    absl::StrAppend(&out, "  ", Paint(WaitingText(waiting, options.now), Tone::kBusy, options.style), "\n");
    if (const std::string command = MissingCommand(rollout, waiting); !command.empty()) {
      absl::StrAppend(&out, "    to open it: ", command, "\n");
    }
  }
}

void AppendStages(const v1::Rollout& rollout, const ViewOptions& options, std::string& out) {
  AppendHeading("Stages", options.style, out);
  Table table({"ENVIRONMENT", "STATE", "GATE BEFORE", "GATE BEFORE DROP", "SOAK"});
  for (const v1::EnvironmentStage& stage : rollout.stages()) {
    table.AddRow({Printable(Bare(stage.environment())), Word(stage.state()),
                  GateText(stage.before(), options.now), GateText(stage.before_drop(), options.now),
                  SoakText(stage, options)});
  }
  absl::StrAppend(&out, table.Render(options.style, options.width, 2));
}

void AppendGates(const v1::Rollout& rollout, const ViewOptions& options, std::string& out) {
  std::string gates;
  for (const v1::Gate* gate : GatesOf(rollout)) gates += GateLines(rollout, *gate, options);
  if (gates.empty()) return;
  AppendHeading("Gates", options.style, out);
  out += gates;
}

void AppendHealth(const v1::Rollout& rollout, const ViewOptions& options, std::string& out) {
  std::string health;
  for (const v1::EnvironmentStage& stage : rollout.stages()) {
    for (const v1::CheckStatus& check : stage.health()) {
      absl::StrAppend(&health, "  ", Printable(Bare(stage.environment())), "/", Printable(check.check()),
                      check.target().empty() ? "" : absl::StrCat(" on ", Printable(check.target())), ": ",
                      CheckText(check, options), "\n");
    }
  }
  if (health.empty()) return;
  AppendHeading("Health", options.style, out);
  out += health;
}

std::string LabelText(const v1::Rollout& rollout) {
  // By name: a proto's map has no order.
  const std::map<std::string, std::string> labels(rollout.labels().begin(), rollout.labels().end());
  return absl::StrJoin(labels, ", ", [](std::string* out, const auto& label) {
    absl::StrAppend(out, Printable(label.first), "=", Printable(label.second));
  });
}

std::string StepStateText(const v1::StepStatus& step, const Style& style) {
  std::string text = Paint(Word(step.state()), ToneOf(step.state()), style);
  const bool undo = step.attempt().direction() == v1::DIRECTION_UNDO;
  if (step.state() == v1::STEP_STATE_ACTIVE) {
    absl::StrAppend(&text, undo ? ", undo " : ", ", absl::AsciiStrToLower(Word(step.attempt().state())));
  } else if (step.state() == v1::STEP_STATE_FAILED && undo) {
    absl::StrAppend(&text, " to undo");
  }
  return text;
}

std::string TimeTaken(const v1::StepStatus& step, absl::Time now) {
  if (!step.has_start_time()) return "-";
  const absl::Time end = step.has_end_time() ? FromProto(step.end_time()) : now;
  return ShortDuration(end - FromProto(step.start_time()));
}

std::string WhatText(const v1::StepStatus& step) {
  if (!step.has_override()) return Printable(step.title());
  return Printable(absl::StrCat(step.title(), step.skippable() ? "; skipped by " : "; overridden by ",
                                step.override().actor(), ": ", step.override().reason()));
}

void AddStep(const v1::StepStatus& step, const ViewOptions& options, Table& table) {
  table.AddRow({Printable(step.key()), Word(step.phase()), StepStateText(step, options.style),
                step.attempts() == 0 ? "-" : absl::StrCat(step.attempts()), TimeTaken(step, options.now),
                step.rows() == 0 ? "-" : FormatCount(step.rows()), WhatText(step)});
}

void AppendProgress(const v1::Progress& progress, const ViewOptions& options, std::string& out) {
  absl::StrAppend(&out, "  working   ", ProgressText(progress), "\n");
  constexpr char kIndent[] = "            ";
  if (const std::string walk = absl::StrJoin(WalkFacts(progress), ", "); !walk.empty()) {
    const int width =
        options.width > 0 ? std::max(options.width - static_cast<int>(sizeof(kIndent)), 40) : 10'000;
    for (const std::string& line : Wrap(walk, width)) absl::StrAppend(&out, kIndent, line, "\n");
  }
  int number = 0;
  for (const std::string& worker : WorkerTexts(progress)) {
    absl::StrAppend(&out, kIndent, "worker ", ++number, ": ", worker, "\n");
  }
}

void AppendRun(const v1::Run& run, const ProgressByTarget& progress, const ViewOptions& options,
               std::string& out) {
  AppendHeading(
      absl::StrCat("Run on ", Printable(run.target()), " (", Printable(Bare(run.environment())), ")"),
      options.style, out);
  absl::StrAppend(&out, "  state     ", Paint(Word(run.state()), ToneOf(run.state()), options.style), "\n");
  if (!run.compiled_digest().empty()) absl::StrAppend(&out, "  compiled  ", run.compiled_digest(), "\n");
  if (const std::string attention = AttentionText(run);
      !attention.empty() && run.state() != v1::RUN_STATE_FAILED) {
    absl::StrAppend(&out, "  note      ", Paint(attention, Tone::kBusy, options.style), "\n");
  }
  if (const std::string preflight = PreflightText(run.preflight()); !preflight.empty()) {
    absl::StrAppend(&out, "  preflight ", preflight, "\n",
                    PreflightLines(run.preflight(), Findings::kThatMatter, 12, options.style));
  }
  if (run.has_start_time()) {
    absl::StrAppend(&out, "  started   ", Since(FromProto(run.start_time()), options), "\n");
  }
  if (run.has_end_time())
    absl::StrAppend(&out, "  ended     ", Since(FromProto(run.end_time()), options), "\n");
  if (const std::string tuning = TuningText(run.tuning()); !tuning.empty()) {
    absl::StrAppend(&out, "  tuned to  ", tuning, "\n");
  }
  if (const auto it = progress.find(run.target()); it != progress.end())
    AppendProgress(it->second, options, out);
  if (run.has_error()) absl::StrAppend(&out, RenderStepError(run.error(), 2, options.style));
  if (run.steps().empty()) return;
  Table table({"STEP", "PHASE", "STATE", ">TRIES", ">TIME", ">ROWS", "WHAT"});
  for (const v1::StepStatus& step : run.steps()) AddStep(step, options, table);
  if (run.has_rollback_gate() && run.rollback_gate().attempts() > 0)
    AddStep(run.rollback_gate(), options, table);
  absl::StrAppend(&out, table.Render(options.style, options.width, 2));
}

// ", wave canary" where the environment has several, and one of them is at work.
std::string WaveAtWork(const v1::EnvironmentStage& stage) {
  if (stage.waves_size() < 2) return "";
  for (const v1::Wave& wave : stage.waves()) {
    switch (wave.state()) {
      case v1::WAVE_STATE_RUNNING:
      case v1::WAVE_STATE_BAKING:
      case v1::WAVE_STATE_DROPPING:
      case v1::WAVE_STATE_BAKING_DROP:
        return absl::StrCat(", wave ", wave.name());
      default:
        break;
    }
  }
  return "";
}

// Whether a step has failed that may be left out.
bool HasSkippable(const v1::Rollout& rollout) {
  for (const v1::Run& run : rollout.runs()) {
    for (const v1::StepStatus& step : run.steps()) {
      if (step.state() == v1::STEP_STATE_FAILED && step.skippable()) return true;
    }
  }
  return false;
}

bool HasRowsQuarantined(const v1::Rollout& rollout) {
  return std::any_of(rollout.runs().begin(), rollout.runs().end(),
                     [](const v1::Run& run) { return run.error().sqlstate() == base::kRowsQuarantined; });
}

}  // namespace

Tone ToneOf(v1::RolloutState state) {
  switch (state) {
    case v1::ROLLOUT_STATE_SUCCEEDED:
      return Tone::kGood;
    case v1::ROLLOUT_STATE_FAILED:
    case v1::ROLLOUT_STATE_ABORTED:
      return Tone::kBad;
    case v1::ROLLOUT_STATE_PAUSED:
    case v1::ROLLOUT_STATE_ROLLING_BACK:
      return Tone::kBusy;
    default:
      return Tone::kPlain;
  }
}

Tone ToneOf(v1::RunState state) {
  switch (state) {
    case v1::RUN_STATE_SUCCEEDED:
      return Tone::kGood;
    case v1::RUN_STATE_FAILED:
      return Tone::kBad;
    case v1::RUN_STATE_ROLLING_BACK:
      return Tone::kBusy;
    case v1::RUN_STATE_PENDING:
    case v1::RUN_STATE_SKIPPED:
      return Tone::kFaint;
    default:
      return Tone::kPlain;
  }
}

Tone ToneOf(v1::StepState state) {
  switch (state) {
    case v1::STEP_STATE_SUCCEEDED:
      return Tone::kGood;
    case v1::STEP_STATE_FAILED:
      return Tone::kBad;
    case v1::STEP_STATE_ACTIVE:
      return Tone::kBusy;
    case v1::STEP_STATE_PENDING:
      return Tone::kFaint;
    default:
      return Tone::kPlain;
  }
}

std::string ApproveCommand(const v1::Rollout& rollout, const std::string& gate) {
  return Printable(absl::StrCat("curlew rollout approve ", Bare(rollout.name()), " --gate ", gate));
}

std::string MissingCommand(const v1::Rollout& rollout, const v1::Waiting& waiting) {
  if (waiting.cause() != v1::WAIT_CAUSE_APPROVAL) return "";
  std::string command = ApproveCommand(rollout, waiting.gate());
  return absl::StrContains(waiting.message(), command) ? "" : command;
}

std::string WaitingText(const v1::Waiting& waiting, absl::Time now) {
  std::string text = absl::AsciiStrToLower(Word(waiting.cause()));
  if (!waiting.target().empty()) absl::StrAppend(&text, " on ", waiting.target());
  if (!waiting.message().empty()) absl::StrAppend(&text, ": ", waiting.message());
  if (waiting.has_since()) {
    const absl::Duration time = now - FromProto(waiting.since());
    if (time >= absl::Seconds(1)) absl::StrAppend(&text, ", for ", WholeDuration(time));
  }
  if (waiting.has_until()) {
    const absl::Duration left = absl::Ceil(FromProto(waiting.until()) - now, absl::Seconds(1));
    absl::StrAppend(&text, ", ", WholeDuration(left), " left");
  }
  return Printable(text);
}

int CurrentStep(const v1::Run& run) {
  int failed = -1;
  for (int i = 0; i < run.steps_size(); ++i) {
    if (run.steps(i).state() == v1::STEP_STATE_ACTIVE) return i;
    if (run.steps(i).state() == v1::STEP_STATE_FAILED) failed = i;
  }
  return failed;
}

Table RolloutTable(const google::protobuf::RepeatedPtrField<v1::Rollout>& rollouts,
                   const ViewOptions& options) {
  Table table({"NAME", "STATE", "STAGE", "PLAN", "AGE", "BY", "WAITS FOR"});
  for (const v1::Rollout& rollout : rollouts) {
    std::string stage = "-";
    for (const v1::EnvironmentStage& s : rollout.stages()) {
      if (s.state() == v1::STAGE_STATE_DONE) continue;
      stage = absl::StrCat(Bare(s.environment()), " ", Word(s.state()), WaveAtWork(s));
      break;
    }
    std::vector<std::string> waits;
    for (const v1::Waiting& waiting : rollout.waiting()) {
      waits.push_back(absl::StrCat(absl::AsciiStrToLower(Word(waiting.cause())),
                                   waiting.gate().empty() ? "" : absl::StrCat(" of ", waiting.gate()),
                                   waiting.target().empty() ? "" : absl::StrCat(" on ", waiting.target())));
    }
    table.AddRow({Printable(Bare(rollout.name())),
                  Paint(Word(rollout.state()), ToneOf(rollout.state()), options.style), Printable(stage),
                  Printable(Bare(rollout.plan())), FormatAge(FromProto(rollout.create_time()), options.now),
                  Printable(rollout.creator()), waits.empty() ? "-" : Printable(absl::StrJoin(waits, "; "))});
  }
  return table;
}

std::string RenderRollout(const v1::Rollout& rollout, const ViewOptions& options,
                          const ProgressByTarget& progress) {
  std::string out =
      absl::StrCat("Rollout ", Paint(Printable(Bare(rollout.name())), Tone::kStrong, options.style), ": ",
                   Paint(Word(rollout.state()), ToneOf(rollout.state()), options.style), "\n");
  if (!rollout.reason().empty()) absl::StrAppend(&out, "  reason    ", Printable(rollout.reason()), "\n");
  absl::StrAppend(&out, "  plan      ", Printable(rollout.plan()), "\n  digest    ",
                  Printable(rollout.plan_digest()), "\n  started   ",
                  Since(FromProto(rollout.create_time()), options));
  if (!rollout.creator().empty()) absl::StrAppend(&out, " by ", Printable(rollout.creator()));
  out += '\n';
  if (rollout.has_end_time()) {
    absl::StrAppend(&out, "  ended     ", Since(FromProto(rollout.end_time()), options), ", after ",
                    ShortDuration(FromProto(rollout.end_time()) - FromProto(rollout.create_time())), "\n");
  }
  if (!rollout.labels().empty()) absl::StrAppend(&out, "  labels    ", LabelText(rollout), "\n");
  for (const std::string& after : rollout.after()) {
    absl::StrAppend(&out, "  after     ", Printable(after), "\n");
  }
  AppendWaiting(rollout, options, out);
  AppendStages(rollout, options, out);
  out += RenderWaves(rollout, options);
  AppendGates(rollout, options, out);
  AppendHealth(rollout, options, out);
  if (IsFleet(rollout)) {
    absl::StrAppend(&out, RenderAttention(rollout, options), "\nEach run: curlew rollout runs ",
                    Printable(Bare(rollout.name())), "\n");
    return out;
  }
  for (const v1::Run& run : rollout.runs()) AppendRun(run, progress, options, out);
  return out;
}

std::string RenderUnfinished(const v1::Rollout& rollout, absl::Duration timeout, absl::Time now,
                             const Style& style) {
  const std::string name = Printable(Bare(rollout.name()));
  const bool paused = rollout.state() == v1::ROLLOUT_STATE_PAUSED;
  std::string out = absl::StrCat(
      Paint("error: ", Tone::kBad, style), "rollout ", name,
      timeout == absl::InfiniteDuration()
          ? " needs a decision: it is "
          : absl::StrCat(" has not ended within ", ShortDuration(timeout), ": it is "),
      Word(rollout.state()), rollout.reason().empty() ? "" : ": ", Printable(rollout.reason()), "\n");
  std::vector<std::string> next;
  for (const v1::Waiting& waiting : rollout.waiting()) {
    absl::StrAppend(&out, "  waits for ", WaitingText(waiting, now), "\n");
    if (waiting.cause() == v1::WAIT_CAUSE_APPROVAL) next.push_back(ApproveCommand(rollout, waiting.gate()));
  }
  if (paused) next.push_back(absl::StrCat("curlew rollout resume ", name));
  next.push_back(absl::StrCat("to wait on: curlew rollout watch ", name));
  absl::StrAppend(&out, "  what to do: ", absl::StrJoin(next, "; "), "\n");
  return out;
}

std::string RenderFailure(const v1::Rollout& rollout, const Style& style) {
  const std::string name = Printable(Bare(rollout.name()));
  const bool goes_back = rollout.rollback_refusal().empty();
  std::string what;
  std::string next;
  switch (rollout.state()) {
    case v1::ROLLOUT_STATE_FAILED:
      what = "failed";
      if (HasRowsQuarantined(rollout)) {
        next = absl::StrCat("see the rows: curlew rollout rows ", name,
                            "; to leave them as they are: curlew rollout override ", name,
                            " --reason TEXT, then retry; ");
      }
      if (rollout.has_rollback_time()) {
        absl::StrAppend(&next, "when the cause is gone: curlew rollout rollback ", name);
        break;
      }
      absl::StrAppend(&next, "when the cause is gone: curlew rollout retry ", name);
      if (HasSkippable(rollout)) {
        absl::StrAppend(&next, "; to go on without the step: curlew rollout skip ", name, " --reason TEXT");
      }
      absl::StrAppend(
          &next, goes_back ? "; to undo: curlew rollout rollback " : "; to leave it: curlew rollout abort ",
          name);
      break;
    case v1::ROLLOUT_STATE_ABORTED:
      what = "was aborted";
      next = goes_back ? absl::StrCat("what was done stays; to undo it: curlew rollout rollback ", name)
                       : absl::StrCat("what was done stays: ", Printable(rollout.rollback_refusal()));
      break;
    case v1::ROLLOUT_STATE_ROLLED_BACK:
      what = "was rolled back";
      next = absl::StrCat("correct the plan or the data, then start another rollout: curlew rollout show ",
                          name, " has the whole story");
      break;
    default:
      return "";
  }
  std::string out = absl::StrCat(Paint("error: ", Tone::kBad, style), "rollout ", name, " ", what,
                                 rollout.reason().empty() ? "" : ": ", Printable(rollout.reason()), "\n");
  for (const v1::Run& run : rollout.runs()) {
    if (!run.has_error() || run.error().message().empty()) continue;
    const int step = CurrentStep(run);
    absl::StrAppend(&out, "  on ", Printable(run.target()), step < 0 ? "" : ", step ",
                    step < 0 ? "" : Printable(run.steps(step).key()), ":\n",
                    RenderStepError(run.error(), 4, style));
  }
  absl::StrAppend(&out, "  what to do: ", next, "\n");
  return out;
}

}  // namespace curlew::cli
