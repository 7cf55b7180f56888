#include "cli/watch_view.h"

#include <algorithm>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "cli/names.h"
#include "cli/units.h"
#include "common/base/proto_time.h"

namespace curlew::cli {
namespace {

using base::FromProto;

constexpr int kPhaseWidth = 10;
constexpr int kWidestBar = 30;
constexpr int kNarrowestBar = 8;

int TargetWidth(const v1::Rollout& rollout) {
  int width = 1;
  for (const v1::Run& run : rollout.runs()) width = std::max(width, DisplayWidth(Printable(run.target())));
  return width;
}

std::string PhaseText(v1::Phase phase) { return phase == v1::PHASE_UNSPECIFIED ? "-" : Word(phase); }

Tone EventTone(v1::EventType type) {
  switch (type) {
    case v1::EVENT_TYPE_STEP_FAILED:
    case v1::EVENT_TYPE_AGENT_LOST:
      return Tone::kBad;
    case v1::EVENT_TYPE_STEP_SUCCEEDED:
    case v1::EVENT_TYPE_GATE_OPENED:
      return Tone::kGood;
    case v1::EVENT_TYPE_GATE_REACHED:
      return Tone::kBusy;
    default:
      return Tone::kPlain;
  }
}

// What progress says beside the bar.
std::vector<std::string> Facts(const v1::Progress& progress, absl::Time now) {
  std::vector<std::string> facts;
  if (progress.rows_per_second() > 0) facts.push_back(FormatRate(progress.rows_per_second()));
  if (progress.has_eta()) facts.push_back(absl::StrCat("ETA ", WholeDuration(FromProto(progress.eta()))));
  if (progress.throttle() >= 0.005)
    facts.push_back(absl::StrCat("throttled ", FormatPercent(progress.throttle())));
  if (progress.has_waiting())
    facts.push_back(absl::StrCat("waits for ", WaitingText(progress.waiting(), now)));
  return facts;
}

bool SaysNothing(const v1::Progress& progress) {
  return progress.fraction() <= 0 && progress.rows_done() == 0 && !progress.has_waiting() &&
         progress.message().empty();
}

std::string WaitKey(const v1::Waiting& waiting) {
  return absl::StrCat(waiting.cause(), "|", waiting.target(), "|", waiting.gate());
}

// One target's line, before alignment.
struct Row {
  std::string environment, target, phase, step;
  double fraction = 0;
  std::string percent;
  std::string facts;
  Tone tone = Tone::kPlain;
  bool working = false;
};

Row MakeRow(const v1::Run& run, const WatchState& state, const ViewOptions& options) {
  Row row;
  row.environment = Printable(Bare(run.environment()));
  row.target = Printable(run.target());
  row.tone = ToneOf(run.state());
  const int total = run.steps_size();
  int done = 0;
  for (const v1::StepStatus& step : run.steps()) done += step.state() == v1::STEP_STATE_SUCCEEDED ? 1 : 0;
  row.fraction = total == 0 ? 0 : static_cast<double>(done) / total;
  row.step = total == 0 ? Word(run.state()) : absl::StrCat(done, "/", total, " ", Word(run.state()));
  row.phase = "-";

  const int current = CurrentStep(run);
  const v1::StepStatus* step = current >= 0 ? &run.steps(current) : nullptr;
  if (run.rollback_gate().state() == v1::STEP_STATE_ACTIVE) step = &run.rollback_gate();
  std::vector<std::string> facts;
  if (step != nullptr) {
    const bool undo = step->attempt().direction() == v1::DIRECTION_UNDO;
    row.working = step->state() == v1::STEP_STATE_ACTIVE;
    row.phase = PhaseText(step->phase());
    row.step = absl::StrCat(current >= 0 ? absl::StrCat(current + 1, "/", total, " ") : "",
                            undo ? "undo " : "", Printable(step->key()));
    if (step->state() == v1::STEP_STATE_FAILED) facts.push_back("FAILED");
  }
  if (const auto it = state.progress().find(run.target()); it != state.progress().end()) {
    const v1::Progress& progress = it->second;
    row.fraction = progress.fraction();
    if (step == nullptr) {
      row.phase = PhaseText(progress.phase());
      row.step = Printable(progress.step());
    }
    for (std::string& fact : Facts(progress, options.now)) facts.push_back(std::move(fact));
    if (facts.empty() && !progress.message().empty()) facts.push_back(Printable(progress.message()));
  } else if (row.working) {
    row.fraction = 0;
  }
  for (const v1::Waiting& waiting : state.rollout().waiting()) {
    if (waiting.target() == run.target())
      facts.push_back(absl::StrCat("waits for ", WaitingText(waiting, options.now)));
  }
  row.percent = FormatPercent(row.fraction);
  row.facts = absl::StrJoin(facts, "  ");
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
    if (waiting.cause() != v1::WAIT_CAUSE_APPROVAL) continue;
    for (const std::string& line :
         Wrap(absl::StrCat("to open it: ", ApproveCommand(rollout, waiting.gate())), options.width - 2)) {
      lines.push_back(absl::StrCat("  ", line));
    }
  }
  return lines;
}

std::vector<std::string> RowLines(const std::vector<Row>& rows, const ViewOptions& options) {
  int environment = 0, target = 0, step = 0;
  for (const Row& row : rows) {
    environment = std::max(environment, DisplayWidth(row.environment));
    target = std::max(target, DisplayWidth(row.target));
    step = std::max(step, DisplayWidth(row.step));
  }
  constexpr int kPercentWidth = 4;
  const int fixed = environment + target + kPhaseWidth + step + kPercentWidth + 5 * 2;
  // A third of what is left goes to the bar, the rest to the facts.
  const int bar = std::clamp((options.width - fixed) / 3, kNarrowestBar, kWidestBar);
  std::vector<std::string> lines;
  for (const Row& row : rows) {
    const std::string head =
        absl::StrCat(PadRight(row.environment, environment), "  ", PadRight(row.target, target), "  ",
                     PadRight(row.phase, kPhaseWidth), "  ", PadRight(row.step, step));
    lines.push_back(
        absl::StrCat(Paint(head, row.tone, options.style), "  ", Bar(row.fraction, bar, options.style), " ",
                     PadLeft(row.percent, kPercentWidth), row.facts.empty() ? "" : "  ", row.facts));
  }
  return lines;
}

}  // namespace

std::string EventLine(const v1::Event& event, int target_width, const ViewOptions& options) {
  std::string text = Printable(event.message());
  if (!event.actor().empty()) absl::StrAppend(&text, " (by ", Printable(event.actor()), ")");
  return absl::StrCat(Paint(FormatClock(FromProto(event.time()), options.zone), Tone::kFaint, options.style),
                      "  ", PadRight(event.target().empty() ? "-" : Printable(event.target()), target_width),
                      "  ", PadRight(PhaseText(event.phase()), kPhaseWidth), "  ",
                      Paint(text, EventTone(event.type()), options.style), "\n");
}

std::string ProgressLine(const v1::Progress& progress, int target_width, const ViewOptions& options) {
  std::vector<std::string> facts;
  if (progress.fraction() > 0 || progress.rows_done() > 0)
    facts.push_back(FormatPercent(progress.fraction()));
  if (progress.rows_done() > 0) {
    std::string rows = FormatCount(progress.rows_done());
    if (progress.rows_total() > 0) absl::StrAppend(&rows, " of about ", FormatCount(progress.rows_total()));
    facts.push_back(absl::StrCat(rows, " rows"));
  }
  for (std::string& fact : Facts(progress, options.now)) facts.push_back(std::move(fact));
  if (facts.empty()) facts.push_back(Printable(progress.message()));
  return absl::StrCat(Paint(FormatClock(options.now, options.zone), Tone::kFaint, options.style), "  ",
                      PadRight(Printable(progress.target()), target_width), "  ",
                      PadRight(PhaseText(progress.phase()), kPhaseWidth), "  ", Printable(progress.step()),
                      ": ", absl::StrJoin(facts, ", "), "\n");
}

std::string PlainWatch::OnMessage(const v1::WatchRolloutResponse& message, const WatchState& state,
                                  const ViewOptions& options) {
  std::string out;
  if (message.has_event()) out = EventLine(message.event(), TargetWidth(state.rollout()), options);
  if (message.has_progress()) printed_[message.progress().target()].newer = !SaysNothing(message.progress());
  return absl::StrCat(out, OnTick(state, options));
}

std::string PlainWatch::OnTick(const WatchState& state, const ViewOptions& options) {
  std::string out = NewWaits(state, options);
  for (auto& [target, printed] : printed_) {
    if (!printed.newer || options.now - printed.at < kPlainProgressInterval) continue;
    printed.newer = false;
    const auto it = state.progress().find(target);
    if (it == state.progress().end()) continue;
    printed.at = options.now;
    absl::StrAppend(&out, ProgressLine(it->second, TargetWidth(state.rollout()), options));
  }
  return out;
}

std::string PlainWatch::NewWaits(const WatchState& state, const ViewOptions& options) {
  // While old events are still coming, waits of the present would stand before them.
  if (!state.caught_up()) return "";
  std::string out;
  std::set<std::string> waits;
  for (const v1::Waiting& waiting : state.rollout().waiting()) {
    const std::string key = WaitKey(waiting);
    waits.insert(key);
    if (waits_.count(key) > 0) continue;
    absl::StrAppend(
        &out, Paint(FormatClock(options.now, options.zone), Tone::kFaint, options.style), "  ",
        PadRight(waiting.target().empty() ? "-" : Printable(waiting.target()), TargetWidth(state.rollout())),
        "  ", PadRight("-", kPhaseWidth), "  ",
        Paint(absl::StrCat("waits for ", WaitingText(waiting, options.now)), Tone::kBusy, options.style),
        "\n");
    if (waiting.cause() == v1::WAIT_CAUSE_APPROVAL) {
      absl::StrAppend(&out, "          to open it: ", ApproveCommand(state.rollout(), waiting.gate()), "\n");
    }
  }
  waits_ = std::move(waits);
  return out;
}

std::vector<std::string> WatchFrame(const WatchState& state, int height, const ViewOptions& options) {
  const v1::Rollout& rollout = state.rollout();
  if (rollout.name().empty()) return {};
  std::vector<Row> rows;
  for (const v1::Run& run : rollout.runs()) rows.push_back(MakeRow(run, state, options));
  const std::vector<std::string> footer = Footer(rollout, options);

  const int room = std::max(height - 1 - static_cast<int>(footer.size()), 2);
  std::string more;
  if (static_cast<int>(rows.size()) > room) {
    std::stable_partition(rows.begin(), rows.end(), [](const Row& row) { return row.working; });
    more = absl::StrCat("and ", rows.size() - (room - 1), " targets more: curlew rollout show ",
                        Bare(rollout.name()));
    rows.resize(room - 1);
  }
  std::vector<std::string> lines = {Header(rollout, options)};
  for (std::string& line : RowLines(rows, options)) lines.push_back(std::move(line));
  if (!more.empty()) lines.push_back(more);
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
