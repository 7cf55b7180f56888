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
#include "tests/support/status_matchers.h"

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
  said.statuses = {store.PutPlan({}, {}).status(),
                   store.GetPlan("p").status(),
                   store.ListPlans({}, &next).status(),
                   store.PutEnvironments({}, {}),
                   store.ListEnvironments().status(),
                   store.Commit({}).status(),
                   store.GetRollout("r").status(),
                   store.ListRollouts({}, &next).status(),
                   store.ListEvents("r", 0, 1).status(),
                   store.GetCompiledPlan("c").status(),
                   store.PendingOutbox().status(),
                   store.records().Put({}),
                   store.records().ListAudit(0, 1).status(),
                   store.records().AuditHead().status(),
                   store.records().PendingNotifications(0, 1).status(),
                   store.records().RemoveNotification(1),
                   store.records().UpdateNotification({}),
                   store.records().AddTargetRecord({}, {}).status(),
                   store.records().NewestTargetRecord("t").status(),
                   store.records().ListTargetRecords("t", {}, &next).status(),
                   store.tokens().AddToken({}, {}),
                   store.tokens().RevokeToken({}, {}).status(),
                   store.tokens().ListTokens({}, &next).status()};
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

TEST(FencedStoreTest, WhatTheStoreBelowAnswersPasses) {
  auto below = std::make_unique<testing::FakeRolloutStore>();
  store::RecordStore& records = below->records();
  FencedStore store(std::move(below), [] { ADD_FAILURE() << "nothing was refused"; });
  store::Record record;
  record.audit.emplace_back().set_action("plan.create");
  ASSERT_OK(store.PutPlan({}, record));
  ASSERT_OK(store.PutEnvironments({}, record));
  ASSERT_OK(store.records().Put(record));
  EXPECT_EQ(records.AuditHead()->number(), 3);
  EXPECT_EQ(store.records().AuditHead()->number(), 3);
  v1::TargetRecord on_record;
  on_record.set_target("crm");
  ASSERT_OK(store.records().AddTargetRecord(on_record, record));
  EXPECT_EQ(records.NewestTargetRecord("crm")->number(), 1);
  EXPECT_EQ(records.AuditHead()->number(), 4);
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
