#include "common/pg/error.h"

#include "common/base/error_detail.h"
#include "tests/support/status_matchers.h"

namespace curlew::pg {
namespace {

using curlew::testing::StatusIs;
using ::testing::StrEq;

struct Case {
  const char* sqlstate;
  absl::StatusCode code;
  friend void PrintTo(const Case& c, std::ostream* out) { *out << c.sqlstate; }
};

class ErrorCodeTest : public ::testing::TestWithParam<Case> {};

TEST_P(ErrorCodeTest, FollowsTheTable) {
  const absl::Status status = ServerError(GetParam().sqlstate, "ERROR:  x");
  EXPECT_EQ(status.code(), GetParam().code) << GetParam().sqlstate;
  EXPECT_EQ(Sqlstate(status), GetParam().sqlstate);
}

INSTANTIATE_TEST_SUITE_P(
    Sqlstates, ErrorCodeTest,
    ::testing::Values(
        Case{"08006", absl::StatusCode::kUnavailable}, Case{"57P01", absl::StatusCode::kUnavailable},
        Case{"53300", absl::StatusCode::kUnavailable}, Case{"25006", absl::StatusCode::kUnavailable},
        Case{"55P03", absl::StatusCode::kDeadlineExceeded},
        Case{"57014", absl::StatusCode::kDeadlineExceeded}, Case{"40001", absl::StatusCode::kAborted},
        Case{"40P01", absl::StatusCode::kAborted}, Case{"42P07", absl::StatusCode::kAlreadyExists},
        Case{"42701", absl::StatusCode::kAlreadyExists}, Case{"23505", absl::StatusCode::kAlreadyExists},
        Case{"42P01", absl::StatusCode::kNotFound}, Case{"42883", absl::StatusCode::kNotFound},
        Case{"3D000", absl::StatusCode::kNotFound}, Case{"42501", absl::StatusCode::kPermissionDenied},
        Case{"28P01", absl::StatusCode::kPermissionDenied},
        Case{"53100", absl::StatusCode::kResourceExhausted},
        Case{"55006", absl::StatusCode::kFailedPrecondition},
        Case{"2BP01", absl::StatusCode::kFailedPrecondition},
        Case{"22P02", absl::StatusCode::kInvalidArgument}, Case{"23514", absl::StatusCode::kInvalidArgument},
        Case{"42601", absl::StatusCode::kInvalidArgument}, Case{"P0001", absl::StatusCode::kInvalidArgument},
        Case{"XX000", absl::StatusCode::kInternal}),
    [](const auto& info) { return std::string(info.param.sqlstate); });

TEST(ErrorTest, SaysWhatTheServerSaidWithoutTheSeverity) {
  EXPECT_THAT(ServerError("42P01", "FEHLER:  Relation »x« existiert nicht\n"),
              StatusIs(absl::StatusCode::kNotFound, StrEq("Relation »x« existiert nicht (SQLSTATE 42P01)")));
  EXPECT_THAT(ServerError("P0001", "no severity"),
              StatusIs(absl::StatusCode::kInvalidArgument, StrEq("no severity (SQLSTATE P0001)")));
}

TEST(ErrorTest, ACancellationOfOursIsNoTimeout) {
  EXPECT_EQ(ServerError("57014", "ERROR:  x", Canceller::kUs).code(), absl::StatusCode::kCancelled);
  EXPECT_EQ(ServerError("55P03", "ERROR:  x", Canceller::kUs).code(), absl::StatusCode::kDeadlineExceeded);
}

TEST(ErrorTest, BlamesTheWorldForWhatAnotherTryMayMend) {
  for (const char* sqlstate :
       {"08006", "57P03", "55P03", "57014", "40001", "53100", "58030", "25P04", "XX000"}) {
    EXPECT_EQ(BlameFor(ServerError(sqlstate, "x")), Blame::kWorld) << sqlstate;
  }
  EXPECT_EQ(BlameFor(absl::DataLossError("in doubt")), Blame::kWorld);
  for (const char* sqlstate : {"22P02", "23505", "42P01", "42501", "2BP01", "P0001", "XX001"}) {
    EXPECT_EQ(BlameFor(ServerError(sqlstate, "x")), Blame::kWork) << sqlstate;
  }
}

}  // namespace
}  // namespace curlew::pg
