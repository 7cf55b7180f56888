#include <memory>

#include "cli/names.h"
#include "cli/output.h"
#include "cli/rollout_view.h"
#include "cli/verb.h"
#include "cli/verbs.h"
#include "cli/watch.h"
#include "common/base/status_macros.h"

namespace curlew::cli {

void AddRolloutShow(CLI::App& group, Context& context) {
  struct Options {
    std::string name;
    std::string output = "table";
    bool watch = false;
  };
  auto options = std::make_shared<Options>();
  const VerbInfo info = {"show", "Show all about a rollout: stages, gates, runs, steps, errors",
                         "For each closed gate it shows the command that opens it. With --watch it goes on "
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
      context.out << RenderRollout(rollout,
                                   {context.terminal.style, context.zone, absl::Now(), context.width()});
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
