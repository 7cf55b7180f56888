// The store that all controllers share, and how each of them sees it.
#ifndef CURLEW_TESTS_SIMULATION_SHARED_STORE_H_
#define CURLEW_TESTS_SIMULATION_SHARED_STORE_H_

#include <algorithm>
#include <cstdint>
#include <functional>
#include <map>
#include <set>
#include <string>
#include <type_traits>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "common/base/status_macros.h"
#include "controller/store/leader_lease.h"
#include "controller/store/records_around.h"
#include "controller/store/rollout_store.h"
#include "controller/store/tokens_around.h"
#include "tests/simulation/database.h"
#include "tests/simulation/scheduler.h"
#include "tests/support/fake_rollout_store.h"

namespace curlew::simulation {

// How unlucky a store is, call by call.
struct StoreLuck {
  double lost_answer = 0;   // a commit is stored and reported as failed
  double unavailable = 0;   // a commit fails
  double unread = 0;        // a read fails
  double crash_before = 0;  // the controller dies when it wants to commit
  double crash_after = 0;   // ... when it has committed
  double slow = 0;          // the controller stands still over it
};

// What all of them share: rows, and who leads. Judges every commit.
class SharedStore {
 public:
  SharedStore(Scheduler* scheduler, const Mutations* mutations)
      : scheduler_(scheduler), mutations_(mutations) {}

  testing::FakeRolloutStore& rows() { return rows_; }
  // As LeaderLease::Hold, by the store's clock.
  store::Leadership Hold(const std::string& holder, absl::Duration term);
  void Release(const std::string& holder);
  int64_t epoch() const { return epoch_; }
  // Whether a controller of that epoch may write.
  absl::Status Fence(int64_t epoch);
  absl::StatusOr<int64_t> Commit(const std::string& holder, int64_t epoch,
                                 const store::RolloutChange& change);

  // What a controller says of a result must be stored by then.
  void JudgeAck(const std::string& holder, const v1::ResultAck& ack);

  // Names of rollouts that were committed since this was last called.
  std::set<std::string> TakeChanged() { return std::exchange(changed_, {}); }
  // Whether a later environment may go on though that run is not done: it failed and was tolerated, or was
  // left out.
  bool MayLack(const std::string& run) const { return may_lack_.count(run) > 0; }
  // When a rollout came to its end; infinite where it has not.
  absl::Duration ended(const std::string& rollout) const;
  // All events of a rollout, as they were first committed.
  const std::vector<v1::Event>& events(const std::string& rollout) { return told_[rollout]; }
  // The number of the oldest that is kept.
  int64_t first_kept(const std::string& rollout) { return std::max<int64_t>(first_kept_[rollout], 1); }

 private:
  // Whether a dispatch was allowed by gates, waves, freezes and limits.
  void JudgeDispatch(const v1::Rollout& was, const store::RolloutChange& change,
                     const v1::Dispatch& dispatch);
  // Two rollouts never work on one target at the same time.
  void JudgeTargets(const v1::Rollout& next);
  // What a rollout may become.
  void JudgeStep(const v1::Rollout& was, const store::RolloutChange& change);
  void Judge(const std::string& holder, int64_t epoch, const store::RolloutChange& change);

  Scheduler* const scheduler_;
  const Mutations* const mutations_;
  testing::FakeRolloutStore rows_;
  std::string holder_;
  int64_t epoch_ = 0;
  absl::Duration expires_ = -absl::InfiniteDuration();
  std::map<int64_t, std::string> committer_;  // by epoch
  int64_t newest_committing_epoch_ = 0;
  std::map<std::string, v1::Rollout> states_;
  std::map<std::string, absl::Duration> ended_;
  std::map<std::string, std::vector<v1::Event>> told_;
  std::map<std::string, int64_t> first_kept_;
  std::map<std::string, int> newest_dispatched_;  // by run
  std::set<std::string> changed_;
  std::set<std::string> may_lack_;  // runs
};

// The store as one controller has opened it, for an epoch.
class StoreView : public store::RolloutStore {
 public:
  // `die` ends the controller (at the latest after the event that is on), `stall` stops it for a while.
  StoreView(SharedStore* shared, std::string holder, Scheduler* scheduler, const StoreLuck* luck,
            std::function<void()> die, std::function<void(absl::Duration)> stall)
      : shared_(shared),
        holder_(std::move(holder)),
        scheduler_(scheduler),
        luck_(luck),
        die_(std::move(die)),
        stall_(std::move(stall)),
        random_(scheduler->random().Fork()) {}

  void set_epoch(int64_t epoch) { epoch_ = epoch; }
  int64_t epoch() const { return epoch_; }
  // It cannot be reached until then (monotonic).
  void CutOffUntil(absl::Duration until) { cut_off_until_ = until; }
  bool reachable() const { return !dead_ && scheduler_->now() >= cut_off_until_; }
  // Rollouts of which a commit was reported as failed though it may be stored.
  std::set<std::string>& doubtful() { return doubtful_; }

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
  absl::Status Reach() const;
  // The same, with the luck of reads.
  absl::Status ReachToRead();
  void Die();

  struct Reaching {
    StoreView* view;
    template <typename Ask>
    auto operator()(const store::RecordCall& call, const Ask& ask) const
        -> std::invoke_result_t<const Ask&, store::RecordStore&> {
      RETURN_IF_ERROR(call.writes ? view->Reach() : view->ReachToRead());
      if (call.writes) RETURN_IF_ERROR(view->shared_->Fence(view->epoch_));
      return ask(view->shared_->rows().records());
    }
  };
  struct ReachingTokens {
    StoreView* view;
    template <typename Ask>
    auto operator()(const store::RecordCall& call, const Ask& ask) const
        -> std::invoke_result_t<const Ask&, store::TokenStore&> {
      RETURN_IF_ERROR(call.writes ? view->Reach() : view->ReachToRead());
      if (call.writes) RETURN_IF_ERROR(view->shared_->Fence(view->epoch_));
      return ask(view->shared_->rows().tokens());
    }
  };

  SharedStore* const shared_;
  const std::string holder_;
  Scheduler* const scheduler_;
  const StoreLuck* const luck_;
  store::RecordsAround<Reaching> records_{Reaching{this}};
  store::TokensAround<ReachingTokens> tokens_{ReachingTokens{this}};
  const std::function<void()> die_;
  const std::function<void(absl::Duration)> stall_;
  Random random_;
  int64_t epoch_ = 0;
  bool dead_ = false;
  absl::Duration cut_off_until_ = -absl::InfiniteDuration();
  std::set<std::string> doubtful_;
};

}  // namespace curlew::simulation

#endif  // CURLEW_TESTS_SIMULATION_SHARED_STORE_H_
