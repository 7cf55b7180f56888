#include "controller/service/some_at_a_time.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <deque>
#include <functional>
#include <vector>

namespace curlew::service {
namespace {

using ::testing::ElementsAre;

TEST(SomeAtATimeTest, BeginsNoMoreThanItsWidthAndEndsOnce) {
  std::vector<size_t> begun;
  std::deque<std::function<void()>> at_work;
  int done = 0;
  SomeAtATime::Run(
      5, 2,
      [&](size_t index, std::function<void()> ended) {
        begun.push_back(index);
        at_work.push_back(std::move(ended));
      },
      [&] { ++done; });
  EXPECT_THAT(begun, ElementsAre(0, 1));
  // The second ends first: it makes room as well.
  at_work[1]();
  at_work.erase(at_work.begin() + 1);
  EXPECT_THAT(begun, ElementsAre(0, 1, 2));
  while (!at_work.empty()) {
    EXPECT_LE(at_work.size(), 2u);
    EXPECT_EQ(done, 0);
    const auto ended = at_work.front();
    at_work.pop_front();
    ended();
  }
  EXPECT_THAT(begun, ElementsAre(0, 1, 2, 3, 4));
  EXPECT_EQ(done, 1);
}

TEST(SomeAtATimeTest, NothingIsDoneAtOnce) {
  int done = 0;
  SomeAtATime::Run(
      0, 8, [](size_t, const std::function<void()>&) { FAIL(); }, [&] { ++done; });
  EXPECT_EQ(done, 1);
}

}  // namespace
}  // namespace curlew::service
