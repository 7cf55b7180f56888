#include <algorithm>
#include <memory>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "cli/compiled_plans.h"
#include "cli/cover_view.h"
#include "cli/gate_view.h"
#include "cli/names.h"
#include "cli/output.h"
#include "cli/rollout_view.h"
#include "cli/verb.h"
#include "cli/verbs.h"
#include "cli/watch.h"
#include "cli/watch_state.h"
#include "cli/watch_stream.h"
#include "common/base/error_detail.h"
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

absl::StatusOr<ExitCode> ShowGate(Context& context, Client* client, const v1::Rollout& rollout,
                                  const std::string& id, const std::string& output) {
  const v1::Gate* gate = FindGate(rollout, id);
  if (gate == nullptr) {
    std::vector<std::string> ids;
    for (const v1::Gate* other : GatesOf(rollout)) ids.push_back(other->id());
    return base::WithDetail(absl::NotFoundError(absl::StrCat(rollout.name(), " has no gate \"", id, "\"")),
                            base::kHint, absl::StrCat("its gates: ", absl::StrJoin(ids, ", ")));
  }
  if (output != "table") {
    context.out << Structured(*gate, output);
    return ExitCode::kOk;
  }
  ASSIGN_OR_RETURN(const CompiledPlans plans, FetchCompiledPlans(client, rollout));
  context.out << RenderGate(rollout, *gate, plans,
                            {context.terminal.style, context.zone, absl::Now(), context.width()});
  return ExitCode::kOk;
}

}  // namespace

void AddRolloutShow(CLI::App& group, Context& context) {
  struct Options {
    std::string name, gate;
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
      "# One gate: why it is closed, and what an approval of it covers\n"
      "curlew rollout show release-42 --gate production/before\n"
      "# The state alone, for a script\n"
      "curlew rollout show release-42 -o json | jq -r .state\n"
      "# Show it, then follow what happens from now on\n"
      "curlew rollout show release-42 --watch"};
  CLI::App* verb = AddVerb(group, context, info, [&context, options]() -> absl::StatusOr<ExitCode> {
    ASSIGN_OR_RETURN(Client * client, context.client());
    v1::GetRolloutRequest request;
    request.set_name(RolloutName(options->name));
    ASSIGN_OR_RETURN(const v1::Rollout rollout, client->Call(&v1::RolloutService::Stub::GetRollout, request));
    if (!options->gate.empty()) return ShowGate(context, client, rollout, options->gate, options->output);
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
  verb->add_option("--gate", options->gate, "Show this gate alone, and what an approval of it covers")
      ->type_name("GATE");
  AddOutput(*verb, {"table", "json", "yaml"}, options->output);
}

}  // namespace curlew::cli
