// What earlier compilers made is pinned in journals and stores, and goes on as it is: it is never compiled
// again. tests/golden/compiled/<plan>.v<compiler>.json are compiled plans of examples against the CRM, as
// `curlew plan explain -o json` of that time printed them.
#include <gmock/gmock.h>
#include <google/protobuf/util/json_util.h>
#include <gtest/gtest.h>

#include <map>
#include <string>
#include <vector>

#include "absl/strings/ascii.h"
#include "common/base/canonical_json.h"
#include "common/compiler/compiler.h"
#include "tests/golden/crm_test.h"

namespace curlew::compiler {
namespace {

namespace fs = std::filesystem;
using ::curlew::testing::Content;
using ::curlew::testing::CrmTest;
using ::curlew::testing::Process;

// Their digests, as the compiler of that time gave them.
const std::map<std::string, std::string>& Digests() {
  static const auto* const digests = new std::map<std::string, std::string>{
      {"rename-contact-phone.v4", "7737e9941f1519762157f0083c01e32f173a56135192a6387d710f10f206c512"},
      {"swap-columns.v4", "206a3d2ebe1f292e0c09389f53d3a7986f8e7ade45ce1499a8a7ca85ce6cd585"},
  };
  return *digests;
}

fs::path FileOf(const std::string& name) {
  return absl::StrCat(CURLEW_SOURCE "/tests/golden/compiled/", name, ".json");
}

TEST(OldPlansFilesTest, EachHasItsDigestHere) {
  for (const auto& entry : fs::directory_iterator(CURLEW_SOURCE "/tests/golden/compiled")) {
    EXPECT_EQ(Digests().count(entry.path().stem().string()), 1u) << entry.path();
  }
}

class OldPlansTest : public CrmTest, public ::testing::WithParamInterface<std::string> {
 protected:
  // The agent's own admission, executors and journal.
  std::string RunPlan(std::vector<std::string> args) {
    std::vector<std::string> argv = {CURLEW_RUN_PLAN, "--conninfo", conninfo_, "--plan",
                                     FileOf(GetParam()).string()};
    argv.insert(argv.end(), args.begin(), args.end());
    const auto output = Process::Run({.argv = argv});
    return output.ok() ? "" : output.status().ToString();
  }
};

TEST_P(OldPlansTest, HasTheSameDigestIsUndoneAndCarriedThrough) {
  v1::CompiledPlan plan;
  ASSERT_TRUE(google::protobuf::util::JsonStringToMessage(Content(FileOf(GetParam())), &plan).ok());
  EXPECT_NE(plan.compiler_version(), kCompilerVersion);
  // What a journal or a store holds is recognised by it.
  EXPECT_EQ(base::CanonicalDigest(plan), Digests().at(GetParam()));
  ASSERT_NO_FATAL_FAILURE(LoadCrm(plan.plan_name()));
  ASSERT_EQ(RunPlan({"--until", "start"}), "");
  const std::string before = PgDump(conninfo_);
  EXPECT_EQ(RunPlan({"--run", "rollouts/a/runs/crm", "--until", "gate"}), "");
  EXPECT_NE(PgDump(conninfo_), before);
  EXPECT_EQ(RunPlan({"--run", "rollouts/a/runs/crm", "--undo"}), "");
  EXPECT_EQ(PgDump(conninfo_), before);
  EXPECT_EQ(RunPlan({"--run", "rollouts/b/runs/crm", "--until", "gate"}), "");
  // Another process goes on.
  EXPECT_EQ(RunPlan({"--run", "rollouts/b/runs/crm"}), "");
  EXPECT_NE(PgDump(conninfo_), before);
}

std::vector<std::string> Names() {
  std::vector<std::string> names;
  for (const auto& [name, digest] : Digests()) names.push_back(name);
  return names;
}

std::string NameOf(const ::testing::TestParamInfo<std::string>& info) {
  std::string name = info.param;
  for (char& c : name) c = absl::ascii_isalnum(c) ? c : '_';
  return name;
}

INSTANTIATE_TEST_SUITE_P(Compiled, OldPlansTest, ::testing::ValuesIn(Names()), NameOf);

}  // namespace
}  // namespace curlew::compiler
