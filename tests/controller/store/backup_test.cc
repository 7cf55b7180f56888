#include "controller/store/backup.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>
#include <sstream>

#include "tests/controller/store/temp_folder.h"
#include "tests/support/status_matchers.h"

namespace curlew::store {
namespace {

using ::curlew::testing::StatusIs;
using ::testing::HasSubstr;

v1::StoreRow Row(int64_t last) {
  v1::StoreRow row;
  row.mutable_sequence()->set_table(std::string(last, 'x'));
  row.mutable_sequence()->set_last(last);
  return row;
}

class BackupTest : public ::testing::Test {
 protected:
  // A backup of `rows` rows.
  void Make(int rows) {
    ASSERT_OK_AND_ASSIGN(auto writer, BackupWriter::Create(path_, 2));
    for (int i = 1; i <= rows; ++i) ASSERT_OK(writer->Add(Row(i)));
    ASSERT_OK(writer->Finish());
  }
  absl::StatusOr<std::vector<int64_t>> Read() {
    std::vector<int64_t> rows;
    const absl::Status status = ReadBackup(path_, [&](const v1::StoreRow& row) {
      rows.push_back(row.sequence().last());
      return absl::OkStatus();
    });
    if (!status.ok()) return status;
    return rows;
  }
  std::string Content() const {
    std::ifstream file(path_, std::ios::binary);
    std::ostringstream content;
    content << file.rdbuf();
    return content.str();
  }
  void Overwrite(const std::string& bytes) { std::ofstream(path_, std::ios::binary) << bytes; }
  int FilesInFolder() const {
    return static_cast<int>(std::distance(std::filesystem::directory_iterator(folder_.path()), {}));
  }

  TempFolder folder_;
  const std::string path_ = folder_.File("b");
};

TEST_F(BackupTest, GivesBackItsRowsInOrder) {
  Make(300);
  ASSERT_OK_AND_ASSIGN(const auto rows, Read());
  ASSERT_EQ(rows.size(), 300u);
  for (int i = 0; i < 300; ++i) EXPECT_EQ(rows[i], i + 1);
  EXPECT_EQ(FilesInFolder(), 1);
}

TEST_F(BackupTest, MayHoldNothing) {
  Make(0);
  ASSERT_OK_AND_ASSIGN(const auto rows, Read());
  EXPECT_TRUE(rows.empty());
}

TEST_F(BackupTest, IsForItsOwnersEyes) {
  Make(1);
  struct stat status;
  ASSERT_EQ(stat(path_.c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777, 0600u);
}

TEST_F(BackupTest, NothingIsLeftOfOneThatWasNotFinished) {
  {
    ASSERT_OK_AND_ASSIGN(auto writer, BackupWriter::Create(path_, 2));
    ASSERT_OK(writer->Add(Row(1)));
    EXPECT_FALSE(std::filesystem::exists(path_)) << "not there before it is complete";
  }
  EXPECT_EQ(FilesInFolder(), 0);
}

TEST_F(BackupTest, NeverOverwritesAlsoNotWhatCameMeanwhile) {
  ASSERT_OK_AND_ASSIGN(auto writer, BackupWriter::Create(path_, 2));
  Overwrite("precious");
  EXPECT_THAT(writer->Finish(), StatusIs(absl::StatusCode::kAlreadyExists));
  EXPECT_EQ(Content(), "precious");
  EXPECT_THAT(BackupWriter::Create(path_, 2), StatusIs(absl::StatusCode::kAlreadyExists));
}

TEST_F(BackupTest, AnyBitThatIsFlippedIsFound) {
  Make(3);
  const std::string whole = Content();
  for (size_t at = 0; at < whole.size(); ++at) {
    std::string bytes = whole;
    bytes[at] ^= 1 << (at % 8);
    Overwrite(bytes);
    EXPECT_THAT(Read(), StatusIs(absl::StatusCode::kDataLoss)) << at;
  }
}

TEST_F(BackupTest, AnyEndThatIsMissingIsFound) {
  Make(3);
  const std::string whole = Content();
  for (size_t size = 0; size < whole.size(); ++size) {
    Overwrite(whole.substr(0, size));
    EXPECT_THAT(Read(), StatusIs(absl::StatusCode::kDataLoss)) << size;
  }
  Overwrite(whole + "x");
  EXPECT_THAT(Read(), StatusIs(absl::StatusCode::kDataLoss));
}

TEST_F(BackupTest, SaysWhatIsNoBackup) {
  EXPECT_THAT(Read(), StatusIs(absl::StatusCode::kNotFound, HasSubstr(path_)));
  Overwrite(std::string(4096, 'x'));
  EXPECT_THAT(Read(), StatusIs(absl::StatusCode::kDataLoss, HasSubstr("no backup")));
  std::filesystem::remove(path_);
  std::filesystem::create_directory(path_);
  EXPECT_THAT(Read(), StatusIs(absl::StatusCode::kDataLoss, HasSubstr("no file")));
}

TEST_F(BackupTest, ReturnsWhatItsVisitorDoes) {
  Make(3);
  int seen = 0;
  EXPECT_THAT(ReadBackup(path_,
                         [&](const v1::StoreRow&) {
                           return ++seen == 2 ? absl::AbortedError("enough") : absl::OkStatus();
                         }),
              StatusIs(absl::StatusCode::kAborted, HasSubstr("enough")));
  EXPECT_EQ(seen, 2);
}

TEST_F(BackupTest, SaysWhereItCannotBeWritten) {
  EXPECT_THAT(BackupWriter::Create(folder_.File("nowhere/b"), 2),
              StatusIs(absl::StatusCode::kUnavailable, HasSubstr("nowhere/b")));
}

}  // namespace
}  // namespace curlew::store
