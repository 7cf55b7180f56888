// A controller in the wrong hands: whatever it says, over TLS, to a real agent that runs signed plans alone,
// nothing of it reaches the database.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>

#include <fstream>
#include <functional>
#include <iostream>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "common/base/canonical_json.h"
#include "common/compiler/compiler.h"
#include "common/pg/introspect.h"
#include "common/rpc/transport.h"
#include "tests/agent/session/fake_controller.h"
#include "tests/agent/verify/signing_test.h"
#include "tests/support/certificates.h"
#include "tests/support/pg_test.h"
#include "tests/support/process.h"
#include "tests/support/status_matchers.h"

namespace curlew::agent {
namespace {

using ::curlew::testing::IsOkAndHolds;
using ::curlew::testing::Process;
using ::testing::HasSubstr;

constexpr char kRun[] = "rollouts/r1/runs/crm";
// preflight-1, add-1, drop-1, drop-2.
constexpr char kPlan[] = R"(
name: p
operations:
  - add_column: {table: contacts, column: a, type: text}
  - drop_sequence: {sequence: numbers}
  - drop_default: {table: contacts, column: phone}
settings: {unused_for: 1ms}
)";
// Whoever plans, runs or explains it leaves a trace that no rollback takes away.
constexpr char kEvil[] = "SELECT public.hit('x')";

class AttackerTest : public ::curlew::testing::PgTest {
 protected:
  void SetUp() override {
    conninfo_ = NewDatabase(
        "CREATE TABLE contacts (id bigint PRIMARY KEY, phone text DEFAULT 'x');"
        "INSERT INTO contacts SELECT g, g::text FROM generate_series(1, 100) g;"
        "CREATE SEQUENCE numbers; CREATE SEQUENCE canary;"
        "CREATE FUNCTION hit(text) RETURNS bigint IMMUTABLE LANGUAGE plpgsql AS"
        " 'BEGIN RETURN nextval(''public.canary''); END'");
    // It does what it is for.
    Query(conninfo_, "EXPLAIN SELECT public.hit('x')");
    ASSERT_EQ(Query(conninfo_, "SELECT is_called FROM canary"), "t");
    Query(conninfo_, "ALTER SEQUENCE canary RESTART");
    plan_ = PlanOf(kPlan);
    ASSERT_OK_AND_ASSIGN(const v1::Schema schema,
                         pg::ReadSchema(Connect(conninfo_).get(), compiler::ScopeOf(plan_)));
    ASSERT_OK_AND_ASSIGN(compiled_, compiler::Compile(plan_, schema));
    evil_.set_plan_name("p");
    evil_.set_plan_digest(compiled_.plan_digest());
    evil_.set_compiler_version(compiler::kCompilerVersion);
    for (const v1::Step& step : compiled_.steps()) {
      v1::Step& evil = *evil_.add_steps();
      evil.set_key(step.key());
      evil.set_phase(v1::PHASE_ADD);
      for (v1::Action* action : {evil.mutable_action(), evil.mutable_undo()}) {
        action->mutable_execute_sql()->add_statements(kEvil);
        action->mutable_execute_sql()->add_statements("DROP TABLE public.contacts");
      }
    }
    v1::Check& check = *evil_.mutable_rollback_gate()->mutable_action()->mutable_verify()->add_checks();
    check.set_count_query(kEvil);
    ASSERT_OK_AND_ASSIGN(transport_, rpc::Transport::Make(certificates_.Controller(), absl::Now()));
    controller_ = std::make_unique<FakeController>(0, transport_->ForServer());
    std::ofstream(certificates_.folder() + "/agent.yaml")
        << "checks: {mine: {sql: SELECT true}}\n"
        << "trust:\n  environment: production\n  plan_keys: {alice: " << KeyOf("alice").public_key().text()
        << ", ann: " << KeyOf("ann").public_key().text()
        << "}\n  approver_keys: {ann: " << KeyOf("ann").public_key().text()
        << ", bob: " << KeyOf("bob").public_key().text() << "}\n";
  }
  void TearDown() override {
    if (HasFailure() && agent_ != nullptr) std::cerr << agent_->output();
    agent_.reset();
    controller_.reset();
    PgTest::TearDown();
  }

  void StartAgent(const std::string& fault = "") {
    std::vector<std::string> argv = {CURLEW_AGENT_BINARY,
                                     "--controller",
                                     controller_->address(),
                                     "--target",
                                     "crm",
                                     "--config",
                                     certificates_.folder() + "/agent.yaml"};
    for (const std::string& flag : testing::Certificates::Flags(certificates_.Agent("crm-agent"))) {
      argv.push_back(flag);
    }
    ASSERT_OK_AND_ASSIGN(
        agent_,
        Process::Start({.argv = argv, .env = {{"CURLEW_TARGET_CRM", conninfo_}, {"CURLEW_FAULT", fault}}}));
    EXPECT_TRUE(controller_->Await(v1::AgentMessage::kHello).hello().requires_signatures());
    epoch_ = controller_->Await(v1::AgentMessage::kTargetReady).target_ready().epoch();
  }

  // A command that is right, with all that a first one brings; `change` makes it wrong.
  using Change = std::function<void(v1::Dispatch&)>;
  v1::Dispatch Right(const std::string& step) {
    v1::Dispatch dispatch;
    dispatch.set_target("crm");
    dispatch.set_run(kRun);
    dispatch.set_step(step);
    dispatch.set_attempt(++attempt_);
    dispatch.set_direction(v1::DIRECTION_DO);
    dispatch.set_epoch(epoch_);
    dispatch.set_compiled_digest(compiler::Digest(compiled_));
    // Nobody looks at it.
    *dispatch.mutable_compiled_plan() = evil_;
    *dispatch.mutable_plan() = plan_;
    *dispatch.add_plan_signatures() = signature_;
    return dispatch;
  }
  void Send(const v1::Dispatch& dispatch) {
    v1::ControllerMessage message;
    *message.mutable_dispatch() = dispatch;
    controller_->Send(message);
  }
  v1::Nack Refused(const std::string& step, const Change& change) {
    v1::Dispatch dispatch = Right(step);
    change(dispatch);
    Send(dispatch);
    const v1::Nack nack = controller_->Await(v1::AgentMessage::kNack).nack();
    EXPECT_EQ(nack.attempt(), dispatch.attempt());
    return nack;
  }
  v1::Result Do(
      const std::string& step, const Change& change = [](v1::Dispatch&) {}) {
    v1::Dispatch dispatch = Right(step);
    change(dispatch);
    Send(dispatch);
    v1::Result result = controller_->Await(v1::AgentMessage::kResult).result();
    v1::ControllerMessage ack;
    ack.mutable_result_ack()->set_run(result.run());
    ack.mutable_result_ack()->set_attempt(result.attempt());
    controller_->Send(ack);
    EXPECT_EQ(result.outcome(), v1::ATTEMPT_STATE_SUCCEEDED) << result.DebugString();
    return result;
  }
  Change SignedBy(const std::string& who, const std::function<void(v1::PlanStatement&)>& change) {
    return [=](v1::Dispatch& dispatch) {
      v1::PlanStatement statement = StatementOf(dispatch.plan());
      change(statement);
      *dispatch.mutable_plan_signatures(0) = agent::SignedBy(who, statement);
    };
  }
  v1::DecisionStatement Drop() {
    v1::DecisionStatement statement;
    statement.set_id(NewId());
    statement.set_kind(v1::DECISION_KIND_DROP);
    statement.set_rollout("rollouts/r1");
    statement.set_plan_digest(plan::Digest(plan_));
    (*statement.mutable_compiled_digests())["crm"] = compiler::Digest(compiled_);
    *statement.mutable_expire_time() = base::ToProto(absl::Now() + absl::Hours(1));
    return statement;
  }
  Change DecidedBy(const std::string& who, const std::function<void(v1::DecisionStatement&)>& change) {
    v1::DecisionStatement statement = Drop();
    change(statement);
    return [=](v1::Dispatch& dispatch) { *dispatch.add_decisions() = agent::SignedBy(who, statement); };
  }

  // All that an attacker might want to change: schema, rows, the journal's steps and plans, and the canary.
  std::string Everything() {
    return absl::StrCat(
        PgDump(conninfo_),
        Query(conninfo_, "SELECT md5(string_agg(c::text, ' ' ORDER BY id)) FROM contacts c"),
        Query(conninfo_, "SELECT ' canary ' || is_called FROM canary"),
        Query(conninfo_,
              "SELECT ' steps ' || coalesce(string_agg(concat(run, step, direction), ' ' ORDER BY 1),"
              " '') FROM curlew.step"),
        Query(conninfo_,
              "SELECT ' runs ' || coalesce(string_agg(run || md5(compiled::text), ' ' ORDER BY 1), '')"
              " FROM curlew.run"),
        Query(conninfo_, "SELECT ' decisions ' || count(*) FROM curlew.decision"));
  }

  std::string conninfo_;
  v1::Plan plan_;
  v1::CompiledPlan compiled_, evil_;
  v1::PlanSignature signature_ = agent::SignedBy("alice", StatementOf(PlanOf(kPlan)));
  testing::Certificates certificates_;
  std::unique_ptr<const rpc::Transport> transport_;
  std::unique_ptr<FakeController> controller_;
  std::unique_ptr<Process> agent_;
  int64_t epoch_ = 0;
  int attempt_ = 0;
};

TEST_F(AttackerTest, BeginsNothingThatNobodyHasSigned) {
  ASSERT_NO_FATAL_FAILURE(StartAgent());
  const std::string before = Everything();
  v1::Plan other = plan_;
  other.mutable_operations()->RemoveLast();
  v1::Plan sql =
      PlanOf(absl::StrCat("name: p\noperations:\n  - sql: {up: \"", kEvil, "\", down: \"", kEvil, "\"}\n"));
  const struct {
    const char* name;
    Change change;
    const char* message;
  } kAttacks[] = {
      {"steps of its own under the right digest, without a plan", [](v1::Dispatch& d) { d.clear_plan(); },
       "the controller sent no plan with its signatures"},
      {"steps of its own under their own digest",
       [&](v1::Dispatch& d) { d.set_compiled_digest(base::CanonicalDigest(evil_)); },
       "wants something else done than what was signed"},
      {"no signature", [](v1::Dispatch& d) { d.clear_plan_signatures(); }, "is not signed"},
      {"another plan under a right signature", [&](v1::Dispatch& d) { *d.mutable_plan() = other; },
       "is of another plan"},
      {"SQL of its own under a right signature", [&](v1::Dispatch& d) { *d.mutable_plan() = sql; },
       "is of another plan"},
      {"SQL of its own, signed by itself",
       [&](v1::Dispatch& d) {
         *d.mutable_plan() = sql;
         *d.mutable_plan_signatures(0) = agent::SignedBy("mallory", StatementOf(sql));
       },
       "is none of plan_keys (alice, ann)"},
      {"signed by an approver", SignedBy("bob", [](v1::PlanStatement&) {}), "is none of plan_keys"},
      {"a key that is trusted, beside a signature of its own",
       [&](v1::Dispatch& d) {
         *d.mutable_plan_signatures(0) = agent::SignedBy("mallory", StatementOf(plan_));
         d.mutable_plan_signatures(0)->set_public_key(KeyOf("alice").public_key().text());
       },
       "the signature is not that of key"},
      {"a statement that was changed",
       [](v1::Dispatch& d) {
         *d.mutable_plan_signatures(0)->mutable_statement()->mutable_expire_time() =
             base::ToProto(absl::Now() + absl::Hours(1000));
       },
       "the signature is not that of key"},
      {"another environment's signature",
       SignedBy("alice", [](v1::PlanStatement& s) { s.set_environment("staging"); }),
       "is for environment staging, not production"},
      {"another target's signature",
       SignedBy("alice", [](v1::PlanStatement& s) { s.set_targets(0, "billing"); }),
       "is for other targets: billing"},
      {"an old signature",
       SignedBy("alice",
                [](v1::PlanStatement& s) {
                  *s.mutable_not_before() = base::ToProto(absl::Now() - absl::Hours(2));
                  *s.mutable_expire_time() = base::ToProto(absl::Now() - absl::Hours(1));
                }),
       "expired at"},
      {"a signature for later",
       SignedBy("alice",
                [](v1::PlanStatement& s) {
                  *s.mutable_not_before() = base::ToProto(absl::Now() + absl::Hours(1));
                  *s.mutable_expire_time() = base::ToProto(absl::Now() + absl::Hours(2));
                }),
       "does not hold before"},
      {"a run with a path for a name", [](v1::Dispatch& d) { d.set_run("rollouts/../../etc/runs/crm"); },
       "is not the name of a run on this target"},
  };
  for (const auto& attack : kAttacks) {
    const v1::Nack nack = Refused("preflight-1", attack.change);
    // FAILED for the rollout, with these words; not "try again".
    EXPECT_EQ(nack.reason(), v1::NACK_REASON_INVALID) << attack.name;
    EXPECT_THAT(nack.message(), HasSubstr(attack.message)) << attack.name;
    EXPECT_THAT(nack.message(), HasSubstr("target crm")) << attack.name;
  }
  EXPECT_EQ(Everything(), before);
}

TEST_F(AttackerTest, AsksTheDatabaseNothingOfItsOwn) {
  ASSERT_NO_FATAL_FAILURE(StartAgent());
  const std::string before = Everything();
  v1::ControllerMessage message;
  v1::RunCheck& check = *message.mutable_run_check();
  check.set_target("crm");
  check.set_sql("SELECT public.hit('x') > 0");
  controller_->Send(message);
  v1::CheckReport report = controller_->Await(v1::AgentMessage::kCheckReport).check_report();
  EXPECT_EQ(report.state(), v1::CHECK_STATE_ERROR);
  EXPECT_THAT(report.message(), HasSubstr("makes checks of its own configuration alone"));
  check.set_configured("mine");
  controller_->Send(message);
  report = controller_->Await(v1::AgentMessage::kCheckReport).check_report();
  EXPECT_EQ(report.state(), v1::CHECK_STATE_PASSING);

  // Preflight explains queries, and looks for names.
  v1::CompiledPlan queries = evil_;
  for (v1::Step& step : *queries.mutable_steps()) {
    step.mutable_action()->mutable_verify()->add_checks()->set_count_query(kEvil);
  }
  const auto look = [&](const std::function<void(v1::RunPreflight&)>& change) {
    v1::RunPreflight& request = *message.mutable_run_preflight();
    request.set_target("crm");
    *request.mutable_compiled_plan() = queries;
    *request.mutable_plan() = plan_;
    *request.add_signatures() = signature_;
    change(request);
    controller_->Send(message);
    v1::PreflightReport found = controller_->Await(v1::AgentMessage::kPreflightReport).preflight_report();
    EXPECT_EQ(found.error(), "");
    return found.preflight();
  };
  const auto expect_refusal = [](const v1::Preflight& preflight, const char* message) {
    ASSERT_EQ(preflight.findings_size(), 1) << preflight.DebugString();
    EXPECT_EQ(preflight.findings(0).severity(), v1::PREFLIGHT_SEVERITY_ERROR);
    EXPECT_EQ(preflight.findings(0).code(), "signature");
    EXPECT_THAT(preflight.findings(0).message(), HasSubstr(message));
  };
  expect_refusal(look([](v1::RunPreflight&) {}), "wants something else done than what was signed");
  message.mutable_run_preflight()->Clear();
  expect_refusal(look([](v1::RunPreflight& r) {
                   r.clear_plan();
                   r.clear_signatures();
                 }),
                 "what the controller sent is no plan");
  message.mutable_run_preflight()->Clear();
  const v1::Preflight unsigned_plan = look([](v1::RunPreflight& r) { r.clear_signatures(); });
  expect_refusal(unsigned_plan, "is not signed");
  EXPECT_THAT(unsigned_plan.findings(0).hint(), HasSubstr("curlew plan sign plans/p-"));
  message.mutable_run_preflight()->Clear();
  const v1::Preflight looked = look([&](v1::RunPreflight& r) { *r.mutable_compiled_plan() = compiled_; });
  for (const v1::PreflightFinding& finding : looked.findings()) EXPECT_NE(finding.code(), "signature");
  EXPECT_EQ(Everything(), before);
  // Nothing of a signature was used up.
  Do("preflight-1");
}

TEST_F(AttackerTest, UndoesNothingThatWasNotDone) {
  ASSERT_NO_FATAL_FAILURE(StartAgent());
  const std::string dump = PgDump(conninfo_);
  const Change undo = [&](v1::Dispatch& d) {
    d.set_direction(v1::DIRECTION_UNDO);
    d.set_compiled_digest(base::CanonicalDigest(evil_));
  };
  for (const char* step : {"rollback-gate", "drop-2", "add-1"}) Do(step, undo);
  EXPECT_EQ(PgDump(conninfo_), dump);
  EXPECT_EQ(Query(conninfo_, "SELECT is_called FROM canary"), "f");
  EXPECT_EQ(Query(conninfo_, "SELECT count(*) FROM contacts"), "100");
  // Nor does it thereby get a plan of its own into the journal.
  EXPECT_EQ(Query(conninfo_, "SELECT string_agg(compiled::text, ' ') FROM curlew.run"), "{}");
  EXPECT_THAT(Refused("preflight-1", [](v1::Dispatch&) {}).message(), HasSubstr("the run is pinned to"));
  EXPECT_THAT(
      Refused("preflight-1", [&](v1::Dispatch& d) { d.set_compiled_digest(base::CanonicalDigest(evil_)); })
          .message(),
      HasSubstr("did not know rollouts/r1/runs/crm when it was to be undone"));
}

TEST_F(AttackerTest, DropsNothingBeforeItsTimeAndNothingThatWasNotPinned) {
  ASSERT_NO_FATAL_FAILURE(StartAgent());
  // Out of turn; the plan itself is right, and pinned.
  EXPECT_THAT(Refused("drop-1", DecidedBy("bob", [](v1::DecisionStatement&) {})).message(),
              HasSubstr("step preflight-1, which comes before drop-1"));
  controller_->Await(v1::AgentMessage::kTargetReady);
  Do("preflight-1");
  Do("add-1");
  const std::string before = Everything();
  const auto replayed = [](v1::Dispatch& d) { d.set_run("rollouts/r2/runs/crm"); };
  const struct {
    const char* name;
    const char* step;
    Change change;
    const char* message;
  } kAttacks[] = {
      {"the same signature for another run", "preflight-1", replayed,
       "was used already, by rollouts/r1/runs/crm"},
      {"another compiled plan for the pinned run", "drop-1",
       [&](v1::Dispatch& d) { d.set_compiled_digest(base::CanonicalDigest(evil_)); },
       "the run is pinned to the compiled plan"},
      {"DROP without a word", "drop-1", [](v1::Dispatch&) {}, "1 signed approval is needed, and 0 count"},
      {"DROP by an author", "drop-1", DecidedBy("alice", [](v1::DecisionStatement&) {}),
       "is none of approver_keys (ann, bob)"},
      {"DROP by itself", "drop-1", DecidedBy("mallory", [](v1::DecisionStatement&) {}),
       "is none of approver_keys (ann, bob)"},
      {"DROP of another rollout", "drop-1",
       DecidedBy("bob", [](v1::DecisionStatement& s) { s.set_rollout("rollouts/r0"); }),
       "is about another rollout, rollouts/r0"},
      {"DROP of another plan", "drop-1",
       DecidedBy("bob", [](v1::DecisionStatement& s) { s.set_plan_digest(std::string(64, '0')); }),
       "is about another plan"},
      {"DROP of another compiled plan", "drop-1",
       DecidedBy(
           "bob",
           [](v1::DecisionStatement& s) { (*s.mutable_compiled_digests())["crm"] = std::string(64, '0'); }),
       "is about another compiled plan"},
      {"DROP of another target", "drop-1",
       DecidedBy("bob",
                 [&](v1::DecisionStatement& s) {
                   s.clear_compiled_digests();
                   (*s.mutable_compiled_digests())["billing"] = compiler::Digest(compiled_);
                 }),
       "is about other targets"},
      {"DROP of long ago", "drop-1",
       DecidedBy("bob",
                 [](v1::DecisionStatement& s) {
                   *s.mutable_expire_time() = base::ToProto(absl::Now() - absl::Seconds(1));
                 }),
       "expired at"},
      {"a word about a step for one about DROP", "drop-1",
       DecidedBy("bob",
                 [](v1::DecisionStatement& s) {
                   s.set_kind(v1::DECISION_KIND_OVERRIDE);
                   s.set_step("drop-1");
                 }),
       "decides something else"},
      {"an override that nobody signed", "drop-1",
       [this](v1::Dispatch& d) {
         DecidedBy("bob", [](v1::DecisionStatement&) {})(d);
         d.mutable_override()->set_actor("bob");
         d.mutable_override()->set_reason("trust me");
       },
       "it is not signed"},
      {"a word about DROP for an override", "drop-1",
       [this](v1::Dispatch& d) {
         DecidedBy("bob", [](v1::DecisionStatement&) {})(d);
         *d.mutable_override()->mutable_signature() = d.decisions(0);
       },
       "decides something else"},
      {"the second DROP before the first", "drop-2", DecidedBy("bob", [](v1::DecisionStatement&) {}),
       "step drop-1, which comes before drop-2"},
      {"a step that there is not", "evil", [](v1::Dispatch&) {}, "has no step evil"},
      {"neither do nor undo", "drop-1", [](v1::Dispatch& d) { d.clear_direction(); },
       "does not say whether to do or to undo"},
  };
  for (const auto& attack : kAttacks) {
    const v1::Nack nack = Refused(attack.step, attack.change);
    EXPECT_EQ(nack.reason(), v1::NACK_REASON_INVALID) << attack.name;
    EXPECT_THAT(nack.message(), HasSubstr(attack.message)) << attack.name;
  }
  EXPECT_EQ(Everything(), before);
  // One decision opens the whole of DROP, and what is gone cannot be undone.
  Do("drop-1", DecidedBy("bob", [](v1::DecisionStatement&) {}));
  Do("drop-2");
  EXPECT_EQ(Query(conninfo_, "SELECT count(*) FROM pg_class WHERE relname = 'numbers'"), "0");
  EXPECT_EQ(Query(conninfo_, "SELECT count(*) FROM pg_attrdef WHERE adrelid = 'contacts'::regclass"), "0");
  EXPECT_THAT(Refused("add-1", [](v1::Dispatch& d) { d.set_direction(v1::DIRECTION_UNDO); }).message(),
              HasSubstr("what it dropped cannot be brought back"));
  EXPECT_EQ(Query(conninfo_, "SELECT is_called FROM canary"), "f");
}

// kill -9 around the pin: the same command, sent again, goes on.
class PinCrashTest : public AttackerTest, public ::testing::WithParamInterface<const char*> {};

TEST_P(PinCrashTest, TheNextAgentTakesTheSameSignatureForTheSameRun) {
  ASSERT_NO_FATAL_FAILURE(StartAgent(GetParam()));
  Send(Right("preflight-1"));
  EXPECT_THAT(agent_->Wait(absl::Seconds(30)), IsOkAndHolds(137));
  ASSERT_NO_FATAL_FAILURE(StartAgent());
  Do("preflight-1");
  Do("add-1");
  EXPECT_EQ(Query(conninfo_, "SELECT string_agg(run || signature_id, ' ') FROM curlew.run"),
            absl::StrCat(kRun, signature_.statement().id()));
}

INSTANTIATE_TEST_SUITE_P(FaultPoints, PinCrashTest,
                         ::testing::Values("pin.verified", "pin.before_commit", "pin.after_commit"),
                         [](const auto& info) {
                           std::string name = info.param;
                           name[3] = '_';
                           return name;
                         });

}  // namespace
}  // namespace curlew::agent
