#include "controller/limits/limiter.h"

#include <gmock/gmock.h>

#include <fstream>
#include <iterator>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/base/error_detail.h"
#include "common/rpc/endpoint.h"
#include "common/rpc/error.h"
#include "tests/support/status_matchers.h"

namespace curlew::limits {
namespace {

using ::curlew::testing::IsOk;
using ::curlew::testing::StatusIs;
using ::testing::AllOf;
using ::testing::HasSubstr;

// --- The bucket, as a table: what is taken when, and what is left. ---

TEST(BucketTest, GivesItsBurstAndThenOneForEachThatCameBack) {
  const Bucket::Size size{.per_second = 10, .burst = 3};
  struct Line {
    int at_ms;
    int wait_ms;  // 0: taken
  };
  Bucket bucket;
  for (const auto& [at, wait] : std::vector<Line>{
           {1000, 0},
           {1000, 0},
           {1000, 0},  // the burst
           {1000, 100},
           {1050, 50},  // refusals take nothing
           {1100, 0},
           {1100, 100},  // one came back
           {1350, 0},
           {1350, 0},
           {1350, 50},  // two and a half
           {99000, 0},
           {99000, 0},
           {99000, 0},  // never more than the burst
           {99000, 100},
       }) {
    const absl::Duration left = bucket.Take(size, absl::Milliseconds(at));
    EXPECT_LT(absl::AbsDuration(left - absl::Milliseconds(wait)), absl::Microseconds(1))
        << at << ": " << left;
  }
  EXPECT_FALSE(bucket.FullAt(size, absl::Milliseconds(99299)));
  EXPECT_TRUE(bucket.FullAt(size, absl::Milliseconds(99301)));
  EXPECT_TRUE(Bucket().FullAt(size, absl::ZeroDuration()));
}

TEST(BucketTest, WhatCostsMoreThanTheBurstIsOwed) {
  const Bucket::Size size{.per_second = 10, .burst = 20};
  Bucket bucket;
  EXPECT_EQ(bucket.Take(size, absl::Seconds(1), 1), absl::ZeroDuration());
  EXPECT_NEAR(absl::ToDoubleSeconds(bucket.Take(size, absl::Seconds(1), 100)), 0.1, 1e-6)
      << "when it is full";
  EXPECT_EQ(bucket.Take(size, absl::Seconds(2), 100), absl::ZeroDuration());
  EXPECT_NEAR(absl::ToDoubleSeconds(bucket.Take(size, absl::Seconds(2), 1)), 8.1, 1e-6);
  EXPECT_NEAR(absl::ToDoubleSeconds(bucket.Take(size, absl::Seconds(2), 100)), 10, 1e-6);
  EXPECT_EQ(bucket.Take(size, absl::Seconds(10.2), 1), absl::ZeroDuration());
  EXPECT_EQ(CostOf(0), 1);
  EXPECT_EQ(CostOf(1023), 1);
  EXPECT_EQ(CostOf(10 << 10), 11);
}

// --- The limiter. ---

class LimiterTest : public ::testing::Test {
 protected:
  std::unique_ptr<Limiter> Make(const Options& options) {
    return std::make_unique<Limiter>(options, [this] { return now_; });
  }
  // How many of `tries` calls there is room for.
  static int Calls(Limiter& limiter, const std::string& account, int tries) {
    int room = 0;
    for (int i = 0; i < tries; ++i) room += limiter.Call(account).ok() ? 1 : 0;
    return room;
  }

  absl::Duration now_ = absl::Hours(1);
};

TEST_F(LimiterTest, EachAccountHasItsOwnLimit) {
  const auto limiter = Make({.calls_per_second = 10, .call_burst = 20});
  EXPECT_EQ(Calls(*limiter, "alice", 1000), 20);
  EXPECT_EQ(Calls(*limiter, "bob", 1000), 20) << "what alice does is nothing to bob";
  now_ += absl::Seconds(1);
  EXPECT_EQ(Calls(*limiter, "alice", 1000), 10);
}

TEST_F(LimiterTest, ARefusalSaysWhyWhatToDoAndWhenToTryAgain) {
  const auto limiter = Make({.calls_per_second = 4, .call_burst = 1});
  EXPECT_THAT(limiter->Call("spiffe://curlew/user/alice"), IsOk());
  const absl::Status refused = limiter->Call("spiffe://curlew/user/alice");
  EXPECT_THAT(refused,
              StatusIs(absl::StatusCode::kResourceExhausted,
                       AllOf(HasSubstr("spiffe://curlew/user/alice"), HasSubstr("4 times a second"))));
  EXPECT_EQ(base::Detail(refused, base::kReason), kTooManyCalls);
  EXPECT_NE(base::Detail(refused, base::kHint), "");
  EXPECT_EQ(base::Detail(refused, rpc::kRetryAfter), "250ms");
  now_ += absl::Milliseconds(250);
  EXPECT_THAT(limiter->Call("spiffe://curlew/user/alice"), IsOk()) << "as it was told";
}

TEST_F(LimiterTest, StreamsAreCountedUntilTheirPassIsGone) {
  const auto limiter = Make({.streams = 2});
  auto first = limiter->Stream("alice"), second = limiter->Stream("alice");
  ASSERT_THAT(first, IsOk());
  ASSERT_THAT(second, IsOk());
  const auto third = limiter->Stream("alice");
  EXPECT_THAT(third, StatusIs(absl::StatusCode::kResourceExhausted, HasSubstr("2 watches and previews")));
  EXPECT_EQ(base::Detail(third.status(), base::kReason), kTooManyStreams);
  EXPECT_NE(base::Detail(third.status(), rpc::kRetryAfter), "");
  EXPECT_THAT(limiter->Stream("bob"), IsOk());
  first->reset();
  EXPECT_THAT(limiter->Stream("alice"), IsOk());
}

TEST_F(LimiterTest, ToOpenAStreamIsACallToo) {
  const auto limiter = Make({.calls_per_second = 1, .call_burst = 3, .streams = 100});
  std::vector<Pass> open;
  for (int i = 0; i < 3; ++i) open.push_back(limiter->Stream("alice").value());
  EXPECT_EQ(base::Detail(limiter->Stream("alice").status(), base::kReason), kTooManyCalls);
}

TEST_F(LimiterTest, SessionsOfAnAgentAreCountedByTheMinute) {
  const auto limiter = Make({.sessions_per_minute = 6});
  for (int i = 0; i < 6; ++i) EXPECT_THAT(limiter->Session("agent"), IsOk());
  const absl::Status refused = limiter->Session("agent");
  EXPECT_THAT(refused, StatusIs(absl::StatusCode::kResourceExhausted, HasSubstr("6 sessions")));
  EXPECT_EQ(base::Detail(refused, base::kReason), kTooManySessions);
  EXPECT_EQ(base::Detail(refused, rpc::kRetryAfter), "10s");
  EXPECT_THAT(limiter->Session("another"), IsOk());
  now_ += absl::Seconds(10);
  EXPECT_THAT(limiter->Session("agent"), IsOk());
  EXPECT_THAT(limiter->Call("agent"), IsOk()) << "sessions are no calls";
}

TEST_F(LimiterTest, WhatIsOffLimitsNothing) {
  for (int i = 0; i < 10'000; ++i) {
    ASSERT_THAT(Limiter::Off().Call("alice"), IsOk());
    ASSERT_THAT(Limiter::Off().Session("alice"), IsOk());
  }
  std::vector<Pass> open;
  for (int i = 0; i < 1000; ++i) open.push_back(Limiter::Off().Stream("alice").value());
  EXPECT_EQ(Limiter::Off().accounts(), 0u);
  EXPECT_GT(Limiter::Off().options().call_deadline, absl::ZeroDuration());
}

TEST_F(LimiterTest, AccountsThatAreAsNewAreForgotten) {
  const auto limiter = Make({.calls_per_second = 1, .call_burst = 10});
  for (int i = 0; i < 1000; ++i) EXPECT_EQ(Calls(*limiter, absl::StrCat("user-", i), 1), 1);
  EXPECT_EQ(Calls(*limiter, "busy", 100), 10);
  const Pass open = limiter->Stream("watcher").value();
  now_ += absl::Minutes(1);
  EXPECT_EQ(Calls(*limiter, "busy", 10), 10) << "a minute gives it back";
  limiter->Call("somebody").IgnoreError();
  EXPECT_EQ(limiter->accounts(), 3u) << "busy, watcher, somebody";
}

TEST_F(LimiterTest, AccountsBeyondThoseThatAreToldApartShareOne) {
  const auto limiter = Make({.calls_per_second = 0.001, .call_burst = 5, .streams = 2, .accounts = 10});
  for (int i = 0; i < 10; ++i) EXPECT_EQ(Calls(*limiter, absl::StrCat("user-", i), 10), 5);
  int room = 0;
  for (int i = 0; i < 10'000; ++i) room += Calls(*limiter, absl::StrCat("stranger-", i), 1);
  EXPECT_EQ(room, 5);
  EXPECT_LE(limiter->accounts(), 11u);
  EXPECT_EQ(Calls(*limiter, "user-3", 1), 0) << "who has one keeps it";
  // And a stream of one that shares is given back where it was taken.
  now_ += absl::Hours(10);
  for (int i = 0; i < 10; ++i) EXPECT_EQ(Calls(*limiter, absl::StrCat("new-", i), 1), 1);
  for (int i = 0; i < 5; ++i) {
    EXPECT_THAT(limiter->Stream("stranger"), IsOk());
    now_ += absl::Hours(1);
  }
}

TEST(LimitsPageTest, SaysWhatTheDefaultsAre) {
  std::ifstream file(CURLEW_SOURCE_DIR "/docs/limits.md");
  const std::string page((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
  const Options options;
  const auto thousands = [](size_t number) {
    return number < 1000 ? absl::StrCat(number)
                         : absl::StrCat(number / 1000, ",", absl::Dec(number % 1000, absl::kZeroPad3));
  };
  for (const std::string& words :
       {absl::StrCat("| calls, in the long run | ", options.calls_per_second, " a second |"),
        absl::StrCat("| calls at once, after a while without any | ", options.call_burst, " |"),
        absl::StrCat("| watches and previews that are open at a time | ", options.streams, " |"),
        absl::StrCat("| sessions of an agent that begin | ", options.sessions_per_minute, " in a minute |"),
        absl::StrCat(thousands(options.accounts), " are told apart"),
        absl::StrCat("answered | ", absl::ToInt64Seconds(options.call_deadline), " s, or"),
        absl::StrCat("| a message, either way | ", rpc::kLargestMessage >> 20, " MiB |")}) {
    EXPECT_THAT(page, HasSubstr(words));
  }
}

}  // namespace
}  // namespace curlew::limits
