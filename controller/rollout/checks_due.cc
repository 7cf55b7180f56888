#include <algorithm>
#include <functional>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_replace.h"
#include "common/base/proto_time.h"
#include "controller/rollout/checks.h"
#include "controller/rollout/conditions.h"
#include "controller/rollout/gates.h"
#include "controller/rollout/machine.h"

namespace curlew::rollout {
namespace {

using Checks = google::protobuf::RepeatedPtrField<v1::HealthCheck>;
using Statuses = google::protobuf::RepeatedPtrField<v1::CheckStatus>;

// A check that is wanted, and how it stands; null where it was not made yet.
using Visit = std::function<void(const std::string& place, const v1::EnvironmentStage& stage,
                                 const v1::HealthCheck& check, const std::string& target,
                                 const v1::CheckStatus* status)>;

void VisitList(const std::string& place, const v1::EnvironmentStage& stage, const Checks& checks,
               const Statuses& statuses, const std::function<std::vector<std::string>()>& targets,
               const Visit& visit) {
  const StatusIndex index(statuses);
  for (const v1::HealthCheck& check : checks) {
    if (check.has_reported()) continue;
    if (!IsPerTarget(check)) {
      visit(place, stage, check, "", index.Find(check.name(), ""));
      continue;
    }
    for (const std::string& target : targets()) {
      visit(place, stage, check, target, index.Find(check.name(), target));
    }
  }
}

void VisitGate(const v1::Rollout& state, const GatePlace& place, const v1::Gate& gate, const Visit& visit) {
  if (gate.policy().checks().empty() || gate.has_skip() || !IsWanted(place, gate)) return;
  VisitList(
      gate.id(), *place.stage, gate.policy().checks(), gate.checks(),
      [&] { return CheckedTargets(state, place); }, visit);
}

// All that are wanted now, in the order of the pipeline.
void VisitWanted(const v1::Rollout& state, const Visit& visit) {
  // Also while an operator has paused it: to see whether it can go on.
  if (state.state() != v1::ROLLOUT_STATE_RUNNING && state.state() != v1::ROLLOUT_STATE_PAUSED) return;
  for (const v1::EnvironmentStage& stage : state.stages()) {
    VisitGate(state, {&stage, nullptr}, stage.before(), visit);
    for (const v1::Wave& wave : stage.waves()) {
      if (wave.has_before()) VisitGate(state, {&stage, &wave}, wave.before(), visit);
    }
    VisitGate(state, {&stage, nullptr}, stage.before_drop(), visit);
    if (stage.policy().health().empty() || !IsAtWork(state, stage)) continue;
    VisitList(
        HealthPlace(stage), stage, stage.policy().health(), stage.health(),
        [&] {
          std::vector<std::string> targets;
          for (const v1::Wave& wave : stage.waves()) {
            if (!IsAtWork(wave)) continue;
            const std::vector<std::string> of_wave = CheckedTargets(state, {&stage, &wave});
            targets.insert(targets.end(), of_wave.begin(), of_wave.end());
          }
          return targets;
        },
        visit);
  }
}

absl::Time DueAt(const v1::HealthCheck& check, const v1::CheckStatus* status) {
  if (status == nullptr) return absl::InfinitePast();
  return base::FromProto(status->time()) + IntervalOf(check);
}

// As it may stand in any part of a URL.
std::string Encoded(absl::string_view name) {
  std::string encoded;
  for (const char c : name) {
    const bool plain = absl::ascii_isalnum(c) || c == '-' || c == '.' || c == '_' || c == '~';
    absl::StrAppend(&encoded,
                    plain ? std::string(1, c) : absl::StrFormat("%%%02X", static_cast<unsigned char>(c)));
  }
  return encoded;
}

// As it may stand between quotes in PromQL.
std::string Quoted(absl::string_view name) {
  return absl::StrReplaceAll(name, {{"\\", "\\\\"}, {"\"", "\\\""}});
}

v1::HealthCheck Replaced(v1::HealthCheck check, const std::string& target, absl::string_view environment) {
  const auto replace = [&](std::string* text, const auto& as) {
    *text = absl::StrReplaceAll(*text, {{"{target}", as(target)}, {"{environment}", as(environment)}});
  };
  if (check.has_prometheus()) {
    replace(check.mutable_prometheus()->mutable_url(), Encoded);
    replace(check.mutable_prometheus()->mutable_query(), Quoted);
  }
  if (check.has_http()) replace(check.mutable_http()->mutable_url(), Encoded);
  return check;
}

}  // namespace

std::vector<DueCheck> DueChecks(const v1::Rollout& state, absl::Time now) {
  std::vector<DueCheck> due;
  std::vector<std::pair<absl::Time, size_t>> order;
  VisitWanted(state,
              [&](const std::string& place, const v1::EnvironmentStage& stage, const v1::HealthCheck& check,
                  const std::string& target, const v1::CheckStatus* status) {
                if (DueAt(check, status) > now) return;
                order.emplace_back(DueAt(check, status), due.size());
                const absl::string_view environment = BareName(stage.environment());
                due.push_back({.place = place,
                               .target = target,
                               .environment = std::string(environment),
                               .check = WithDefaults(Replaced(check, target, environment))});
              });
  std::sort(order.begin(), order.end());
  std::vector<DueCheck> sorted;
  sorted.reserve(due.size());
  for (const auto& [since, place] : order) sorted.push_back(std::move(due[place]));
  return sorted;
}

absl::Time NextCheckTime(const v1::Rollout& state) {
  absl::Time next = absl::InfiniteFuture();
  VisitWanted(state, [&](const std::string&, const v1::EnvironmentStage&, const v1::HealthCheck& check,
                         const std::string&, const v1::CheckStatus* status) {
    // One that was not made yet is due already.
    if (status != nullptr) next = std::min(next, DueAt(check, status));
  });
  return next;
}

}  // namespace curlew::rollout
