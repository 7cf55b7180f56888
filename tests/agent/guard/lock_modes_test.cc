#include "agent/guard/lock_modes.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace curlew::agent {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::Not;
using ::testing::SizeIs;

TEST(LockModesTest, ReadersConflictWithAccessExclusiveOnly) {
  EXPECT_THAT(ConflictingModes("AccessShareLock"), ElementsAre("AccessExclusiveLock"));
  EXPECT_THAT(ConflictingModes("AccessExclusiveLock"), SizeIs(8));
}

TEST(LockModesTest, TriggersWaitForWritersButNotForReaders) {
  EXPECT_THAT(ConflictingModes("ShareRowExclusiveLock"), Contains("RowExclusiveLock"));
  EXPECT_THAT(ConflictingModes("ShareRowExclusiveLock"), Not(Contains("AccessShareLock")));
}

TEST(LockModesTest, ValidationWaitsForAVacuumButNotForWriters) {
  EXPECT_THAT(ConflictingModes("ShareUpdateExclusiveLock"), Contains("ShareUpdateExclusiveLock"));
  EXPECT_THAT(ConflictingModes("ShareUpdateExclusiveLock"), Not(Contains("RowExclusiveLock")));
}

TEST(LockModesTest, AnUnknownModeIsTakenForTheStrongest) {
  EXPECT_THAT(ConflictingModes("NewLock"), SizeIs(8));
}

TEST(LockModesTest, ConflictsAreMutual) {
  const std::vector<std::string> modes = ConflictingModes("AccessExclusiveLock");
  for (const std::string& a : modes) {
    for (const std::string& b : modes) {
      const auto conflicts = [](const std::string& x, const std::string& y) {
        const std::vector<std::string> all = ConflictingModes(x);
        return std::find(all.begin(), all.end(), y) != all.end();
      };
      EXPECT_EQ(conflicts(a, b), conflicts(b, a)) << a << " and " << b;
    }
  }
}

}  // namespace
}  // namespace curlew::agent
