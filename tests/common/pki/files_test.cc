#include "common/pki/files.h"

#include <fcntl.h>

#include <thread>

#include "absl/synchronization/notification.h"
#include "common/base/error_detail.h"
#include "tests/common/pki/support.h"

namespace curlew::pki {
namespace {

using ::curlew::testing::StatusIs;
using ::testing::HasSubstr;

class FilesTest : public PkiTest {};

TEST_F(FilesTest, RightsDoNotDependOnTheUmask) {
  for (const mode_t mask : {0, 022, 077}) {
    const mode_t before = umask(mask);
    const std::string folder = At(absl::StrCat("a", mask, "/b"));
    EXPECT_OK(MakeFolder(folder, kOpenFolder));
    EXPECT_OK(WriteNew(folder + "/key", "x", {.mode = 0600}));
    EXPECT_OK(WriteNew(folder + "/crt", "x", {.mode = 0644}));
    umask(before);
    EXPECT_EQ(ModeOf(At(absl::StrCat("a", mask))), 0700);
    EXPECT_EQ(ModeOf(folder), 0755);
    EXPECT_EQ(ModeOf(folder + "/key"), 0600);
    EXPECT_EQ(ModeOf(folder + "/crt"), 0644);
  }
}

TEST_F(FilesTest, NothingIsOverwritten) {
  const std::string path = Write("x", "old"), link = At("link");
  EXPECT_THAT(WriteNew(path, "new", {.mode = 0600}),
              StatusIs(absl::StatusCode::kAlreadyExists, HasSubstr(path)));
  ASSERT_OK(MakeLink("x", link));
  EXPECT_THAT(WriteNew(link, "new", {.mode = 0600}), StatusIs(absl::StatusCode::kAlreadyExists));
  EXPECT_THAT(Move(Write("y", "new"), path, Target::kAbsent), StatusIs(absl::StatusCode::kAlreadyExists));
  EXPECT_EQ(Read(path), "old");
  EXPECT_OK(Move(At("y"), path, Target::kAny));
  EXPECT_EQ(Read(path), "new");
}

TEST_F(FilesTest, AKeyThatOthersCanReadIsRefusedByNameAndNotShown) {
  const std::string path = Write("ca.key", "-----BEGIN PRIVATE KEY-----\nc2VjcmV0\n");
  for (const mode_t open : {0604, 0602, 0644}) {
    ASSERT_EQ(chmod(path.c_str(), open), 0);
    const absl::Status status = ReadPrivate(path).status();
    EXPECT_THAT(status, StatusIs(absl::StatusCode::kFailedPrecondition, HasSubstr(path)));
    EXPECT_THAT(base::Detail(status, base::kHint), HasSubstr("chmod o-rwx " + path));
    EXPECT_THAT(status.ToString(), ::testing::Not(HasSubstr("c2VjcmV0")));
  }
  for (const mode_t closed : {0600, 0640, 0400}) {
    ASSERT_EQ(chmod(path.c_str(), closed), 0);
    EXPECT_OK(ReadPrivate(path)) << closed;
  }
}

TEST_F(FilesTest, WhatCannotBeReadIsNamed) {
  EXPECT_THAT(ReadWhole(At("nothing")), StatusIs(absl::StatusCode::kNotFound, HasSubstr(At("nothing"))));
  EXPECT_FALSE(ReadWhole(dir_).ok());
  EXPECT_THAT(ReadWhole(Write("large", std::string((1 << 20) + 1, 'x'))),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("larger than 1 MiB")));
}

TEST_F(FilesTest, RemovesFilesLinksAndFoldersButNotWhatALinkLeadsTo) {
  ASSERT_OK(MakeFolder(At("folder")));
  Write("folder/x", "x");
  ASSERT_OK(MakeLink(At("folder"), At("link")));
  EXPECT_OK(Remove(At("link")));
  EXPECT_EQ(Read(At("folder/x")), "x");
  EXPECT_OK(Remove(At("folder")));
  EXPECT_FALSE(Look(At("folder"))->has_value());
  EXPECT_OK(Remove(At("folder")));
}

TEST_F(FilesTest, ALockKeepsOthersOutUntilItsHolderEndsOrDies) {
  const pid_t holder = fork();
  if (holder == 0) {
    const auto lock = FolderLock::Take(dir_);
    Write(lock.ok() ? "taken" : "failed", "");
    while (true) pause();
  }
  while (!std::filesystem::exists(At("taken")) && !std::filesystem::exists(At("failed")))
    std::this_thread::yield();
  ASSERT_TRUE(std::filesystem::exists(At("taken")));
  absl::Notification taken;
  std::thread waiter([&] {
    EXPECT_OK(FolderLock::Take(dir_));
    taken.Notify();
  });
  EXPECT_FALSE(taken.WaitForNotificationWithTimeout(absl::Milliseconds(100)));
  kill(holder, SIGKILL);
  waitpid(holder, nullptr, 0);
  waiter.join();
  EXPECT_EQ(ModeOf(At(".lock")), 0600);
}

}  // namespace
}  // namespace curlew::pki
