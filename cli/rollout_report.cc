#include <memory>

#include "cli/compiled_plans.h"
#include "cli/names.h"
#include "cli/report_view.h"
#include "cli/verb.h"
#include "cli/verbs.h"
#include "cli/watch_state.h"
#include "cli/watch_stream.h"
#include "common/base/error_detail.h"
#include "common/base/status_macros.h"

namespace curlew::cli {
namespace {

// The events that are kept, up to the newest of the rollout as it was read.
absl::StatusOr<std::vector<v1::Event>> ReadEvents(Client* client, const v1::Rollout& rollout,
                                                  absl::Duration timeout) {
  std::vector<v1::Event> events;
  const int64_t after = rollout.first_event() > 0 ? rollout.first_event() - 1 : 0;
  if (rollout.last_event() <= after) return events;
  WatchStream stream(client, rollout.name(), after);
  WatchState state(after);
  const absl::Time deadline = absl::Now() + timeout;
  while (state.last_event() < rollout.last_event()) {
    v1::WatchRolloutResponse message;
    switch (stream.Next(deadline - absl::Now(), &message)) {
      case WatchStream::Got::kNothingYet:
        return absl::DeadlineExceededError("the events did not come in time; --timeout waits longer");
      case WatchStream::Got::kEnd: {
        const absl::Status status = stream.status();
        return status.ok() ? absl::UnavailableError("the controller ended the watch before its last event")
                           : status;
      }
      case WatchStream::Got::kMessage:
        if (state.Apply(message) == WatchState::Applied::kNew && message.has_event()) {
          events.push_back(message.event());
        }
        break;
    }
  }
  return events;
}

}  // namespace

void AddRolloutReport(CLI::App& group, Context& context) {
  struct Options {
    std::string name;
    std::string format = "markdown";
  };
  auto options = std::make_shared<Options>();
  const VerbInfo info = {
      "report", "Print the report of a rollout, to be filed",
      "What ran on which target, with digests, times, attempts, rows, locks and SQL; what was never touched; "
      "preflight, backups, gates with every approval, checks with their measurements, decisions of "
      "operators, "
      "events. Of a rollout that goes on it is how it stands now.",
      "# As Markdown\n"
      "curlew rollout report release-42 > report.md\n"
      "# As a page\n"
      "curlew rollout report release-42 --format html > report.html"};
  CLI::App* verb = AddVerb(group, context, info, [&context, options]() -> absl::StatusOr<ExitCode> {
    ASSIGN_OR_RETURN(Client * client, context.client());
    ReportData data;
    ASSIGN_OR_RETURN(data.rollout, FetchFullRollout(client, RolloutName(options->name)));
    ASSIGN_OR_RETURN(data.plans, FetchCompiledPlans(client, data.rollout));
    ASSIGN_OR_RETURN(data.events, ReadEvents(client, data.rollout, context.flags.timeout));
    const Document report =
        RolloutReport(data, {context.terminal.style, context.zone, absl::Now(), context.width()});
    context.out << (options->format == "html" ? report.Html() : report.Markdown()) << std::flush;
    return ExitCode::kOk;
  });
  AddArgument(*verb, kRolloutType, options->name, "Name of the rollout");
  AddChoice(*verb, "--format", {"markdown", "html"}, options->format, "How it is written");
}

void AddRolloutRestoreHint(CLI::App& group, Context& context) {
  struct Options {
    std::string name, target;
  };
  auto options = std::make_shared<Options>();
  const VerbInfo info = {
      "restore-hint", "Print how to get back by the backups that a rollout has made",
      "For each target: the backups of its steps, where they are, and the commands that restore them, in the "
      "order in which to go about it. Nothing is done.",
      "# How to get back\n"
      "curlew rollout restore-hint release-42\n"
      "# On one target\n"
      "curlew rollout restore-hint release-42 production-crm"};
  CLI::App* verb = AddVerb(group, context, info, [&context, options]() -> absl::StatusOr<ExitCode> {
    ASSIGN_OR_RETURN(Client * client, context.client());
    ASSIGN_OR_RETURN(const v1::Rollout rollout, FetchFullRollout(client, RolloutName(options->name)));
    const std::string hint = RenderRestoreHint(
        rollout, Bare(options->target), {context.terminal.style, context.zone, absl::Now(), context.width()});
    if (hint.empty()) {
      return base::WithDetail(
          absl::NotFoundError(
              absl::StrCat(Bare(rollout.name()), " has made no backup",
                           options->target.empty() ? "" : absl::StrCat(" on ", Bare(options->target)))),
          base::kHint,
          "before DROP, `curlew rollout rollback` undoes it without one; a plan asks for backups with "
          "`backup:`");
    }
    context.out << hint;
    return ExitCode::kOk;
  });
  AddArgument(*verb, kRolloutType, options->name, "Name of the rollout");
  verb->add_option(kTargetType, options->target, "Name of the target; default: all")->type_name(kTargetType);
}

}  // namespace curlew::cli
