#include "controller/fenced_store.h"

#include <gmock/gmock.h>

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "common/base/error_detail.h"
#include "common/rpc/endpoint.h"
#include "controller/store/store_location.h"
#include "tests/support/fake_rollout_store.h"

namespace curlew::controller {
namespace {

absl::Status Aborted(absl::string_view reason) {
  return base::WithDetail(absl::AbortedError("refused"), base::kReason, reason);
}

// What each method says where the store beneath says `error`, and how often the owner was told.
struct Said {
  std::vector<absl::Status> statuses;
  int deposed = 0;
};

Said Ask(const absl::Status& error) {
  Said said;
  auto below = std::make_unique<testing::FakeRolloutStore>();
  below->FailWith(error);
  FencedStore store(std::move(below), [&] { ++said.deposed; });
  std::string next;
  said.statuses = {store.PutPlan({}).status(),           store.GetPlan("p").status(),
                   store.ListPlans({}, &next).status(),  store.PutEnvironments({}),
                   store.ListEnvironments().status(),    store.Commit({}).status(),
                   store.GetRollout("r").status(),       store.ListRollouts({}, &next).status(),
                   store.ListEvents("r", 0, 1).status(), store.GetCompiledPlan("c").status(),
                   store.PendingOutbox().status()};
  return said;
}

TEST(FencedStoreTest, WhateverIsRefusedTellsTheOwnerAndMayBeRepeatedElsewhere) {
  const Said said = Ask(Aborted(store::kNotLeader));
  for (const absl::Status& status : said.statuses) {
    EXPECT_TRUE(absl::IsUnavailable(status)) << status;
    EXPECT_EQ(base::Detail(status, base::kReason), rpc::kStandbyReason);
    EXPECT_NE(base::Detail(status, base::kHint), "");
  }
  EXPECT_EQ(said.deposed, static_cast<int>(said.statuses.size()));
}

TEST(FencedStoreTest, OtherErrorsPassAsTheyAre) {
  for (const absl::Status& error :
       {Aborted("VERSION"), absl::AbortedError("it has changed"),
        base::WithDetail(absl::UnavailableError("away"), base::kReason, store::kNotLeader)}) {
    const Said said = Ask(error);
    for (const absl::Status& status : said.statuses) EXPECT_EQ(status, error);
    EXPECT_EQ(said.deposed, 0);
  }
}

}  // namespace
}  // namespace curlew::controller
