#include "cli/watch_lines.h"

#include <algorithm>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "cli/names.h"
#include "cli/progress_view.h"
#include "cli/units.h"
#include "common/base/proto_time.h"

namespace curlew::cli {
namespace {

using base::FromProto;

Tone EventTone(v1::EventType type) {
  switch (type) {
    case v1::EVENT_TYPE_STEP_FAILED:
    case v1::EVENT_TYPE_AGENT_LOST:
    case v1::EVENT_TYPE_TARGET_WENT_BACK:
    case v1::EVENT_TYPE_GATE_TAKEN_BACK:
    case v1::EVENT_TYPE_APPROVAL_VOID:
    case v1::EVENT_TYPE_POLICY_ACTED:
      return Tone::kBad;
    case v1::EVENT_TYPE_STEP_SUCCEEDED:
    case v1::EVENT_TYPE_GATE_OPENED:
      return Tone::kGood;
    case v1::EVENT_TYPE_GATE_REACHED:
    case v1::EVENT_TYPE_STEP_OVERRIDDEN:
    case v1::EVENT_TYPE_STEP_SKIPPED:
    case v1::EVENT_TYPE_GATE_SKIPPED:
    case v1::EVENT_TYPE_RUN_SET_ASIDE:
    case v1::EVENT_TYPE_RUN_HELD:
    case v1::EVENT_TYPE_TARGET_SKIPPED:
      return Tone::kBusy;
    default:
      return Tone::kPlain;
  }
}

bool SaysNothing(const v1::Progress& progress) {
  return progress.fraction() <= 0 && progress.rows_done() == 0 && progress.blocks_total() == 0 &&
         !progress.has_waiting() && progress.message().empty();
}

std::string WaitKey(const v1::Waiting& waiting) {
  return absl::StrCat(waiting.cause(), "|", waiting.target(), "|", waiting.gate());
}

// The columns that every line begins with.
std::string LineHead(absl::Time time, const std::string& target, int target_width, v1::Phase phase,
                     const ViewOptions& options) {
  return absl::StrCat(Paint(FormatClock(time, options.zone), Tone::kFaint, options.style), "  ",
                      PadRight(target.empty() ? "-" : Printable(target), target_width), "  ",
                      PadRight(PhaseText(phase), kPhaseWidth), "  ");
}

}  // namespace

int TargetWidth(const v1::Rollout& rollout) {
  int width = 1;
  for (const v1::Run& run : rollout.runs()) width = std::max(width, DisplayWidth(Printable(run.target())));
  return width;
}

std::string PhaseText(v1::Phase phase) { return phase == v1::PHASE_UNSPECIFIED ? "-" : Word(phase); }

std::string EventLine(const v1::Event& event, int target_width, const ViewOptions& options) {
  // The target has a column of its own.
  absl::string_view message = event.message();
  if (!event.target().empty()) absl::ConsumePrefix(&message, absl::StrCat(event.target(), ": "));
  std::string text = Printable(message);
  const std::string by = absl::StrCat("by ", Printable(event.actor()));
  if (!event.actor().empty() && !absl::StrContains(text, by)) absl::StrAppend(&text, " (", by, ")");
  return absl::StrCat(LineHead(FromProto(event.time()), event.target(), target_width, event.phase(), options),
                      Paint(text, EventTone(event.type()), options.style), "\n");
}

std::string ProgressLine(const v1::Progress& progress, int target_width, const ViewOptions& options) {
  std::string text = ProgressText(progress);
  const auto add = [&](const std::string& fact) {
    absl::StrAppend(&text, text == Printable(progress.step()) ? ": " : ", ", fact);
  };
  for (const std::string& fact : WalkFacts(progress, LoadDetail::kWhereItCosts)) add(fact);
  if (progress.has_waiting()) add(absl::StrCat("waits for ", WaitingText(progress.waiting(), options.now)));
  return absl::StrCat(LineHead(options.now, progress.target(), target_width, progress.phase(), options), text,
                      "\n");
}

std::string PlainWatch::OnMessage(const v1::WatchRolloutResponse& message, const WatchState& state,
                                  const ViewOptions& options) {
  std::string out;
  if (message.has_event()) out = EventLine(message.event(), TargetWidth(state.rollout()), options);
  if (message.has_progress()) {
    const v1::Progress& progress = message.progress();
    Printed& printed = printed_[progress.target()];
    printed.newer = !SaysNothing(progress);
    std::string about = absl::StrCat(progress.attempt(), "|", progress.waiting().cause());
    if (printed.about != about) {
      printed.about = std::move(about);
      printed.since = options.now;
    }
  }
  return absl::StrCat(out, OnTick(state, options));
}

std::string PlainWatch::OnTick(const WatchState& state, const ViewOptions& options) {
  std::string out = NewWaits(state, options);
  for (auto& [target, printed] : printed_) {
    const absl::Duration interval =
        std::clamp((options.now - printed.since) / 10, kPlainProgressInterval, kLongestPlainProgressInterval);
    if (!printed.newer || options.now - printed.at < interval) continue;
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
    const std::string text = absl::StrCat("waits for ", WaitingText(waiting, options.now));
    absl::StrAppend(
        &out,
        LineHead(options.now, waiting.target(), TargetWidth(state.rollout()), v1::PHASE_UNSPECIFIED, options),
        Paint(text, Tone::kBusy, options.style), "\n");
    if (const std::string command = MissingCommand(state.rollout(), waiting); !command.empty()) {
      absl::StrAppend(&out, "          to open it: ", command, "\n");
    }
  }
  waits_ = std::move(waits);
  return out;
}

}  // namespace curlew::cli
