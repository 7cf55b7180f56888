#include <gmock/gmock.h>

#include "absl/strings/str_cat.h"
#include "tests/support/operation_harness.h"

namespace curlew::operations {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

class RenameEnumValueTest : public ::curlew::testing::OperationTest {};

constexpr char kAcknowledged[] = "\nsettings: {acknowledge: [breaks-applications]}";

TEST_F(RenameEnumValueTest, ChangesTheNameInDrop) {
  setup_ =
      "CREATE TYPE mood AS ENUM ('it''s', 'b'); ALTER TABLE \"Peo ple\" ADD mood mood DEFAULT 'it''s' "
      "CHECK (mood <> 'it''s' OR id > 0);";
  ExpectLife(absl::StrCat(R"yaml(
  - rename_enum_value: {type: mood, value: "it's", to: 'x\y'}
  - drop_column: {table: '"Peo ple"', column: age}
)yaml",
                          kAcknowledged),
             "CREATE TYPE public.mood AS ENUM (\n    'x\\y',\n    'b'\n);");
  EXPECT_THAT(Unpromised(), IsEmpty()) << "defaults and constraints follow";
  EXPECT_THAT(compiled_.warnings(), ::testing::Contains(HasSubstr("fail in DROP")));
  EXPECT_EQ(Query(conninfo_, "SELECT DISTINCT mood FROM \"Peo ple\""), "x\\y");
}

TEST_F(RenameEnumValueTest, RefusesUnlessTheAuthorKnowsWhatBreaks) {
  setup_ = "CREATE TYPE mood AS ENUM ('a', 'b');";
  EXPECT_THAT(Refusal("  - rename_enum_value: {type: mood, value: a, to: c}"),
              AllOf(HasSubstr("rename_enum_value"), HasSubstr("value 'a' of public.mood"),
                    HasSubstr("acknowledge: [breaks-applications]"), HasSubstr("add_enum_value")));
  EXPECT_THAT(Refusal(absl::StrCat("  - rename_enum_value: {type: mood, value: x, to: c}", kAcknowledged)),
              HasSubstr("has no value 'x'; there are: 'a', 'b'"));
  EXPECT_THAT(Refusal(absl::StrCat("  - rename_enum_value: {type: mood, value: a, to: b}", kAcknowledged)),
              HasSubstr("already has a value 'b'"));
}
}  // namespace
}  // namespace curlew::operations
