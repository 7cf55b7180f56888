#include "cli/compiled_plans.h"

#include <utility>

#include "common/base/status_macros.h"

namespace curlew::cli {

absl::StatusOr<CompiledPlans> FetchCompiledPlans(Client* client, const v1::Rollout& rollout, size_t most) {
  CompiledPlans plans;
  for (const v1::Run& run : rollout.runs()) {
    if (run.compiled_digest().empty() || run.name().empty() || plans.size() >= most ||
        plans.count(run.compiled_digest()) > 0) {
      continue;
    }
    v1::GetCompiledPlanRequest request;
    request.set_name(run.name());
    absl::StatusOr<v1::CompiledPlan> plan = client->Call(&v1::RolloutService::Stub::GetCompiledPlan, request);
    if (absl::IsNotFound(plan.status())) continue;
    RETURN_IF_ERROR(plan.status());
    plans.emplace(run.compiled_digest(), *std::move(plan));
  }
  return plans;
}

absl::StatusOr<v1::Rollout> FetchFullRollout(Client* client, const std::string& name) {
  v1::GetRolloutRequest request;
  request.set_name(name);
  request.set_view(v1::ROLLOUT_VIEW_FULL);
  return client->Call(&v1::RolloutService::Stub::GetRollout, request);
}

}  // namespace curlew::cli
