#include "agent/guard/cancel_token.h"

#include <gtest/gtest.h>

#include <thread>

#include "agent/guard/periodic.h"
#include "tests/support/pg_test.h"
#include "tests/support/status_matchers.h"

namespace curlew::agent {
namespace {

using ::curlew::testing::StatusIs;

class CancelTokenTest : public ::curlew::testing::PgTest {};

TEST_F(CancelTokenTest, EndsAPauseAtOnce) {
  CancelToken token;
  std::thread canceller([&] { token.Cancel("an operator paused it"); });
  EXPECT_THAT(token.Pause(absl::Minutes(5)),
              StatusIs(absl::StatusCode::kCancelled, "stopped: an operator paused it"));
  canceller.join();
}

TEST_F(CancelTokenTest, KeepsTheFirstReason) {
  CancelToken token;
  token.Cancel("first");
  token.Cancel("second");
  EXPECT_THAT(token.Check(), StatusIs(absl::StatusCode::kCancelled, "stopped: first"));
}

TEST_F(CancelTokenTest, CancelsTheStatementThatRuns) {
  const auto connection = Connect(NewDatabase());
  CancelToken token;
  const CancelToken::Interruptible interruptible(&token, connection.get());
  // Again and again: until the statement has begun there is nothing to cancel.
  const Periodic canceller(absl::Milliseconds(20), [&] { token.Cancel("enough"); });
  EXPECT_THAT(connection->Execute("SELECT pg_sleep(300)").status(), StatusIs(absl::StatusCode::kCancelled));
}

}  // namespace
}  // namespace curlew::agent
