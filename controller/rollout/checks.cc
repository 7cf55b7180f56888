#include "controller/rollout/checks.h"

#include <algorithm>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/base/proto_time.h"
#include "controller/rollout/conditions.h"
#include "controller/rollout/failure.h"
#include "controller/rollout/gates.h"
#include "controller/rollout/names.h"
#include "controller/rollout/operators.h"

namespace curlew::rollout {
namespace {

constexpr int kMostSamples = 10;

using Checks = google::protobuf::RepeatedPtrField<v1::HealthCheck>;
using Statuses = google::protobuf::RepeatedPtrField<v1::CheckStatus>;

// Where checks stand: at a gate, or an environment's health.
struct CheckPlace {
  std::string id;
  const Checks* checks = nullptr;
  Statuses* statuses = nullptr;
  v1::EnvironmentStage* stage = nullptr;
  bool health = false;
};

std::vector<CheckPlace> Places(v1::Rollout& rollout) {
  std::vector<CheckPlace> places;
  for (v1::EnvironmentStage& stage : *rollout.mutable_stages()) {
    const auto add = [&](v1::Gate& gate) {
      if (gate.policy().checks().empty()) return;
      places.push_back({gate.id(), &gate.policy().checks(), gate.mutable_checks(), &stage, false});
    };
    add(*stage.mutable_before());
    for (v1::Wave& wave : *stage.mutable_waves()) {
      if (wave.has_before()) add(*wave.mutable_before());
    }
    add(*stage.mutable_before_drop());
    if (!stage.policy().health().empty()) {
      places.push_back({HealthPlace(stage), &stage.policy().health(), stage.mutable_health(), &stage, true});
    }
  }
  return places;
}

const v1::HealthCheck* FindCheck(const Checks& checks, const std::string& name) {
  const auto found = std::find_if(checks.begin(), checks.end(),
                                  [&](const v1::HealthCheck& check) { return check.name() == name; });
  return found == checks.end() ? nullptr : &*found;
}

v1::CheckStatus& StatusOf(Statuses& statuses, const std::string& check, const std::string& target) {
  for (v1::CheckStatus& status : statuses) {
    if (status.check() == check && status.target() == target) return status;
  }
  v1::CheckStatus& status = *statuses.Add();
  status.set_check(check);
  status.set_target(target);
  return status;
}

void Record(Draft& draft, const CheckPlace& place, const v1::HealthCheck& check, const CheckReported& input,
            v1::CheckStatus& status) {
  const v1::CheckState before = status.state();
  // Nobody knows what was meanwhile: it does not hold without a break.
  const bool gap = status.has_time() && StaleAt(check, status) <= draft.now;
  if (before != input.state || gap || !status.has_since()) *status.mutable_since() = base::ToProto(draft.now);
  status.set_state(input.state);
  *status.mutable_time() = base::ToProto(draft.now);
  status.set_failures(input.state == v1::CHECK_STATE_PASSING ? 0 : status.failures() + 1);
  status.set_message(input.message);
  v1::CheckSample& sample = *status.add_samples();
  *sample.mutable_time() = base::ToProto(draft.now);
  sample.set_state(input.state);
  sample.set_value(input.value);
  if (status.samples_size() > kMostSamples) {
    status.mutable_samples()->DeleteSubrange(0, status.samples_size() - kMostSamples);
  }
  if (before == input.state) return;
  std::string message =
      absl::StrCat("check ", check.name(), " of ", place.id, input.target.empty() ? "" : " on ", input.target,
                   " is ", Name(input.state));
  if (before != v1::CHECK_STATE_UNSPECIFIED) absl::StrAppend(&message, ", no longer ", Name(before));
  if (!input.value.empty()) absl::StrAppend(&message, " (", input.value, ")");
  if (!input.message.empty()) absl::StrAppend(&message, ": ", input.message);
  v1::Event& event = AddEvent(draft, v1::EVENT_TYPE_CHECK_CHANGED, std::move(message));
  event.set_target(input.target);
  event.set_actor(input.actor);
}

// Does what the environment says where a health check has failed too often.
void JudgeHealth(Draft& draft, v1::EnvironmentStage& stage, const v1::HealthCheck& check,
                 const CheckReported& input, int failures) {
  if (failures < WithDefaults(check).failure_threshold() || draft.state.state() != v1::ROLLOUT_STATE_RUNNING)
    return;
  if (!IsAtWork(draft.state, stage)) return;
  std::string why = absl::StrCat("health check ", check.name(), " of ", BareName(stage.environment()),
                                 " has failed ", failures, failures == 1 ? " time" : " times in a row",
                                 input.target.empty() ? "" : " on ", input.target);
  if (!input.value.empty()) absl::StrAppend(&why, " (", input.value, ")");
  if (!input.message.empty()) absl::StrAppend(&why, ": ", input.message);
  if (stage.policy().on_unhealthy() == v1::HEALTH_ACTION_ROLLBACK) {
    if (RollBackByPolicy(draft, stage, why)) return;
    absl::StrAppend(&why, "; it cannot be rolled back any more");
  }
  v1::Event& event = AddEvent(draft, v1::EVENT_TYPE_POLICY_ACTED, absl::StrCat("paused: ", why));
  event.set_actor(kPolicyActor);
  event.set_target(input.target);
  Pause(draft, Deed("paused", kPolicyActor, why), kPolicyActor);
}

void Report(Draft& draft, const CheckPlace& place, const v1::HealthCheck& check, const CheckReported& input) {
  v1::CheckStatus& status = StatusOf(*place.statuses, check.name(), input.target);
  Record(draft, place, check, input, status);
  if (place.health && input.state != v1::CHECK_STATE_PASSING) {
    JudgeHealth(draft, *place.stage, check, input, status.failures());
  }
}

// Somebody says how a check stands: wherever there is one of that name that listens.
absl::Status OnWord(Draft& draft, const CheckReported& input) {
  v1::Rollout& rollout = draft.state;
  if (absl::StripAsciiWhitespace(input.actor).empty()) {
    return absl::InvalidArgumentError("the report of a check needs an actor: who says so?");
  }
  if (!Active(rollout)) return Misfit(rollout, "told how a check stands");
  std::vector<std::string> names;
  bool any = false;
  for (const CheckPlace& place : Places(rollout)) {
    for (const v1::HealthCheck& check : *place.checks) {
      if (!check.has_reported()) continue;
      names.push_back(check.name());
      if (check.name() != input.check) continue;
      any = true;
      Report(draft, place, check, input);
    }
  }
  if (any) return absl::OkStatus();
  std::sort(names.begin(), names.end());
  names.erase(std::unique(names.begin(), names.end()), names.end());
  return absl::NotFoundError(absl::StrCat(
      BareName(rollout.name()), " has no check \"", input.check, "\" that somebody reports; ",
      names.empty() ? "it has none of that kind" : absl::StrCat("it has ", absl::StrJoin(names, ", "))));
}

}  // namespace

bool IsAtWork(const v1::Wave& wave) {
  return wave.state() == v1::WAVE_STATE_RUNNING || wave.state() == v1::WAVE_STATE_BAKING ||
         wave.state() == v1::WAVE_STATE_DROPPING || wave.state() == v1::WAVE_STATE_BAKING_DROP;
}

bool IsAtWork(const v1::Rollout& rollout, const v1::EnvironmentStage& stage) {
  if (stage.state() != v1::STAGE_STATE_RUNNING && stage.state() != v1::STAGE_STATE_DROPPING) return false;
  if (std::any_of(stage.waves().begin(), stage.waves().end(),
                  [](const v1::Wave& wave) { return IsAtWork(wave); })) {
    return true;
  }
  // Those that were set aside work on when their wave has passed.
  return std::any_of(rollout.runs().begin(), rollout.runs().end(), [&](const v1::Run& run) {
    return (run.state() == v1::RUN_STATE_RUNNING || run.state() == v1::RUN_STATE_DROPPING) &&
           run.environment() == stage.environment();
  });
}

std::string HealthPlace(const v1::EnvironmentStage& stage) {
  return absl::StrCat(BareName(stage.environment()), "/health");
}

absl::Status OnCheckReported(Draft& draft, const CheckReported& input) {
  if (input.state != v1::CHECK_STATE_PASSING && input.state != v1::CHECK_STATE_FAILING &&
      input.state != v1::CHECK_STATE_ERROR) {
    return absl::InvalidArgumentError(
        absl::StrCat("check ", input.check, " cannot be ", v1::CheckState_Name(input.state)));
  }
  if (input.place.empty()) return OnWord(draft, input);
  if (Ended(draft.state)) return absl::OkStatus();
  for (const CheckPlace& place : Places(draft.state)) {
    if (place.id != input.place) continue;
    const v1::HealthCheck* check = FindCheck(*place.checks, input.check);
    if (check == nullptr || IsPerTarget(*check) == input.target.empty()) break;
    if (!input.target.empty() && FindRun(draft.state, input.target) == nullptr) break;
    Report(draft, place, *check, input);
    break;
  }
  return absl::OkStatus();
}

}  // namespace curlew::rollout
