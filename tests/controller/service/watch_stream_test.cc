#include "controller/service/watch_stream.h"

#include <gmock/gmock.h>

#include <memory>
#include <string>
#include <vector>

#include "absl/time/clock.h"
#include "common/rpc/error.h"
#include "tests/controller/support/controller_fixture.h"
#include "tests/support/status_matchers.h"

namespace curlew::service {
namespace {

using ::curlew::testing::ControllerTest;
using ::curlew::testing::FakeAgent;
using ::curlew::testing::IsOk;
using ::curlew::testing::Items;
using ::curlew::testing::StatusIs;
using ::testing::HasSubstr;

// One watch, from the client's side.
class Watch {
 public:
  Watch(const std::shared_ptr<grpc::Channel>& channel, const std::string& name, int64_t after = 0)
      : stub_(v1::RolloutService::NewStub(channel)) {
    context_.set_deadline(absl::ToChronoTime(absl::Now() + absl::Seconds(20)));
    v1::WatchRolloutRequest request;
    request.set_name(name);
    request.set_after_event(after);
    reader_ = stub_->WatchRollout(&context_, request);
  }
  ~Watch() {
    context_.TryCancel();
    if (!ended_) reader_->Finish();
  }
  bool Read(v1::WatchRolloutResponse* message) { return reader_->Read(message); }
  absl::Status End() {
    ended_ = true;
    return rpc::FromGrpc(reader_->Finish());
  }

 private:
  grpc::ClientContext context_;
  std::unique_ptr<v1::RolloutService::Stub> stub_;
  std::unique_ptr<grpc::ClientReader<v1::WatchRolloutResponse>> reader_;
  bool ended_ = false;
};

class WatchStreamTest : public ControllerTest {
 protected:
  static constexpr char kName[] = "rollouts/add-note-1";
};

TEST_F(WatchStreamTest, BeginsWithTheRolloutAndTellsEveryEventOnceUntilTheEnd) {
  FakeAgent agent(Channel(), {"agent-a", "instance-1", {"staging-crm", "production-crm"}});
  agent.Serve(Items());
  ASSERT_THAT(CreateRollout(SetUpPlan()), IsOk());
  Watch watch(Channel(), kName);
  agent.SayHello();
  v1::WatchRolloutResponse message;
  int64_t last_event = 0;
  v1::Rollout last;
  bool first = true, approved = false;
  while (watch.Read(&message)) {
    if (std::exchange(first, false)) {
      EXPECT_TRUE(message.has_rollout());
    }
    if (message.has_event()) {
      EXPECT_EQ(message.event().number(), ++last_event);
    }
    if (!message.has_rollout()) continue;
    last = message.rollout();
    if (!approved && last.stages(1).before().has_reached_time()) {
      approved = true;
      EXPECT_THAT(Approve(kName), IsOk());
    }
  }
  EXPECT_THAT(watch.End(), IsOk());
  EXPECT_EQ(last.state(), v1::ROLLOUT_STATE_SUCCEEDED);
  EXPECT_EQ(last.last_event(), last_event);
}

TEST_F(WatchStreamTest, ResumesFromAnEventWithoutAGapAndWithoutARepeat) {
  FakeAgent agent(Channel(), {"agent-a", "instance-1", {"staging-crm", "production-crm"}});
  agent.Serve(Items());
  agent.SayHello();
  ASSERT_THAT(CreateRollout(SetUpPlan()), IsOk());
  std::vector<int64_t> numbers;
  bool approved = false;
  // A client that is cut off after every third event, by itself or with the controller.
  for (int cut = 0; cut < 100; ++cut) {
    Watch watch(Channel(), kName, numbers.empty() ? 0 : numbers.back());
    v1::WatchRolloutResponse message;
    int in_this_watch = 0;
    bool ended = true;
    while (watch.Read(&message)) {
      if (message.has_event()) {
        numbers.push_back(message.event().number());
        if (++in_this_watch == 3) {
          ended = false;
          break;
        }
      } else if (!approved && message.rollout().stages_size() > 0 &&
                 message.rollout().stages(1).before().has_reached_time()) {
        approved = true;
        EXPECT_THAT(Approve(kName), IsOk());
      }
    }
    if (ended) {
      ASSERT_THAT(watch.End(), IsOk());
      break;
    }
  }
  const auto rollout = GetRollout(kName);
  ASSERT_THAT(rollout, IsOk());
  EXPECT_EQ(rollout->state(), v1::ROLLOUT_STATE_SUCCEEDED);
  ASSERT_EQ(static_cast<int64_t>(numbers.size()), rollout->last_event());
  for (size_t i = 0; i < numbers.size(); ++i) EXPECT_EQ(numbers[i], static_cast<int64_t>(i) + 1);
}

TEST_F(WatchStreamTest, TellsTheNewestProgressOfARunningAttempt) {
  FakeAgent agent(Channel());
  ASSERT_THAT(CreateRollout(SetUpPlan()), IsOk());
  agent.SayHello();
  agent.AnswerQuestions(Items());
  agent.SayReady("staging-crm");
  const auto dispatch = agent.Take(v1::ControllerMessage::kDispatch);
  ASSERT_THAT(dispatch, IsOk());
  agent.SayAck(dispatch->dispatch());
  v1::AgentMessage said;
  v1::Progress* progress = said.mutable_progress();
  progress->set_target("staging-crm");
  progress->set_step(dispatch->dispatch().step());
  progress->set_attempt(dispatch->dispatch().attempt());
  progress->set_rows_done(1234);
  progress->mutable_waiting()->set_cause(v1::WAIT_CAUSE_LOCK);
  progress->mutable_waiting()->set_message("held by pid 42");
  agent.Say(said);
  Watch watch(Channel(), kName);
  v1::WatchRolloutResponse message;
  while (!message.has_progress() && watch.Read(&message)) continue;
  EXPECT_EQ(message.progress().rows_done(), 1234);
  const auto rollout = GetRollout(kName);
  ASSERT_THAT(rollout, IsOk());
  ASSERT_GT(rollout->waiting_size(), 0);
  const v1::Waiting& waiting = rollout->waiting(rollout->waiting_size() - 1);
  EXPECT_EQ(waiting.cause(), v1::WAIT_CAUSE_LOCK);
  EXPECT_EQ(waiting.target(), "staging-crm");
}

TEST_F(WatchStreamTest, ASlowWatcherHoldsUpNobodyAndMissesNoEvent) {
  FakeAgent agent(Channel(), {"agent-a", "instance-1", {"staging-crm", "production-crm"}});
  agent.Serve(Items());
  ASSERT_THAT(CreateRollout(SetUpPlan()), IsOk());
  Watch slow(Channel(), kName);
  agent.SayHello();
  WaitFor(kName, [](const v1::Rollout& r) { return r.stages(1).before().has_reached_time(); });
  ASSERT_THAT(Approve(kName), IsOk());
  const v1::Rollout done = WaitForState(kName, v1::ROLLOUT_STATE_SUCCEEDED);
  int64_t last_event = 0;
  v1::WatchRolloutResponse message;
  while (slow.Read(&message)) {
    if (message.has_event()) {
      EXPECT_EQ(message.event().number(), ++last_event);
    }
  }
  EXPECT_THAT(slow.End(), IsOk());
  EXPECT_EQ(last_event, done.last_event());
}

TEST_F(WatchStreamTest, ARolloutThatHasEndedIsToldToItsEnd) {
  ASSERT_THAT(CreateRollout(SetUpPlan()), IsOk());
  v1::ChangeRolloutRequest request;
  request.set_name(kName);
  grpc::ClientContext context;
  v1::Rollout aborted;
  ASSERT_TRUE(v1::RolloutService::NewStub(Channel())->AbortRollout(&context, request, &aborted).ok());
  Watch watch(Channel(), kName);
  v1::WatchRolloutResponse message;
  int64_t last_event = 0;
  while (watch.Read(&message)) {
    if (message.has_event()) last_event = message.event().number();
  }
  EXPECT_THAT(watch.End(), IsOk());
  EXPECT_EQ(last_event, aborted.last_event());
}

TEST_F(WatchStreamTest, SaysWhatIsWrongWithARequest) {
  v1::WatchRolloutResponse message;
  Watch unknown(Channel(), "rollouts/nosuch");
  EXPECT_FALSE(unknown.Read(&message));
  EXPECT_THAT(unknown.End(), StatusIs(absl::StatusCode::kNotFound, HasSubstr("nosuch")));
  Watch nameless(Channel(), "");
  EXPECT_FALSE(nameless.Read(&message));
  EXPECT_THAT(nameless.End(), StatusIs(absl::StatusCode::kInvalidArgument));
  Watch negative(Channel(), kName, -1);
  EXPECT_FALSE(negative.Read(&message));
  EXPECT_THAT(negative.End(), StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("after_event")));
}

TEST_F(WatchStreamTest, EndsWithUnavailableWhenTheControllerShutsDown) {
  ASSERT_THAT(CreateRollout(SetUpPlan()), IsOk());
  Watch watch(Channel(), kName);
  v1::WatchRolloutResponse message;
  ASSERT_TRUE(watch.Read(&message));
  Stop();
  while (watch.Read(&message)) continue;
  EXPECT_THAT(watch.End(), StatusIs(absl::StatusCode::kUnavailable, HasSubstr("shutting down")));
}

}  // namespace
}  // namespace curlew::service
