#include "controller/dispatch/audit_of.h"

#include <gmock/gmock.h>

#include "common/base/proto_time.h"

namespace curlew::dispatch {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::Pair;
using ::testing::UnorderedElementsAre;

constexpr absl::Time kNow = absl::FromUnixSeconds(3600);

v1::Rollout State() {
  v1::Rollout rollout;
  rollout.set_name("rollouts/r");
  rollout.set_plan("plans/p-1");
  rollout.set_plan_digest("abc");
  v1::EnvironmentStage* staging = rollout.add_stages();
  staging->mutable_before()->set_id("staging/before");
  staging->mutable_before_drop()->set_id("staging/before-drop");
  v1::Gate* wave = staging->add_waves()->mutable_before();
  wave->set_id("staging/canary/before");
  wave->set_cover("cover");
  return rollout;
}

v1::AuditEntry EntryOf(const rollout::Input& input, const v1::Rollout& after = State()) {
  const auto entry = AuditOf(State(), after, input, kNow);
  EXPECT_TRUE(entry.has_value());
  return entry.value_or(v1::AuditEntry());
}

TEST(AuditOfTest, SaysWhoDidWhatToWhatWhenAndWhy) {
  const v1::AuditEntry entry = EntryOf(rollout::PauseAsked{"bob", "too slow"});
  EXPECT_EQ(entry.action(), "rollout.pause");
  EXPECT_EQ(entry.actor(), "bob");
  EXPECT_EQ(entry.reason(), "too slow");
  EXPECT_EQ(entry.resource(), "rollouts/r");
  EXPECT_EQ(base::FromProto(entry.time()), kNow);
  EXPECT_THAT(entry.details(), IsEmpty());
  EXPECT_EQ(entry.number(), 0) << "numbers are the store's";
}

TEST(AuditOfTest, WhatWasSignedHasTheKeyAndTheStatement) {
  v1::DecisionSignature signature;
  signature.mutable_statement()->set_id("0123");
  signature.set_public_key("11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=");
  // Of the first key of RFC 8032.
  const auto key = Pair("key_id", "21fe31dfa154a261626bf854046fd2271b7bed4b6abe45aa58877ef47f9721b9");
  const auto statement = Pair("statement", "0123");
  v1::Rollout signed_later = State();
  *signed_later.mutable_stages(0)->mutable_before_drop()->add_approvals()->mutable_signature() = signature;
  EXPECT_THAT(EntryOf(rollout::Approved{.actor = "bob", .signature = signature}, signed_later).details(),
              UnorderedElementsAre(Pair("gate", "staging/before-drop"), key, statement));
  EXPECT_THAT(EntryOf(rollout::OverrideAsked{"crm", "bob", "why", signature}).details(),
              UnorderedElementsAre(Pair("target", "crm"), key, statement));
  EXPECT_THAT(EntryOf(rollout::SkipAsked{"crm", "add-1", "bob", "why", signature}).details(),
              UnorderedElementsAre(Pair("target", "crm"), Pair("step", "add-1"), key, statement));
}

TEST(AuditOfTest, EveryDeedOfAnOperatorHasAnEntry) {
  const std::string bob = "bob", why = "why";
  EXPECT_EQ(EntryOf(rollout::Started{bob}).action(), "rollout.start");
  EXPECT_EQ(EntryOf(rollout::Approved{"staging/before", bob, why, ""}).action(), "rollout.approve");
  EXPECT_EQ(EntryOf(rollout::GateSkipped{"staging/before", bob, why}).action(), "rollout.skip-gate");
  EXPECT_EQ(EntryOf(rollout::TargetSkipped{"crm", bob, why}).action(), "rollout.skip-target");
  EXPECT_EQ(EntryOf(rollout::ResumeAsked{bob, why}).action(), "rollout.resume");
  EXPECT_EQ(EntryOf(rollout::AbortAsked{bob, why}).action(), "rollout.abort");
  EXPECT_EQ(EntryOf(rollout::RollbackAsked{bob, why, ""}).action(), "rollout.rollback");
  EXPECT_EQ(EntryOf(rollout::OverrideAsked{"crm", bob, why}).action(), "rollout.override");
  EXPECT_EQ(EntryOf(rollout::SkipAsked{"crm", "add-1", bob, why}).action(), "rollout.skip-step");
  EXPECT_EQ(EntryOf(rollout::TuneAsked{.target = "crm", .actor = bob}).action(), "rollout.tune");
  EXPECT_EQ(EntryOf(rollout::CheckReported{.check = "deployed", .actor = bob}).action(),
            "rollout.report-check");
}

TEST(AuditOfTest, WhatNobodyAskedForHasNone) {
  for (const rollout::Input& input :
       std::vector<rollout::Input>{rollout::Compiled{}, rollout::CompileFailed{}, rollout::AgentReady{},
                                   rollout::AgentLost{}, rollout::AttemptAcked{}, rollout::AttemptNacked{},
                                   rollout::AttemptEnded{}, rollout::HoldersChanged{}, rollout::Ticked{},
                                   rollout::CheckReported{.place = "staging/before", .check = "up"}}) {
    EXPECT_FALSE(AuditOf(State(), State(), input, kNow).has_value()) << input.index();
  }
}

TEST(AuditOfTest, NamesTheGateThatWasMeant) {
  v1::Rollout after = State();
  after.mutable_stages(0)->mutable_waves(0)->mutable_before()->add_approvals()->set_actor("bob");
  const v1::AuditEntry approved = EntryOf(rollout::Approved{"", "bob", "", ""}, after);
  EXPECT_THAT(approved.details(),
              UnorderedElementsAre(Pair("gate", "staging/canary/before"), Pair("cover", "cover")));
  after = State();
  after.mutable_stages(0)->mutable_before_drop()->mutable_skip()->set_actor("bob");
  EXPECT_THAT(EntryOf(rollout::GateSkipped{"", "bob", "why"}, after).details(),
              ElementsAre(Pair("gate", "staging/before-drop")));
}

TEST(AuditOfTest, KeepsWhatIsWorthKeeping) {
  EXPECT_THAT(EntryOf(rollout::Started{"bob"}).details(),
              UnorderedElementsAre(Pair("plan", "plans/p-1"), Pair("digest", "abc")));
  EXPECT_THAT(EntryOf(rollout::RollbackAsked{"bob", "", "environments/staging"}).details(),
              ElementsAre(Pair("environment", "environments/staging")));
  rollout::TuneAsked tune{.target = "crm", .reset = {"batch_target"}, .actor = "bob"};
  tune.tuning.set_max_workers(3);
  (*tune.tuning.mutable_limits())["replica_lag_ms"] = 500;
  EXPECT_THAT(EntryOf(tune).details(),
              UnorderedElementsAre(Pair("target", "crm"), Pair("reset", "batch_target"),
                                   Pair("tuning", "max_workers=3 limits.replica_lag_ms=500")));
  EXPECT_THAT(
      EntryOf(rollout::CheckReported{.check = "deployed", .state = v1::CHECK_STATE_PASSING, .actor = "ci"})
          .details(),
      UnorderedElementsAre(Pair("check", "deployed"), Pair("state", "CHECK_STATE_PASSING")));
}

}  // namespace
}  // namespace curlew::dispatch
