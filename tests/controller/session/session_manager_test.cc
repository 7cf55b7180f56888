#include "controller/session/session_manager.h"

#include <gmock/gmock.h>

#include <memory>
#include <vector>

#include "common/base/proto_time.h"
#include "tests/controller/support/controller_fixture.h"
#include "tests/support/status_matchers.h"

namespace curlew::session {
namespace {

using ::curlew::testing::AgentIdentity;
using ::curlew::testing::ControllerTest;
using ::curlew::testing::FakeAgent;
using ::curlew::testing::IsOk;
using ::curlew::testing::StatusIs;
using ::testing::HasSubstr;
using Kind = v1::ControllerMessage::KindCase;

class SessionManagerTest : public ControllerTest {
 protected:
  SessionManagerTest() { EXPECT_THAT(ApplyEnvironments(), IsOk()); }
};

TEST_F(SessionManagerTest, WelcomesAnAgentAndGrantsItsTarget) {
  FakeAgent agent(Channel());
  agent.SayHello();
  const auto welcome = agent.Take(Kind::kWelcome);
  ASSERT_THAT(welcome, IsOk());
  EXPECT_GT(welcome->welcome().session(), 0);
  EXPECT_EQ(base::FromProto(welcome->welcome().heartbeat_interval()), absl::Seconds(5));
  EXPECT_EQ(base::FromProto(welcome->welcome().lease_time()), absl::Seconds(15));
  EXPECT_EQ(agent.TakeLease(), v1::LEASE_STATE_GRANTED);
}

TEST_F(SessionManagerTest, AHeartbeatIsAnsweredSoThatTheAgentMayTrustItsLeases) {
  FakeAgent agent(Channel());
  agent.SayHello();
  ASSERT_EQ(agent.TakeLease(), v1::LEASE_STATE_GRANTED);
  EXPECT_FALSE(agent.Has(Kind::kHeartbeat));
  v1::AgentMessage heartbeat;
  heartbeat.mutable_heartbeat();
  agent.Say(heartbeat);
  EXPECT_THAT(agent.Take(Kind::kHeartbeat), IsOk());
}

TEST_F(SessionManagerTest, AnAgentThatSpeaksOfOtherThingsIsToldNowAndThenThatItIsHeard) {
  options_.session.heartbeat_interval = absl::Milliseconds(20);
  Restart();
  FakeAgent agent(Channel());
  agent.SayHello();
  ASSERT_EQ(agent.TakeLease(), v1::LEASE_STATE_GRANTED);
  v1::AgentMessage progress;
  progress.mutable_progress()->set_target("staging-crm");
  while (!agent.Has(Kind::kHeartbeat) && !agent.End(absl::Milliseconds(5)).ok()) agent.Say(progress);
  EXPECT_THAT(agent.Take(Kind::kHeartbeat), IsOk());
}

TEST_F(SessionManagerTest, TheFirstMessageMustBeHello) {
  FakeAgent agent(Channel());
  v1::AgentMessage heartbeat;
  heartbeat.mutable_heartbeat();
  agent.Say(heartbeat);
  EXPECT_THAT(agent.End(), StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("Hello")));
}

TEST_F(SessionManagerTest, HelloIsSaidOnce) {
  FakeAgent agent(Channel());
  agent.SayHello();
  agent.SayHello();
  EXPECT_THAT(agent.End(), StatusIs(absl::StatusCode::kInvalidArgument));
}

TEST_F(SessionManagerTest, AStreamThatNeverSaysHelloIsEnded) {
  options_.session.hello_deadline = absl::Milliseconds(50);
  Restart();
  FakeAgent agent(Channel());
  EXPECT_THAT(agent.End(), StatusIs(absl::StatusCode::kDeadlineExceeded, HasSubstr("Hello")));
}

TEST_F(SessionManagerTest, AHelloThatLacksSomethingIsRefusedWithWhatItLacks) {
  const std::vector<std::pair<AgentIdentity, const char*>> cases = {
      {{"", "i", {"staging-crm"}}, "agent_id"},
      {{"a", "", {"staging-crm"}}, "instance_id"},
      {{"a", "i", {}}, "targets"}};
  for (const auto& [identity, missing] : cases) {
    FakeAgent agent(Channel(), identity);
    agent.SayHello();
    EXPECT_THAT(agent.End(), StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr(missing)));
  }
}

TEST_F(SessionManagerTest, AnotherVersionOfTheProtocolIsRefusedWithBothVersions) {
  FakeAgent agent(Channel());
  v1::AgentMessage hello;
  hello.mutable_hello()->set_agent_id("a");
  hello.mutable_hello()->set_instance_id("i");
  hello.mutable_hello()->add_targets("staging-crm");
  hello.mutable_hello()->set_protocol_version(99);
  agent.Say(hello);
  EXPECT_THAT(agent.End(), StatusIs(absl::StatusCode::kFailedPrecondition, HasSubstr("99")));
}

TEST_F(SessionManagerTest, AnUnknownTargetIsRefusedAndGrantedWhenItsEnvironmentIsApplied) {
  FakeAgent agent(Channel(), {"agent-a", "i", {"eu-crm"}});
  agent.SayHello();
  const auto lease = agent.Take(Kind::kLease);
  ASSERT_THAT(lease, IsOk());
  EXPECT_EQ(lease->lease().state(), v1::LEASE_STATE_REFUSED);
  EXPECT_THAT(lease->lease().reason(), HasSubstr("\"eu-crm\" is in no environment"));
  v1::ApplyEnvironmentsRequest environments = testing::TwoEnvironments();
  environments.mutable_environments(0)->add_targets("eu-crm");
  ASSERT_THAT(ApplyEnvironments(environments), IsOk());
  EXPECT_EQ(agent.TakeLease(), v1::LEASE_STATE_GRANTED);
}

TEST_F(SessionManagerTest, AnAgentWithAnotherIdentityIsRefusedForATargetThatIsServed) {
  FakeAgent first(Channel());
  first.SayHello();
  ASSERT_EQ(first.TakeLease(), v1::LEASE_STATE_GRANTED);
  FakeAgent second(Channel(), {"agent-b", "instance-9", {"staging-crm"}});
  second.SayHello();
  const auto lease = second.Take(Kind::kLease);
  ASSERT_THAT(lease, IsOk());
  EXPECT_EQ(lease->lease().state(), v1::LEASE_STATE_REFUSED);
  EXPECT_THAT(lease->lease().reason(), HasSubstr("\"agent-a\""));
  EXPECT_FALSE(first.Has(Kind::kLease)) << "the first is not disturbed";
  first.HalfClose();
  EXPECT_THAT(first.End(), IsOk());
  EXPECT_EQ(second.TakeLease(), v1::LEASE_STATE_GRANTED);
}

TEST_F(SessionManagerTest, AStandbyTakesOverWhenTheOtherEnds) {
  FakeAgent first(Channel());
  first.SayHello();
  ASSERT_EQ(first.TakeLease(), v1::LEASE_STATE_GRANTED);
  FakeAgent standby(Channel(), {"agent-a", "instance-2", {"staging-crm"}});
  standby.SayHello();
  ASSERT_EQ(standby.TakeLease(), v1::LEASE_STATE_STANDBY);
  first.Break();
  EXPECT_EQ(standby.TakeLease(), v1::LEASE_STATE_GRANTED);
}

TEST_F(SessionManagerTest, AStandbyTakesOverWhenTheOthersLeaseRunsOut) {
  options_.session.heartbeat_interval = absl::Milliseconds(100);
  options_.session.lease_time = absl::Milliseconds(400);
  Restart();
  FakeAgent silent(Channel());
  silent.SayHello();
  ASSERT_EQ(silent.TakeLease(), v1::LEASE_STATE_GRANTED);
  FakeAgent standby(Channel(), {"agent-a", "instance-2", {"staging-crm"}});
  standby.SayHello();
  ASSERT_EQ(standby.TakeLease(), v1::LEASE_STATE_STANDBY);
  v1::AgentMessage heartbeat;
  heartbeat.mutable_heartbeat();
  while (!standby.Has(Kind::kLease) && !standby.End(absl::Milliseconds(50)).ok()) standby.Say(heartbeat);
  EXPECT_EQ(standby.TakeLease(), v1::LEASE_STATE_GRANTED);
  EXPECT_THAT(silent.End(), StatusIs(absl::StatusCode::kUnavailable, HasSubstr("not heard")));
}

TEST_F(SessionManagerTest, ANewerStreamOfTheSameProcessReplacesTheOlderWithoutLosingTheTarget) {
  FakeAgent older(Channel());
  older.SayHello();
  ASSERT_EQ(older.TakeLease(), v1::LEASE_STATE_GRANTED);
  FakeAgent newer(Channel());
  newer.SayHello();
  EXPECT_EQ(newer.TakeLease(), v1::LEASE_STATE_GRANTED);
  EXPECT_THAT(older.End(), StatusIs(absl::StatusCode::kAborted));
  newer.SayReady("staging-crm", 3);
  EXPECT_EQ(WaitForTarget("staging-crm", [](const v1::Target& t) { return t.served(); }).epoch(), 3);
}

TEST_F(SessionManagerTest, WhatAnAgentSaysOfATargetThatIsNotItsIsIgnored) {
  FakeAgent first(Channel());
  first.SayHello();
  ASSERT_EQ(first.TakeLease(), v1::LEASE_STATE_GRANTED);
  FakeAgent second(Channel(), {"agent-b", "instance-9", {"staging-crm"}});
  second.SayHello();
  ASSERT_EQ(second.TakeLease(), v1::LEASE_STATE_REFUSED);
  second.SayReady("staging-crm", 66);
  second.HalfClose();
  EXPECT_THAT(second.End(), IsOk());
  first.SayReady("staging-crm", 3);
  EXPECT_EQ(WaitForTarget("staging-crm", [](const v1::Target& t) { return t.served(); }).epoch(), 3);
}

TEST_F(SessionManagerTest, AProblemIsShownAndGoesAwayWhenTheTargetIsReady) {
  EXPECT_THAT(GetTarget("staging-crm")->problem(), HasSubstr("no agent serves it"));
  FakeAgent agent(Channel());
  agent.SayHello();
  v1::AgentMessage problem;
  problem.mutable_target_problem()->set_target("staging-crm");
  problem.mutable_target_problem()->set_message("cannot connect: connection refused");
  agent.Say(problem);
  const auto troubled = WaitForTarget(
      "staging-crm", [](const v1::Target& t) { return t.problem() == "cannot connect: connection refused"; });
  EXPECT_FALSE(troubled.served());
  EXPECT_EQ(troubled.agent_id(), "agent-a");
  EXPECT_TRUE(troubled.has_last_seen_time());
  agent.SayReady("staging-crm");
  const auto ready = WaitForTarget("staging-crm", [](const v1::Target& t) { return t.served(); });
  EXPECT_EQ(ready.problem(), "");
  EXPECT_EQ(ready.database(), "crm");
}

TEST_F(SessionManagerTest, ADrainAsksAgentsToComeAgain) {
  FakeAgent agent(Channel());
  agent.SayHello();
  ASSERT_EQ(agent.TakeLease(), v1::LEASE_STATE_GRANTED);
  Stop();
  EXPECT_THAT(agent.Take(Kind::kReconnect), IsOk());
  EXPECT_THAT(agent.End(), StatusIs(absl::StatusCode::kUnavailable, HasSubstr("shutting down")));
}

TEST_F(SessionManagerTest, ASessionOfAgeIsAskedToComeAgainAndGoesOnUntilThen) {
  options_.session.session_age = -absl::Minutes(2);
  Restart();
  FakeAgent agent(Channel());
  agent.SayHello();
  EXPECT_THAT(agent.Take(Kind::kReconnect), IsOk());
  EXPECT_EQ(agent.TakeLease(), v1::LEASE_STATE_GRANTED);
}

}  // namespace
}  // namespace curlew::session
