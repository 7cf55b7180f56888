#include "controller/notify/planner.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "common/base/proto_time.h"

namespace curlew::notify {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::SizeIs;

Sink SinkOf(const std::string& name, std::set<std::string, std::less<>> on) {
  return {.name = name, .on = std::move(on)};
}

std::set<std::string, std::less<>> All() { return {std::begin(kKinds), std::end(kKinds)}; }

v1::Rollout InState(v1::RolloutState state, const std::string& reason = "") {
  v1::Rollout rollout;
  rollout.set_name("rollouts/release-42");
  rollout.set_state(state);
  rollout.set_reason(reason);
  return rollout;
}

v1::Event EventOf(v1::EventType type, int64_t seconds = 5) {
  v1::Event event;
  event.set_number(3);
  event.set_type(type);
  event.mutable_time()->set_seconds(seconds);
  return event;
}

// A rollout with a gate before production that needs `required` approvals.
v1::Rollout AtGate(int required) {
  v1::Rollout rollout = InState(v1::ROLLOUT_STATE_RUNNING);
  v1::Gate* gate = rollout.add_stages()->mutable_before();
  gate->set_id("production/before");
  gate->set_required_approvals(required);
  gate->mutable_reached_time()->set_seconds(4);
  return rollout;
}

v1::Gate* GateOf(v1::Rollout& rollout) { return rollout.mutable_stages(0)->mutable_before(); }

v1::Rollout NotReached(v1::Rollout rollout) {
  GateOf(rollout)->clear_reached_time();
  return rollout;
}

v1::Rollout Open(v1::Rollout rollout) {
  GateOf(rollout)->mutable_open_time()->set_seconds(5);
  return rollout;
}

const Planner& Everything() {
  static const Planner planner({SinkOf("ops", All())});
  return planner;
}

TEST(PlannerTest, AGateThatIsReachedAndClosedIsToldWithWhatItNeeds) {
  v1::Rollout after = AtGate(2);
  v1::Waiting* waiting = after.add_waiting();
  waiting->set_gate("production/before");
  waiting->set_message("2 approvals");
  GateOf(after)->set_cover("3f2a");
  const auto told = Everything().OfRollout(NotReached(after), after, {EventOf(v1::EVENT_TYPE_GATE_REACHED)});
  ASSERT_THAT(told, SizeIs(1));
  EXPECT_EQ(told[0].sink(), "ops");
  EXPECT_EQ(told[0].kind(), "gate-waiting");
  EXPECT_EQ(told[0].resource(), "rollouts/release-42");
  EXPECT_EQ(
      told[0].message(),
      "Rollout release-42 waits at gate production/before: 2 approvals. To approve: curlew rollout approve "
      "release-42 --gate production/before --cover 3f2a");
  EXPECT_EQ(told[0].time().seconds(), 5);
  EXPECT_EQ(told[0].event().type(), v1::EVENT_TYPE_GATE_REACHED);
}

TEST(PlannerTest, AGateThatWaitsForATimeAloneAsksForNoApproval) {
  v1::Rollout after = AtGate(0);
  const auto told = Everything().OfRollout(NotReached(after), after, {EventOf(v1::EVENT_TYPE_GATE_REACHED)});
  ASSERT_THAT(told, SizeIs(1));
  EXPECT_THAT(told[0].message(),
              AllOf(HasSubstr("Nothing has to be approved"), Not(HasSubstr("approve release"))));
}

TEST(PlannerTest, AGateThatOpensAtOnceIsNotTold) {
  const v1::Rollout after = Open(AtGate(0));
  EXPECT_THAT(Everything().OfRollout(NotReached(after), after, {EventOf(v1::EVENT_TYPE_GATE_OPENED)}),
              IsEmpty());
}

TEST(PlannerTest, AGateThatWaitsOnIsToldOnce) {
  v1::Rollout before = AtGate(2), after = AtGate(2);
  GateOf(after)->add_approvals()->set_actor("ann");
  EXPECT_THAT(Everything().OfRollout(before, after, {EventOf(v1::EVENT_TYPE_GATE_APPROVED)}), IsEmpty());
}

TEST(PlannerTest, ApprovalsThatDoNotCountAnyMoreAreTold) {
  v1::Rollout before = AtGate(2);
  GateOf(before)->add_approvals()->set_actor("ann");
  v1::Rollout after = before;
  GateOf(after)->mutable_approvals(0)->set_void_reason("the schema has changed");
  const auto told = Everything().OfRollout(before, after, {EventOf(v1::EVENT_TYPE_APPROVAL_VOID)});
  ASSERT_THAT(told, SizeIs(1));
  EXPECT_THAT(told[0].message(), HasSubstr("0 of 2 approvals given"));
}

TEST(PlannerTest, AGateThatIsTakenBackIsToldButNotOneWhoseWindowCloses) {
  const v1::Rollout after = AtGate(0);
  EXPECT_THAT(Everything().OfRollout(Open(after), after, {}), IsEmpty());
  EXPECT_THAT(Everything().OfRollout(Open(after), after, {EventOf(v1::EVENT_TYPE_GATE_TAKEN_BACK)}),
              SizeIs(1));
}

TEST(PlannerTest, GatesOfWavesAndBeforeDropAreTold) {
  v1::Rollout after = InState(v1::ROLLOUT_STATE_RUNNING);
  v1::EnvironmentStage* stage = after.add_stages();
  for (v1::Gate* gate : {stage->mutable_before_drop(), stage->add_waves()->mutable_before()}) {
    gate->set_id(gate == stage->mutable_before_drop() ? "p/before-drop" : "p/canary/before");
    gate->mutable_reached_time()->set_seconds(1);
  }
  const auto told = Everything().OfRollout(InState(v1::ROLLOUT_STATE_RUNNING), after, {});
  ASSERT_THAT(told, SizeIs(2));
}

TEST(PlannerTest, StatesThatEndSomethingAreTold) {
  const v1::Rollout before = InState(v1::ROLLOUT_STATE_RUNNING);
  const std::vector<v1::Event> events = {EventOf(v1::EVENT_TYPE_ROLLOUT_STATE_CHANGED)};
  const struct {
    v1::RolloutState state;
    std::string kind, message;
  } cases[] = {
      {v1::ROLLOUT_STATE_FAILED, "failed",
       "Rollout release-42 has failed: why. To look at it: curlew rollout show"},
      {v1::ROLLOUT_STATE_ROLLED_BACK, "rolled-back", "Rollout release-42 is rolled back: why"},
      {v1::ROLLOUT_STATE_SUCCEEDED, "done", "Rollout release-42 is done"},
  };
  for (const auto& c : cases) {
    const auto told = Everything().OfRollout(before, InState(c.state, "why"), events);
    ASSERT_THAT(told, SizeIs(1)) << c.kind;
    EXPECT_EQ(told[0].kind(), c.kind);
    EXPECT_THAT(told[0].message(), HasSubstr(c.message));
    // Only the change.
    EXPECT_THAT(Everything().OfRollout(InState(c.state), InState(c.state), events), IsEmpty());
  }
  for (const v1::RolloutState state : {v1::ROLLOUT_STATE_ABORTED, v1::ROLLOUT_STATE_ROLLING_BACK}) {
    EXPECT_THAT(Everything().OfRollout(before, InState(state), events), IsEmpty());
  }
}

TEST(PlannerTest, APauseIsToldWhereAPolicyMadeIt) {
  const v1::Rollout before = InState(v1::ROLLOUT_STATE_RUNNING);
  const v1::Rollout after = InState(v1::ROLLOUT_STATE_PAUSED, "paused by policy: errors fails on crm: 0.4");
  EXPECT_THAT(Everything().OfRollout(before, after, {EventOf(v1::EVENT_TYPE_ROLLOUT_STATE_CHANGED)}),
              IsEmpty());
  const auto told = Everything().OfRollout(
      before, after, {EventOf(v1::EVENT_TYPE_POLICY_ACTED), EventOf(v1::EVENT_TYPE_ROLLOUT_STATE_CHANGED)});
  ASSERT_THAT(told, SizeIs(1));
  EXPECT_EQ(told[0].kind(), "paused");
  EXPECT_EQ(told[0].message(),
            "Rollout release-42 is paused by policy: errors fails on crm: 0.4. To go on: curlew rollout "
            "resume release-42");
  EXPECT_EQ(told[0].event().type(), v1::EVENT_TYPE_POLICY_ACTED);
}

TEST(PlannerTest, EachSinkGetsWhatItWants) {
  const Planner planner(
      {SinkOf("ops", All()), SinkOf("pager", {"failed"}), SinkOf("chat", {"done", "drift"})});
  const auto failed =
      planner.OfRollout(InState(v1::ROLLOUT_STATE_RUNNING), InState(v1::ROLLOUT_STATE_FAILED), {});
  ASSERT_THAT(failed, SizeIs(2));
  EXPECT_EQ(failed[0].sink(), "ops");
  EXPECT_EQ(failed[1].sink(), "pager");
  const auto drift = planner.OfDrift("crm", "column phone is gone", absl::FromUnixSeconds(8));
  ASSERT_THAT(drift, SizeIs(2));
  EXPECT_EQ(drift[1].sink(), "chat");
  EXPECT_EQ(drift[1].kind(), "drift");
  EXPECT_EQ(drift[1].resource(), "targets/crm");
  EXPECT_EQ(drift[1].message(), "column phone is gone");
  EXPECT_EQ(drift[1].time().seconds(), 8);
}

}  // namespace
}  // namespace curlew::notify
