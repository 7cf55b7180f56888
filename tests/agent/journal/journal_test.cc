#include "agent/journal/journal.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "agent/journal/range_journal.h"
#include "common/base/canonical_json.h"
#include "tests/agent/executor/executor_test.h"

namespace curlew::agent {
namespace {

using ::curlew::testing::IsOkAndHolds;
using ::curlew::testing::StatusIs;

class JournalTest : public ExecutorTest {
 protected:
  void SetUp() override {
    ASSERT_NO_FATAL_FAILURE(Prepare("CREATE TABLE t (a int); INSERT INTO t SELECT generate_series(1, 1000)"));
    connection_ = Connect(conninfo_);
  }
  absl::Status Fenced(const std::function<absl::Status(FencedTransaction&)>& work) {
    auto transaction = FencedTransaction::Begin(connection_.get(), Mine(), {});
    if (!transaction.ok()) return transaction.status();
    if (absl::Status status = work(*transaction); !status.ok()) return status;
    return transaction->Commit();
  }
  std::unique_ptr<pg::Connection> connection_;
};

TEST_F(JournalTest, PinsAPlanForGood) {
  v1::CompiledPlan plan;
  plan.set_plan_name("p");
  plan.add_steps()->set_key("add-1");
  plan.mutable_steps(0)->set_title("with \"quotes\", \\ and ünïcode");
  const std::string digest = base::CanonicalDigest(plan);
  const std::string run = "rollouts/r2/runs/crm";
  ASSERT_OK(Fenced([&](FencedTransaction& t) { return PinPlan(t, run, plan, digest); }));
  ASSERT_OK(Fenced([&](FencedTransaction& t) { return PinPlan(t, run, plan, digest); }));
  EXPECT_THAT(Fenced([&](FencedTransaction& t) { return PinPlan(t, run, v1::CompiledPlan(), "other"); }),
              StatusIs(absl::StatusCode::kFailedPrecondition));
  ASSERT_OK_AND_ASSIGN(const auto pinned, ReadPlan(connection_.get(), run));
  ASSERT_TRUE(pinned.has_value());
  EXPECT_EQ(pinned->digest, digest);
  EXPECT_EQ(pinned->compiled.steps(0).title(), plan.steps(0).title());
}

TEST_F(JournalTest, ATransactionOfAnAgentThatStandsStillDoesNotKeepItsLocks) {
  ASSERT_OK_AND_ASSIGN(auto transaction, FencedTransaction::Begin(connection_.get(), Mine(),
                                                                  {.idle_timeout = absl::Milliseconds(50)}));
  ASSERT_OK(transaction.Execute("LOCK TABLE t IN ACCESS EXCLUSIVE MODE").status());
  // The agent is frozen from here on; an application gets on.
  const auto application = Connect(conninfo_);
  ASSERT_OK(application->Execute("SET lock_timeout = '20s'").status());
  EXPECT_OK(application->Execute("UPDATE t SET a = a WHERE a = 1").status());
  EXPECT_THAT(transaction.Commit(), ::testing::Not(::curlew::testing::IsOk()));
}

TEST_F(JournalTest, TheLongestSilenceOfATransactionIsShorterThanApplicationsNotice) {
  ASSERT_OK_AND_ASSIGN(auto transaction, FencedTransaction::Begin(connection_.get(), Mine(), {}));
  ASSERT_OK_AND_ASSIGN(const pg::Result shown,
                       transaction.Execute("SHOW idle_in_transaction_session_timeout"));
  EXPECT_EQ(shown.Text(0, 0), "2s");
}

TEST_F(JournalTest, NoticesAPlanThatWasChangedByHand) {
  v1::CompiledPlan plan;
  plan.set_plan_name("p");
  const std::string run = "rollouts/r2/runs/crm";
  ASSERT_OK(Fenced([&](FencedTransaction& t) { return PinPlan(t, run, plan, base::CanonicalDigest(plan)); }));
  Sql("UPDATE curlew.run SET compiled = '{\"plan_name\":\"q\"}' WHERE plan_name = 'p' RETURNING 1");
  EXPECT_THAT(ReadPlan(connection_.get(), run).status(), StatusIs(absl::StatusCode::kDataLoss));
}

TEST_F(JournalTest, KnowsIntentsFromSuccesses) {
  const StepAttempt attempt{.run = kRun, .step = "s", .attempt = 1, .epoch = 1};
  bool before = true;
  const auto intend = [&](FencedTransaction& t) {
    const auto recorded = RecordIntent(t, attempt);
    before = *recorded;
    return recorded.status();
  };
  ASSERT_OK(Fenced(intend));
  EXPECT_FALSE(before);
  ASSERT_OK(Fenced(intend));
  EXPECT_TRUE(before);
  ASSERT_OK_AND_ASSIGN(std::vector<StepRecord> records, ReadSteps(connection_.get(), kRun));
  ASSERT_EQ(records.size(), 1u);
  EXPECT_FALSE(records[0].succeeded);
  ASSERT_OK(Fenced([&](FencedTransaction& t) { return RecordSuccess(t, attempt, 7); }));
  ASSERT_OK_AND_ASSIGN(records, ReadSteps(connection_.get(), kRun));
  EXPECT_TRUE(records[0].succeeded);
  EXPECT_EQ(records[0].rows, 7);
}

TEST_F(JournalTest, ARangeBelongsToOneFileOfItsTable) {
  const StepAttempt attempt{.run = kRun, .step = "s", .attempt = 1, .epoch = 1};
  const Leaf leaf{.oid = static_cast<uint32_t>(std::stoul(Sql("SELECT 't'::regclass::oid"))),
                  .name = "public.t"};
  const auto start = [&](FencedTransaction& t) { return StartLeaf(t, attempt, leaf, false, "(9,0)"); };
  ASSERT_OK(Fenced(start));
  ASSERT_OK_AND_ASSIGN(auto leaves, ReadWalkedLeaves(connection_.get(), kRun, "s"));
  ASSERT_EQ(leaves.size(), 1u);
  EXPECT_EQ(absl::StrCat(leaves[0].blocks), Sql("SELECT pg_relation_size('t') / 8192"));
  WalkRange range;
  ASSERT_OK(Fenced([&](FencedTransaction& t) {
    const auto claimed = ClaimRange(t, attempt, leaves[0], "(4,0)", 2, 4);
    if (claimed.ok()) range = *claimed;
    return claimed.status();
  }));
  // Nobody is handed the same places twice.
  EXPECT_TRUE(absl::IsAborted(Fenced(
      [&](FencedTransaction& t) { return ClaimRange(t, attempt, leaves[0], "(4,0)", 2, 4).status(); })));
  bool same = false;
  WalkRange after = range;
  const auto advance = [&](FencedTransaction& t) {
    const auto advanced = AdvanceRange(t, attempt, leaf.name, range, after, false, 10);
    same = advanced.value_or(false);
    return advanced.status();
  };
  after.next = "(2,0)";
  ASSERT_OK(Fenced(advance));
  EXPECT_TRUE(same);
  // Who believes it to be elsewhere does not move it.
  EXPECT_TRUE(absl::IsUnavailable(Fenced(advance)));
  range = after;
  ASSERT_OK_AND_ASSIGN(const auto open, ReadOpenRanges(connection_.get(), kRun, "s"));
  ASSERT_EQ(open.size(), 1u);
  EXPECT_EQ(open[0].next, "(2,0)");
  EXPECT_EQ(open[0].passes, 2);
  Sql("VACUUM FULL t");
  ASSERT_OK(Fenced(advance));
  EXPECT_FALSE(same);
  ASSERT_OK(Fenced(start));
  EXPECT_EQ(Sql("SELECT claimed || ' ' || rows || ' ' || restarts FROM curlew.backfill"), " 10 1");
  EXPECT_EQ(Sql("SELECT count(*) FROM curlew.backfill_range"), "0");
}

}  // namespace
}  // namespace curlew::agent
