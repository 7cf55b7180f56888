#include <gmock/gmock.h>

#include "tests/support/operation_harness.h"

namespace curlew::operations {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;

class DropDefaultTest : public ::curlew::testing::OperationTest {
 protected:
  static std::string Drop(const std::string& column) {
    return "  - drop_default: {table: '\"Peo ple\"', column: " + column + "}\n";
  }
};

TEST_F(DropDefaultTest, HappensInDropAndHasNoUndo) {
  setup_ =
      R"sql(ALTER TABLE "Peo ple" ALTER COLUMN "Ph one" SET DEFAULT 'x', ALTER COLUMN age SET DEFAULT 1;)sql";
  ExpectLife(Drop("Ph one") + Drop("age"), "\"Ph one\" text NOT NULL");
  EXPECT_THAT(Unpromised(), IsEmpty());
  ASSERT_EQ(compiled_.steps_size(), 1);  // one lock for both
  EXPECT_EQ(compiled_.steps(0).phase(), v1::PHASE_DROP);
  EXPECT_FALSE(compiled_.steps(0).has_undo());
  EXPECT_THAT(compiled_.warnings(0), HasSubstr("will be refused"));
}

TEST_F(DropDefaultTest, GoesWithARenameOnEitherSide) {
  setup_ = R"sql(ALTER TABLE "Peo ple" ALTER COLUMN note SET DEFAULT 'x';)sql";
  const std::string rename = "  - rename_column: {table: '\"Peo ple\"', from: note, to: remark}\n";
  ExpectLife(Drop("note") + rename, "remark text\n");
  ExpectLife(rename + Drop("remark"), "remark text\n");
}

TEST_F(DropDefaultTest, RefusesWhatHasNoDefault) {
  setup_ = R"sql(ALTER TABLE "Peo ple" ALTER COLUMN tenant ADD GENERATED ALWAYS AS IDENTITY;)sql";
  EXPECT_THAT(Refusal(Drop("tenant")), HasSubstr("is an identity column"));
  ExpectLife(Drop("age"), "");
  EXPECT_THAT(compiled_.warnings(0), HasSubstr("does nothing"));
}

}  // namespace
}  // namespace curlew::operations
