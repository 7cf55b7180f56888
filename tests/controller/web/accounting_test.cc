// Truth tables: which state counts as what.
#include "controller/web/accounting.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/base/proto_time.h"

namespace curlew::web {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

const absl::Time kNoon = absl::FromUnixSeconds(1'800'000'000);

// A rollout with one run of one step.
v1::Rollout OneStep(v1::AttemptState attempt, int number = 1) {
  v1::Rollout rollout;
  rollout.set_state(v1::ROLLOUT_STATE_RUNNING);
  v1::Run* run = rollout.add_runs();
  run->set_target("crm");
  v1::StepStatus* step = run->add_steps();
  step->set_key("add/1");
  step->set_phase(v1::PHASE_BACKFILL);
  step->mutable_attempt()->set_number(number);
  step->mutable_attempt()->set_state(attempt);
  return rollout;
}
v1::StepStatus* Step(v1::Rollout* rollout) { return rollout->mutable_runs(0)->mutable_steps(0); }

v1::Rollout Started(v1::Rollout rollout, absl::Time at) {
  *Step(&rollout)->mutable_attempt()->mutable_start_time() = base::ToProto(at);
  return rollout;
}

v1::Rollout WithErrors(v1::Rollout rollout, int errors) {
  Step(&rollout)->set_errors(errors);
  return rollout;
}

v1::Rollout Waits(v1::Rollout rollout, v1::WaitCause cause) {
  rollout.add_waiting()->set_cause(cause);
  return rollout;
}

v1::Rollout In(v1::RolloutState state) {
  v1::Rollout rollout;
  rollout.set_state(state);
  return rollout;
}

v1::Rollout AtConditionalStep(v1::AttemptState attempt) {
  v1::Rollout rollout = OneStep(attempt);
  Step(&rollout)->set_waits(true);
  return rollout;
}

v1::Event EndOf(v1::EventType type, int attempt, absl::Time at) {
  v1::Event event;
  event.set_type(type);
  event.set_target("crm");
  event.set_step("add/1");
  event.set_attempt(attempt);
  *event.mutable_time() = base::ToProto(at);
  return event;
}

TEST(AccountingTest, EachMomentOfARolloutIsWorkOrWaitsForSomebody) {
  const struct {
    const char* what;
    v1::Rollout rollout;
    Part part;
    std::vector<Cause> causes;
  } kTable[] = {
      {"an attempt runs", OneStep(v1::ATTEMPT_STATE_RUNNING), Part::kWork, {}},
      {"an attempt is on its way", OneStep(v1::ATTEMPT_STATE_LEASED), Part::kWork, {}},
      {"an attempt is about to be sent", OneStep(v1::ATTEMPT_STATE_QUEUED), Part::kWork, {}},
      {"it works although another target has no agent",
       Waits(OneStep(v1::ATTEMPT_STATE_RUNNING), v1::WAIT_CAUSE_AGENT),
       Part::kWork,
       {Cause::kAgent}},
      {"a gate is closed",
       Waits(In(v1::ROLLOUT_STATE_RUNNING), v1::WAIT_CAUSE_APPROVAL),
       Part::kPeople,
       {Cause::kApproval}},
      {"a gate is closed, and the next environment soaks",
       Waits(Waits(In(v1::ROLLOUT_STATE_RUNNING), v1::WAIT_CAUSE_SOAK), v1::WAIT_CAUSE_APPROVAL),
       Part::kPeople,
       {Cause::kSoak, Cause::kApproval}},
      {"paused", In(v1::ROLLOUT_STATE_PAUSED), Part::kPeople, {Cause::kPause}},
      {"failed", In(v1::ROLLOUT_STATE_FAILED), Part::kPeople, {Cause::kFailure}},
      {"soaks", Waits(In(v1::ROLLOUT_STATE_RUNNING), v1::WAIT_CAUSE_SOAK), Part::kMachines, {Cause::kSoak}},
      {"no agent",
       Waits(In(v1::ROLLOUT_STATE_RUNNING), v1::WAIT_CAUSE_AGENT),
       Part::kMachines,
       {Cause::kAgent}},
      {"is tried again later",
       Waits(OneStep(v1::ATTEMPT_STATE_QUEUED), v1::WAIT_CAUSE_BACKOFF),
       Part::kMachines,
       {Cause::kBackoff}},
      {"a step waits for sessions",
       AtConditionalStep(v1::ATTEMPT_STATE_RUNNING),
       Part::kApplications,
       {Cause::kSessions}},
      {"a step that will wait is not sent yet", AtConditionalStep(v1::ATTEMPT_STATE_QUEUED), Part::kWork, {}},
  };
  for (const auto& row : kTable) {
    EXPECT_EQ(Name(PartOf(row.rollout)), Name(row.part)) << row.what;
    EXPECT_EQ(CausesOf(row.rollout), row.causes) << row.what;
  }
}

TEST(AccountingTest, ACompilationIsWork) {
  v1::Rollout rollout = In(v1::ROLLOUT_STATE_RUNNING);
  rollout.add_runs()->mutable_compilation()->set_state(v1::ATTEMPT_STATE_LEASED);
  EXPECT_EQ(Name(PartOf(rollout)), "work");
}

TEST(AccountingTest, TheRollbackGateIsAStepThatWaits) {
  v1::Rollout rollout = In(v1::ROLLOUT_STATE_ROLLING_BACK);
  v1::StepStatus* gate = rollout.add_runs()->mutable_rollback_gate();
  gate->set_waits(true);
  gate->mutable_attempt()->set_state(v1::ATTEMPT_STATE_RUNNING);
  EXPECT_EQ(Name(PartOf(rollout)), "applications");
}

TEST(AccountingTest, EachCauseIsUpToSomebody) {
  std::vector<std::string> table;
  for (const Cause cause : kCauses) table.push_back(absl::StrCat(Name(cause), " ", Name(PartyOf(cause))));
  EXPECT_THAT(table, ElementsAre("approval people", "pause people", "failure people", "sessions applications",
                                 "lock applications", "soak machines", "agent machines", "backoff machines",
                                 "throttle machines", "window machines", "freeze machines", "check machines",
                                 "rollout machines", "budget machines"));
}

TEST(AccountingTest, EachCauseOfTheProtocolHasOneHere) {
  const auto* causes = v1::WaitCause_descriptor();
  for (int i = 0; i < causes->value_count(); ++i) {
    const auto cause = static_cast<v1::WaitCause>(causes->value(i)->number());
    EXPECT_EQ(FromProto(cause).has_value(), cause != v1::WAIT_CAUSE_UNSPECIFIED) << causes->value(i)->name();
  }
}

TEST(AccountingTest, AnAttemptEndsByItsOutcome) {
  using S = v1::AttemptState;
  const v1::Rollout running = Started(OneStep(S::ATTEMPT_STATE_RUNNING), kNoon);
  const v1::Rollout unknown = Started(OneStep(S::ATTEMPT_STATE_UNKNOWN), kNoon);
  const struct {
    const char* what;
    v1::Rollout before, after;
    v1::EventType event;
    std::string outcome;
    bool has_time;
  } kTable[] = {
      {"done", running, OneStep(S::ATTEMPT_STATE_SUCCEEDED), v1::EVENT_TYPE_STEP_SUCCEEDED, "succeeded",
       true},
      {"undone", running, OneStep(S::ATTEMPT_STATE_SUCCEEDED), v1::EVENT_TYPE_STEP_UNDONE, "succeeded", true},
      {"for good", running, OneStep(S::ATTEMPT_STATE_FAILED), v1::EVENT_TYPE_STEP_FAILED, "failed", true},
      {"given up", running, WithErrors(OneStep(S::ATTEMPT_STATE_FAILED), 1), v1::EVENT_TYPE_STEP_FAILED,
       "failed", true},
      {"queued again", running, WithErrors(OneStep(S::ATTEMPT_STATE_QUEUED, 2), 1),
       v1::EVENT_TYPE_STEP_FAILED, "errored", true},
      {"errored while paused", running, WithErrors(OneStep(S::ATTEMPT_STATE_ERRORED), 1),
       v1::EVENT_TYPE_STEP_FAILED, "errored", true},
      {"stopped", running, OneStep(S::ATTEMPT_STATE_CANCELLED), v1::EVENT_TYPE_STEP_FAILED, "cancelled",
       true},
      {"stopped and queued again", running, OneStep(S::ATTEMPT_STATE_QUEUED, 2), v1::EVENT_TYPE_STEP_FAILED,
       "cancelled", true},
      {"settled as lost", unknown, OneStep(S::ATTEMPT_STATE_ERRORED), v1::EVENT_TYPE_STEP_FAILED, "lost",
       false},
  };
  for (const auto& row : kTable) {
    const auto ended = EndedAttempts(row.before, row.after, {EndOf(row.event, 1, kNoon + absl::Seconds(7))});
    ASSERT_EQ(ended.size(), 1U) << row.what;
    EXPECT_EQ(ended[0].outcome, row.outcome) << row.what;
    EXPECT_EQ(ended[0].phase, v1::PHASE_BACKFILL) << row.what;
    EXPECT_EQ(ended[0].worked.has_value(), row.has_time) << row.what;
    if (row.has_time) {
      EXPECT_EQ(*ended[0].worked, absl::Seconds(7)) << row.what;
    }
  }
}

TEST(AccountingTest, AnAttemptThatIsTriedAgainWithoutAWordWasLost) {
  for (const v1::AttemptState state : {v1::ATTEMPT_STATE_UNKNOWN, v1::ATTEMPT_STATE_RUNNING}) {
    const auto ended = EndedAttempts(OneStep(state), OneStep(v1::ATTEMPT_STATE_LEASED, 2), {});
    ASSERT_EQ(ended.size(), 1U);
    EXPECT_EQ(ended[0].outcome, "lost");
    EXPECT_FALSE(ended[0].worked.has_value());
  }
  // One that goes on, that was never sent, or that nobody has begun was not.
  EXPECT_THAT(EndedAttempts(OneStep(v1::ATTEMPT_STATE_RUNNING), OneStep(v1::ATTEMPT_STATE_UNKNOWN), {}),
              IsEmpty());
  EXPECT_THAT(EndedAttempts(OneStep(v1::ATTEMPT_STATE_QUEUED), OneStep(v1::ATTEMPT_STATE_LEASED), {}),
              IsEmpty());
  EXPECT_THAT(EndedAttempts(OneStep(v1::ATTEMPT_STATE_SUCCEEDED), OneStep(v1::ATTEMPT_STATE_QUEUED, 2), {}),
              IsEmpty());
}

TEST(AccountingTest, WhatBeganAndEndedAtOnceHasItsStartInTheEvents) {
  v1::Event start = EndOf(v1::EVENT_TYPE_STEP_STARTED, 1, kNoon);
  const auto ended =
      EndedAttempts(OneStep(v1::ATTEMPT_STATE_LEASED), WithErrors(OneStep(v1::ATTEMPT_STATE_QUEUED, 2), 1),
                    {start, EndOf(v1::EVENT_TYPE_STEP_FAILED, 1, kNoon + absl::Milliseconds(5))});
  ASSERT_EQ(ended.size(), 1U);
  EXPECT_EQ(ended[0].worked, absl::Milliseconds(5));
}

TEST(AccountingTest, AnAttemptThatOnlyWaitsIsNoWork) {
  const auto ended = EndedAttempts(Started(AtConditionalStep(v1::ATTEMPT_STATE_RUNNING), kNoon),
                                   AtConditionalStep(v1::ATTEMPT_STATE_SUCCEEDED),
                                   {EndOf(v1::EVENT_TYPE_STEP_SUCCEEDED, 1, kNoon + absl::Hours(8))});
  ASSERT_EQ(ended.size(), 1U);
  EXPECT_EQ(ended[0].outcome, "succeeded");
  EXPECT_FALSE(ended[0].worked.has_value());
}

TEST(AccountingTest, AGateIsMeasuredWhenItOpens) {
  v1::Rollout before;
  v1::Gate* gate = before.add_stages()->mutable_before_drop();
  gate->set_required_approvals(1);
  *gate->mutable_reached_time() = base::ToProto(kNoon);
  v1::Rollout after = before;
  *after.mutable_stages(0)->mutable_before_drop()->mutable_open_time() =
      base::ToProto(kNoon + absl::Hours(2));
  const auto opened = OpenedGates(before, after);
  ASSERT_EQ(opened.size(), 1U);
  EXPECT_EQ(opened[0].gate, "before_drop");
  EXPECT_EQ(opened[0].waited, absl::Hours(2));
  EXPECT_THAT(OpenedGates(after, after), IsEmpty()) << "it was counted twice";
  after.mutable_stages(0)->mutable_before_drop()->set_required_approvals(0);
  EXPECT_THAT(OpenedGates(before, after), IsEmpty()) << "nobody was waited for";
}

TEST(AccountingTest, TheGateOfAWaveIsMeasuredToo) {
  v1::Rollout before;
  v1::EnvironmentStage* stage = before.add_stages();
  stage->add_waves();
  v1::Gate* gate = stage->add_waves()->mutable_before();
  gate->set_required_approvals(1);
  *gate->mutable_reached_time() = base::ToProto(kNoon);
  v1::Rollout after = before;
  *after.mutable_stages(0)->mutable_waves(1)->mutable_before()->mutable_open_time() =
      base::ToProto(kNoon + absl::Minutes(5));
  const auto opened = OpenedGates(before, after);
  ASSERT_EQ(opened.size(), 1U);
  EXPECT_EQ(opened[0].gate, "wave");
  EXPECT_EQ(opened[0].waited, absl::Minutes(5));
}

}  // namespace
}  // namespace curlew::web
