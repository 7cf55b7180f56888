#include "controller/dispatch/signed_words.h"

#include <algorithm>

#include "controller/dispatch/outbox.h"

namespace curlew::dispatch {

google::protobuf::RepeatedPtrField<v1::PlanSignature> SignaturesFor(const v1::StoredPlan& plan,
                                                                    const std::string& target) {
  google::protobuf::RepeatedPtrField<v1::PlanSignature> found;
  for (auto signature = plan.signatures().rbegin(); signature != plan.signatures().rend(); ++signature) {
    const auto& targets = signature->statement().targets();
    if (std::find(targets.begin(), targets.end(), target) != targets.end()) *found.Add() = *signature;
  }
  if (found.empty() && !plan.signatures().empty()) *found.Add() = *plan.signatures().rbegin();
  return found;
}

google::protobuf::RepeatedPtrField<v1::DecisionSignature> DropDecisionsFor(const v1::Rollout& rollout,
                                                                           const std::string& target) {
  google::protobuf::RepeatedPtrField<v1::DecisionSignature> found;
  const v1::Run* run = FindRun(rollout, target);
  if (run == nullptr) return found;
  for (const v1::EnvironmentStage& stage : rollout.stages()) {
    if (stage.environment() != run->environment()) continue;
    for (const v1::Approval& approval : stage.before_drop().approvals()) {
      if (approval.has_signature() && approval.void_reason().empty()) *found.Add() = approval.signature();
    }
  }
  return found;
}

}  // namespace curlew::dispatch
