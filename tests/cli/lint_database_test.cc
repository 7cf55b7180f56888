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

TEST_F(LintDatabaseTest, ADatabaseThatIsNotThereIsAnError) {
  EXPECT_NE(Lint("SELECT 1", "host=/nonexistent dbname=x"), ExitCode::kOk);
  EXPECT_EQ(out_.str(), "");
  EXPECT_THAT(err_.str(), HasSubstr("/nonexistent"));
}

}  // namespace
}  // namespace curlew::cli
