#include "controller/rollout/conditions.h"

#include <algorithm>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/base/proto_time.h"
#include "common/plan/health_checks.h"
#include "common/plan/window.h"
#include "controller/rollout/draft.h"
#include "controller/rollout/names.h"

namespace curlew::rollout {
namespace {

constexpr char kTarget[] = "{target}";
// How often a check may fail to come before its last answer does not count any more.
constexpr int kMissed = 3;
constexpr size_t kMostNames = 3;

// One gate being judged.
class Judgement {
 public:
  Judgement(const v1::Rollout& rollout, const GatePlace& place, const v1::Gate& gate, absl::Time now)
      : rollout_(rollout), place_(place), gate_(gate), now_(now) {}

  Verdict Give() && {
    Approvals();
    verdict_.approved = verdict_.causes.empty();
    verdict_.by_windows = verdict_.approved;
    if (gate_.has_skip()) {
      verdict_.passable = true;
      return std::move(verdict_);
    }
    const size_t others = verdict_.causes.size();
    Soak();
    Checks();
    if (verdict_.causes.size() > others) verdict_.by_windows = false;
    Windows();
    verdict_.passable = verdict_.causes.size() == others;
    return std::move(verdict_);
  }

 private:
  absl::Time Since() const { return gate_.has_reached_time() ? base::FromProto(gate_.reached_time()) : now_; }

  v1::Waiting& Add(v1::WaitCause cause, std::string message, absl::Time since) {
    v1::Waiting waiting = NewWaiting(cause, std::move(message), since);
    waiting.set_gate(gate_.id());
    return verdict_.causes.emplace_back(std::move(waiting));
  }
  void ChangesAt(absl::Time time) {
    if (time > now_) verdict_.change = std::min(verdict_.change, time);
  }

  void Approvals() {
    const int missing = gate_.required_approvals() - CountedApprovals(gate_, now_);
    for (const v1::Approval& approval : gate_.approvals()) {
      if (approval.void_reason().empty() && approval.has_expire_time()) {
        ChangesAt(base::FromProto(approval.expire_time()));
      }
    }
    if (missing <= 0) return;
    Add(v1::WAIT_CAUSE_APPROVAL,
        absl::StrCat("gate ", gate_.id(), " needs ", missing, " more approval", missing == 1 ? "" : "s",
                     ": curlew rollout approve ", BareName(rollout_.name()), " --gate ", gate_.id()),
        Since());
  }

  void Soak() {
    const absl::Time until = Since() + base::FromProto(gate_.policy().soak());
    if (until <= now_) return;
    *Add(v1::WAIT_CAUSE_SOAK, absl::StrCat("gate ", gate_.id(), " opens after its soak, ", TimeText(until)),
         Since())
         .mutable_until() = base::ToProto(until);
    ChangesAt(until);
  }

  void Windows() {
    if (gate_.policy().windows().empty()) return;
    absl::Time opens = absl::InfiniteFuture();
    std::vector<std::string> texts;
    for (const v1::Window& proto : gate_.policy().windows()) {
      const absl::StatusOr<plan::Window> window = plan::Window::Parse(proto);
      if (!window.ok()) {
        texts.push_back(std::string(window.status().message()));
        continue;
      }
      if (window->IsOpen(now_)) return;
      opens = std::min(opens, window->NextOpening(now_));
      texts.push_back(window->text());
    }
    v1::Waiting& waiting =
        Add(v1::WAIT_CAUSE_WINDOW,
            absl::StrCat("gate ", gate_.id(), " is outside its windows (", absl::StrJoin(texts, "; "), ")",
                         opens == absl::InfiniteFuture() ? "" : ": the next opens at ",
                         opens == absl::InfiniteFuture() ? "" : TimeText(opens)),
            now_);
    if (opens == absl::InfiniteFuture()) return;
    *waiting.mutable_until() = base::ToProto(opens);
    ChangesAt(opens);
  }

  void Checks() {
    if (gate_.policy().checks().empty()) return;
    const StatusIndex index(gate_.checks());
    std::vector<std::string> targets;
    bool listed = false;
    for (const v1::HealthCheck& check : gate_.policy().checks()) {
      if (!IsPerTarget(check)) {
        Check(check, index, {""});
        continue;
      }
      if (!std::exchange(listed, true)) targets = CheckedTargets(rollout_, place_);
      Check(check, index, targets);
    }
  }

  void Check(const v1::HealthCheck& check, const StatusIndex& index,
             const std::vector<std::string>& targets) {
    std::vector<std::string> bad, open;
    std::string what;
    absl::Time since = absl::InfiniteFuture(), until = absl::InfinitePast();
    for (const std::string& target : targets) {
      const v1::CheckStatus* status = index.Find(check.name(), target);
      if (status == nullptr || status->state() == v1::CHECK_STATE_UNSPECIFIED ||
          StaleAt(check, *status) <= now_) {
        if (bad.empty()) what = status == nullptr ? "has not been made yet" : "has no new answer";
        bad.push_back(target);
        since = std::min(since, status == nullptr ? Since() : base::FromProto(status->time()));
        until = absl::InfiniteFuture();
        continue;
      }
      const absl::Time stands = base::FromProto(status->since());
      if (status->state() != v1::CHECK_STATE_PASSING) {
        if (bad.empty()) {
          what = absl::StrCat("is ", Name(status->state()), target.empty() ? "" : " on ", target,
                              status->message().empty() ? "" : ": ", status->message());
        }
        bad.push_back(target);
        since = std::min(since, stands);
        until = absl::InfiniteFuture();
        continue;
      }
      ChangesAt(StaleAt(check, *status));
      const absl::Time holds = stands + base::FromProto(check.hold());
      if (holds <= now_) continue;
      ChangesAt(holds);
      open.push_back(target);
      since = std::min(since, stands);
      until = std::max(until, holds);
    }
    if (bad.empty() && open.empty()) return;
    if (bad.empty()) {
      what = absl::StrCat("holds, and must hold without a break until ", TimeText(until));
    } else if (bad.size() > 1) {
      absl::StrAppend(&what, " (", bad.size(), " targets: ", Some(bad, kMostNames), ")");
    }
    v1::Waiting& waiting =
        Add(v1::WAIT_CAUSE_CHECK, absl::StrCat("check ", check.name(), " of gate ", gate_.id(), " ", what),
            since);
    if (bad.empty()) *waiting.mutable_until() = base::ToProto(until);
    const std::vector<std::string>& first = bad.empty() ? open : bad;
    if (first.size() == 1) waiting.set_target(first.front());
  }

  const v1::Rollout& rollout_;
  const GatePlace& place_;
  const v1::Gate& gate_;
  const absl::Time now_;
  Verdict verdict_;
};

}  // namespace

Verdict Judge(const v1::Rollout& rollout, const GatePlace& place, const v1::Gate& gate, absl::Time now) {
  return Judgement(rollout, place, gate, now).Give();
}

std::optional<v1::Waiting> FrozenBy(const v1::EnvironmentStage& stage, absl::Time now) {
  std::optional<v1::Waiting> frozen;
  for (const v1::Freeze& proto : stage.policy().freezes()) {
    const absl::StatusOr<plan::Freeze> freeze = plan::Freeze::Parse(proto);
    absl::Time until = absl::InfiniteFuture();
    std::string why = proto.reason().empty() ? "" : absl::StrCat(": ", proto.reason());
    if (freeze.ok()) {
      const std::optional<absl::Time> ends = freeze->EndsAt(now);
      if (!ends.has_value()) continue;
      until = *ends;
    } else {
      // What cannot be read must not be passed.
      why = absl::StrCat(": ", freeze.status().message());
    }
    if (frozen.has_value() && (!frozen->has_until() || base::FromProto(frozen->until()) >= until)) continue;
    frozen = NewWaiting(
        v1::WAIT_CAUSE_FREEZE,
        absl::StrCat(BareName(stage.environment()), " is frozen",
                     until == absl::InfiniteFuture() ? "" : absl::StrCat(" until ", TimeText(until)), why),
        now);
    if (until != absl::InfiniteFuture()) *frozen->mutable_until() = base::ToProto(until);
  }
  return frozen;
}

bool HasConditions(const v1::GatePolicy& policy) {
  return policy.approvals() > 0 || base::FromProto(policy.soak()) > absl::ZeroDuration() ||
         !policy.windows().empty() || !policy.checks().empty();
}

int CountedApprovals(const v1::Gate& gate, absl::Time now) {
  return static_cast<int>(
      std::count_if(gate.approvals().begin(), gate.approvals().end(), [&](const v1::Approval& approval) {
        return approval.void_reason().empty() &&
               (!approval.has_expire_time() || base::FromProto(approval.expire_time()) > now);
      }));
}

bool IsPerTarget(const v1::HealthCheck& check) {
  switch (check.kind_case()) {
    case v1::HealthCheck::kAgent:
    case v1::HealthCheck::kPlan:
      return true;
    case v1::HealthCheck::kPrometheus:
      return absl::StrContains(check.prometheus().query(), kTarget) ||
             absl::StrContains(check.prometheus().url(), kTarget);
    case v1::HealthCheck::kHttp:
      return absl::StrContains(check.http().url(), kTarget);
    case v1::HealthCheck::kReported:
    case v1::HealthCheck::KIND_NOT_SET:
      return false;
  }
  return false;
}

v1::HealthCheck WithDefaults(v1::HealthCheck check) {
  const auto fill = [](google::protobuf::Duration* duration, absl::Duration otherwise) {
    if (base::FromProto(*duration) <= absl::ZeroDuration()) *duration = base::ToProto(otherwise);
  };
  fill(check.mutable_interval(), plan::kCheckInterval);
  fill(check.mutable_timeout(), plan::kCheckTimeout);
  if (check.failure_threshold() <= 0) check.set_failure_threshold(plan::kCheckFailures);
  return check;
}

absl::Duration IntervalOf(const v1::HealthCheck& check) {
  return base::FromProto(WithDefaults(check).interval());
}

std::vector<std::string> CheckedTargets(const v1::Rollout& rollout, const GatePlace& place) {
  std::vector<std::string> targets;
  for (const v1::Run& run : rollout.runs()) {
    if (run.environment() != place.stage->environment()) continue;
    if (place.wave != nullptr && run.wave() != place.wave->name()) continue;
    const bool out = run.state() == v1::RUN_STATE_SKIPPED || run.state() == v1::RUN_STATE_FAILED ||
                     run.state() == v1::RUN_STATE_ROLLED_BACK || (run.set_aside() && run.epoch() == 0);
    if (!out) targets.push_back(run.target());
  }
  return targets;
}

StatusIndex::StatusIndex(const google::protobuf::RepeatedPtrField<v1::CheckStatus>& statuses) {
  for (const v1::CheckStatus& status : statuses) by_name_[{status.check(), status.target()}] = &status;
}

const v1::CheckStatus* StatusIndex::Find(const std::string& check, const std::string& target) const {
  const auto found = by_name_.find({check, target});
  return found == by_name_.end() ? nullptr : found->second;
}

absl::Time StaleAt(const v1::HealthCheck& check, const v1::CheckStatus& status) {
  const absl::Time made = base::FromProto(status.time());
  if (check.has_reported()) {
    const absl::Duration expires = base::FromProto(check.reported().expires());
    return expires > absl::ZeroDuration() ? made + expires : absl::InfiniteFuture();
  }
  const v1::HealthCheck whole = WithDefaults(check);
  return made + kMissed * base::FromProto(whole.interval()) + base::FromProto(whole.timeout());
}

v1::Waiting NewWaiting(v1::WaitCause cause, std::string message, absl::Time since) {
  v1::Waiting waiting;
  waiting.set_cause(cause);
  waiting.set_message(std::move(message));
  *waiting.mutable_since() = base::ToProto(since);
  return waiting;
}

std::string TimeText(absl::Time time) {
  return absl::FormatTime("%Y-%m-%d %H:%M:%S UTC", time, absl::UTCTimeZone());
}

std::string Some(const std::vector<std::string>& names, size_t most) {
  if (names.size() <= most) return absl::StrJoin(names, ", ");
  return absl::StrCat(absl::StrJoin(names.begin(), names.begin() + most, ", "), " and ", names.size() - most,
                      " more");
}

}  // namespace curlew::rollout
