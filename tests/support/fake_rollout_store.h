// A RolloutStore in memory that behaves like the real one, and fails when told to. Needs curlew_store.
#ifndef CURLEW_TESTS_SUPPORT_FAKE_ROLLOUT_STORE_H_
#define CURLEW_TESTS_SUPPORT_FAKE_ROLLOUT_STORE_H_

#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "common/base/status_macros.h"
#include "controller/store/change.h"
#include "controller/store/record.h"
#include "controller/store/rollout_store.h"
#include "controller/store/token.h"

namespace curlew::testing {

// The page of `rows`, by ascending number, newest first.
template <typename Row>
absl::StatusOr<std::vector<Row>> NewestRows(const std::map<int64_t, Row>& rows, const store::Page& page,
                                            std::string* next) {
  ASSIGN_OR_RETURN(const store::PageRange range, store::ReadPage(page));
  std::vector<Row> listed;
  int64_t last = 0;
  next->clear();
  for (auto row = rows.rbegin(); row != rows.rend(); ++row) {
    if (row->first >= range.below) continue;
    if (static_cast<int>(listed.size()) == range.limit) {
      *next = store::PageToken(last);
      break;
    }
    last = row->first;
    listed.push_back(row->second);
  }
  return listed;
}

// What stands beside the rollouts in a FakeRolloutStore. Not thread-safe, as the contract says.
class FakeRecordStore : public store::RecordStore {
 public:
  // As FakeRolloutStore's.
  void FailWith(absl::Status failure) { failure_ = std::move(failure); }

  absl::Status Put(const store::Record& record) override {
    RETURN_IF_ERROR(failure_);
    RETURN_IF_ERROR(store::CheckRecord(record));
    Write(record);
    return absl::OkStatus();
  }

  absl::StatusOr<std::vector<v1::AuditEntry>> ListAudit(int64_t after, int limit) override {
    RETURN_IF_ERROR(failure_);
    std::vector<v1::AuditEntry> entries;
    for (const v1::AuditEntry& entry : audit_) {
      if (entry.number() > after && static_cast<int>(entries.size()) < limit) entries.push_back(entry);
    }
    return entries;
  }

  absl::StatusOr<v1::AuditHead> AuditHead() override {
    RETURN_IF_ERROR(failure_);
    return Head();
  }

  absl::StatusOr<std::vector<v1::Notification>> PendingNotifications(int64_t after, int limit) override {
    RETURN_IF_ERROR(failure_);
    std::vector<v1::Notification> pending;
    for (auto entry = notifications_.upper_bound(after);
         entry != notifications_.end() && static_cast<int>(pending.size()) < limit; ++entry) {
      pending.push_back(entry->second);
    }
    return pending;
  }

  absl::Status RemoveNotification(int64_t id) override {
    RETURN_IF_ERROR(failure_);
    notifications_.erase(id);
    return absl::OkStatus();
  }

  absl::Status UpdateNotification(const v1::Notification& notification) override {
    RETURN_IF_ERROR(failure_);
    RETURN_IF_ERROR(store::CheckNotification(notification));
    const auto kept = notifications_.find(notification.id());
    if (kept == notifications_.end()) {
      return absl::NotFoundError(absl::StrCat("notification ", notification.id(), " is gone"));
    }
    kept->second = notification;
    return absl::OkStatus();
  }

  absl::StatusOr<v1::TargetRecord> AddTargetRecord(const v1::TargetRecord& target_record,
                                                   const store::Record& record) override {
    RETURN_IF_ERROR(failure_);
    RETURN_IF_ERROR(store::CheckTargetRecord(target_record));
    RETURN_IF_ERROR(store::CheckRecord(record));
    std::map<int64_t, v1::TargetRecord>& records = target_records_[target_record.target()];
    if (!records.empty() && store::IsRecorded(records.rbegin()->second, target_record)) {
      return records.rbegin()->second;
    }
    v1::TargetRecord added = target_record;
    added.set_number(static_cast<int64_t>(records.size()) + 1);
    records[added.number()] = added;
    Write(record);
    return added;
  }

  absl::StatusOr<v1::TargetRecord> NewestTargetRecord(const std::string& target) override {
    RETURN_IF_ERROR(failure_);
    const auto found = target_records_.find(target);
    if (found == target_records_.end()) {
      return absl::NotFoundError(absl::StrCat("nothing is on record of target \"", target, "\""));
    }
    return found->second.rbegin()->second;
  }

  absl::StatusOr<std::vector<v1::TargetRecord>> ListTargetRecords(const std::string& target,
                                                                  const store::Page& page,
                                                                  std::string* next) override {
    RETURN_IF_ERROR(failure_);
    std::vector<v1::TargetRecord> listed;
    if (target.empty()) {
      ASSIGN_OR_RETURN(const store::TargetRange range, store::ReadTargetPage(page));
      next->clear();
      for (auto of = target_records_.upper_bound(range.after); of != target_records_.end(); ++of) {
        if (static_cast<int>(listed.size()) == range.limit) {
          *next = store::TargetPageToken(listed.back().target());
          break;
        }
        listed.push_back(of->second.rbegin()->second);
      }
    } else {
      const auto found = target_records_.find(target);
      ASSIGN_OR_RETURN(
          listed,
          NewestRows(found == target_records_.end() ? decltype(found->second)() : found->second, page, next));
    }
    for (v1::TargetRecord& record : listed) record.clear_schema_json();
    return listed;
  }

  // As part of a change that is made anyhow; after CheckRecord.
  void Write(const store::Record& record) {
    for (v1::AuditEntry& entry : store::FollowOn(Head(), record.audit)) audit_.push_back(std::move(entry));
    for (v1::Notification notification : record.notifications) {
      notification.set_id(++last_notification_);
      notifications_[notification.id()] = std::move(notification);
    }
  }

 private:
  v1::AuditHead Head() const {
    v1::AuditHead head = store::EmptyAuditHead();
    if (audit_.empty()) return head;
    head.set_number(audit_.back().number());
    head.set_hash(audit_.back().hash());
    return head;
  }

  absl::Status failure_;
  std::vector<v1::AuditEntry> audit_;
  int64_t last_notification_ = 0;
  std::map<int64_t, v1::Notification> notifications_;
  std::map<std::string, std::map<int64_t, v1::TargetRecord>> target_records_;
};

// The tokens of a FakeRolloutStore. Not thread-safe, as the contract says.
class FakeTokenStore : public store::TokenStore {
 public:
  // `records` must outlive it.
  explicit FakeTokenStore(FakeRecordStore* records) : records_(records) {}

  // As FakeRolloutStore's.
  void FailWith(absl::Status failure) { failure_ = std::move(failure); }

  absl::Status AddToken(const store::TokenEntry& entry, const store::Record& record) override {
    RETURN_IF_ERROR(failure_);
    RETURN_IF_ERROR(store::CheckToken(entry));
    RETURN_IF_ERROR(store::CheckRecord(record));
    for (const auto& [sequence, kept] : entries_) {
      if (kept.hash == entry.hash) return store::SameHash(kept.token.name());
    }
    if (const store::TokenEntry* newest = Newest(entry.token.name()); newest != nullptr) {
      RETURN_IF_ERROR(store::CheckFollows(newest->token, entry.token));
    }
    entries_[static_cast<int64_t>(entries_.size()) + 1] = entry;
    records_->Write(record);
    return absl::OkStatus();
  }

  absl::StatusOr<v1::Token> RevokeToken(const v1::Token& revocation, const store::Record& record) override {
    RETURN_IF_ERROR(failure_);
    RETURN_IF_ERROR(store::CheckRevocation(revocation));
    RETURN_IF_ERROR(store::CheckRecord(record));
    store::TokenEntry* const newest = Newest(revocation.name());
    if (newest == nullptr) return store::NoToken(revocation.name());
    if (newest->token.has_revoke_time()) return newest->token;
    newest->token = store::Revoked(newest->token, revocation);
    records_->Write(record);
    return newest->token;
  }

  absl::StatusOr<std::vector<store::TokenEntry>> ListTokens(const store::Page& page,
                                                            std::string* next) override {
    RETURN_IF_ERROR(failure_);
    return NewestRows(entries_, page, next);
  }

 private:
  store::TokenEntry* Newest(const std::string& name) {
    for (auto entry = entries_.rbegin(); entry != entries_.rend(); ++entry) {
      if (entry->second.token.name() == name) return &entry->second;
    }
    return nullptr;
  }

  FakeRecordStore* const records_;
  absl::Status failure_;
  std::map<int64_t, store::TokenEntry> entries_;  // in the order of their arrival
};

// Not thread-safe, as the contract says.
class FakeRolloutStore : public store::RolloutStore {
 public:
  // From now on every call returns `failure` and changes nothing; OK ends that.
  void FailWith(absl::Status failure) {
    records_.FailWith(failure);
    tokens_.FailWith(failure);
    failure_ = std::move(failure);
  }

  absl::StatusOr<v1::StoredPlan> PutPlan(const v1::StoredPlan& plan, const store::Record& record) override {
    RETURN_IF_ERROR(failure_);
    RETURN_IF_ERROR(store::CheckPlanNames(plan));
    RETURN_IF_ERROR(store::CheckRecord(record));
    for (const auto& [sequence, stored] : plans_) {
      if (stored.name() != plan.name()) continue;
      RETURN_IF_ERROR(store::CheckSamePlan(plan, stored.digest()));
      return stored;
    }
    plans_[++last_sequence_] = plan;
    records_.Write(record);
    return plan;
  }

  absl::StatusOr<v1::StoredPlan> PutPlanSignature(const std::string& plan, const v1::PlanSignature& signature,
                                                  const store::Record& record) override {
    RETURN_IF_ERROR(failure_);
    RETURN_IF_ERROR(store::CheckRecord(record));
    for (auto& [sequence, stored] : plans_) {
      if (stored.name() != plan) continue;
      if (store::AddSignature(signature, &stored)) records_.Write(record);
      return stored;
    }
    return store::NoPlan(plan);
  }

  absl::StatusOr<v1::StoredPlan> GetPlan(const std::string& name) override {
    RETURN_IF_ERROR(failure_);
    for (auto entry = plans_.rbegin(); entry != plans_.rend(); ++entry) {
      const v1::StoredPlan& plan = entry->second;
      if (name == (store::IsPlanResource(name) ? plan.name() : plan.plan().name())) return plan;
    }
    return store::NoPlan(name);
  }

  absl::StatusOr<std::vector<v1::StoredPlan>> ListPlans(const store::Page& page, std::string* next) override {
    return PageOf(plans_, page, next);
  }

  absl::Status PutEnvironments(const std::vector<v1::Environment>& environments,
                               const store::Record& record) override {
    RETURN_IF_ERROR(failure_);
    RETURN_IF_ERROR(store::CheckRecord(record));
    for (const v1::Environment& environment : environments) {
      RETURN_IF_ERROR(store::CheckStorableText("the name of an environment", environment.name()));
    }
    environments_ = environments;
    records_.Write(record);
    return absl::OkStatus();
  }

  absl::StatusOr<std::vector<v1::Environment>> ListEnvironments() override {
    RETURN_IF_ERROR(failure_);
    return environments_;
  }

  absl::StatusOr<int64_t> Commit(const store::RolloutChange& change) override {
    RETURN_IF_ERROR(failure_);
    RETURN_IF_ERROR(store::CheckNames(change));
    RETURN_IF_ERROR(store::CheckRecord(change.record));
    const std::string& name = change.rollout.name();
    store::VersionedRollout* const old = Find(name);
    std::optional<store::StoredState> stored;
    if (old != nullptr) {
      const std::vector<v1::Event>& events = events_[name];
      stored = {.version = old->version,
                .last_event = old->rollout.last_event(),
                .first_event = events.empty() ? 0 : events.front().number()};
    }
    RETURN_IF_ERROR(store::CheckChange(change, stored));
    store::VersionedRollout& rollout = old != nullptr ? *old : rollouts_[++last_sequence_];
    rollout = {.version = change.expected_version + 1, .rollout = change.rollout};
    events_[name].insert(events_[name].end(), change.events.begin(), change.events.end());
    std::erase_if(events_[name],
                  [&](const v1::Event& event) { return event.number() < change.trim_events_below; });
    for (store::OutboxEntry entry : change.outbox) {
      entry.id = ++last_outbox_id_;
      outbox_[entry.id] = std::move(entry);
    }
    for (int64_t id : change.outbox_done) outbox_.erase(id);
    if (change.pin.has_value()) compiled_plans_[change.pin->run] = change.pin->plan;
    records_.Write(change.record);
    return rollout.version;
  }

  absl::StatusOr<store::VersionedRollout> GetRollout(const std::string& name) override {
    RETURN_IF_ERROR(failure_);
    const store::VersionedRollout* const found = Find(name);
    if (found == nullptr) return absl::NotFoundError(absl::StrCat("there is no rollout \"", name, "\""));
    return *found;
  }

  absl::StatusOr<std::vector<store::VersionedRollout>> ListRollouts(const store::Page& page,
                                                                    std::string* next) override {
    return PageOf(rollouts_, page, next);
  }

  absl::StatusOr<std::vector<v1::Event>> ListEvents(const std::string& rollout, int64_t after,
                                                    int limit) override {
    RETURN_IF_ERROR(failure_);
    std::vector<v1::Event> events;
    for (const v1::Event& event : events_[rollout]) {
      if (event.number() > after && static_cast<int>(events.size()) < limit) events.push_back(event);
    }
    return events;
  }

  absl::StatusOr<v1::CompiledPlan> GetCompiledPlan(const std::string& run) override {
    RETURN_IF_ERROR(failure_);
    const auto found = compiled_plans_.find(run);
    if (found == compiled_plans_.end())
      return absl::NotFoundError(absl::StrCat(run, " has not been compiled"));
    return found->second;
  }

  absl::StatusOr<std::vector<store::OutboxEntry>> PendingOutbox() override {
    RETURN_IF_ERROR(failure_);
    std::vector<store::OutboxEntry> entries;
    for (const auto& [id, entry] : outbox_) entries.push_back(entry);
    return entries;
  }

  store::RecordStore& records() override { return records_; }
  store::TokenStore& tokens() override { return tokens_; }

 private:
  store::VersionedRollout* Find(const std::string& name) {
    for (auto& [sequence, stored] : rollouts_) {
      if (stored.rollout.name() == name) return &stored;
    }
    return nullptr;
  }

  template <typename Row>
  absl::StatusOr<std::vector<Row>> PageOf(const std::map<int64_t, Row>& rows, const store::Page& page,
                                          std::string* next) {
    RETURN_IF_ERROR(failure_);
    return NewestRows(rows, page, next);
  }

  FakeRecordStore records_;
  FakeTokenStore tokens_{&records_};
  absl::Status failure_;
  int64_t last_sequence_ = 0;
  int64_t last_outbox_id_ = 0;
  // By sequence number: in the order of their arrival.
  std::map<int64_t, v1::StoredPlan> plans_;
  std::map<int64_t, store::VersionedRollout> rollouts_;
  std::vector<v1::Environment> environments_;
  std::map<std::string, std::vector<v1::Event>> events_;
  std::map<std::string, v1::CompiledPlan> compiled_plans_;
  std::map<int64_t, store::OutboxEntry> outbox_;
};

}  // namespace curlew::testing

#endif  // CURLEW_TESTS_SUPPORT_FAKE_ROLLOUT_STORE_H_
