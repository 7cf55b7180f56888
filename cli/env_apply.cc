#include <memory>

#include "cli/files.h"
#include "cli/output.h"
#include "cli/target_view.h"
#include "cli/verb.h"
#include "cli/verbs.h"
#include "common/base/status_macros.h"
#include "common/plan/plan_reader.h"

namespace curlew::cli {

void AddEnvApply(CLI::App& group, Context& context) {
  struct Options {
    std::string file;
    std::string output = "table";
  };
  auto options = std::make_shared<Options>();
  const VerbInfo info = {
      "apply", "Replace the pipeline by the environments of a file",
      "The file lists all environments in order, each with its targets, waves, gates, health checks and "
      "freezes "
      "(docs/pipelines.md has every field). An environment that is not in the file goes. Rollouts that have "
      "begun keep the gates and waves that they began with; a target on which one is active cannot go or "
      "move.",
      "# Staging first, then production\n"
      "curlew env apply environments.yaml\n"
      "# From a pipe\n"
      "curlew env apply - <<END\n"
      "environments:\n"
      "  - name: staging\n"
      "    targets: [staging-crm]\n"
      "    before_drop: {approvals: 1}\n"
      "  - name: production\n"
      "    targets: [production-crm]\n"
      "    before: {approvals: 1}\n"
      "    before_drop: {approvals: 1}\n"
      "    soak: 10m\n"
      "END"};
  CLI::App* verb = AddVerb(group, context, info, [&context, options]() -> absl::StatusOr<ExitCode> {
    ASSIGN_OR_RETURN(const std::string text, ReadFile(options->file));
    ASSIGN_OR_RETURN(v1::ApplyEnvironmentsRequest request,
                     plan::ReadEnvironments(text, options->file == "-" ? "standard input" : options->file));
    request.set_actor(context.flags.actor);
    ASSIGN_OR_RETURN(Client * client, context.client());
    ASSIGN_OR_RETURN(const v1::ListEnvironmentsResponse applied,
                     client->Call(&v1::EnvironmentService::Stub::ApplyEnvironments, request));
    context.out
        << (options->output == "table"
                ? EnvironmentTable(applied.environments()).Render(context.terminal.style, context.width())
                : Structured(applied, options->output));
    return ExitCode::kOk;
  });
  verb->add_option("FILE,-f,--filename", options->file, "Environments in YAML; - is the standard input")
      ->type_name(kFileType)
      ->required();
  AddOutput(*verb, {"table", "json", "yaml"}, options->output);
}

}  // namespace curlew::cli
