#include "agent/session/session.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "common/rpc/endpoint.h"
#include "tests/agent/session/fake_controller.h"

namespace curlew::agent {
namespace {

// A session of an agent without targets: hello, heartbeats, farewell.
class SessionTest : public ::testing::Test {
 protected:
  ~SessionTest() override {
    if (session_ == nullptr) return;
    session_->Stop();
    runner_.join();
  }

  void Start(const std::string& address, SessionOptions options = {}) {
    options.controller = address;
    options.controllers = rpc::ParseControllers(address, rpc::Transport::Plain())->controllers;
    options.agent_id = "agent";
    options.instance_id = "instance";
    if (options.version.empty()) options.version = "0.3.0";
    options.reconnect = {.first = absl::Milliseconds(10), .longest = absl::Milliseconds(20)};
    session_ = std::make_unique<Session>(options, *rpc::MakeChannel(address, rpc::Transport::Plain()),
                                         std::vector<TargetServer*>{}, &outbox_, &lease_);
    runner_ = std::thread([this] { session_->Run(); });
  }

  Outbox outbox_;
  LeaseClock lease_;
  std::unique_ptr<Session> session_;
  std::thread runner_;
};

TEST_F(SessionTest, WhatANewerControllerSaysAndThisAgentDoesNotKnowIsIgnored) {
  FakeController controller;
  Start(controller.address());
  controller.Await(v1::AgentMessage::kHello);
  v1::ControllerMessage unknown;
  // Field 99 of the message, with two bytes in it: a kind of a later version.
  ASSERT_TRUE(unknown.ParseFromString("\x9a\x06\x02hi"));
  ASSERT_EQ(unknown.kind_case(), v1::ControllerMessage::KIND_NOT_SET);
  controller.Send(unknown);
  v1::ControllerMessage lease;
  lease.mutable_lease()->set_target("nobody");
  lease.mutable_lease()->set_state(static_cast<v1::LeaseState>(99));
  controller.Send(lease);
  for (int i = 0; i < 3; ++i) controller.Await(v1::AgentMessage::kHeartbeat);
  EXPECT_EQ(controller.sessions(), 1) << "the session goes on";
}

TEST_F(SessionTest, AControllerTwoMinorVersionsAwayIsLeftAndAskedAgainSlowly) {
  FakeController controller;
  controller.SetVersion("0.5.0");
  Start(controller.address(), {.refused_pause = absl::Hours(1)});
  EXPECT_TRUE(controller.AwaitGoodbye());
  EXPECT_EQ(controller.sessions(), 1);
  EXPECT_FALSE(lease_.Valid());
}

TEST_F(SessionTest, AControllerOneMinorVersionAwayIsServed) {
  FakeController controller;
  controller.SetVersion("0.4.7");
  Start(controller.address());
  for (int i = 0; i < 2; ++i) controller.Await(v1::AgentMessage::kHeartbeat);
  EXPECT_EQ(controller.sessions(), 1);
}

TEST_F(SessionTest, ASessionInWhichNothingIsHeardEndsAndAnotherBegins) {
  FakeController controller;
  controller.FallSilent(absl::Milliseconds(300));
  Start(controller.address());
  for (int i = 0; i < 3; ++i) controller.Await(v1::AgentMessage::kHello);
  EXPECT_GE(controller.sessions(), 3);
}

TEST_F(SessionTest, StopEndsTheSearchForALeader) {
  // Nothing listens at either.
  Start("127.0.0.1:1,127.0.0.1:2");
  const absl::Time begin = absl::Now();
  session_->Stop();
  runner_.join();
  session_.reset();
  EXPECT_LT(absl::Now() - begin, absl::Seconds(5));
}

}  // namespace
}  // namespace curlew::agent
