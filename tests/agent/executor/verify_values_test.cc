#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/agent/executor/executor_test.h"

namespace curlew::agent {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

class VerifyValuesTest : public ExecutorTest {
 protected:
  void SetUp() override {
    ASSERT_NO_FATAL_FAILURE(
        Prepare("CREATE TABLE contacts (id int PRIMARY KEY, phone text);"
                "INSERT INTO contacts SELECT g, g::text FROM generate_series(1, 100) g"));
  }
  static void Fill(v1::Measurement* measurement, const std::string& name, const std::string& query) {
    measurement->set_name(name);
    measurement->set_query(query);
    measurement->set_description(absl::StrCat("what ", name, " counts"));
  }
  v1::Action Measured() {
    v1::Action action;
    Fill(action.mutable_measure()->add_measurements(), "contacts",
         "SELECT count(*)::text FROM public.contacts");
    Fill(action.mutable_measure()->add_measurements(), "empty",
         "SELECT max(phone) FROM public.contacts WHERE id < 0");
    return action;
  }
  // That nothing of what was measured has changed.
  v1::Action Unchanged() {
    v1::Action action;
    const v1::Action measured = Measured();
    for (const v1::Measurement& measurement : measured.measure().measurements())
      *action.mutable_verify()->add_unchanged() = measurement;
    return action;
  }
  v1::Action Expected(const std::string& query, std::optional<std::string> expect) {
    v1::Action action;
    v1::Expectation& expectation = *action.mutable_verify()->add_expectations();
    expectation.set_name("answer");
    expectation.set_query(query);
    if (expect.has_value()) expectation.set_expect(*expect);
    return action;
  }
};

TEST_F(VerifyValuesTest, WhatWasMeasuredIsComparedLater) {
  const Outcome measured = Run("add-1", Measured());
  ASSERT_EQ(measured.state, v1::ATTEMPT_STATE_SUCCEEDED) << measured.error.DebugString();
  EXPECT_EQ(measured.summary, "2 values noted");
  EXPECT_EQ(Journaled("add-1"), "succeeded");
  EXPECT_EQ(Sql("SELECT string_agg(name || '=' || COALESCE(value, 'NULL'), ',' ORDER BY name)"
                " FROM curlew.measurement WHERE run = 'rollouts/r1/runs/crm'"),
            "contacts=100,empty=NULL");
  EXPECT_EQ(Run("constrain-1", Unchanged()).state, v1::ATTEMPT_STATE_SUCCEEDED);

  Sql("INSERT INTO contacts VALUES (101, 'x'), (-1, 'y')");
  const Outcome changed = Run("constrain-2", Unchanged());
  EXPECT_EQ(changed.state, v1::ATTEMPT_STATE_FAILED);
  EXPECT_THAT(changed.error.message(),
              HasSubstr("contacts: what contacts counts is what it was before the first "
                        "step\" does not hold: it was \"100\" and is \"102\""));
  EXPECT_THAT(changed.error.message(), HasSubstr("it was NULL and is \"y\""));
  EXPECT_EQ(Journaled("constrain-2"), "");
  // NULL where there was a value is a change, too.
  Sql("DELETE FROM contacts WHERE id IN (101, -1); UPDATE curlew.measurement SET value = 'z' WHERE name = "
      "'empty'");
  EXPECT_THAT(Run("constrain-3", Unchanged()).error.message(), HasSubstr("it was \"z\" and is NULL"));
}

TEST_F(VerifyValuesTest, WhatWasNotMeasuredOrCannotBeComputedDoesNotHold) {
  EXPECT_THAT(Run("constrain-1", Unchanged()).error.message(), HasSubstr("it was not measured"));
  ASSERT_EQ(Run("add-1", Measured()).state, v1::ATTEMPT_STATE_SUCCEEDED);
  Sql("ALTER TABLE contacts RENAME COLUMN phone TO tel");
  const Outcome outcome = Run("constrain-1", Unchanged());
  EXPECT_EQ(outcome.state, v1::ATTEMPT_STATE_FAILED);
  EXPECT_THAT(outcome.error.message(),
              AllOf(HasSubstr("it cannot be computed: SQLSTATE 42703"), Not(HasSubstr("contacts: what"))));
}

TEST_F(VerifyValuesTest, AMeasurementThatGivesNoValueFailsAndNotesNothing) {
  v1::Action action = Measured();
  Fill(action.mutable_measure()->add_measurements(), "several", "SELECT phone FROM public.contacts");
  const Outcome several = Run("add-1", action);
  EXPECT_EQ(several.state, v1::ATTEMPT_STATE_FAILED);
  EXPECT_THAT(several.error.message(),
              HasSubstr("measuring several: the query has to give one row of one column"));
  action.mutable_measure()->mutable_measurements(2)->set_query("SELECT nothing FROM public.contacts");
  EXPECT_THAT(Run("add-1", action).error.message(), HasSubstr("measuring several: "));
  // In a transaction that only reads.
  action.mutable_measure()->mutable_measurements(2)->set_query(
      "WITH d AS (DELETE FROM public.contacts RETURNING 1) SELECT count(*) FROM d");
  EXPECT_EQ(Run("add-1", action).error.sqlstate(), "25006");
  EXPECT_EQ(Sql("SELECT count(*) FROM curlew.measurement"), "0");
  EXPECT_EQ(Journaled("add-1"), "");
}

TEST_F(VerifyValuesTest, AfterACrashBeforeTheCommitValuesAreNotedAnew) {
  ASSERT_TRUE(Crash("measure.before_commit", 1, "add-1", Measured()));
  EXPECT_EQ(Sql("SELECT count(*) FROM curlew.measurement"), "0");
  Sql("DELETE FROM contacts WHERE id = 1");
  ASSERT_EQ(Run("add-1", Measured()).state, v1::ATTEMPT_STATE_SUCCEEDED);
  EXPECT_EQ(Sql("SELECT value FROM curlew.measurement WHERE name = 'contacts'"), "99");
}

TEST_F(VerifyValuesTest, AnswersAreComparedAsTexts) {
  const auto state = [&](const std::string& query, std::optional<std::string> expect) {
    return Run("constrain-1", Expected(query, expect)).state;
  };
  EXPECT_EQ(state("SELECT count(*)::text FROM public.contacts", "100"), v1::ATTEMPT_STATE_SUCCEEDED);
  EXPECT_EQ(state("SELECT NULL::text", std::nullopt), v1::ATTEMPT_STATE_SUCCEEDED);
  EXPECT_EQ(state("SELECT ''::text", std::nullopt), v1::ATTEMPT_STATE_FAILED);
  EXPECT_EQ(state("SELECT NULL::text", ""), v1::ATTEMPT_STATE_FAILED);
  EXPECT_THAT(Run("constrain-1", Expected("SELECT '7'::text", "8")).error.message(),
              HasSubstr("\"answer: the answer is \"8\"\" does not hold: it is \"7\""));
  EXPECT_THAT(Run("constrain-1", Expected("SELECT phone FROM public.contacts", "8")).error.message(),
              HasSubstr("the query gives 100 rows of 1 column, and has to give one row of one column"));
  EXPECT_THAT(Run("constrain-1", Expected("SELECT 'a', 'b'", "8")).error.message(),
              HasSubstr("1 row of 2 columns"));
  EXPECT_THAT(
      Run("constrain-1", Expected("SELECT phone FROM public.contacts WHERE false", "8")).error.message(),
      HasSubstr("0 rows of 1 column"));
  EXPECT_THAT(Run("constrain-1", Expected("SELECT (1/0)::text", "8")).error.message(),
              HasSubstr("SQLSTATE 22012"));
}

class VerifyTriggersTest : public ExecutorTest {
 protected:
  void SetUp() override {
    ASSERT_NO_FATAL_FAILURE(
        Prepare("CREATE TABLE logs (id int, day int) PARTITION BY LIST (day);"
                "CREATE TABLE logs_1 PARTITION OF logs FOR VALUES IN (1);"
                "CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';"
                "CREATE TRIGGER \"~t\" BEFORE INSERT ON logs FOR EACH ROW EXECUTE FUNCTION f();"
                "ALTER TABLE logs ENABLE ALWAYS TRIGGER \"~t\""));
    v1::TriggerCheck& check = *action_.mutable_verify()->add_triggers();
    check.set_table("public.logs");
    check.add_triggers("~t");
    // Would be slow, and is not looked at while a trigger is off.
    v1::Check& rows = *action_.mutable_verify()->add_checks();
    rows.set_description("there are no rows");
    rows.set_count_query("SELECT 1");
  }
  std::string Message() { return Run("constrain-1", action_).error.message(); }
  v1::Action action_;
};

TEST_F(VerifyTriggersTest, AreLookedAtFirstAndMustFireAlways) {
  EXPECT_THAT(Message(), HasSubstr("there are no rows"));
  Sql("ALTER TABLE logs DISABLE TRIGGER \"~t\"");
  const Outcome off = Run("constrain-1", action_);
  EXPECT_EQ(off.state, v1::ATTEMPT_STATE_FAILED);
  EXPECT_THAT(off.error.message(), AllOf(HasSubstr("it is disabled"), Not(HasSubstr("there are no rows"))));
  EXPECT_THAT(off.error.hint(), AllOf(HasSubstr("rows that were written meanwhile may not be in step"),
                                      HasSubstr("ALTER TABLE public.logs ENABLE ALWAYS TRIGGER \"~t\"")));
  Sql("ALTER TABLE logs ENABLE TRIGGER \"~t\"");
  EXPECT_THAT(Message(), HasSubstr("it does not fire where session_replication_role is replica"));
  Sql("ALTER TABLE logs ENABLE REPLICA TRIGGER \"~t\"");
  EXPECT_THAT(Message(), HasSubstr("it fires for replicas alone"));
  Sql("ALTER TABLE logs ENABLE ALWAYS TRIGGER \"~t\"");
  EXPECT_THAT(Message(), HasSubstr("there are no rows"));
  // Of one partition alone.
  Sql("ALTER TABLE logs_1 DISABLE TRIGGER \"~t\"");
  EXPECT_THAT(Message(),
              HasSubstr("trigger \"~t\" of public.logs_1 fires for every write\" does not hold: it is "
                        "disabled"));
  Sql("DROP TRIGGER \"~t\" ON logs");
  const Outcome gone = Run("constrain-1", action_);
  EXPECT_THAT(gone.error.message(), HasSubstr("it is not there"));
  EXPECT_THAT(gone.error.hint(), HasSubstr("roll back"));
}

}  // namespace
}  // namespace curlew::agent
