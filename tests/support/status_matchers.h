// GoogleMock matchers for absl::Status and absl::StatusOr.
#ifndef CURLEW_TESTS_SUPPORT_STATUS_MATCHERS_H_
#define CURLEW_TESTS_SUPPORT_STATUS_MATCHERS_H_

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <type_traits>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace curlew::testing {

inline const absl::Status& GetStatus(const absl::Status& status) { return status; }
template <typename T>
const absl::Status& GetStatus(const absl::StatusOr<T>& result) {
  return result.status();
}

// Matches an OK Status or StatusOr.
MATCHER(IsOk, negation ? "is not OK" : "is OK") {
  *result_listener << "status " << GetStatus(arg).ToString();
  return GetStatus(arg).ok();
}

// Matches a Status or StatusOr with this code: EXPECT_THAT(f(), StatusIs(absl::StatusCode::kNotFound)).
MATCHER_P(StatusIs, code, std::string("has code ") + absl::StatusCodeToString(code)) {
  *result_listener << "status " << GetStatus(arg).ToString();
  return GetStatus(arg).code() == code;
}

// The same with a matcher, or a whole text, for the message.
MATCHER_P2(StatusIs, code, message,
           std::string("has code ") + absl::StatusCodeToString(code) + " and message") {
  *result_listener << "status " << GetStatus(arg).ToString();
  return GetStatus(arg).code() == code &&
         ::testing::ExplainMatchResult(message, std::string(GetStatus(arg).message()), result_listener);
}

// Matches an OK StatusOr whose value matches.
MATCHER_P(IsOkAndHolds, value, "is OK and holds a value that matches") {
  if (!arg.ok()) {
    *result_listener << "status " << arg.status().ToString();
    return false;
  }
  return ::testing::ExplainMatchResult(value, *arg, result_listener);
}

}  // namespace curlew::testing

#define EXPECT_OK(expr) EXPECT_THAT(expr, ::curlew::testing::IsOk())
#define ASSERT_OK(expr) ASSERT_THAT(expr, ::curlew::testing::IsOk())

// Assigns the value of a StatusOr to `lhs`, which may be a declaration; ends the test where there is none.
#define ASSERT_OK_AND_ASSIGN(lhs, expr) \
  CURLEW_ASSERT_OK_AND_ASSIGN_(CURLEW_TEST_CONCAT_(status_or_, __LINE__), lhs, expr)
#define CURLEW_ASSERT_OK_AND_ASSIGN_(statusor, lhs, expr) \
  auto statusor = (expr);                                 \
  ASSERT_TRUE(statusor.ok()) << statusor.status();        \
  lhs = *std::move(statusor)
#define CURLEW_TEST_CONCAT_(a, b) CURLEW_TEST_CONCAT_INNER_(a, b)
#define CURLEW_TEST_CONCAT_INNER_(a, b) a##b

#endif  // CURLEW_TESTS_SUPPORT_STATUS_MATCHERS_H_
