#include <memory>

#include "absl/strings/str_cat.h"
#include "cli/names.h"
#include "cli/output.h"
#include "cli/poll.h"
#include "cli/target_view.h"
#include "cli/verb.h"
#include "cli/verbs.h"
#include "common/base/status_macros.h"

namespace curlew::cli {
namespace {

struct Options {
  std::string environment;
  std::vector<std::string> labels;
  std::string output = "table";
  bool watch = false;
};

absl::StatusOr<v1::ListTargetsResponse> List(Context& context, const Options& options) {
  ASSIGN_OR_RETURN(Client * client, context.client());
  v1::ListTargetsRequest request;
  if (!options.environment.empty()) request.set_environment(EnvironmentName(options.environment));
  for (const std::string& label : options.labels) {
    const size_t at = label.find('=');
    (*request.mutable_labels())[label.substr(0, at)] = label.substr(at + 1);
  }
  return CallAllPages(*client, &v1::TargetService::Stub::ListTargets, request);
}

ViewOptions View(const Context& context) {
  return {context.terminal.style, context.zone, absl::Now(), context.width()};
}

absl::StatusOr<KeyedTable> GetTable(Context& context, const Options& options) {
  ASSIGN_OR_RETURN(v1::ListTargetsResponse list, List(context, options));
  KeyedTable keyed;
  keyed.lines = TargetTable(list.targets(), View(context)).RenderLines(context.terminal.style);
  for (v1::Target& target : *list.mutable_targets()) {
    target.clear_last_seen_time();
    target.clear_drift_time();
    keyed.keys.push_back(target.SerializeAsString());
  }
  return keyed;
}

}  // namespace

void AddTargetList(CLI::App& group, Context& context) {
  auto options = std::make_shared<Options>();
  const VerbInfo info = {
      "list", "List targets in order of their environments",
      "Served \"yes, signed\" means that the agent runs signed plans alone (curlew plan sign).",
      "# All targets, and whether an agent serves them\n"
      "curlew target list\n"
      "# The canaries of production\n"
      "curlew target list --environment production --label tier=canary\n"
      "# Go on with every change\n"
      "curlew target list --watch"};
  CLI::App* verb = AddVerb(group, context, info, [&context, options]() -> absl::StatusOr<ExitCode> {
    if (options->watch) {
      return PrintChanges(context, [&context, options] { return GetTable(context, *options); });
    }
    ASSIGN_OR_RETURN(const v1::ListTargetsResponse list, List(context, *options));
    if (options->output == "name") {
      for (const v1::Target& target : list.targets()) context.out << Bare(target.name()) << "\n";
    } else if (options->output != "table") {
      context.out << Structured(list, options->output);
    } else if (list.targets().empty() && (!options->environment.empty() || !options->labels.empty())) {
      context.out << "No such target.\n";
    } else if (list.targets().empty()) {
      context.out << "No targets yet: curlew env apply FILE\n";
    } else {
      context.out
          << TargetTable(list.targets(), View(context)).Render(context.terminal.style, context.width());
    }
    return ExitCode::kOk;
  });
  verb->add_option("--environment", options->environment, "Only the targets of this environment")
      ->type_name(kEnvironmentType);
  AddLabels(*verb, options->labels, "Only targets with this label; may be repeated, then with all of them");
  verb->add_flag("-w,--watch", options->watch, "Go on and print what changes, as a table");
  AddOutput(*verb, {"table", "json", "yaml", "name"}, options->output);
}

}  // namespace curlew::cli
