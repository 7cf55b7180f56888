// What keeps a backfill right, taken away on purpose: each loss shows. See docs/dual-write.md, "Invariants".
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/agent/executor/executor_test.h"

namespace curlew::agent {
namespace {

// About 130 blocks, the last third of them with room for the versions that a walk makes.
constexpr char kHoles[] = R"sql(
CREATE TABLE t (id int, name text, n text, counter int NOT NULL DEFAULT 0, pending boolean NOT NULL DEFAULT true);
INSERT INTO t SELECT g, repeat('n', 70) FROM generate_series(1, 9000) g;
DELETE FROM t WHERE id > 6000 AND id % 10 <> 0;
-- One pass: what is shown here must not be hidden by a later one.
CREATE INDEX ON t (pending);
)sql";

class BrokenBackfillTest : public ExecutorTest {
 protected:
  void SetUp() override {
    ExecutorTest::SetUp();
    Prepare(kHoles);
    Sql("VACUUM t");
    settings_.mutable_backfill()->set_max_workers(1);
  }
  static v1::Action Set(const std::string& column, const std::string& expression,
                        const std::string& pending) {
    v1::Action action;
    v1::Backfill& backfill = *action.mutable_backfill();
    backfill.set_table("public.t");
    for (const auto& [name, value] : {std::make_pair(column, expression), {"pending", "false"}}) {
      v1::Assignment& assignment = *backfill.add_assignments();
      assignment.set_column(name);
      assignment.set_expression(value);
    }
    backfill.set_pending(pending);
    *backfill.mutable_batch_target() = base::ToProto(absl::Milliseconds(5));
    return action;
  }
  std::string ChangedTwice() { return Sql("SELECT count(*) FROM t WHERE counter > 1"); }
};

TEST_F(BrokenBackfillTest, AChangeInPlaceThatGoesByPlaceAloneIsMadeTwice) {
  ASSERT_EQ(Run("backfill-1", Set("counter", "t.counter + 1", "true")).state, v1::ATTEMPT_STATE_SUCCEEDED);
  EXPECT_NE(ChangedTwice(), "0") << "the next test proves nothing any more";
}

TEST_F(BrokenBackfillTest, WithItsMarkerItIsMadeOnce) {
  ASSERT_EQ(Run("backfill-1", Set("counter", "t.counter + 1", "t.pending")).state,
            v1::ATTEMPT_STATE_SUCCEEDED);
  EXPECT_EQ(ChangedTwice(), "0");
  EXPECT_EQ(Sql("SELECT min(counter) FROM t"), "1");
}

TEST_F(BrokenBackfillTest, WhatIsNotExactlyPendingOverwritesTheNewApplication) {
  Sql("UPDATE t SET n = 'mine', pending = false WHERE id = 5");
  ASSERT_EQ(Run("backfill-1", Set("n", "'filled'", "true")).state, v1::ATTEMPT_STATE_SUCCEEDED);
  EXPECT_EQ(Sql("SELECT n FROM t WHERE id = 5"), "filled") << "the next test proves nothing any more";
}

TEST_F(BrokenBackfillTest, WithItsMarkerItDoesNot) {
  Sql("UPDATE t SET n = 'mine', pending = false WHERE id = 5");
  ASSERT_EQ(Run("backfill-1", Set("n", "'filled'", "t.pending")).state, v1::ATTEMPT_STATE_SUCCEEDED);
  EXPECT_EQ(Sql("SELECT n FROM t WHERE id = 5"), "mine");
}

TEST_F(BrokenBackfillTest, ABoundThatIsReadAgainByEachWorkerWouldLeaveAGapAndIsNot) {
  // The table grows between the claims; what was there before is handed out once, to its end.
  base::FaultPlan::Get().Arm("backfill.after_commit", 2, [&] {
    Sql("INSERT INTO t (id, name) SELECT g, repeat('n', 70) FROM generate_series(10001, 12000) g");
  });
  settings_.mutable_backfill()->set_max_workers(3);
  ASSERT_EQ(Run("backfill-1", Set("counter", "t.counter + 1", "t.pending")).state,
            v1::ATTEMPT_STATE_SUCCEEDED);
  EXPECT_EQ(Sql("SELECT count(*) FROM t WHERE id <= 9000 AND counter <> 1"), "0");
  EXPECT_EQ(Sql("SELECT count(DISTINCT bound) FROM curlew.backfill"), "1");
}

}  // namespace
}  // namespace curlew::agent
