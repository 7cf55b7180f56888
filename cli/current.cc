#include <map>
#include <memory>

#include "cli/names.h"
#include "cli/output.h"
#include "cli/record_view.h"
#include "cli/verb.h"
#include "cli/verbs.h"
#include "common/base/status_macros.h"

namespace curlew::cli {

void AddCurrent(CLI::App& root, Context& context) {
  struct Options {
    std::string environment;
    std::string output = "table";
  };
  auto options = std::make_shared<Options>();
  const VerbInfo info = {"current", "Show what each target has now: plan, rollout, who, since when",
                         "The newest record of every target, and whether its schema has drifted from it "
                         "since. A target without a "
                         "record was never touched by Curlew.",
                         "# What is where?\n"
                         "curlew current\n"
                         "# In production alone\n"
                         "curlew current --environment production"};
  CLI::App* verb = AddVerb(root, context, info, [&context, options]() -> absl::StatusOr<ExitCode> {
    ASSIGN_OR_RETURN(Client * client, context.client());
    v1::ListTargetsRequest targets;
    if (!options->environment.empty()) targets.set_environment(EnvironmentName(options->environment));
    ASSIGN_OR_RETURN(const v1::ListTargetsResponse list,
                     CallAllPages(*client, &v1::TargetService::Stub::ListTargets, targets));
    v1::ListTargetRecordsRequest records;
    records.set_name("targets/-");
    ASSIGN_OR_RETURN(const v1::ListTargetRecordsResponse newest,
                     CallAllPages(*client, &v1::TargetService::Stub::ListTargetRecords, records));
    std::map<std::string, v1::TargetRecord> by_target;
    for (const v1::TargetRecord& record : newest.records()) by_target[record.target()] = record;
    if (options->output != "table") {
      v1::ListTargetRecordsResponse picked;
      for (const v1::Target& target : list.targets()) {
        const auto it = by_target.find(Bare(target.name()));
        if (it != by_target.end()) *picked.add_records() = it->second;
      }
      context.out << Structured(picked, options->output);
    } else if (list.targets().empty()) {
      context.out << "No targets yet: curlew env apply FILE\n";
    } else {
      context.out << CurrentTable(list.targets(), by_target,
                                  {context.terminal.style, context.zone, absl::Now(), context.width()})
                         .Render(context.terminal.style, context.width());
    }
    return ExitCode::kOk;
  });
  verb->add_option("--environment", options->environment, "Only the targets of this environment")
      ->type_name(kEnvironmentType);
  AddOutput(*verb, {"table", "json", "yaml"}, options->output);
}

}  // namespace curlew::cli
