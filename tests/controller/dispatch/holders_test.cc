#include "controller/dispatch/holders.h"

#include <gmock/gmock.h>

#include <utility>

#include "common/base/proto_time.h"
#include "tests/support/status_matchers.h"

namespace curlew::dispatch {
namespace {

using ::curlew::testing::IsOkAndHolds;
using ::curlew::testing::StatusIs;
using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::Pair;

v1::Rollout Rollout(const std::string& name, int created,
                    v1::RolloutState state = v1::ROLLOUT_STATE_RUNNING) {
  v1::Rollout rollout;
  rollout.set_name(name);
  rollout.set_state(state);
  *rollout.mutable_create_time() = base::ToProto(absl::FromUnixSeconds(created));
  return rollout;
}

void AddRun(v1::Rollout* rollout, const std::string& target, v1::RunState state = v1::RUN_STATE_PENDING,
            v1::AttemptState attempt = v1::ATTEMPT_STATE_UNSPECIFIED) {
  v1::Run& run = *rollout->add_runs();
  run.set_target(target);
  run.set_state(state);
  if (attempt != v1::ATTEMPT_STATE_UNSPECIFIED) run.add_steps()->mutable_attempt()->set_state(attempt);
}

absl::StatusOr<std::map<std::string, std::string>> HoldersOf(const v1::Rollout& rollout,
                                                             const std::vector<const v1::Rollout*>& all,
                                                             const std::string& succeeded = "") {
  return Holders(all).Of(rollout, [&](const std::string& name) -> absl::StatusOr<bool> {
    if (name == "rollouts/unknown") return absl::UnavailableError("the store is away");
    return name == succeeded;
  });
}

TEST(HoldersTest, WhoWasCreatedFirstHoldsTheOthersWhereTheyMeet) {
  v1::Rollout a = Rollout("rollouts/a", 2), b = Rollout("rollouts/b", 1), c = Rollout("rollouts/c", 3);
  AddRun(&a, "crm");
  AddRun(&a, "shop");
  AddRun(&b, "crm");
  AddRun(&c, "crm");
  AddRun(&c, "mail");
  EXPECT_THAT(HoldersOf(a, {&a, &b, &c}), IsOkAndHolds(ElementsAre(Pair("crm", "rollouts/b"))));
  EXPECT_THAT(HoldersOf(b, {&a, &b, &c}), IsOkAndHolds(IsEmpty()));
  EXPECT_THAT(HoldersOf(c, {&a, &b, &c}), IsOkAndHolds(ElementsAre(Pair("crm", "rollouts/b"))));
  EXPECT_THAT(Holders({&a, &b, &c}).On("crm"), ElementsAre("rollouts/b", "rollouts/a", "rollouts/c"));
}

TEST(HoldersTest, OfTwoThatWereCreatedAtOnceTheNameDecides) {
  v1::Rollout a = Rollout("rollouts/a", 1), b = Rollout("rollouts/b", 1);
  AddRun(&a, "crm");
  AddRun(&b, "crm");
  EXPECT_THAT(HoldersOf(a, {&a, &b}), IsOkAndHolds(IsEmpty()));
  EXPECT_THAT(HoldersOf(b, {&a, &b}), IsOkAndHolds(ElementsAre(Pair("crm", "rollouts/a"))));
}

TEST(HoldersTest, WhoHasBegunComesBeforeWhoWasCreatedEarlier) {
  for (const v1::RunState begun : {v1::RUN_STATE_RUNNING, v1::RUN_STATE_READY_TO_DROP, v1::RUN_STATE_DROPPING,
                                   v1::RUN_STATE_SUCCEEDED, v1::RUN_STATE_ROLLING_BACK}) {
    v1::Rollout early = Rollout("rollouts/early", 1), late = Rollout("rollouts/late", 2);
    AddRun(&early, "crm");
    AddRun(&late, "crm", begun);
    EXPECT_THAT(HoldersOf(early, {&early, &late}), IsOkAndHolds(ElementsAre(Pair("crm", "rollouts/late"))))
        << v1::RunState_Name(begun);
    EXPECT_THAT(HoldersOf(late, {&early, &late}), IsOkAndHolds(IsEmpty())) << "what has begun is not held";
    EXPECT_EQ(Holders({&early, &late}).BegunOn("crm", "rollouts/early"), "rollouts/late");
    EXPECT_EQ(Holders({&early, &late}).BegunOn("crm", "rollouts/late"), "");
  }
}

TEST(HoldersTest, WhatIsOnlyCompiledHasNotBegun) {
  for (const v1::RunState state : {v1::RUN_STATE_COMPILING, v1::RUN_STATE_COMPILED, v1::RUN_STATE_FAILED}) {
    v1::Rollout early = Rollout("rollouts/early", 1), late = Rollout("rollouts/late", 2);
    AddRun(&early, "crm");
    AddRun(&late, "crm", state);
    EXPECT_THAT(HoldersOf(late, {&early, &late}), IsOkAndHolds(ElementsAre(Pair("crm", "rollouts/early"))))
        << v1::RunState_Name(state);
    late.mutable_runs(0)->mutable_start_time();
    EXPECT_THAT(HoldersOf(late, {&early, &late}), IsOkAndHolds(IsEmpty())) << v1::RunState_Name(state);
  }
}

TEST(HoldersTest, WhatHasEndedHoldsNobodyUnlessAnAttemptMayBeAtWork) {
  v1::Rollout ended = Rollout("rollouts/ended", 1, v1::ROLLOUT_STATE_ABORTED),
              next = Rollout("rollouts/next", 2);
  AddRun(&ended, "crm", v1::RUN_STATE_RUNNING, v1::ATTEMPT_STATE_UNKNOWN);
  AddRun(&ended, "shop", v1::RUN_STATE_RUNNING, v1::ATTEMPT_STATE_CANCELLED);
  AddRun(&next, "crm");
  AddRun(&next, "shop");
  EXPECT_THAT(HoldersOf(next, {&ended, &next}), IsOkAndHolds(ElementsAre(Pair("crm", "rollouts/ended"))));
  EXPECT_THAT(OccupiedTargets(ended), ElementsAre("crm"));
}

TEST(HoldersTest, OneThatHasFailedIsActive) {
  v1::Rollout failed = Rollout("rollouts/failed", 1, v1::ROLLOUT_STATE_FAILED),
              next = Rollout("rollouts/next", 2);
  AddRun(&failed, "crm");
  AddRun(&next, "crm");
  EXPECT_THAT(HoldersOf(next, {&failed, &next}), IsOkAndHolds(ElementsAre(Pair("crm", "rollouts/failed"))));
}

TEST(HoldersTest, WhatComesFirstHoldsEveryTargetUntilItHasSucceeded) {
  v1::Rollout other = Rollout("rollouts/other", 1), next = Rollout("rollouts/next", 2);
  AddRun(&other, "crm");
  for (const char* target : {"crm", "shop"}) AddRun(&next, target);
  next.add_after("rollouts/first");
  EXPECT_THAT(HoldersOf(next, {&other, &next}),
              IsOkAndHolds(ElementsAre(Pair("crm", "rollouts/other"), Pair("shop", "rollouts/first"))));
  EXPECT_THAT(HoldersOf(next, {&next}, "rollouts/first"), IsOkAndHolds(IsEmpty()));
}

TEST(HoldersTest, WhatCannotBeLookedUpIsNotGuessed) {
  v1::Rollout next = Rollout("rollouts/next", 2);
  AddRun(&next, "crm");
  next.add_after("rollouts/unknown");
  EXPECT_THAT(HoldersOf(next, {&next}), StatusIs(absl::StatusCode::kUnavailable));
}

TEST(IsAtWorkTest, OnlyWhereStepsWereBegunAndAreNotAtAnEnd) {
  const auto at_work = [](v1::RunState state, bool started) {
    v1::Run run;
    run.set_state(state);
    if (started) run.mutable_start_time();
    return IsAtWork(run);
  };
  EXPECT_FALSE(at_work(v1::RUN_STATE_PENDING, false));
  EXPECT_FALSE(at_work(v1::RUN_STATE_COMPILED, false));
  EXPECT_TRUE(at_work(v1::RUN_STATE_RUNNING, true));
  EXPECT_TRUE(at_work(v1::RUN_STATE_READY_TO_DROP, true));
  EXPECT_TRUE(at_work(v1::RUN_STATE_ROLLING_BACK, true));
  EXPECT_TRUE(at_work(v1::RUN_STATE_FAILED, true));
  EXPECT_FALSE(at_work(v1::RUN_STATE_FAILED, false)) << "it could not be compiled";
  EXPECT_FALSE(at_work(v1::RUN_STATE_SUCCEEDED, true));
  EXPECT_FALSE(at_work(v1::RUN_STATE_ROLLED_BACK, true));
}

}  // namespace
}  // namespace curlew::dispatch
