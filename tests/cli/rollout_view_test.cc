#include "cli/rollout_view.h"

#include "common/base/own_sqlstate.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/cli/messages.h"

namespace curlew::cli {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

const ViewOptions kView = {{}, absl::UTCTimeZone(), absl::FromUnixSeconds(1'000'000'180), 0};

v1::Rollout AtTheGate() {
  return Parse<v1::Rollout>(R"pb(
    name: "rollouts/release-42"
    plan: "plans/rename-0123456789ab"
    plan_digest: "0123"
    creator: "ann"
    state: ROLLOUT_STATE_RUNNING
    create_time { seconds: 1000000000 }
    stages {
      environment: "environments/staging"
      state: STAGE_STATE_AT_DROP_GATE
      before { id: "staging/before" }
      before_drop {
        id: "staging/before-drop"
        required_approvals: 2
        reached_time { seconds: 1000000100 }
        approvals {
          actor: "bob"
          reason: "fine"
          time { seconds: 1000000120 }
        }
      }
      soak { seconds: 30 }
    }
    stages {
      environment: "environments/production"
      state: STAGE_STATE_PENDING
      before { id: "production/before" required_approvals: 1 }
      before_drop { id: "production/before-drop" }
    }
    waiting {
      cause: WAIT_CAUSE_APPROVAL
      message: "1 more approval"
      gate: "staging/before-drop"
      since { seconds: 1000000100 }
    }
    runs {
      target: "staging-crm"
      environment: "environments/staging"
      state: RUN_STATE_READY_TO_DROP
      steps {
        key: "add-1"
        phase: PHASE_ADD
        title: "Add a column"
        state: STEP_STATE_SUCCEEDED
        attempts: 1
        start_time { seconds: 1000000001 }
        end_time { seconds: 1000000002 }
      }
      steps {
        key: "backfill-1"
        phase: PHASE_BACKFILL
        title: "Fill"
        state: STEP_STATE_ACTIVE
        attempts: 2
        rows: 12345
        attempt { state: ATTEMPT_STATE_UNKNOWN }
        start_time { seconds: 1000000060 }
      }
      steps { key: "drop-1" phase: PHASE_DROP title: "Drop" state: STEP_STATE_PENDING }
    })pb");
}

TEST(RolloutViewTest, ShowsTheCommandThatOpensAGate) {
  const std::string text = RenderRollout(AtTheGate(), kView);
  EXPECT_THAT(
      text, AllOf(HasSubstr("Rollout release-42: RUNNING"),
                  HasSubstr("  approval: 1 more approval, for 1m20s\n"
                            "    to open it: curlew rollout approve release-42 --gate staging/before-drop\n"),
                  HasSubstr("production/before: needs 1 approval once it is reached: curlew rollout approve "
                            "release-42 --gate production/before\n"),
                  HasSubstr("staging/before-drop: approved by bob, 2001-09-09 01:48:40 (1m00s ago): fine")));
}

TEST(RolloutViewTest, ShowsStagesAndGates) {
  const std::string text = RenderRollout(AtTheGate(), kView);
  EXPECT_THAT(
      text,
      HasSubstr(
          "  staging      AT_DROP_GATE  open                           closed, 1 of 2 approvals  30s\n"));
  EXPECT_THAT(text, HasSubstr("  production   PENDING       not reached, 0 of 1 approvals  open"));
}

TEST(RolloutViewTest, ShowsStepsWithTriesTimeAndRows) {
  const std::string text = RenderRollout(AtTheGate(), kView);
  EXPECT_THAT(text,
              AllOf(HasSubstr("Run on staging-crm (staging)"),
                    HasSubstr("add-1       ADD       SUCCEEDED            1     1s       -  Add a column"),
                    HasSubstr("backfill-1  BACKFILL  ACTIVE, unknown      2  2m00s  12,345  Fill"),
                    HasSubstr("drop-1      DROP      PENDING              -      -       -  Drop")));
}

TEST(RolloutViewTest, ShowsTuningAndHowAWalkGoes) {
  v1::Rollout rollout = AtTheGate();
  *rollout.mutable_runs(0)->mutable_tuning() =
      Parse<v1::Tuning>("max_workers: 2 limits { key: 'b' value: -1 } limits { key: 'a' value: 0.5 }");
  const v1::Progress progress = Parse<v1::Progress>(R"pb(
    target: "staging-crm"
    step: "backfill-1"
    rows_done: 42000
    rows_total: 100000
    fraction: 0.42
    rows_per_second: 21000
    blocks_done: 1
    blocks_total: 2
    workers {
      place: "public.contacts: blocks 4096 to 4160"
      batch_rows: 1
      batch_duration { nanos: 48000000 }
    }
    workers {})pb");
  EXPECT_THAT(RenderRollout(rollout, kView, {{"staging-crm", progress}}),
              HasSubstr("  tuned to  max_workers 2, limit a 0.5, limit b off\n"
                        "  working   backfill-1: 42%, 42,000 of about 100,000 rows, 21,000 rows/s\n"
                        "            1 of 2 blocks, 2 workers, batch of 1 row in 48ms\n"
                        "            worker 1: public.contacts: blocks 4096 to 4160, 1 row in 48ms\n"
                        "            worker 2: idle\n"));
  rollout.mutable_runs(0)->mutable_tuning()->Clear();
  EXPECT_THAT(RenderRollout(rollout, kView), Not(HasSubstr("tuned")));
}

TEST(RolloutViewTest, ShowsWhoOverrodeAWaitAndWhy) {
  v1::Rollout rollout = AtTheGate();
  v1::StepStatus& step = *rollout.mutable_runs(0)->mutable_steps(2);
  step.set_waits(true);
  step.mutable_override()->set_actor("bob");
  step.mutable_override()->set_reason("the night job ends by itself");
  EXPECT_THAT(RenderRollout(rollout, kView),
              HasSubstr("Drop; overridden by bob: the night job ends by itself"));
}

TEST(RolloutViewTest, ShowsErrorsWithRowKeysAndHint) {
  v1::Rollout rollout = AtTheGate();
  *rollout.mutable_runs(0)->mutable_error() = Parse<v1::StepError>(R"pb(message: "numbers collide"
                                                                        sqlstate: "23505"
                                                                        hint: "correct them"
                                                                        row_keys: "contacts (id)=(42)")pb");
  EXPECT_THAT(RenderRollout(rollout, kView), HasSubstr("  error: numbers collide (SQLSTATE 23505)\n"
                                                       "    row: contacts (id)=(42)\n"
                                                       "    what to do: correct them\n"));
}

TEST(RolloutViewTest, ListsWhatARolloutWaitsFor) {
  google::protobuf::RepeatedPtrField<v1::Rollout> rollouts;
  *rollouts.Add() = AtTheGate();
  EXPECT_EQ(RolloutTable(rollouts, kView).Render({}),
            "NAME        STATE    STAGE                 PLAN                 AGE    BY   WAITS FOR\n"
            "release-42  RUNNING  staging AT_DROP_GATE  rename-0123456789ab  3m00s  ann  approval of "
            "staging/before-drop\n");
}

TEST(RolloutViewTest, AFailureNamesTargetStepErrorAndNextCommands) {
  v1::Rollout rollout = AtTheGate();
  rollout.set_state(v1::ROLLOUT_STATE_FAILED);
  rollout.set_reason("staging-crm failed");
  rollout.mutable_runs(0)->mutable_steps(1)->set_state(v1::STEP_STATE_FAILED);
  rollout.mutable_runs(0)->mutable_error()->set_message("numbers collide");
  EXPECT_EQ(RenderFailure(rollout, {}),
            "error: rollout release-42 failed: staging-crm failed\n"
            "  on staging-crm, step backfill-1:\n"
            "    error: numbers collide\n"
            "  what to do: when the cause is gone: curlew rollout retry release-42; to undo: curlew rollout "
            "rollback release-42\n");
  rollout.mutable_runs(0)->mutable_steps(1)->set_skippable(true);
  EXPECT_THAT(
      RenderFailure(rollout, {}),
      HasSubstr("; to go on without the step: curlew rollout skip release-42 --reason TEXT; to undo: "));
  rollout.mutable_runs(0)->mutable_steps(1)->set_skippable(false);
  rollout.mutable_runs(0)->mutable_error()->set_sqlstate(base::kRowsQuarantined);
  EXPECT_THAT(
      RenderFailure(rollout, {}),
      HasSubstr("  what to do: see the rows: curlew rollout rows release-42; to leave them as they are: "
                "curlew rollout override release-42 --reason TEXT, then retry; when the cause is gone"));
  // Past its point of no return.
  rollout.set_rollback_refusal("drop-2 is done");
  EXPECT_THAT(RenderFailure(rollout, {}), AllOf(HasSubstr("; to leave it: curlew rollout abort release-42\n"),
                                                Not(HasSubstr("rollback"))));
  rollout.set_state(v1::ROLLOUT_STATE_ABORTED);
  EXPECT_THAT(
      RenderFailure(rollout, {}),
      AllOf(HasSubstr("  what to do: what was done stays: drop-2 is done\n"), Not(HasSubstr("rollback"))));
  rollout.set_state(v1::ROLLOUT_STATE_SUCCEEDED);
  EXPECT_THAT(RenderFailure(rollout, {}), IsEmpty());
}

TEST(RolloutViewTest, NamesFromElsewhereCannotSteerTheTerminal) {
  v1::Rollout rollout = AtTheGate();
  rollout.set_reason("\033[2J");
  rollout.mutable_runs(0)->mutable_steps(0)->set_title("\033[2J");
  rollout.mutable_waiting(0)->set_message("\033[2J");
  EXPECT_THAT(RenderRollout(rollout, kView), Not(HasSubstr("\033")));
}

}  // namespace
}  // namespace curlew::cli
