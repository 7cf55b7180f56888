#include "common/plan/plan_reader.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "absl/strings/str_cat.h"
#include "common/base/error_detail.h"
#include "tests/support/status_matchers.h"

namespace curlew::plan {
namespace {

using ::curlew::testing::StatusIs;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::StartsWith;

constexpr char kPlan[] = R"yaml(name: rename-contact-phone
description: One form for all numbers.
operations:
  - rename_column:
      table: contacts
      from: phone
      to: phone_number
      up: "'+1' || regexp_replace(phone, '[^0-9]', '', 'g')"
      down: phone_number
  - set_not_null: {table: contacts, column: phone_number}
  - add_check:
      table: contacts
      name: phone_number_form
      expression: phone_number ~ '^\+1[0-9]{10}$'
  - add_unique: {table: contacts, name: contacts_phone_number_key, columns: [phone_number, tenant_id]}
  - create_index: {table: contacts, name: contacts_phone_number_idx, columns: [phone_number]}
)yaml";

TEST(ReadPlanTest, ReadsAPlan) {
  ASSERT_OK_AND_ASSIGN(const v1::Plan plan, ReadPlan(kPlan, "plan.yaml"));
  EXPECT_EQ(plan.operations_size(), 5);
  EXPECT_EQ(plan.operations(2).add_check().expression(), "phone_number ~ '^\\+1[0-9]{10}$'");
}

TEST(ReadPlanTest, AnErrorOfValidationNamesFileLineAndColumnOfTheField) {
  const auto plan = ReadPlan(R"(name: p
operations:
  - set_not_null: {table: t, column: c}
  - add_check:
      table: t
      name: n
      expression: "a >"
)",
                             "plans/p.yaml");
  EXPECT_THAT(plan, StatusIs(absl::StatusCode::kInvalidArgument,
                             AllOf(StartsWith("plans/p.yaml:7:7: operations[1].add_check.expression: "),
                                   HasSubstr("a >"))));
  EXPECT_EQ(base::Detail(plan.status(), base::kField), "operations[1].add_check.expression");
}

TEST(ReadPlanTest, AFieldThatIsMissingIsToldAtItsOperation) {
  EXPECT_THAT(ReadPlan("name: p\noperations:\n  - set_not_null: {table: t}\n", "p.yaml"),
              StatusIs(absl::StatusCode::kInvalidArgument,
                       "p.yaml:3:5: operations[0].set_not_null.column: is required"));
}

TEST(ReadPlanTest, ReadsHowRowsAreToBeWalked) {
  constexpr char kOperations[] = "name: p\noperations:\n  - purge: {table: t, where: a < 0}\n";
  ASSERT_OK_AND_ASSIGN(
      const v1::Plan plan,
      ReadPlan(absl::StrCat(kOperations,
                            "settings: {backfill: {max_workers: 2, on_row_error: quarantine, "
                            "row_error_limit: 9, walk: key, synchronous_commit: true}}\n"),
               "p.yaml"));
  EXPECT_EQ(plan.settings().backfill().max_workers(), 2);
  EXPECT_EQ(plan.settings().backfill().on_row_error(), v1::ROW_ERROR_POLICY_QUARANTINE);
  EXPECT_EQ(plan.settings().backfill().row_error_limit(), 9);
  EXPECT_EQ(plan.settings().backfill().walk(), v1::WALK_KEY);
  EXPECT_TRUE(plan.settings().backfill().synchronous_commit());
  ASSERT_OK_AND_ASSIGN(const v1::Plan again, ReadPlan(ToYaml(plan), "p.yaml"));
  EXPECT_EQ(Digest(again), Digest(plan));
  EXPECT_THAT(ReadPlan(absl::StrCat(kOperations, "settings:\n  backfill:\n    max_workers: 33\n"), "p.yaml"),
              StatusIs(absl::StatusCode::kInvalidArgument,
                       AllOf(StartsWith("p.yaml:6:5: settings.backfill.max_workers: "),
                             HasSubstr("give 1 to 32, or leave it out"))));
  EXPECT_THAT(ReadPlan(absl::StrCat(kOperations, "settings: {backfill: {walk: heap}}\n"), "p.yaml"),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("known are: ctid, key")));
}

TEST(ReadPlanTest, AnErrorOfYamlIsToldAsItIs) {
  EXPECT_THAT(ReadPlan("nam: p", "p.yaml"),
              StatusIs(absl::StatusCode::kInvalidArgument, StartsWith("p.yaml:1:1: unknown")));
}

TEST(DigestTest, DependsOnTheContentAndNotOnTheWayItIsWritten) {
  ASSERT_OK_AND_ASSIGN(
      const v1::Plan block,
      ReadPlan("name: p\noperations:\n  - set_not_null:\n      column: c\n      table: t\n", "a"));
  ASSERT_OK_AND_ASSIGN(
      const v1::Plan json,
      ReadPlan(R"({"operations": [{"set_not_null": {"table": "t", "column": "c"}}], "name": "p"})", "b"));
  EXPECT_EQ(Digest(block), Digest(json));
  EXPECT_EQ(Digest(block).size(), 64u);
  v1::Plan other = block;
  other.mutable_operations(0)->mutable_set_not_null()->set_column("d");
  EXPECT_NE(Digest(other), Digest(block));
}

// Plans are stored and approved by this value: it must never change.
TEST(DigestTest, StaysWhatItWas) {
  ASSERT_OK_AND_ASSIGN(const v1::Plan plan, ReadPlan(kPlan, "plan.yaml"));
  EXPECT_EQ(Digest(plan), "f30226ac78257450a4e56f016ba03983c24fc8a08f7b4310d2843f381f3d6ef8");
}

}  // namespace
}  // namespace curlew::plan
