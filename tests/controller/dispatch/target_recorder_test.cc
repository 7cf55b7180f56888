#include "controller/dispatch/target_recorder.h"

#include <gmock/gmock.h>

#include <deque>
#include <memory>

#include "common/base/proto_time.h"
#include "common/schema/schema.h"
#include "controller/dispatch/target_record.h"
#include "tests/controller/support/engine_fixture.h"
#include "tests/controller/support/test_loop.h"
#include "tests/support/fake_rollout_store.h"
#include "tests/support/status_matchers.h"

namespace curlew::dispatch {
namespace {

using ::curlew::testing::FakeRolloutStore;
using ::curlew::testing::IsOk;
using ::curlew::testing::SchemaOfItems;
using ::curlew::testing::StatusIs;
using ::curlew::testing::TestLoop;
using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::SizeIs;

// An agent that a test speaks for.
class HandLink : public AgentLink {
 public:
  void Send(v1::ControllerMessage message) override { asked.push_back(message.report_schema()); }
  const std::string& agent_id() const override { return id_; }
  const std::string& agent_version() const override { return id_; }
  absl::Time last_heard() const override { return absl::UnixEpoch(); }
  std::deque<v1::ReportSchema> asked;

 private:
  const std::string id_ = "agent-a";
};

v1::Rollout Rollout(const std::string& name, v1::RunState state) {
  v1::Rollout rollout;
  rollout.set_name(name);
  rollout.set_state(v1::ROLLOUT_STATE_RUNNING);
  rollout.set_plan("plans/p-1");
  rollout.set_plan_digest("plan-digest");
  rollout.set_creator("alice");
  (*rollout.mutable_labels())["commit"] = "abc";
  v1::Run& run = *rollout.add_runs();
  run.set_name(name + "/runs/crm");
  run.set_target("crm");
  run.set_state(state);
  run.set_compiled_digest("compiled-digest");
  *run.mutable_start_time() = base::ToProto(absl::FromUnixSeconds(5));
  *run.mutable_end_time() = base::ToProto(absl::FromUnixSeconds(9));
  return rollout;
}

class TargetRecorderTest : public ::testing::Test {
 protected:
  TargetRecorderTest() {
    v1::Environment environment;
    environment.set_name("environments/staging");
    environment.add_targets("crm");
    targets_.SetEnvironments({environment});
    Make();
  }

  void Make() {
    recorder_ = std::make_unique<TargetRecorder>(
        &loop_, &store_, &loop_, &targets_, &schemas_, [this](const std::string&) { return at_work_; },
        TargetRecorder::Options{.store_retry = absl::Seconds(1), .agent_retry = absl::Seconds(30)});
    recorder_->Observe([this](const std::string& target) { recorded_.push_back(target); });
  }
  void Serve() {
    targets_.Find("crm")->link = &link_;
    targets_.Find("crm")->ready = true;
    recorder_->TargetReady("crm");
  }
  // The run on crm goes from one state to another.
  void Goes(const std::string& rollout, v1::RunState from, v1::RunState to) {
    recorder_->Changed(Rollout(rollout, from), Rollout(rollout, to));
  }
  void Answer(const v1::Schema& schema = SchemaOfItems()) {
    ASSERT_THAT(link_.asked, SizeIs(1));
    v1::SchemaReport report;
    report.set_request(link_.asked.front().request());
    *report.mutable_schema() = schema;
    link_.asked.pop_front();
    schemas_.Answered(&link_, report);
    loop_.RunReady();
  }
  std::vector<v1::TargetRecord> Records() {
    std::string next;
    const auto records = store_.records().ListTargetRecords("crm", {.size = 100, .token = ""}, &next);
    EXPECT_THAT(records, IsOk());
    return records.value_or(std::vector<v1::TargetRecord>());
  }

  TestLoop loop_;
  FakeRolloutStore store_;
  TargetTable targets_;
  HandLink link_;
  SchemaRequests schemas_{&loop_, &targets_, absl::Minutes(1)};
  bool at_work_ = false;
  std::vector<std::string> recorded_;
  std::unique_ptr<TargetRecorder> recorder_;
};

TEST_F(TargetRecorderTest, ARunThatSucceededIsPutOnRecordWithTheWholeSchema) {
  Serve();
  Goes("rollouts/a", v1::RUN_STATE_DROPPING, v1::RUN_STATE_SUCCEEDED);
  ASSERT_THAT(link_.asked, SizeIs(1));
  EXPECT_EQ(link_.asked.front().scope().ByteSizeLong(), 0) << "a scope that names nothing: the whole schema";
  EXPECT_TRUE(recorder_->HasPending("crm"));
  Answer();
  EXPECT_FALSE(recorder_->HasPending("crm"));
  EXPECT_THAT(recorded_, ElementsAre("crm"));
  const auto record = store_.records().NewestTargetRecord("crm");
  ASSERT_THAT(record, IsOk());
  EXPECT_EQ(record->number(), 1);
  EXPECT_EQ(record->kind(), v1::TARGET_RECORD_KIND_SUCCEEDED);
  EXPECT_EQ(record->rollout(), "rollouts/a");
  EXPECT_EQ(record->plan(), "plans/p-1");
  EXPECT_EQ(record->plan_digest(), "plan-digest");
  EXPECT_EQ(record->compiled_digest(), "compiled-digest");
  EXPECT_EQ(record->actor(), "alice");
  EXPECT_EQ(record->labels().at("commit"), "abc");
  EXPECT_EQ(base::FromProto(record->start_time()), absl::FromUnixSeconds(5));
  EXPECT_EQ(record->schema_fingerprint(), schema::Fingerprint(SchemaOfItems()));
  EXPECT_THAT(SchemaOfRecord(*record), IsOk());
}

TEST_F(TargetRecorderTest, OneThatWasRolledBackTooAndNoOther) {
  Serve();
  Goes("rollouts/a", v1::RUN_STATE_PENDING, v1::RUN_STATE_COMPILING);
  Goes("rollouts/a", v1::RUN_STATE_COMPILING, v1::RUN_STATE_RUNNING);
  Goes("rollouts/a", v1::RUN_STATE_RUNNING, v1::RUN_STATE_FAILED);
  Goes("rollouts/a", v1::RUN_STATE_FAILED, v1::RUN_STATE_ROLLING_BACK);
  EXPECT_THAT(link_.asked, IsEmpty());
  Goes("rollouts/a", v1::RUN_STATE_ROLLING_BACK, v1::RUN_STATE_ROLLED_BACK);
  Answer();
  ASSERT_THAT(Records(), SizeIs(1));
  EXPECT_EQ(Records()[0].kind(), v1::TARGET_RECORD_KIND_ROLLED_BACK);
}

TEST_F(TargetRecorderTest, WhatWasNeverBegunHasLeftNothing) {
  Serve();
  v1::Rollout before = Rollout("rollouts/a", v1::RUN_STATE_PENDING);
  v1::Rollout after = Rollout("rollouts/a", v1::RUN_STATE_ROLLED_BACK);
  after.mutable_runs(0)->clear_start_time();
  recorder_->Changed(before, after);
  EXPECT_THAT(link_.asked, IsEmpty());
}

TEST_F(TargetRecorderTest, WaitsForTheAgentAndForTheStore) {
  Goes("rollouts/a", v1::RUN_STATE_DROPPING, v1::RUN_STATE_SUCCEEDED);
  loop_.Pass(absl::Hours(1));
  EXPECT_THAT(link_.asked, IsEmpty());
  Serve();
  store_.FailWith(absl::UnavailableError("the disk is full"));
  Answer();
  EXPECT_TRUE(recorder_->HasPending("crm"));
  loop_.Pass(absl::Seconds(1));
  store_.FailWith(absl::OkStatus());
  Answer();
  EXPECT_THAT(Records(), SizeIs(1));
}

TEST_F(TargetRecorderTest, AsksAgainAnAgentThatCannotSayOrIsGone) {
  Serve();
  Goes("rollouts/a", v1::RUN_STATE_DROPPING, v1::RUN_STATE_SUCCEEDED);
  v1::SchemaReport report;
  report.set_request(link_.asked.front().request());
  report.set_error("too many connections");
  link_.asked.clear();
  schemas_.Answered(&link_, report);
  loop_.Pass(absl::Seconds(30));
  ASSERT_THAT(link_.asked, SizeIs(1));
  targets_.Find("crm")->ready = false;
  schemas_.TargetDown("crm");
  loop_.Pass(absl::Hours(1));
  link_.asked.clear();
  Serve();
  Answer();
  EXPECT_THAT(Records(), SizeIs(1));
}

TEST_F(TargetRecorderTest, WhatAnotherHasBegunToChangeIsOnRecordWithoutASchema) {
  Goes("rollouts/a", v1::RUN_STATE_DROPPING, v1::RUN_STATE_SUCCEEDED);
  at_work_ = true;
  Serve();
  Answer();
  const auto record = store_.records().NewestTargetRecord("crm");
  ASSERT_THAT(record, IsOk());
  EXPECT_EQ(record->rollout(), "rollouts/a");
  EXPECT_EQ(base::FromProto(record->time()), absl::FromUnixSeconds(9)) << "when the run ended";
  EXPECT_THAT(SchemaOfRecord(*record), StatusIs(absl::StatusCode::kNotFound));
}

TEST_F(TargetRecorderTest, OfSeveralThatEndedOnlyTheLastHasLeftWhatIsThere) {
  Goes("rollouts/a", v1::RUN_STATE_DROPPING, v1::RUN_STATE_SUCCEEDED);
  Goes("rollouts/b", v1::RUN_STATE_DROPPING, v1::RUN_STATE_SUCCEEDED);
  Serve();
  Answer();
  const auto records = Records();
  ASSERT_THAT(records, SizeIs(2));
  EXPECT_EQ(records[0].rollout(), "rollouts/b");
  EXPECT_NE(records[0].schema_fingerprint(), "");
  EXPECT_EQ(records[1].rollout(), "rollouts/a");
  EXPECT_EQ(records[1].schema_fingerprint(), "");
}

TEST_F(TargetRecorderTest, AnAnswerFromBeforeTheLastEndIsNotTaken) {
  Serve();
  Goes("rollouts/a", v1::RUN_STATE_DROPPING, v1::RUN_STATE_SUCCEEDED);
  Goes("rollouts/b", v1::RUN_STATE_DROPPING, v1::RUN_STATE_SUCCEEDED);
  v1::Schema old = SchemaOfItems();
  old.mutable_tables(0)->set_name("old");
  Answer(old);
  EXPECT_THAT(Records(), IsEmpty());
  Answer();
  ASSERT_THAT(Records(), SizeIs(2));
  EXPECT_EQ(Records()[0].schema_fingerprint(), schema::Fingerprint(SchemaOfItems()));
}

TEST_F(TargetRecorderTest, AfterARestartItIsFoundAndNotRecordedTwice) {
  store::RolloutChange change;
  change.rollout = Rollout("rollouts/a", v1::RUN_STATE_SUCCEEDED);
  ASSERT_THAT(store_.Commit(change), IsOk());
  Make();
  ASSERT_THAT(recorder_->LookUp(), IsOk());
  Serve();
  Answer();
  EXPECT_THAT(Records(), SizeIs(1));
  Make();
  ASSERT_THAT(recorder_->LookUp(), IsOk());
  EXPECT_FALSE(recorder_->HasPending("crm"));
}

TEST_F(TargetRecorderTest, ABaselineThatWasTakenLaterStands) {
  store::RolloutChange change;
  change.rollout = Rollout("rollouts/a", v1::RUN_STATE_SUCCEEDED);
  ASSERT_THAT(store_.Commit(change), IsOk());
  v1::TargetRecord baseline = RecordOfSchema("crm", SchemaOfItems(), absl::FromUnixSeconds(10));
  baseline.set_kind(v1::TARGET_RECORD_KIND_BASELINE);
  ASSERT_THAT(store_.records().AddTargetRecord(baseline, {}), IsOk());
  ASSERT_THAT(recorder_->LookUp(), IsOk());
  EXPECT_FALSE(recorder_->HasPending("crm"));
}

TEST_F(TargetRecorderTest, AfterARestartAnEarlierEndIsNotLookedForWhereANewerRolloutIsAtWork) {
  store::RolloutChange ended, at_work;
  ended.rollout = Rollout("rollouts/a", v1::RUN_STATE_SUCCEEDED);
  at_work.rollout = Rollout("rollouts/b", v1::RUN_STATE_RUNNING);
  ASSERT_THAT(store_.Commit(ended), IsOk());
  ASSERT_THAT(store_.Commit(at_work), IsOk());
  ASSERT_THAT(recorder_->LookUp(), IsOk());
  EXPECT_FALSE(recorder_->HasPending("crm"));
}

}  // namespace
}  // namespace curlew::dispatch
