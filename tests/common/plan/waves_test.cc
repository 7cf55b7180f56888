#include "common/plan/waves.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "absl/strings/str_cat.h"
#include "common/base/error_detail.h"
#include "common/base/proto_time.h"
#include "common/plan/plan_reader.h"
#include "tests/support/status_matchers.h"

namespace curlew::plan {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

v1::Environment Read(const std::string& yaml) {
  v1::Environment environment;
  const absl::Status status = ReadYaml(yaml, "env.yaml", &environment);
  EXPECT_TRUE(status.ok()) << status;
  return environment;
}

// "canary: a, b", a line for each wave; or the error.
std::vector<std::string> Waves(const v1::Environment& environment) {
  const absl::StatusOr<std::vector<AssignedWave>> waves = AssignWaves(environment);
  if (!waves.ok()) return {waves.status().ToString()};
  std::vector<std::string> lines;
  for (const AssignedWave& wave : *waves) {
    lines.push_back(absl::StrCat(wave.policy.name(), ": ", absl::StrJoin(wave.targets, ", ")));
  }
  return lines;
}

v1::Environment Numbered(int targets, const std::string& waves) {
  v1::Environment environment = Read(waves);
  for (int i = 1; i <= targets; ++i) environment.add_targets(absl::StrCat("t", i));
  return environment;
}

void ExpectRefused(const v1::Environment& environment, const std::string& field, const std::string& what) {
  const absl::Status status = AssignWaves(environment, "environments[3]").status();
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << status;
  EXPECT_EQ(base::Detail(status, base::kField), "environments[3]." + field);
  EXPECT_THAT(std::string(status.message()), HasSubstr(what));
}

TEST(WavesTest, WithoutWavesThereIsOneOfAll) {
  EXPECT_THAT(Waves(Numbered(3, "name: x")), ElementsAre("all: t1, t2, t3"));
}

TEST(WavesTest, ACanaryThenAShareThenTheRest) {
  EXPECT_THAT(
      Waves(Numbered(6, "waves: [{name: canary, count: 1}, {name: tenth, percent: 10}, {name: rest}]")),
      ElementsAre("canary: t1", "tenth: t2", "rest: t3, t4, t5, t6"));
}

TEST(WavesTest, APercentageIsOfAllAndRoundedUp) {
  const std::string waves = "waves: [{name: a, percent: 34}, {name: b, percent: 34}, {name: c}]";
  EXPECT_THAT(Waves(Numbered(5, waves)), ElementsAre("a: t1, t2", "b: t3, t4", "c: t5"));
  EXPECT_THAT(Waves(Numbered(3, "waves: [{name: a, percent: 1}, {name: b, percent: 100}]")),
              ElementsAre("a: t1", "b: t2, t3"));
}

TEST(WavesTest, ACountTakesWhatThereIs) {
  EXPECT_THAT(Waves(Numbered(3, "waves: [{name: a, count: 2}, {name: b, count: 100}]")),
              ElementsAre("a: t1, t2", "b: t3"));
}

TEST(WavesTest, LabelsClaimTheirsFirstWhereverTheyStand) {
  const v1::Environment environment = Read(R"(
targets: [a, b, c, d]
labels:
  - {targets: [c], labels: {tier: canary, region: eu}}
  - {targets: [a, d], labels: {tier: late}}
waves:
  - {name: first, count: 1}
  - {name: canary, labels: {tier: canary, region: eu}}
  - {name: late, labels: {tier: late}}
)");
  EXPECT_THAT(Waves(environment), ElementsAre("first: b", "canary: c", "late: a, d"));
}

TEST(WavesTest, ATargetInSeveralEntriesHasAllTheirLabels) {
  const v1::Environment environment = Read(R"(
targets: [a, b]
labels:
  - {targets: [a, b], labels: {tier: canary}}
  - {targets: [b], labels: {region: eu}}
waves:
  - {name: canary, labels: {tier: canary, region: eu}}
  - {name: rest}
)");
  EXPECT_THAT(Waves(environment), ElementsAre("canary: b", "rest: a"));
}

TEST(WavesTest, RefusesATargetWithTheLabelsOfTwoWaves) {
  ExpectRefused(Read(R"(
targets: [a, b]
labels: [{targets: [a], labels: {tier: canary, region: eu}}]
waves: [{name: x, labels: {tier: canary}}, {name: y, labels: {region: eu}}, {name: z}]
)"),
                "waves[1].labels", "the target \"a\" is in the wave \"x\" already");
}

TEST(WavesTest, RefusesAWaveWithoutTargets) {
  ExpectRefused(Numbered(2, "waves: [{name: a, labels: {tier: canary}}, {name: b}]"), "waves[0]",
                "there is none with the labels tier: canary");
  ExpectRefused(Numbered(2, "waves: [{name: a, count: 2}, {name: b}]"), "waves[1]",
                "the wave \"b\" has no target");
}

TEST(WavesTest, RefusesTargetsThatAreInNoWave) {
  ExpectRefused(Numbered(4, "waves: [{name: a, count: 3}]"), "waves", "1 target is in no wave: t4");
  ExpectRefused(Numbered(9, "waves: [{name: a, count: 1}]"), "waves", "t6, …; add a last wave");
}

TEST(WavesTest, RefusesWavesThatAreWrongInThemselves) {
  const auto refused = [](const std::string& waves, const std::string& field, const std::string& what) {
    ExpectRefused(Numbered(4, "waves: " + waves), field, what);
  };
  refused("[{name: a}, {name: b, count: 1}]", "waves[0]", "make it the last");
  refused("[{name: a, count: 1, percent: 10}, {name: b}]", "waves[0]", "more than one");
  refused("[{name: a, labels: {x: y}, count: 1}, {name: b}]", "waves[0]", "more than one");
  refused("[{name: a, count: 1}, {name: a}]", "waves[1].name", "stands in environments[3].waves[0] already");
  refused("[{count: 1}, {name: a}]", "waves[0].name", "is required");
  refused("[{name: A/b, count: 1}, {name: a}]", "waves[0].name", "lower-case");
  refused("[{name: a, count: -1}, {name: b}]", "waves[0].count", "-1 is out of range");
  refused("[{name: a, percent: 101}, {name: b}]", "waves[0].percent", "101 is out of range");
  refused("[{name: a, max_parallel: -1}]", "waves[0].max_parallel", "-1 is out of range");
  refused("[{name: a, bake: 9000h}]", "waves[0].bake", "9000h is out of range");
}

TEST(WavesTest, AFieldStandsAloneWithoutAPath) {
  EXPECT_EQ(base::Detail(AssignWaves(Numbered(1, "waves: [{count: 1}]")).status(), base::kField),
            "waves[0].name");
}

}  // namespace
}  // namespace curlew::plan
