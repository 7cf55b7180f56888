#include "controller/notification_relay.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <spdlog/sinks/ostream_sink.h>
#include <spdlog/spdlog.h>
#include <unistd.h>

#include <filesystem>
#include <nlohmann/json.hpp>
#include <sstream>

#include "absl/cleanup/cleanup.h"
#include "absl/synchronization/notification.h"
#include "common/base/proto_time.h"
#include "common/signing/key_files.h"
#include "controller/dispatch/thread_loop.h"
#include "tests/controller/notify/receiver.h"
#include "tests/support/fake_rollout_store.h"
#include "tests/support/process.h"
#include "tests/support/status_matchers.h"

namespace curlew::controller {
namespace {

using ::curlew::testing::FakeRecordStore;
using ::curlew::testing::FreePort;
using ::curlew::testing::IsOk;
using ::curlew::testing::Received;
using ::curlew::testing::Receiver;
using ::curlew::testing::SilentPort;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::SizeIs;

// Counts what is asked of it. On the loop's thread but for the waiting.
class CountingStore : public FakeRecordStore {
 public:
  absl::Status UpdateNotification(const v1::Notification& notification) override {
    const absl::Status status = FakeRecordStore::UpdateNotification(notification);
    Count(&updated_);
    return status;
  }
  absl::Status RemoveNotification(int64_t id) override {
    const absl::Status status = FakeRecordStore::RemoveNotification(id);
    Count(&removals_tried_);
    if (status.ok()) Count(&removed_);
    return status;
  }
  bool WaitForUpdates(int count) { return Wait(&updated_, count); }
  bool WaitForRemovals(int count) { return Wait(&removed_, count); }
  bool WaitForTriedRemovals(int count) { return Wait(&removals_tried_, count); }

 private:
  void Count(int* counter) {
    absl::MutexLock lock(&mutex_);
    ++*counter;
  }
  bool Wait(const int* counter, int count) {
    absl::MutexLock lock(&mutex_);
    const auto enough = [&] { return *counter >= count; };
    return mutex_.AwaitWithTimeout(absl::Condition(&enough), absl::Seconds(30));
  }

  absl::Mutex mutex_;
  int updated_ = 0, removed_ = 0, removals_tried_ = 0;
};

class NotificationRelayTest : public ::testing::Test {
 protected:
  ~NotificationRelayTest() override { End(); }

  static NotificationRelay::Options Hasty() {
    return {.pause = {.first = absl::Milliseconds(1), .longest = absl::Milliseconds(5)},
            .store_retry = absl::Milliseconds(1)};
  }

  // A controller begins to lead.
  void Begin(std::vector<notify::Sink> sinks, NotificationRelay::Options options = Hasty()) {
    sender_ = std::make_unique<notify::Sender>(std::move(sinks), &clock_);
    loop_ = std::make_unique<dispatch::ThreadLoop>();
    loop_->Run([&] {
      relay_ = std::make_unique<NotificationRelay>(loop_.get(), &store_, &clock_, sender_.get(),
                                                   signer_.get(), options);
      relay_->Start();
    });
  }
  // It ends.
  void End() {
    if (loop_ == nullptr) return;
    loop_->Stop();
    relay_.reset();
    loop_.reset();
    sender_.reset();
  }

  static v1::Notification Of(const std::string& sink, const std::string& message = "something happened") {
    v1::Notification notification;
    notification.set_sink(sink);
    notification.set_kind("done");
    notification.set_resource("rollouts/r");
    notification.set_message(message);
    *notification.mutable_time() = base::ToProto(absl::Now());
    return notification;
  }
  // As a transition stores it.
  void Put(std::vector<v1::Notification> notifications) {
    store::Record record{.notifications = std::move(notifications)};
    if (loop_ == nullptr) {
      ASSERT_THAT(store_.Put(record), IsOk());
      return;
    }
    loop_->Run([&] {
      ASSERT_THAT(store_.Put(record), IsOk());
      relay_->Wake();
    });
  }
  std::vector<v1::Notification> Pending() {
    std::vector<v1::Notification> pending;
    loop_->Run([&] { pending = *store_.PendingNotifications(0, 10000); });
    return pending;
  }
  static std::vector<std::string> Ids(const std::vector<Received>& received) {
    std::vector<std::string> ids;
    for (const Received& one : received) ids.push_back(one.Header("X-Curlew-Delivery"));
    return ids;
  }

  const base::SystemClock clock_;
  CountingStore store_;
  std::unique_ptr<audit::HeadSigner> signer_;
  std::unique_ptr<notify::Sender> sender_;
  std::unique_ptr<dispatch::ThreadLoop> loop_;
  std::unique_ptr<NotificationRelay> relay_;
};

TEST_F(NotificationRelayTest, DeliversWhatIsStoredAndRemovesIt) {
  Receiver receiver;
  Put({Of("ops", "before")});
  Begin({{.name = "ops", .url = receiver.url()}});
  Put({Of("ops", "after")});
  ASSERT_TRUE(store_.WaitForRemovals(2));
  EXPECT_THAT(Pending(), IsEmpty());
  const auto received = receiver.received();
  ASSERT_THAT(Ids(received), ElementsAre("1", "2"));
  EXPECT_THAT(received[0].body, HasSubstr("before"));
  EXPECT_THAT(received[1].body, HasSubstr("after"));
}

TEST_F(NotificationRelayTest, TriesAgainAndKeepsTheOrder) {
  Receiver receiver([](int n) { return n < 3 ? 500 : 200; });
  Begin({{.name = "ops", .url = receiver.url()}});
  Put({Of("ops"), Of("ops"), Of("ops")});
  ASSERT_TRUE(store_.WaitForRemovals(3));
  EXPECT_THAT(Ids(receiver.received()), ElementsAre("1", "1", "1", "1", "2", "3"));
}

TEST_F(NotificationRelayTest, TriesAgainWhereTheConnectionIsRefused) {
  const int port = FreePort();
  Begin({{.name = "ops", .url = {.host = "127.0.0.1", .port = port, .path = "/"}}});
  Put({Of("ops")});
  ASSERT_TRUE(store_.WaitForUpdates(2));
  const auto pending = Pending();
  ASSERT_THAT(pending, SizeIs(1));
  EXPECT_GE(pending[0].attempts(), 2);
  EXPECT_THAT(pending[0].error(), HasSubstr("cannot connect"));
  EXPECT_TRUE(pending[0].has_not_before());
  Receiver receiver(nullptr, nullptr, port);
  ASSERT_TRUE(store_.WaitForRemovals(1));
  EXPECT_THAT(receiver.received(), SizeIs(1));
}

TEST_F(NotificationRelayTest, OneThatHangsHoldsUpNeitherOthersNorTheLoop) {
  SilentPort silent;
  Receiver receiver;
  Begin({{.name = "silent", .url = silent.url(), .timeout = absl::Seconds(60)},
         {.name = "ops", .url = receiver.url()}});
  const absl::Time begin = absl::Now();
  for (int i = 0; i < 20; ++i) Put({Of("silent"), Of("ops")});
  ASSERT_TRUE(store_.WaitForRemovals(20));
  EXPECT_LT(absl::Now() - begin, absl::Seconds(30));
  EXPECT_THAT(Pending(), SizeIs(20));
  // Nor the end of the term, or of the controller.
  End();
  EXPECT_LT(absl::Now() - begin, absl::Seconds(45));
}

TEST_F(NotificationRelayTest, TheNextControllerGoesOnWhereThisOneWas) {
  Receiver receiver([](int n) { return n < 4 ? 503 : 200; });
  Begin({{.name = "ops", .url = receiver.url()}});
  Put({Of("ops"), Of("ops")});
  ASSERT_TRUE(store_.WaitForUpdates(2));
  End();
  const auto left = *store_.PendingNotifications(0, 10);
  ASSERT_THAT(left, SizeIs(2));
  EXPECT_GE(left[0].attempts(), 2);
  Begin({{.name = "ops", .url = receiver.url()}});
  ASSERT_TRUE(store_.WaitForRemovals(2));
  EXPECT_THAT(Pending(), IsEmpty());
  const auto ids = Ids(receiver.received());
  EXPECT_EQ(ids.back(), "2");
  EXPECT_EQ(std::count(ids.begin(), ids.end(), "2"), 1);
}

// What it tries when its term ends comes to nothing, and comes again.
TEST_F(NotificationRelayTest, AnAnswerAfterTheEndOfTheTermIsIgnored) {
  absl::Notification asked, may_answer;
  Receiver receiver([&](int n) {
    if (n == 0) {
      asked.Notify();
      may_answer.WaitForNotification();
    }
    return 200;
  });
  Begin({{.name = "ops", .url = receiver.url()}});
  Put({Of("ops")});
  asked.WaitForNotification();
  loop_->Stop();
  relay_.reset();
  loop_.reset();
  may_answer.Notify();
  sender_.reset();
  EXPECT_THAT(*store_.PendingNotifications(0, 10), SizeIs(1));
  Begin({{.name = "ops", .url = receiver.url()}});
  ASSERT_TRUE(store_.WaitForRemovals(1));
  EXPECT_THAT(Ids(receiver.received()), ElementsAre("1", "1"));
}

TEST_F(NotificationRelayTest, WhatWasDeliveredIsNotSentAgainWhileTheStoreFails) {
  absl::Notification asked, may_answer;
  Receiver receiver([&](int n) {
    if (n == 0) {
      asked.Notify();
      may_answer.WaitForNotification();
    }
    return 200;
  });
  Begin({{.name = "ops", .url = receiver.url()}});
  Put({Of("ops"), Of("ops")});
  asked.WaitForNotification();
  loop_->Run([&] { store_.FailWith(absl::UnavailableError("the disk is full")); });
  may_answer.Notify();
  ASSERT_TRUE(store_.WaitForTriedRemovals(3));
  EXPECT_THAT(receiver.received(), SizeIs(1));
  loop_->Run([&] { store_.FailWith(absl::OkStatus()); });
  ASSERT_TRUE(store_.WaitForRemovals(2));
  EXPECT_THAT(Ids(receiver.received()), ElementsAre("1", "2"));
}

TEST_F(NotificationRelayTest, BeginsAlsoWhereTheStoreFailsAtFirst) {
  Receiver receiver;
  Put({Of("ops")});
  store_.FailWith(absl::UnavailableError("not yet"));
  Begin({{.name = "ops", .url = receiver.url()}});
  loop_->Run([&] { store_.FailWith(absl::OkStatus()); });
  ASSERT_TRUE(store_.WaitForRemovals(1));
  EXPECT_THAT(receiver.received(), SizeIs(1));
}

TEST_F(NotificationRelayTest, ReadsMoreThanOnePage) {
  Receiver receiver;
  Put(std::vector<v1::Notification>(1001, Of("ops")));
  Begin({{.name = "ops", .url = receiver.url()}});
  ASSERT_TRUE(store_.WaitForRemovals(1001));
  const auto ids = Ids(receiver.received());
  ASSERT_THAT(ids, SizeIs(1001));
  for (int i = 0; i < 1001; ++i) ASSERT_EQ(ids[i], absl::StrCat(i + 1));
}

TEST_F(NotificationRelayTest, AsksTheStoreAlsoWhereNobodyWakesIt) {
  Receiver receiver;
  NotificationRelay::Options options = Hasty();
  options.poll = absl::Milliseconds(1);
  Begin({{.name = "ops", .url = receiver.url()}}, options);
  loop_->Run([&] { ASSERT_THAT(store_.Put({.notifications = {Of("ops")}}), IsOk()); });
  ASSERT_TRUE(store_.WaitForRemovals(1));
}

TEST_F(NotificationRelayTest, WhatIsForASinkThatIsGoneIsRemovedWithALine) {
  Receiver receiver;
  Put({Of("gone"), Of("ops")});
  std::ostringstream log;
  const auto sink = std::make_shared<spdlog::sinks::ostream_sink_mt>(log);
  spdlog::default_logger()->sinks().push_back(sink);
  const absl::Cleanup restore = [] { spdlog::default_logger()->sinks().pop_back(); };
  Begin({{.name = "ops", .url = receiver.url()}});
  ASSERT_TRUE(store_.WaitForRemovals(2));
  EXPECT_THAT(Pending(), IsEmpty());
  EXPECT_THAT(Ids(receiver.received()), ElementsAre("2"));
  End();
  EXPECT_THAT(log.str(), HasSubstr("its sink is not configured any more"));
}

TEST_F(NotificationRelayTest, GivesUpWhatIsOldOnceItsReceiverHasFailedForLong) {
  Receiver receiver([](int n) { return n < 8 ? 500 : 200; });
  v1::Notification old = Of("ops", "old");
  *old.mutable_time() = base::ToProto(absl::Now() - absl::Hours(25));
  NotificationRelay::Options options = Hasty();
  options.least_tries = 5;
  Begin({{.name = "ops", .url = receiver.url()}}, options);
  Put({old, old, Of("ops", "young")});
  ASSERT_TRUE(store_.WaitForRemovals(3));
  // The first after five tries, the next one, as old, after its own first; the young one is tried on.
  EXPECT_THAT(Ids(receiver.received()), ElementsAre("1", "1", "1", "1", "1", "2", "3", "3", "3"));
  std::vector<v1::AuditEntry> audit;
  loop_->Run([&] { audit = *store_.ListAudit(0, 10); });
  ASSERT_THAT(audit, SizeIs(2));
  EXPECT_EQ(audit[0].action(), "notification.drop");
  EXPECT_EQ(audit[0].resource(), "rollouts/r");
  EXPECT_EQ(audit[0].details().at("sink"), "ops");
  EXPECT_EQ(audit[0].details().at("notification"), "1");
  EXPECT_THAT(audit[0].reason(), HasSubstr("it answers 500"));
}

TEST_F(NotificationRelayTest, TheHeadOfTheAuditLogGoesWithIt) {
  const std::string folder = absl::StrCat(::testing::TempDir(), "/curlew-relay-", getpid());
  std::filesystem::create_directory(folder);
  const absl::Cleanup removed = [&] { std::filesystem::remove_all(folder); };
  ASSERT_OK_AND_ASSIGN(const signing::KeyFiles pair, signing::MakeKeyFiles(folder + "/key"));
  ASSERT_OK_AND_ASSIGN(signer_, audit::HeadSigner::Load(folder + "/key"));
  Receiver receiver;
  store::Record record{.audit = {v1::AuditEntry()}, .notifications = {Of("ops")}};
  record.audit[0].set_actor("ann");
  record.audit[0].set_action("rollout.start");
  record.audit[0].set_resource("rollouts/r");
  ASSERT_THAT(store_.Put(record), IsOk());
  Begin({{.name = "ops", .url = receiver.url()}});
  ASSERT_TRUE(store_.WaitForRemovals(1));
  const auto head = nlohmann::json::parse(receiver.received()[0].body)["audit_head"];
  EXPECT_EQ(head["number"], 1);
  EXPECT_EQ(head["hash"], (*store_.AuditHead()).hash());
  EXPECT_EQ(head["key_id"], pair.key.id());
  EXPECT_EQ(head["signature"], signer_->Sign(1, (*store_.AuditHead()).hash()).signature());
}

TEST_F(NotificationRelayTest, NoLogAndNoErrorHasTheSecretOrTheUrl) {
  std::ostringstream log;
  const auto sink = std::make_shared<spdlog::sinks::ostream_sink_mt>(log);
  spdlog::default_logger()->sinks().push_back(sink);
  spdlog::default_logger()->set_level(spdlog::level::trace);
  const absl::Cleanup restore = [] { spdlog::default_logger()->sinks().pop_back(); };
  Receiver receiver([](int n) { return n == 0 ? 500 : 200; });
  Begin({{.name = "ops", .url = receiver.url("/services/xoxb-path"), .secret = "hunter2-secret"},
         {.name = "refused",
          .url = {.host = "127.0.0.1", .port = FreePort(), .path = "/xoxb-path"},
          .secret = "hunter2-secret"}});
  Put({Of("ops"), Of("refused")});
  ASSERT_TRUE(store_.WaitForRemovals(1));
  ASSERT_TRUE(store_.WaitForUpdates(2));
  for (const v1::Notification& pending : Pending()) {
    EXPECT_THAT(pending.DebugString(), Not(HasSubstr("hunter2")));
    EXPECT_THAT(pending.DebugString(), Not(HasSubstr("xoxb")));
  }
  End();
  EXPECT_THAT(log.str(), HasSubstr("notification delivered"));
  EXPECT_THAT(log.str(), HasSubstr("it answers 500"));
  EXPECT_THAT(log.str(), HasSubstr("cannot connect"));
  EXPECT_THAT(log.str(), Not(HasSubstr("hunter2")));
  EXPECT_THAT(log.str(), Not(HasSubstr("xoxb")));
}

}  // namespace
}  // namespace curlew::controller
