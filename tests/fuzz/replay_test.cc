// Feeds the fuzz targets with their corpora, and with the examples: each finding of ./dev fuzz lies there.
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include "tests/fuzz/targets.h"

namespace curlew::fuzz {
namespace {

struct Corpus {
  void (*target)(absl::string_view bytes);
  std::vector<std::string> folders;  // below the root of the repository
};

void Replay(const Corpus& corpus) {
  size_t files = 0;
  for (const std::string& folder : corpus.folders) {
    std::vector<std::filesystem::path> paths;
    for (const auto& entry : std::filesystem::directory_iterator(std::string(CURLEW_SOURCE_DIR "/") + folder))
      if (entry.is_regular_file()) paths.push_back(entry.path());
    std::sort(paths.begin(), paths.end());
    ASSERT_FALSE(paths.empty()) << folder;
    for (const auto& path : paths) {
      SCOPED_TRACE(path.string());
      std::ifstream file(path, std::ios::binary);
      const std::string bytes((std::istreambuf_iterator<char>(file)), {});
      std::fprintf(stderr, "%s\n", path.c_str());  // for who reads the log of a crash
      corpus.target(bytes);
      ++files;
    }
  }
  std::printf("%zu inputs replayed\n", files);
}

TEST(ReplayTest, PlansThatHaveBeenOfInterest) {
  Replay({FuzzPlan, {"tests/fuzz/corpus/plan", "examples/plans", "examples/beyond", "examples"}});
}

TEST(ReplayTest, ScriptsThatHaveBeenOfInterest) {
  Replay({FuzzLint, {"tests/fuzz/corpus/lint", "examples/plans/setup", "tests/from_sql/cases"}});
}

TEST(ReplayTest, SessionsThatHaveBeenOfInterest) { Replay({FuzzSession, {"tests/fuzz/corpus/session"}}); }

}  // namespace
}  // namespace curlew::fuzz
