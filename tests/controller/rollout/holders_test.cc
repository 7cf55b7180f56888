#include "controller/rollout/holders.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/controller/rollout/fleet.h"

namespace curlew::rollout {
namespace {

using testing::Driver;
using ::testing::ElementsAre;
using testing::Fleet;
using ::testing::IsEmpty;
using testing::RunIs;
using testing::StageIs;
using testing::Told;
using testing::Waits;

TEST(HoldersTest, AHeldRunIsNotCompiledAndSaysWhatItWaitsFor) {
  Driver driver({Fleet({"a", "b"})});
  driver.Apply(HoldersChanged{{{"b", "rollouts/first"}}});
  driver.Start();
  EXPECT_EQ(RunIs(driver, "a"), "COMPILING");
  EXPECT_EQ(RunIs(driver, "b"), "PENDING");
  EXPECT_THAT(Waits(driver), ElementsAre("ROLLOUT b"));
  driver.Compile("a");
  EXPECT_EQ(StageIs(driver), "PREPARING");
  EXPECT_THAT(driver.Apply(HoldersChanged{}), ElementsAre("compile b"));
  EXPECT_EQ(Told(driver, v1::EVENT_TYPE_RUN_HELD), 2);
}

TEST(HoldersTest, TheSameAgainIsNoNews) {
  Driver driver({Fleet({"a"})});
  driver.Apply(HoldersChanged{{{"a", "rollouts/first"}}});
  driver.Start();
  const std::string before = driver.state().SerializeAsString();
  driver.Apply(HoldersChanged{{{"a", "rollouts/first"}}});
  EXPECT_EQ(driver.state().SerializeAsString(), before);
  driver.Apply(HoldersChanged{{{"a", "rollouts/second"}}});
  EXPECT_EQ(driver.run("a").held_by(), "rollouts/second");
}

TEST(HoldersTest, WhatWasCompiledBeforeIsForgotten) {
  Driver driver = testing::Started(Fleet({"a"}, "before: {approvals: 1}"));
  EXPECT_EQ(RunIs(driver, "a"), "COMPILED");
  driver.Apply(HoldersChanged{{{"a", "rollouts/first"}}});
  EXPECT_EQ(RunIs(driver, "a"), "PENDING");
  EXPECT_THAT(driver.run("a").steps(), IsEmpty());
  EXPECT_THAT(driver.Apply(HoldersChanged{}), ElementsAre("compile a"));
}

TEST(HoldersTest, ARunThatHasBegunIsNotHeld) {
  Driver driver = testing::Started(Fleet({"a"}));
  EXPECT_THAT(driver.Apply(HoldersChanged{{{"a", "rollouts/first"}}}), IsEmpty());
  EXPECT_EQ(driver.run("a").held_by(), "");
  EXPECT_THAT(driver.Succeed("a"), ElementsAre("do a add #2"));
}

}  // namespace
}  // namespace curlew::rollout
