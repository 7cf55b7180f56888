#include "controller/rollout/approvals.h"

#include <algorithm>
#include <string>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/base/error_detail.h"
#include "common/base/proto_time.h"
#include "common/base/status_macros.h"
#include "controller/rollout/gate_named.h"
#include "controller/rollout/gates.h"
#include "controller/rollout/operators.h"

namespace curlew::rollout {
namespace {

// The same person, as far as names can tell.
bool SamePerson(absl::string_view a, absl::string_view b) {
  return absl::EqualsIgnoreCase(absl::StripAsciiWhitespace(a), absl::StripAsciiWhitespace(b));
}

bool TakesWords(const v1::Rollout& rollout) {
  return rollout.state() == v1::ROLLOUT_STATE_RUNNING || rollout.state() == v1::ROLLOUT_STATE_PAUSED ||
         (rollout.state() == v1::ROLLOUT_STATE_FAILED && !rollout.has_rollback_time());
}

absl::StatusOr<PlacedGate> FindGate(v1::Rollout& rollout, const std::string& id) {
  std::vector<std::string> ids;
  for (const PlacedGate& placed : Gates(rollout)) {
    if (placed.gate->id() == id) return placed;
    ids.push_back(placed.gate->id());
  }
  return absl::NotFoundError(absl::StrCat(BareName(rollout.name()), " has no gate \"", id,
                                          "\"; its gates are ", absl::StrJoin(ids, ", ")));
}

std::string WhatWaits(v1::Rollout& rollout, absl::Time now) {
  const std::string name(BareName(rollout.name()));
  if (const PlacedGate placed = GateToApprove(rollout, now); placed.gate != nullptr) {
    return absl::StrCat("gate ", placed.gate->id(), " is the one that waits: `curlew rollout approve ", name,
                        " --gate ", placed.gate->id(), "`");
  }
  return absl::StrCat("no gate of ", name, " waits for an approval now");
}

// The gate that is meant, which waits for an approval.
absl::StatusOr<PlacedGate> FindGateToApprove(v1::Rollout& rollout, const std::string& id, absl::Time now) {
  if (id.empty()) {
    const PlacedGate waiting = GateToApprove(rollout, now);
    if (waiting.gate != nullptr) return waiting;
    return absl::FailedPreconditionError(
        absl::StrCat(WhatWaits(rollout, now), "; see `curlew rollout show ", BareName(rollout.name()), "`"));
  }
  ASSIGN_OR_RETURN(const PlacedGate placed, FindGate(rollout, id));
  const v1::Gate& gate = *placed.gate;
  const auto misfit = [&](absl::string_view why) {
    return absl::FailedPreconditionError(absl::StrCat("gate ", id, " ", why, "; ", WhatWaits(rollout, now)));
  };
  if (!gate.has_reached_time()) {
    return misfit(gate.has_open_time() ? "is open already" : "has not been reached");
  }
  if (CountedApprovals(gate, now) < gate.required_approvals()) return placed;
  if (gate.has_open_time()) return misfit("is open already");
  return misfit(gate.required_approvals() == 0 ? "needs no approval" : "has all its approvals");
}

bool IsBeforeDrop(const PlacedGate& placed) { return placed.gate == &placed.place.stage->before_drop(); }

// The same for an approval that is signed: agents ask for those whether the gate needs approvals or not, and
// say so when DROP begins, behind the gate.
absl::StatusOr<PlacedGate> FindGateToSign(v1::Rollout& rollout, const std::string& id, absl::Time now) {
  const auto misfit = [&](absl::string_view message) {
    return base::WithDetail(absl::InvalidArgumentError(absl::StrCat(
                                message, "; only approvals of gates before DROP are signed (--sign-key)")),
                            base::kField, "signature");
  };
  if (!id.empty()) {
    ASSIGN_OR_RETURN(const PlacedGate placed, FindGate(rollout, id));
    if (!IsBeforeDrop(placed)) return misfit(absl::StrCat("gate ", id, " is none before DROP"));
    if (IsWanted(placed.place, *placed.gate)) return placed;
    return absl::FailedPreconditionError(absl::StrCat("gate ", id,
                                                      placed.gate->has_reached_time()
                                                          ? " has been passed, and all behind it is done; "
                                                          : " has not been reached; ",
                                                      WhatWaits(rollout, now)));
  }
  // One that is open is meant only where none waits.
  if (const PlacedGate waiting = GateToApprove(rollout, now); waiting.gate != nullptr) {
    if (IsBeforeDrop(waiting)) return waiting;
    return misfit(absl::StrCat(WhatWaits(rollout, now), ", without a signature"));
  }
  for (const PlacedGate& placed : Gates(rollout)) {
    if (IsBeforeDrop(placed) && IsWanted(placed.place, *placed.gate)) return placed;
  }
  return absl::FailedPreconditionError(absl::StrCat("no gate before DROP of ", BareName(rollout.name()),
                                                    " has been reached; ", WhatWaits(rollout, now)));
}

absl::StatusOr<PlacedGate> FindGateFor(v1::Rollout& rollout, const std::string& id, Signed is_signed,
                                       absl::Time now) {
  return is_signed == Signed::kYes ? FindGateToSign(rollout, id, now) : FindGateToApprove(rollout, id, now);
}

// The first gate that was reached and that something can be skipped of.
PlacedGate GateToSkip(v1::Rollout& rollout, absl::Time now) {
  for (const PlacedGate& placed : Gates(rollout)) {
    if (!IsWanted(placed.place, *placed.gate) || placed.gate->has_skip()) continue;
    if (!Judge(rollout, placed.place, *placed.gate, now).passable) return placed;
  }
  return {};
}

// The gate that is meant, which something can be skipped of where it was not named.
absl::StatusOr<PlacedGate> FindGateToSkip(v1::Rollout& rollout, const std::string& id, absl::Time now) {
  if (!id.empty()) return FindGate(rollout, id);
  const PlacedGate placed = GateToSkip(rollout, now);
  if (placed.gate != nullptr) return placed;
  return absl::FailedPreconditionError(absl::StrCat("no gate of ", BareName(rollout.name()),
                                                    " waits for a soak, a window or a check; ",
                                                    WhatWaits(rollout, now)));
}

}  // namespace

absl::StatusOr<std::string> EnvironmentToApprove(const v1::Rollout& state, const std::string& gate,
                                                 Signed is_signed, absl::Time now) {
  v1::Rollout rollout = state;
  if (!TakesWords(rollout)) return Misfit(rollout, "approved");
  ASSIGN_OR_RETURN(const PlacedGate placed, FindGateFor(rollout, gate, is_signed, now));
  return std::string(BareName(placed.place.stage->environment()));
}

absl::StatusOr<std::string> EnvironmentToSkip(const v1::Rollout& state, const std::string& gate,
                                              absl::Time now) {
  v1::Rollout rollout = state;
  if (!TakesWords(rollout)) return Misfit(rollout, "let through a gate");
  ASSIGN_OR_RETURN(const PlacedGate placed, FindGateToSkip(rollout, gate, now));
  return std::string(BareName(placed.place.stage->environment()));
}

absl::Status OnApproved(Draft& draft, const Approved& input) {
  v1::Rollout& rollout = draft.state;
  if (absl::StripAsciiWhitespace(input.actor).empty()) {
    return absl::InvalidArgumentError("an approval needs an actor: who approves?");
  }
  if (!TakesWords(rollout)) return Misfit(rollout, "approved");
  const Signed is_signed = input.signature.has_value() ? Signed::kYes : Signed::kNo;
  ASSIGN_OR_RETURN(const PlacedGate placed, FindGateFor(rollout, input.gate, is_signed, draft.now));
  v1::Gate& gate = *placed.gate;
  if (!input.cover.empty() && input.cover != gate.cover()) {
    return base::WithDetail(
        absl::AbortedError(absl::StrCat(
            "gate ", gate.id(), " covers something else by now than what was looked at (", input.cover,
            "): look at it again with `curlew rollout show ", BareName(rollout.name()), "`, then approve")),
        base::kReason, "COVER_CHANGED");
  }
  if (SamePerson(input.actor, rollout.creator()) || SamePerson(input.actor, rollout.plan_author())) {
    return base::WithDetail(
        absl::FailedPreconditionError(absl::StrCat(
            input.actor,
            SamePerson(input.actor, rollout.creator()) ? " started the rollout" : " wrote the plan",
            ", so somebody else has to approve gate ", gate.id())),
        base::kReason, "APPROVAL_BY_AUTHOR");
  }
  for (v1::Approval& approval : *gate.mutable_approvals()) {
    if (!SamePerson(approval.actor(), input.actor) || !approval.void_reason().empty()) continue;
    if (approval.has_expire_time() && base::FromProto(approval.expire_time()) <= draft.now) continue;
    if (input.signature.has_value()) {
      // The approval stands; what is new is the signature, also in place of one that has expired.
      *approval.mutable_signature() = *input.signature;
      AddEvent(draft, v1::EVENT_TYPE_GATE_APPROVED,
               Deed(absl::StrCat("gate ", gate.id(), ": the approval was signed"), input.actor, input.reason))
          .set_actor(input.actor);
      return absl::OkStatus();
    }
    return absl::FailedPreconditionError(absl::StrCat(
        input.actor, " has approved gate ", gate.id(), " already; it needs ",
        gate.required_approvals() - CountedApprovals(gate, draft.now), " more from other people"));
  }
  v1::Approval& approval = *gate.add_approvals();
  approval.set_actor(input.actor);
  approval.set_reason(input.reason);
  approval.set_cover(gate.cover());
  *approval.mutable_time() = base::ToProto(draft.now);
  if (input.signature.has_value()) *approval.mutable_signature() = *input.signature;
  const absl::Duration expires = base::FromProto(gate.policy().approval_expires());
  if (expires > absl::ZeroDuration()) *approval.mutable_expire_time() = base::ToProto(draft.now + expires);
  AddEvent(draft, v1::EVENT_TYPE_GATE_APPROVED,
           Deed(absl::StrCat("gate ", gate.id(), " approved", input.signature.has_value() ? ", signed," : ""),
                input.actor, input.reason))
      .set_actor(input.actor);
  UpdateGate(draft, placed.place, gate);
  return absl::OkStatus();
}

absl::Status OnGateSkipped(Draft& draft, const GateSkipped& input) {
  v1::Rollout& rollout = draft.state;
  if (absl::StripAsciiWhitespace(input.actor).empty()) {
    return base::WithDetail(absl::InvalidArgumentError("to skip a gate needs an actor: who decides?"),
                            base::kHint, "give --actor NAME");
  }
  if (absl::StripAsciiWhitespace(input.reason).empty()) {
    return base::WithDetail(
        absl::InvalidArgumentError("to skip a gate needs a reason: why need it not hold?"), base::kHint,
        "give --reason TEXT");
  }
  if (!TakesWords(rollout)) return Misfit(rollout, "let through a gate");
  ASSIGN_OR_RETURN(const PlacedGate placed, FindGateToSkip(rollout, input.gate, draft.now));
  v1::Gate& gate = *placed.gate;
  const auto misfit = [&](absl::string_view why) {
    return absl::FailedPreconditionError(absl::StrCat("gate ", gate.id(), " ", why));
  };
  const v1::GatePolicy& policy = gate.policy();
  const bool has_any = base::FromProto(policy.soak()) > absl::ZeroDuration() || !policy.windows().empty() ||
                       !policy.checks().empty();
  if (!has_any) {
    return misfit(policy.approvals() > 0 ? "asks for approvals only, which cannot be skipped"
                                         : "asks for nothing that could be skipped");
  }
  if (!IsWanted(placed.place, gate)) {
    return misfit(gate.has_reached_time() ? "has been passed" : "has not been reached");
  }
  if (gate.has_skip()) return misfit(Deed("was skipped already", gate.skip().actor(), gate.skip().reason()));
  gate.mutable_skip()->set_actor(input.actor);
  gate.mutable_skip()->set_reason(input.reason);
  AddEvent(
      draft, v1::EVENT_TYPE_GATE_SKIPPED,
      Deed(absl::StrCat("gate ", gate.id(), ": soak, windows and checks skipped"), input.actor, input.reason))
      .set_actor(input.actor);
  UpdateGate(draft, placed.place, gate);
  return absl::OkStatus();
}

}  // namespace curlew::rollout
