#include "controller/dispatch/outbox.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <variant>

#include "tests/support/status_matchers.h"

namespace curlew::dispatch {
namespace {

using ::curlew::testing::StatusIs;

constexpr char kRollout[] = "rollouts/r-1";

rollout::DispatchAttempt Dispatch(int attempt) {
  return {.target = "crm",
          .run = "rollouts/r-1/runs/crm",
          .step = "add-1",
          .attempt = attempt,
          .direction = v1::DIRECTION_UNDO,
          .epoch = 7,
          .compiled_digest = "abc",
          .with_plan = true};
}

v1::Rollout WithAttempt(int number, v1::AttemptState state) {
  v1::Rollout rollout;
  rollout.set_name(kRollout);
  v1::Run* run = rollout.add_runs();
  run->set_target("crm");
  run->set_state(v1::RUN_STATE_RUNNING);
  run->add_steps()->mutable_attempt()->set_number(number);
  run->mutable_steps(0)->mutable_attempt()->set_state(state);
  return rollout;
}

TEST(OutboxTest, ADispatchComesBackAsItWas) {
  const store::OutboxEntry entry = EncodeCommand(kRollout, Dispatch(3));
  EXPECT_EQ(entry.kind, "dispatch");
  EXPECT_EQ(entry.rollout, kRollout);
  EXPECT_EQ(entry.target, "crm");
  const auto command = DecodeCommand(entry);
  ASSERT_TRUE(command.ok());
  const auto& back = std::get<rollout::DispatchAttempt>(*command);
  EXPECT_EQ(back.run, "rollouts/r-1/runs/crm");
  EXPECT_EQ(back.step, "add-1");
  EXPECT_EQ(back.attempt, 3);
  EXPECT_EQ(back.direction, v1::DIRECTION_UNDO);
  EXPECT_EQ(back.epoch, 7);
  EXPECT_EQ(back.compiled_digest, "abc");
  EXPECT_TRUE(back.with_plan);
  EXPECT_FALSE(back.override_wait.has_value());
}

TEST(OutboxTest, AnOverrideComesBackWithItsDispatch) {
  rollout::DispatchAttempt command = Dispatch(3);
  command.override_wait.emplace().set_actor("bob");
  command.override_wait->set_reason("the night job ends by itself");
  const auto back = DecodeCommand(EncodeCommand(kRollout, command));
  ASSERT_TRUE(back.ok());
  const auto& override_wait = std::get<rollout::DispatchAttempt>(*back).override_wait;
  ASSERT_TRUE(override_wait.has_value());
  EXPECT_EQ(override_wait->actor(), "bob");
  EXPECT_EQ(override_wait->reason(), "the night job ends by itself");
}

v1::Tuning TwoWorkers() {
  v1::Tuning tuning;
  tuning.set_max_workers(2);
  (*tuning.mutable_limits())["replica_lag_ms"] = 500;
  (*tuning.mutable_limits())["archive_backlog"] = -1;
  return tuning;
}

TEST(OutboxTest, ATuningComesBackAloneAndWithItsDispatch) {
  const auto tune = DecodeCommand(EncodeCommand(
      kRollout,
      rollout::SendTuning{.target = "crm", .run = "rollouts/r-1/runs/crm", .tuning = TwoWorkers()}));
  ASSERT_TRUE(tune.ok());
  EXPECT_EQ(std::get<rollout::SendTuning>(*tune).target, "crm");
  EXPECT_EQ(std::get<rollout::SendTuning>(*tune).run, "rollouts/r-1/runs/crm");
  EXPECT_EQ(std::get<rollout::SendTuning>(*tune).tuning.limits().at("replica_lag_ms"), 500);

  rollout::DispatchAttempt command = Dispatch(3);
  command.tuning = TwoWorkers();
  const auto dispatch = DecodeCommand(EncodeCommand(kRollout, command));
  ASSERT_TRUE(dispatch.ok());
  EXPECT_EQ(std::get<rollout::DispatchAttempt>(*dispatch).tuning->max_workers(), 2);
}

TEST(OutboxTest, ATuningIsWantedWhileItIsTheRunsAndAnAttemptIsWithTheAgent) {
  const rollout::SendTuning tune{.target = "crm", .run = "rollouts/r-1/runs/crm", .tuning = TwoWorkers()};
  const auto tuned = [](v1::AttemptState state) {
    v1::Rollout rollout = WithAttempt(3, state);
    *rollout.mutable_runs(0)->mutable_tuning() = TwoWorkers();
    return rollout;
  };
  EXPECT_TRUE(Wanted(tune, tuned(v1::ATTEMPT_STATE_LEASED)));
  EXPECT_TRUE(Wanted(tune, tuned(v1::ATTEMPT_STATE_RUNNING)));
  for (const auto state :
       {v1::ATTEMPT_STATE_QUEUED, v1::ATTEMPT_STATE_UNKNOWN, v1::ATTEMPT_STATE_SUCCEEDED}) {
    EXPECT_FALSE(Wanted(tune, tuned(state))) << state;
  }
  v1::Rollout otherwise = tuned(v1::ATTEMPT_STATE_RUNNING);
  otherwise.mutable_runs(0)->mutable_tuning()->set_max_workers(1);
  EXPECT_FALSE(Wanted(tune, otherwise)) << "a newer one is on its way";
}

TEST(OutboxTest, CompilesAndCancelsComeBackAsTheyWere) {
  const auto compile = DecodeCommand(EncodeCommand(kRollout, rollout::CompileRun{"crm"}));
  EXPECT_EQ(std::get<rollout::CompileRun>(*compile).target, "crm");
  const auto cancel = DecodeCommand(EncodeCommand(
      kRollout, rollout::CancelAttempt{.target = "crm", .run = "r", .attempt = 2, .reason = "paused"}));
  EXPECT_EQ(std::get<rollout::CancelAttempt>(*cancel).attempt, 2);
  EXPECT_EQ(std::get<rollout::CancelAttempt>(*cancel).reason, "paused");
}

TEST(OutboxTest, AnEntryOfAnotherVersionIsRefusedByName) {
  store::OutboxEntry entry = EncodeCommand(kRollout, Dispatch(1));
  entry.kind = "explode";
  EXPECT_THAT(DecodeCommand(entry), StatusIs(absl::StatusCode::kDataLoss, ::testing::HasSubstr("explode")));
}

TEST(OutboxTest, ADispatchIsWantedUntilItsAttemptIsTakenUp) {
  EXPECT_TRUE(Wanted(Dispatch(3), WithAttempt(3, v1::ATTEMPT_STATE_LEASED)));
  for (const auto state : {v1::ATTEMPT_STATE_QUEUED, v1::ATTEMPT_STATE_RUNNING, v1::ATTEMPT_STATE_SUCCEEDED,
                           v1::ATTEMPT_STATE_UNKNOWN, v1::ATTEMPT_STATE_CANCELLED}) {
    EXPECT_FALSE(Wanted(Dispatch(3), WithAttempt(3, state))) << state;
  }
  EXPECT_FALSE(Wanted(Dispatch(2), WithAttempt(3, v1::ATTEMPT_STATE_LEASED))) << "of the past";
}

TEST(OutboxTest, ACancelIsWantedWhileItsAttemptMayBeRunning) {
  const rollout::CancelAttempt cancel{.target = "crm", .run = "", .attempt = 3, .reason = ""};
  for (const auto state : {v1::ATTEMPT_STATE_LEASED, v1::ATTEMPT_STATE_RUNNING, v1::ATTEMPT_STATE_UNKNOWN}) {
    EXPECT_TRUE(Wanted(cancel, WithAttempt(3, state))) << state;
  }
  EXPECT_FALSE(Wanted(cancel, WithAttempt(3, v1::ATTEMPT_STATE_CANCELLED)));
}

TEST(OutboxTest, ACompileIsWantedWhileItIsAskedFor) {
  v1::Rollout rollout = WithAttempt(0, v1::ATTEMPT_STATE_UNSPECIFIED);
  rollout.mutable_runs(0)->set_state(v1::RUN_STATE_COMPILING);
  rollout.mutable_runs(0)->mutable_compilation()->set_state(v1::ATTEMPT_STATE_LEASED);
  EXPECT_TRUE(Wanted(rollout::CompileRun{"crm"}, rollout));
  EXPECT_FALSE(Wanted(rollout::CompileRun{"other"}, rollout));
  rollout.mutable_runs(0)->mutable_compilation()->set_state(v1::ATTEMPT_STATE_QUEUED);
  EXPECT_FALSE(Wanted(rollout::CompileRun{"crm"}, rollout));
}

}  // namespace
}  // namespace curlew::dispatch
