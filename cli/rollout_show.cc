#include <algorithm>
#include <memory>

#include "cli/names.h"
#include "cli/output.h"
#include "cli/rollout_view.h"
#include "cli/verb.h"
#include "cli/verbs.h"
#include "cli/watch.h"
#include "cli/watch_state.h"
#include "cli/watch_stream.h"
#include "common/base/status_macros.h"

namespace curlew::cli {
namespace {

// Agents report about once a second, and the controller keeps the newest: what there is comes at once.
constexpr absl::Duration kProgressTime = absl::Milliseconds(300);

bool IsAtWork(const v1::Run& run) {
  const auto runs = [](const v1::StepStatus& step) {
    return step.attempt().state() == v1::ATTEMPT_STATE_RUNNING;
  };
  return runs(run.rollback_gate()) || std::any_of(run.steps().begin(), run.steps().end(), runs);
}

// The newest progress of the targets that are at work; of fewer where it does not come in time.
ProgressByTarget ReadProgress(Client* client, const v1::Rollout& rollout) {
  const auto at_work = std::count_if(rollout.runs().begin(), rollout.runs().end(), IsAtWork);
  if (at_work == 0) return {};
  WatchStream stream(client, rollout.name(), rollout.last_event());
  WatchState state(rollout.last_event());
  const absl::Time end = absl::Now() + kProgressTime;
  while (static_cast<int64_t>(state.progress().size()) < at_work) {
    const absl::Duration left = end - absl::Now();
    v1::WatchRolloutResponse message;
    if (left <= absl::ZeroDuration()) break;
    const WatchStream::Got got = stream.Next(left, &message);
    if (got == WatchStream::Got::kEnd) break;
    if (got == WatchStream::Got::kMessage) state.Apply(message);
  }
  return state.progress();
}

}  // namespace

void AddRolloutShow(CLI::App& group, Context& context) {
  struct Options {
    std::string name;
    std::string output = "table";
    bool watch = false;
  };
  auto options = std::make_shared<Options>();
  const VerbInfo info = {
      "show", "Show all about a rollout: stages, gates, runs, steps, errors",
      "For each closed gate it shows the command that opens it, and how far each target is that is at "
      "work. With --watch it goes on "
      "as `curlew rollout watch` "
      "does, and ends with the same statuses.",
      "# Where it stands, and what to do next\n"
      "curlew rollout show release-42\n"
      "# The state alone, for a script\n"
      "curlew rollout show release-42 -o json | jq -r .state\n"
      "# Show it, then follow what happens from now on\n"
      "curlew rollout show release-42 --watch"};
  CLI::App* verb = AddVerb(group, context, info, [&context, options]() -> absl::StatusOr<ExitCode> {
    ASSIGN_OR_RETURN(Client * client, context.client());
    v1::GetRolloutRequest request;
    request.set_name(RolloutName(options->name));
    ASSIGN_OR_RETURN(const v1::Rollout rollout, client->Call(&v1::RolloutService::Stub::GetRollout, request));
    if (options->output == "table") {
      const ProgressByTarget progress = ReadProgress(client, rollout);
      context.out << RenderRollout(
          rollout, {context.terminal.style, context.zone, absl::Now(), context.width()}, progress);
    } else {
      context.out << Structured(rollout, options->output);
    }
    if (!options->watch) return ExitCode::kOk;
    context.out << std::endl;
    WatchOptions watch;
    watch.rollout = rollout.name();
    watch.after_event = rollout.last_event();
    if (options->output != "table") watch.print = WatchOptions::Print::kJson;
    return Watch(context, watch);
  });
  AddArgument(*verb, kRolloutType, options->name, "Name of the rollout");
  verb->add_flag("-w,--watch", options->watch, "Go on with what happens, until the rollout has ended");
  AddOutput(*verb, {"table", "json", "yaml"}, options->output);
}

}  // namespace curlew::cli
