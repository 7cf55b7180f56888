#include "controller/rollout/gates.h"

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/base/hash.h"
#include "common/base/proto_time.h"

namespace curlew::rollout {
namespace {

// What an approval given now covers. All that stands in it is made of ids and digests: nothing to escape.
std::string CoverOf(const v1::Rollout& rollout, const GatePlace& place) {
  std::vector<std::pair<absl::string_view, absl::string_view>> targets;
  for (const v1::Run& run : rollout.runs()) {
    if (run.environment() != place.stage->environment()) continue;
    if (place.wave != nullptr && run.wave() != place.wave->name()) continue;
    targets.emplace_back(run.target(), run.schema_fingerprint());
  }
  std::sort(targets.begin(), targets.end());
  std::string json = absl::StrCat("{\"environment\":\"", place.stage->environment(), "\",\"plan_digest\":\"",
                                  rollout.plan_digest(), "\",\"policy_digest\":\"", rollout.policy_digest(),
                                  "\",\"targets\":{");
  absl::string_view comma;
  for (const auto& [target, fingerprint] : targets) {
    absl::StrAppend(&json, std::exchange(comma, ","), "\"", target, "\":\"", fingerprint, "\"");
  }
  absl::StrAppend(&json, "}}");
  return base::Sha256Hex(json);
}

void Void(Draft& draft, const v1::Gate& gate, v1::Approval& approval, absl::string_view why) {
  approval.set_void_reason(std::string(why));
  AddEvent(draft, v1::EVENT_TYPE_APPROVAL_VOID,
           absl::StrCat("the approval of gate ", gate.id(), " by ", approval.actor(),
                        " does not count any more: ", why));
}

void VoidWhatDoesNotHold(Draft& draft, v1::Gate& gate) {
  for (v1::Approval& approval : *gate.mutable_approvals()) {
    if (!approval.void_reason().empty()) continue;
    // Those of the version before cover nothing that could change.
    if (!approval.cover().empty() && approval.cover() != gate.cover()) {
      Void(draft, gate, approval, "what it covers has changed: a target's schema is another one");
    } else if (approval.has_expire_time() && base::FromProto(approval.expire_time()) <= draft.now) {
      Void(draft, gate, approval,
           absl::StrCat("it expired at ", TimeText(base::FromProto(approval.expire_time()))));
    }
  }
}

std::string Causes(const Verdict& verdict) {
  return absl::StrJoin(verdict.causes, "; ",
                       [](std::string* out, const v1::Waiting& cause) { out->append(cause.message()); });
}

void Arrive(Draft& draft, v1::Gate& gate, const Verdict& verdict) {
  if (verdict.open()) return;
  std::string message = absl::StrCat("gate ", gate.id(), " is reached: ");
  // One who waits for approvals only needs no other words.
  if (verdict.passable && gate.required_approvals() > 0) {
    message = absl::StrCat("gate ", gate.id(), " needs ", gate.required_approvals(),
                           gate.required_approvals() == 1 ? " approval" : " approvals");
  } else {
    absl::StrAppend(&message, Causes(verdict));
  }
  AddEvent(draft, v1::EVENT_TYPE_GATE_REACHED, std::move(message));
}

void Open(Draft& draft, v1::Gate& gate) {
  // They have counted once what lies behind the gate may begin, and not while the rollout stands still.
  if (draft.state.state() == v1::ROLLOUT_STATE_RUNNING) {
    for (v1::Approval& approval : *gate.mutable_approvals()) {
      if (approval.void_reason().empty()) approval.clear_expire_time();
    }
  }
  if (gate.has_open_time()) return;
  *gate.mutable_open_time() = base::ToProto(draft.now);
  AddEvent(draft, v1::EVENT_TYPE_GATE_OPENED, absl::StrCat("gate ", gate.id(), " is open"));
}

void Close(Draft& draft, v1::Gate& gate, const Verdict& verdict) {
  if (!gate.has_open_time()) return;
  gate.clear_open_time();
  if (verdict.by_windows) return;
  AddEvent(draft, v1::EVENT_TYPE_GATE_TAKEN_BACK,
           absl::StrCat("gate ", gate.id(), " is closed again: ", Causes(verdict)));
}

}  // namespace

std::vector<PlacedGate> Gates(v1::Rollout& rollout) {
  std::vector<PlacedGate> gates;
  for (v1::EnvironmentStage& stage : *rollout.mutable_stages()) {
    gates.push_back({{&stage, nullptr}, stage.mutable_before()});
    for (v1::Wave& wave : *stage.mutable_waves()) {
      if (wave.has_before()) gates.push_back({{&stage, &wave}, wave.mutable_before()});
    }
    gates.push_back({{&stage, nullptr}, stage.mutable_before_drop()});
  }
  return gates;
}

PlacedGate GateToApprove(v1::Rollout& rollout, absl::Time now) {
  for (const PlacedGate& placed : Gates(rollout)) {
    if (IsWanted(placed.place, *placed.gate) &&
        CountedApprovals(*placed.gate, now) < placed.gate->required_approvals()) {
      return placed;
    }
  }
  return {};
}

bool IsWanted(const GatePlace& place, const v1::Gate& gate) {
  if (!gate.has_reached_time()) return false;
  return place.stage->state() != v1::STAGE_STATE_SOAKING && place.stage->state() != v1::STAGE_STATE_DONE;
}

Verdict UpdateGate(Draft& draft, const GatePlace& place, v1::Gate& gate) {
  const bool arrives = !gate.has_reached_time();
  if (arrives) *gate.mutable_reached_time() = base::ToProto(draft.now);
  if (arrives || gate.cover().empty()) gate.set_cover(CoverOf(draft.state, place));
  VoidWhatDoesNotHold(draft, gate);
  Verdict verdict = Judge(draft.state, place, gate, draft.now);
  if (arrives) Arrive(draft, gate, verdict);
  if (verdict.open()) {
    Open(draft, gate);
  } else {
    Close(draft, gate, verdict);
  }
  return verdict;
}

void OnSchemaChanged(Draft& draft, const v1::Run& run) {
  for (const PlacedGate& placed : Gates(draft.state)) {
    if (!placed.gate->has_reached_time() || placed.place.stage->environment() != run.environment()) continue;
    if (placed.place.wave != nullptr && placed.place.wave->name() != run.wave()) continue;
    placed.gate->set_cover(CoverOf(draft.state, placed.place));
    VoidWhatDoesNotHold(draft, *placed.gate);
  }
}

void TakeBack(Draft& draft, v1::Gate& gate, absl::string_view why) {
  if (!gate.has_reached_time()) return;
  for (v1::Approval& approval : *gate.mutable_approvals()) {
    if (approval.void_reason().empty()) Void(draft, gate, approval, why);
  }
  gate.clear_skip();
  *gate.mutable_reached_time() = base::ToProto(draft.now);
  if (!HasConditions(gate.policy())) return;
  gate.clear_open_time();
  AddEvent(draft, v1::EVENT_TYPE_GATE_TAKEN_BACK,
           absl::StrCat("gate ", gate.id(), " is closed again: ", why));
}

}  // namespace curlew::rollout
