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
  std::string output = "table";
  bool watch = false;
};

absl::StatusOr<v1::ListTargetsResponse> List(Context& context) {
  ASSIGN_OR_RETURN(Client * client, context.client());
  return CallAllPages(*client, &v1::TargetService::Stub::ListTargets, v1::ListTargetsRequest());
}

ViewOptions View(const Context& context) {
  return {context.terminal.style, context.zone, absl::Now(), context.width()};
}

absl::StatusOr<KeyedTable> GetTable(Context& context) {
  ASSIGN_OR_RETURN(v1::ListTargetsResponse list, List(context));
  KeyedTable keyed;
  keyed.lines = TargetTable(list.targets(), View(context)).RenderLines(context.terminal.style);
  for (v1::Target& target : *list.mutable_targets()) {
    target.clear_last_seen_time();
    keyed.keys.push_back(target.SerializeAsString());
  }
  return keyed;
}

}  // namespace

void AddTargetList(CLI::App& group, Context& context) {
  auto options = std::make_shared<Options>();
  const VerbInfo info = {"list", "List targets in order of their environments", "",
                         "# All targets, and whether an agent serves them\n"
                         "curlew target list\n"
                         "# Go on with every change\n"
                         "curlew target list --watch"};
  CLI::App* verb = AddVerb(group, context, info, [&context, options]() -> absl::StatusOr<ExitCode> {
    if (options->watch) {
      return PrintChanges(context, [&context] { return GetTable(context); });
    }
    ASSIGN_OR_RETURN(const v1::ListTargetsResponse list, List(context));
    if (options->output == "name") {
      for (const v1::Target& target : list.targets()) context.out << Bare(target.name()) << "\n";
    } else if (options->output != "table") {
      context.out << Structured(list, options->output);
    } else if (list.targets().empty()) {
      context.out << "No targets yet: curlew env apply FILE\n";
    } else {
      context.out
          << TargetTable(list.targets(), View(context)).Render(context.terminal.style, context.width());
    }
    return ExitCode::kOk;
  });
  verb->add_flag("-w,--watch", options->watch, "Go on and print what changes, as a table");
  AddOutput(*verb, {"table", "json", "yaml", "name"}, options->output);
}

}  // namespace curlew::cli
