#include "controller/access/rules.h"

#include <cstdio>
#include <cstdlib>
#include <map>
#include <string>

#include "absl/strings/str_cat.h"
#include "curlew/v1/agent.pb.h"
#include "curlew/v1/operator.pb.h"

namespace curlew::access {
namespace {

constexpr absl::string_view kRollout = "the rollout's environments", kGate = "the gate's environment",
                            kTarget = "the target's environment", kPipeline = "the pipeline's environments";

// The order of the protos.
constexpr Rule kRules[] = {
    {"curlew.v1.PlanService.CreatePlan", Role::kAuthor, Place::kSomewhere, ""},
    {"curlew.v1.PlanService.GetPlan", Role::kViewer, Place::kSomewhere, ""},
    {"curlew.v1.PlanService.ListPlans", Role::kViewer, Place::kSomewhere, ""},
    {"curlew.v1.PlanService.CompilePlan", Role::kViewer, Place::kAllOfIt, kTarget},
    {"curlew.v1.PlanService.AddPlanSignature", Role::kAuthor, Place::kSomewhere, ""},
    {"curlew.v1.RolloutService.CreateRollout", Role::kOperator, Place::kAllOfIt, kPipeline},
    {"curlew.v1.RolloutService.GetRollout", Role::kViewer, Place::kAnyOfIt, kRollout},
    {"curlew.v1.RolloutService.ListRollouts", Role::kViewer, Place::kSomewhere, "others are left out"},
    {"curlew.v1.RolloutService.WatchRollout", Role::kViewer, Place::kAnyOfIt, kRollout},
    {"curlew.v1.RolloutService.ApproveRollout", Role::kApprover, Place::kAllOfIt, kGate},
    {"curlew.v1.RolloutService.PauseRollout", Role::kOperator, Place::kAnyOfIt, kRollout},
    {"curlew.v1.RolloutService.ResumeRollout", Role::kOperator, Place::kAllOfIt, kRollout},
    {"curlew.v1.RolloutService.AbortRollout", Role::kOperator, Place::kAnyOfIt, kRollout},
    {"curlew.v1.RolloutService.RollbackRollout", Role::kOperator, Place::kAllOfIt, kRollout},
    {"curlew.v1.RolloutService.OverrideWait", Role::kApprover, Place::kAllOfIt, kTarget},
    {"curlew.v1.RolloutService.SkipStep", Role::kOperator, Place::kAllOfIt, kTarget},
    {"curlew.v1.RolloutService.TuneRollout", Role::kOperator, Place::kAllOfIt, kTarget},
    {"curlew.v1.RolloutService.ListRowProblems", Role::kOperator, Place::kAllOfIt, kTarget},
    {"curlew.v1.RolloutService.SkipGate", Role::kAdmin, Place::kAllOfIt, kGate},
    {"curlew.v1.RolloutService.SkipTarget", Role::kOperator, Place::kAllOfIt, kTarget},
    {"curlew.v1.RolloutService.ReportCheck", Role::kOperator, Place::kAllOfIt,
     "the environments that have the check"},
    {"curlew.v1.RolloutService.ListRuns", Role::kViewer, Place::kAnyOfIt, kRollout},
    {"curlew.v1.RolloutService.GetCompiledPlan", Role::kViewer, Place::kAllOfIt, kTarget},
    {"curlew.v1.RolloutService.PreviewRollout", Role::kViewer, Place::kAllOfIt,
     "the environments that are previewed"},
    {"curlew.v1.TargetService.GetTarget", Role::kViewer, Place::kAllOfIt, kTarget},
    {"curlew.v1.TargetService.ListTargets", Role::kViewer, Place::kSomewhere, "others are left out"},
    {"curlew.v1.TargetService.GetSchema", Role::kViewer, Place::kAllOfIt, kTarget},
    {"curlew.v1.TargetService.BaselineTarget", Role::kOperator, Place::kAllOfIt, kTarget},
    {"curlew.v1.TargetService.ListTargetRecords", Role::kViewer, Place::kAllOfIt, kTarget},
    {"curlew.v1.TargetService.CompareSchemas", Role::kViewer, Place::kAllOfIt,
     "the environments that are compared"},
    {"curlew.v1.AuditService.ListAuditEntries", Role::kViewer, Place::kEverywhere, ""},
    {"curlew.v1.EnvironmentService.ApplyEnvironments", Role::kAdmin, Place::kEverywhere, ""},
    {"curlew.v1.EnvironmentService.ListEnvironments", Role::kViewer, Place::kSomewhere, ""},
    {"curlew.v1.TokenService.CreateToken", Role::kAdmin, Place::kEverywhere, ""},
    {"curlew.v1.TokenService.ListTokens", Role::kAdmin, Place::kEverywhere, ""},
    {"curlew.v1.TokenService.RevokeToken", Role::kAdmin, Place::kEverywhere, ""},
    {"curlew.v1.AgentService.Session", Role::kAdmin, Place::kAgentsTarget, ""},
};

}  // namespace

std::string Where(const Rule& rule) {
  switch (rule.place) {
    case Place::kSomewhere:
      return rule.object.empty() ? "any" : absl::StrCat("any; ", rule.object);
    case Place::kAnyOfIt:
      return absl::StrCat("one of ", rule.object);
    case Place::kAllOfIt:
      return std::string(rule.object);
    case Place::kEverywhere:
      return "everywhere";
    case Place::kAgentsTarget:
      return "agents alone, for their targets";
  }
  return "";
}

std::span<const Rule> Rules() { return kRules; }

const Rule& RuleOf(absl::string_view method) {
  for (const Rule& rule : kRules) {
    if (rule.method == method) return rule;
  }
  std::fprintf(stderr, "there is no rule of access for %s\n", std::string(method).c_str());
  std::abort();
}

absl::Status CheckRules() {
  std::map<std::string, int> rules;
  for (const Rule& rule : kRules) ++rules[std::string(rule.method)];
  for (const google::protobuf::FileDescriptor* file :
       {v1::CreatePlanRequest::descriptor()->file(), v1::AgentMessage::descriptor()->file()}) {
    for (int i = 0; i < file->service_count(); ++i) {
      for (int j = 0; j < file->service(i)->method_count(); ++j) {
        const std::string& method = file->service(i)->method(j)->full_name();
        const int count = rules[method];
        if (count != 1) return absl::InternalError(absl::StrCat(method, " has ", count, " rules of access"));
        rules.erase(method);
      }
    }
  }
  if (rules.empty()) return absl::OkStatus();
  return absl::InternalError(
      absl::StrCat("there is a rule of access for ", rules.begin()->first, ", but no such RPC"));
}

}  // namespace curlew::access
