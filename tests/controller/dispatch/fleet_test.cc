// A rollout through many targets. CURLEW_FLEET says how many; the figure is printed.
#include <gmock/gmock.h>

#include <chrono>
#include <cstdlib>
#include <iostream>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "tests/controller/support/engine_fixture.h"
#include "tests/support/status_matchers.h"

namespace curlew::dispatch {
namespace {

using ::curlew::testing::AddsColumn;
using ::curlew::testing::EngineFixture;
using ::curlew::testing::IsOk;

class FleetTest : public EngineFixture {};

TEST_F(FleetTest, ResultsThatComeTogetherAreStoredTogether) {
  Apply({Environment("staging", {"crm", "shop"})});
  agent_.works = false;
  for (const char* target : {"crm", "shop"}) Serve(&agent_, target);
  ASSERT_THAT(Start("pair", StorePlan(AddsColumn("p"))), IsOk());
  loop_.RunReady();
  std::vector<v1::Dispatch> dispatched;
  for (const v1::ControllerMessage& message : agent_.kept) {
    if (message.has_dispatch()) dispatched.push_back(message.dispatch());
  }
  ASSERT_EQ(dispatched.size(), 2u);
  const int commits = store_.commits;
  for (const v1::Dispatch& dispatch : dispatched) agent_.Report(dispatch);
  loop_.RunReady();
  EXPECT_EQ(StateOf("pair"), v1::ROLLOUT_STATE_SUCCEEDED);
  EXPECT_EQ(store_.commits, commits + 1);
}

TEST_F(FleetTest, GoesThroughManyTargets) {
  int size = 100;
  if (const char* wanted = std::getenv("CURLEW_FLEET"); wanted != nullptr) {
    ASSERT_TRUE(absl::SimpleAtoi(wanted, &size)) << wanted;
  }
  std::vector<std::string> targets;
  for (int i = 0; i < size; ++i) targets.push_back(absl::StrCat("t", i));
  Apply({Environment("production", targets)});
  for (const std::string& target : targets) Serve(&agent_, target);
  loop_.RunReady();
  const auto begun = std::chrono::steady_clock::now();
  const auto seconds = [&] {
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - begun).count();
  };
  ASSERT_THAT(Start("fleet", StorePlan(AddsColumn("p"))), IsOk());
  while (StateOf("fleet") == v1::ROLLOUT_STATE_RUNNING && seconds() < 500) {
    loop_.Pass(absl::Seconds(1));
  }
  EXPECT_EQ(StateOf("fleet"), v1::ROLLOUT_STATE_SUCCEEDED);
  loop_.Pass(absl::Minutes(1));
  EXPECT_THAT(store_.records().NewestTargetRecord(targets.back()), IsOk());
  std::cout << size << " targets, " << dispatched_ << " attempts, " << store_.commits
            << " commits: " << seconds() << " s\n";
}

}  // namespace
}  // namespace curlew::dispatch
