#include "common/rpc/error.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "common/base/error_detail.h"
#include "google/rpc/error_details.pb.h"
#include "google/rpc/status.pb.h"

namespace curlew::rpc {
namespace {

using ::testing::HasSubstr;

google::rpc::Status RichStatus(const grpc::Status& status) {
  google::rpc::Status rich;
  EXPECT_TRUE(rich.ParseFromString(status.error_details()));
  return rich;
}

TEST(ErrorTest, CodeMessageAndDetailsComeBackAsTheyWere) {
  absl::Status status = absl::FailedPreconditionError("a rollout is active on target \"crm\"");
  status = base::WithDetail(status, base::kReason, "ROLLOUT_ACTIVE");
  status = base::WithDetail(status, base::kTarget, "crm");
  status = base::WithDetail(status, base::kHint, "wait for it");
  const absl::Status back = FromGrpc(ToGrpc(status));
  EXPECT_EQ(back.code(), status.code());
  EXPECT_EQ(back.message(), status.message());
  EXPECT_EQ(base::Details(back), base::Details(status));
}

TEST(ErrorTest, EveryCodeKeepsItsNumber) {
  for (int code = 1; code <= 16; ++code) {
    const absl::Status status(static_cast<absl::StatusCode>(code), "x");
    EXPECT_EQ(ToGrpc(status).error_code(), code);
    EXPECT_EQ(FromGrpc(ToGrpc(status)), status);
  }
  EXPECT_TRUE(ToGrpc(absl::OkStatus()).ok());
  EXPECT_TRUE(FromGrpc(grpc::Status::OK).ok());
}

TEST(ErrorTest, AFieldIsABadRequestForClientsThatKnowOnlyTheStandardTypes) {
  const auto rich = RichStatus(ToGrpc(base::WithDetail(absl::InvalidArgumentError("no such type"),
                                                       base::kField, "operations[1].add_column")));
  ASSERT_EQ(rich.details_size(), 2);
  google::rpc::BadRequest bad_request;
  ASSERT_TRUE(rich.details(1).UnpackTo(&bad_request));
  EXPECT_EQ(bad_request.field_violations(0).field(), "operations[1].add_column");
  EXPECT_EQ(rich.code(), 3);
}

TEST(ErrorTest, AFailedPreconditionNamesItsSubject) {
  absl::Status status =
      base::WithDetail(absl::FailedPreconditionError("busy"), base::kReason, "ROLLOUT_ACTIVE");
  const auto rich = RichStatus(ToGrpc(base::WithDetail(status, base::kTarget, "crm")));
  google::rpc::ErrorInfo info;
  ASSERT_TRUE(rich.details(0).UnpackTo(&info));
  EXPECT_EQ(info.domain(), "curlew.dev");
  EXPECT_EQ(info.reason(), "ROLLOUT_ACTIVE");
  google::rpc::PreconditionFailure failure;
  ASSERT_TRUE(rich.details(1).UnpackTo(&failure));
  EXPECT_EQ(failure.violations(0).type(), "ROLLOUT_ACTIVE");
  EXPECT_EQ(failure.violations(0).subject(), "targets/crm");
}

TEST(ErrorTest, WhenToTryAgainIsARetryInfo) {
  const absl::Status status =
      base::WithDetail(absl::ResourceExhaustedError("too often"), kRetryAfter, "1.25s");
  const auto rich = RichStatus(ToGrpc(status));
  ASSERT_EQ(rich.details_size(), 2);
  google::rpc::RetryInfo info;
  ASSERT_TRUE(rich.details(1).UnpackTo(&info));
  EXPECT_EQ(info.retry_delay().seconds(), 1);
  EXPECT_EQ(info.retry_delay().nanos(), 250'000'000);
  EXPECT_EQ(base::Detail(FromGrpc(ToGrpc(status)), kRetryAfter), "1.25s");
}

TEST(ErrorTest, LongMessagesAreCutBetweenCharacters) {
  std::string message;
  while (message.size() < 20000) message += "é€";
  const grpc::Status status = ToGrpc(base::WithDetail(absl::InternalError(message), base::kRowKeys, message));
  EXPECT_LT(status.error_message().size(), 8300u);
  EXPECT_THAT(status.error_message(), HasSubstr("(cut)"));
  EXPECT_EQ(RichStatus(status).message(), status.error_message());  // still UTF-8, or it would not parse
}

TEST(ErrorTest, AStatusWithoutTextGetsItsCodesName) {
  EXPECT_EQ(FromGrpc(grpc::Status(grpc::StatusCode::UNAVAILABLE, "")).message(), "UNAVAILABLE");
}

TEST(ErrorTest, DetailsOfAnotherKindAreIgnored) {
  const grpc::Status status(grpc::StatusCode::INTERNAL, "x", "not a google.rpc.Status");
  EXPECT_EQ(FromGrpc(status), absl::InternalError("x"));
}

}  // namespace
}  // namespace curlew::rpc
