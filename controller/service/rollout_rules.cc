#include "controller/service/rollout_rules.h"

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/base/error_detail.h"
#include "common/base/status_macros.h"
#include "controller/dispatch/names.h"
#include "controller/rollout/machine.h"

namespace curlew::service {
namespace {

using Checks = google::protobuf::RepeatedPtrField<v1::HealthCheck>;

absl::Status CheckDeclared(const v1::Plan& plan, const std::string& place, const Checks& checks) {
  for (const v1::HealthCheck& check : checks) {
    if (!check.has_plan()) continue;
    std::vector<std::string> declared;
    bool found = false;
    for (const v1::PlanCheck& of_plan : plan.checks()) {
      found |= of_plan.name() == check.plan().name();
      declared.push_back(of_plan.name());
    }
    if (found) continue;
    return base::WithDetail(
        absl::FailedPreconditionError(
            absl::StrCat(place, " has the check \"", check.name(), "\", which is to be the check \"",
                         check.plan().name(), "\" of the plan, but plan \"", plan.name(), "\" declares ",
                         declared.empty() ? "none" : absl::StrCat("only ", absl::StrJoin(declared, ", ")),
                         "; add it to `checks` of the plan, or take it out of the pipeline")),
        base::kReason, "PLAN_CHECK_MISSING");
  }
  return absl::OkStatus();
}

// What became of it, as part of a sentence.
std::string Ended(const v1::Rollout& rollout) {
  const std::string name = absl::StrCat("its newest rollout, \"", rollout.name(), "\", ");
  return rollout.state() == v1::ROLLOUT_STATE_ROLLED_BACK ? absl::StrCat(name, "was rolled back")
                                                          : absl::StrCat(name, "was aborted");
}

}  // namespace

absl::Status CheckPipeline(const std::vector<v1::Environment>& environments) {
  if (!environments.empty()) return absl::OkStatus();
  return base::WithDetail(
      absl::FailedPreconditionError(
          "there is no environment to roll out to; define them with `curlew env apply -f FILE`"),
      base::kReason, "NO_ENVIRONMENTS");
}

absl::Status CheckPlanChecks(const v1::Plan& plan, const std::vector<v1::Environment>& environments) {
  for (const v1::Environment& environment : environments) {
    const std::string name = dispatch::WithoutCollection("environments", environment.name());
    const auto gate = [&](absl::string_view id) { return absl::StrCat("the gate \"", name, "/", id, "\""); };
    RETURN_IF_ERROR(CheckDeclared(plan, gate("before"), environment.before().checks()));
    for (const v1::WavePolicy& wave : environment.waves()) {
      RETURN_IF_ERROR(
          CheckDeclared(plan, gate(absl::StrCat(wave.name(), "/before")), wave.before().checks()));
    }
    RETURN_IF_ERROR(CheckDeclared(plan, gate("before-drop"), environment.before_drop().checks()));
    RETURN_IF_ERROR(CheckDeclared(plan, absl::StrCat("the health of \"", name, "\""), environment.health()));
  }
  return absl::OkStatus();
}

std::set<std::string> PlansBefore(const v1::Plan& plan) {
  std::set<std::string> names(plan.after().begin(), plan.after().end());
  names.erase(plan.name());
  return names;
}

absl::StatusOr<std::vector<std::string>> RolloutsBefore(const v1::Plan& plan, const NewestRollouts& newest,
                                                        OutOfOrder out_of_order) {
  std::vector<std::string> before;
  for (const std::string& name : PlansBefore(plan)) {
    const auto found = newest.find(name);
    if (found != newest.end() && found->second.state() == v1::ROLLOUT_STATE_SUCCEEDED) continue;
    if (found != newest.end() && rollout::Active(found->second)) {
      before.push_back(found->second.name());
      continue;
    }
    if (out_of_order == OutOfOrder::kAllowed) continue;
    return base::WithDetail(
        absl::FailedPreconditionError(absl::StrCat(
            "plan \"", plan.name(), "\" comes after plan \"", name, "\", which has not been rolled out: ",
            found == newest.end() ? std::string("it was never started") : Ended(found->second),
            "; roll it out first (`curlew rollout start`), or begin all the same with --allow-out-of-order")),
        base::kReason, "OUT_OF_ORDER");
  }
  return before;
}

}  // namespace curlew::service
