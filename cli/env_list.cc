#include <memory>

#include "cli/names.h"
#include "cli/output.h"
#include "cli/target_view.h"
#include "cli/verb.h"
#include "cli/verbs.h"
#include "common/base/status_macros.h"

namespace curlew::cli {

void AddEnvList(CLI::App& group, Context& context) {
  auto output = std::make_shared<std::string>("table");
  const VerbInfo info = {"list", "List the environments in the order of the pipeline", "",
                         "# The pipeline\n"
                         "curlew env list\n"
                         "# All of it\n"
                         "curlew env list -o yaml"};
  CLI::App* verb = AddVerb(group, context, info, [&context, output]() -> absl::StatusOr<ExitCode> {
    ASSIGN_OR_RETURN(Client * client, context.client());
    ASSIGN_OR_RETURN(
        const v1::ListEnvironmentsResponse list,
        client->Call(&v1::EnvironmentService::Stub::ListEnvironments, v1::ListEnvironmentsRequest()));
    if (*output == "name") {
      for (const v1::Environment& environment : list.environments()) {
        context.out << Bare(environment.name()) << "\n";
      }
    } else if (*output != "table") {
      context.out << Structured(list, *output);
    } else if (list.environments().empty()) {
      context.out << "No environments yet: curlew env apply FILE\n";
    } else {
      context.out << EnvironmentTable(list.environments()).Render(context.terminal.style, context.width());
    }
    return ExitCode::kOk;
  });
  AddOutput(*verb, {"table", "json", "yaml", "name"}, *output);
}

}  // namespace curlew::cli
