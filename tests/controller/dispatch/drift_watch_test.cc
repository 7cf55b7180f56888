#include "controller/dispatch/drift_watch.h"

#include <gmock/gmock.h>

#include <map>
#include <memory>

#include "absl/strings/str_cat.h"
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
using ::curlew::testing::TestLoop;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

constexpr absl::Duration kInterval = absl::Hours(1);

class DriftWatchTest : public ::testing::Test, public AgentLink {
 protected:
  DriftWatchTest() {
    options_.interval = kInterval;
    options_.planner = [](const std::string& target, const std::string& message, absl::Time now) {
      v1::Notification notification;
      notification.set_sink("ops");
      notification.set_kind("drift");
      notification.set_resource("targets/" + target);
      notification.set_message(message);
      *notification.mutable_time() = base::ToProto(now);
      return std::vector<v1::Notification>{notification};
    };
    SetTargets({"crm"});
    Restart();
  }

  void SetTargets(const std::vector<std::string>& names) {
    v1::Environment environment;
    environment.set_name("environments/staging");
    for (const std::string& name : names) environment.add_targets(name);
    targets_.SetEnvironments({environment});
    for (const std::string& name : names) {
      targets_.Find(name)->link = this;
      targets_.Find(name)->ready = true;
      schemas_now_.emplace(name, SchemaOfItems());
    }
  }
  void Restart() {
    loop_.Stop();
    targets_ = TargetTable();
    std::vector<std::string> names;
    for (const auto& [name, schema] : schemas_now_) names.push_back(name);
    SetTargets(names);
    watch_ = std::make_unique<DriftWatch>(
        &loop_, &store_, &loop_, &targets_, &schemas_, [this](const std::string&) { return in_motion_; },
        options_);
    watch_->Start();
  }
  void Record(const std::string& target, const v1::Schema& schema = SchemaOfItems()) {
    v1::TargetRecord record = RecordOfSchema(target, schema, loop_.Now());
    record.set_kind(v1::TARGET_RECORD_KIND_BASELINE);
    ASSERT_THAT(store_.records().AddTargetRecord(record, {}), IsOk());
  }
  static v1::Schema With(const std::vector<std::string>& columns) {
    v1::Schema schema = SchemaOfItems();
    for (const std::string& name : columns) {
      v1::Column* column = schema.mutable_tables(0)->add_columns();
      column->set_name(name);
      column->set_type("text");
    }
    return schema;
  }
  // The audit log says who, what, and of which target.
  std::vector<std::string> Audit() {
    std::vector<std::string> said;
    const auto entries = store_.records().ListAudit(0, 1000);
    EXPECT_THAT(entries, IsOk());
    for (const v1::AuditEntry& entry : *entries) {
      EXPECT_EQ(entry.actor(), "curlew");
      said.push_back(absl::StrCat(entry.action(), " ", entry.resource()));
    }
    return said;
  }
  std::vector<std::string> Told() {
    std::vector<std::string> told;
    const auto pending = store_.records().PendingNotifications(0, 1000);
    EXPECT_THAT(pending, IsOk());
    for (const v1::Notification& notification : *pending) told.push_back(notification.message());
    return told;
  }

  void Send(v1::ControllerMessage message) override {
    ++asked_;
    loop_.Post([this, question = message.report_schema()] {
      v1::SchemaReport report;
      report.set_request(question.request());
      *report.mutable_schema() = schemas_now_.at(question.target());
      schemas_.Answered(this, report);
    });
  }
  const std::string& agent_id() const override { return id_; }
  const std::string& agent_version() const override { return id_; }
  absl::Time last_heard() const override { return loop_.Now(); }

  TestLoop loop_;
  FakeRolloutStore store_;
  TargetTable targets_;
  SchemaRequests schemas_{&loop_, &targets_, absl::Minutes(1)};
  DriftWatch::Options options_;
  std::map<std::string, v1::Schema> schemas_now_;
  bool in_motion_ = false;
  int asked_ = 0;
  std::unique_ptr<DriftWatch> watch_;

 private:
  const std::string id_ = "agent-a";
};

TEST_F(DriftWatchTest, WhatIsAsOnRecordIsNothingToTell) {
  Record("crm");
  loop_.Pass(kInterval);
  const v1::Target target = targets_.Describe("crm");
  EXPECT_EQ(target.drift(), "");
  EXPECT_TRUE(target.has_drift_time());
  EXPECT_THAT(Audit(), IsEmpty());
  EXPECT_THAT(Told(), IsEmpty());
}

TEST_F(DriftWatchTest, WithoutARecordNobodyIsAsked) {
  loop_.Pass(10 * kInterval);
  EXPECT_EQ(asked_, 0);
  EXPECT_FALSE(targets_.Describe("crm").has_drift_time());
}

TEST_F(DriftWatchTest, AChangeByOthersIsToldOnceAndSoIsItsEnd) {
  Record("crm");
  schemas_now_["crm"] = With({"sneaked_in"});
  loop_.Pass(3 * kInterval);
  EXPECT_THAT(targets_.Describe("crm").drift(), HasSubstr("sneaked_in"));
  EXPECT_THAT(Audit(), ElementsAre("target.drift targets/crm"));
  EXPECT_THAT(Told(), ElementsAre(HasSubstr("sneaked_in")));
  schemas_now_["crm"] = SchemaOfItems();
  loop_.Pass(3 * kInterval);
  EXPECT_EQ(targets_.Describe("crm").drift(), "");
  EXPECT_THAT(Audit(), SizeIs(2));
  EXPECT_THAT(Told(), ElementsAre(HasSubstr("sneaked_in"), HasSubstr("as on record again")));
}

TEST_F(DriftWatchTest, AnotherDifferenceIsToldAnew) {
  Record("crm");
  schemas_now_["crm"] = With({"one"});
  loop_.Pass(2 * kInterval);
  schemas_now_["crm"] = With({"one", "two"});
  loop_.Pass(2 * kInterval);
  EXPECT_THAT(Told(), ElementsAre(HasSubstr("one"), HasSubstr("two")));
}

TEST_F(DriftWatchTest, AfterARestartWhatWasToldIsNotToldAgain) {
  Record("crm");
  schemas_now_["crm"] = With({"sneaked_in"});
  loop_.Pass(2 * kInterval);
  Restart();
  loop_.Pass(2 * kInterval);
  EXPECT_THAT(targets_.Describe("crm").drift(), HasSubstr("sneaked_in"));
  EXPECT_THAT(Audit(), SizeIs(1));
  schemas_now_["crm"] = SchemaOfItems();
  Restart();
  loop_.Pass(2 * kInterval);
  EXPECT_THAT(Told(), ElementsAre(HasSubstr("sneaked_in"), HasSubstr("again")));
}

TEST_F(DriftWatchTest, ABaselineEndsIt) {
  Record("crm");
  schemas_now_["crm"] = With({"accepted"});
  loop_.Pass(2 * kInterval);
  Record("crm", With({"accepted"}));
  watch_->Look("crm");
  loop_.RunReady();
  EXPECT_EQ(targets_.Describe("crm").drift(), "");
  EXPECT_THAT(Told(), SizeIs(2));
}

TEST_F(DriftWatchTest, WhatRolloutsAreAtWorkOnIsNotLookedAt) {
  Record("crm");
  schemas_now_["crm"] = With({"half_way"});
  in_motion_ = true;
  loop_.Pass(2 * kInterval);
  EXPECT_EQ(asked_, 0);
  in_motion_ = false;
  watch_->Look("crm");
  in_motion_ = true;  // since it was asked
  loop_.RunReady();
  EXPECT_EQ(asked_, 1);
  EXPECT_THAT(Audit(), IsEmpty());
}

TEST_F(DriftWatchTest, WhereTheStoreFailsItIsToldTheNextTime) {
  Record("crm");
  schemas_now_["crm"] = With({"sneaked_in"});
  watch_->Look("crm");
  store_.FailWith(absl::UnavailableError("the disk is full"));
  loop_.RunReady();
  EXPECT_EQ(targets_.Describe("crm").drift(), "") << "nobody was told";
  store_.FailWith(absl::OkStatus());
  loop_.Pass(2 * kInterval);
  EXPECT_THAT(Told(), ElementsAre(HasSubstr("sneaked_in")));
}

TEST_F(DriftWatchTest, ManyDifferencesAreCounted) {
  Record("crm");
  std::vector<std::string> columns;
  for (int i = 0; i < 20; ++i) columns.push_back(absl::StrCat("c", i));
  schemas_now_["crm"] = With(columns);
  loop_.Pass(kInterval);
  EXPECT_THAT(targets_.Describe("crm").drift(), HasSubstr(" more"));
}

TEST_F(DriftWatchTest, TargetsAreSpreadOverTheInterval) {
  std::vector<std::string> names;
  for (int i = 0; i < 60; ++i) names.push_back(absl::StrCat("t", i));
  schemas_now_.clear();
  SetTargets(names);
  for (const std::string& name : names) Record(name);
  Restart();
  loop_.RunReady();
  int before = asked_;
  for (int minute = 0; minute < 60; ++minute) {
    loop_.Pass(kInterval / 60);
    EXPECT_LE(asked_ - before, 2) << "in minute " << minute;
    before = asked_;
  }
  EXPECT_GE(asked_, 60);
  EXPECT_LE(asked_, 62);
}

TEST_F(DriftWatchTest, WhereItIsOffNobodyIsAsked) {
  Record("crm");
  options_.interval = absl::InfiniteDuration();
  Restart();
  watch_->Look("crm");
  loop_.Pass(absl::Hours(100));
  EXPECT_EQ(asked_, 0);
  EXPECT_TRUE(loop_.idle());
}

}  // namespace
}  // namespace curlew::dispatch
