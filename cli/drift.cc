#include <algorithm>
#include <memory>

#include "absl/strings/match.h"
#include "cli/names.h"
#include "cli/output.h"
#include "cli/record_view.h"
#include "cli/verb.h"
#include "cli/verbs.h"
#include "common/base/status_macros.h"

namespace curlew::cli {
namespace {

// The resource name of what a person wrote: a name of an environment means that, another one a target.
absl::StatusOr<std::string> Resolve(Client* client, const std::string& written) {
  if (written.empty() || absl::StrContains(written, '/')) return written;
  ASSIGN_OR_RETURN(
      const v1::ListEnvironmentsResponse list,
      client->Call(&v1::EnvironmentService::Stub::ListEnvironments, v1::ListEnvironmentsRequest()));
  const bool known =
      std::any_of(list.environments().begin(), list.environments().end(),
                  [&](const v1::Environment& environment) { return Bare(environment.name()) == written; });
  return known ? EnvironmentName(written) : TargetName(written);
}

}  // namespace

void AddDrift(CLI::App& root, Context& context) {
  struct Options {
    std::string from, to;
    std::string output = "table";
  };
  auto options = std::make_shared<Options>();
  const VerbInfo info = {
      "drift", "Show how schemas differ between environments, targets, or from what is on record",
      "With two names, the schema of every target of the second is compared with that of the first target of "
      "the first. With one, every target is compared with what is on record of it: as it was when the newest "
      "rollout ended there, or as `curlew target baseline` found it. Schemas are those of this moment. The "
      "status is 1 where there is a difference, else 5 where a target could not be compared.",
      "# Is production what staging is?\n"
      "curlew drift staging production\n"
      "# Has anybody changed production by hand?\n"
      "curlew drift production\n"
      "# One database against another\n"
      "curlew drift staging-crm production-crm -o json"};
  CLI::App* verb = AddVerb(root, context, info, [&context, options]() -> absl::StatusOr<ExitCode> {
    ASSIGN_OR_RETURN(Client * client, context.client());
    v1::CompareSchemasRequest request;
    ASSIGN_OR_RETURN(*request.mutable_from(), Resolve(client, options->from));
    ASSIGN_OR_RETURN(*request.mutable_to(), Resolve(client, options->to));
    ASSIGN_OR_RETURN(const v1::CompareSchemasResponse response,
                     client->Call(&v1::TargetService::Stub::CompareSchemas, request));
    context.out << (options->output == "table" ? RenderDrift(response, context.terminal.style)
                                               : Structured(response, options->output));
    return DriftOutcome(response);
  });
  verb->add_option("FROM", options->from, "An environment or a target")
      ->type_name(kTargetOrEnvironmentType)
      ->required();
  verb->add_option("TO", options->to, "Another; without it, what is on record")
      ->type_name(kTargetOrEnvironmentType);
  AddOutput(*verb, {"table", "json", "yaml"}, options->output);
}

}  // namespace curlew::cli
