// Some cases by the agent itself, with its admission, executors and journal, in the place of the test's
// runner.
#include <gmock/gmock.h>

#include <filesystem>
#include <fstream>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "common/base/canonical_json.h"
#include "common/base/id.h"
#include "tests/from_sql/proof.h"
#include "tests/support/process.h"
#include "tests/support/status_matchers.h"

namespace curlew::from_sql {
namespace {

using ::curlew::testing::Process;

std::vector<Case> ForTheAgent() {
  std::vector<Case> chosen;
  for (const Case& c : AllCases()) {
    for (const char* name : {"002-", "004-", "010-", "012-", "017-", "018-", "020-", "056-"}) {
      if (absl::StartsWith(c.name, name)) chosen.push_back(c);
    }
  }
  return chosen;
}

class AgentTest : public ProofTest, public ::testing::WithParamInterface<Case> {};

TEST_P(AgentTest, EndsAsPsqlDoes) {
  const Case& c = GetParam();
  const std::string by_psql = Before(c), by_agent = Before(c);
  ASSERT_NO_FATAL_FAILURE(Psql(by_psql, c.migration));
  ASSERT_OK_AND_ASSIGN(const Conversion conversion, ConvertFor(c, by_agent));
  ASSERT_OK_AND_ASSIGN(v1::CompiledPlan compiled, Compile(conversion, by_agent));
  const std::string file = absl::StrCat(::testing::TempDir(), "/from-sql-", base::RandomId(12), ".json");
  std::ofstream(file) << base::CanonicalJson(compiled);
  const auto output = Process::Run({.argv = {CURLEW_RUN_PLAN, "--conninfo", by_agent, "--plan", file}});
  std::filesystem::remove(file);
  ASSERT_TRUE(output.ok()) << output.status() << ToYaml(conversion);
  EXPECT_EQ(Dump(c, by_agent), Dump(c, by_psql)) << ToYaml(conversion);
}

INSTANTIATE_TEST_SUITE_P(Cases, AgentTest, ::testing::ValuesIn(ForTheAgent()),
                         [](const auto& info) { return TestName(info.param.name); });

}  // namespace
}  // namespace curlew::from_sql
