// An error when a trigger is installed can never be swallowed: the step does not succeed, by its outcome and
// by the journal, and nothing of it is left.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/agent/executor/executor_test.h"

namespace curlew::agent {
namespace {

using ::testing::AnyOf;
using ::testing::HasSubstr;

class InstallTriggerTest : public ExecutorTest {
 protected:
  void SetUp() override {
    ASSERT_NO_FATAL_FAILURE(Prepare("CREATE TABLE contacts (id int PRIMARY KEY, phone text, number text)"));
  }

  // As dual writes are installed: two functions, two triggers, and the triggers made to fire always.
  static v1::Action Install() {
    v1::Action action;
    v1::InstallTrigger& install = *action.mutable_install_trigger();
    install.set_table("public.contacts");
    for (const char* name : {"one", "two"}) {
      install.add_statements(
          absl::StrCat("CREATE OR REPLACE FUNCTION curlew.", name,
                       "() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN NEW.number := NEW.phone; "
                       "RETURN NEW; END'"));
      install.add_statements(
          absl::StrCat("CREATE TRIGGER curlew_", name,
                       " BEFORE INSERT OR UPDATE ON public.contacts FOR EACH ROW EXECUTE FUNCTION "
                       "curlew.",
                       name, "()"));
      install.add_triggers(absl::StrCat("curlew_", name));
    }
    install.add_statements(
        "ALTER TABLE public.contacts ENABLE ALWAYS TRIGGER curlew_one, ENABLE ALWAYS TRIGGER curlew_two");
    return action;
  }

  std::string Left() {
    return Sql(
        "SELECT (SELECT count(*) FROM pg_trigger WHERE tgname LIKE 'curlew%') || ' triggers, ' ||"
        " (SELECT count(*) FROM pg_proc WHERE pronamespace = 'curlew'::regnamespace AND proname IN"
        " ('one', 'two')) || ' functions'");
  }
  void ExpectNothingDone(const Outcome& outcome, const std::string& why) {
    EXPECT_THAT(outcome.state, AnyOf(v1::ATTEMPT_STATE_FAILED, v1::ATTEMPT_STATE_ERRORED));
    EXPECT_THAT(outcome.error.message(), HasSubstr(why));
    EXPECT_EQ(Journaled("dual-1"), "");
    EXPECT_EQ(Left(), "0 triggers, 0 functions");
  }
};

TEST_F(InstallTriggerTest, InstallsAllOfIt) {
  EXPECT_EQ(Run("dual-1", Install()).state, v1::ATTEMPT_STATE_SUCCEEDED);
  EXPECT_EQ(Journaled("dual-1"), "succeeded");
  EXPECT_EQ(Left(), "2 triggers, 2 functions");
  EXPECT_EQ(Sql("INSERT INTO contacts (id, phone) VALUES (1, '5') RETURNING number"), "5");
}

TEST_F(InstallTriggerTest, AnErrorAtAnyStatementUndoesAllOfIt) {
  Sql("CREATE SEQUENCE public.passed");
  const int statements = Install().install_trigger().statements_size();
  for (int at = 1; at <= statements; ++at) {
    // Raises at the at-th statement that the agent runs; a sequence counts, whatever is rolled back.
    Sql(absl::StrCat(
        "ALTER SEQUENCE public.passed RESTART; "
        "CREATE FUNCTION public.refuse() RETURNS event_trigger LANGUAGE plpgsql AS $$ BEGIN"
        " IF current_setting('application_name') LIKE 'curlew%' AND nextval('public.passed') >= ",
        at,
        " THEN RAISE 'not today'; END IF; END $$;"
        "CREATE EVENT TRIGGER refuse ON ddl_command_end EXECUTE FUNCTION public.refuse()"));
    SCOPED_TRACE(absl::StrCat("statement ", at));
    ExpectNothingDone(Run("dual-1", Install()), "not today");
    EXPECT_EQ(Sql("SELECT last_value FROM public.passed"), absl::StrCat(at));
    Sql("DROP EVENT TRIGGER refuse; DROP FUNCTION public.refuse()");
  }
  EXPECT_EQ(Run("dual-1", Install()).state, v1::ATTEMPT_STATE_SUCCEEDED);
}

TEST_F(InstallTriggerTest, ARoleWithoutTheRightFails) {
  const std::string role = NewRole("LOGIN");
  Sql(absl::StrCat("GRANT USAGE, CREATE ON SCHEMA curlew TO ", role,
                   "; GRANT ALL ON ALL TABLES IN SCHEMA curlew TO ", role, "; GRANT SELECT ON contacts TO ",
                   role));
  pg::PoolOptions options{.connect = takeover_.connect};
  options.connect.conninfo = AsUser(conninfo_, role);
  pg::Pool pool(options);
  RunContext context = Context("dual-1");
  context.pool = &pool;
  const Outcome outcome = RunStep(context, Install());
  EXPECT_EQ(outcome.state, v1::ATTEMPT_STATE_FAILED);
  EXPECT_EQ(outcome.error.sqlstate(), "42501");
  ExpectNothingDone(outcome, "permission denied");
  Sql(absl::StrCat("REVOKE ALL ON ALL TABLES IN SCHEMA curlew FROM ", role,
                   "; REVOKE ALL ON SCHEMA curlew FROM ", role, "; REVOKE ALL ON contacts FROM ", role));
}

TEST_F(InstallTriggerTest, ATriggerOfThatNameThatSomebodyElseMadeIsNotTakenForOurs) {
  Sql("CREATE FUNCTION theirs() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';"
      "CREATE TRIGGER curlew_two BEFORE INSERT ON contacts FOR EACH ROW EXECUTE FUNCTION theirs()");
  const Outcome outcome = Run("dual-1", Install());
  EXPECT_EQ(outcome.state, v1::ATTEMPT_STATE_FAILED);
  EXPECT_EQ(outcome.error.sqlstate(), "42710");
  EXPECT_EQ(Journaled("dual-1"), "");
  EXPECT_EQ(Left(), "1 triggers, 0 functions");
  EXPECT_EQ(Sql("SELECT tgfoid::regproc FROM pg_trigger WHERE tgname = 'curlew_two'"), "theirs");
}

// Whatever makes a statement succeed without its trigger is found by looking.
TEST_F(InstallTriggerTest, ATriggerThatIsGoneAtTheEndIsMissed) {
  Sql("CREATE FUNCTION public.remove() RETURNS event_trigger LANGUAGE plpgsql AS $$ BEGIN"
      " IF tg_tag = 'CREATE TRIGGER' THEN DROP TRIGGER IF EXISTS curlew_two ON public.contacts; END IF; END "
      "$$;"
      "CREATE EVENT TRIGGER remove ON ddl_command_end EXECUTE FUNCTION public.remove()");
  v1::Action action = Install();
  action.mutable_install_trigger()->mutable_statements()->RemoveLast();
  ExpectNothingDone(Run("dual-1", action), "curlew_two");
}

TEST_F(InstallTriggerTest, ATriggerThatIsDisabledAtTheEndIsMissed) {
  v1::Action action = Install();
  action.mutable_install_trigger()->add_statements("ALTER TABLE public.contacts DISABLE TRIGGER curlew_one");
  ExpectNothingDone(Run("dual-1", action), "curlew_one");
}

}  // namespace
}  // namespace curlew::agent
