#include <gmock/gmock.h>

#include "tests/support/operation_harness.h"

namespace curlew::operations {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;

class DropNotNullTest : public ::curlew::testing::OperationTest {
 protected:
  static std::string Drop(const std::string& column) {
    return "  - drop_not_null: {table: '\"Peo ple\"', column: " + column + "}\n";
  }
};

TEST_F(DropNotNullTest, HappensInDropAndHasNoUndo) {
  ExpectLife(Drop("Ph one"), "\"Ph one\" text,");
  EXPECT_THAT(Unpromised(), IsEmpty());
  ASSERT_EQ(compiled_.steps_size(), 1);
  EXPECT_EQ(compiled_.steps(0).phase(), v1::PHASE_DROP);
  EXPECT_FALSE(compiled_.steps(0).has_undo());
}

TEST_F(DropNotNullTest, GoesWithARenameOnEitherSide) {
  const std::string rename = "  - rename_column: {table: '\"Peo ple\"', from: Ph one, to: phone}\n";
  ExpectLife(Drop("Ph one") + rename, "phone text");
  EXPECT_THAT(Unpromised(), IsEmpty());
  ExpectLife(rename + Drop("phone"), "phone text");
  EXPECT_THAT(Unpromised(), IsEmpty());
}

TEST_F(DropNotNullTest, SetAgainIsALaterStage) {
  ExpectLife(Drop("Ph one") + "  - set_not_null: {table: '\"Peo ple\"', column: Ph one}\n",
             "\"Ph one\" text NOT NULL");
}

TEST_F(DropNotNullTest, RefusesWhereSomethingNeedsIt) {
  setup_ = R"sql(
    ALTER TABLE "Peo ple" ALTER COLUMN tenant ADD GENERATED ALWAYS AS IDENTITY;
    CREATE UNIQUE INDEX by_phone ON "Peo ple" ("Ph one"); ALTER TABLE "Peo ple" REPLICA IDENTITY USING INDEX by_phone;)sql";
  EXPECT_THAT(Refusal(Drop("id")), HasSubstr("belongs to the primary key \"Peo ple_pkey\""));
  EXPECT_THAT(Refusal(Drop("tenant")), HasSubstr("is an identity column"));
  EXPECT_THAT(Refusal(Drop("Ph one")), HasSubstr("replica identity"));
  EXPECT_EQ(Refusal(Drop("age")), "");
}

}  // namespace
}  // namespace curlew::operations
