// curlew lint --database, on a real server.
#include <filesystem>
#include <fstream>
#include <sstream>

#include "absl/strings/str_cat.h"
#include "cli/app.h"
#include "gmock/gmock.h"
#include "nlohmann/json.hpp"
#include "tests/support/pg_test.h"

namespace curlew::cli {
namespace {

using nlohmann::json;
using ::testing::HasSubstr;

class LintDatabaseTest : public testing::PgTest {
 protected:
  LintDatabaseTest()
      : context_(out_, err_),
        file_(absl::StrCat(::testing::TempDir(), "curlew_lint_db_", getpid(), ".sql")) {}
  ~LintDatabaseTest() override { std::filesystem::remove(file_); }

  ExitCode Lint(const std::string& sql, const std::string& conninfo) {
    out_.str("");
    err_.str("");
    std::ofstream(file_) << sql;
    return cli::Run(context_, {"lint", file_, "--database", conninfo, "-o", "json"});
  }

  std::ostringstream out_, err_;
  Context context_;
  const std::string file_;
};

TEST_F(LintDatabaseTest, TheCatalogueDecidesWhatTheStatementDoesNotSay) {
  const std::string conninfo = NewDatabase(
      "CREATE TABLE t (a varchar(10), b text); INSERT INTO t SELECT 'x', i FROM generate_series(1, 1000) i; "
      "ANALYZE t;");
  Lint("ALTER TABLE t ALTER a TYPE varchar(20);\nALTER TABLE t ALTER b TYPE int USING b::int;\nSELEC 1;",
       conninfo);
  const json list = json::parse(out_.str());
  ASSERT_EQ(list.size(), 3u) << out_.str();
  EXPECT_EQ(list[0]["rewrites"], false);
  EXPECT_EQ(list[0]["locks"][0]["relation"], "t");
  EXPECT_EQ(list[0]["locks"][0]["mode"], "AccessExclusiveLock");
  EXPECT_EQ(list[1]["rewrites"], true);
  EXPECT_EQ(list[2]["hazards"][0]["code"], "syntax-error");
}

TEST_F(LintDatabaseTest, NothingIsChanged) {
  const std::string conninfo = NewDatabase("CREATE TABLE t (a int)");
  Lint("INSERT INTO t VALUES (1); DROP TABLE t; UPDATE t SET a = 1;", conninfo);
  EXPECT_EQ(Query(conninfo, "SELECT count(*) FROM t"), "0");
}

TEST_F(LintDatabaseTest, DataStatementsArePlannedAndNeverRun) {
  const std::string conninfo = NewDatabase(
      "CREATE TABLE t (id int PRIMARY KEY, a int); INSERT INTO t SELECT i, i FROM generate_series(1, 5000) "
      "i; ANALYZE t;"
      "CREATE FUNCTION f() RETURNS int LANGUAGE plpgsql AS $$BEGIN DELETE FROM t; RETURN 1; END$$");
  Lint("DELETE FROM t WHERE id = 7;\nDELETE FROM t WHERE a = 7;\nSELECT f();", conninfo);
  const json list = json::parse(out_.str());
  EXPECT_EQ(list[0]["scans"], false);
  EXPECT_EQ(list[1]["scans"], true);
  EXPECT_EQ(list[2]["locks"][0]["mode"], "RowExclusiveLock") << "the body is followed";
  EXPECT_EQ(Query(conninfo, "SELECT count(*) FROM t"), "5000");
}

TEST_F(LintDatabaseTest, ConditionsAndLoopsOverTheCatalogueAreAskedOfIt) {
  const std::string conninfo = NewDatabase("CREATE TABLE t (a int); CREATE TABLE u (b int)");
  Lint(
      "DO $$ BEGIN IF NOT EXISTS (SELECT FROM information_schema.columns WHERE table_name = 't' AND "
      "column_name = 'a') "
      "THEN ALTER TABLE t ADD a int; END IF; END $$;\n"
      "DO $$ DECLARE r record; BEGIN FOR r IN SELECT relname FROM pg_class WHERE relname IN ('t', 'u') LOOP "
      "EXECUTE format('ALTER TABLE %I ADD COLUMN z int', r.relname); END LOOP; END $$;",
      conninfo);
  const json list = json::parse(out_.str());
  EXPECT_EQ(list[0]["locks"].size(), 0u);
  EXPECT_EQ(list[1]["locks"].size(), 2u);
}

TEST_F(LintDatabaseTest, ATableThatSomebodyHasLockedDoesNotStopIt) {
  const std::string conninfo = NewDatabase("CREATE TABLE t (a int); INSERT INTO t VALUES (1); ANALYZE t;");
  const auto other = Connect(conninfo);
  ASSERT_TRUE(other->Execute("BEGIN").ok());
  ASSERT_TRUE(other->Execute("LOCK TABLE t IN ACCESS EXCLUSIVE MODE").ok());
  Lint("ALTER TABLE t ALTER a SET NOT NULL;", conninfo);
  ASSERT_NE(out_.str(), "") << err_.str();
  EXPECT_EQ(json::parse(out_.str())[0]["scans"], true) << "ANALYZE has noted its size";
  ASSERT_TRUE(other->Execute("ROLLBACK").ok());
}

TEST_F(LintDatabaseTest, ADatabaseThatIsNotThereIsAnError) {
  EXPECT_NE(Lint("SELECT 1", "host=/nonexistent dbname=x"), ExitCode::kOk);
  EXPECT_EQ(out_.str(), "");
  EXPECT_THAT(err_.str(), HasSubstr("/nonexistent"));
}

}  // namespace
}  // namespace curlew::cli
