#include "agent/preflight/preflight.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "common/base/proto_time.h"
#include "tests/support/pg_test.h"
#include "tests/support/status_matchers.h"

namespace curlew::agent {
namespace {

using ::curlew::testing::Cluster;
using ::curlew::testing::StatusIs;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::SizeIs;

using Findings = std::vector<v1::PreflightFinding>;

class PreflightTest : public ::curlew::testing::PgTest {
 protected:
  void SetUp() override {
    conninfo_ = NewDatabase(
        "CREATE TABLE contacts (id int PRIMARY KEY, phone text);"
        "INSERT INTO contacts SELECT g, g::text FROM generate_series(1, 3000) g; ANALYZE contacts;");
    as_ = conninfo_;
  }
  // Findings of one kind.
  Findings Look(const std::string& code) {
    Findings findings;
    const auto connection = Connect(as_);
    const auto preflight = LookAtTarget(connection.get(), plan_, options_, cancel_);
    EXPECT_TRUE(preflight.ok()) << preflight.status();
    if (!preflight.ok()) return findings;
    last_ = *preflight;
    EXPECT_FALSE(connection->in_transaction());
    for (const v1::PreflightFinding& finding : preflight->findings()) {
      EXPECT_NE(finding.message(), "");
      EXPECT_NE(finding.hint(), "");
      if (finding.code() == code) findings.push_back(finding);
    }
    return findings;
  }
  v1::Step& Add(const std::string& key) {
    v1::Step& step = *plan_.add_steps();
    step.set_key(key);
    return step;
  }
  void AddDdl(const std::string& table) {
    v1::Step& step = Add("add-1");
    step.mutable_action()->mutable_execute_sql()->add_statements(
        absl::StrCat("ALTER TABLE ", table, " ADD c int"));
    step.add_locks()->set_table(table);
    step.mutable_locks(0)->set_mode("AccessExclusiveLock");
  }
  v1::Backfill& AddWalk(const std::string& table) {
    v1::Backfill& fill = *Add("backfill-1").mutable_action()->mutable_backfill();
    fill.set_table(table);
    fill.set_pending("t.phone IS NULL");
    return fill;
  }
  v1::InstallTrigger& AddTrigger() {
    v1::InstallTrigger& install = *Add("dual-write-1").mutable_action()->mutable_install_trigger();
    install.set_table("public.contacts");
    install.set_function("curlew.dual_write_1");
    install.add_triggers("~curlew_insert_1");
    return install;
  }

  std::string conninfo_, as_;
  v1::CompiledPlan plan_;
  PreflightOptions options_{.target = "crm"};
  v1::Preflight last_;
  CancelToken cancel_;
};

TEST_F(PreflightTest, FindsNothingToStopForWhereAllIsWell) {
  AddDdl("public.contacts");
  Look("");
  for (const v1::PreflightFinding& finding : last_.findings())
    EXPECT_EQ(finding.severity(), v1::PREFLIGHT_SEVERITY_INFO) << finding.DebugString();
  EXPECT_TRUE(last_.has_time());
  EXPECT_FALSE(last_.has_estimate());
}

TEST_F(PreflightTest, TellsOfRightsThatTheRoleLacksAndItsHintsAreRight) {
  const std::string role = NewRole("LOGIN"), owner = NewRole("NOLOGIN");
  as_ = AsUser(conninfo_, role);
  AddDdl("public.contacts");
  v1::Step& create = Add("add-2");
  create.mutable_action()->mutable_execute_sql()->add_statements(
      "CREATE TABLE \"Odd one\".\"t (1)\" (id int)");
  Query(conninfo_,
        absl::StrCat("CREATE SCHEMA \"Odd one\"; CREATE TABLE other (id int); ALTER TABLE contacts OWNER TO ",
                     owner));
  AddWalk("public.other");
  plan_.mutable_settings()->mutable_backfill()->set_skip_user_triggers(true);
  const Findings lacking = Look("privileges");
  std::string all;
  for (const v1::PreflightFinding& finding : lacking) {
    absl::StrAppend(&all, v1::PreflightSeverity_Name(finding.severity()), " ", finding.message(), "\n");
    // All of them are statements that a superuser may run as they stand, or begin with one.
    std::string hint = finding.hint();
    if (hint.rfind("PostgreSQL 15: ", 0) == 0) hint = hint.substr(15);
    Query(conninfo_, hint.substr(0, hint.find_first_of("(;")));
  }
  EXPECT_THAT(all,
              AllOf(HasSubstr("WARNING the agent's role " + role + " is no member of pg_monitor"),
                    HasSubstr("ERROR the agent's role " + role + " does not own public.contacts"),
                    HasSubstr("ERROR the agent's role " + role + " lacks SELECT, UPDATE on public.other"),
                    HasSubstr("may not make anything in schema \"Odd one\""),
                    HasSubstr("INFO the agent's role " + role + " may not set deadlock_timeout"),
                    HasSubstr("ERROR the agent's role " + role + " may not set session_replication_role")));
  // The worst come first.
  EXPECT_EQ(last_.findings(0).severity(), v1::PREFLIGHT_SEVERITY_ERROR);
  // Now it acts for the owner, whom the new table should belong to.
  const Findings then = Look("privileges");
  ASSERT_THAT(then, SizeIs(1));
  EXPECT_THAT(then[0].message(),
              HasSubstr("what steps make in schema \"Odd one\" may come to belong to the agent"));
  Query(conninfo_, then[0].hint());
  const Findings left = Look("privileges");
  EXPECT_THAT(left, IsEmpty()) << left[0].DebugString();
  Query(conninfo_, absl::StrCat("REVOKE SET ON PARAMETER deadlock_timeout, session_replication_role FROM ",
                                role, "; DROP OWNED BY ", role, ", ", owner));
}

TEST_F(PreflightTest, ASuperusersRightsAreNotHandedOn) {
  as_ = AsUser(conninfo_, NewRole("LOGIN"));
  AddDdl("public.contacts");
  for (const v1::PreflightFinding& finding : Look("privileges")) {
    EXPECT_THAT(finding.hint(), Not(HasSubstr("GRANT postgres")));
    if (finding.message().find("does not own") == std::string::npos) continue;
    EXPECT_THAT(finding.hint(),
                HasSubstr("its owner postgres is a superuser: ALTER TABLE public.contacts OWNER TO"));
  }
}

TEST_F(PreflightTest, TellsOfPoliciesThatHideRowsFromTheRole) {
  const std::string role = NewRole("LOGIN"), owner = NewRole("NOLOGIN");
  Query(conninfo_, absl::StrCat("ALTER TABLE contacts OWNER TO ", owner, "; GRANT ", owner, " TO ", role,
                                "; ALTER TABLE contacts ENABLE ROW LEVEL SECURITY"));
  as_ = AsUser(conninfo_, role);
  AddWalk("public.contacts");
  const auto hidden = [&] {
    std::string all;
    for (const v1::PreflightFinding& finding : Look("privileges")) {
      if (finding.severity() == v1::PREFLIGHT_SEVERITY_ERROR) absl::StrAppend(&all, finding.message(), "\n");
    }
    return all.find("policies of public.contacts hide rows") != std::string::npos;
  };
  EXPECT_FALSE(hidden()) << "an owner is not subject to them";
  Query(conninfo_, "ALTER TABLE contacts FORCE ROW LEVEL SECURITY");
  EXPECT_TRUE(hidden());
  Query(conninfo_, absl::StrCat("ALTER ROLE ", role, " BYPASSRLS"));
  EXPECT_FALSE(hidden());
}

TEST_F(PreflightTest, TellsOfSchemasThatTheRoleMayNotLookInto) {
  const std::string role = NewRole("LOGIN");
  Query(conninfo_, "CREATE SCHEMA hidden; CREATE TABLE hidden.t (id int)");
  as_ = AsUser(conninfo_, role);
  AddDdl("hidden.t");
  std::string all;
  for (const v1::PreflightFinding& finding : Look("privileges"))
    absl::StrAppend(&all, v1::PreflightSeverity_Name(finding.severity()), " ", finding.message(), "\n");
  EXPECT_THAT(all, HasSubstr("ERROR the agent's role " + role + " may not look into schema hidden"));
}

TEST_F(PreflightTest, TellsWhereTheDiskHasNoRoom) {
  AddWalk("public.contacts");
  Findings found = Look("disk");
  ASSERT_THAT(found, SizeIs(1));
  EXPECT_EQ(found[0].severity(), v1::PREFLIGHT_SEVERITY_INFO);
  EXPECT_THAT(found[0].message(), HasSubstr("does not see how much room"));
  options_.backups.data_directory = "/tmp";
  EXPECT_THAT(Look("disk"), IsEmpty());
  // A file system without any room.
  options_.backups.data_directory = "/proc";
  found = Look("disk");
  ASSERT_THAT(found, SizeIs(1));
  EXPECT_EQ(found[0].severity(), v1::PREFLIGHT_SEVERITY_ERROR);
  EXPECT_THAT(found[0].message(), HasSubstr("/proc has 0.0 B free"));
  // One look that fails does not end the others.
  options_.backups.data_directory = "/no/such";
  found = Look("disk");
  ASSERT_THAT(found, SizeIs(1));
  EXPECT_EQ(found[0].severity(), v1::PREFLIGHT_SEVERITY_WARNING);
  EXPECT_THAT(found[0].message(), HasSubstr("could not be looked at: data_directory /no/such"));
}

TEST_F(PreflightTest, TellsOfTransactionsThatAreOpenForLong) {
  options_.limits.transaction = absl::Milliseconds(1);
  EXPECT_THAT(Look("long-transactions"), IsEmpty());
  const auto report = Connect(conninfo_ + " application_name=nightly");
  // The name of a session that libpq is told is ours alone: set it here.
  ASSERT_OK(
      report->Execute("SET application_name = 'nightly'; BEGIN; SELECT count(*) FROM contacts").status());
  const auto own = Connect(conninfo_);
  ASSERT_OK(own->Execute("SET application_name = 'curlew crm x 1'; BEGIN; SELECT 1").status());
  Query(conninfo_, "BEGIN; INSERT INTO contacts VALUES (-1, 'x'); PREPARE TRANSACTION 'left it''s'");
  const Findings found = Look("long-transactions");
  ASSERT_THAT(found, SizeIs(2));
  std::string all;
  for (const v1::PreflightFinding& finding : found) {
    EXPECT_EQ(finding.severity(), v1::PREFLIGHT_SEVERITY_WARNING);
    absl::StrAppend(&all, finding.message(), "; ", finding.hint(), "\n");
  }
  EXPECT_THAT(all, AllOf(HasSubstr(absl::StrCat("pid ", report->backend_pid(),
                                                ", user postgres, application \"nightly\", "
                                                "idle in transaction")),
                         HasSubstr(absl::StrCat("pg_terminate_backend(", report->backend_pid(), ")")),
                         HasSubstr("the prepared transaction 'left it's' of user postgres"),
                         Not(HasSubstr("built concurrently"))));
  options_.limits.old_transaction = absl::Milliseconds(1);
  EXPECT_THAT(Look("long-transactions")[0].message(),
              HasSubstr("indexes that are built concurrently wait for its end"));
  options_.limits.transaction = absl::Hours(1);
  EXPECT_THAT(Look("long-transactions"), IsEmpty());
  Query(conninfo_, "ROLLBACK PREPARED 'left it''s'");
}

TEST_F(PreflightTest, TellsOfSlotsThatNobodyReads) {
  const std::string slot = absl::StrCat("preflight_", getpid());
  Query(conninfo_, absl::StrCat("SELECT pg_create_physical_replication_slot('", slot, "', true)"));
  std::string all;
  for (const v1::PreflightFinding& finding : Look("replication-slots"))
    absl::StrAppend(&all, finding.message(), "; ", finding.hint(), "\n");
  Query(conninfo_, absl::StrCat("SELECT pg_drop_replication_slot('", slot, "')"));
  EXPECT_THAT(all, HasSubstr(absl::StrCat("replication slot ", slot, " is not in use: it keeps ")));
  EXPECT_THAT(all, HasSubstr(absl::StrCat("pg_drop_replication_slot('", slot, "')")));
}

TEST_F(PreflightTest, TellsOfTablesThatWillBeFrozenSoon) {
  AddDdl("public.contacts");
  options_.limits.freeze_part = 0;
  Findings found = Look("wraparound");
  ASSERT_FALSE(found.empty());
  EXPECT_EQ(found[0].table(), "public.contacts");
  EXPECT_THAT(found[0].message(), HasSubstr("and at 200000000 an autovacuum comes"));
  // For real: its own limit is the least that the server takes.
  options_.limits.freeze_part = 0.9;
  EXPECT_THAT(Look("wraparound"), IsEmpty());
  Query(conninfo_, "ALTER TABLE contacts SET (autovacuum_freeze_max_age = 100000)");
  Query(conninfo_, "DO $$BEGIN FOR i IN 1..91000 LOOP PERFORM pg_current_xact_id(); COMMIT; END LOOP; END$$");
  found = Look("wraparound");
  ASSERT_THAT(found, SizeIs(1));
  EXPECT_EQ(found[0].severity(), v1::PREFLIGHT_SEVERITY_WARNING);
  EXPECT_THAT(found[0].message(), HasSubstr("and at 100000 an autovacuum comes"));
  EXPECT_THAT(found[0].hint(), HasSubstr("VACUUM (FREEZE) public.contacts"));
}

TEST_F(PreflightTest, TellsOfAnAutovacuumAtWork) {
  Query(conninfo_, "ALTER SYSTEM SET autovacuum_naptime = '1s'");
  Query(conninfo_, "SELECT pg_reload_conf()");
  Query(conninfo_,
        "CREATE TABLE big (id int, filler text) WITH (autovacuum_vacuum_cost_delay = 100,"
        " autovacuum_vacuum_cost_limit = 1, autovacuum_vacuum_threshold = 1, autovacuum_vacuum_scale_factor "
        "= 0)");
  Query(conninfo_, "INSERT INTO big SELECT g, repeat('x', 500) FROM generate_series(1, 20000) g");
  Query(conninfo_, "DELETE FROM big WHERE id % 2 = 0");
  AddDdl("public.big");
  Findings found;
  const absl::Time deadline = absl::Now() + absl::Minutes(1);
  while (found.empty() && absl::Now() < deadline) {
    EXPECT_OK(CancelToken().Pause(absl::Milliseconds(50)));
    found = Look("autovacuum");
  }
  Query(conninfo_, "ALTER SYSTEM RESET autovacuum_naptime");
  Query(conninfo_, "SELECT pg_reload_conf()");
  ASSERT_THAT(found, SizeIs(1)) << "no autovacuum came";
  EXPECT_EQ(found[0].table(), "public.big");
  EXPECT_EQ(found[0].severity(), v1::PREFLIGHT_SEVERITY_INFO);
  EXPECT_THAT(found[0].message(), HasSubstr("autovacuum is at work on public.big (pid "));
}

TEST_F(PreflightTest, TellsOfNamesThatAreTaken) {
  AddTrigger();
  EXPECT_THAT(Look("names"), IsEmpty());
  Query(conninfo_,
        "CREATE SCHEMA curlew; CREATE FUNCTION curlew.dual_write_1() RETURNS trigger LANGUAGE plpgsql AS"
        " 'BEGIN RETURN NEW; END'");
  Findings found = Look("names");
  ASSERT_THAT(found, SizeIs(1));
  EXPECT_EQ(found[0].severity(), v1::PREFLIGHT_SEVERITY_WARNING);
  EXPECT_THAT(found[0].message(),
              HasSubstr("function curlew.dual_write_1(), which step dual-write-1 makes, is there "
                        "already; no trigger calls it"));
  Query(conninfo_,
        "CREATE TABLE x (a int); CREATE TRIGGER t BEFORE INSERT ON x FOR EACH ROW EXECUTE FUNCTION "
        "curlew.dual_write_1()");
  found = Look("names");
  ASSERT_THAT(found, SizeIs(1));
  EXPECT_EQ(found[0].severity(), v1::PREFLIGHT_SEVERITY_ERROR);
  EXPECT_THAT(found[0].message(), HasSubstr("triggers call it: t on public.x"));
  Query(conninfo_,
        "DROP SCHEMA curlew CASCADE; CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN "
        "NEW; END';"
        "CREATE TRIGGER \"~curlew_insert_1\" BEFORE INSERT ON contacts FOR EACH ROW EXECUTE FUNCTION f()");
  found = Look("names");
  ASSERT_THAT(found, SizeIs(1));
  EXPECT_THAT(found[0].message(), HasSubstr("trigger \"~curlew_insert_1\" on public.contacts"));
}

TEST_F(PreflightTest, TellsWhatHangsOnTheTables) {
  AddDdl("public.contacts");
  EXPECT_THAT(Look("dependents"), IsEmpty());
  Query(conninfo_,
        "CREATE VIEW people AS SELECT * FROM contacts; CREATE MATERIALIZED VIEW counted AS SELECT "
        "count(phone) FROM contacts;"
        "CREATE TABLE orders (contact int CONSTRAINT who REFERENCES contacts); CREATE PUBLICATION news FOR "
        "TABLE contacts;"
        "CREATE TABLE child () INHERITS (contacts)");
  const Findings found = Look("dependents");
  ASSERT_THAT(found, SizeIs(1));
  EXPECT_EQ(found[0].severity(), v1::PREFLIGHT_SEVERITY_INFO);
  EXPECT_EQ(found[0].table(), "public.contacts");
  EXPECT_THAT(found[0].message(),
              HasSubstr("on public.contacts hang: views public.counted, public.people; foreign keys who of "
                        "public.orders; publications news; 1 table that inherits"));
}

TEST_F(PreflightTest, TellsWhatBackupsLack) {
  std::string folder = "/tmp/curlew-preflight-XXXXXX";
  ASSERT_NE(mkdtemp(folder.data()), nullptr);
  Add("backup-1").mutable_action()->mutable_backup()->mutable_dump()->add_tables("public.contacts");
  *Add("backup-2").mutable_action()->mutable_backup()->mutable_archive()->mutable_within() =
      base::ToProto(absl::Minutes(5));
  Add("backup-3").mutable_action()->mutable_backup()->mutable_command()->set_name("snapshot");
  Add("backup-4").mutable_action()->mutable_backup()->mutable_restore_point();
  const std::string role = NewRole("LOGIN");
  as_ = AsUser(conninfo_, role);
  const auto words = [&] {
    std::string all;
    for (const v1::PreflightFinding& finding : Look("backup"))
      absl::StrAppend(&all, v1::PreflightSeverity_Name(finding.severity()), " ", finding.message(), "\n");
    return all;
  };
  EXPECT_THAT(words(),
              AllOf(HasSubstr("ERROR backup step backup-1: the agent has no folder for dumps"),
                    HasSubstr("ERROR backup step backup-2: archive_mode is off"),
                    HasSubstr("ERROR backup step backup-3: the agent's configuration has no command"),
                    HasSubstr("ERROR backup step backup-4: the agent's role " + role),
                    HasSubstr("WARNING backup step backup-4: archive_mode is off")));
  std::ofstream(folder + "/file") << "x";
  options_.backups.directory = folder + "/file";
  options_.backups.pg_dump = "/bin/true";
  EXPECT_THAT(words(), AllOf(HasSubstr("Not a directory"), HasSubstr("/bin/true does not tell its version")));
  options_.backups.directory = folder + "/dumps";
  options_.backups.pg_dump = Cluster::Get().Program("pg_dump");
  options_.backups.commands["snapshot"] = {.argv = {"/bin/true"}};
  as_ = conninfo_;
  EXPECT_THAT(words(), AllOf(Not(HasSubstr("backup-1")), Not(HasSubstr("backup-3")),
                             Not(HasSubstr("ERROR backup step backup-4"))));
  std::filesystem::remove_all(folder);
}

TEST_F(PreflightTest, TellsOfQueriesThatReadALargeTableAsAWhole) {
  v1::Step& verify = Add("constrain-1");
  v1::Expectation& expectation = *verify.mutable_action()->mutable_verify()->add_expectations();
  expectation.set_name("no-empty-phone");
  expectation.set_query("SELECT count(*)::text FROM public.contacts WHERE phone = ''");
  v1::Measurement& measured = *Add("add-1").mutable_action()->mutable_measure()->add_measurements();
  measured.set_name("by-key");
  measured.set_query("SELECT count(*)::text FROM public.contacts WHERE id < 10");
  // What earlier steps make is not there yet.
  v1::Check& later = *verify.mutable_action()->mutable_verify()->add_checks();
  later.set_count_query("SELECT count(*) FROM public.contacts WHERE new_column IS NULL");
  EXPECT_THAT(Look("query-plan"), IsEmpty());
  options_.limits.big_rows = 2999;
  Findings found = Look("query-plan");
  ASSERT_THAT(found, SizeIs(1));
  EXPECT_EQ(found[0].severity(), v1::PREFLIGHT_SEVERITY_WARNING);
  EXPECT_EQ(found[0].table(), "public.contacts");
  EXPECT_THAT(found[0].message(),
              HasSubstr("step constrain-1 (no-empty-phone) reads every row of public.contacts: 1"));
  EXPECT_THAT(found[0].message(), HasSubstr("about 3000 rows"));
  options_.limits.big_rows = 1'000'000;
  options_.limits.big_bytes = 8192;
  EXPECT_THAT(Look("query-plan"), SizeIs(1));
  // A step that says so.
  plan_.mutable_steps(0)->set_scans(true);
  EXPECT_THAT(Look("query-plan"), IsEmpty());
}

TEST_F(PreflightTest, TellsWhereAWalkHasNoIndexToGoBy) {
  options_.limits.big_rows = 2999;
  v1::TransformRows& rows = *Add("backfill-1").mutable_action()->mutable_transform_rows();
  rows.set_table("public.contacts");
  rows.add_key("id");
  Query(conninfo_, "CREATE TABLE copy AS SELECT * FROM contacts; ANALYZE copy");
  AddWalk("public.copy");
  EXPECT_THAT(Look("query-plan"), IsEmpty());
  rows.set_table("public.copy");
  ASSERT_THAT(Look("query-plan"), SizeIs(1));
}

TEST_F(PreflightTest, EstimatesWalksByTheSpeedOfEarlierOnes) {
  AddWalk("public.contacts");
  Look("");
  EXPECT_FALSE(last_.has_estimate());
  // 1000 blocks in 100 s.
  Query(
      conninfo_,
      "CREATE SCHEMA curlew;"
      "CREATE TABLE curlew.step (run text, step text, direction text, state text, finished timestamptz);"
      "CREATE TABLE curlew.backfill (run text, step text, blocks bigint, started timestamptz);"
      "INSERT INTO curlew.step VALUES ('r', 's', 'do', 'succeeded', now());"
      "INSERT INTO curlew.backfill VALUES ('r', 's', 400, now() - interval '100 s'), ('r', 's', 600, now());"
      "DELETE FROM curlew.backfill; INSERT INTO curlew.backfill VALUES ('r', 's', 400, now() - interval '100 "
      "s'),"
      " ('r', 's', 600, now() - interval '50 s')");
  Look("");
  ASSERT_TRUE(last_.has_estimate());
  // 14 blocks or so.
  const absl::Duration estimate = base::FromProto(last_.estimate());
  EXPECT_GE(estimate, absl::Seconds(1));
  EXPECT_LE(estimate, absl::Seconds(3));
}

TEST_F(PreflightTest, GoesOnWhereATableIsLockedAndChangesNothing) {
  AddWalk("public.contacts");
  const auto holder = Connect(conninfo_);
  ASSERT_OK(holder->Execute("BEGIN; LOCK TABLE contacts IN ACCESS EXCLUSIVE MODE").status());
  const absl::Time began = absl::Now();
  const Findings found = Look("disk");
  EXPECT_LT(absl::Now() - began, absl::Seconds(20));
  ASSERT_THAT(found, SizeIs(1));
  EXPECT_THAT(found[0].message(), HasSubstr("could not be looked at: "));
  EXPECT_EQ(found[0].severity(), v1::PREFLIGHT_SEVERITY_WARNING);
  EXPECT_EQ(Query(conninfo_, "SELECT count(*) FROM pg_namespace WHERE nspname = 'curlew'"), "0");
}

TEST_F(PreflightTest, EndsWhereItIsStoppedOrTheServerGoes) {
  const auto connection = Connect(conninfo_);
  Query(conninfo_, absl::StrCat("SELECT pg_terminate_backend(", connection->backend_pid(), ")"));
  EXPECT_THAT(LookAtTarget(connection.get(), plan_, options_, cancel_),
              StatusIs(absl::StatusCode::kUnavailable));
  cancel_.Cancel("the agent stops");
  EXPECT_THAT(LookAtTarget(Connect(conninfo_).get(), plan_, options_, cancel_),
              StatusIs(absl::StatusCode::kCancelled));
}

}  // namespace
}  // namespace curlew::agent
