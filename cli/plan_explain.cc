#include <memory>

#include "cli/compile_source.h"
#include "cli/explain_view.h"
#include "cli/output.h"
#include "cli/preview.h"
#include "cli/verb.h"
#include "cli/verbs.h"
#include "common/base/status_macros.h"

namespace curlew::cli {

void AddPlanExplain(CLI::App& group, Context& context) {
  struct Options {
    std::string plan;
    CompileSource source;
    std::string output = "table";
  };
  auto options = std::make_shared<Options>();
  const VerbInfo info = {
      "explain", "Show every step of a plan: SQL, locks, scans, rewrites, undo",
      "Compiles the plan against the schema of a target (its agent is asked), of a database, or of a file, "
      "and "
      "changes nothing. Exactly one of --target, --environment, --database and --schema says which. With "
      "--environment every target of it is compiled and looked at, as `curlew rollout start --dry-run` does, "
      "and the status is 5 where one of them could not run the plan.",
      "# What would run on a target that an agent serves\n"
      "curlew plan explain rename-contact-phone.yaml --target staging-crm\n"
      "# On all of production: what differs, what preflight finds\n"
      "curlew plan explain rename-contact-phone.yaml --environment production\n"
      "# Against a database, without a controller\n"
      "curlew plan explain rename-contact-phone.yaml --database 'host=localhost dbname=crm'\n"
      "# Keep the schema, and explain against it later, without a database\n"
      "curlew schema snapshot --database 'dbname=crm' > crm.json\n"
      "curlew plan explain rename-contact-phone.yaml --schema crm.json"};
  CLI::App* verb = AddVerb(group, context, info, [&context, options]() -> absl::StatusOr<ExitCode> {
    if (!options->source.environment.empty()) {
      return PreviewPlan(context, options->plan, options->source.environment, options->output);
    }
    ASSIGN_OR_RETURN(const v1::Plan plan, FindPlan(context, options->plan));
    ASSIGN_OR_RETURN(const v1::CompilePlanResponse compiled, CompileAgainst(context, plan, options->source));
    context.out << (options->output == "table"
                        ? RenderExplain(compiled, Describe(options->source), context.terminal.style)
                        : Structured(compiled, options->output));
    return ExitCode::kOk;
  });
  AddArgument(*verb, kPlanOrFileType, options->plan,
              "Name of a stored plan, or a file; - is the standard input");
  AddCompileSource(*verb, options->source);
  AddOutput(*verb, {"table", "json", "yaml"}, options->output);
}

}  // namespace curlew::cli
