#include "controller/session/lease_table.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"

namespace curlew::session {

LeaseChanges LeaseTable::SetKnown(std::set<std::string> targets) {
  known_ = std::move(targets);
  LeaseChanges changes;
  for (auto& [target, claims] : claims_) Judge(target, &claims, &changes);
  return changes;
}

LeaseChanges LeaseTable::Add(int64_t session, const std::string& agent_id, const std::string& instance_id,
                             const std::vector<std::string>& targets) {
  LeaseChanges changes;
  // The claims of an older stream of this process: those that are claimed again keep their place in the
  // order.
  std::set<int64_t> replaced;
  std::set<std::string> inherited;
  for (auto& [target, claims] : claims_) {
    for (Claim& claim : claims.in_order) {
      if (claim.agent_id != agent_id || claim.instance_id != instance_id) continue;
      replaced.insert(claim.session);
      if (std::find(targets.begin(), targets.end(), target) == targets.end()) continue;
      inherited.insert(target);
      if (claims.holder == claim.session) {
        changes.moves.push_back({target, claim.session, session, /*same_process=*/true});
        claims.holder = session;
      }
      claim = Claim{session, agent_id, instance_id};
    }
  }
  for (const int64_t old : replaced) {
    LeaseChanges of_old = Remove(old);
    changes.moves.insert(changes.moves.end(), of_old.moves.begin(), of_old.moves.end());
    changes.notices.insert(changes.notices.end(), of_old.notices.begin(), of_old.notices.end());
    changes.replaced.push_back(old);
  }
  for (const std::string& target : std::set<std::string>(targets.begin(), targets.end())) {
    Claims& claims = claims_[target];
    if (inherited.count(target) == 0) claims.in_order.push_back(Claim{session, agent_id, instance_id});
    Judge(target, &claims, &changes);
  }
  return changes;
}

LeaseChanges LeaseTable::Remove(int64_t session) {
  LeaseChanges changes;
  for (auto it = claims_.begin(); it != claims_.end();) {
    auto& [target, claims] = *it;
    auto& in_order = claims.in_order;
    const auto gone = std::remove_if(in_order.begin(), in_order.end(),
                                     [&](const Claim& claim) { return claim.session == session; });
    if (gone != in_order.end()) {
      in_order.erase(gone, in_order.end());
      if (claims.holder == session) {
        claims.holder = 0;
        changes.moves.push_back({target, session, 0});
      }
      Judge(target, &claims, &changes);
    }
    it = in_order.empty() ? claims_.erase(it) : std::next(it);
  }
  return changes;
}

void LeaseTable::Judge(const std::string& target, Claims* claims, LeaseChanges* changes) {
  if (known_.count(target) == 0) {
    const std::string reason =
        absl::StrCat("target \"", target,
                     "\" is in no environment; add it to one with `curlew env apply -f FILE`, "
                     "or correct the agent's target name");
    for (Claim& claim : claims->in_order) {
      const bool taken_back = claim.session == claims->holder || claim.told == v1::LEASE_STATE_REVOKED;
      Tell(target, &claim, taken_back ? v1::LEASE_STATE_REVOKED : v1::LEASE_STATE_REFUSED, reason, changes);
    }
    if (claims->holder != 0) changes->moves.push_back({target, std::exchange(claims->holder, 0), 0});
    return;
  }
  if (claims->in_order.empty()) return;
  if (claims->holder == 0) {
    auto next = std::find_if(claims->in_order.begin(), claims->in_order.end(),
                             [&](const Claim& claim) { return claim.agent_id == claims->last_agent; });
    if (next == claims->in_order.end()) next = claims->in_order.begin();
    claims->holder = next->session;
    claims->last_agent = next->agent_id;
    changes->moves.push_back({target, 0, next->session});
  }
  for (Claim& claim : claims->in_order) {
    if (claim.session == claims->holder) {
      Tell(target, &claim, v1::LEASE_STATE_GRANTED, "", changes);
    } else if (claim.agent_id == claims->last_agent) {
      Tell(target, &claim, v1::LEASE_STATE_STANDBY,
           absl::StrCat("another process of agent \"", claim.agent_id, "\" serves target \"", target,
                        "\"; this one takes over when that one ends"),
           changes);
    } else {
      Tell(target, &claim, v1::LEASE_STATE_REFUSED,
           absl::StrCat("target \"", target, "\" is served by agent \"", claims->last_agent,
                        "\", and this is \"", claim.agent_id,
                        "\"; stop that agent, or give this one its identity"),
           changes);
    }
  }
}

void LeaseTable::Tell(const std::string& target, Claim* claim, v1::LeaseState state, std::string reason,
                      LeaseChanges* changes) {
  if (claim->told == state && claim->reason == reason) return;
  claim->told = state;
  claim->reason = reason;
  changes->notices.push_back({claim->session, target, state, std::move(reason)});
}

}  // namespace curlew::session
