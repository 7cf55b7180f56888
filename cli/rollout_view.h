// Rollouts, for people to read.
#ifndef CURLEW_CLI_ROLLOUT_VIEW_H_
#define CURLEW_CLI_ROLLOUT_VIEW_H_

#include <map>
#include <string>

#include "absl/time/time.h"
#include "cli/table.h"
#include "cli/text.h"
#include "curlew/v1/rollout.pb.h"

namespace curlew::cli {

// How and when something is shown.
struct ViewOptions {
  Style style;
  absl::TimeZone zone = absl::UTCTimeZone();
  absl::Time now;
  // Columns; 0 for no limit.
  int width = 0;
};

// Colours of states.
Tone ToneOf(v1::RolloutState state);
Tone ToneOf(v1::RunState state);
Tone ToneOf(v1::StepState state);

// The command that approves a gate.
std::string ApproveCommand(const v1::Rollout& rollout, const std::string& gate);

// The command that ends a wait for an approval, where the wait's message does not hold it already; else "".
std::string MissingCommand(const v1::Rollout& rollout, const v1::Waiting& waiting);

// What is waited for: "approval of gate staging/before-drop: …, for 3m07s".
std::string WaitingText(const v1::Waiting& waiting, absl::Time now);

// The index of the step that a run works on: the ACTIVE one, else the one that FAILED; -1 where there is
// none.
int CurrentStep(const v1::Run& run);

// One table row for each rollout.
Table RolloutTable(const google::protobuf::RepeatedPtrField<v1::Rollout>& rollouts,
                   const ViewOptions& options);

// All about one rollout: state, what it waits for and the command that opens it, stages with gates, runs with
// their steps, errors and tuning, and the newest progress of their targets where it is known.
using ProgressByTarget = std::map<std::string, v1::Progress>;
std::string RenderRollout(const v1::Rollout& rollout, const ViewOptions& options,
                          const ProgressByTarget& progress = {});

// What a person should know about a rollout that has FAILED, was ABORTED or ROLLED_BACK: the errors and what
// can be done next. "" for other states.
std::string RenderFailure(const v1::Rollout& rollout, const Style& style);

// The same about a rollout that goes on, when waiting for it ends: after `timeout`, or, where that is
// infinite, because somebody must decide.
std::string RenderUnfinished(const v1::Rollout& rollout, absl::Duration timeout, absl::Time now,
                             const Style& style);

}  // namespace curlew::cli

#endif  // CURLEW_CLI_ROLLOUT_VIEW_H_
