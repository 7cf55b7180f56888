#include "agent/bootstrap/bootstrap_sql.h"

#include <gmock/gmock.h>

#include <sstream>
#include <vector>

#include "absl/strings/str_cat.h"
#include "agent/bootstrap/command.h"
#include "agent/guard/cancel_token.h"
#include "agent/journal/migrator.h"
#include "agent/journal/takeover.h"
#include "common/sql/identifier.h"
#include "tests/support/agent_role.h"
#include "tests/support/pg_test.h"
#include "tests/support/status_matchers.h"

namespace curlew::agent {
namespace {

using ::curlew::testing::AgentRole;
using ::curlew::testing::PgTest;
using ::curlew::testing::StatusIs;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

constexpr char kTable[] = "CREATE TABLE public.contacts (id bigint PRIMARY KEY, phone text)";

class BootstrapSqlTest : public PgTest {
 protected:
  void TearDown() override {
    PgTest::TearDown();
    roles_.reset();
  }

  // What running the SQL of `options` says; "" where all is well.
  std::string Refusal(const std::string& conninfo, const BootstrapOptions& options) {
    auto sql = BootstrapSql(options);
    if (!sql.ok()) return std::string(sql.status().message());
    auto connection = Connect(conninfo);
    return std::string(connection->Execute(*sql).status().message());
  }

  std::unique_ptr<AgentRole> roles_ = std::make_unique<AgentRole>();
};

TEST_F(BootstrapSqlTest, MakesRolesWithTheseRightsAndNoOthers) {
  roles_->options().role += " \"it's\" $curlew$\n%I";
  roles_->options().check_role += "'; DROP TABLE contacts --";
  const std::string conninfo = NewDatabase(absl::StrCat(kTable, "; CREATE SCHEMA \"A pp\""));
  roles_->options().schemas.push_back("A pp");
  for (int i = 0; i < 2; ++i) ASSERT_OK(roles_->SetUp(conninfo)) << "run " << i;

  const std::string role = sql::Literal(roles_->role()), check = sql::Literal(roles_->check_role());
  const auto ask = [&](const std::string& query) { return Query(conninfo, query); };
  EXPECT_EQ(ask(absl::StrCat("SELECT concat(rolsuper, rolinherit, rolcreaterole, rolcreatedb, rolcanlogin,"
                             " rolreplication, rolbypassrls) FROM pg_roles WHERE rolname = ",
                             role)),
            "ftfftff");
  EXPECT_EQ(ask(absl::StrCat("SELECT concat(rolsuper, rolinherit, rolcreaterole, rolcreatedb, rolcanlogin,"
                             " rolreplication, rolbypassrls) FROM pg_roles WHERE rolname = ",
                             check)),
            "fffffff");
  const std::string members =
      "SELECT string_agg(g.rolname, ' ' ORDER BY g.rolname) FROM pg_auth_members m JOIN pg_roles g ON g.oid ="
      " m.roleid JOIN pg_roles r ON r.oid = m.member WHERE NOT m.admin_option AND r.rolname = ";
  EXPECT_EQ(ask(members + role), absl::StrCat(roles_->check_role(), " ", roles_->owner(), " pg_monitor"));
  EXPECT_EQ(ask(members + check), "");
  EXPECT_EQ(ask(absl::StrCat("SELECT concat(has_database_privilege(", role,
                             ", current_database(), 'CREATE'),"
                             " has_parameter_privilege(",
                             role,
                             ", 'deadlock_timeout', 'SET'),"
                             " has_parameter_privilege(",
                             role,
                             ", 'session_replication_role', 'SET'),"
                             " has_function_privilege(",
                             role, ", 'pg_create_restore_point(text)', 'EXECUTE'))")),
            "ftff");
  EXPECT_EQ(ask("SELECT nspowner::regrole::text FROM pg_namespace WHERE nspname = 'curlew'"),
            sql::Ident(roles_->role()));
  EXPECT_EQ(ask(absl::StrCat("SELECT concat(has_schema_privilege('", roles_->owner(),
                             "', 'A pp', 'CREATE'),"
                             " has_schema_privilege(",
                             check,
                             ", 'A pp', 'USAGE'),"
                             " has_schema_privilege(",
                             check,
                             ", 'A pp', 'CREATE'),"
                             " has_table_privilege(",
                             check, ", 'contacts', 'SELECT'))")),
            "ttff");
  // Of its own it may do nothing with the tables: all comes from their owner.
  EXPECT_EQ(
      ask(absl::StrCat("SELECT count(*) FROM pg_class, aclexplode(relacl) AS a WHERE a.grantee = (SELECT oid"
                       " FROM pg_roles WHERE rolname = ",
                       role, ")")),
      "0");
}

TEST_F(BootstrapSqlTest, ExtrasAreGrantedWhereTheyAreAskedFor) {
  const std::string conninfo = NewDatabase(kTable);
  roles_->options().bypass_row_security = true;
  for (const char* name : {"extensions", "restore-points", "skip-user-triggers", "end-sessions"}) {
    ASSERT_OK_AND_ASSIGN(const ExtraGrant extra, ParseExtraGrant(name));
    roles_->options().extras.insert(extra);
  }
  ASSERT_OK(roles_->SetUp(conninfo));
  const std::string role = sql::Literal(roles_->role());
  EXPECT_EQ(
      Query(conninfo, absl::StrCat("SELECT concat(has_database_privilege(", role,
                                   ", current_database(), 'CREATE'), has_parameter_privilege(", role,
                                   ", 'session_replication_role', 'SET'), has_function_privilege(", role,
                                   ", 'pg_create_restore_point(text)', 'EXECUTE'), pg_has_role(", role,
                                   ", 'pg_signal_backend', 'USAGE'), rolbypassrls) FROM pg_roles WHERE "
                                   "rolname = ",
                                   role)),
      "ttttt");
  EXPECT_THAT(ParseExtraGrant("superuser"),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("extensions, restore-points")));
}

TEST_F(BootstrapSqlTest, RefusesToHandOutMoreThanItShould) {
  const std::string conninfo = NewDatabase(kTable);
  BootstrapOptions options = roles_->options();
  options.owners = {"postgres"};
  EXPECT_THAT(Refusal(conninfo, options), HasSubstr("role postgres is a superuser"));
  options.owners = {"nobody_here"};
  EXPECT_THAT(Refusal(conninfo, options),
              HasSubstr("role nobody_here, which is to own the tables, does not exist"));
  options = roles_->options();
  options.role = "postgres";
  EXPECT_THAT(Refusal(conninfo, options), HasSubstr("role postgres exists, and is a superuser"));
  options = roles_->options();
  options.database = "another";
  EXPECT_THAT(Refusal(conninfo, options), HasSubstr("this was written for database another"));
  options = roles_->options();
  options.schemas = {"100%"};
  EXPECT_THAT(Refusal(conninfo, options), HasSubstr("schema 100% does not exist"));
  // Nothing was made.
  EXPECT_EQ(Query(conninfo, absl::StrCat("SELECT to_regrole('", roles_->role(),
                                         "') IS NULL AND"
                                         " to_regnamespace('curlew') IS NULL")),
            "t");

  options = roles_->options();
  options.owners = {options.role};
  EXPECT_THAT(Refusal(conninfo, options), HasSubstr("another one than that of the tables' owner"));
  options.owners = {options.check_role};
  EXPECT_THAT(Refusal(conninfo, options), HasSubstr("fewer rights than the agent"));
  options.owners = {"pg_monitor"};
  EXPECT_THAT(Refusal(conninfo, options), HasSubstr("keeps the name pg_monitor for itself"));
  options = roles_->options();
  options.schemas = {"curlew"};
  EXPECT_THAT(Refusal(conninfo, options), HasSubstr("name a schema of the application's tables"));
  options.schemas = {std::string(64, 'a')};
  EXPECT_THAT(Refusal(conninfo, options), HasSubstr("1 to 63 bytes"));
}

TEST_F(BootstrapSqlTest, ARoleThatMayMakeNoSchemaTakesOver) {
  const std::string conninfo = NewDatabase(kTable);
  ASSERT_OK(roles_->SetUp(conninfo));
  const CancelToken cancel;
  ASSERT_OK(TakeOver({.connect = {.conninfo = AsUser(conninfo, roles_->role())},
                      .target = "crm",
                      .agent_id = "a",
                      .instance_id = "i"},
                     cancel));
}

TEST_F(BootstrapSqlTest, WhatASuperusersAgentLeftComesWithTheSchema) {
  const std::string conninfo = NewDatabase(kTable);
  const TakeoverOptions takeover{
      .connect = {.conninfo = conninfo}, .target = "crm", .agent_id = "a", .instance_id = "i"};
  const CancelToken cancel;
  ASSERT_OK_AND_ASSIGN(const Tenure before, TakeOver(takeover, cancel));
  Query(conninfo,
        "CREATE FUNCTION curlew.dual_write() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';"
        "CREATE SEQUENCE curlew.numbers");
  ASSERT_OK(roles_->SetUp(conninfo));
  TakeoverOptions lesser = takeover;
  lesser.connect.conninfo = AsUser(conninfo, roles_->role());
  lesser.instance_id = "j";
  ASSERT_OK_AND_ASSIGN(const Tenure after, TakeOver(lesser, cancel));
  EXPECT_EQ(after.epoch, before.epoch + 1);
  auto connection = Connect(lesser.connect.conninfo);
  EXPECT_OK(connection->Execute("DROP FUNCTION curlew.dual_write(); DROP SEQUENCE curlew.numbers").status());
  EXPECT_OK(RemoveJournal(connection.get()));
}

std::pair<int, std::string> Command(std::vector<const char*> words) {
  words.insert(words.begin(), {"curlew-agent", "bootstrap-sql"});
  std::ostringstream out, error;
  EXPECT_TRUE(IsBootstrapSql(static_cast<int>(words.size()), words.data()));
  const int code = RunBootstrapSql(static_cast<int>(words.size()), words.data(), out, error);
  return {code, out.str() + error.str()};
}

TEST(BootstrapCommandTest, PrintsTheSqlOrSaysWhatIsWrong) {
  const auto [code, sql] = Command({"--role", "Mover", "--owner", "app_owner", "--owner", "Billing",
                                    "--schema", "public", "--also", "restore-points"});
  EXPECT_EQ(code, 0);
  EXPECT_THAT(
      sql,
      AllOf(HasSubstr("GRANT app_owner TO \"Mover\";"), HasSubstr("GRANT \"Billing\" TO \"Mover\";"),
            HasSubstr("GRANT USAGE, CREATE ON SCHEMA public TO app_owner, \"Billing\";"),
            HasSubstr("pg_create_restore_point"), Not(HasSubstr("BYPASSRLS")), Not(HasSubstr("PASSWORD"))));
  EXPECT_EQ(Command({"--also", "everything"}).first, 2);
  EXPECT_THAT(Command({"--owner", "curlew"}).second, HasSubstr("--owner curlew"));
  EXPECT_EQ(Command({"--pasword", "x"}).first, 2);
  EXPECT_EQ(Command({"--help"}).first, 0);
}

}  // namespace
}  // namespace curlew::agent
