#include "cli/poll.h"

#include <sstream>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/support/status_matchers.h"

namespace curlew::cli {
namespace {

using ::curlew::testing::StatusIs;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

TEST(PollTest, PrintsLinesThatAreNewOrChanged) {
  const KeyedTable table = {{"NAME  AGE", "a  3s", "b  4s"}, {"a 1", "b 2"}};
  EXPECT_THAT(ChangedLines({}, table), ElementsAre("a  3s", "b  4s"));
  EXPECT_THAT(ChangedLines({"a 1", "b 1"}, table), ElementsAre("b  4s"));
  EXPECT_THAT(ChangedLines({"a 1", "b 2", "c 1"}, table), IsEmpty());
}

TEST(PollTest, AFirstErrorEndsIt) {
  std::ostringstream out;
  Context context(out, out);
  EXPECT_THAT(PrintChanges(context, [] { return absl::NotFoundError("x"); }),
              StatusIs(absl::StatusCode::kNotFound));
}

}  // namespace
}  // namespace curlew::cli
