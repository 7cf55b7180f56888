#include <gmock/gmock.h>

#include "tests/support/operation_harness.h"

namespace curlew::operations {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

class RevokeTest : public ::curlew::testing::OperationTest {
 protected:
  static std::string Revoke(const std::string& rest) {
    return "  - revoke: {table: '\"Peo ple\"', " + rest + "}\n";
  }
};

TEST_F(RevokeTest, TakesTheColumnsToo) {
  setup_ = R"sql(
    GRANT SELECT, UPDATE, DELETE ON "Peo ple" TO pg_monitor, PUBLIC;
    GRANT SELECT (age), INSERT (age) ON "Peo ple" TO pg_monitor;)sql";
  ExpectLife(Revoke("privileges: [select, update], roles: [pg_monitor, public]"),
             "GRANT DELETE ON TABLE public.\"Peo ple\" TO pg_monitor");
  EXPECT_THAT(Unpromised(), IsEmpty());
  EXPECT_THAT(PgDump(conninfo_), Not(HasSubstr("GRANT SELECT")));
  EXPECT_FALSE(compiled_.steps(compiled_.steps_size() - 1).has_undo());
}

TEST_F(RevokeTest, TakesSomeColumns) {
  setup_ = "GRANT SELECT (age, \"Ph one\"), UPDATE (age) ON \"Peo ple\" TO pg_monitor;";
  ExpectLife(Revoke("privileges: [select, update], columns: [age], roles: [pg_monitor]"),
             "GRANT SELECT(\"Ph one\") ON TABLE public.\"Peo ple\" TO pg_monitor");
  EXPECT_THAT(Unpromised(), IsEmpty());
}

TEST_F(RevokeTest, TellsWhenItHasNoEffect) {
  setup_ = "GRANT SELECT ON \"Peo ple\" TO pg_monitor, PUBLIC;";
  ExpectLife(Revoke("privileges: [select], roles: [pg_monitor]"), "TO PUBLIC");
  EXPECT_THAT(compiled_.warnings(0), HasSubstr("PUBLIC has it"));
  ExpectLife(Revoke("privileges: [delete], roles: [pg_monitor]"), "");
  EXPECT_THAT(compiled_.warnings(0), HasSubstr("does nothing"));
}

TEST_F(RevokeTest, RefusesWhatWouldChangeNothing) {
  setup_ = "GRANT SELECT ON \"Peo ple\" TO pg_monitor;";
  EXPECT_THAT(Refusal(Revoke("privileges: [select], columns: [age], roles: [pg_monitor]")),
              HasSubstr("pg_monitor has SELECT on the whole table"));
  EXPECT_THAT(Refusal(Revoke("privileges: [select], roles: [postgres]")), HasSubstr("postgres owns table"));
  EXPECT_THAT(Refusal(Revoke("privileges: [select], columns: [nope], roles: [pg_monitor]")),
              HasSubstr("nope"));
}

TEST_F(RevokeTest, LooksForPrivilegesThatWereGivenOn) {
  setup_ = R"sql(
    GRANT SELECT ON "Peo ple" TO pg_monitor WITH GRANT OPTION;
    SET ROLE pg_monitor; GRANT SELECT ON "Peo ple" TO pg_read_all_settings; RESET ROLE;)sql";
  EXPECT_THAT(RunError(Revoke("privileges: [select], roles: [pg_monitor]")), HasSubstr("by another role: 1"));
  EXPECT_THAT(RunError(Revoke("privileges: [select], roles: [pg_read_all_settings]")),
              HasSubstr("by another role: 1"));
}

}  // namespace
}  // namespace curlew::operations
