#include <memory>

#include "absl/time/clock.h"
#include "cli/key_view.h"
#include "cli/names.h"
#include "cli/output.h"
#include "cli/units.h"
#include "cli/verb.h"
#include "cli/verbs.h"
#include "common/base/proto_time.h"
#include "common/base/status_macros.h"

namespace curlew::cli {

void AddPlanShow(CLI::App& group, Context& context) {
  struct Options {
    std::string name;
    std::string output = "table";
  };
  auto options = std::make_shared<Options>();
  const VerbInfo info = {
      "show", "Show a stored plan",
      "A bare name without a digest means the newest plan of that name. Signatures (curlew "
      "plan sign) are shown with the id of the key, what they are for, and whether they still "
      "count; whom agents trust stands in their configuration.",
      "# The newest plan of a name\n"
      "curlew plan show rename-contact-phone\n"
      "# One plan, as the controller holds it\n"
      "curlew plan show plans/rename-contact-phone-0123456789ab -o json"};
  CLI::App* verb = AddVerb(group, context, info, [&context, options]() -> absl::StatusOr<ExitCode> {
    ASSIGN_OR_RETURN(Client * client, context.client());
    v1::GetPlanRequest request;
    request.set_name(PlanName(options->name));
    ASSIGN_OR_RETURN(const v1::StoredPlan stored, client->Call(&v1::PlanService::Stub::GetPlan, request));
    if (options->output != "table") {
      context.out << Structured(stored, options->output);
      return ExitCode::kOk;
    }
    context.out << "# " << stored.name() << "\n# digest " << stored.digest() << "\n# stored "
                << ShortTime(base::FromProto(stored.create_time()), context.zone) << " by "
                << Printable(stored.creator()) << "\n";
    for (const v1::PlanSignature& signature : stored.signatures()) {
      context.out << "# signed by " << PlanSignatureText(signature, absl::Now()) << "\n";
    }
    context.out << Printable(Structured(stored.plan(), "yaml"), LineEnds::kKeep);
    return ExitCode::kOk;
  });
  AddArgument(*verb, kPlanType, options->name, "Name of the plan");
  AddOutput(*verb, {"table", "json", "yaml"}, options->output);
}

}  // namespace curlew::cli
