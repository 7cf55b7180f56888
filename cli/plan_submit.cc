#include "cli/plan_submit.h"

#include <memory>

#include "cli/files.h"
#include "cli/output.h"
#include "cli/verb.h"
#include "cli/verbs.h"
#include "common/base/status_macros.h"
#include "common/plan/plan_reader.h"

namespace curlew::cli {

absl::StatusOr<v1::StoredPlan> SubmitPlanFile(Context& context, const std::string& file,
                                              const std::string& digest) {
  ASSIGN_OR_RETURN(const v1::Plan plan, ReadPlanFile(file));
  return SubmitPlan(context, plan, digest.empty() ? plan::Digest(plan) : digest);
}

absl::StatusOr<v1::StoredPlan> SubmitPlan(Context& context, const v1::Plan& plan, const std::string& digest) {
  v1::CreatePlanRequest request;
  *request.mutable_plan() = plan;
  request.set_digest(digest);
  request.set_actor(context.flags.actor);
  ASSIGN_OR_RETURN(Client * client, context.client());
  return client->Call(&v1::PlanService::Stub::CreatePlan, request);
}

void AddPlanSubmit(CLI::App& group, Context& context) {
  struct Options {
    std::string file, digest;
    std::string output = "table";
  };
  auto options = std::make_shared<Options>();
  const VerbInfo info = {
      "submit", "Store a plan with the controller",
      "Plans are immutable and known by their digest: the same plan again gives the same name. "
      "Prints the resource name and the digest; nothing is started.",
      "# Store a plan\n"
      "curlew plan submit examples/plans/rename-contact-phone.yaml\n"
      "# Store it only if it is the one that was reviewed\n"
      "curlew plan submit plan.yaml --digest 5d41402abc4b2a76…\n"
      "# Keep the name for a script\n"
      "plan=$(curlew plan submit plan.yaml -o name)"};
  CLI::App* verb = AddVerb(group, context, info, [&context, options]() -> absl::StatusOr<ExitCode> {
    ASSIGN_OR_RETURN(const v1::StoredPlan stored, SubmitPlanFile(context, options->file, options->digest));
    if (options->output == "name") {
      context.out << stored.name() << std::endl;
    } else if (options->output == "table") {
      context.out << stored.name() << "\ndigest " << stored.digest() << std::endl;
    } else {
      context.out << Structured(stored, options->output);
    }
    return ExitCode::kOk;
  });
  AddArgument(*verb, kFileType, options->file, "The plan in YAML; - is the standard input");
  verb->add_option("--digest", options->digest, "Refuse the plan where this is not its digest")
      ->type_name("SHA256");
  AddOutput(*verb, {"table", "json", "yaml", "name"}, options->output);
}

}  // namespace curlew::cli
