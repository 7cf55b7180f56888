// How often, how long. docs/failure-handling.md shows the same table: the test fails where it says something
// else, and CURLEW_WRITE_DOCS=1 writes it anew.
#include "controller/rollout/step_policy.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>
#include <sstream>

#include "absl/strings/str_cat.h"
#include "common/base/proto_time.h"
#include "tests/controller/rollout/driver.h"

namespace curlew::rollout {
namespace {

using testing::Driver;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

constexpr char kPage[] = CURLEW_SOURCE_DIR "/docs/failure-handling.md";

std::string Time(absl::Duration duration) {
  return duration == absl::InfiniteDuration() ? "none" : absl::FormatDuration(duration);
}

std::string Render() {
  std::string text =
      "| kind | tries after ERRORED | pauses | deadline of an attempt | why |\n|---|---|---|---|---|\n";
  for (const PolicyRow& row : PolicyTable()) {
    absl::StrAppend(&text, "| ", row.name, " | ", row.policy.max_errored_attempts, " | ",
                    Time(row.policy.first_retry_pause), " to ", Time(row.policy.longest_retry_pause), " | ",
                    Time(row.policy.deadline), " | ", row.why, " |\n");
  }
  return text;
}

TEST(StepPolicyTest, ThePageHasTheTable) {
  std::ifstream in(kPage);
  std::stringstream text;
  text << in.rdbuf();
  std::string page = text.str();
  const std::string begin = "<!-- table: policies -->\n";
  const size_t from = page.find(begin);
  ASSERT_NE(from, std::string::npos) << kPage;
  const size_t start = from + begin.size();
  const size_t stop = page.find("<!-- end of table -->", start);
  ASSERT_NE(stop, std::string::npos) << kPage;
  if (std::getenv("CURLEW_WRITE_DOCS") != nullptr) {
    page.replace(start, stop - start, Render());
    std::ofstream(kPage) << page;
    return;
  }
  EXPECT_EQ(page.substr(start, stop - start), Render()) << "CURLEW_WRITE_DOCS=1 with this test writes it";
}

v1::Action Of(const std::function<void(v1::Action&)>& set) {
  v1::Action action;
  set(action);
  return action;
}

TEST(StepPolicyTest, EachKindHasItsOwn) {
  const auto policy = [](const std::function<void(v1::Action&)>& set) { return PolicyFor(Of(set), {}); };
  EXPECT_EQ(policy([](v1::Action& a) { a.mutable_execute_sql(); }).deadline, absl::Minutes(15));
  EXPECT_EQ(policy([](v1::Action& a) { a.mutable_install_trigger(); }).deadline, absl::Minutes(15));
  EXPECT_EQ(policy([](v1::Action& a) { a.mutable_execute_sql()->mutable_each_partition(); }).deadline,
            absl::InfiniteDuration());
  EXPECT_EQ(policy([](v1::Action& a) { a.mutable_backfill(); }).max_errored_attempts, 50);
  EXPECT_EQ(policy([](v1::Action& a) { a.mutable_transform_rows(); }).max_errored_attempts, 50);
  EXPECT_EQ(policy([](v1::Action& a) { a.mutable_wait(); }).max_errored_attempts, 50);
  EXPECT_EQ(policy([](v1::Action& a) { a.mutable_analyze(); }).deadline, absl::Hours(2));
  EXPECT_EQ(policy([](v1::Action& a) { a.mutable_analyze()->set_vacuum_if_bloated(true); }).deadline,
            absl::InfiniteDuration());
  for (const auto& set : std::vector<std::function<void(v1::Action&)>>{
           [](v1::Action& a) { a.mutable_execute_sql_concurrently(); },
           [](v1::Action& a) { a.mutable_validate_constraint(); },
           [](v1::Action& a) { a.mutable_verify(); }}) {
    EXPECT_EQ(policy(set).deadline, absl::InfiniteDuration());
    EXPECT_EQ(policy(set).first_retry_pause, absl::Seconds(5));
  }
  EXPECT_EQ(PolicyFor({}, {}).max_errored_attempts, StepPolicy().max_errored_attempts);
}

// Else the deadline would end what the plan's author asked to wait for.
TEST(StepPolicyTest, ADeadlineLeavesTheTimeThatThePlanGivesForLocks) {
  v1::PlanSettings settings;
  *settings.mutable_lock_retry_deadline() = base::ToProto(absl::Hours(1));
  const v1::Action sql = Of([](v1::Action& a) { a.mutable_execute_sql(); });
  EXPECT_EQ(PolicyFor(sql, settings).deadline, absl::Minutes(65));
  *settings.mutable_lock_retry_deadline() = base::ToProto(absl::Seconds(1));
  EXPECT_EQ(PolicyFor(sql, settings).deadline, absl::Minutes(15));
}

TEST(StepPolicyTest, OnlyAnalyzeMayBeSkipped) {
  EXPECT_TRUE(MaySkip(Of([](v1::Action& a) { a.mutable_analyze(); })));
  EXPECT_TRUE(MaySkip(Of([](v1::Action& a) { a.mutable_analyze()->set_vacuum_if_bloated(true); })));
  for (const auto& set : std::vector<std::function<void(v1::Action&)>>{
           [](v1::Action& a) { a.mutable_execute_sql(); },
           [](v1::Action& a) { a.mutable_execute_sql_concurrently(); },
           [](v1::Action& a) { a.mutable_install_trigger(); }, [](v1::Action& a) { a.mutable_backfill(); },
           [](v1::Action& a) { a.mutable_validate_constraint(); }, [](v1::Action& a) { a.mutable_verify(); },
           [](v1::Action& a) { a.mutable_transform_rows(); }, [](v1::Action& a) { a.mutable_wait(); },
           [](v1::Action&) {}}) {
    EXPECT_FALSE(MaySkip(Of(set)));
  }
}

TEST(StepPolicyTest, AnAttemptIsTriedAgainAsOftenAsItsPolicySays) {
  Driver driver(testing::Staging());
  driver.Start();
  driver.Compile("s");
  const StepPolicy policy{.max_errored_attempts = 2,
                          .first_retry_pause = absl::Seconds(5),
                          .longest_retry_pause = absl::Seconds(8)};
  const auto err = [&] {
    AttemptEnded ended{.target = "s",
                       .attempt = driver.live("s").attempt().number(),
                       .outcome = v1::ATTEMPT_STATE_ERRORED,
                       .policy = policy};
    ended.error.set_message("x");
    return driver.Apply(ended);
  };
  err();
  EXPECT_EQ(driver.history().back().message(), "s: look errored (1 of 3 tries): x");
  EXPECT_THAT(driver.Pass(absl::Seconds(4)), ElementsAre());
  EXPECT_THAT(driver.Pass(absl::Seconds(1)), ElementsAre("do s look #2"));
  err();
  EXPECT_THAT(driver.Pass(absl::Seconds(8)), ElementsAre("do s look #3"));
  err();
  EXPECT_EQ(driver.state().state(), v1::ROLLOUT_STATE_FAILED);
  EXPECT_THAT(driver.state().reason(), HasSubstr("given up after 3 tries"));
}

}  // namespace
}  // namespace curlew::rollout
