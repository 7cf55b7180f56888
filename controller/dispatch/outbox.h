// Commands on their way: as they are stored, and whether they are wanted still.
#ifndef CURLEW_CONTROLLER_DISPATCH_OUTBOX_H_
#define CURLEW_CONTROLLER_DISPATCH_OUTBOX_H_

#include <string>

#include "absl/status/statusor.h"
#include "controller/rollout/machine.h"
#include "controller/store/rollout_store.h"
#include "curlew/v1/rollout.pb.h"

namespace curlew::dispatch {

// A command as an entry of the store's outbox. Never holds a plan: a Dispatch that wants one along has an
// empty compiled_plan, which is filled from the store when it is sent.
store::OutboxEntry EncodeCommand(const std::string& rollout, const rollout::Command& command);

// The reverse. DATA_LOSS where the entry is none of EncodeCommand's.
absl::StatusOr<rollout::Command> DecodeCommand(const store::OutboxEntry& entry);

// Whether a rollout in `state` still wants the command carried out: a compile while its run is being
// compiled, a dispatch until its attempt has been taken up, a cancel while its attempt may be running, a
// tuning while it is the run's and an attempt is with the agent. What is not wanted is done with, however
// that came about (but a cancel is to be sent once in any case: agents may hold what is of the past; and a
// tuning that was sent is done with: an agent that comes back with its attempt gets another).
bool Wanted(const rollout::Command& command, const v1::Rollout& state);

// Whether an attempt of any run is on its way to an agent, or with one, or its outcome is not known.
bool HasLiveAttempt(const v1::Rollout& state);
// The same of one run.
bool HasLiveAttempt(const v1::Run& run);

// Whether the attempt that is spoken of is with its agent.
bool IsAbout(const v1::Progress& progress, const v1::Rollout& state);

// The run on `target`; null where there is none.
const v1::Run* FindRun(const v1::Rollout& state, const std::string& target);

// How patient to be with the attempts at a step of a plan in a direction.
rollout::StepPolicy PolicyOf(const v1::CompiledPlan& plan, const std::string& step, v1::Direction direction);

// The newest attempt with that number of `run`; null where it is of the past.
const v1::Attempt* FindAttempt(const v1::Run& run, int number);

}  // namespace curlew::dispatch

#endif  // CURLEW_CONTROLLER_DISPATCH_OUTBOX_H_
