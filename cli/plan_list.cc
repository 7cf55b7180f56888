#include <memory>

#include "cli/names.h"
#include "cli/output.h"
#include "cli/table.h"
#include "cli/units.h"
#include "cli/verb.h"
#include "cli/verbs.h"
#include "common/base/proto_time.h"
#include "common/base/status_macros.h"

namespace curlew::cli {
namespace {

constexpr size_t kDigestShown = 12;

std::string RenderPlans(const v1::ListPlansResponse& plans, const Context& context) {
  if (plans.plans().empty()) return "No plans yet: curlew plan submit FILE\n";
  Table table({"NAME", "DIGEST", ">OPERATIONS", "AGE", "BY", "DESCRIPTION"});
  for (const v1::StoredPlan& plan : plans.plans()) {
    table.AddRow({Printable(Bare(plan.name())), plan.digest().substr(0, kDigestShown),
                  std::to_string(plan.plan().operations_size()),
                  FormatAge(base::FromProto(plan.create_time()), absl::Now()), Printable(plan.creator()),
                  Printable(plan.plan().description())});
  }
  return table.Render(context.terminal.style, context.width());
}

}  // namespace

void AddPlanList(CLI::App& group, Context& context) {
  auto output = std::make_shared<std::string>("table");
  const VerbInfo info = {"list", "List the stored plans, newest first", "",
                         "# All plans\n"
                         "curlew plan list\n"
                         "# Names alone, for a script\n"
                         "curlew plan list -o name"};
  CLI::App* verb = AddVerb(group, context, info, [&context, output]() -> absl::StatusOr<ExitCode> {
    ASSIGN_OR_RETURN(Client * client, context.client());
    ASSIGN_OR_RETURN(const v1::ListPlansResponse plans,
                     CallAllPages(*client, &v1::PlanService::Stub::ListPlans, v1::ListPlansRequest()));
    if (*output == "table") {
      context.out << RenderPlans(plans, context);
    } else if (*output == "name") {
      for (const v1::StoredPlan& plan : plans.plans()) context.out << Bare(plan.name()) << "\n";
    } else {
      context.out << Structured(plans, *output);
    }
    return ExitCode::kOk;
  });
  AddOutput(*verb, {"table", "json", "yaml", "name"}, *output);
}

}  // namespace curlew::cli
