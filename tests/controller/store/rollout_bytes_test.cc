#include "controller/store/rollout_bytes.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "absl/strings/str_cat.h"

namespace curlew::store {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::Optional;

v1::Rollout RolloutOf(int runs) {
  v1::Rollout rollout;
  rollout.set_name("rollouts/a");
  rollout.set_last_event(7);
  rollout.add_stages()->set_environment("environments/staging");
  (*rollout.mutable_labels())["team"] = "blue";
  for (int i = 0; i < runs; ++i) {
    v1::Run* run = rollout.add_runs();
    run->set_target(absl::StrCat("t", i));
    run->add_steps()->set_key(std::string(i * 100, 'k'));
  }
  return rollout;
}

TEST(RolloutBytesTest, ThePiecesTogetherAreTheWhole) {
  for (const int runs : {0, 1, 3, 200}) {
    const v1::Rollout rollout = RolloutOf(runs);
    const RolloutBytes bytes = SplitRollout(rollout);
    ASSERT_EQ(bytes.runs.size(), static_cast<size_t>(runs));
    std::string whole = bytes.rollout;
    for (const std::string& run : bytes.runs) whole += run;
    v1::Rollout read;
    ASSERT_TRUE(read.ParseFromString(whole));
    EXPECT_EQ(read.DebugString(), rollout.DebugString());
    v1::Rollout without;
    ASSERT_TRUE(without.ParseFromString(bytes.rollout));
    EXPECT_EQ(without.runs_size(), 0);
    EXPECT_EQ(without.last_event(), 7);
    for (int i = 0; i < runs; ++i) {
      v1::Rollout only;
      ASSERT_TRUE(only.ParseFromString(bytes.runs[i]));
      ASSERT_EQ(only.runs_size(), 1);
      EXPECT_EQ(only.runs(0).target(), absl::StrCat("t", i));
      EXPECT_EQ(only.name(), "");
    }
  }
}

TEST(RolloutBytesTest, FieldsOfALaterVersionAreKept) {
  v1::Rollout rollout = RolloutOf(1);
  rollout.GetReflection()->MutableUnknownFields(&rollout)->AddLengthDelimited(15000, "later");
  const RolloutBytes bytes = SplitRollout(rollout);
  v1::Rollout read;
  ASSERT_TRUE(read.ParseFromString(bytes.rollout + bytes.runs[0]));
  EXPECT_EQ(read.SerializeAsString(), rollout.SerializeAsString());
}

TEST(WrittenRunsTest, AreKnownOnceAndAtTheirVersionOnly) {
  WrittenRuns written;
  EXPECT_EQ(written.Take("a", 1), std::nullopt);
  written.Keep("a", 1, {"x", "y"});
  written.Keep("b", 1, {"z"});
  EXPECT_THAT(written.Take("a", 1), Optional(ElementsAre("x", "y")));
  EXPECT_EQ(written.Take("a", 1), std::nullopt) << "nobody has said what became of them";
  EXPECT_EQ(written.Take("b", 2), std::nullopt);
  EXPECT_EQ(written.Take("b", 1), std::nullopt) << "another version was asked for: they are in doubt";
  written.Keep("a", 2, {"x"});
  written.Keep("a", 3, {"x", "v"});
  EXPECT_THAT(written.Take("a", 3), Optional(ElementsAre("x", "v")));
}

TEST(WrittenRunsTest, TheOldestAreForgottenWhereThereAreTooMany) {
  WrittenRuns written(10);
  written.Keep("a", 1, {"12345"});
  written.Keep("b", 1, {"12345"});
  written.Keep("a", 2, {"12345"});
  written.Keep("c", 1, {"1"});
  EXPECT_EQ(written.Take("b", 1), std::nullopt);
  EXPECT_NE(written.Take("a", 2), std::nullopt);
  written.Keep("d", 1, {std::string(100, 'x')});
  EXPECT_EQ(written.Take("c", 1), std::nullopt);
  EXPECT_NE(written.Take("d", 1), std::nullopt) << "the newest in any case";
}

TEST(CompareRunsTest, OnlyWhatIsOtherThanBeforeIsWritten) {
  const RunsToWrite unknown = CompareRuns(std::nullopt, {"x", "y"});
  EXPECT_TRUE(unknown.removes);
  EXPECT_EQ(unknown.keep, 0u);
  EXPECT_THAT(unknown.positions, ElementsAre(0, 1));
  const RunsToWrite same = CompareRuns({{"x", "y"}}, {"x", "y"});
  EXPECT_FALSE(same.removes);
  EXPECT_THAT(same.positions, IsEmpty());
  const RunsToWrite changed = CompareRuns({{"x", "y"}}, {"x", "Y", "z"});
  EXPECT_FALSE(changed.removes);
  EXPECT_THAT(changed.positions, ElementsAre(1, 2));
  const RunsToWrite fewer = CompareRuns({{"x", "y", "z"}}, {"X"});
  EXPECT_TRUE(fewer.removes);
  EXPECT_EQ(fewer.keep, 1u);
  EXPECT_THAT(fewer.positions, ElementsAre(0));
}

}  // namespace
}  // namespace curlew::store
