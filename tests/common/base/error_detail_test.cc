#include "common/base/error_detail.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

namespace curlew::base {
namespace {

using ::testing::IsEmpty;
using ::testing::Pair;
using ::testing::UnorderedElementsAre;

TEST(ErrorDetailTest, ADetailTravelsWithTheStatus) {
  const absl::Status status = WithDetail(absl::NotFoundError("no plan"), kHint, "submit one");
  EXPECT_EQ(status.code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(status.message(), "no plan");
  EXPECT_EQ(Detail(status, kHint), "submit one");
}

TEST(ErrorDetailTest, ADetailThatIsNotSetIsEmpty) {
  EXPECT_EQ(Detail(absl::NotFoundError("no plan"), kHint), "");
  EXPECT_EQ(Detail(absl::OkStatus(), kHint), "");
}

TEST(ErrorDetailTest, SettingADetailAgainReplacesIt) {
  absl::Status status = WithDetail(absl::NotFoundError("x"), kHint, "first");
  status = WithDetail(status, kHint, "second");
  EXPECT_THAT(Details(status), UnorderedElementsAre(Pair("hint", "second")));
}

TEST(ErrorDetailTest, ListsAllDetailsAndNothingElse) {
  absl::Status status = WithDetail(absl::InternalError("x"), kSqlstate, "55P03");
  status = WithDetail(status, kRowKeys, "contacts (id)=(1)\ncontacts (id)=(2)");
  status.SetPayload("type.googleapis.com/other", absl::Cord("not ours"));
  EXPECT_THAT(Details(status),
              UnorderedElementsAre(Pair("sqlstate", "55P03"),
                                   Pair("row_keys", "contacts (id)=(1)\ncontacts (id)=(2)")));
}

TEST(ErrorDetailTest, AnOkStatusStaysAsItIs) {
  EXPECT_TRUE(WithDetail(absl::OkStatus(), kHint, "x").ok());
  EXPECT_THAT(Details(WithDetail(absl::OkStatus(), kHint, "x")), IsEmpty());
  EXPECT_TRUE(Annotate(absl::OkStatus(), "prefix").ok());
}

TEST(ErrorDetailTest, AnnotateKeepsCodeAndDetails) {
  absl::Status status = WithDetail(absl::AbortedError("lock timeout"), kSqlstate, "55P03");
  status.SetPayload("type.googleapis.com/other", absl::Cord("kept too"));
  const absl::Status annotated = Annotate(status, "target staging-crm");
  EXPECT_EQ(annotated.code(), absl::StatusCode::kAborted);
  EXPECT_EQ(annotated.message(), "target staging-crm: lock timeout");
  EXPECT_EQ(Detail(annotated, kSqlstate), "55P03");
  EXPECT_TRUE(annotated.GetPayload("type.googleapis.com/other").has_value());
}

}  // namespace
}  // namespace curlew::base
