// What an agent that runs signed plans alone admits, and what its journal has of it.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <optional>
#include <string>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "agent/journal/signed_run.h"
#include "agent/journal/takeover.h"
#include "agent/session/admission.h"
#include "common/base/canonical_json.h"
#include "common/compiler/compiler.h"
#include "common/pg/introspect.h"
#include "tests/agent/verify/signing_test.h"
#include "tests/support/pg_test.h"
#include "tests/support/status_matchers.h"

namespace curlew::agent {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

constexpr char kRun[] = "rollouts/r1/runs/crm";
// preflight-1, add-1, drop-1, drop-2.
constexpr char kPlan[] = R"(
name: p
operations:
  - add_column: {table: contacts, column: a, type: text}
  - drop_sequence: {sequence: numbers}
  - drop_default: {table: contacts, column: phone}
)";

class TrustTest : public ::curlew::testing::PgTest {
 protected:
  void SetUp() override {
    conninfo_ = NewDatabase(
        "CREATE TABLE contacts (id bigint PRIMARY KEY, phone text DEFAULT 'x'); CREATE SEQUENCE numbers");
    ASSERT_NO_FATAL_FAILURE(Take("one"));
    connection_ = Connect(conninfo_);
    plan_ = PlanOf(kPlan);
    ASSERT_NO_FATAL_FAILURE(Compile());
    signature_ = SignedBy("alice", StatementOf(plan_));
  }

  void Take(const std::string& instance) {
    instance_ = instance;
    ASSERT_OK_AND_ASSIGN(const Tenure tenure, TakeOver({.connect = {.conninfo = conninfo_},
                                                        .target = "crm",
                                                        .agent_id = "agent",
                                                        .instance_id = instance},
                                                       CancelToken()));
    epoch_ = tenure.epoch;
  }
  // As the controller does it.
  void Compile() {
    ASSERT_OK_AND_ASSIGN(const v1::Schema schema,
                         pg::ReadSchema(connection_.get(), compiler::ScopeOf(plan_)));
    ASSERT_OK_AND_ASSIGN(compiled_, compiler::Compile(plan_, schema));
  }

  v1::Dispatch Command(const std::string& step, v1::Direction direction = v1::DIRECTION_DO) {
    v1::Dispatch dispatch;
    dispatch.set_target("crm");
    dispatch.set_run(kRun);
    dispatch.set_step(step);
    dispatch.set_attempt(1);
    dispatch.set_direction(direction);
    dispatch.set_epoch(epoch_);
    dispatch.set_compiled_digest(compiler::Digest(compiled_));
    return dispatch;
  }
  // With what comes with a run's first step.
  v1::Dispatch First() {
    v1::Dispatch dispatch = Command("preflight-1");
    *dispatch.mutable_compiled_plan() = compiled_;
    *dispatch.mutable_plan() = plan_;
    *dispatch.add_plan_signatures() = signature_;
    return dispatch;
  }
  absl::StatusOr<Admission> Ask(const v1::Dispatch& dispatch) {
    return Admit(connection_.get(), dispatch, instance_, trusting_ ? &trust_ : nullptr, now_);
  }
  // "" where it is done.
  std::string Refused(const v1::Dispatch& dispatch) {
    const auto admission = Ask(dispatch);
    EXPECT_OK(admission.status());
    if (!admission.ok()) return std::string(admission.status().message());
    const auto* refusal = std::get_if<Refusal>(&*admission);
    if (refusal == nullptr) return "";
    EXPECT_EQ(refusal->reason, v1::NACK_REASON_INVALID) << refusal->message;
    EXPECT_FALSE(refusal->run_was_unknown) << refusal->message;
    return refusal->message;
  }
  std::optional<v1::Step> Admitted(const v1::Dispatch& dispatch) {
    const auto admission = Ask(dispatch);
    EXPECT_OK(admission.status());
    if (!admission.ok()) return std::nullopt;
    const auto* admitted = std::get_if<agent::Admitted>(&*admission);
    if (admitted != nullptr) return admitted->step;
    if (const auto* refusal = std::get_if<Refusal>(&*admission)) ADD_FAILURE() << refusal->message;
    return std::nullopt;
  }
  bool IsDone(const v1::Dispatch& dispatch) {
    const auto admission = Ask(dispatch);
    return admission.ok() && std::holds_alternative<AlreadyDone>(*admission);
  }
  void Done(const std::string& step, v1::Direction direction = v1::DIRECTION_DO) {
    ASSERT_OK_AND_ASSIGN(auto transaction,
                         FencedTransaction::Begin(connection_.get(), {epoch_, instance_}, {}));
    ASSERT_OK(RecordSuccess(
        transaction, {.run = kRun, .step = step, .direction = direction, .attempt = 1, .epoch = epoch_}, 0));
    ASSERT_OK(transaction.Commit());
  }
  // Up to what needs decisions.
  void DoneBeforeDrop() {
    ASSERT_TRUE(Admitted(First()).has_value());
    for (const char* step : {"preflight-1", "add-1"}) ASSERT_NO_FATAL_FAILURE(Done(step));
  }
  v1::DecisionSignature DropBy(const std::string& who) {
    v1::DecisionStatement statement;
    statement.set_id(NewId());
    statement.set_kind(v1::DECISION_KIND_DROP);
    statement.set_rollout("rollouts/r1");
    statement.set_plan_digest(plan::Digest(plan_));
    (*statement.mutable_compiled_digests())["crm"] = compiler::Digest(compiled_);
    *statement.mutable_expire_time() = base::ToProto(now_ + absl::Hours(1));
    return SignedBy(who, statement);
  }
  std::string Runs() { return Query(conninfo_, "SELECT string_agg(run, ' ' ORDER BY run) FROM curlew.run"); }

  std::string conninfo_, instance_;
  int64_t epoch_ = 0;
  std::unique_ptr<pg::Connection> connection_;
  bool trusting_ = true;
  Trust trust_ = TestTrust();
  absl::Time now_ = absl::Now();
  v1::Plan plan_;
  v1::CompiledPlan compiled_;
  v1::PlanSignature signature_;
};

TEST_F(TrustTest, PinsWhatItHasCompiledItselfWithAllThatItWasBegunBy) {
  ASSERT_EQ(compiled_.steps_size(), 4) << compiled_.ShortDebugString();
  v1::Dispatch dispatch = First();
  // The controller's bytes are not looked at.
  dispatch.mutable_compiled_plan()->mutable_steps(0)->mutable_action()->mutable_execute_sql()->add_statements(
      "DROP TABLE contacts");
  const auto step = Admitted(dispatch);
  ASSERT_TRUE(step.has_value());
  EXPECT_TRUE(step->action().has_verify());
  const auto column = [&](const std::string& name) {
    return Query(conninfo_, absl::StrCat("SELECT ", name, "::text FROM curlew.run WHERE run = '", kRun, "'"));
  };
  EXPECT_EQ(column("compiled"), base::CanonicalJson(compiled_));
  EXPECT_EQ(column("compiled_digest"), compiler::Digest(compiled_));
  EXPECT_EQ(column("steps_digest"), compiler::StepsDigest(compiled_));
  EXPECT_EQ(column("plan"), base::CanonicalJson(plan_));
  EXPECT_EQ(column("plan_signature"), base::CanonicalJson(signature_));
  EXPECT_EQ(column("signature_id"), signature_.statement().id());
  EXPECT_THAT(column("snapshot"), AllOf(HasSubstr("contacts"), HasSubstr("numbers")));
  EXPECT_EQ(column("barred"), "false");
}

TEST_F(TrustTest, AsksForThePlanWhereItDoesNotComeAlong) {
  const auto admission = Ask(Command("preflight-1"));
  ASSERT_OK(admission.status());
  EXPECT_EQ(std::get<Refusal>(*admission).reason, v1::NACK_REASON_NEED_PLAN);
  // A controller of before there were signatures would be asked for ever.
  v1::Dispatch old = Command("preflight-1");
  *old.mutable_compiled_plan() = compiled_;
  EXPECT_THAT(Refused(old), HasSubstr("the controller sent no plan with its signatures"));
  EXPECT_EQ(Runs(), "");
}

TEST_F(TrustTest, RefusesWhatIsNotSignedAndPinsNothing) {
  v1::Dispatch dispatch = First();
  dispatch.clear_plan_signatures();
  EXPECT_THAT(Refused(dispatch), AllOf(HasSubstr("is not signed"), HasSubstr("curlew plan sign plans/p-")));
  dispatch = First();
  dispatch.set_run("rollouts/../../x/runs/crm");
  EXPECT_THAT(Refused(dispatch), HasSubstr("is not the name of a run on this target"));
  dispatch = First();
  dispatch.mutable_plan()->clear_operations();
  EXPECT_THAT(Refused(dispatch), HasSubstr("what the controller sent is no plan"));
  EXPECT_EQ(Runs(), "");
}

TEST_F(TrustTest, RefusesAnotherDigestThanItsOwn) {
  v1::Dispatch dispatch = First();
  dispatch.set_compiled_digest(std::string(64, 'd'));
  EXPECT_THAT(Refused(dispatch),
              AllOf(HasSubstr(std::string(64, 'd')), HasSubstr(compiler::Digest(compiled_)),
                    HasSubstr("curlew target drift")));
  dispatch.mutable_compiled_plan()->set_compiler_version("4");
  EXPECT_THAT(Refused(dispatch),
              HasSubstr(absl::StrCat("by version 4 of the compiler, this agent by version ",
                                     compiler::kCompilerVersion)));
  // The schema moves after the controller has read it.
  Query(conninfo_, "ALTER TABLE contacts ADD COLUMN moved int");
  EXPECT_THAT(Refused(First()), HasSubstr("the schema has changed since the controller read it"));
  EXPECT_EQ(Runs(), "");
  // So that it does not fit at all.
  Query(conninfo_, "ALTER TABLE contacts ADD COLUMN a int");
  EXPECT_THAT(Refused(First()), HasSubstr("does not fit this database, as this agent compiles it itself"));
  Query(conninfo_, "ALTER TABLE contacts DROP COLUMN a, DROP COLUMN moved");
  EXPECT_TRUE(Admitted(First()).has_value());
}

TEST_F(TrustTest, ASignatureBeginsOneRun) {
  ASSERT_TRUE(Admitted(First()).has_value());
  v1::Dispatch replayed = First();
  replayed.set_run("rollouts/r2/runs/crm");
  EXPECT_THAT(Refused(replayed), HasSubstr("was used already, by rollouts/r1/runs/crm"));
  EXPECT_EQ(Runs(), kRun);
  // Another one of the same plan begins another.
  *replayed.mutable_plan_signatures(0) = SignedBy("ann", StatementOf(plan_));
  EXPECT_TRUE(Admitted(replayed).has_value());
  EXPECT_EQ(Runs(), "rollouts/r1/runs/crm rollouts/r2/runs/crm");
}

TEST_F(TrustTest, TheJournalItselfKeepsASignatureFromBeginningTwo) {
  ASSERT_TRUE(Admitted(First()).has_value());
  SignedRun pinned{
      .plan = plan_, .signature = signature_, .compiled = compiled_, .digest = "d", .steps_digest = "s"};
  ASSERT_OK_AND_ASSIGN(auto transaction,
                       FencedTransaction::Begin(connection_.get(), {epoch_, instance_}, {}));
  EXPECT_TRUE(absl::IsAlreadyExists(PinSignedPlan(transaction, "rollouts/r2/runs/crm", pinned)));
  // Nor may a run be pinned to something else, by the same signature or another.
  EXPECT_TRUE(absl::IsFailedPrecondition(PinSignedPlan(transaction, kRun, pinned)));
  pinned.digest = compiler::Digest(compiled_);
  EXPECT_OK(PinSignedPlan(transaction, kRun, pinned));
  pinned.signature = SignedBy("alice", StatementOf(plan_));
  EXPECT_TRUE(absl::IsFailedPrecondition(PinSignedPlan(transaction, kRun, pinned)));
  transaction.Rollback();
  EXPECT_FALSE(connection_
                   ->Execute("INSERT INTO curlew.run (run, plan_name, compiled_digest, compiled, plan,"
                             " plan_signature, signature_id, snapshot, steps_digest) SELECT 'r2', plan_name,"
                             " compiled_digest, compiled, plan, plan_signature, signature_id, snapshot,"
                             " steps_digest FROM curlew.run")
                   .ok());
}

TEST_F(TrustTest, TheSameRunMayPinAgain) {
  // As after a crash between verification and pin, and as after one between pin and step.
  for (int i = 0; i < 3; ++i) EXPECT_TRUE(Admitted(First()).has_value());
  EXPECT_EQ(Runs(), kRun);
}

TEST_F(TrustTest, ADatabaseThatWentBackTakesTheSignatureOnceMore) {
  ASSERT_TRUE(Admitted(First()).has_value());
  Query(conninfo_, "DELETE FROM curlew.run");
  v1::Dispatch other = First();
  other.set_run("rollouts/r2/runs/crm");
  EXPECT_TRUE(Admitted(other).has_value());
  EXPECT_EQ(Runs(), "rollouts/r2/runs/crm");
}

TEST_F(TrustTest, AnAgentThatWasReplacedPinsNothing) {
  const std::string before = instance_;
  const int64_t epoch = epoch_;
  ASSERT_NO_FATAL_FAILURE(Take("two"));
  connection_ = Connect(conninfo_);
  v1::Dispatch old = First();
  old.set_epoch(epoch);
  EXPECT_TRUE(IsFencedOut(Admit(connection_.get(), old, before, &trust_, now_).status()));
  EXPECT_EQ(Runs(), "");
  EXPECT_TRUE(Admitted(First()).has_value());
}

TEST_F(TrustTest, TheNextAgentGoesOnWithWhatIsPinnedAlsoWhenTheSignatureHasExpired) {
  ASSERT_TRUE(Admitted(First()).has_value());
  ASSERT_NO_FATAL_FAILURE(Done("preflight-1"));
  ASSERT_NO_FATAL_FAILURE(Take("two"));
  connection_ = Connect(conninfo_);
  now_ += absl::Hours(24);
  EXPECT_TRUE(Admitted(Command("add-1")).has_value());
  // Half-done, the schema is another one: nothing is compiled any more.
  Query(conninfo_, "ALTER TABLE contacts ADD COLUMN a text");
  EXPECT_TRUE(Admitted(Command("add-1")).has_value());
  // What expired begins no other.
  v1::Dispatch other = First();
  other.set_run("rollouts/r2/runs/crm");
  EXPECT_THAT(Refused(other), HasSubstr("expired at"));
}

TEST_F(TrustTest, APlanThatAnotherVersionHasCompiledGoesOn) {
  compiled_.set_compiler_version("4");
  {
    ASSERT_OK_AND_ASSIGN(auto transaction,
                         FencedTransaction::Begin(connection_.get(), {epoch_, instance_}, {}));
    ASSERT_OK(PinSignedPlan(transaction, kRun,
                            {.plan = plan_,
                             .signature = signature_,
                             .compiled = compiled_,
                             .digest = compiler::Digest(compiled_),
                             .steps_digest = compiler::StepsDigest(compiled_)}));
    ASSERT_OK(transaction.Commit());
  }
  EXPECT_TRUE(Admitted(Command("preflight-1")).has_value());
}

TEST_F(TrustTest, AKeyThatIsTakenOutStopsItsRunsButNotTheirWayBack) {
  ASSERT_NO_FATAL_FAILURE(DoneBeforeDrop());
  trust_.plan_keys.erase("alice");
  v1::Dispatch drop = Command("drop-1");
  *drop.add_decisions() = DropBy("bob");
  EXPECT_THAT(Refused(drop),
              AllOf(HasSubstr("does not count any more"), HasSubstr("curlew rollout rollback")));
  EXPECT_TRUE(IsDone(Command("add-1")));
  const auto undo = Admitted(Command("add-1", v1::DIRECTION_UNDO));
  ASSERT_TRUE(undo.has_value());
  EXPECT_TRUE(undo->has_undo());
}

TEST_F(TrustTest, ARunThatWasHalfDoneWhenTrustWasSwitchedOnCanOnlyBeUndone) {
  trusting_ = false;
  ASSERT_NO_FATAL_FAILURE(DoneBeforeDrop());
  trusting_ = true;
  v1::Dispatch drop = Command("drop-1");
  *drop.add_decisions() = DropBy("bob");
  *drop.mutable_plan() = plan_;
  *drop.add_plan_signatures() = signature_;
  EXPECT_THAT(Refused(drop),
              AllOf(HasSubstr("was begun without a signature"), HasSubstr("take `trust:` out")));
  EXPECT_TRUE(IsDone(Command("add-1")));
  EXPECT_TRUE(Admitted(Command("add-1", v1::DIRECTION_UNDO))->has_undo());
  // And goes on where it is switched off again.
  trusting_ = false;
  EXPECT_TRUE(Admitted(drop).has_value());
}

TEST_F(TrustTest, DropWaitsForApproversWhoseDecisionsAreNotedForTheWholeOfIt) {
  ASSERT_NO_FATAL_FAILURE(DoneBeforeDrop());
  EXPECT_THAT(Refused(Command("drop-1")),
              AllOf(HasSubstr("step drop-1 of rollouts/r1 changes what cannot be brought back"),
                    HasSubstr("curlew rollout approve r1 --sign-key FILE")));
  v1::Dispatch drop = Command("drop-1");
  *drop.add_decisions() = DropBy("alice");
  EXPECT_THAT(Refused(drop), HasSubstr("is none of approver_keys"));
  EXPECT_EQ(Query(conninfo_, "SELECT count(*) FROM curlew.decision"), "0");
  const v1::DecisionSignature bobs = DropBy("bob");
  *drop.add_decisions() = bobs;
  EXPECT_TRUE(Admitted(drop).has_value());
  EXPECT_EQ(Query(conninfo_, "SELECT signature::text FROM curlew.decision WHERE step = ''"),
            base::CanonicalJson(bobs));
  ASSERT_NO_FATAL_FAILURE(Done("drop-1"));
  now_ += absl::Hours(24);
  EXPECT_TRUE(Admitted(Command("drop-2")).has_value());
  trust_.approver_keys.erase("bob");
  EXPECT_THAT(Refused(Command("drop-2")), HasSubstr("is none of approver_keys"));
}

TEST_F(TrustTest, WhoHasSignedThePlanDoesNotDecideAboutIt) {
  signature_ = SignedBy("ann", StatementOf(plan_));
  ASSERT_NO_FATAL_FAILURE(DoneBeforeDrop());
  v1::Dispatch drop = Command("drop-1");
  *drop.add_decisions() = DropBy("ann");
  EXPECT_THAT(Refused(drop), HasSubstr("key \"ann\" has signed the plan itself"));
  *drop.add_decisions() = DropBy("carol");
  EXPECT_TRUE(Admitted(drop).has_value());
}

TEST_F(TrustTest, AnOverrideThatNobodyHasSignedIsRefusedInBothDirections) {
  ASSERT_TRUE(Admitted(First()).has_value());
  v1::Dispatch dispatch = Command("preflight-1");
  dispatch.mutable_override()->set_actor("bob");
  dispatch.mutable_override()->set_reason("I say so");
  EXPECT_THAT(Refused(dispatch), AllOf(HasSubstr("step preflight-1 of rollouts/r1 need not hold"),
                                       HasSubstr("it is not signed")));
  v1::DecisionStatement statement = DropBy("bob").statement();
  statement.set_kind(v1::DECISION_KIND_OVERRIDE);
  statement.set_step("preflight-1");
  *dispatch.mutable_override()->mutable_signature() = SignedBy("bob", statement);
  EXPECT_TRUE(Admitted(dispatch).has_value());
  EXPECT_EQ(Query(conninfo_, "SELECT step FROM curlew.decision"), "preflight-1");
  for (const char* step : {"preflight-1", "add-1"}) ASSERT_NO_FATAL_FAILURE(Done(step));
  // A decision about one step says nothing of DROP.
  EXPECT_NE(Refused(Command("drop-1")), "");
  dispatch = Command("add-1", v1::DIRECTION_UNDO);
  dispatch.mutable_override()->set_actor("bob");
  EXPECT_THAT(Refused(dispatch), HasSubstr("it is not signed"));
  dispatch.clear_override();
  EXPECT_TRUE(Admitted(dispatch).has_value());
}

TEST_F(TrustTest, TheUndoOfARunThatWasNeverBegunDoesNothingAndLetsItEnd) {
  v1::Dispatch undo = First();
  undo.set_direction(v1::DIRECTION_UNDO);
  undo.set_step("add-1");
  undo.mutable_compiled_plan()->mutable_steps(1)->mutable_undo()->mutable_execute_sql()->add_statements(
      "DROP TABLE contacts");
  const auto step = Admitted(undo);
  ASSERT_TRUE(step.has_value());
  EXPECT_FALSE(step->has_undo());
  EXPECT_FALSE(step->has_action());
  undo.set_step("rollback-gate");
  EXPECT_FALSE(Admitted(undo)->has_action());
  EXPECT_EQ(Query(conninfo_, "SELECT barred || ' ' || compiled::text FROM curlew.run"), "true {}");
  ASSERT_NO_FATAL_FAILURE(Done("add-1", v1::DIRECTION_UNDO));
  EXPECT_TRUE(IsDone(Command("add-1", v1::DIRECTION_UNDO)));
  // It stays so: with a right signature, and without trust.
  EXPECT_THAT(Refused(First()), HasSubstr("did not know rollouts/r1/runs/crm when it was to be undone"));
  trusting_ = false;
  EXPECT_THAT(Refused(First()), HasSubstr("start another rollout"));
  EXPECT_FALSE(Admitted(Command("add-2", v1::DIRECTION_UNDO))->has_undo());
  // Nobody fills the journal by it.
  EXPECT_THAT(Refused(Command(std::string(101, 'x'), v1::DIRECTION_UNDO)), HasSubstr("longer than any"));
  v1::Dispatch long_digest = Command("add-1", v1::DIRECTION_UNDO);
  long_digest.set_run("rollouts/r3/runs/crm");
  long_digest.set_compiled_digest(std::string(65, 'x'));
  trusting_ = true;
  EXPECT_THAT(Refused(long_digest), HasSubstr("is none"));
  // The signature is not used up.
  trusting_ = true;
  v1::Dispatch other = First();
  other.set_run("rollouts/r2/runs/crm");
  EXPECT_TRUE(Admitted(other).has_value());
}

TEST_F(TrustTest, AStepOutOfTurnIsRefusedAsEver) {
  v1::Dispatch dispatch = First();
  dispatch.set_step("drop-1");
  const auto admission = Ask(dispatch);
  ASSERT_OK(admission.status());
  // The journal may have lost what came before: the controller is told what it has.
  EXPECT_TRUE(std::get<Refusal>(*admission).run_was_unknown);
  EXPECT_THAT(std::get<Refusal>(*admission).message,
              HasSubstr("step preflight-1, which comes before drop-1"));
  // Nothing is pinned, and the signature not used up.
  EXPECT_EQ(Runs(), "");
}

TEST_F(TrustTest, APlanThatBeginsWithDropIsPinnedOnceThatIsSigned) {
  plan_ = PlanOf("name: p\noperations:\n  - drop_default: {table: contacts, column: phone}\n");
  ASSERT_NO_FATAL_FAILURE(Compile());
  ASSERT_EQ(compiled_.steps(0).key(), "drop-1");
  signature_ = SignedBy("alice", StatementOf(plan_));
  v1::Dispatch dispatch = First();
  dispatch.set_step("drop-1");
  EXPECT_THAT(Refused(dispatch), HasSubstr("1 signed approval is needed"));
  EXPECT_EQ(Runs(), "");
  *dispatch.add_decisions() = DropBy("bob");
  EXPECT_TRUE(Admitted(dispatch).has_value());
  EXPECT_EQ(Query(conninfo_, "SELECT run FROM curlew.decision"), kRun);
}

}  // namespace
}  // namespace curlew::agent
