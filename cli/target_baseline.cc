#include <memory>

#include "cli/names.h"
#include "cli/output.h"
#include "cli/verb.h"
#include "cli/verbs.h"
#include "common/base/status_macros.h"

namespace curlew::cli {

void AddTargetBaseline(CLI::App& group, Context& context) {
  struct Options {
    std::string name, reason;
    std::string output = "table";
  };
  auto options = std::make_shared<Options>();
  const VerbInfo info = {
      "baseline", "Record a target's schema of this moment as what is to be found there",
      "For a database that Curlew did not build, and after a change that was made by hand and is accepted: "
      "from then on differences are told against this (`curlew drift TARGET`). Nothing is changed in the "
      "database. Who does so (--actor) and why is kept for good.",
      "# Adopt a database\n"
      "curlew target baseline production-crm --reason 'as the old tool left it'\n"
      "# See what it would accept, first\n"
      "curlew drift production-crm"};
  CLI::App* verb = AddVerb(group, context, info, [&context, options]() -> absl::StatusOr<ExitCode> {
    ASSIGN_OR_RETURN(Client * client, context.client());
    v1::BaselineTargetRequest request;
    request.set_name(TargetName(options->name));
    request.set_reason(options->reason);
    request.set_actor(context.flags.actor);
    ASSIGN_OR_RETURN(const v1::TargetRecord record,
                     client->Call(&v1::TargetService::Stub::BaselineTarget, request));
    if (options->output != "table") {
      context.out << Structured(record, options->output);
      return ExitCode::kOk;
    }
    context.out << Printable(record.target()) << ": baseline taken by " << Printable(record.actor())
                << ", record " << record.number() << "\nschema " << Printable(record.schema_fingerprint())
                << "\n";
    return ExitCode::kOk;
  });
  AddArgument(*verb, kTargetType, options->name, "Name of the target");
  verb->add_option("--reason", options->reason, "Why; recorded")->type_name("TEXT")->required();
  AddOutput(*verb, {"table", "json", "yaml"}, options->output);
}

}  // namespace curlew::cli
