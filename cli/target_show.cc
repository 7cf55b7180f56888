#include <memory>

#include "cli/names.h"
#include "cli/output.h"
#include "cli/target_view.h"
#include "cli/verb.h"
#include "cli/verbs.h"
#include "common/base/status_macros.h"

namespace curlew::cli {

void AddTargetShow(CLI::App& group, Context& context) {
  struct Options {
    std::string name;
    std::string output = "table";
  };
  auto options = std::make_shared<Options>();
  const VerbInfo info = {"show", "Show a target and the agent that serves it", "",
                         "# Why does nothing happen on it?\n"
                         "curlew target show staging-crm\n"
                         "# Wait in a script until an agent serves it\n"
                         "until curlew target show staging-crm -o json | jq -e .served; do sleep 1; done"};
  CLI::App* verb = AddVerb(group, context, info, [&context, options]() -> absl::StatusOr<ExitCode> {
    ASSIGN_OR_RETURN(Client * client, context.client());
    v1::GetTargetRequest request;
    request.set_name(TargetName(options->name));
    ASSIGN_OR_RETURN(const v1::Target target, client->Call(&v1::TargetService::Stub::GetTarget, request));
    context.out << (options->output == "table" ? RenderTarget(target, {context.terminal.style, context.zone,
                                                                       absl::Now(), context.width()})
                                               : Structured(target, options->output));
    return ExitCode::kOk;
  });
  AddArgument(*verb, kTargetType, options->name, "Name of the target");
  AddOutput(*verb, {"table", "json", "yaml"}, options->output);
}

}  // namespace curlew::cli
