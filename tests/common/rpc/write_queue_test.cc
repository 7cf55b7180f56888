#include "common/rpc/write_queue.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <optional>
#include <vector>

namespace curlew::rpc {
namespace {

using ::testing::ElementsAre;

// Notes what it is asked for; a write ends when the test says so.
struct FakeReactor {
  void StartWrite(const int* message) {
    EXPECT_EQ(writing, nullptr) << "two writes at a time";
    EXPECT_FALSE(finished.has_value()) << "a write after Finish";
    writing = message;
    started.push_back(*message);
  }
  void Finish(grpc::Status status) {
    EXPECT_EQ(writing, nullptr) << "Finish beside a write";
    EXPECT_FALSE(finished.has_value()) << "Finish twice";
    finished = status;
  }
  bool EndWrite(bool ok) {
    EXPECT_EQ(*writing, started.back()) << "the message did not live until OnWriteDone";
    writing = nullptr;
    return queue.OnWriteDone(ok);
  }

  const int* writing = nullptr;
  std::vector<int> started;
  std::optional<grpc::Status> finished;
  WriteQueue<FakeReactor, int> queue{this};
};

TEST(WriteQueueTest, WritesOneAtATimeInOrder) {
  FakeReactor reactor;
  for (const int i : {1, 2, 3}) reactor.queue.Push(i);
  EXPECT_THAT(reactor.started, ElementsAre(1));
  EXPECT_FALSE(reactor.EndWrite(true));
  EXPECT_FALSE(reactor.EndWrite(true));
  EXPECT_TRUE(reactor.EndWrite(true)) << "idle";
  EXPECT_THAT(reactor.started, ElementsAre(1, 2, 3));
  EXPECT_FALSE(reactor.finished.has_value());
}

TEST(WriteQueueTest, FinishesAfterWhatIsQueued) {
  FakeReactor reactor;
  reactor.queue.Push(1);
  reactor.queue.Push(2);
  reactor.queue.FinishAfterQueue(grpc::Status(grpc::StatusCode::UNAVAILABLE, "bye"));
  reactor.queue.Push(3);
  EXPECT_FALSE(reactor.EndWrite(true));
  EXPECT_FALSE(reactor.finished.has_value());
  EXPECT_FALSE(reactor.EndWrite(true));
  ASSERT_TRUE(reactor.finished.has_value());
  EXPECT_EQ(reactor.finished->error_message(), "bye");
  EXPECT_THAT(reactor.started, ElementsAre(1, 2));
}

TEST(WriteQueueTest, FinishNowDropsWhatIsQueuedAndSaysThatAWriteIsOn) {
  FakeReactor reactor;
  reactor.queue.Push(1);
  reactor.queue.Push(2);
  EXPECT_TRUE(reactor.queue.FinishNow(grpc::Status::CANCELLED));
  EXPECT_FALSE(reactor.finished.has_value());
  reactor.EndWrite(false);
  EXPECT_TRUE(reactor.finished.has_value());
  EXPECT_THAT(reactor.started, ElementsAre(1));
}

TEST(WriteQueueTest, FinishNowEndsAnIdleCallAtOnceAndTheFirstStatusWins) {
  FakeReactor reactor;
  EXPECT_FALSE(reactor.queue.FinishNow(grpc::Status(grpc::StatusCode::ABORTED, "first")));
  reactor.queue.FinishNow(grpc::Status(grpc::StatusCode::INTERNAL, "second"));
  reactor.queue.FinishAfterQueue(grpc::Status::OK);
  EXPECT_EQ(reactor.finished->error_message(), "first");
}

TEST(WriteQueueTest, ABrokenStreamIsFinished) {
  FakeReactor reactor;
  reactor.queue.Push(1);
  reactor.queue.Push(2);
  EXPECT_FALSE(reactor.EndWrite(false));
  EXPECT_TRUE(reactor.finished.has_value());
}

TEST(WriteQueueTest, NothingBeginsAfterTheEnd) {
  FakeReactor reactor;
  int begun = 0;
  reactor.queue.IfOpen([&] { ++begun; });
  reactor.queue.FinishNow(grpc::Status::OK);
  reactor.queue.IfOpen([&] { ++begun; });
  reactor.queue.Push(1);
  EXPECT_EQ(begun, 1);
  EXPECT_TRUE(reactor.started.empty());
}

}  // namespace
}  // namespace curlew::rpc
