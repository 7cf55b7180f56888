#include "controller/lease_keeper.h"

#include <gmock/gmock.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <functional>
#include <memory>
#include <utility>

#include "absl/synchronization/mutex.h"
#include "common/base/steady_cond_var.h"

// How far the wall clock of this process is ahead of what the kernel waits by: what a wait that has begun
// sees after the clock was set back.
static std::atomic<int64_t> clock_was_ahead_seconds = 0;

extern "C" int clock_gettime(clockid_t clock, timespec* now) noexcept {
  const long result = syscall(SYS_clock_gettime, clock, now);
  if (clock == CLOCK_REALTIME) now->tv_sec += clock_was_ahead_seconds;
  return static_cast<int>(result);
}

extern "C" int gettimeofday(timeval* now, void* zone) noexcept {
  const long result = syscall(SYS_gettimeofday, now, zone);
  now->tv_sec += clock_was_ahead_seconds;
  return static_cast<int>(result);
}

namespace curlew::controller {
namespace {

constexpr absl::Duration kPatience = absl::Seconds(20);

// The lease that others see. Thread-safe.
class Shared {
 public:
  // What Hold answers from now on.
  void Answer(absl::StatusOr<store::Leadership> answer) {
    absl::MutexLock lock(&mutex_);
    answer_ = std::move(answer);
  }
  // From now on Hold waits, until LetGo.
  void Stop() {
    absl::MutexLock lock(&mutex_);
    stopped_ = true;
  }
  void LetGo() {
    absl::MutexLock lock(&mutex_);
    stopped_ = false;
    changed_.Signal();
  }
  // Waits until the store was asked `count` times in all, or released.
  bool AwaitAsked(int count) {
    return Await([&]() ABSL_NO_THREAD_SAFETY_ANALYSIS { return asked_ >= count; });
  }
  bool AwaitReleased(int count) {
    return Await([&]() ABSL_NO_THREAD_SAFETY_ANALYSIS { return released_ >= count; });
  }
  int asked() {
    absl::MutexLock lock(&mutex_);
    return asked_;
  }

  absl::StatusOr<store::Leadership> Hold() {
    absl::MutexLock lock(&mutex_);
    ++asked_;
    changed_.Signal();
    while (stopped_) changed_.WaitFor(&mutex_, kPatience);
    if (during) during();
    return answer_;
  }
  void Release() {
    absl::MutexLock lock(&mutex_);
    ++released_;
    changed_.Signal();
  }

  // Happens while the store is asked. To be set before.
  std::function<void()> during;

 private:
  bool Await(const std::function<bool()>& wanted) {
    const auto end = std::chrono::steady_clock::now() + absl::ToChronoNanoseconds(kPatience);
    absl::MutexLock lock(&mutex_);
    while (!wanted() && std::chrono::steady_clock::now() < end) changed_.WaitFor(&mutex_, absl::Seconds(1));
    return wanted();
  }

  absl::Mutex mutex_;
  base::SteadyCondVar changed_;
  absl::StatusOr<store::Leadership> answer_ ABSL_GUARDED_BY(mutex_) = store::Leadership{
      .mine = true, .epoch = 1, .address = "here"};
  bool stopped_ ABSL_GUARDED_BY(mutex_) = false;
  int asked_ ABSL_GUARDED_BY(mutex_) = 0;
  int released_ ABSL_GUARDED_BY(mutex_) = 0;
};

class Lease : public store::LeaderLease {
 public:
  Lease(Shared* shared, absl::Duration term) : shared_(shared), term_(term) {}
  absl::StatusOr<store::Leadership> Hold() override { return shared_->Hold(); }
  void Release() override { shared_->Release(); }
  absl::Duration term() const override { return term_; }

 private:
  Shared* const shared_;
  const absl::Duration term_;
};

class LeaseKeeperTest : public ::testing::Test {
 protected:
  ~LeaseKeeperTest() override {
    shared_.LetGo();
    clock_was_ahead_seconds = 0;
  }
  void Start(absl::Duration term) {
    keeper_ = std::make_unique<LeaseKeeper>(
        std::make_unique<Lease>(&shared_, term), [this] { ++changes_; },
        [this] { return absl::Seconds(now_.load()); });
  }

  Shared shared_;
  std::atomic<int> changes_ = 0;
  std::atomic<int> now_ = 1000;  // seconds
  std::unique_ptr<LeaseKeeper> keeper_;
};

TEST_F(LeaseKeeperTest, MayActForFourFifthsOfTheTermFromTheBeginOfTheRenewal) {
  shared_.during = [this] { now_ += 3; };
  Start(absl::Seconds(100));
  const LeaseKeeper::View view = keeper_->First();
  EXPECT_TRUE(view.leadership.mine);
  EXPECT_EQ(view.valid_for, absl::Seconds(77));
  now_ += 80;
  EXPECT_LT(keeper_->Look().valid_for, absl::ZeroDuration()) << "a fifth before others can take it";
}

TEST_F(LeaseKeeperTest, AFailedRenewalProlongsNothingAndLosesNothing) {
  Start(absl::Milliseconds(50));
  keeper_->First();
  shared_.Answer(absl::UnavailableError("the store is away"));
  ASSERT_TRUE(shared_.AwaitAsked(shared_.asked() + 3));
  now_ += 1;
  const LeaseKeeper::View view = keeper_->Look();
  EXPECT_TRUE(view.leadership.mine);
  EXPECT_LT(view.valid_for, absl::ZeroDuration());
  EXPECT_TRUE(absl::IsUnavailable(view.status));
}

TEST_F(LeaseKeeperTest, TellsOfChangesOnly) {
  Start(absl::Milliseconds(20));
  ASSERT_TRUE(shared_.AwaitAsked(6));
  EXPECT_EQ(changes_, 1);
  shared_.Answer(store::Leadership{.mine = false, .epoch = 2, .address = "there"});
  ASSERT_TRUE(shared_.AwaitAsked(shared_.asked() + 3));
  EXPECT_EQ(changes_, 2);
  EXPECT_EQ(keeper_->Look().leadership.address, "there");
  EXPECT_LE(keeper_->Look().valid_for, absl::ZeroDuration());
}

TEST_F(LeaseKeeperTest, WhatIsGivenUpWhileItIsRenewedIsNotKept) {
  Start(absl::Milliseconds(20));
  keeper_->First();
  shared_.Stop();
  ASSERT_TRUE(shared_.AwaitAsked(shared_.asked() + 1));
  keeper_->Yield(absl::Hours(1));
  EXPECT_LE(keeper_->Look().valid_for, absl::ZeroDuration());
  shared_.LetGo();
  ASSERT_TRUE(shared_.AwaitReleased(1));
  const int asked = shared_.asked();
  EXPECT_FALSE(keeper_->Look().leadership.mine) << "though the store has said so last";
  keeper_.reset();
  EXPECT_EQ(shared_.asked(), asked) << "not within the pause";
}

TEST_F(LeaseKeeperTest, AsksAgainAfterThePause) {
  Start(absl::Hours(1));
  keeper_->First();
  keeper_->Yield(absl::Milliseconds(1));
  ASSERT_TRUE(shared_.AwaitReleased(1));
  ASSERT_TRUE(shared_.AwaitAsked(2));
}

TEST_F(LeaseKeeperTest, AClockThatIsSetBackHoldsUpNoRenewal) {
  clock_was_ahead_seconds = 3600;
  Start(absl::Milliseconds(50));
  EXPECT_TRUE(shared_.AwaitAsked(3));
}

}  // namespace
}  // namespace curlew::controller
