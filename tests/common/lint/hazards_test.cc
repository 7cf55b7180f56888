#include "common/lint/hazards.h"

#include <fstream>
#include <set>
#include <sstream>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace curlew::lint {
namespace {

TEST(HazardsTest, EachHasOneEntryThatExplainsIt) {
  std::set<absl::string_view> codes;
  for (const HazardInfo& info : HazardInfos()) {
    EXPECT_TRUE(codes.insert(info.code).second) << info.code;
    EXPECT_EQ(FindHazard(info.code), &info);
    EXPECT_FALSE(info.title.empty() || info.title.back() == '.') << info.code;
    EXPECT_EQ(info.help.back(), '.') << info.code;
  }
  EXPECT_EQ(FindHazard("nothing"), nullptr);
}

// CURLEW_SOURCE_DIR comes from CMake.
TEST(HazardsTest, TheDocumentHasTheSameTable) {
  std::string table = "| hazard | gravest | what it means |\n|---|---|---|\n";
  for (const HazardInfo& info : HazardInfos()) {
    absl::StrAppend(&table, "| `", info.code, "` | ", SeverityName(info.severity), " | ", info.title, ". ",
                    info.help, " |\n");
  }
  std::stringstream document;
  document << std::ifstream(CURLEW_SOURCE_DIR "/docs/lint.md").rdbuf();
  EXPECT_THAT(document.str(), ::testing::HasSubstr(table)) << "the table in docs/lint.md should be:\n"
                                                           << table;
}

}  // namespace
}  // namespace curlew::lint
