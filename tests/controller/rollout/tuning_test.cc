#include "controller/rollout/tuning.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>

#include "common/base/error_detail.h"
#include "common/base/proto_time.h"
#include "controller/rollout/same_state.h"
#include "tests/controller/rollout/driver.h"

namespace curlew::rollout {
namespace {

using testing::Driver;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

// staging alone; attempt #4, at the backfill, runs.
Driver Filling() {
  Driver driver(testing::Staging());
  driver.Start();
  driver.Compile("s");
  driver.RunTo("s", "fill");
  driver.Ack("s");
  return driver;
}

TuneAsked Workers(int workers, std::string target = "") {
  TuneAsked asked{.target = std::move(target), .actor = "bob"};
  asked.tuning.set_max_workers(workers);
  return asked;
}

TuneAsked Everything() {
  TuneAsked asked = Workers(2);
  *asked.tuning.mutable_batch_target() = base::ToProto(absl::Milliseconds(20));
  (*asked.tuning.mutable_limits())["replica_lag_ms"] = 500;
  (*asked.tuning.mutable_limits())["archive_backlog"] = -1;
  asked.reason = "the replicas lag";
  return asked;
}

TuneAsked Reset(std::vector<std::string> names) { return {.reset = std::move(names), .actor = "bob"}; }

const v1::Tuning& Sent(const Driver& driver) {
  return std::get<SendTuning>(driver.last().commands.back()).tuning;
}

TEST(TuningTest, IsKeptSaidAndSentToTheAttemptThatRuns) {
  Driver driver = Filling();
  EXPECT_THAT(driver.Apply(Everything()), ElementsAre("tune s"));
  EXPECT_THAT(driver.events(), ElementsAre(v1::EVENT_TYPE_TUNED));
  EXPECT_EQ(driver.history().back().message(),
            "s: tuned to max_workers 2, batch_target 20ms, limit archive_backlog off, limit replica_lag_ms "
            "500, by bob: the replicas lag");
  EXPECT_EQ(driver.history().back().actor(), "bob");
  EXPECT_EQ(driver.run("s").tuning().max_workers(), 2);
  EXPECT_EQ(StableBytes(Sent(driver)), StableBytes(driver.run("s").tuning()));
  EXPECT_EQ(std::get<SendTuning>(driver.last().commands.back()).run, "rollouts/r/runs/s");
}

TEST(TuningTest, GoesWithEveryLaterAttempt) {
  Driver driver = Filling();
  driver.Apply(Workers(2));
  EXPECT_THAT(driver.Succeed("s"), ElementsAre("do s check #5 +tuning"));
  EXPECT_EQ(std::get<DispatchAttempt>(driver.last().commands.back()).tuning->max_workers(), 2);
  driver.Apply(RollbackAsked{"bob"});
  driver.End("s", v1::ATTEMPT_STATE_CANCELLED);
  EXPECT_THAT(driver.Succeed("s"), ElementsAre("undo s dual #7 +tuning"));
}

TEST(TuningTest, MergesFieldByFieldAndLimitByLimit) {
  Driver driver = Filling();
  driver.Apply(Everything());
  TuneAsked more{.actor = "carol"};
  (*more.tuning.mutable_limits())["replica_lag_ms"] = 900;
  driver.Apply(more);
  const v1::Tuning& tuning = driver.run("s").tuning();
  EXPECT_EQ(tuning.max_workers(), 2);
  EXPECT_EQ(base::FromProto(tuning.batch_target()), absl::Milliseconds(20));
  EXPECT_EQ(tuning.limits().at("replica_lag_ms"), 900);
  EXPECT_EQ(tuning.limits().at("archive_backlog"), -1);
}

TEST(TuningTest, ResetGivesFieldsAndLimitsBackAndTheAgentIsToldSo) {
  Driver driver = Filling();
  driver.Apply(Everything());
  TuneAsked some = Reset({"batch_target", "replica_lag_ms"});
  some.tuning.set_max_workers(3);
  EXPECT_THAT(driver.Apply(some), ElementsAre("tune s"));
  EXPECT_EQ(driver.history().back().message(),
            "s: tuned to max_workers 3, batch_target as before, limit replica_lag_ms as before, by bob");
  EXPECT_FALSE(driver.run("s").tuning().has_batch_target());
  EXPECT_EQ(driver.run("s").tuning().limits_size(), 1);
  EXPECT_THAT(driver.Apply(Reset({"max_workers", "archive_backlog"})), ElementsAre("tune s"));
  EXPECT_EQ(Sent(driver).ByteSizeLong(), 0u);
  // An agent that was away must learn that nothing is set any more.
  driver.Apply(AgentLost{"s"});
  EXPECT_THAT(driver.Apply(AgentReady{.target = "s", .epoch = 1, .held = {4}}), ElementsAre("tune s"));
}

TEST(TuningTest, AnAgentThatComesBackWithItsAttemptIsToldTheNewest) {
  Driver driver = Filling();
  EXPECT_THAT(driver.Apply(AgentReady{.target = "s", .epoch = 1, .held = {4}}), IsEmpty())
      << "nothing is set";
  driver.Apply(AgentLost{"s"});
  EXPECT_THAT(driver.Apply(Workers(1)), IsEmpty()) << "nobody is there to be told";
  EXPECT_THAT(driver.Apply(AgentReady{.target = "s", .epoch = 1, .held = {4}}), ElementsAre("tune s"));
  EXPECT_EQ(Sent(driver).max_workers(), 1);
  driver.Apply(AgentLost{"s"});
  EXPECT_THAT(driver.Apply(AgentReady{.target = "s", .epoch = 2}), ElementsAre("do s fill #5 +tuning"))
      << "another process gets it with its attempt";
}

TEST(TuningTest, ReachesAnAttemptThatWasOnlySent) {
  Driver driver = Filling();
  driver.Succeed("s");
  EXPECT_THAT(driver.Apply(Workers(2)), ElementsAre("tune s"));
}

TEST(TuningTest, OfARolloutThatStandsIsForLater) {
  Driver paused = Filling();
  paused.Apply(PauseAsked{"bob"});
  paused.End("s", v1::ATTEMPT_STATE_CANCELLED);
  EXPECT_THAT(paused.Apply(Workers(2)), IsEmpty());
  EXPECT_THAT(paused.Apply(ResumeAsked{"bob"}), ElementsAre("do s fill #5 +tuning"));

  Driver failed = Filling();
  failed.End("s", v1::ATTEMPT_STATE_FAILED, "too slow");
  EXPECT_THAT(failed.Apply(Workers(2)), IsEmpty());
  EXPECT_THAT(failed.Apply(ResumeAsked{"bob"}), ElementsAre("do s fill #5 +tuning"));
}

TEST(TuningTest, IsForOneTargetOrForEveryRunThatHasNotEnded) {
  Driver driver;
  driver.ToDropGate();
  driver.Apply(Approved{"", "carol"});
  driver.Finish("s");
  driver.Apply(Workers(2));
  EXPECT_FALSE(driver.run("s").has_tuning());
  EXPECT_EQ(driver.run("p").tuning().max_workers(), 2);
  driver.Apply(Workers(3, "q"));
  EXPECT_EQ(driver.run("p").tuning().max_workers(), 2);
  EXPECT_EQ(driver.run("q").tuning().max_workers(), 3);
  const absl::Status ended = driver.Try(Workers(1, "s"));
  EXPECT_EQ(ended.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(ended.message(), "r has no walks to come there: s is succeeded");
}

TEST(TuningTest, OfAnEndedRolloutOrAnUnknownTargetIsRefused) {
  Driver driver = Filling();
  const absl::Status unknown = driver.Try(Workers(1, "t"));
  EXPECT_EQ(unknown.code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(unknown.message(), "r has no target \"t\"; its targets are s");
  driver.Apply(AbortAsked{"bob"});
  const absl::Status ended = driver.Try(Workers(1));
  EXPECT_EQ(ended.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(ended.message(), HasSubstr("r cannot be tuned: it is aborted"));
}

TEST(TuningTest, WhatMakesNoSenseIsRefusedWithTheFieldAndChangesNothing) {
  const auto with_batch = [](absl::Duration target) {
    TuneAsked asked{.actor = "bob"};
    *asked.tuning.mutable_batch_target() = base::ToProto(target);
    return asked;
  };
  const auto with_limit = [](const std::string& name, double limit) {
    TuneAsked asked{.actor = "bob"};
    (*asked.tuning.mutable_limits())[name] = limit;
    return asked;
  };
  TuneAsked by_nobody = Workers(2);
  by_nobody.actor.clear();
  TuneAsked both = Workers(2);
  both.reset = {"max_workers"};
  const std::vector<std::pair<TuneAsked, std::string>> bad = {
      {TuneAsked{.actor = "bob"}, "tuning"},
      {by_nobody, "actor"},
      {Workers(-1), "max_workers"},
      {Workers(1001), "max_workers"},
      {with_batch(absl::Microseconds(999)), "batch_target"},
      {with_batch(absl::Seconds(-1)), "batch_target"},
      {with_batch(absl::ZeroDuration()), "batch_target"},
      {with_batch(absl::Seconds(10) + absl::Nanoseconds(1)), "batch_target"},
      {with_limit("replica_lag_ms", 0), "limits"},
      {with_limit("replica_lag_ms", std::numeric_limits<double>::quiet_NaN()), "limits"},
      {with_limit("replica_lag_ms", std::numeric_limits<double>::infinity()), "limits"},
      {with_limit("", 1), "limits"},
      {with_limit("max_workers", 1), "limits"},
      {both, "reset"},
      {Reset({"replica_lagg_ms"}), "reset"},
  };
  Driver driver = Filling();
  driver.Apply(Everything());
  const v1::Rollout before = driver.state();
  for (const auto& [asked, field] : bad) {
    const absl::Status status = driver.Try(asked);
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << field;
    EXPECT_EQ(base::Detail(status, base::kField), field) << status;
    EXPECT_NE(base::Detail(status, base::kHint), "") << status;
  }
  EXPECT_TRUE(SameState(driver.state(), before));
  EXPECT_THAT(base::Detail(driver.Try(Reset({"x"})), base::kHint), HasSubstr("what is set: max_workers 2"));
  EXPECT_TRUE(driver.Try(with_batch(absl::Milliseconds(1))).ok());
  EXPECT_TRUE(driver.Try(with_batch(absl::Seconds(10))).ok());
}

TEST(TuningTest, TheSummaryOfASuccessIsSaid) {
  Driver driver = Filling();
  driver.Apply(AttemptEnded{.target = "s",
                            .attempt = 4,
                            .outcome = v1::ATTEMPT_STATE_SUCCEEDED,
                            .rows = 12,
                            .summary = "the table grew from 60 MB to 75 MB"});
  EXPECT_EQ(driver.history()[driver.history().size() - 1].message(),
            "s: fill succeeded, 12 rows; the table grew from 60 MB to 75 MB");
}

}  // namespace
}  // namespace curlew::rollout
