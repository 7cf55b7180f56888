// A store that tells when its process has ceased to lead.
#ifndef CURLEW_CONTROLLER_FENCED_STORE_H_
#define CURLEW_CONTROLLER_FENCED_STORE_H_

#include <functional>
#include <memory>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "controller/store/records_around.h"
#include "controller/store/rollout_store.h"
#include "controller/store/tokens_around.h"

namespace curlew::controller {

// Passes everything on to another store, and looks at what it says. A write that was refused because another
// process leads (ABORTED, store::kNotLeader) becomes UNAVAILABLE with reason rpc::kStandbyReason: whoever
// asked may ask the leader, for nothing was changed. Not thread-safe, as the store.
class FencedStore : public store::RolloutStore {
 public:
  // `deposed` is called, on the store's thread, when a write was refused so; it may be called again.
  FencedStore(std::unique_ptr<store::RolloutStore> store, std::function<void()> deposed)
      : store_(std::move(store)), deposed_(std::move(deposed)) {}

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
  absl::Status Judge(absl::Status status);
  template <typename T>
  absl::StatusOr<T> Judge(absl::StatusOr<T> result) {
    if (result.ok()) return result;
    return Judge(std::move(result).status());
  }

  struct Judging {
    FencedStore* fenced;
    template <typename Ask>
    auto operator()(const store::RecordCall&, const Ask& ask) const
        -> std::invoke_result_t<const Ask&, store::RecordStore&> {
      return fenced->Judge(ask(fenced->store_->records()));
    }
  };
  struct JudgingTokens {
    FencedStore* fenced;
    template <typename Ask>
    auto operator()(const store::RecordCall&, const Ask& ask) const
        -> std::invoke_result_t<const Ask&, store::TokenStore&> {
      return fenced->Judge(ask(fenced->store_->tokens()));
    }
  };

  const std::unique_ptr<store::RolloutStore> store_;
  const std::function<void()> deposed_;
  store::RecordsAround<Judging> records_{Judging{this}};
  store::TokensAround<JudgingTokens> tokens_{JudgingTokens{this}};
};

}  // namespace curlew::controller

#endif  // CURLEW_CONTROLLER_FENCED_STORE_H_
