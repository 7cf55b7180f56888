#include "cli/errors.h"

#include "cli/exit_code.h"
#include "common/base/error_detail.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace curlew::cli {
namespace {

using ::testing::HasSubstr;
using ::testing::StartsWith;

TEST(ErrorsTest, SaysWhatFailedAndWhatToDo) {
  absl::Status status = absl::FailedPreconditionError("gate staging/before-drop is not reached");
  status = base::WithDetail(status, base::kHint, "wait for it");
  EXPECT_EQ(RenderError(status, {}),
            "error: gate staging/before-drop is not reached\n"
            "  what to do: wait for it\n");
}

TEST(ErrorsTest, EveryErrorHasANextStep) {
  for (int code = 1; code <= 16; ++code) {
    const std::string text = RenderError(absl::Status(static_cast<absl::StatusCode>(code), ""), {});
    EXPECT_THAT(text, StartsWith("error: ")) << code;
    EXPECT_THAT(text, HasSubstr("\n  what to do: ")) << code;
  }
}

TEST(ErrorsTest, ShowsDetailsThatTheMessageLacks) {
  absl::Status status = absl::InvalidArgumentError("contacts has no column fone");
  status = base::WithDetail(status, base::kField, "operations[0].rename_column.from");
  status = base::WithDetail(status, base::kSqlstate, "42703");
  status = base::WithDetail(status, base::kRowKeys, "contacts (id)=(1)\ncontacts (id)=(2)");
  EXPECT_THAT(RenderError(status, {}), HasSubstr("  field: operations[0].rename_column.from\n"
                                                 "  SQLSTATE: 42703\n"
                                                 "  row: contacts (id)=(1)\n"
                                                 "  row: contacts (id)=(2)\n"));
}

TEST(ErrorsTest, LinesOfAMessageStandUnderEachOtherAndCannotSteerTheTerminal) {
  EXPECT_THAT(RenderError(absl::InternalError("one\ntwo\033[2J"), {}), StartsWith("error: one\n  two?[2J\n"));
}

TEST(ErrorsTest, StepErrorsNameRowsAndTheSqlstate) {
  v1::StepError error;
  error.set_message("two rows collide");
  error.set_sqlstate("23505");
  error.set_hint("correct them, then resume");
  error.add_row_keys("contacts (id)=(42)");
  EXPECT_EQ(RenderStepError(error, 2, {}),
            "  error: two rows collide (SQLSTATE 23505)\n"
            "    row: contacts (id)=(42)\n"
            "    what to do: correct them, then resume\n");
}

TEST(ErrorsTest, ExitCodesFollowTheKindOfError) {
  EXPECT_EQ(ExitCodeOf(absl::OkStatus()), ExitCode::kOk);
  EXPECT_EQ(ExitCodeOf(absl::InternalError("")), ExitCode::kError);
  EXPECT_EQ(ExitCodeOf(absl::NotFoundError("")), ExitCode::kNotFound);
  EXPECT_EQ(ExitCodeOf(absl::InvalidArgumentError("")), ExitCode::kInvalid);
  EXPECT_EQ(ExitCodeOf(absl::FailedPreconditionError("")), ExitCode::kPrecondition);
  EXPECT_EQ(ExitCodeOf(absl::AbortedError("")), ExitCode::kPrecondition);
  EXPECT_EQ(ExitCodeOf(absl::UnavailableError("no agent serves it")), ExitCode::kPrecondition);
  EXPECT_EQ(ExitCodeOf(base::WithDetail(absl::UnavailableError(""), base::kReason, kUnreachableReason)),
            ExitCode::kUnreachable);
  EXPECT_EQ(ExitCodeOf(absl::PermissionDeniedError("")), ExitCode::kNotAllowed);
  EXPECT_EQ(ExitCodeOf(absl::UnauthenticatedError("")), ExitCode::kNotAllowed);
}

TEST(ErrorsTest, ExitCodesAreAllExplained) {
  int next = 0;
  for (const ExitCodeMeaning& meaning : ExitCodeMeanings()) {
    EXPECT_EQ(static_cast<int>(meaning.code), next++);
    EXPECT_FALSE(meaning.meaning.empty());
  }
  EXPECT_EQ(next, 13);
}

}  // namespace
}  // namespace curlew::cli
