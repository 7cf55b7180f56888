// Where the time of rollouts goes, judged from what is committed: pure functions.
#ifndef CURLEW_CONTROLLER_WEB_ACCOUNTING_H_
#define CURLEW_CONTROLLER_WEB_ACCOUNTING_H_

#include <optional>
#include <vector>

#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "curlew/v1/rollout.pb.h"
#include "curlew/v1/step.pb.h"

namespace curlew::web {

// Why something waits. More than v1::WaitCause: a rollout that is paused, or has failed, waits for people.
enum class Cause {
  kApproval,
  kPause,
  kFailure,
  kSessions,
  kLock,
  kSoak,
  kAgent,
  kBackoff,
  kThrottle,
  kWindow,
  kFreeze,
  kCheck,
  kRollout,
  kBudget
};
inline constexpr Cause kCauses[] = {Cause::kApproval, Cause::kPause,  Cause::kFailure, Cause::kSessions,
                                    Cause::kLock,     Cause::kSoak,   Cause::kAgent,   Cause::kBackoff,
                                    Cause::kThrottle, Cause::kWindow, Cause::kFreeze,  Cause::kCheck,
                                    Cause::kRollout,  Cause::kBudget};

// Whom that is up to.
enum class Party {
  kPeople,        // operators: an approval, a resume, a decision
  kApplications,  // their sessions, which use an old shape or hold a lock
  kMachines,      // everything that goes by itself, also by a calendar that people have made
};

// As they stand in labels: "approval", "people".
absl::string_view Name(Cause cause);
absl::string_view Name(Party party);
Party PartyOf(Cause cause);
// Nothing for UNSPECIFIED.
std::optional<Cause> FromProto(v1::WaitCause cause);

// Everything that a rollout waits for by its state, one for each thing that waits (each target that has no
// agent, each attempt at a step that waits for sessions). Not what agents tell while they work: LOCK and
// THROTTLE are not in the state.
std::vector<Cause> CausesOf(const v1::Rollout& rollout);

// How a rollout spends a moment: it works while an attempt anywhere does more than wait; else it waits, and
// people come before applications, and those before machines.
enum class Part { kWork, kPeople, kApplications, kMachines };
inline constexpr Part kParts[] = {Part::kWork, Part::kPeople, Part::kApplications, Part::kMachines};
absl::string_view Name(Part part);
Part PartOf(const v1::Rollout& rollout);

// An attempt that is over.
struct EndedAttempt {
  v1::Phase phase = v1::PHASE_UNSPECIFIED;
  // "succeeded", "failed", "errored" (worth another try), "cancelled" or "lost" (its agent went, and nobody
  // was told what became of it).
  absl::string_view outcome;
  // From its start to its end; absent where it was lost, never began, or only waited for a condition.
  std::optional<absl::Duration> worked;
};

// The attempts that are over in `after` and were not in `before`, by the `events` of that change.
std::vector<EndedAttempt> EndedAttempts(const v1::Rollout& before, const v1::Rollout& after,
                                        const std::vector<v1::Event>& events);

// How long each gate that opened between the two waited for people. Gates that ask for no approval are none.
struct OpenedGate {
  absl::string_view gate;  // "before" or "before_drop"
  absl::Duration waited;
};
std::vector<OpenedGate> OpenedGates(const v1::Rollout& before, const v1::Rollout& after);

// Since when the rollout stands at a gate that people must open; InfiniteFuture where it does not.
absl::Time AtGateSince(const v1::Rollout& rollout);

}  // namespace curlew::web

#endif  // CURLEW_CONTROLLER_WEB_ACCOUNTING_H_
