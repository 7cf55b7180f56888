#include "controller/web/metered_store.h"

#include <utility>

#include "absl/strings/ascii.h"

namespace curlew::web {
StoreMetrics::StoreMetrics(metrics::Registry* registry)
    : durations_(registry->Histograms("curlew_store_operation_duration_seconds",
                                      "How long calls of the store took, failed ones included.")),
      errors_(registry->Counters("curlew_store_errors_total",
                                 "Calls of the store that failed, by their code.")) {}

void StoreMetrics::Called(const std::string& operation, const absl::Status& status, absl::Duration took) {
  durations_.Add({{"operation", operation}}, metrics::AnswerTimes()).Observe(absl::ToDoubleSeconds(took));
  if (status.ok()) return;
  errors_
      .Add({{"operation", operation},
            {"code", absl::AsciiStrToLower(absl::StatusCodeToString(status.code()))}})
      .Increment();
}

absl::StatusOr<v1::StoredPlan> MeteredStore::PutPlan(const v1::StoredPlan& plan,
                                                     const store::Record& record) {
  return Timed(metrics_, "put_plan", [&] { return store_->PutPlan(plan, record); });
}

absl::StatusOr<v1::StoredPlan> MeteredStore::GetPlan(const std::string& name) {
  return Timed(metrics_, "get_plan", [&] { return store_->GetPlan(name); });
}

absl::StatusOr<v1::StoredPlan> MeteredStore::PutPlanSignature(const std::string& plan,
                                                              const v1::PlanSignature& signature,
                                                              const store::Record& record) {
  return Timed(metrics_, "put_plan_signature",
               [&] { return store_->PutPlanSignature(plan, signature, record); });
}

absl::StatusOr<std::vector<v1::StoredPlan>> MeteredStore::ListPlans(const store::Page& page,
                                                                    std::string* next) {
  return Timed(metrics_, "list_plans", [&] { return store_->ListPlans(page, next); });
}

absl::Status MeteredStore::PutEnvironments(const std::vector<v1::Environment>& environments,
                                           const store::Record& record) {
  return Timed(metrics_, "put_environments", [&] { return store_->PutEnvironments(environments, record); });
}

absl::StatusOr<std::vector<v1::Environment>> MeteredStore::ListEnvironments() {
  return Timed(metrics_, "list_environments", [&] { return store_->ListEnvironments(); });
}

absl::StatusOr<int64_t> MeteredStore::Commit(const store::RolloutChange& change) {
  auto version = Timed(metrics_, "commit", [&] { return store_->Commit(change); });
  if (version.ok()) ledger_->Committed(change, clock_->Now());
  return version;
}

absl::StatusOr<store::VersionedRollout> MeteredStore::GetRollout(const std::string& name) {
  auto rollout = Timed(metrics_, "get_rollout", [&] { return store_->GetRollout(name); });
  if (rollout.ok()) ledger_->Loaded(rollout->rollout, clock_->Now());
  return rollout;
}

absl::StatusOr<std::vector<store::VersionedRollout>> MeteredStore::ListRollouts(const store::Page& page,
                                                                                std::string* next) {
  auto rollouts = Timed(metrics_, "list_rollouts", [&] { return store_->ListRollouts(page, next); });
  if (rollouts.ok()) {
    for (const store::VersionedRollout& rollout : *rollouts) ledger_->Loaded(rollout.rollout, clock_->Now());
  }
  return rollouts;
}

absl::StatusOr<std::vector<v1::Event>> MeteredStore::ListEvents(const std::string& rollout, int64_t after,
                                                                int limit) {
  return Timed(metrics_, "list_events", [&] { return store_->ListEvents(rollout, after, limit); });
}

absl::StatusOr<v1::CompiledPlan> MeteredStore::GetCompiledPlan(const std::string& run) {
  return Timed(metrics_, "get_compiled_plan", [&] { return store_->GetCompiledPlan(run); });
}

absl::StatusOr<std::vector<store::OutboxEntry>> MeteredStore::PendingOutbox() {
  auto entries = Timed(metrics_, "pending_outbox", [&] { return store_->PendingOutbox(); });
  if (entries.ok()) ledger_->OutboxRead(static_cast<int64_t>(entries->size()));
  return entries;
}

}  // namespace curlew::web
