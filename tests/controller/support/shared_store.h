// A store that tests and the engine's thread can both touch.
#ifndef CURLEW_TESTS_CONTROLLER_SUPPORT_SHARED_STORE_H_
#define CURLEW_TESTS_CONTROLLER_SUPPORT_SHARED_STORE_H_

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/synchronization/mutex.h"
#include "tests/support/fake_rollout_store.h"

namespace curlew::testing {

// A FakeRolloutStore behind a lock. Thread-safe.
class SharedStore : public store::RolloutStore {
 public:
  SharedStore() : records_(this), tokens_(this) {}

  // See FakeRolloutStore.
  void FailWith(absl::Status failure) {
    absl::MutexLock lock(&mutex_);
    store_.FailWith(std::move(failure));
  }
  // Commits are stored from now on, but reported as failed, as after a power cut in the middle of one.
  void LoseAnswersOfCommits(absl::Status failure) {
    absl::MutexLock lock(&mutex_);
    lost_answer_ = std::move(failure);
  }
  // Calls hang until what this returns is gone.
  std::unique_ptr<absl::MutexLock> Freeze() { return std::make_unique<absl::MutexLock>(&mutex_); }
  // How many commits were stored.
  int commits() {
    absl::MutexLock lock(&mutex_);
    return commits_;
  }

  absl::StatusOr<v1::StoredPlan> PutPlan(const v1::StoredPlan& plan, const store::Record& record) override {
    absl::MutexLock lock(&mutex_);
    return store_.PutPlan(plan, record);
  }
  absl::StatusOr<v1::StoredPlan> PutPlanSignature(const std::string& plan, const v1::PlanSignature& signature,
                                                  const store::Record& record) override {
    absl::MutexLock lock(&mutex_);
    return store_.PutPlanSignature(plan, signature, record);
  }
  absl::StatusOr<v1::StoredPlan> GetPlan(const std::string& name) override {
    absl::MutexLock lock(&mutex_);
    return store_.GetPlan(name);
  }
  absl::StatusOr<std::vector<v1::StoredPlan>> ListPlans(const store::Page& page, std::string* next) override {
    absl::MutexLock lock(&mutex_);
    return store_.ListPlans(page, next);
  }
  absl::Status PutEnvironments(const std::vector<v1::Environment>& environments,
                               const store::Record& record) override {
    absl::MutexLock lock(&mutex_);
    return store_.PutEnvironments(environments, record);
  }
  absl::StatusOr<std::vector<v1::Environment>> ListEnvironments() override {
    absl::MutexLock lock(&mutex_);
    return store_.ListEnvironments();
  }
  absl::StatusOr<int64_t> Commit(const store::RolloutChange& change) override {
    absl::MutexLock lock(&mutex_);
    auto version = store_.Commit(change);
    if (version.ok()) ++commits_;
    if (version.ok() && !lost_answer_.ok()) return lost_answer_;
    return version;
  }
  absl::StatusOr<store::VersionedRollout> GetRollout(const std::string& name) override {
    absl::MutexLock lock(&mutex_);
    return store_.GetRollout(name);
  }
  absl::StatusOr<std::vector<store::VersionedRollout>> ListRollouts(const store::Page& page,
                                                                    std::string* next) override {
    absl::MutexLock lock(&mutex_);
    return store_.ListRollouts(page, next);
  }
  absl::StatusOr<std::vector<v1::Event>> ListEvents(const std::string& rollout, int64_t after,
                                                    int limit) override {
    absl::MutexLock lock(&mutex_);
    return store_.ListEvents(rollout, after, limit);
  }
  absl::StatusOr<v1::CompiledPlan> GetCompiledPlan(const std::string& run) override {
    absl::MutexLock lock(&mutex_);
    return store_.GetCompiledPlan(run);
  }
  absl::StatusOr<std::vector<store::OutboxEntry>> PendingOutbox() override {
    absl::MutexLock lock(&mutex_);
    return store_.PendingOutbox();
  }
  store::RecordStore& records() override { return records_; }
  store::TokenStore& tokens() override { return tokens_; }

 private:
  // The records of the same store, behind the same lock.
  class SharedRecords : public store::RecordStore {
   public:
    explicit SharedRecords(SharedStore* owner) : owner_(owner) {}

    absl::Status Put(const store::Record& record) override {
      absl::MutexLock lock(&owner_->mutex_);
      return owner_->store_.records().Put(record);
    }
    absl::StatusOr<std::vector<v1::AuditEntry>> ListAudit(int64_t after, int limit) override {
      absl::MutexLock lock(&owner_->mutex_);
      return owner_->store_.records().ListAudit(after, limit);
    }
    absl::StatusOr<v1::AuditHead> AuditHead() override {
      absl::MutexLock lock(&owner_->mutex_);
      return owner_->store_.records().AuditHead();
    }
    absl::StatusOr<std::vector<v1::Notification>> PendingNotifications(int64_t after, int limit) override {
      absl::MutexLock lock(&owner_->mutex_);
      return owner_->store_.records().PendingNotifications(after, limit);
    }
    absl::Status RemoveNotification(int64_t id) override {
      absl::MutexLock lock(&owner_->mutex_);
      return owner_->store_.records().RemoveNotification(id);
    }
    absl::Status UpdateNotification(const v1::Notification& notification) override {
      absl::MutexLock lock(&owner_->mutex_);
      return owner_->store_.records().UpdateNotification(notification);
    }
    absl::StatusOr<v1::TargetRecord> AddTargetRecord(const v1::TargetRecord& target_record,
                                                     const store::Record& record) override {
      absl::MutexLock lock(&owner_->mutex_);
      return owner_->store_.records().AddTargetRecord(target_record, record);
    }
    absl::StatusOr<v1::TargetRecord> NewestTargetRecord(const std::string& target) override {
      absl::MutexLock lock(&owner_->mutex_);
      return owner_->store_.records().NewestTargetRecord(target);
    }
    absl::StatusOr<std::vector<v1::TargetRecord>> ListTargetRecords(const std::string& target,
                                                                    const store::Page& page,
                                                                    std::string* next) override {
      absl::MutexLock lock(&owner_->mutex_);
      return owner_->store_.records().ListTargetRecords(target, page, next);
    }

   private:
    SharedStore* const owner_;
  };
  // The same of the tokens.
  class SharedTokens : public store::TokenStore {
   public:
    explicit SharedTokens(SharedStore* owner) : owner_(owner) {}

    absl::Status AddToken(const store::TokenEntry& entry, const store::Record& record) override {
      absl::MutexLock lock(&owner_->mutex_);
      return owner_->store_.tokens().AddToken(entry, record);
    }
    absl::StatusOr<v1::Token> RevokeToken(const v1::Token& revocation, const store::Record& record) override {
      absl::MutexLock lock(&owner_->mutex_);
      return owner_->store_.tokens().RevokeToken(revocation, record);
    }
    absl::StatusOr<std::vector<store::TokenEntry>> ListTokens(const store::Page& page,
                                                              std::string* next) override {
      absl::MutexLock lock(&owner_->mutex_);
      return owner_->store_.tokens().ListTokens(page, next);
    }

   private:
    SharedStore* const owner_;
  };

  absl::Mutex mutex_;
  FakeRolloutStore store_ ABSL_GUARDED_BY(mutex_);
  absl::Status lost_answer_ ABSL_GUARDED_BY(mutex_);
  int commits_ ABSL_GUARDED_BY(mutex_) = 0;
  SharedRecords records_;
  SharedTokens tokens_;
};

}  // namespace curlew::testing

#endif  // CURLEW_TESTS_CONTROLLER_SUPPORT_SHARED_STORE_H_
