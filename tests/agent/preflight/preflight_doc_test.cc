// docs/preflight.md says what the code does.
#include <gtest/gtest.h>

#include <fstream>
#include <sstream>
#include <string>

#include "absl/strings/str_cat.h"
#include "agent/preflight/preflight.h"

namespace curlew::agent {
namespace {

TEST(PreflightDocTest, ThePageHasARowForEachCodeInOrderAndNoOther) {
  std::ifstream file(CURLEW_SOURCE_DIR "/docs/preflight.md");
  std::stringstream text;
  text << file.rdbuf();
  const std::string page = text.str();
  std::string wanted, found;
  for (const PreflightCode& code : PreflightCodes())
    absl::StrAppend(&wanted, "| `", code.code, "` | ", code.meaning, " |\n");
  std::istringstream lines(page);
  for (std::string line; std::getline(lines, line);) {
    if (line.rfind("| `", 0) != 0) continue;
    // Code and meaning; what follows is for people.
    const size_t second = line.find(" | ", 3);
    const size_t third = line.find(" | ", second + 3);
    found += line.substr(0, third) + " |\n";
  }
  EXPECT_EQ(found, wanted);
}

}  // namespace
}  // namespace curlew::agent
