#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/agent/executor/executor_test.h"

namespace curlew::agent {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::SizeIs;

class VerifyTest : public ExecutorTest {
 protected:
  void SetUp() override {
    ASSERT_NO_FATAL_FAILURE(
        Prepare("CREATE TABLE contacts (id int PRIMARY KEY, phone text);"
                "INSERT INTO contacts SELECT g, g::text FROM generate_series(1, 3000) g"));
  }
  v1::Check& Add(const std::string& description, const std::string& condition) {
    v1::Check& check = *action_.mutable_verify()->add_checks();
    check.set_description(description);
    check.set_count_query(absl::StrCat("SELECT count(*) FROM public.contacts AS t WHERE ", condition));
    check.set_key_query(absl::StrCat(
        "SELECT format('contacts (id)=(%s)', t.id) FROM public.contacts AS t WHERE ", condition));
    check.set_hint(absl::StrCat("mend ", description));
    return check;
  }
  v1::Action action_;
};

TEST_F(VerifyTest, SucceedsWhereEverythingHolds) {
  Add("no phone is NULL", "t.phone IS NULL");
  const Outcome outcome = Run("constrain-1", action_);
  EXPECT_EQ(outcome.state, v1::ATTEMPT_STATE_SUCCEEDED) << outcome.error.DebugString();
  EXPECT_EQ(Journaled("constrain-1"), "succeeded");
}

TEST_F(VerifyTest, TellsEveryFindingWithKeysAndHints) {
  Sql("UPDATE contacts SET phone = NULL WHERE id IN (7, 8)");
  Sql("UPDATE contacts SET phone = '' WHERE id > 2900");
  Add("no phone is NULL", "t.phone IS NULL");
  Add("no id is negative", "t.id < 0");
  Add("no phone is empty", "t.phone = ''");
  const Outcome outcome = Run("constrain-1", action_);
  EXPECT_EQ(outcome.state, v1::ATTEMPT_STATE_FAILED);
  EXPECT_THAT(outcome.error.message(), HasSubstr("\"no phone is NULL\" does not hold: 2 rows"));
  EXPECT_THAT(outcome.error.message(), HasSubstr("\"no phone is empty\" does not hold: 100 rows"));
  EXPECT_THAT(outcome.error.message(), Not(HasSubstr("negative")));
  EXPECT_THAT(outcome.error.row_keys(), SizeIs(12));
  EXPECT_THAT(outcome.error.row_keys(), Contains("contacts (id)=(7)"));
  EXPECT_EQ(outcome.error.hint(), "mend no phone is NULL; mend no phone is empty");
  EXPECT_EQ(Journaled("constrain-1"), "");
}

TEST_F(VerifyTest, CountsWithoutKeysUnlessItMayTellThem) {
  row_keys_ = RowKeys::kWithhold;
  Sql("UPDATE contacts SET phone = NULL WHERE id = 7");
  Add("no phone is NULL", "t.phone IS NULL");
  const Outcome outcome = Run("constrain-1", action_);
  EXPECT_THAT(outcome.error.message(), HasSubstr("1 row"));
  EXPECT_THAT(outcome.error.row_keys(), IsEmpty());
  EXPECT_THAT(outcome.error.message(), Not(HasSubstr("(7)")));
}

TEST_F(VerifyTest, FindsTheRowsOnWhichAnExpressionFailsAndGoesOnWithTheOtherChecks) {
  Sql("UPDATE contacts SET phone = 'secret' WHERE id IN (17, 2500)");
  v1::Check& check = Add("phone is a number below 5000", "t.phone::int > 5000");
  check.set_table("public.contacts");
  check.add_expressions("t.phone::int");
  Add("no id is 3", "t.id = 3");
  const Outcome outcome = Run("constrain-1", action_);
  EXPECT_EQ(outcome.state, v1::ATTEMPT_STATE_FAILED);
  EXPECT_THAT(outcome.error.row_keys(),
              ElementsAre("contacts (id)=(17)", "contacts (id)=(2500)", "contacts (id)=(3)"));
  EXPECT_THAT(outcome.error.message(), HasSubstr("22P02"));
  row_keys_ = RowKeys::kWithhold;
  EXPECT_THAT(Run("constrain-1", action_).error.message(), Not(HasSubstr("secret")));
}

TEST_F(VerifyTest, AQueryThatMakesNoSenseIsAFinding) {
  Add("nonsense", "t.no_such_column = 1");
  const Outcome outcome = Run("constrain-1", action_);
  EXPECT_EQ(outcome.state, v1::ATTEMPT_STATE_FAILED);
  EXPECT_THAT(outcome.error.message(), HasSubstr("42703"));
}

TEST_F(VerifyTest, AllChecksSeeOneSnapshot) {
  Add("no phone is NULL", "t.phone IS NULL");
  Add("no phone is NULL, still", "t.phone IS NULL");
  // Between the two checks somebody breaks the second one: not in this snapshot.
  action_.mutable_verify()->mutable_checks(0)->set_count_query(
      "SELECT count(*) FROM public.contacts AS t, pg_sleep(0.3) WHERE t.phone IS NULL");
  std::thread writer([&] {
    EXPECT_OK(CancelToken().Pause(absl::Milliseconds(100)));
    Sql("UPDATE contacts SET phone = NULL WHERE id = 1");
  });
  const Outcome outcome = Run("constrain-1", action_);
  writer.join();
  EXPECT_EQ(outcome.state, v1::ATTEMPT_STATE_SUCCEEDED) << outcome.error.DebugString();
}

TEST_F(VerifyTest, CannotWrite) {
  Sql("CREATE FUNCTION sly() RETURNS bigint LANGUAGE sql AS 'DELETE FROM contacts; SELECT 0::bigint'");
  Add("x", "true").set_count_query("SELECT sly()");
  EXPECT_NE(Run("constrain-1", action_).state, v1::ATTEMPT_STATE_SUCCEEDED);
  EXPECT_EQ(Sql("SELECT count(*) FROM contacts"), "3000");
}

TEST_F(VerifyTest, StopsWhenCancelled) {
  Add("slow", "true").set_count_query("SELECT count(*) FROM pg_sleep(300)");
  Outcome outcome;
  std::thread attempt([&] { outcome = Run("constrain-1", action_); });
  const Periodic canceller(absl::Milliseconds(50), [&] { cancel_.Cancel("paused"); });
  attempt.join();
  EXPECT_EQ(outcome.state, v1::ATTEMPT_STATE_CANCELLED);
}

}  // namespace
}  // namespace curlew::agent
