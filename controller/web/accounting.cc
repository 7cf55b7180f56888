#include "controller/web/accounting.h"

#include <algorithm>
#include <string>

#include "common/base/proto_time.h"

namespace curlew::web {
namespace {

const v1::Run* FindRun(const v1::Rollout& rollout, const std::string& target) {
  for (const v1::Run& run : rollout.runs()) {
    if (run.target() == target) return &run;
  }
  return nullptr;
}

// The steps of a run, the rollback gate last.
std::vector<const v1::StepStatus*> StepsOf(const v1::Run& run) {
  std::vector<const v1::StepStatus*> steps;
  for (const v1::StepStatus& step : run.steps()) steps.push_back(&step);
  if (run.has_rollback_gate()) steps.push_back(&run.rollback_gate());
  return steps;
}

const v1::StepStatus* FindStep(const v1::Run* run, const std::string& key) {
  if (run == nullptr) return nullptr;
  for (const v1::StepStatus* step : StepsOf(*run)) {
    if (step->key() == key) return step;
  }
  return nullptr;
}

bool IsWithAgent(const v1::Attempt& attempt) {
  return attempt.state() == v1::ATTEMPT_STATE_LEASED || attempt.state() == v1::ATTEMPT_STATE_RUNNING;
}

bool Ends(const v1::Event& event) {
  return event.attempt() > 0 &&
         (event.type() == v1::EVENT_TYPE_STEP_SUCCEEDED || event.type() == v1::EVENT_TYPE_STEP_UNDONE ||
          event.type() == v1::EVENT_TYPE_STEP_FAILED);
}

// Of an event STEP_FAILED. Where the step has been queued again its attempt is the next one, and only the
// count of errors tells.
absl::string_view FailedOutcome(const v1::Event& event, const v1::StepStatus* before,
                                const v1::StepStatus& after) {
  const bool counted = after.errors() > (before == nullptr ? 0 : before->errors());
  if (after.attempt().number() != event.attempt()) return counted ? "errored" : "cancelled";
  switch (after.attempt().state()) {
    case v1::ATTEMPT_STATE_FAILED:
      return "failed";
    case v1::ATTEMPT_STATE_ERRORED:
      return counted ? "errored" : "lost";
    case v1::ATTEMPT_STATE_UNKNOWN:
      return "lost";
    case v1::ATTEMPT_STATE_CANCELLED:
    case v1::ATTEMPT_STATE_UNSPECIFIED:
    case v1::ATTEMPT_STATE_QUEUED:
    case v1::ATTEMPT_STATE_LEASED:
    case v1::ATTEMPT_STATE_RUNNING:
    case v1::ATTEMPT_STATE_SUCCEEDED:
    case v1::AttemptState_INT_MIN_SENTINEL_DO_NOT_USE_:
    case v1::AttemptState_INT_MAX_SENTINEL_DO_NOT_USE_:
      return "cancelled";
  }
  return "cancelled";
}

std::optional<absl::Time> StartOf(const v1::Event& end, const v1::StepStatus* before,
                                  const v1::StepStatus& after, const std::vector<v1::Event>& events) {
  for (const v1::StepStatus* step : {before, &after}) {
    if (step != nullptr && step->attempt().number() == end.attempt() && step->attempt().has_start_time()) {
      return base::FromProto(step->attempt().start_time());
    }
  }
  for (const v1::Event& event : events) {
    if (event.type() == v1::EVENT_TYPE_STEP_STARTED && event.target() == end.target() &&
        event.attempt() == end.attempt()) {
      return base::FromProto(event.time());
    }
  }
  return std::nullopt;
}

bool HasEnd(const std::vector<v1::Event>& events, const std::string& target, int attempt) {
  return std::any_of(events.begin(), events.end(), [&](const v1::Event& event) {
    return Ends(event) && event.target() == target && event.attempt() == attempt;
  });
}

// "" for a gate that did not open between the two, or that nobody was asked to open.
void AddOpened(absl::string_view name, const v1::Gate& before, const v1::Gate& after,
               std::vector<OpenedGate>* opened) {
  if (after.required_approvals() == 0 || !after.has_open_time() || !after.has_reached_time() ||
      before.has_open_time()) {
    return;
  }
  opened->push_back(
      {.gate = name, .waited = base::FromProto(after.open_time()) - base::FromProto(after.reached_time())});
}

}  // namespace

absl::string_view Name(Cause cause) {
  switch (cause) {
    case Cause::kApproval:
      return "approval";
    case Cause::kPause:
      return "pause";
    case Cause::kFailure:
      return "failure";
    case Cause::kSessions:
      return "sessions";
    case Cause::kLock:
      return "lock";
    case Cause::kSoak:
      return "soak";
    case Cause::kAgent:
      return "agent";
    case Cause::kBackoff:
      return "backoff";
    case Cause::kThrottle:
      return "throttle";
    case Cause::kWindow:
      return "window";
    case Cause::kFreeze:
      return "freeze";
    case Cause::kCheck:
      return "check";
    case Cause::kRollout:
      return "rollout";
    case Cause::kBudget:
      return "budget";
  }
  return "";
}

absl::string_view Name(Party party) {
  switch (party) {
    case Party::kPeople:
      return "people";
    case Party::kApplications:
      return "applications";
    case Party::kMachines:
      return "machines";
  }
  return "";
}

Party PartyOf(Cause cause) {
  switch (cause) {
    case Cause::kApproval:
    case Cause::kPause:
    case Cause::kFailure:
      return Party::kPeople;
    case Cause::kSessions:
    case Cause::kLock:
      return Party::kApplications;
    case Cause::kSoak:
    case Cause::kAgent:
    case Cause::kBackoff:
    case Cause::kThrottle:
    case Cause::kWindow:
    case Cause::kFreeze:
    case Cause::kCheck:
    case Cause::kRollout:
    case Cause::kBudget:
      return Party::kMachines;
  }
  return Party::kMachines;
}

std::optional<Cause> FromProto(v1::WaitCause cause) {
  switch (cause) {
    case v1::WAIT_CAUSE_APPROVAL:
      return Cause::kApproval;
    case v1::WAIT_CAUSE_SOAK:
      return Cause::kSoak;
    case v1::WAIT_CAUSE_AGENT:
      return Cause::kAgent;
    case v1::WAIT_CAUSE_LOCK:
      return Cause::kLock;
    case v1::WAIT_CAUSE_SESSIONS:
      return Cause::kSessions;
    case v1::WAIT_CAUSE_BACKOFF:
      return Cause::kBackoff;
    case v1::WAIT_CAUSE_THROTTLE:
      return Cause::kThrottle;
    case v1::WAIT_CAUSE_WINDOW:
      return Cause::kWindow;
    case v1::WAIT_CAUSE_FREEZE:
      return Cause::kFreeze;
    case v1::WAIT_CAUSE_CHECK:
      return Cause::kCheck;
    case v1::WAIT_CAUSE_ROLLOUT:
      return Cause::kRollout;
    case v1::WAIT_CAUSE_BUDGET:
      return Cause::kBudget;
    case v1::WAIT_CAUSE_UNSPECIFIED:
    case v1::WaitCause_INT_MIN_SENTINEL_DO_NOT_USE_:
    case v1::WaitCause_INT_MAX_SENTINEL_DO_NOT_USE_:
      return std::nullopt;
  }
  return std::nullopt;
}

std::vector<Cause> CausesOf(const v1::Rollout& rollout) {
  std::vector<Cause> causes;
  if (rollout.state() == v1::ROLLOUT_STATE_PAUSED) causes.push_back(Cause::kPause);
  if (rollout.state() == v1::ROLLOUT_STATE_FAILED) causes.push_back(Cause::kFailure);
  for (const v1::Waiting& waiting : rollout.waiting()) {
    if (const auto cause = FromProto(waiting.cause()); cause.has_value()) causes.push_back(*cause);
  }
  for (const v1::Run& run : rollout.runs()) {
    for (const v1::StepStatus* step : StepsOf(run)) {
      if (step->waits() && IsWithAgent(step->attempt())) causes.push_back(Cause::kSessions);
    }
  }
  return causes;
}

absl::string_view Name(Part part) {
  switch (part) {
    case Part::kWork:
      return "work";
    case Part::kPeople:
      return "people";
    case Part::kApplications:
      return "applications";
    case Part::kMachines:
      return "machines";
  }
  return "";
}

Part PartOf(const v1::Rollout& rollout) {
  for (const v1::Run& run : rollout.runs()) {
    if (run.compilation().state() == v1::ATTEMPT_STATE_LEASED) return Part::kWork;
    for (const v1::StepStatus* step : StepsOf(run)) {
      if (!step->waits() && IsWithAgent(step->attempt())) return Part::kWork;
    }
  }
  bool applications = false, machines = false;
  for (const Cause cause : CausesOf(rollout)) {
    switch (PartyOf(cause)) {
      case Party::kPeople:
        return Part::kPeople;
      case Party::kApplications:
        applications = true;
        break;
      case Party::kMachines:
        machines = true;
        break;
    }
  }
  if (applications) return Part::kApplications;
  return machines ? Part::kMachines : Part::kWork;
}

std::vector<EndedAttempt> EndedAttempts(const v1::Rollout& before, const v1::Rollout& after,
                                        const std::vector<v1::Event>& events) {
  std::vector<EndedAttempt> ended;
  for (const v1::Event& event : events) {
    if (!Ends(event)) continue;
    const v1::StepStatus* old = FindStep(FindRun(before, event.target()), event.step());
    const v1::StepStatus* step = FindStep(FindRun(after, event.target()), event.step());
    if (step == nullptr) continue;
    EndedAttempt attempt{.phase = step->phase(), .outcome = "succeeded"};
    if (event.type() == v1::EVENT_TYPE_STEP_FAILED) attempt.outcome = FailedOutcome(event, old, *step);
    const std::optional<absl::Time> start = StartOf(event, old, *step, events);
    if (start.has_value() && attempt.outcome != "lost" && !step->waits()) {
      attempt.worked = std::max(base::FromProto(event.time()) - *start, absl::ZeroDuration());
    }
    ended.push_back(attempt);
  }
  // What was lost with its agent is tried again without a word.
  for (const v1::Run& run : before.runs()) {
    for (const v1::StepStatus* old : StepsOf(run)) {
      const v1::Attempt& attempt = old->attempt();
      if (attempt.state() != v1::ATTEMPT_STATE_RUNNING && attempt.state() != v1::ATTEMPT_STATE_UNKNOWN)
        continue;
      const v1::StepStatus* step = FindStep(FindRun(after, run.target()), old->key());
      if (step == nullptr || step->attempt().number() == attempt.number() ||
          HasEnd(events, run.target(), attempt.number())) {
        continue;
      }
      ended.push_back({.phase = step->phase(), .outcome = "lost"});
    }
  }
  return ended;
}

std::vector<OpenedGate> OpenedGates(const v1::Rollout& before, const v1::Rollout& after) {
  std::vector<OpenedGate> opened;
  for (int i = 0; i < after.stages_size(); ++i) {
    const v1::EnvironmentStage& stage = after.stages(i);
    const v1::EnvironmentStage& old =
        i < before.stages_size() ? before.stages(i) : v1::EnvironmentStage::default_instance();
    AddOpened("before", old.before(), stage.before(), &opened);
    AddOpened("before_drop", old.before_drop(), stage.before_drop(), &opened);
    for (int j = 0; j < std::min(old.waves_size(), stage.waves_size()); ++j) {
      AddOpened("wave", old.waves(j).before(), stage.waves(j).before(), &opened);
    }
  }
  return opened;
}

absl::Time AtGateSince(const v1::Rollout& rollout) {
  absl::Time since = absl::InfiniteFuture();
  for (const v1::Waiting& waiting : rollout.waiting()) {
    if (waiting.cause() == v1::WAIT_CAUSE_APPROVAL) since = std::min(since, base::FromProto(waiting.since()));
  }
  return since;
}

}  // namespace curlew::web
