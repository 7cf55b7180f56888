#include "cli/preview.h"

#include <vector>

#include "cli/files.h"
#include "cli/names.h"
#include "cli/output.h"
#include "cli/preview_view.h"
#include "common/base/status_macros.h"

namespace curlew::cli {

absl::StatusOr<v1::Plan> FindPlan(Context& context, const std::string& plan) {
  if (MeansFile(plan)) return ReadPlanFile(plan);
  ASSIGN_OR_RETURN(Client * client, context.client());
  v1::GetPlanRequest request;
  request.set_name(PlanName(plan));
  ASSIGN_OR_RETURN(v1::StoredPlan stored, client->Call(&v1::PlanService::Stub::GetPlan, request));
  return std::move(*stored.mutable_plan());
}

absl::StatusOr<ExitCode> PreviewPlan(Context& context, const std::string& plan,
                                     const std::string& environment, const std::string& output) {
  v1::PreviewRolloutRequest request;
  ASSIGN_OR_RETURN(*request.mutable_plan(), FindPlan(context, plan));
  if (!environment.empty()) request.set_environment(EnvironmentName(environment));
  ASSIGN_OR_RETURN(Client * client, context.client());
  std::vector<v1::TargetPreview> previews;
  RETURN_IF_ERROR(
      client->Preview(request, [&](const v1::TargetPreview& preview) { previews.push_back(preview); }));
  if (output == "table") {
    context.out << RenderPreview(request.plan().name(), previews, context.terminal.style);
  }
  for (const v1::TargetPreview& preview : previews) {
    if (output == "json") context.out << ToJson(preview, JsonForm::kOneLine) << "\n";
    if (output == "yaml") context.out << "---\n" << Structured(preview, "yaml");
    if (output == "name") context.out << Printable(preview.target()) << "\n";
  }
  return PreviewOutcome(previews);
}

}  // namespace curlew::cli
