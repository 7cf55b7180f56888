// The rollout machine: what happens next, as a pure function. Sees no gRPC, no SQL, no threads, no logging
// and no clock; everything it needs is in its arguments, everything it decides is in its result.
#ifndef CURLEW_CONTROLLER_ROLLOUT_MACHINE_H_
#define CURLEW_CONTROLLER_ROLLOUT_MACHINE_H_

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "controller/rollout/step_policy.h"
#include "curlew/v1/rollout.pb.h"
#include "curlew/v1/step.pb.h"

namespace curlew::rollout {

// --- What can happen. ---

// The rollout was stored just now; the first input of all. Agents that serve its targets already are told
// next, one AgentReady each (the same after a RollbackAsked of a rollout that had ended).
struct Started {
  std::string actor;
};
// The run's target has been compiled and looked at: for the first time before the gate of its environment,
// and once more when its wave begins. Then the digest must be the same: what was approved is what is run.
// `steps_digest` as compiler::StepsDigest.
struct Compiled {
  std::string target;
  v1::CompiledPlan plan;
  std::string digest;
  std::string steps_digest;
  // Where the steps differ from those that the rollout's first run was compiled to (FirstCompiled): how. Then
  // the run fails with these lines and stays without steps: a plan is pinned only where the run's
  // compiled_digest is set in the next state.
  std::vector<std::string> differences;
  // What the agent found. A finding of severity ERROR (with strict_preflight also a WARNING) fails the run.
  v1::Preflight preflight;
};
// The run's target could not be compiled.
struct CompileFailed {
  std::string target;
  v1::StepError error;
  // Whether it is worth another try (the agent went away) or not (the plan does not fit).
  bool retriable = false;
};
// What a target's journal has of this rollout's run: keys of steps.
struct KnownJournal {
  std::vector<std::string> done, undone;
};
// An agent serves the target, fenced with `epoch` (above 0). `held` are the attempts of this rollout's run
// that it is still running, or has ended without an acknowledgement; any other that was sent to it is not
// running. `journal`, where it is known, was read under this epoch, and outranks what was reported before:
// the agent reports a success only after its synchronous commit, and reads the journal later, in the session
// in which it says that it is ready. So what had been reported by then and is not in the journal is gone, and
// no success of an earlier epoch that it does not have will ever be.
struct AgentReady {
  std::string target;
  int64_t epoch = 0;
  std::vector<int> held;
  std::optional<KnownJournal> journal;
};
// No agent serves the target any more.
struct AgentLost {
  std::string target;
};
// The agent has begun an attempt.
struct AttemptAcked {
  std::string target;
  int attempt = 0;
};
// The agent refused an attempt; it will be sent again (with the plan, where `need_plan`).
struct AttemptNacked {
  std::string target;
  int attempt = 0;
  bool need_plan = false;
  // The command itself makes no sense to the agent: not worth another try.
  bool invalid = false;
  std::string message;
};
// An attempt has ended: SUCCEEDED, FAILED, ERRORED or CANCELLED. SUCCEEDED is truth from the journal: it
// counts for every attempt of the step in its present direction; the others only for the newest.
struct AttemptEnded {
  std::string target;
  int attempt = 0;
  v1::AttemptState outcome = v1::ATTEMPT_STATE_UNSPECIFIED;
  v1::StepError error;
  int64_t rows = 0;
  // Key of the step as the agent says it; where given it must be the attempt's.
  std::string step;
  // What is worth knowing of a success, for people.
  std::string summary;
  // What a success has made, where the step makes a backup.
  std::vector<v1::BackupResult> backups;
  // How patient to be with what the attempt does; by MachineOptions where not given.
  std::optional<StepPolicy> policy;
};
// Operators.
struct Approved {
  std::string gate;  // "" for the one that is closed now
  std::string actor;
  std::string reason;
  // Gate.cover as the approver has seen it; "" for what it is now.
  std::string cover;
  // For a gate before DROP alone, for agents that ask for it: it may be given as long as something behind the
  // gate is not done, also where the gate is open already or whoever signs has approved it before. Checked
  // before.
  std::optional<v1::DecisionSignature> signature = std::nullopt;
};
// Soak, windows and checks of a gate need not hold from now on; its approvals are needed all the same.
struct GateSkipped {
  std::string gate;  // "" for the one that is closed now
  std::string actor, reason;
};
// The target is left out, where nothing was changed there.
struct TargetSkipped {
  std::string target, actor, reason;
};
// A check was made. Ignored where the rollout does not have it any more.
struct CheckReported {
  std::string place;   // DueCheck.place; "" for every place that has a check of that name and kind `reported`
  std::string check;   // name
  std::string target;  // "" where it is made once for all
  v1::CheckState state = v1::CHECK_STATE_UNSPECIFIED;
  std::string value, message;
  std::string actor;  // who says so, for kind `reported`; "" for all others
};
// Which rollouts have to end before runs of this one may begin, by target: all that there are. A run that has
// begun is not held any more.
struct HoldersChanged {
  std::map<std::string, std::string> held_by;  // target -> resource name of the rollout
};
struct PauseAsked {
  std::string actor, reason;
};
struct ResumeAsked {
  std::string actor, reason;
};
struct AbortAsked {
  std::string actor, reason;
};
struct RollbackAsked {
  std::string actor, reason;
  // Resource name of the environment whose runs are undone; "" for all.
  std::string environment;
};
// What `target` (with "" every target) waits for in a step need not be waited for: the step that the run is
// at, or the rollback gate of one that rolls back. It holds for the step's next attempts, whatever happens
// meanwhile; one that waits now is stopped. Of a step that FAILED with base::kRowsQuarantined it says that
// the rows that could not be written may stay as they are; that holds until the step fails so again.
//
// With a signature, for agents that ask for one, it is about the step that the signature names, and may be
// said of one that has an override already. Checked before.
struct OverrideAsked {
  std::string target, actor, reason;
  std::optional<v1::DecisionSignature> signature = std::nullopt;
};
// The step `step` of the run on `target`, which has FAILED, is left out, where nothing that comes later needs
// it (StepStatus.skippable), and the rollout is resumed. Without a step: the one that has failed; without a
// target: on every run that stands at it.
struct SkipAsked {
  std::string target, step, actor, reason;
  // As OverrideAsked's.
  std::optional<v1::DecisionSignature> signature = std::nullopt;
};
// The walks of the run on `target` (with "" of every run that has not ended) go on otherwise: what `reset`
// names is taken back, then `tuning` is merged in, field by field and limit by limit.
struct TuneAsked {
  std::string target;
  v1::Tuning tuning;
  std::vector<std::string> reset;
  std::string actor, reason;
};
// Time has passed (soaks, pauses between attempts).
struct Ticked {};

using Input = std::variant<Started, Compiled, CompileFailed, AgentReady, AgentLost, AttemptAcked,
                           AttemptNacked, AttemptEnded, Approved, GateSkipped, TargetSkipped, CheckReported,
                           HoldersChanged, PauseAsked, ResumeAsked, AbortAsked, RollbackAsked, OverrideAsked,
                           SkipAsked, TuneAsked, Ticked>;

// --- What to do. Each is idempotent for whom it is sent to. ---

// Get the target's schema, compile the plan against it and have the agent look at the target (preflight);
// answer with Compiled or CompileFailed.
struct CompileRun {
  std::string target;
};
// The step key that means CompiledPlan.rollback_gate; dispatched with DIRECTION_UNDO.
inline constexpr char kRollbackGateKey[] = "rollback-gate";

// Send an attempt to the target's agent.
struct DispatchAttempt {
  std::string target, run, step;
  int attempt = 0;
  v1::Direction direction = v1::DIRECTION_UNSPECIFIED;
  int64_t epoch = 0;
  std::string compiled_digest;
  bool with_plan = false;
  // The step need not wait.
  std::optional<v1::Override> override_wait;
  // The run's.
  std::optional<v1::Tuning> tuning;
};
// Ask the target's agent to stop an attempt.
struct CancelAttempt {
  std::string target, run;
  int attempt = 0;
  std::string reason;
};

// Tell the target's agent the run's whole tuning, for the attempt that it is working on: what was sent with
// that attempt no longer holds.
struct SendTuning {
  std::string target, run;
  v1::Tuning tuning;
};

using Command = std::variant<CompileRun, DispatchAttempt, CancelAttempt, SendTuning>;

// The result of Advance.
struct Transition {
  // The next state; its last_event counts `events`.
  v1::Rollout state;
  // What is told to watchers and kept; numbered on from the old state's last_event.
  std::vector<v1::Event> events;
  // What goes to the outbox, in this order.
  std::vector<Command> commands;
  // When Ticked is due at the latest; InfiniteFuture for never.
  absl::Time wake = absl::InfiniteFuture();
};

// Limits and pauses: of compilations, and of attempts whose policy is not given.
struct MachineOptions {
  // How often a step (or a compilation) that ERRORED is tried again before its run fails.
  int max_errored_attempts = 8;
  // The pause before the n-th of these tries is first_retry_pause * 2^(n-1), at most longest_retry_pause. An
  // attempt that an agent refused or stopped unasked is sent again after first_retry_pause.
  absl::Duration first_retry_pause = absl::Seconds(1);
  absl::Duration longest_retry_pause = absl::Seconds(30);
};

// What a rollout is made from.
struct RolloutSpec {
  std::string name;  // resource name, "rollouts/x"
  std::string plan;  // resource name
  std::string plan_digest;
  std::string plan_author;
  std::string creator;
  std::map<std::string, std::string> labels;
  std::vector<std::string> after;  // resource names of rollouts
};

// A new rollout through `environments` (valid, as plan::ValidateEnvironments), not yet started: apply
// HoldersChanged where anything holds it, then Started. Runs, waves and gates are made from the environments.
// The state is UNSPECIFIED until Started.
v1::Rollout NewRollout(RolloutSpec spec, const std::vector<v1::Environment>& environments, absl::Time now);

// A check that is to be made now: not made for its interval, and wanted, as its gate is reached, or what lies
// behind the gate, or the environment whose health it tells, is at work.
struct DueCheck {
  std::string place;        // id of the gate; "staging/health" for health checks
  std::string target;       // "" where it is made once for all
  std::string environment;  // bare name
  v1::HealthCheck check;    // with {target} and {environment} replaced
};

// What is due: first what was never made, in the order of the pipeline, then what has been due for longest,
// so that whoever makes a few of many makes each in its turn. Checks of kind `reported` never are. Pure.
std::vector<DueCheck> DueChecks(const v1::Rollout& state, absl::Time now);
// When DueChecks may have more at the earliest; InfiniteFuture for not before the state changes.
absl::Time NextCheckTime(const v1::Rollout& state);

// The next state, and what to do. Deterministic. Inputs from agents that no longer fit (an old attempt, a
// wrong epoch) change nothing and are OK: they are delivered at least once; then `state` is the old one, etag
// included. Operators' inputs that do not fit are FAILED_PRECONDITION with what would be right;
// INVALID_ARGUMENT for an approval, override, skip or tuning by nobody, an override or skip without a reason,
// a tuning that makes no sense or an outcome that is none; NOT_FOUND for an unknown gate, target or step. The
// decisions, state by input, stand in docs/rollout-states.md.
//
// RollbackAsked of a rollout that is not Active occupies its targets again: the caller sees to it first that
// no other rollout does.
absl::StatusOr<Transition> Advance(const v1::Rollout& state, const Input& input, absl::Time now,
                                   const MachineOptions& options = {});

// Whether nothing can happen to it any more by itself (SUCCEEDED, ROLLED_BACK, ABORTED).
bool Ended(const v1::Rollout& state);

// Whether it occupies its targets: every state but SUCCEEDED, ROLLED_BACK and ABORTED.
bool Active(const v1::Rollout& state);

}  // namespace curlew::rollout

#endif  // CURLEW_CONTROLLER_ROLLOUT_MACHINE_H_
