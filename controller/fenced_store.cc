#include "controller/fenced_store.h"

#include "common/base/error_detail.h"
#include "common/rpc/endpoint.h"
#include "controller/store/store_location.h"

namespace curlew::controller {

absl::Status FencedStore::Judge(absl::Status status) {
  if (!absl::IsAborted(status) || base::Detail(status, base::kReason) != store::kNotLeader) return status;
  deposed_();
  return base::WithDetail(
      base::WithDetail(absl::UnavailableError(status.message()), base::kReason, rpc::kStandbyReason),
      base::kHint, "nothing was changed; repeat the command, and the controller that leads now will answer");
}

absl::StatusOr<v1::StoredPlan> FencedStore::PutPlan(const v1::StoredPlan& plan, const store::Record& record) {
  return Judge(store_->PutPlan(plan, record));
}

absl::StatusOr<v1::StoredPlan> FencedStore::GetPlan(const std::string& name) {
  return Judge(store_->GetPlan(name));
}

absl::StatusOr<v1::StoredPlan> FencedStore::PutPlanSignature(const std::string& plan,
                                                             const v1::PlanSignature& signature,
                                                             const store::Record& record) {
  return Judge(store_->PutPlanSignature(plan, signature, record));
}

absl::StatusOr<std::vector<v1::StoredPlan>> FencedStore::ListPlans(const store::Page& page,
                                                                   std::string* next) {
  return Judge(store_->ListPlans(page, next));
}

absl::Status FencedStore::PutEnvironments(const std::vector<v1::Environment>& environments,
                                          const store::Record& record) {
  return Judge(store_->PutEnvironments(environments, record));
}

absl::StatusOr<std::vector<v1::Environment>> FencedStore::ListEnvironments() {
  return Judge(store_->ListEnvironments());
}

absl::StatusOr<int64_t> FencedStore::Commit(const store::RolloutChange& change) {
  return Judge(store_->Commit(change));
}

absl::StatusOr<store::VersionedRollout> FencedStore::GetRollout(const std::string& name) {
  return Judge(store_->GetRollout(name));
}

absl::StatusOr<std::vector<store::VersionedRollout>> FencedStore::ListRollouts(const store::Page& page,
                                                                               std::string* next) {
  return Judge(store_->ListRollouts(page, next));
}

absl::StatusOr<std::vector<v1::Event>> FencedStore::ListEvents(const std::string& rollout, int64_t after,
                                                               int limit) {
  return Judge(store_->ListEvents(rollout, after, limit));
}

absl::StatusOr<v1::CompiledPlan> FencedStore::GetCompiledPlan(const std::string& run) {
  return Judge(store_->GetCompiledPlan(run));
}

absl::StatusOr<std::vector<store::OutboxEntry>> FencedStore::PendingOutbox() {
  return Judge(store_->PendingOutbox());
}

}  // namespace curlew::controller
