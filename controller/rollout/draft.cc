#include "controller/rollout/draft.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "common/base/proto_time.h"
#include "controller/rollout/names.h"

namespace curlew::rollout {

v1::Event& AddEvent(Draft& draft, v1::EventType type, std::string message) {
  v1::Event& event = draft.events.emplace_back();
  event.set_number(draft.state.last_event() + 1);
  draft.state.set_last_event(event.number());
  *event.mutable_time() = base::ToProto(draft.now);
  event.set_type(type);
  event.set_message(std::move(message));
  return event;
}

v1::Event& AddEvent(Draft& draft, v1::EventType type, const v1::Run& run, absl::string_view message) {
  v1::Event& event = AddEvent(draft, type, absl::StrCat(run.target(), ": ", message));
  event.set_target(run.target());
  return event;
}

v1::Event& AddEvent(Draft& draft, v1::EventType type, const v1::Run& run, const v1::StepStatus& step,
                    absl::string_view message) {
  v1::Event& event = AddEvent(draft, type, run, absl::StrCat(step.key(), " ", message));
  event.set_step(step.key());
  event.set_phase(step.phase());
  event.set_attempt(step.attempt().number());
  return event;
}

void SetRolloutState(Draft& draft, v1::RolloutState state, std::string reason, std::string actor) {
  v1::Rollout& rollout = draft.state;
  const bool changed = rollout.state() != state;
  rollout.set_state(state);
  rollout.set_reason(reason);
  if (!changed) return;
  std::string message(Name(state));
  if (!reason.empty()) absl::StrAppend(&message, ": ", reason);
  AddEvent(draft, v1::EVENT_TYPE_ROLLOUT_STATE_CHANGED, std::move(message)).set_actor(std::move(actor));
  if (Ended(rollout)) {
    *rollout.mutable_end_time() = base::ToProto(draft.now);
  } else {
    rollout.clear_end_time();
  }
}

void SetStageState(Draft& draft, v1::EnvironmentStage& stage, v1::StageState state) {
  if (stage.state() == state) return;
  stage.set_state(state);
  AddEvent(draft, v1::EVENT_TYPE_STAGE_CHANGED,
           absl::StrCat(BareName(stage.environment()), ": ", Name(state)));
}

void SetWaveState(Draft& draft, const v1::EnvironmentStage& stage, v1::Wave& wave, v1::WaveState state) {
  if (wave.state() == state) return;
  wave.set_state(state);
  AddEvent(draft, v1::EVENT_TYPE_WAVE_CHANGED,
           absl::StrCat(BareName(stage.environment()), "/", wave.name(), ": ", Name(state)));
}

void SetRunState(Draft& draft, v1::Run& run, v1::RunState state) {
  if (run.state() == state) return;
  run.set_state(state);
  AddEvent(draft, v1::EVENT_TYPE_RUN_STATE_CHANGED, run, Name(state));
  const bool ended = state == v1::RUN_STATE_SUCCEEDED || state == v1::RUN_STATE_FAILED ||
                     state == v1::RUN_STATE_ROLLED_BACK || state == v1::RUN_STATE_SKIPPED;
  if (ended) {
    *run.mutable_end_time() = base::ToProto(draft.now);
  } else {
    run.clear_end_time();
  }
}

v1::Run* FindRun(v1::Rollout& rollout, absl::string_view target) {
  for (v1::Run& run : *rollout.mutable_runs()) {
    if (run.target() == target) return &run;
  }
  return nullptr;
}

v1::EnvironmentStage& StageOf(v1::Rollout& rollout, const v1::Run& run) {
  int index = 0;
  while (rollout.stages(index).environment() != run.environment()) ++index;
  return *rollout.mutable_stages(index);
}

v1::Wave& WaveOf(v1::EnvironmentStage& stage, const v1::Run& run) {
  int index = 0;
  while (stage.waves(index).name() != run.wave()) ++index;
  return *stage.mutable_waves(index);
}

bool IsBegun(const v1::Run& run) { return run.has_start_time(); }

absl::string_view BareName(absl::string_view resource_name) {
  return resource_name.substr(resource_name.find('/') + 1);
}

std::string Deed(absl::string_view deed, absl::string_view actor, absl::string_view reason) {
  std::string text(deed);
  if (!actor.empty()) absl::StrAppend(&text, " by ", actor);
  if (!reason.empty()) absl::StrAppend(&text, ": ", reason);
  return text;
}

}  // namespace curlew::rollout
