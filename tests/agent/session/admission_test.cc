#include "agent/session/admission.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace curlew::agent {
namespace {

using ::testing::HasSubstr;

// Steps a, b and c; b needs no undo; a rollback gate.
v1::CompiledPlan Plan() {
  v1::CompiledPlan plan;
  for (const char* key : {"a", "b", "c"}) {
    v1::Step& step = *plan.add_steps();
    step.set_key(key);
    step.mutable_action()->mutable_analyze();
    if (step.key() != "b") step.mutable_undo()->mutable_execute_sql();
  }
  plan.mutable_rollback_gate()->mutable_action()->mutable_wait();
  return plan;
}

v1::Dispatch Do(const std::string& step, v1::Direction direction = v1::DIRECTION_DO) {
  v1::Dispatch dispatch;
  dispatch.set_step(step);
  dispatch.set_direction(direction);
  return dispatch;
}
v1::Dispatch Undo(const std::string& step) { return Do(step, v1::DIRECTION_UNDO); }

StepRecord Done(const std::string& step, int64_t rows = 0) {
  return {.step = step, .succeeded = true, .rows = rows};
}
StepRecord Undone(const std::string& step) {
  return {.step = step, .direction = v1::DIRECTION_UNDO, .succeeded = true};
}
StepRecord Intended(const std::string& step) { return {.step = step}; }

std::string RefusalOf(const Admission& admission) {
  const auto* refusal = std::get_if<Refusal>(&admission);
  return refusal == nullptr ? "" : refusal->message;
}

TEST(AdmissionTest, AdmitsTheFirstStepOfAFreshRun) {
  EXPECT_TRUE(std::holds_alternative<Admitted>(Judge(Plan(), {}, Do("a"))));
}

TEST(AdmissionTest, RefusesAStepBeforeItsTurn) {
  EXPECT_THAT(RefusalOf(Judge(Plan(), {Done("a")}, Do("c"))),
              HasSubstr("step b, which comes before c, is not done"));
  EXPECT_THAT(RefusalOf(Judge(Plan(), {Done("a"), Intended("b")}, Do("c"))), HasSubstr("step b"));
  EXPECT_TRUE(std::holds_alternative<Admitted>(Judge(Plan(), {Done("a"), Done("b")}, Do("c"))));
}

TEST(AdmissionTest, AnIntentIsNoSuccess) {
  EXPECT_TRUE(std::holds_alternative<Admitted>(Judge(Plan(), {Intended("a")}, Do("a"))));
}

TEST(AdmissionTest, TellsTheRowsOfAStepThatIsDone) {
  const Admission admission = Judge(Plan(), {Done("a", 42)}, Do("a"));
  ASSERT_TRUE(std::holds_alternative<AlreadyDone>(admission));
  EXPECT_EQ(std::get<AlreadyDone>(admission).rows, 42);
}

TEST(AdmissionTest, RefusesToUndoBeforeALaterStepIsUndone) {
  EXPECT_THAT(RefusalOf(Judge(Plan(), {Done("a"), Done("b"), Done("c")}, Undo("a"))), HasSubstr("step c"));
  EXPECT_TRUE(std::holds_alternative<Admitted>(
      Judge(Plan(), {Done("a"), Done("b"), Done("c"), Undone("c")}, Undo("a"))));
}

TEST(AdmissionTest, AStepThatNeedsNoUndoStandsInNobodysWay) {
  EXPECT_TRUE(std::holds_alternative<Admitted>(Judge(Plan(), {Done("a"), Done("b")}, Undo("a"))));
}

// Else the undo of what came before would throw away the only copy that is left.
TEST(AdmissionTest, UndoesNothingOnceSomethingWasDroppedForGood) {
  v1::CompiledPlan plan = Plan();
  v1::Step& drop = *plan.add_steps();
  drop.set_key("drop");
  drop.set_phase(v1::PHASE_DROP);
  drop.mutable_action()->mutable_execute_sql()->add_statements("ALTER TABLE t DROP COLUMN old");
  const std::vector<StepRecord> before = {Done("a"), Done("b"), Done("c")};
  EXPECT_TRUE(std::holds_alternative<Admitted>(Judge(plan, before, Undo("c"))));
  std::vector<StepRecord> after = before;
  after.push_back(Done("drop"));
  EXPECT_THAT(RefusalOf(Judge(plan, after, Undo("c"))), HasSubstr("step drop was done"));
  after.push_back(Undone("c"));
  EXPECT_THAT(RefusalOf(Judge(plan, after, Undo("a"))), HasSubstr("step drop was done"));
}

TEST(AdmissionTest, UndoesAStepThatStoppedHalfWay) {
  EXPECT_TRUE(std::holds_alternative<Admitted>(Judge(Plan(), {Intended("a")}, Undo("a"))));
}

TEST(AdmissionTest, DoesNothingMoreOnceTheRunIsBeingUndone) {
  EXPECT_THAT(RefusalOf(Judge(Plan(), {Done("a"), Undone("c")}, Do("b"))), HasSubstr("has been undone"));
}

TEST(AdmissionTest, TheGateBeforeARollbackIsLookedAtAnewEachTime) {
  const Admission admission = Judge(Plan(), {Undone("rollback-gate")}, Undo("rollback-gate"));
  ASSERT_TRUE(std::holds_alternative<Admitted>(admission));
  EXPECT_EQ(std::get<Admitted>(admission).step.key(), "rollback-gate");
  EXPECT_NE(RefusalOf(Judge(Plan(), {}, Do("rollback-gate"))), "");
}

TEST(AdmissionTest, ATransactionThatTheJournalDoesNotKnowNeedsNoUndo) {
  v1::CompiledPlan plan = Plan();
  plan.mutable_steps(0)->mutable_action()->mutable_execute_sql()->add_statements("CREATE VIEW v AS SELECT 1");
  plan.mutable_steps(0)->mutable_undo()->mutable_execute_sql()->add_statements("DROP VIEW v");
  // Only the journal is written then.
  const Admission unknown = Judge(plan, {}, Undo("a"));
  ASSERT_TRUE(std::holds_alternative<Admitted>(unknown));
  EXPECT_FALSE(std::get<Admitted>(unknown).step.has_undo());
  const Admission known = Judge(plan, {Done("a")}, Undo("a"));
  ASSERT_TRUE(std::holds_alternative<Admitted>(known));
  EXPECT_TRUE(std::get<Admitted>(known).step.has_undo());
  // What is not one transaction may have stopped half-way.
  EXPECT_TRUE(std::holds_alternative<Admitted>(Judge(plan, {}, Undo("c"))));
  plan.mutable_steps(0)->mutable_action()->mutable_execute_sql()->mutable_each_partition()->set_table("t");
  EXPECT_TRUE(std::holds_alternative<Admitted>(Judge(plan, {}, Undo("a"))));
}

TEST(AdmissionTest, RefusesWhatThePlanDoesNotHave) {
  EXPECT_THAT(RefusalOf(Judge(Plan(), {}, Do("x"))), HasSubstr("no step x"));
  EXPECT_NE(RefusalOf(Judge(Plan(), {}, Do("a", v1::DIRECTION_UNSPECIFIED))), "");
}

}  // namespace
}  // namespace curlew::agent
