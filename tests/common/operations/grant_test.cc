#include <gmock/gmock.h>

#include "tests/support/operation_harness.h"

namespace curlew::operations {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;

class GrantTest : public ::curlew::testing::OperationTest {
 protected:
  static std::string Grant(const std::string& rest) {
    return "  - grant: {table: '\"Peo ple\"', " + rest + "}\n";
  }
};

TEST_F(GrantTest, GivesWhatIsMissingAndTakesThatBack) {
  setup_ = R"sql(
    GRANT SELECT, UPDATE ON "Peo ple" TO pg_monitor;
    GRANT DELETE ON "Peo ple" TO pg_monitor WITH GRANT OPTION;
    GRANT INSERT (age) ON "Peo ple" TO pg_monitor;
    GRANT INSERT (note) ON "Peo ple" TO pg_monitor WITH GRANT OPTION;)sql";
  ExpectLife(
      Grant("privileges: [select, insert, delete, truncate], roles: [pg_monitor], grant_option: true"),
      "GRANT SELECT,INSERT,DELETE,TRUNCATE ON TABLE public.\"Peo ple\" TO pg_monitor WITH GRANT OPTION");
  EXPECT_THAT(Unpromised(), IsEmpty());
}

TEST_F(GrantTest, GivesColumnsAwayThatThePlanAddsToo) {
  const std::string role = NewRole("NOLOGIN");
  ExpectLife(
      "  - add_column: {table: '\"Peo ple\"', column: n ew, type: text, up: note}\n" +
          Grant("privileges: [select, update], columns: [Ph one, n ew], roles: [public, " + role + "]"),
      "GRANT SELECT(\"n ew\"),UPDATE(\"n ew\") ON TABLE public.\"Peo ple\" TO " + role);
  EXPECT_THAT(Unpromised(), IsEmpty());
}

TEST_F(GrantTest, TakesBackWhatTheRoleGaveOnMeanwhile) {
  setup_ = "";
  const std::string plan = Grant("privileges: [select], roles: [pg_monitor], grant_option: true");
  ASSERT_EQ(RunError(plan), "");
  Query(conninfo_, "SET ROLE pg_monitor; GRANT SELECT ON \"Peo ple\" TO pg_read_all_settings");
  EXPECT_EQ(Undo(), "");
  EXPECT_EQ(Query(conninfo_, "SELECT has_table_privilege('pg_read_all_settings', '\"Peo ple\"', 'select')"),
            "f");
}

TEST_F(GrantTest, LeavesTheOwnerAlone) {
  ExpectLife(Grant("privileges: [select], roles: [postgres, public]"),
             "GRANT SELECT ON TABLE public.\"Peo ple\" TO PUBLIC");
  EXPECT_THAT(Unpromised(), IsEmpty());
  EXPECT_THAT(compiled_.warnings(0), HasSubstr("postgres owns"));
  EXPECT_EQ(Query(conninfo_, "SELECT has_table_privilege('postgres', '\"Peo ple\"', 'select')"), "t");
}

TEST_F(GrantTest, ComesAfterWhatThePlanRevokesBefore) {
  setup_ = "GRANT SELECT ON \"Peo ple\" TO pg_monitor;";
  ExpectLife("  - revoke: {table: '\"Peo ple\"', privileges: [select], roles: [pg_monitor]}\n" +
                 Grant("privileges: [select], columns: [id], roles: [pg_monitor]") +
                 Grant("privileges: [select], roles: [pg_monitor]"),
             "GRANT SELECT ON TABLE public.\"Peo ple\" TO pg_monitor");
  EXPECT_EQ(compiled_.steps(compiled_.steps_size() - 1).stage(), 1);
  EXPECT_THAT(Unpromised(), IsEmpty());
}

TEST_F(GrantTest, RefusesWhatIsNoPrivilege) {
  EXPECT_THAT(Refusal(Grant("privileges: [all], roles: [pg_monitor]")),
              HasSubstr("\"all\" is no privilege of a table"));
  EXPECT_THAT(Refusal(Grant("privileges: [delete], columns: [age], roles: [pg_monitor]")),
              HasSubstr("no privilege of a column"));
  EXPECT_THAT(Refusal(Grant("privileges: [select], columns: [nope], roles: [pg_monitor]")),
              HasSubstr("nope"));
  EXPECT_THAT(Refusal(Grant("privileges: [select], roles: [public], grant_option: true")),
              HasSubstr("name the roles"));
  EXPECT_THAT(RunError(Grant("privileges: [select], roles: [nobody_at_all]")),
              HasSubstr("roles nobody_at_all"));
}

}  // namespace
}  // namespace curlew::operations
