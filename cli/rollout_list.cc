#include <memory>

#include "absl/strings/str_cat.h"
#include "cli/names.h"
#include "cli/output.h"
#include "cli/poll.h"
#include "cli/rollout_view.h"
#include "cli/verb.h"
#include "cli/verbs.h"
#include "common/base/status_macros.h"

namespace curlew::cli {
namespace {

struct Options {
  std::string output = "table";
  bool active = false;
  bool watch = false;
};

absl::StatusOr<v1::ListRolloutsResponse> List(Context& context, const Options& options) {
  ASSIGN_OR_RETURN(Client * client, context.client());
  v1::ListRolloutsRequest request;
  request.set_active(options.active);
  return CallAllPages(*client, &v1::RolloutService::Stub::ListRollouts, request);
}

ViewOptions View(const Context& context) {
  return {context.terminal.style, context.zone, absl::Now(), context.width()};
}

absl::StatusOr<KeyedTable> GetTable(Context& context, const Options& options) {
  ASSIGN_OR_RETURN(const v1::ListRolloutsResponse list, List(context, options));
  const Table table = RolloutTable(list.rollouts(), View(context));
  KeyedTable keyed;
  keyed.lines = table.RenderLines(context.terminal.style);
  for (const v1::Rollout& rollout : list.rollouts())
    keyed.keys.push_back(absl::StrCat(rollout.name(), " ", rollout.etag()));
  return keyed;
}

}  // namespace

void AddRolloutList(CLI::App& group, Context& context) {
  auto options = std::make_shared<Options>();
  const VerbInfo info = {"list", "List rollouts, newest first", "",
                         "# All rollouts, with what they wait for\n"
                         "curlew rollout list\n"
                         "# Those that are not over\n"
                         "curlew rollout list --active\n"
                         "# Go on with every change\n"
                         "curlew rollout list --watch\n"
                         "# Names of those that failed\n"
                         "curlew rollout list -o json | jq -r '.rollouts[] | select(.state == "
                         "\"ROLLOUT_STATE_FAILED\") | .name'"};
  CLI::App* verb = AddVerb(group, context, info, [&context, options]() -> absl::StatusOr<ExitCode> {
    if (options->watch) {
      return PrintChanges(context, [&context, options] { return GetTable(context, *options); });
    }
    ASSIGN_OR_RETURN(const v1::ListRolloutsResponse list, List(context, *options));
    if (options->output == "name") {
      for (const v1::Rollout& rollout : list.rollouts()) context.out << Bare(rollout.name()) << "\n";
    } else if (options->output != "table") {
      context.out << Structured(list, options->output);
    } else if (list.rollouts().empty() && options->active) {
      context.out << "No rollout is active.\n";
    } else if (list.rollouts().empty()) {
      context.out << "No rollouts yet: curlew rollout start PLAN\n";
    } else {
      context.out
          << RolloutTable(list.rollouts(), View(context)).Render(context.terminal.style, context.width());
    }
    return ExitCode::kOk;
  });
  verb->add_flag("--active", options->active,
                 "Only those that are neither done, nor rolled back, nor aborted");
  verb->add_flag("-w,--watch", options->watch, "Go on and print what changes, as a table");
  AddOutput(*verb, {"table", "json", "yaml", "name"}, options->output);
}

}  // namespace curlew::cli
