#include "agent/session/outbox.h"

#include <gtest/gtest.h>

#include <thread>

#include "absl/time/clock.h"

namespace curlew::agent {
namespace {

v1::AgentMessage Progress(const std::string& target, int64_t rows) {
  v1::AgentMessage message;
  message.mutable_progress()->set_target(target);
  message.mutable_progress()->set_rows_done(rows);
  return message;
}

v1::AgentMessage Ack(int attempt) {
  v1::AgentMessage message;
  message.mutable_ack()->set_attempt(attempt);
  return message;
}

v1::AgentMessage Result(const std::string& target) {
  v1::AgentMessage message;
  message.mutable_result()->set_target(target);
  return message;
}

const absl::Duration kNow = absl::ZeroDuration();

TEST(OutboxTest, KeepsTheOrder) {
  Outbox outbox;
  outbox.Open();
  outbox.Push(Ack(1));
  outbox.Push(Ack(2));
  EXPECT_EQ(outbox.Pop(kNow)->ack().attempt(), 1);
  EXPECT_EQ(outbox.Pop(kNow)->ack().attempt(), 2);
  EXPECT_FALSE(outbox.Pop(kNow).has_value());
}

TEST(OutboxTest, NothingOvertakesTheFirstMessageOfASession) {
  Outbox outbox;
  for (int session = 0; session < 2; ++session) {
    outbox.Push(Result("crm"));  // closed, or the session before: dropped
    v1::AgentMessage hello;
    hello.mutable_hello();
    outbox.Open(hello);
    outbox.Push(Ack(1));
    EXPECT_TRUE(outbox.Pop(kNow)->has_hello());
    EXPECT_TRUE(outbox.Pop(kNow)->has_ack());
  }
}

TEST(OutboxTest, KeepsOnlyTheNewestProgressOfEachTarget) {
  Outbox outbox;
  outbox.Open();
  outbox.Push(Progress("a", 1));
  outbox.Push(Progress("b", 7));
  outbox.Push(Progress("a", 2));
  EXPECT_EQ(outbox.Pop(kNow)->progress().rows_done(), 2);
  EXPECT_EQ(outbox.Pop(kNow)->progress().rows_done(), 7);
  EXPECT_FALSE(outbox.Pop(kNow).has_value());
}

TEST(OutboxTest, AResultLeavesNoProgressBehindIt) {
  Outbox outbox;
  outbox.Open();
  outbox.Push(Progress("a", 1));
  outbox.Push(Result("a"));
  EXPECT_TRUE(outbox.Pop(kNow)->has_result());
  EXPECT_FALSE(outbox.Pop(kNow).has_value());
}

TEST(OutboxTest, DropsWhatIsSaidWithoutASession) {
  Outbox outbox;
  outbox.Push(Ack(1));
  outbox.Open();
  EXPECT_FALSE(outbox.Pop(kNow).has_value());
  outbox.Push(Ack(2));
  outbox.Close();
  outbox.Open();
  EXPECT_FALSE(outbox.Pop(kNow).has_value());
}

TEST(OutboxTest, EndsTheSessionOfAPeerThatDoesNotRead) {
  Outbox outbox(3);
  outbox.Open();
  for (int i = 0; i < 3; ++i) outbox.Push(Ack(i));
  EXPECT_TRUE(outbox.open());
  outbox.Push(Ack(3));
  EXPECT_FALSE(outbox.open());
}

TEST(OutboxTest, WakesWhoWaits) {
  Outbox outbox;
  outbox.Open();
  std::thread pusher([&] { outbox.Push(Ack(1)); });
  EXPECT_TRUE(outbox.Pop(absl::Minutes(1)).has_value());
  pusher.join();
  std::thread closer([&] { outbox.Close(); });
  EXPECT_FALSE(outbox.Pop(absl::Minutes(1)).has_value());
  closer.join();
}

}  // namespace
}  // namespace curlew::agent
