#include "cli/watch.h"

#include <sys/ioctl.h>
#include <unistd.h>

#include <random>
#include <utility>

#include "absl/random/random.h"
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "cli/errors.h"
#include "cli/names.h"
#include "cli/output.h"
#include "cli/units.h"
#include "cli/watch_frame.h"
#include "cli/watch_lines.h"
#include "cli/watch_stream.h"
#include "common/base/error_detail.h"
#include "common/base/proto_time.h"
#include "common/rpc/error.h"

namespace curlew::cli {
namespace {

constexpr absl::Duration kFrameInterval = absl::Milliseconds(250);

bool WorthAnotherTry(const absl::Status& status) {
  switch (status.code()) {
    case absl::StatusCode::kOk:  // a controller that shuts down ends streams so
    case absl::StatusCode::kUnavailable:
    case absl::StatusCode::kCancelled:
    case absl::StatusCode::kDeadlineExceeded:
    case absl::StatusCode::kAborted:
    case absl::StatusCode::kInternal:
    case absl::StatusCode::kUnknown:
    case absl::StatusCode::kResourceExhausted:
      return true;
    default:
      return false;
  }
}

// Whether it is refused because this identity calls too often just now.
bool IsTooSoon(const absl::Status& status) { return !base::Detail(status, rpc::kRetryAfter).empty(); }

int ScreenHeight() {
  winsize size = {};
  constexpr int kDefault = 24;
  return ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) != 0 || size.ws_row == 0 ? kDefault : size.ws_row;
}

// Shows what a watch sees.
class Printer {
 public:
  Printer(Context& context, WatchOptions::Print print) : context_(context), print_(print) {}

  // After `state` has taken in `message`.
  void OnMessage(const v1::WatchRolloutResponse& message, const WatchState& state) {
    if (print_ == WatchOptions::Print::kJson) {
      context_.out << ToJson(message, JsonForm::kOneLine) << std::endl;
    } else if (print_ == WatchOptions::Print::kProgress && on_screen()) {
      if (message.has_event()) above_ += EventLine(message.event(), TargetWidth(state.rollout()), View());
    } else if (print_ == WatchOptions::Print::kProgress) {
      context_.out << plain_.OnMessage(message, state, View()) << std::flush;
    }
  }

  // From time to time.
  void OnTick(const WatchState& state) {
    if (print_ != WatchOptions::Print::kProgress) return;
    if (!on_screen()) {
      context_.out << plain_.OnTick(state, View()) << std::flush;
      return;
    }
    const absl::Time now = absl::Now();
    if (now - drawn_ < kFrameInterval) return;
    Draw(state, now);
  }

  // A line about the connection.
  void Note(const WatchState& state, const std::string& note) {
    if (print_ == WatchOptions::Print::kProgress && on_screen()) {
      absl::StrAppend(&above_, note, "\n");
      Draw(state, absl::Now());
    } else {
      context_.err << note << std::endl;
    }
  }

  // The last of all: how it ended.
  void Finish(const WatchState& state, ExitCode outcome, const WatchOptions& options) {
    const v1::Rollout& rollout = state.rollout();
    if (print_ == WatchOptions::Print::kProgress && on_screen()) Draw(state, absl::Now());
    const bool ended =
        rollout.state() == v1::ROLLOUT_STATE_SUCCEEDED || rollout.state() == v1::ROLLOUT_STATE_ROLLED_BACK;
    if (outcome == ExitCode::kNeedsDecision || outcome == ExitCode::kWaitedTooLong) {
      context_.out << std::flush;
      context_.err << RenderUnfinished(rollout, options.timeout, absl::Now(), context_.terminal.style)
                   << std::flush;
    } else if (outcome != ExitCode::kOk) {
      context_.out << std::flush;
      context_.err << RenderFailure(rollout, context_.terminal.style) << std::flush;
    } else if (ended && print_ != WatchOptions::Print::kJson) {
      context_.out << "rollout " << Printable(Bare(rollout.name())) << " "
                   << Paint(Word(rollout.state()), Tone::kGood, context_.terminal.style);
      if (rollout.has_end_time()) {
        context_.out << " after "
                     << ShortDuration(base::FromProto(rollout.end_time()) -
                                      base::FromProto(rollout.create_time()));
      }
      context_.out << std::endl;
    } else if (print_ == WatchOptions::Print::kQuiet) {
      for (const v1::Waiting& waiting : rollout.waiting()) {
        context_.out << "waits for " << WaitingText(waiting, absl::Now()) << std::endl;
      }
    }
  }

 private:
  bool on_screen() const { return context_.terminal.kind == Terminal::Kind::kScreen; }

  ViewOptions View() const {
    return {context_.terminal.style, context_.zone, absl::Now(), on_screen() ? context_.width() - 1 : 0};
  }

  void Draw(const WatchState& state, absl::Time now) {
    context_.out << region_.Redraw(above_, WatchFrame(state, ScreenHeight() - 1, View())) << std::flush;
    above_.clear();
    drawn_ = now;
  }

  Context& context_;
  const WatchOptions::Print print_;
  PlainWatch plain_;
  LiveRegion region_;
  std::string above_;
  absl::Time drawn_ = absl::InfinitePast();
};

// Reads one connection. The outcome where there is one; else the status that it ended with (OK where the
// server ended it, DATA_LOSS where events were missing). `progressed` is set where it brought anything.
struct Ended {
  std::optional<ExitCode> outcome;
  absl::Status status;
};
Ended ReadStream(WatchStream& stream, const WatchOptions& options, absl::Time deadline, WatchState& state,
                 Printer& printer, bool& progressed) {
  v1::WatchRolloutResponse message;
  while (true) {
    const absl::Duration left = deadline - absl::Now();
    if (left <= absl::ZeroDuration()) return {std::nullopt, absl::DeadlineExceededError("the time is over")};
    switch (stream.Next(std::min(kFrameInterval, left), &message)) {
      case WatchStream::Got::kNothingYet:
        break;
      case WatchStream::Got::kEnd:
        return {std::nullopt, stream.status()};
      case WatchStream::Got::kMessage:
        switch (state.Apply(message)) {
          case WatchState::Applied::kNew:
            progressed = progressed || message.has_event() || state.caught_up();
            printer.OnMessage(message, state);
            break;
          case WatchState::Applied::kRepeated:
            break;
          case WatchState::Applied::kGap:
            return {std::nullopt, absl::UnavailableError(
                                      absl::StrCat("the controller skipped event ", state.last_event() + 1))};
        }
        if (const auto outcome = state.Outcome(options.goal)) return {outcome, absl::OkStatus()};
        break;
    }
    printer.OnTick(state);
  }
}

// The error where the time is over before the controller has said anything of the rollout.
absl::Status NeverSeen(const absl::Status& status, const WatchOptions& options) {
  const std::string detail =
      absl::IsDeadlineExceeded(status) ? "" : absl::StrCat(": ", Printable(status.message()));
  return base::WithDetail(
      absl::UnavailableError(absl::StrCat("the controller said nothing of ", options.rollout, " within ",
                                          ShortDuration(options.timeout), detail)),
      base::kReason, kUnreachableReason);
}

}  // namespace

absl::StatusOr<ExitCode> Watch(Context& context, const WatchOptions& options) {
  const absl::StatusOr<Client*> client = context.client();
  if (!client.ok()) return client.status();
  if (absl::Status status = (*client)->WaitForLeader(); !status.ok()) return status;
  const absl::Time deadline = absl::Now() + options.timeout;
  WatchState state(options.after_event);
  Printer printer(context, options.print);
  absl::BitGen random;
  base::Backoff backoff(options.backoff, random);
  absl::Time lost_since = absl::InfiniteFuture();
  bool ever_progressed = false;
  while (true) {
    bool progressed = false;
    WatchStream stream(*client, options.rollout, state.last_event());
    const Ended ended = ReadStream(stream, options, deadline, state, printer, progressed);
    if (ended.outcome.has_value()) {
      printer.Finish(state, *ended.outcome, options);
      return *ended.outcome;
    }
    if (absl::Now() >= deadline) {
      if (state.rollout().name().empty()) return NeverSeen(ended.status, options);
      const ExitCode outcome = state.OutcomeAtTimeout();
      printer.Finish(state, outcome, options);
      return outcome;
    }
    if (!WorthAnotherTry(ended.status) || (!ended.status.ok() && !progressed && !ever_progressed &&
                                           !(*client)->several() && !IsTooSoon(ended.status)))
      return ended.status;
    ever_progressed = true;
    if (progressed || lost_since == absl::InfiniteFuture()) {
      backoff.Reset();
      lost_since = absl::Now();
      printer.Note(
          state,
          absl::StrCat("connection lost",
                       ended.status.ok() ? "" : absl::StrCat(" (", Printable(ended.status.message()), ")"),
                       ": trying again, from event ", state.last_event() + 1));
    }
    if (absl::Now() - lost_since > options.give_up_after) {
      const absl::Status status =
          ended.status.ok() ? absl::UnavailableError("the controller ends every watch") : ended.status;
      return base::WithDetail(
          base::Annotate(status, absl::StrCat("gave up after ", ShortDuration(options.give_up_after))),
          base::kReason, kUnreachableReason);
    }
    absl::SleepFor(std::min(backoff.Next(), deadline - absl::Now()));
  }
}

void AddUntilFlags(CLI::App& verb, FollowFlags& flags) {
  AddChoice(
      verb, "--until", {"end", "gate", "decision"}, flags.until,
      "When to stop: at the rollout's end or failure; with `gate` also, with status 0, when it waits for "
      "an approval; with `decision` also, with status 10, when it does so or is paused");
  AddOptionalDuration(verb, "--timeout", flags.timeout,
                      "How long to wait in all (default: without end); then the status is 10 where somebody "
                      "must decide, else 11");
  AddDuration(verb, "--give-up-after", flags.give_up_after,
              "How long to try again after the connection was lost");
}

void AddFollowFlags(CLI::App& verb, FollowFlags& flags) {
  CLI::Option* watch = verb.add_flag("-w,--watch", flags.watch, "Show progress until the rollout has ended");
  verb.add_flag("--wait", flags.wait, "Wait until the rollout has ended, and print only how")
      ->excludes(watch);
  AddUntilFlags(verb, flags);
}

bool Follows(const FollowFlags& flags) { return flags.watch || flags.wait; }

absl::StatusOr<ExitCode> Follow(Context& context, const FollowFlags& flags, const std::string& rollout,
                                int64_t after_event, const std::string& output) {
  WatchOptions options = ToWatchOptions(flags, rollout, after_event);
  if (output == "json") {
    options.print = WatchOptions::Print::kJson;
  } else if (flags.wait) {
    options.print = WatchOptions::Print::kQuiet;
  }
  return Watch(context, options);
}

WatchOptions ToWatchOptions(const FollowFlags& flags, const std::string& rollout, int64_t after_event) {
  WatchOptions options;
  options.rollout = rollout;
  options.after_event = after_event;
  if (flags.until == "gate") options.goal = WatchGoal::kGate;
  if (flags.until == "decision") options.goal = WatchGoal::kDecision;
  if (flags.timeout > absl::ZeroDuration()) options.timeout = flags.timeout;
  options.give_up_after = flags.give_up_after;
  return options;
}

}  // namespace curlew::cli
