#include "cli/watch_frame.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "cli/fleet_view.h"
#include "cli/names.h"
#include "cli/progress_view.h"
#include "cli/units.h"
#include "cli/watch_lines.h"
#include "common/base/proto_time.h"

namespace curlew::cli {
namespace {

using base::FromProto;

constexpr int kWidestBar = 30;
constexpr int kNarrowestBar = 8;
constexpr int kPercentWidth = 4;
constexpr int kGap = 2;
// Room for "21,000 rows/s  ETA 12m05s" beside the bar; below it the environment is left out.
constexpr int kFactsWidth = 26;
constexpr int kWaitIndent = 4;
constexpr size_t kMostWaitLines = 3;
constexpr size_t kMostWalkLines = 2;
constexpr int kLeastRowLines = 4;

// One target, before alignment.
struct Row {
  std::string environment, target, phase, step;
  // Columns that the longest of its steps would take, so that nothing jumps from step to step.
  int step_width = 0;
  double fraction = 0;
  std::string facts;
  // What it waits for, in lines; empty while it works. Wrapped, not cut: the way out must stand there whole.
  std::vector<std::string> waits;
  // What more there is to say of a walk, in lines.
  std::vector<std::string> walk;
  Tone tone = Tone::kPlain;
  bool working = false;
  bool failed = false;
};

std::string WaitText(const v1::Run& run, const WatchState& state, absl::Time now) {
  // The agent knows better than the rollout what the step waits for.
  const auto it = state.progress().find(run.target());
  if (it != state.progress().end() && it->second.has_waiting()) {
    return absl::StrCat("waits for ", WaitingText(it->second.waiting(), now));
  }
  for (const v1::Waiting& waiting : state.rollout().waiting()) {
    if (waiting.target() == run.target()) return absl::StrCat("waits for ", WaitingText(waiting, now));
  }
  return "";
}

std::vector<std::string> LinesBelow(const std::string& text, size_t most, const ViewOptions& options) {
  if (text.empty()) return {};
  std::vector<std::string> lines = Wrap(text, std::max(options.width - kWaitIndent, 1));
  if (lines.size() > most) {
    // Too wide now: it will be cut.
    absl::StrAppend(&lines[most - 1], " ", lines[most]);
    lines.resize(most);
  }
  return lines;
}

Row MakeRow(const v1::Run& run, const WatchState& state, const ViewOptions& options) {
  Row row;
  row.environment = Printable(Bare(run.environment()));
  row.target = Printable(run.target());
  row.tone = ToneOf(run.state());
  row.waits = LinesBelow(WaitText(run, state, options.now), kMostWaitLines, options);
  const int total = run.steps_size();
  int done = 0;
  for (const v1::StepStatus& step : run.steps()) {
    done += step.state() == v1::STEP_STATE_SUCCEEDED ? 1 : 0;
    row.step_width = std::max(row.step_width, DisplayWidth(absl::StrCat(total, "/", total, " ", step.key())));
  }
  row.fraction = total == 0 ? 0 : static_cast<double>(done) / total;
  row.failed = run.state() == v1::RUN_STATE_FAILED;
  // Of many targets no steps are told.
  if (run.state() == v1::RUN_STATE_SUCCEEDED) row.fraction = 1;
  if (total == 0) row.working = state.progress().count(run.target()) > 0;
  row.step = total == 0 ? Word(run.state()) : absl::StrCat(done, "/", total, " ", Word(run.state()));
  row.phase = "-";

  const int current = CurrentStep(run);
  const v1::StepStatus* step = current >= 0 ? &run.steps(current) : nullptr;
  if (run.rollback_gate().state() == v1::STEP_STATE_ACTIVE) step = &run.rollback_gate();
  if (step != nullptr) {
    const bool undo = step->attempt().direction() == v1::DIRECTION_UNDO;
    row.working = step->state() == v1::STEP_STATE_ACTIVE;
    if (row.working) row.fraction = 0;
    row.phase = PhaseText(step->phase());
    row.step = absl::StrCat(current >= 0 ? absl::StrCat(current + 1, "/", total, " ") : "",
                            undo ? "undo " : "", Printable(step->key()));
    if (step->state() == v1::STEP_STATE_FAILED) row.facts = "FAILED";
  }
  if (const auto it = state.progress().find(run.target()); it != state.progress().end()) {
    row.fraction = it->second.fraction();
    row.facts = absl::StrJoin(ProgressFacts(it->second), "  ");
    row.walk = LinesBelow(absl::StrJoin(WalkFacts(it->second), ", "), kMostWalkLines, options);
  }
  return row;
}

std::string Header(const v1::Rollout& rollout, const ViewOptions& options) {
  const absl::Time end = rollout.has_end_time() ? FromProto(rollout.end_time()) : options.now;
  const absl::Duration time = end - FromProto(rollout.create_time());
  return absl::StrCat(Paint(Printable(Bare(rollout.name())), Tone::kStrong, options.style), "  ",
                      Paint(Word(rollout.state()), ToneOf(rollout.state()), options.style), "  ",
                      WholeDuration(time), rollout.reason().empty() ? "" : "  ", Printable(rollout.reason()));
}

// Wrapped, not cut: a command must stand there whole.
std::vector<std::string> Footer(const v1::Rollout& rollout, const ViewOptions& options) {
  std::vector<std::string> lines;
  for (const v1::Waiting& waiting : rollout.waiting()) {
    if (!waiting.target().empty()) continue;
    for (const std::string& line :
         Wrap(absl::StrCat("waits for ", WaitingText(waiting, options.now)), options.width)) {
      lines.push_back(Paint(line, Tone::kBusy, options.style));
    }
    const std::string command = MissingCommand(rollout, waiting);
    if (command.empty()) continue;
    for (const std::string& line : Wrap(absl::StrCat("to open it: ", command), options.width - 2)) {
      lines.push_back(absl::StrCat("  ", line));
    }
  }
  return lines;
}

// What stands first where there is not room for all.
int Rank(const Row& row) { return row.failed ? 0 : row.working ? 1 : 2; }

// One line for each wave of the environments that are at work: how many of its runs stand where.
std::vector<std::string> WaveLines(const v1::Rollout& rollout, const ViewOptions& options) {
  std::vector<std::string> lines;
  for (const v1::EnvironmentStage& stage : rollout.stages()) {
    if (stage.state() == v1::STAGE_STATE_PENDING || stage.state() == v1::STAGE_STATE_DONE) continue;
    for (const v1::Wave& wave : stage.waves()) {
      const std::string name =
          absl::StrCat(Printable(Bare(stage.environment())), "/", Printable(wave.name()));
      lines.push_back(absl::StrCat("  ", PadRight(name, 24), "  ", PadRight(Word(wave.state()), 13), "  ",
                                   CountRuns(RunsOf(rollout, stage, wave), options.style)));
    }
  }
  return lines;
}

// The lines of one row; the first is aligned with those of others.
using RowLines = std::vector<std::string>;

std::vector<RowLines> Align(const std::vector<Row>& rows, const ViewOptions& options) {
  int environment = 0, target = 0, step = 0;
  for (const Row& row : rows) {
    environment = std::max(environment, DisplayWidth(row.environment) + kGap);
    target = std::max(target, DisplayWidth(row.target) + kGap);
    step = std::max(step, std::max(DisplayWidth(row.step), row.step_width) + kGap);
  }
  int left = options.width - (environment + target + kPhaseWidth + kGap + step + 1 + kPercentWidth + kGap);
  if (left < kNarrowestBar + kFactsWidth) {
    left += environment;
    environment = 0;
  }
  const int bar = std::clamp(left - kFactsWidth, kNarrowestBar, kWidestBar);
  std::vector<RowLines> aligned;
  for (const Row& row : rows) {
    const std::string head = absl::StrCat(environment == 0 ? "" : PadRight(row.environment, environment),
                                          PadRight(row.target, target),
                                          PadRight(row.phase, kPhaseWidth + kGap), PadRight(row.step, step));
    RowLines lines = {absl::StrCat(
        Paint(head, row.tone, options.style), Bar(row.fraction, bar, options.style), " ",
        PadLeft(FormatPercent(row.fraction), kPercentWidth), row.facts.empty() ? "" : "  ", row.facts)};
    for (const std::string& line : row.walk) {
      lines.push_back(absl::StrCat(std::string(kWaitIndent, ' '), Paint(line, Tone::kFaint, options.style)));
    }
    for (const std::string& line : row.waits) {
      lines.push_back(absl::StrCat(std::string(kWaitIndent, ' '), Paint(line, Tone::kBusy, options.style)));
    }
    aligned.push_back(std::move(lines));
  }
  return aligned;
}

}  // namespace

std::vector<std::string> WatchFrame(const WatchState& state, int height, const ViewOptions& options) {
  const v1::Rollout& rollout = state.rollout();
  if (rollout.name().empty()) return {};
  const std::vector<std::string> footer = Footer(rollout, options);
  std::vector<Row> rows;
  int needed = 0;
  int needed_for_walks = 0;
  for (const v1::Run& run : rollout.runs()) {
    rows.push_back(MakeRow(run, state, options));
    needed += 1 + static_cast<int>(rows.back().waits.size());
    needed_for_walks += static_cast<int>(rows.back().walk.size());
  }
  int room = std::max(height - 1 - static_cast<int>(footer.size()), 2);
  if (needed + needed_for_walks > room) {
    for (Row& row : rows) row.walk.clear();
  }
  std::vector<std::string> lines = {Header(rollout, options)};
  if (needed > room) {
    --room;  // for the line that counts the rest
    std::stable_sort(rows.begin(), rows.end(), [](const Row& a, const Row& b) { return Rank(a) < Rank(b); });
    for (std::string& line : WaveLines(rollout, options)) {
      if (room <= kLeastRowLines) break;
      --room;
      lines.push_back(std::move(line));
    }
  }
  int shown = 0;
  for (RowLines& row : Align(rows, options)) {
    room -= static_cast<int>(row.size());
    if (room < 0) break;
    ++shown;
    for (std::string& line : row) lines.push_back(std::move(line));
  }
  if (const int rest = static_cast<int>(rows.size()) - shown; rest > 0) {
    lines.push_back(absl::StrCat("and ", rest, " targets more: curlew rollout show ", Bare(rollout.name())));
  }
  lines.insert(lines.end(), footer.begin(), footer.end());
  for (std::string& line : lines) line = Truncate(line, options.width, options.style);
  return lines;
}

std::string LiveRegion::Redraw(const std::string& above, const std::vector<std::string>& lines) {
  std::string bytes;
  if (height_ > 0) absl::StrAppend(&bytes, "\033[", height_, "A");
  // From here to the end of the screen is ours.
  absl::StrAppend(&bytes, "\r\033[J", above);
  for (const std::string& line : lines) absl::StrAppend(&bytes, line, "\n");
  height_ = static_cast<int>(lines.size());
  return bytes;
}

}  // namespace curlew::cli
