// A transition in the making. Internal to controller/rollout.
#ifndef CURLEW_CONTROLLER_ROLLOUT_DRAFT_H_
#define CURLEW_CONTROLLER_ROLLOUT_DRAFT_H_

#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "controller/rollout/machine.h"
#include "curlew/v1/rollout.pb.h"

namespace curlew::rollout {

// What the parts of the machine work on: the next state, which they change in place, and what they have to
// tell and to command. Lives for one Advance.
struct Draft {
  v1::Rollout state;
  const absl::Time now;
  const MachineOptions& options;
  std::vector<v1::Event> events;
  std::vector<Command> commands;
  // The target whose run this input has compiled for the first time; "" for none. What it was compiled to is
  // of this moment: it need not be compiled once more to begin.
  std::string compiled;
  // A run was set aside or has returned: what was judged before may stand otherwise now.
  bool look_again = false;
};

// Adds an event, numbered and dated; the caller may fill in more. Valid until the next one is added.
v1::Event& AddEvent(Draft& draft, v1::EventType type, std::string message);
// The same, about a run, or about the newest attempt at one of its steps.
v1::Event& AddEvent(Draft& draft, v1::EventType type, const v1::Run& run, absl::string_view message);
v1::Event& AddEvent(Draft& draft, v1::EventType type, const v1::Run& run, const v1::StepStatus& step,
                    absl::string_view message);

// Change a state and say so; nothing where it is that already. The rollout's end_time and the run's start and
// end follow from the state.
void SetRolloutState(Draft& draft, v1::RolloutState state, std::string reason, std::string actor = "");
void SetStageState(Draft& draft, v1::EnvironmentStage& stage, v1::StageState state);
void SetWaveState(Draft& draft, const v1::EnvironmentStage& stage, v1::Wave& wave, v1::WaveState state);
void SetRunState(Draft& draft, v1::Run& run, v1::RunState state);

// The run on `target`, or nullptr.
v1::Run* FindRun(v1::Rollout& rollout, absl::string_view target);
// The stage that the run belongs to.
v1::EnvironmentStage& StageOf(v1::Rollout& rollout, const v1::Run& run);
// The run's wave in that stage.
v1::Wave& WaveOf(v1::EnvironmentStage& stage, const v1::Run& run);
// Whether anything of the run was ever sent to its target: before that nothing has changed there.
bool IsBegun(const v1::Run& run);

// "x" of "collection/x".
absl::string_view BareName(absl::string_view resource_name);
// "paused by alice: lunch", as far as known.
std::string Deed(absl::string_view deed, absl::string_view actor, absl::string_view reason);

}  // namespace curlew::rollout

#endif  // CURLEW_CONTROLLER_ROLLOUT_DRAFT_H_
