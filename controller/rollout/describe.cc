#include "controller/rollout/describe.h"

#include <algorithm>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/string_view.h"
#include "common/base/own_sqlstate.h"
#include "common/base/proto_time.h"
#include "controller/rollout/draft.h"
#include "controller/rollout/gates.h"

namespace curlew::rollout {
namespace {

v1::Waiting NewWaiting(v1::WaitCause cause, std::string message, absl::Time since) {
  v1::Waiting waiting;
  waiting.set_cause(cause);
  waiting.set_message(std::move(message));
  *waiting.mutable_since() = base::ToProto(since);
  return waiting;
}

std::string At(absl::Time time) {
  return absl::FormatTime("%Y-%m-%d %H:%M:%S UTC", time, absl::UTCTimeZone());
}

v1::Waiting ForApproval(const v1::Rollout& rollout, const v1::Gate& gate) {
  const int missing = gate.required_approvals() - gate.approvals_size();
  v1::Waiting waiting = NewWaiting(
      v1::WAIT_CAUSE_APPROVAL,
      absl::StrCat("gate ", gate.id(), " needs ", missing, " more approval", missing == 1 ? "" : "s",
                   ": curlew rollout approve ", BareName(rollout.name()), " --gate ", gate.id()),
      base::FromProto(gate.reached_time()));
  waiting.set_gate(gate.id());
  return waiting;
}

v1::Waiting ForSoak(const v1::EnvironmentStage& stage) {
  const absl::Time until = base::FromProto(stage.soak_until());
  v1::Waiting waiting =
      NewWaiting(v1::WAIT_CAUSE_SOAK, absl::StrCat(BareName(stage.environment()), " soaks until ", At(until)),
                 until - base::FromProto(stage.soak()));
  *waiting.mutable_until() = stage.soak_until();
  return waiting;
}

v1::Waiting ForAgent(const v1::Run& run, absl::Time now) {
  v1::Waiting waiting =
      NewWaiting(v1::WAIT_CAUSE_AGENT,
                 absl::StrCat("no agent serves ", run.target(),
                              ": start its curlew-agent; see `curlew target show ", run.target(), "`"),
                 now);
  waiting.set_target(run.target());
  return waiting;
}

// Where the attempt waits for its time; `what` names it.
void AddBackoff(const v1::Run& run, const v1::Attempt& attempt, absl::string_view what, absl::Time now,
                std::vector<v1::Waiting>& causes) {
  if (attempt.state() != v1::ATTEMPT_STATE_QUEUED || !attempt.has_not_before()) return;
  const absl::Time until = base::FromProto(attempt.not_before());
  if (until <= now) return;
  v1::Waiting waiting = NewWaiting(v1::WAIT_CAUSE_BACKOFF,
                                   absl::StrCat(run.target(), ": ", what, " is tried again at ", At(until),
                                                ": ", attempt.error().message()),
                                   now);
  *waiting.mutable_until() = attempt.not_before();
  waiting.set_target(run.target());
  causes.push_back(std::move(waiting));
}

bool IsAtWork(const v1::Run& run) {
  return run.state() == v1::RUN_STATE_COMPILING || run.state() == v1::RUN_STATE_RUNNING ||
         run.state() == v1::RUN_STATE_DROPPING || run.state() == v1::RUN_STATE_ROLLING_BACK;
}

void AddRun(const v1::Run& run, absl::Time now, std::vector<v1::Waiting>& causes) {
  if (!IsAtWork(run)) return;
  if (run.epoch() == 0) {
    causes.push_back(ForAgent(run, now));
    return;
  }
  AddBackoff(run, run.compilation(), "its compilation", now, causes);
  for (const v1::StepStatus& step : run.steps()) AddBackoff(run, step.attempt(), step.key(), now, causes);
  AddBackoff(run, run.rollback_gate().attempt(), kRollbackGateKey, now, causes);
}

bool SameCause(const v1::Waiting& a, const v1::Waiting& b) {
  return a.cause() == b.cause() && a.target() == b.target() && a.gate() == b.gate() &&
         a.until().seconds() == b.until().seconds() && a.until().nanos() == b.until().nanos();
}

// " (SQLSTATE 42501)", where the message does not say so.
std::string SqlstateOf(const v1::StepError& error) {
  if (error.sqlstate().empty() || absl::StrContains(error.message(), error.sqlstate())) return "";
  return absl::StrCat(" (SQLSTATE ", error.sqlstate(), ")");
}

}  // namespace

void DescribeWaiting(v1::Rollout& rollout, absl::Time now) {
  std::vector<v1::Waiting> causes;
  if (rollout.state() == v1::ROLLOUT_STATE_RUNNING) {
    if (const v1::Gate* gate = ClosedGate(rollout)) causes.push_back(ForApproval(rollout, *gate));
    for (const v1::EnvironmentStage& stage : rollout.stages()) {
      if (stage.state() == v1::STAGE_STATE_SOAKING) causes.push_back(ForSoak(stage));
    }
  }
  if (rollout.state() == v1::ROLLOUT_STATE_RUNNING || rollout.state() == v1::ROLLOUT_STATE_ROLLING_BACK) {
    for (const v1::Run& run : rollout.runs()) AddRun(run, now, causes);
  }
  for (v1::Waiting& cause : causes) {
    for (const v1::Waiting& before : rollout.waiting()) {
      if (SameCause(before, cause)) *cause.mutable_since() = before.since();
    }
  }
  rollout.mutable_waiting()->Assign(causes.begin(), causes.end());
}

absl::Time NextWake(const v1::Rollout& rollout) {
  absl::Time wake = absl::InfiniteFuture();
  for (const v1::Waiting& cause : rollout.waiting()) {
    if (cause.has_until()) wake = std::min(wake, base::FromProto(cause.until()));
  }
  return wake;
}

std::string DescribeFailure(const v1::Rollout& rollout) {
  std::vector<std::string> failures;
  std::vector<std::string> skippable;
  bool rows = false;
  for (const v1::Run& run : rollout.runs()) {
    if (run.state() != v1::RUN_STATE_FAILED) continue;
    failures.push_back(absl::StrCat(run.target(), ": ", run.error().message(), SqlstateOf(run.error())));
    rows = rows || run.error().sqlstate() == base::kRowsQuarantined;
    for (const v1::StepStatus& step : run.steps()) {
      if (step.state() == v1::STEP_STATE_FAILED && step.skippable()) skippable.push_back(step.key());
    }
  }
  const absl::string_view name = BareName(rollout.name());
  std::string text = absl::StrJoin(failures, "; ");
  if (rollout.has_rollback_time()) {
    return absl::StrCat(text, "; to try again: `curlew rollout rollback ", name, "`");
  }
  if (rows) absl::StrAppend(&text, "; to see the rows: `curlew rollout rows ", name, "`");
  absl::StrAppend(&text, "; to try again: `curlew rollout retry ", name, "`");
  if (!skippable.empty()) {
    absl::StrAppend(&text, "; to go on without ", absl::StrJoin(skippable, ", "), ": `curlew rollout skip ",
                    name, " --reason '...'`");
  }
  return absl::StrCat(text, "; to undo: `curlew rollout rollback ", name, "`");
}

}  // namespace curlew::rollout
