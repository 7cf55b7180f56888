#include "cli/files.h"

#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/support/status_matchers.h"

namespace curlew::cli {
namespace {

using ::curlew::testing::IsOkAndHolds;
using ::curlew::testing::StatusIs;
using ::testing::HasSubstr;

class FilesTest : public ::testing::Test {
 protected:
  ~FilesTest() override { std::filesystem::remove(path_); }
  std::string Write(const std::string& text) {
    std::ofstream(path_) << text;
    return path_;
  }

  // Of this process alone: tests run in parallel, and as several users.
  const std::string path_ = ::testing::TempDir() + "curlew_files_test_" + std::to_string(getpid()) + ".json";
};

TEST_F(FilesTest, ReadsWholeFiles) {
  EXPECT_THAT(ReadFile(Write(std::string(200'000, 'x'))), IsOkAndHolds(std::string(200'000, 'x')));
}

TEST_F(FilesTest, NamesAFileThatCannotBeRead) {
  EXPECT_THAT(ReadFile("/nowhere/plan.yaml"),
              StatusIs(absl::StatusCode::kNotFound, HasSubstr("/nowhere/plan.yaml")));
  EXPECT_THAT(ReadFile("/"), StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("directory")));
}

TEST_F(FilesTest, ReadsASchemaAloneOrInsideAnExplanation) {
  ASSERT_OK_AND_ASSIGN(v1::Schema alone, ReadSchemaFile(Write(R"({"tables": [{"name": "t"}]})")));
  EXPECT_EQ(alone.tables(0).name(), "t");
  ASSERT_OK_AND_ASSIGN(v1::Schema inside,
                       ReadSchemaFile(Write(R"({"digest": "x", "schema": {"tables": [{"name": "t"}]}})")));
  EXPECT_EQ(inside.tables(0).name(), "t");
}

TEST_F(FilesTest, RefusesWhatIsNoSchema) {
  EXPECT_THAT(ReadSchemaFile(Write("not json")),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("holds no schema")));
  EXPECT_THAT(ReadSchemaFile(Write(R"({"tabels": []})")),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("tabels")));
}

TEST_F(FilesTest, TellsFilesFromNamesOfPlans) {
  for (const char* file : {"-", "x.yaml", "x.yml", "x.json", "plans-of-mine/x", "./x"})
    EXPECT_TRUE(MeansFile(file)) << file;
  for (const char* plan : {"x", "plans/x", "rename-0123456789ab"}) EXPECT_FALSE(MeansFile(plan)) << plan;
}

}  // namespace
}  // namespace curlew::cli
