#include "cli/names.h"

#include "curlew/v1/rollout.pb.h"
#include "gtest/gtest.h"

namespace curlew::cli {
namespace {

TEST(NamesTest, TakesBareAndWholeResourceNames) {
  EXPECT_EQ(RolloutName("x"), "rollouts/x");
  EXPECT_EQ(RolloutName("rollouts/x"), "rollouts/x");
  EXPECT_EQ(TargetName("staging-crm"), "targets/staging-crm");
  EXPECT_EQ(Bare("rollouts/x/runs/y"), "y");
  EXPECT_EQ(Bare("x"), "x");
}

TEST(NamesTest, TellsAStoredPlanFromThePlanOfANameByItsDigest) {
  EXPECT_EQ(PlanName("rename-contact-phone"), "rename-contact-phone");
  EXPECT_EQ(PlanName("rename-contact-phone-0123456789ab"), "plans/rename-contact-phone-0123456789ab");
  EXPECT_EQ(PlanName("plans/x"), "plans/x");
  EXPECT_EQ(PlanName("x-0123456789ag"), "x-0123456789ag");
}

TEST(NamesTest, WordsOfEnumsHaveNoPrefix) {
  EXPECT_EQ(Word(v1::PHASE_DUAL_WRITE), "DUAL_WRITE");
  EXPECT_EQ(Word(v1::ROLLOUT_STATE_ROLLED_BACK), "ROLLED_BACK");
  EXPECT_EQ(Word(static_cast<v1::Phase>(77)), "77");
}

TEST(NamesTest, LocksAreRankedAndNamedAsInPostgresqlsDocumentation) {
  EXPECT_EQ(LockName("AccessExclusiveLock"), "ACCESS EXCLUSIVE");
  EXPECT_EQ(LockName("ShareUpdateExclusiveLock"), "SHARE UPDATE EXCLUSIVE");
  EXPECT_EQ(LockBlocks("AccessExclusiveLock"), "blocks reads and writes");
  EXPECT_EQ(LockBlocks("nonsense"), "");
  EXPECT_GT(LockRank("ShareRowExclusiveLock"), LockRank("ShareUpdateExclusiveLock"));
  EXPECT_EQ(LockRank(""), 0);
}

}  // namespace
}  // namespace curlew::cli
