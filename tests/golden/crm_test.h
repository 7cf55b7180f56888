// The demo's CRM in a database of its own, for tests of the examples.
#ifndef CURLEW_TESTS_GOLDEN_CRM_TEST_H_
#define CURLEW_TESTS_GOLDEN_CRM_TEST_H_

#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>

#include "absl/strings/str_cat.h"
#include "tests/support/pg_test.h"
#include "tests/support/process.h"
#include "tests/support/status_matchers.h"

namespace curlew::testing {

inline std::string Content(const std::filesystem::path& path) {
  std::ifstream file(path);
  std::ostringstream content;
  content << file.rdbuf();
  return content.str();
}

class CrmTest : public PgTest {
 protected:
  // Makes conninfo_, with what the example `plan` needs beside the CRM: examples/plans/setup/<plan>.sql.
  void LoadCrm(const std::string& plan) {
    // Roles belong to the cluster, and tests run side by side.
    for (const char* role : {"crm_owner", "crm_app"}) {
      Query(Cluster::Get().Conninfo("postgres"),
            absl::StrCat("DO $$ BEGIN CREATE ROLE ", role,
                         "; EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL; END $$"));
    }
    conninfo_ = NewDatabase("GRANT CREATE ON SCHEMA public TO PUBLIC");
    // Some examples make extensions.
    Query(
        conninfo_,
        "DO $$ BEGIN EXECUTE format('GRANT CREATE ON DATABASE %I TO crm_owner', current_database()); END $$");
    ASSERT_NO_FATAL_FAILURE(Psql(conninfo_, Content(CURLEW_SOURCE "/demo/crm.sql")));
    const std::filesystem::path setup = absl::StrCat(CURLEW_SOURCE "/examples/plans/setup/", plan, ".sql");
    if (std::filesystem::exists(setup))
      Psql(conninfo_, absl::StrCat("SET ROLE crm_owner;\n", Content(setup)));
  }

  std::string conninfo_;

 private:
  // Runs a script by psql as the CRM's owner.
  void Psql(const std::string& conninfo, const std::string& script) {
    auto output = Process::Run({.argv = {Cluster::Get().Program("psql"), "-X", "-q", "-v", "ON_ERROR_STOP=1",
                                         "-v", "rows=40", "-v", "dirty=false", conninfo},
                                .input = script});
    ASSERT_TRUE(output.ok()) << output.status();
  }
};

}  // namespace curlew::testing

#endif  // CURLEW_TESTS_GOLDEN_CRM_TEST_H_
