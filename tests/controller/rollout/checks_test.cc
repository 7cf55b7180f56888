#include "controller/rollout/checks.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "absl/strings/str_cat.h"
#include "tests/controller/rollout/fleet.h"
#include "tests/support/status_matchers.h"

namespace curlew::rollout {
namespace {

using curlew::testing::StatusIs;
using testing::Driver;
using ::testing::ElementsAre;
using testing::Fleet;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using testing::RunIs;
using testing::StageIs;
using testing::Told;
using testing::Waits;

std::vector<std::string> Due(const Driver& driver) {
  std::vector<std::string> due;
  for (const DueCheck& check : DueChecks(driver.state(), driver.now())) {
    due.push_back(
        absl::StrCat(check.place, " ", check.check.name(), check.target.empty() ? "" : " ", check.target));
  }
  return due;
}

CheckReported Says(const std::string& place, const std::string& check, v1::CheckState state,
                   const std::string& target = "") {
  return {
      .place = place, .check = check, .target = target, .state = state, .value = "0.2", .message = "seen"};
}

constexpr v1::CheckState kPassing = v1::CHECK_STATE_PASSING;
constexpr v1::CheckState kFailing = v1::CHECK_STATE_FAILING;
constexpr char kGate[] = "production/before";

TEST(ChecksTest, AGatesChecksAreDueOnceItIsReachedAndUntilAllBehindItIsDone) {
  Driver driver({Fleet(
      {"a"}, "before: {checks: [{name: up, http: {url: \"http://x/{environment}\"}, interval: 1m}]}")});
  driver.Start();
  EXPECT_THAT(Due(driver), IsEmpty());
  driver.CompileAll({"a"});
  EXPECT_THAT(Due(driver), ElementsAre("production/before up"));
  EXPECT_EQ(DueChecks(driver.state(), driver.now())[0].check.http().url(), "http://x/production");
  EXPECT_EQ(NextCheckTime(driver.state()), absl::InfiniteFuture());
  EXPECT_THAT(Waits(driver), ElementsAre("CHECK production/before"));
  driver.Apply(Says(kGate, "up", kPassing));
  EXPECT_THAT(Due(driver), IsEmpty());
  EXPECT_EQ(NextCheckTime(driver.state()), driver.now() + absl::Minutes(1));
  driver.Pass(absl::Minutes(1));
  EXPECT_THAT(Due(driver), ElementsAre("production/before up"));
  driver.CompileAll({"a"});
  driver.Finish("a");
  EXPECT_EQ(driver.state().state(), v1::ROLLOUT_STATE_SUCCEEDED);
  EXPECT_THAT(Due(driver), IsEmpty());
}

TEST(ChecksTest, ChecksOfAgentsPlansAndWithTargetAreMadeForEachTarget) {
  Driver driver = testing::Started(Fleet({"a", "b"}, R"(
before:
  checks:
    - {name: lag, agent: {name: lag}}
    - {name: rows, plan: {name: rows}}
    - {name: errors, prometheus: {url: "http://p", query: "errors{db=\"{target}\"} < bool 1"}}
    - {name: all, prometheus: {url: "http://p", query: "up"}}
    - {name: said, reported: {}}
)"));
  EXPECT_THAT(Due(driver),
              ElementsAre("production/before lag a", "production/before lag b", "production/before rows a",
                          "production/before rows b", "production/before errors a",
                          "production/before errors b", "production/before all"));
  EXPECT_EQ(DueChecks(driver.state(), driver.now())[5].check.prometheus().query(),
            "errors{db=\"b\"} < bool 1");
  driver.Apply(TargetSkipped{"b", "bob", "x"});
  EXPECT_EQ(Due(driver).size(), 4u);
}

TEST(ChecksTest, WhoMakesAFewOfManyMakesEachInItsTurn) {
  Driver driver = testing::Started(
      Fleet({"a", "b", "c"}, "before: {checks: [{name: up, agent: {name: up}, interval: 1s}]}"));
  std::vector<std::string> made;
  for (int i = 0; i < 6; ++i) {
    ASSERT_FALSE(DueChecks(driver.state(), driver.now()).empty());
    made.push_back(DueChecks(driver.state(), driver.now())[0].target);
    driver.Apply(Says(kGate, "up", kFailing, made.back()));
    driver.Pass(absl::Seconds(2));
  }
  EXPECT_THAT(made, ElementsAre("a", "b", "c", "a", "b", "c"));
}

TEST(ChecksTest, OneThatMustHoldForATimeOpensTheGateAfterIt) {
  Driver driver =
      testing::Started(Fleet({"a"}, "before: {checks: [{name: up, http: {url: \"http://x\"}, hold: 2m}]}"));
  driver.Apply(Says(kGate, "up", kFailing));
  EXPECT_THAT(driver.state().waiting(0).message(), HasSubstr("is failing: seen"));
  driver.Pass(absl::Seconds(30));
  driver.Apply(Says(kGate, "up", kPassing));
  EXPECT_THAT(Waits(driver), ElementsAre("CHECK until 2027-01-15T08:02:30Z production/before"));
  driver.Pass(absl::Minutes(1));
  driver.Apply(Says(kGate, "up", kPassing));
  EXPECT_THAT(driver.Pass(absl::Minutes(1)), ElementsAre("compile a"));
  EXPECT_EQ(Told(driver, v1::EVENT_TYPE_CHECK_CHANGED), 2);
}

TEST(ChecksTest, AnAnswerThatIsTooOldDoesNotCountAndBreaksTheHold) {
  Driver driver =
      testing::Started(Fleet({"a"}, "before: {checks: [{name: up, http: {url: \"http://x\"}, hold: 1h}]}"));
  driver.Apply(Says(kGate, "up", kPassing));
  // Nobody has looked for an hour: the controller was down.
  EXPECT_THAT(driver.Pass(absl::Hours(1)), IsEmpty());
  EXPECT_THAT(driver.state().waiting(0).message(), HasSubstr("has no new answer"));
  driver.Apply(Says(kGate, "up", kPassing));
  EXPECT_THAT(Waits(driver), ElementsAre("CHECK until 2027-01-15T10:00:00Z production/before"));
}

TEST(ChecksTest, OneThatFailsTakesTheGateBackAndHoldsTheNextStep) {
  Driver driver = testing::Started(Fleet({"a"}, "before: {checks: [{name: up, http: {url: \"http://x\"}}]}"));
  driver.Apply(Says(kGate, "up", kPassing));
  driver.CompileAll({"a"});
  driver.Apply(Says(kGate, "up", v1::CHECK_STATE_ERROR));
  EXPECT_EQ(Told(driver, v1::EVENT_TYPE_GATE_TAKEN_BACK), 1);
  EXPECT_THAT(driver.Succeed("a"), IsEmpty());
  EXPECT_THAT(driver.Apply(Says(kGate, "up", kPassing)), ElementsAre("do a add #2"));
  EXPECT_TRUE(driver.state().stages(0).before().has_open_time());
}

TEST(ChecksTest, EveryTargetsCheckMustHold) {
  Driver driver = testing::Started(Fleet({"a", "b"}, "before: {checks: [{name: lag, agent: {name: lag}}]}"));
  EXPECT_THAT(driver.Apply(Says(kGate, "lag", kPassing, "a")), IsEmpty());
  driver.Apply(Says(kGate, "lag", kFailing, "b"));
  EXPECT_THAT(Waits(driver), ElementsAre("CHECK production/before b"));
  EXPECT_THAT(driver.Apply(Says(kGate, "lag", kPassing, "b")), ElementsAre("compile a", "compile b"));
}

TEST(ChecksTest, WhatIsNotAskedForIsIgnored) {
  Driver driver = testing::Started(Fleet({"a"}, "before: {checks: [{name: lag, agent: {name: lag}}]}"));
  const std::string before = driver.state().SerializeAsString();
  driver.Apply(Says("production/after", "lag", kPassing, "a"));
  driver.Apply(Says(kGate, "other", kPassing, "a"));
  driver.Apply(Says(kGate, "lag", kPassing, "x"));
  driver.Apply(Says(kGate, "lag", kPassing));
  EXPECT_EQ(driver.state().SerializeAsString(), before);
  EXPECT_THAT(driver.Try(Says(kGate, "lag", v1::CHECK_STATE_UNSPECIFIED, "a")),
              StatusIs(absl::StatusCode::kInvalidArgument));
}

TEST(ChecksTest, AWordCountsEverywhereAndUntilItExpires) {
  Driver driver({Fleet({"a"}, R"(
before: {checks: [{name: deployed, reported: {expires: 1h}}]}
before_drop: {checks: [{name: deployed, reported: {}}]}
)")});
  driver.Start();
  CheckReported word = Says("", "deployed", kPassing);
  EXPECT_THAT(driver.Try(word), StatusIs(absl::StatusCode::kInvalidArgument));
  word.actor = "ci";
  driver.Apply(word);  // before the gates are reached
  driver.CompileAll({"a"});
  EXPECT_EQ(RunIs(driver, "a"), "RUNNING");
  EXPECT_EQ(driver.last().wake, driver.now() + absl::Hours(1));
  driver.Pass(absl::Hours(1));
  EXPECT_EQ(Told(driver, v1::EVENT_TYPE_GATE_TAKEN_BACK), 1);
  EXPECT_THAT(driver.Succeed("a"), IsEmpty());
  word.check = "deploied";
  EXPECT_THAT(driver.Try(word), StatusIs(absl::StatusCode::kNotFound, HasSubstr("it has deployed")));
}

TEST(ChecksTest, KeepsTheTenNewestMeasurements) {
  Driver driver = testing::Started(Fleet({"a"}, "before: {checks: [{name: up, http: {url: \"http://x\"}}]}"));
  for (int i = 0; i < 25; ++i) {
    CheckReported says = Says(kGate, "up", kFailing);
    says.value = absl::StrCat(i);
    driver.Apply(says);
  }
  const v1::CheckStatus& status = driver.state().stages(0).before().checks(0);
  EXPECT_EQ(status.samples_size(), 10);
  EXPECT_EQ(status.samples(0).value(), "15");
  EXPECT_EQ(status.samples(9).value(), "24");
  EXPECT_EQ(status.failures(), 25);
}

constexpr char kHealth[] = R"(
waves: [{name: canary, count: 1, bake: 1h}, {name: rest}]
health: [{name: errors, agent: {name: errors}, failure_threshold: 2}]
)";
constexpr char kPlace[] = "production/health";

TEST(ChecksTest, HealthIsLookedAtOnTargetsThatWorkOrBake) {
  Driver driver = testing::Started(Fleet({"a", "b"}, kHealth));
  EXPECT_THAT(Due(driver), ElementsAre("production/health errors a"));
  driver.Finish("a");
  EXPECT_THAT(Due(driver), ElementsAre("production/health errors a"));
  driver.Pass(absl::Hours(1));
  EXPECT_THAT(Due(driver), ElementsAre("production/health errors b"));
}

TEST(ChecksTest, BadHealthPausesAndResumeGivesAnotherChance) {
  Driver driver = testing::Started(Fleet({"a", "b"}, kHealth));
  driver.Apply(Says(kPlace, "errors", kFailing, "a"));
  EXPECT_EQ(driver.state().state(), v1::ROLLOUT_STATE_RUNNING);
  EXPECT_THAT(driver.Apply(Says(kPlace, "errors", kFailing, "a")), ElementsAre("cancel a #1"));
  EXPECT_EQ(driver.state().state(), v1::ROLLOUT_STATE_PAUSED);
  EXPECT_EQ(
      driver.state().reason(),
      "paused by policy: health check errors of production has failed 2 times in a row on a (0.2): seen");
  EXPECT_EQ(Told(driver, v1::EVENT_TYPE_POLICY_ACTED), 1);
  driver.Apply(ResumeAsked{"bob"});
  driver.Apply(Says(kPlace, "errors", kFailing, "a"));
  EXPECT_EQ(driver.state().state(), v1::ROLLOUT_STATE_RUNNING);
}

TEST(ChecksTest, BadHealthRollsBackWhereThePolicySaysSo) {
  Driver driver = testing::Started(Fleet({"a", "b"}, absl::StrCat(kHealth, "on_unhealthy: rollback")));
  driver.Finish("a");
  driver.Apply(Says(kPlace, "errors", kFailing, "a"));
  driver.Apply(Says(kPlace, "errors", kFailing, "a"));
  EXPECT_EQ(driver.state().state(), v1::ROLLOUT_STATE_ROLLING_BACK);
  driver.Finish("a");
  EXPECT_EQ(driver.state().state(), v1::ROLLOUT_STATE_ROLLED_BACK);
  EXPECT_EQ(RunIs(driver, "b"), "COMPILED");
  EXPECT_EQ(driver.state().stages(0).health(0).samples_size(), 2);
}

TEST(ChecksTest, WhatCannotBeRolledBackIsPaused) {
  Driver driver =
      testing::Started(Fleet({"a"},
                             "health: [{name: up, http: {url: \"http://x\"}, failure_threshold: 1}]\n"
                             "waves: [{name: all, bake: 1h}]\non_unhealthy: rollback"));
  driver.Finish("a");
  driver.Pass(absl::Hours(1));
  driver.Finish("a");
  EXPECT_EQ(testing::WaveIs(driver, 0), "BAKING_DROP");
  driver.Apply(Says(kPlace, "up", kFailing));
  EXPECT_EQ(driver.state().state(), v1::ROLLOUT_STATE_PAUSED);
  EXPECT_THAT(driver.state().reason(), HasSubstr("it cannot be rolled back any more"));
}

TEST(ChecksTest, WhereNothingWorksHealthMovesNothing) {
  Driver driver = testing::Started(
      Fleet({"a"}, "before: {approvals: 1}\nhealth: [{name: said, reported: {}, failure_threshold: 1}]"));
  CheckReported word = Says("", "said", kFailing);
  word.actor = "ci";
  driver.Apply(word);
  EXPECT_EQ(driver.state().state(), v1::ROLLOUT_STATE_RUNNING);
  EXPECT_EQ(driver.state().stages(0).health(0).state(), kFailing);
}

}  // namespace
}  // namespace curlew::rollout
