// A store that is watched.
#ifndef CURLEW_CONTROLLER_WEB_METERED_STORE_H_
#define CURLEW_CONTROLLER_WEB_METERED_STORE_H_

#include <chrono>
#include <string>
#include <type_traits>
#include <vector>

#include "common/base/clock.h"
#include "common/metrics/registry.h"
#include "controller/store/records_around.h"
#include "controller/store/rollout_store.h"
#include "controller/store/tokens_around.h"
#include "controller/web/rollout_ledger.h"

namespace curlew::web {

// How long calls of the store take, and how they fail. Lives as long as the process. Thread-safe.
class StoreMetrics {
 public:
  // `registry` must outlive it.
  explicit StoreMetrics(metrics::Registry* registry);
  void Called(const std::string& operation, const absl::Status& status, absl::Duration took);

 private:
  prometheus::Family<prometheus::Histogram>& durations_;
  prometheus::Family<prometheus::Counter>& errors_;
};

// Calls `call`, and counts it.
template <typename Call>
auto Timed(StoreMetrics* metrics, const char* operation, const Call& call) {
  const auto begin = std::chrono::steady_clock::now();
  auto result = call();
  absl::Status status;
  if constexpr (std::is_same_v<decltype(result), absl::Status>) {
    status = result;
  } else {
    status = result.status();
  }
  metrics->Called(operation, status, absl::FromChrono(std::chrono::steady_clock::now() - begin));
  return result;
}

// The same for what stands beside the rollouts.
struct TimedRecords {
  store::RolloutStore* store;
  StoreMetrics* metrics;
  template <typename Ask>
  auto operator()(const store::RecordCall& call, const Ask& ask) const {
    return Timed(metrics, call.name, [&] { return ask(store->records()); });
  }
};
struct TimedTokens {
  store::RolloutStore* store;
  StoreMetrics* metrics;
  template <typename Ask>
  auto operator()(const store::RecordCall& call, const Ask& ask) const {
    return Timed(metrics, call.name, [&] { return ask(store->tokens()); });
  }
};

// Passes every call on, and tells the ledger what was read and what was committed: nobody else needs to. For
// one term of leadership: with it the ledger forgets. As thread-safe as the store below it.
class MeteredStore : public store::RolloutStore {
 public:
  // All must outlive it.
  MeteredStore(store::RolloutStore* store, const base::Clock* clock, StoreMetrics* metrics,
               RolloutLedger* ledger)
      : store_(store),
        clock_(clock),
        metrics_(metrics),
        ledger_(ledger),
        records_(TimedRecords{store, metrics}),
        tokens_(TimedTokens{store, metrics}) {}
  ~MeteredStore() override { ledger_->Forget(clock_->Now()); }

  absl::StatusOr<v1::StoredPlan> PutPlan(const v1::StoredPlan& plan, const store::Record& record) override;
  absl::StatusOr<v1::StoredPlan> GetPlan(const std::string& name) override;
  absl::StatusOr<v1::StoredPlan> PutPlanSignature(const std::string& plan, const v1::PlanSignature& signature,
                                                  const store::Record& record) override;
  absl::StatusOr<std::vector<v1::StoredPlan>> ListPlans(const store::Page& page, std::string* next) override;
  absl::Status PutEnvironments(const std::vector<v1::Environment>& environments,
                               const store::Record& record) override;
  absl::StatusOr<std::vector<v1::Environment>> ListEnvironments() override;
  absl::StatusOr<int64_t> Commit(const store::RolloutChange& change) override;
  absl::StatusOr<store::VersionedRollout> GetRollout(const std::string& name) override;
  absl::StatusOr<std::vector<store::VersionedRollout>> ListRollouts(const store::Page& page,
                                                                    std::string* next) override;
  absl::StatusOr<std::vector<v1::Event>> ListEvents(const std::string& rollout, int64_t after,
                                                    int limit) override;
  absl::StatusOr<v1::CompiledPlan> GetCompiledPlan(const std::string& run) override;
  absl::StatusOr<std::vector<store::OutboxEntry>> PendingOutbox() override;
  store::RecordStore& records() override { return records_; }
  store::TokenStore& tokens() override { return tokens_; }

 private:
  store::RolloutStore* const store_;
  const base::Clock* const clock_;
  StoreMetrics* const metrics_;
  RolloutLedger* const ledger_;
  store::RecordsAround<TimedRecords> records_;
  store::TokensAround<TimedTokens> tokens_;
};

}  // namespace curlew::web

#endif  // CURLEW_CONTROLLER_WEB_METERED_STORE_H_
