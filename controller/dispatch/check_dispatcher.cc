#include "controller/dispatch/check_dispatcher.h"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "common/base/error_detail.h"
#include "common/base/log.h"
#include "common/base/status_macros.h"

namespace curlew::dispatch {
namespace {

// Where all that is due is on its way, or cannot be made now.
constexpr absl::Duration kLookAgain = absl::Seconds(1);

bool IsAtAgent(const v1::HealthCheck& check) {
  switch (check.kind_case()) {
    case v1::HealthCheck::kAgent:
    case v1::HealthCheck::kPlan:
      return true;
    case v1::HealthCheck::kPrometheus:
    case v1::HealthCheck::kHttp:
    case v1::HealthCheck::kReported:
    case v1::HealthCheck::KIND_NOT_SET:
      return false;
  }
  return false;
}

bool IsHealth(const rollout::DueCheck& due) { return absl::EndsWith(due.place, "/health"); }

checks::Outcome Error(std::string message) {
  return {.state = v1::CHECK_STATE_ERROR, .value = "", .message = std::move(message)};
}

}  // namespace

void CheckDispatcher::Changed(const std::string& rollout) {
  if (stopped_) return;
  due_.insert(rollout);
  LookSoon();
}

void CheckDispatcher::LookSoon() {
  if (std::exchange(posted_, true)) return;
  loop_->Post([this] {
    posted_ = false;
    Look();
  });
}

void CheckDispatcher::Look() {
  if (stopped_) return;
  const std::set<std::string> due = std::exchange(due_, {});
  std::vector<std::string> names(due.begin(), due.end());
  const auto next = std::upper_bound(names.begin(), names.end(), served_last_);
  std::rotate(names.begin(), next, names.end());
  for (size_t i = 0; i < names.size(); ++i) {
    if (LookAt(names[i])) continue;
    // The rest is looked at when something has ended.
    due_.insert(names.begin() + static_cast<std::ptrdiff_t>(i), names.end());
    return;
  }
}

bool CheckDispatcher::LookAt(const std::string& rollout) {
  const v1::Rollout* state = state_(rollout);
  if (state == nullptr || rollout::Ended(*state)) {
    timers_.erase(rollout);
    queries_.erase(rollout);
    return true;
  }
  for (const rollout::DueCheck& due : rollout::DueChecks(*state, clock_->Now())) {
    const Key key(rollout, due.place, due.check.name(), due.target);
    if (in_flight_.count(key) > 0) continue;
    const TargetEntry* entry = targets_->Find(due.target);
    if (IsHealth(due) && IsAtAgent(due.check) && (entry == nullptr || !entry->ready)) continue;
    if (in_flight() >= options_.most_at_once) return false;
    served_last_ = rollout;
    if (const absl::Status begun = Begin(key, *state, due); !begun.ok()) {
      spdlog::error("{}", base::WithFields(absl::StrCat("check \"", due.check.name(),
                                                        "\" cannot be made, trying again: ", begun.message()),
                                           {{"rollout", rollout}, {"target", due.target}}));
      break;
    }
  }
  LookAgain(*state);
  return true;
}

void CheckDispatcher::LookAgain(const v1::Rollout& state) {
  const int64_t number = timers_[state.name()] = next_timer_++;
  const absl::Time when = rollout::NextCheckTime(state);
  if (when == absl::InfiniteFuture()) return;
  const absl::Duration delay = when - clock_->Now();
  loop_->PostAfter(delay > absl::ZeroDuration() ? delay : kLookAgain, [this, name = state.name(), number] {
    const auto timer = timers_.find(name);
    if (timer != timers_.end() && timer->second == number) Changed(name);
  });
}

absl::Status CheckDispatcher::Begin(const Key& key, const v1::Rollout& state, const rollout::DueCheck& due) {
  v1::RunCheck check;
  *check.mutable_timeout() = due.check.timeout();
  switch (due.check.kind_case()) {
    case v1::HealthCheck::kAgent:
      check.set_configured(due.check.agent().name());
      AskAgent(key, due, std::move(check));
      return absl::OkStatus();
    case v1::HealthCheck::kPlan: {
      ASSIGN_OR_RETURN(*check.mutable_sql(), QueryOf(state, due.check.plan().name()));
      if (check.sql().empty()) break;
      AskAgent(key, due, std::move(check));
      return absl::OkStatus();
    }
    case v1::HealthCheck::kPrometheus:
    case v1::HealthCheck::kHttp:
      if (options_.runner == nullptr) break;
      in_flight_.insert(key);
      options_.runner->Run(due.check, [this, loop = loop_, key](checks::Outcome outcome) {
        loop->Post([this, key, outcome = std::move(outcome)] { Ended(key, outcome); });
      });
      return absl::OkStatus();
    case v1::HealthCheck::kReported:
    case v1::HealthCheck::KIND_NOT_SET:
      break;
  }
  in_flight_.insert(key);
  loop_->Post([this, key, name = due.check.name(), plan = state.plan()] {
    Ended(key, Error(absl::StrCat("there is no way to make check \"", name, "\": ", plan,
                                  " declares none of that name, or this controller makes none of its kind")));
  });
  return absl::OkStatus();
}

void CheckDispatcher::AskAgent(const Key& key, const rollout::DueCheck& due, v1::RunCheck check) {
  in_flight_.insert(key);
  requests_->Ask(due.target, std::move(check), [this, key, due](absl::StatusOr<v1::CheckReport> report) {
    const bool gone = base::Detail(report.status(), base::kReason) == kTargetNotServed;
    if (gone && IsHealth(due)) {
      in_flight_.erase(key);
      return Changed(std::get<0>(key));
    }
    if (!report.ok()) return Ended(key, Error(std::string(report.status().message())));
    const bool known = report->state() == v1::CHECK_STATE_PASSING ||
                       report->state() == v1::CHECK_STATE_FAILING || report->state() == v1::CHECK_STATE_ERROR;
    if (!known) return Ended(key, Error("the agent's answer says nothing"));
    Ended(key, {.state = report->state(), .value = report->value(), .message = report->message()});
  });
}

void CheckDispatcher::Ended(const Key& key, const checks::Outcome& outcome) {
  if (stopped_) return;
  const auto& [rollout, place, check, target] = key;
  // It is in flight until it is stored: before that it would be due still.
  report_(rollout,
          rollout::CheckReported{.place = place,
                                 .check = check,
                                 .target = target,
                                 .state = outcome.state,
                                 .value = outcome.value,
                                 .message = outcome.message},
          [this, key] {
            in_flight_.erase(key);
            // Also where that has changed nothing, and for those who found no room.
            Changed(std::get<0>(key));
          });
}

absl::StatusOr<std::string> CheckDispatcher::QueryOf(const v1::Rollout& state, const std::string& check) {
  auto queries = queries_.find(state.name());
  if (queries == queries_.end()) {
    ASSIGN_OR_RETURN(const v1::StoredPlan stored, store_->GetPlan(state.plan()));
    queries = queries_.emplace(state.name(), std::map<std::string, std::string>()).first;
    for (const v1::PlanCheck& declared : stored.plan().checks()) {
      queries->second[declared.name()] = declared.sql();
    }
  }
  const auto query = queries->second.find(check);
  return query == queries->second.end() ? "" : query->second;
}

}  // namespace curlew::dispatch
