#include <memory>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "cli/compile_source.h"
#include "cli/names.h"
#include "cli/preview.h"
#include "cli/sql_script.h"
#include "cli/steps_group.h"
#include "cli/verb.h"
#include "cli/verbs.h"
#include "common/base/error_detail.h"
#include "common/base/status_macros.h"

namespace curlew::cli {
namespace {

struct Options {
  std::string plan;
  CompileSource source;
  bool undo = false;
};

// The steps that all targets of the environment have. FAILED_PRECONDITION where they differ, or a target
// could not be compiled.
absl::StatusOr<v1::CompiledPlan> CompileForAll(Context& context, const v1::Plan& plan,
                                               const std::string& environment) {
  v1::PreviewRolloutRequest request;
  *request.mutable_plan() = plan;
  request.set_environment(EnvironmentName(environment));
  ASSIGN_OR_RETURN(Client * client, context.client());
  std::vector<v1::TargetPreview> previews;
  RETURN_IF_ERROR(
      client->Preview(request, [&](const v1::TargetPreview& preview) { previews.push_back(preview); }));
  std::vector<CompiledTarget> compiled;
  for (const v1::TargetPreview& preview : previews) {
    if (preview.has_error()) {
      return base::WithDetail(
          absl::FailedPreconditionError(absl::StrCat("the plan could not be compiled for ", preview.target(),
                                                     ": ", preview.error().message())),
          base::kHint, preview.error().hint());
    }
    compiled.push_back({preview.target(), &preview.compiled_plan()});
  }
  const std::vector<StepsGroup> groups = GroupBySteps(compiled);
  if (groups.size() == 1) return groups[0].compiled;
  if (groups.empty()) {
    return absl::FailedPreconditionError(absl::StrCat("environment ", environment, " has no targets"));
  }
  return base::WithDetail(
      absl::FailedPreconditionError(absl::StrCat(
          "the targets of ", environment, " need different steps: ",
          absl::StrJoin(groups, "; ",
                        [](std::string* out, const StepsGroup& g) { out->append(ListNames(g.targets)); }))),
      base::kHint, "write a script for each of them: --target TARGET");
}

}  // namespace

void AddPlanSql(CLI::App& group, Context& context) {
  auto options = std::make_shared<Options>();
  const VerbInfo info = {
      "sql", "Print the SQL of a plan as a script, for those who must hand it over",
      "One script for psql that does what the steps do, in their order, with comments for each phase and "
      "step: "
      "DDL in transactions under the plan's lock time-out, backfills as loops that commit batch by batch, "
      "verifications that raise errors. What cannot run in a transaction stands by itself; what SQL cannot "
      "do is "
      "said. A run of the script does one part of it; DROP is a part of its own (psql -v curlew_part=2). "
      "A script that stopped is run again from the top: what is done is noted in table curlew.script, and "
      "passed over. The undo goes with the script that was written with it: it undoes what is noted, and "
      "nothing once DROP has begun. Backups that the plan asks for are made by hand, and said to be made "
      "(psql -v curlew_backup_done=1). Nothing is run by this command. Curlew itself does more: it tries "
      "again, yields to the application, sees which sessions still use the old shape, and can roll back.",
      "# From a schema in a file, without a database\n"
      "curlew schema snapshot --database 'dbname=crm' > crm.json\n"
      "curlew plan sql rename-contact-phone.yaml --schema crm.json > rename.sql\n"
      "# For what all targets of production have now\n"
      "curlew plan sql rename-contact-phone.yaml --environment production > rename.sql\n"
      "# The way back from before DROP\n"
      "curlew plan sql rename-contact-phone.yaml --schema crm.json --undo > undo.sql"};
  CLI::App* verb = AddVerb(group, context, info, [&context, options]() -> absl::StatusOr<ExitCode> {
    ASSIGN_OR_RETURN(const v1::Plan plan, FindPlan(context, options->plan));
    v1::CompiledPlan compiled;
    if (!options->source.environment.empty()) {
      ASSIGN_OR_RETURN(compiled, CompileForAll(context, plan, options->source.environment));
    } else {
      ASSIGN_OR_RETURN(v1::CompilePlanResponse response, CompileAgainst(context, plan, options->source));
      compiled = std::move(*response.mutable_compiled_plan());
    }
    context.out << SqlScript(compiled, Describe(options->source),
                             options->undo ? ScriptDirection::kUndo : ScriptDirection::kDo)
                << std::flush;
    return ExitCode::kOk;
  });
  AddArgument(*verb, kPlanOrFileType, options->plan,
              "Name of a stored plan, or a file; - is the standard input");
  AddCompileSource(*verb, options->source);
  verb->add_flag("--undo", options->undo,
                 "The undo of what the script has done before DROP, the last step first");
}

}  // namespace curlew::cli
