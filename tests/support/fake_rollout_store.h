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
#include "controller/store/rollout_store.h"

namespace curlew::testing {

// Not thread-safe, as the contract says.
class FakeRolloutStore : public store::RolloutStore {
 public:
  // From now on every call returns `failure` and changes nothing; OK ends that.
  void FailWith(absl::Status failure) { failure_ = std::move(failure); }

  absl::StatusOr<v1::StoredPlan> PutPlan(const v1::StoredPlan& plan) override {
    RETURN_IF_ERROR(failure_);
    RETURN_IF_ERROR(store::CheckPlanNames(plan));
    for (const auto& [sequence, stored] : plans_) {
      if (stored.name() != plan.name()) continue;
      RETURN_IF_ERROR(store::CheckSamePlan(plan, stored.digest()));
      return stored;
    }
    plans_[++last_sequence_] = plan;
    return plan;
  }

  absl::StatusOr<v1::StoredPlan> GetPlan(const std::string& name) override {
    RETURN_IF_ERROR(failure_);
    for (auto entry = plans_.rbegin(); entry != plans_.rend(); ++entry) {
      const v1::StoredPlan& plan = entry->second;
      if (name == (store::IsPlanResource(name) ? plan.name() : plan.plan().name())) return plan;
    }
    return absl::NotFoundError(absl::StrCat("no plan \"", name, "\" is stored"));
  }

  absl::StatusOr<std::vector<v1::StoredPlan>> ListPlans(const store::Page& page, std::string* next) override {
    return PageOf(plans_, page, next);
  }

  absl::Status PutEnvironments(const std::vector<v1::Environment>& environments) override {
    RETURN_IF_ERROR(failure_);
    for (const v1::Environment& environment : environments) {
      RETURN_IF_ERROR(store::CheckStorableText("the name of an environment", environment.name()));
    }
    environments_ = environments;
    return absl::OkStatus();
  }

  absl::StatusOr<std::vector<v1::Environment>> ListEnvironments() override {
    RETURN_IF_ERROR(failure_);
    return environments_;
  }

  absl::StatusOr<int64_t> Commit(const store::RolloutChange& change) override {
    RETURN_IF_ERROR(failure_);
    RETURN_IF_ERROR(store::CheckNames(change));
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
