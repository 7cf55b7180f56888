#include <gmock/gmock.h>

#include "tests/support/operation_harness.h"

namespace curlew::operations {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

class CreatePolicyTest : public ::curlew::testing::OperationTest {
 protected:
  static std::string Create(const std::string& rest) {
    return "  - create_policy: {table: '\"Peo ple\"', " + rest + "}\n";
  }
};

TEST_F(CreatePolicyTest, HasEverythingThatAPolicyCanHave) {
  ExpectLife(R"yaml(
  - create_policy:
      table: '"Peo ple"'
      name: it's "mine"
      command: update
      restrictive: true
      roles: [pg_monitor, pg_database_owner]
      using: tenant = current_setting('app.tenant')::int
      with_check: '"Ph one" <> '''''
)yaml",
             R"sql(CREATE POLICY "it's ""mine""" ON public."Peo ple" AS RESTRICTIVE FOR UPDATE)sql");
  // PostgreSQL prints the expressions in its own words.
  EXPECT_THAT(Unpromised(),
              ElementsAre(HasSubstr("AS RESTRICTIVE FOR UPDATE TO pg_database_owner, pg_monitor")));
  EXPECT_THAT(Unpromised(), ElementsAre(HasSubstr("\"columns\":[\"Ph one\",\"tenant\"]")));
}

TEST_F(CreatePolicyTest, StandsOnAColumnThatThePlanAdds) {
  ExpectLife(
      "  - add_column: {table: '\"Peo ple\"', column: region, type: text, up: \"'r' || tenant\", not_null: "
      "true}\n" +
          Create("name: mine, using: region = 'r1'"),
      "CREATE POLICY mine");
}

TEST_F(CreatePolicyTest, TakesTheNameOfAPolicyThatThePlanDropsBefore) {
  setup_ = "CREATE POLICY mine ON \"Peo ple\" USING (tenant = 1);";
  ExpectLife(
      "  - drop_policy: {table: '\"Peo ple\"', name: mine}\n" + Create("name: mine, using: tenant = 2"),
      "CREATE POLICY mine ON public.\"Peo ple\" USING ((tenant = 2))");
  EXPECT_EQ(compiled_.steps(compiled_.steps_size() - 1).stage(), 1);
}

TEST_F(CreatePolicyTest, RefusesWhatPostgreSQLWould) {
  setup_ = "CREATE POLICY mine ON \"Peo ple\" USING (tenant = 1);";
  EXPECT_THAT(Refusal(Create("name: mine, using: tenant = 2")), HasSubstr("already has a policy named mine"));
  EXPECT_THAT(Refusal(Create("name: p")), HasSubstr("give `using`"));
  EXPECT_THAT(Refusal(Create("name: p, command: insert, using: 'true'")), HasSubstr("give `with_check`"));
  EXPECT_THAT(Refusal(Create("name: p, command: delete, with_check: 'true'")), HasSubstr("give `using`"));
  EXPECT_THAT(Refusal(Create("name: p, using: nope = 1")), HasSubstr("nope"));
  EXPECT_THAT(Refusal(Create("name: p, using: 'true', roles: [public, pg_monitor]")), HasSubstr("everybody"));
}

TEST_F(CreatePolicyTest, LooksForTheRolesBeforeAnythingChanges) {
  EXPECT_THAT(RunError(Create("name: p, using: 'true', roles: [No body, pg_monitor]")),
              HasSubstr("there are the roles \"No body\", pg_monitor: 1"));
  EXPECT_EQ(RunError(Create("name: p, using: 'true', roles: [public]")), "");
  EXPECT_THAT(Unpromised(), IsEmpty());
}

}  // namespace
}  // namespace curlew::operations
