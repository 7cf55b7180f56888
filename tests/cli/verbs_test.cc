// The verbs of promotion against a controller that answers what it is told.
#include "cli/verbs.h"

#include <filesystem>
#include <fstream>
#include <sstream>

#include "absl/strings/str_split.h"
#include "cli/app.h"
#include "common/base/bearer_token.h"
#include "common/base/error_detail.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/cli/fake_controller.h"
#include "tests/cli/messages.h"

namespace curlew::cli {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

class VerbsTest : public ::testing::Test {
 protected:
  VerbsTest() : context_(out_, err_), dir_(absl::StrCat(::testing::TempDir(), "curlew_verbs_", getpid())) {
    context_.flags.controller = controller_.address();
    context_.flags.transport.plain_text = rpc::PlainText::kLoopbackOnly;
    context_.flags.actor = "ann";
    context_.zone = absl::UTCTimeZone();
    std::filesystem::create_directories(dir_);
    std::ofstream(dir_ + "/plan.yaml")
        << "name: add-b\noperations:\n  - add_column: {table: t, column: b, type: text}\n";
  }
  ~VerbsTest() override { std::filesystem::remove_all(dir_); }

  ExitCode RunLine(const std::string& line) {
    out_.str("");
    err_.str("");
    return cli::Run(context_, std::vector<std::string>(absl::StrSplit(line, ' ', absl::SkipEmpty())));
  }
  void Answer(const std::string& rollout) {
    controller_.SetAnswer(absl::OkStatus(), Parse<v1::Rollout>("name: 'rollouts/r1' " + rollout));
  }
  std::string plan() const { return dir_ + "/plan.yaml"; }

  FakeController controller_;
  std::ostringstream out_, err_;
  Context context_;
  const std::string dir_;
};

constexpr char kAtGate[] = R"pb(
  state: ROLLOUT_STATE_RUNNING
  plan: "plans/add-b-0123456789ab"
  plan_digest: "0123"
  waiting { cause: WAIT_CAUSE_APPROVAL gate: "production/before" message: "1 more approval" }
  stages {
    environment: "environments/production"
    before {
      id: "production/before"
      required_approvals: 1
      cover: "c0ffee"
      reached_time { seconds: 1 }
      checks { check: "deployed" state: CHECK_STATE_PASSING message: "app 7.3" }
    }
  }
  runs {
    name: "rollouts/r1/runs/p"
    target: "p"
    environment: "environments/production"
    state: RUN_STATE_COMPILED
    compiled_digest: "d1"
  })pb";

v1::CompiledPlan Compiled() {
  return Parse<v1::CompiledPlan>(
      "plan_digest: '0123' steps { key: 'add-1' phase: PHASE_ADD title: 'Add column b' action { execute_sql "
      "{ "
      "statements: 'ALTER TABLE public.t ADD COLUMN b text' } } }");
}

TEST_F(VerbsTest, StartSendsLabelsAndAllowsOutOfOrder) {
  Answer("state: ROLLOUT_STATE_RUNNING");
  EXPECT_EQ(RunLine("rollout start add-b --label commit=4f2a9c1 --label note=a=b --allow-out-of-order"),
            ExitCode::kOk)
      << err_.str();
  EXPECT_THAT(controller_.last_request(), AllOf(HasSubstr("labels { key: \"commit\" value: \"4f2a9c1\" }"),
                                                HasSubstr("labels { key: \"note\" value: \"a=b\" }"),
                                                HasSubstr("allow_out_of_order: true")));
  for (const char* label : {"commit", "=x"}) {
    EXPECT_EQ(RunLine(absl::StrCat("rollout start add-b --label ", label)), ExitCode::kUsage) << label;
    EXPECT_THAT(err_.str(), HasSubstr("is no label; write commit=4f2a9c1"));
  }
}

TEST_F(VerbsTest, StartWaitsWithEventsAsLinesOfJsonAndAStatusByOutcome) {
  Answer("state: ROLLOUT_STATE_RUNNING last_event: 1");
  controller_.AddScript(
      {{RolloutMessage(1, "state: ROLLOUT_STATE_ABORTED"), EventMessage(1)}, absl::OkStatus()});
  EXPECT_EQ(RunLine("rollout start add-b --id r1 --wait --timeout 1h -o json"), ExitCode::kRolloutAborted);
  EXPECT_EQ(
      out_.str(),
      "{\"rollout\":{\"name\":\"rollouts/r1\",\"state\":\"ROLLOUT_STATE_ABORTED\",\"last_event\":\"1\"}}\n"
      "{\"event\":{\"number\":\"1\",\"message\":\"event 1\"}}\n");
  EXPECT_THAT(controller_.watched_after(), ::testing::ElementsAre(0));
}

TEST_F(VerbsTest, StartGivesUpWaitingWhereSomebodyMustDecide) {
  Answer("state: ROLLOUT_STATE_RUNNING");
  controller_.AddScript({{RolloutMessage(0, kAtGate)}, absl::OkStatus()});
  EXPECT_EQ(RunLine("rollout start add-b --id r1 --wait --until decision"), ExitCode::kNeedsDecision);
  EXPECT_THAT(err_.str(), HasSubstr("curlew rollout approve r1 --gate production/before"));
}

TEST_F(VerbsTest, ADryRunStartsNothingAndSaysWhatSpeaksAgainstIt) {
  v1::TargetPreview good, bad;
  good.set_target("s");
  good.set_environment("environments/staging");
  *good.mutable_compiled_plan() = Compiled();
  bad.set_target("p");
  bad.set_environment("environments/production");
  bad.mutable_error()->set_message("no agent serves it");
  controller_.SetPreviews({good});
  EXPECT_EQ(RunLine("rollout start " + plan() + " --dry-run"), ExitCode::kOk) << err_.str();
  EXPECT_THAT(controller_.last_request(),
              AllOf(HasSubstr("plan { name: \"add-b\""), Not(HasSubstr("environment"))));
  EXPECT_THAT(out_.str(), AllOf(HasSubstr("add-1"), HasSubstr("It can run.")));
  controller_.SetPreviews({good, bad});
  EXPECT_EQ(RunLine("rollout start " + plan() + " --dry-run --environment production"),
            ExitCode::kPrecondition);
  EXPECT_THAT(controller_.last_request(), HasSubstr("environment: \"environments/production\""));
  EXPECT_THAT(out_.str(), HasSubstr("no agent serves it"));
  EXPECT_EQ(RunLine("plan explain " + plan() + " --environment production -o json"), ExitCode::kPrecondition);
  EXPECT_EQ(std::vector<std::string>(absl::StrSplit(out_.str(), '\n')).size(), 3u) << "one line for each";
  EXPECT_EQ(RunLine("rollout start " + plan() + " --dry-run -o name"), ExitCode::kPrecondition);
  EXPECT_EQ(out_.str(), "s\np\n");
  EXPECT_EQ(RunLine("rollout start x --dry-run --wait"), ExitCode::kUsage);
  EXPECT_EQ(RunLine("rollout start x --environment production"), ExitCode::kUsage);
}

TEST_F(VerbsTest, ADryRunOfAStoredPlanAsksForIt) {
  v1::StoredPlan stored;
  stored.mutable_plan()->set_name("stored");
  controller_.Set(stored);
  EXPECT_EQ(RunLine("rollout start add-b --dry-run"), ExitCode::kOk) << err_.str();
  EXPECT_EQ(controller_.last_request(), "plan { name: \"stored\" }");
}

TEST_F(VerbsTest, ApproveShowsWhatIsApprovedAndSendsTheCoverThatWasSeen) {
  Answer(kAtGate);
  controller_.Set(Compiled());
  EXPECT_EQ(RunLine("rollout approve r1 --reason fine --actor bob"), ExitCode::kOk) << err_.str();
  EXPECT_EQ(
      controller_.last_request(),
      "name: \"rollouts/r1\" gate: \"production/before\" reason: \"fine\" actor: \"bob\" cover: \"c0ffee\"");
  EXPECT_THAT(out_.str(),
              AllOf(HasSubstr("production/before covers:\n  plan      plans/add-b-0123456789ab\n"),
                    HasSubstr("targets   1 in production: p"), HasSubstr("Add column b"),
                    HasSubstr("rollouts/r1: approved\n")));
  EXPECT_EQ(RunLine("rollout approve r1 --cover dead -o json"), ExitCode::kOk);
  EXPECT_THAT(controller_.last_request(), HasSubstr("cover: \"dead\""))
      << "what was reviewed, not what is now";
  EXPECT_THAT(out_.str(), Not(HasSubstr("covers:")));
}

TEST_F(VerbsTest, WhoHasApprovedIsSaidAsTheControllerKnowsThem) {
  v1::Rollout approved = Parse<v1::Rollout>(absl::StrCat("name: 'rollouts/r1' ", kAtGate));
  v1::EnvironmentStage& production = *approved.mutable_stages(0);
  const auto approve = [](v1::Gate& gate, const std::string& actor, int64_t seconds) {
    v1::Approval& approval = *gate.add_approvals();
    approval.set_actor(actor);
    approval.mutable_time()->set_seconds(seconds);
  };
  approve(*production.mutable_before(), "eve", 3);
  approve(*production.mutable_before(), "bob", 9);
  production.mutable_before_drop()->set_id("production/before-drop");
  approve(*production.mutable_before_drop(), "dan", 5);
  controller_.SetAnswer(absl::OkStatus(), approved);
  controller_.Set(Compiled());
  EXPECT_EQ(RunLine("rollout approve r1 --actor root"), ExitCode::kOk) << err_.str();
  EXPECT_THAT(out_.str(), HasSubstr("rollouts/r1: approved by bob\n"));
}

TEST_F(VerbsTest, ShowOfAGateSaysWhatAnApprovalCovers) {
  Answer(kAtGate);
  controller_.Set(Compiled());
  EXPECT_EQ(RunLine("rollout show r1 --gate production/before"), ExitCode::kOk) << err_.str();
  EXPECT_THAT(out_.str(), AllOf(HasSubstr("Gate production/before of r1: closed, 0 of 1 approvals"),
                                HasSubstr("An approval covers"), HasSubstr("Add column b")));
  EXPECT_EQ(RunLine("rollout show r1 --gate production/before -o json"), ExitCode::kOk);
  EXPECT_THAT(out_.str(), HasSubstr("\"cover\": \"c0ffee\""));
  EXPECT_EQ(RunLine("rollout show r1 --gate x"), ExitCode::kNotFound);
  EXPECT_THAT(err_.str(), HasSubstr("what to do: its gates: production/before"));
}

TEST_F(VerbsTest, SkipGateSaysWhoAndWhy) {
  Answer(kAtGate);
  EXPECT_EQ(RunLine("rollout skip-gate r1 --gate production/before --reason incident --etag v7"),
            ExitCode::kOk)
      << err_.str();
  EXPECT_EQ(
      controller_.last_request(),
      "name: \"rollouts/r1\" gate: \"production/before\" reason: \"incident\" actor: \"ann\" etag: \"v7\"");
  EXPECT_THAT(out_.str(), HasSubstr("rollouts/r1 is RUNNING\nwaits for approval: 1 more approval\n"));
  EXPECT_EQ(RunLine("rollout skip-gate r1"), ExitCode::kUsage);
  EXPECT_THAT(err_.str(), HasSubstr("--reason"));
}

TEST_F(VerbsTest, SkipTargetSaysWhoAndWhy) {
  Answer(
      "state: ROLLOUT_STATE_RUNNING runs { target: 'p' state: RUN_STATE_SKIPPED skip { actor: 'ann' reason: "
      "'moved' } }");
  EXPECT_EQ(RunLine("rollout skip-target r1 targets/p --reason moved"), ExitCode::kOk) << err_.str();
  EXPECT_EQ(controller_.last_request(),
            "name: \"rollouts/r1\" target: \"p\" reason: \"moved\" actor: \"ann\"");
  EXPECT_EQ(out_.str(), "p: left out by ann: moved\nrollouts/r1 is RUNNING\n");
  EXPECT_EQ(RunLine("rollout skip-target r1 p"), ExitCode::kUsage);
  controller_.SetAnswer(absl::FailedPreconditionError("add-1 has begun on p"));
  EXPECT_EQ(RunLine("rollout skip-target r1 p --reason x"), ExitCode::kPrecondition);
}

TEST_F(VerbsTest, ReportCheckSaysWhetherItHolds) {
  Answer(kAtGate);
  EXPECT_EQ(RunLine("rollout report-check r1 deployed --holds --message v7.3"), ExitCode::kOk) << err_.str();
  EXPECT_EQ(controller_.last_request(),
            "name: \"rollouts/r1\" check: \"deployed\" holds: true message: \"v7.3\" actor: \"ann\"");
  EXPECT_THAT(out_.str(), HasSubstr("production/before: check deployed: PASSING: app 7.3\n"));
  EXPECT_EQ(RunLine("rollout report-check r1 deployed --fails"), ExitCode::kOk);
  EXPECT_EQ(controller_.last_request(), "name: \"rollouts/r1\" check: \"deployed\" actor: \"ann\"");
  EXPECT_EQ(RunLine("rollout report-check r1 deployed"), ExitCode::kUsage);
  EXPECT_THAT(err_.str(), HasSubstr("one of --holds and --fails"));
  EXPECT_EQ(RunLine("rollout report-check r1 deployed --holds --fails"), ExitCode::kUsage);
}

TEST_F(VerbsTest, RunsAreFilteredByEnvironmentStateAndAttention) {
  controller_.Set(Parse<v1::ListRunsResponse>(
      "runs { target: 'a' environment: 'environments/production' wave: 'canary' state: RUN_STATE_RUNNING "
      "epoch: 1 } "
      "runs { target: 'b' state: RUN_STATE_READY_TO_DROP held_by: 'rollouts/r0' }"));
  EXPECT_EQ(RunLine("rollout runs r1 --environment production --state ready-to-drop"), ExitCode::kOk)
      << err_.str();
  EXPECT_EQ(controller_.last_request(),
            "name: \"rollouts/r1\" environment: \"environments/production\" states: RUN_STATE_READY_TO_DROP "
            "page_size: 500");
  EXPECT_THAT(out_.str(), AllOf(HasSubstr("a       production   canary  RUNNING        -     -\n"),
                                HasSubstr("held by r0")));
  EXPECT_EQ(RunLine("rollout runs r1 --attention -o name"), ExitCode::kOk);
  EXPECT_EQ(out_.str(), "b\n");
  EXPECT_EQ(RunLine("rollout runs r1 --state done"), ExitCode::kUsage);
  EXPECT_THAT(err_.str(), HasSubstr("\"done\" is none of pending, compiling, running, ready-to-drop"));
}

TEST_F(VerbsTest, TheReportIsReadAndWritten) {
  Answer("state: ROLLOUT_STATE_SUCCEEDED last_event: 2");
  controller_.AddScript(
      {{RolloutMessage(2, "state: ROLLOUT_STATE_SUCCEEDED"), EventMessage(1), EventMessage(2)},
       absl::OkStatus()});
  EXPECT_EQ(RunLine("rollout report r1"), ExitCode::kOk) << err_.str();
  EXPECT_THAT(out_.str(), AllOf(HasSubstr("# Rollout r1: SUCCEEDED\n"), HasSubstr("| event 1 |"),
                                HasSubstr("| event 2 |")));
  EXPECT_EQ(RunLine("rollout report r1 --format html"), ExitCode::kOk);
  EXPECT_THAT(out_.str(), HasSubstr("<td>event 2</td>"));
  // A report without its last event would lie.
  controller_.AddScript({{RolloutMessage(2, ""), EventMessage(1)}, absl::OkStatus()});
  EXPECT_EQ(RunLine("rollout report r1"), ExitCode::kPrecondition);
  EXPECT_THAT(out_.str(), IsEmpty());
}

TEST_F(VerbsTest, TheRestoreHintIsOfABackupOrAnError) {
  Answer(
      "runs { target: 'p' steps { key: 'add-1' backups { kind: 'dump' location: '/b' restore_hint: "
      "'pg_restore "
      "/b' } } }");
  EXPECT_EQ(RunLine("rollout restore-hint r1"), ExitCode::kOk) << err_.str();
  EXPECT_THAT(out_.str(), HasSubstr("pg_restore /b"));
  EXPECT_EQ(controller_.last_request(), "name: \"rollouts/r1\" view: ROLLOUT_VIEW_FULL");
  EXPECT_EQ(RunLine("rollout restore-hint r1 q"), ExitCode::kNotFound);
  EXPECT_THAT(err_.str(), HasSubstr("r1 has made no backup on q"));
}

TEST_F(VerbsTest, DriftTakesEnvironmentsAndTargetsByTheirNames) {
  controller_.Set(Parse<v1::ListEnvironmentsResponse>("environments { name: 'environments/staging' }"));
  controller_.Set(
      Parse<v1::CompareSchemasResponse>("comparisons { target: 'p' reference: 's' differences: 'x' }"));
  EXPECT_EQ(RunLine("drift staging p"), ExitCode::kError) << err_.str();
  EXPECT_EQ(controller_.last_request(), "from: \"environments/staging\" to: \"targets/p\"");
  EXPECT_EQ(out_.str(), "p differs from s:\n  x\n0 the same, 1 different, 0 not compared\n");
  controller_.Set(Parse<v1::CompareSchemasResponse>("comparisons { target: 'p' reference: 'record 3' }"));
  EXPECT_EQ(RunLine("drift targets/p"), ExitCode::kOk);
  EXPECT_EQ(controller_.last_request(), "from: \"targets/p\"");
}

TEST_F(VerbsTest, ASnapshotIsTheSchemaInCanonicalFormAndPlansAreCompiledAgainstIt) {
  v1::GetSchemaResponse response;
  response.mutable_schema()->add_tables()->set_name("public.t");
  controller_.Set(response);
  EXPECT_EQ(RunLine("schema snapshot --target p"), ExitCode::kOk) << err_.str();
  EXPECT_EQ(controller_.last_request(), "name: \"targets/p\"");
  EXPECT_EQ(out_.str(), "{\"tables\":[{\"name\":\"public.t\"}]}\n");
  EXPECT_EQ(RunLine("schema snapshot"), ExitCode::kUsage);
  EXPECT_EQ(RunLine("schema snapshot --target a --database b"), ExitCode::kUsage);
}

TEST_F(VerbsTest, PlanSqlWritesAScriptForATargetAFileOrAnEnvironment) {
  v1::CompilePlanResponse compiled;
  *compiled.mutable_compiled_plan() = Compiled();
  controller_.Set(compiled);
  EXPECT_EQ(RunLine("plan sql " + plan() + " --target p"), ExitCode::kOk) << err_.str();
  EXPECT_THAT(out_.str(), AllOf(HasSubstr("compiled against target p"),
                                HasSubstr("ALTER TABLE public.t ADD COLUMN b text;\nCOMMIT;")));
  std::vector<v1::TargetPreview> previews(2);
  for (v1::TargetPreview& preview : previews) {
    preview.set_target("p");
    *preview.mutable_compiled_plan() = Compiled();
  }
  controller_.SetPreviews(previews);
  EXPECT_EQ(RunLine("plan sql " + plan() + " --environment production --undo"), ExitCode::kOk) << err_.str();
  EXPECT_THAT(out_.str(), HasSubstr("compiled against environment production"));
  previews[1]
      .mutable_compiled_plan()
      ->mutable_steps(0)
      ->mutable_action()
      ->mutable_execute_sql()
      ->set_statements(0, "SELECT 1");
  controller_.SetPreviews(previews);
  EXPECT_EQ(RunLine("plan sql " + plan() + " --environment production"), ExitCode::kPrecondition);
  EXPECT_THAT(err_.str(), HasSubstr("need different steps"));
  previews[1].mutable_error()->set_message("no agent");
  controller_.SetPreviews(previews);
  EXPECT_EQ(RunLine("plan sql " + plan() + " --environment production"), ExitCode::kPrecondition);
  EXPECT_THAT(err_.str(), HasSubstr("could not be compiled for p: no agent"));
  EXPECT_THAT(out_.str(), IsEmpty());
}

TEST_F(VerbsTest, BaselineHistoryAndCurrent) {
  controller_.Set(Parse<v1::TargetRecord>("target: 'p' number: 3 actor: 'ann' schema_fingerprint: 'f'"));
  EXPECT_EQ(RunLine("target baseline p --reason adopted"), ExitCode::kOk) << err_.str();
  EXPECT_EQ(controller_.last_request(), "name: \"targets/p\" reason: \"adopted\" actor: \"ann\"");
  EXPECT_EQ(out_.str(), "p: baseline taken by ann, record 3\nschema f\n");
  EXPECT_EQ(RunLine("target baseline p"), ExitCode::kUsage);

  EXPECT_EQ(RunLine("history p"), ExitCode::kOk);
  EXPECT_THAT(out_.str(), HasSubstr("Nothing is on record of p"));
  controller_.Set(Parse<v1::ListTargetRecordsResponse>(
      "records { target: 'p' number: 3 kind: TARGET_RECORD_KIND_BASELINE actor: 'ann' }"));
  EXPECT_EQ(RunLine("history p"), ExitCode::kOk);
  EXPECT_EQ(controller_.last_request(), "name: \"targets/p\" page_size: 500");
  EXPECT_THAT(out_.str(), HasSubstr("BASELINE"));

  controller_.Set(Parse<v1::ListTargetsResponse>(
      "targets { name: 'targets/p' environment: 'environments/production' drift: '1 difference' }"));
  EXPECT_EQ(RunLine("current --environment production"), ExitCode::kOk);
  EXPECT_EQ(controller_.last_request(), "name: \"targets/-\" page_size: 500");
  EXPECT_THAT(out_.str(), AllOf(HasSubstr("(baseline)"), HasSubstr("DRIFT: 1 difference")));
}

TEST_F(VerbsTest, TargetsAreListedByEnvironmentAndLabels) {
  controller_.Set(Parse<v1::ListTargetsResponse>("targets { name: 'targets/p' drift: '1 difference' }"));
  EXPECT_EQ(RunLine("target list --environment production --label tier=canary"), ExitCode::kOk) << err_.str();
  EXPECT_EQ(
      controller_.last_request(),
      "page_size: 500 environment: \"environments/production\" labels { key: \"tier\" value: \"canary\" }");
  EXPECT_THAT(out_.str(), HasSubstr("drift: 1 difference"));
  controller_.Set(v1::ListTargetsResponse());
  EXPECT_EQ(RunLine("target list --label tier=x"), ExitCode::kOk);
  EXPECT_EQ(out_.str(), "No such target.\n");
}

TEST_F(VerbsTest, ApplyingEnvironmentsSaysWhoDoesIt) {
  std::ofstream(dir_ + "/environments.yaml") << "environments:\n  - {name: staging, targets: [s]}\n";
  EXPECT_EQ(RunLine("env apply " + dir_ + "/environments.yaml --actor bob"), ExitCode::kOk) << err_.str();
  EXPECT_THAT(controller_.last_request(), HasSubstr("actor: \"bob\""));
}

TEST_F(VerbsTest, ATokenIsPrintedAloneAndAllElseBesideIt) {
  controller_.Set(Parse<v1::CreateTokenResponse>(
      "secret: 'curlew_text' token { name: 'tokens/ci' expire_time { seconds: 1769817600 } }"));
  EXPECT_EQ(RunLine("token create ci --expires 30d --purpose deploys"), ExitCode::kOk) << err_.str();
  EXPECT_EQ(controller_.last_request(),
            "token_id: \"ci\" lifetime { seconds: 2592000 } purpose: \"deploys\" actor: \"ann\"");
  EXPECT_EQ(out_.str(), "curlew_text\n");
  EXPECT_THAT(err_.str(), AllOf(HasSubstr("token ci counts until 2026-01-31 00:00:00"),
                                HasSubstr("users: [\"token:ci\"]"), Not(HasSubstr("curlew_text"))));
  EXPECT_EQ(RunLine("token create ci"), ExitCode::kOk);
  EXPECT_EQ(controller_.last_request(), "token_id: \"ci\" actor: \"ann\"");
  EXPECT_EQ(RunLine("token create ci --expires never"), ExitCode::kUsage);
  EXPECT_EQ(RunLine("token create"), ExitCode::kUsage);
}

TEST_F(VerbsTest, TokensAreListedAndRevoked) {
  EXPECT_EQ(RunLine("token list"), ExitCode::kOk);
  EXPECT_THAT(out_.str(), HasSubstr("No tokens yet"));
  controller_.Set(Parse<v1::ListTokensResponse>(
      "tokens { name: 'tokens/ci' create_time { seconds: 1 } expire_time { seconds: 4102444800 } creator: "
      "'ada' "
      "  purpose: 'deploys' }"
      "tokens { name: 'tokens/ci' expire_time { seconds: 4102444800 } revoke_time { seconds: 1769817600 } }"
      "tokens { name: 'tokens/old' expire_time { seconds: 1769817600 } }"));
  EXPECT_EQ(RunLine("token list"), ExitCode::kOk);
  EXPECT_EQ(controller_.last_request(), "page_size: 500");
  EXPECT_THAT(out_.str(), AllOf(HasSubstr("counts"), HasSubstr("2100-01-01"), HasSubstr("deploys"),
                                HasSubstr("revoked"), HasSubstr("2026-01-31"), HasSubstr("expired")));
  EXPECT_EQ(RunLine("token list -o json"), ExitCode::kOk);
  EXPECT_THAT(out_.str(), HasSubstr("\"revoke_time\""));
  controller_.Set(Parse<v1::Token>("name: 'tokens/ci' revoker: 'ann' revoke_time { seconds: 1769817600 }"));
  EXPECT_EQ(RunLine("token revoke ci --reason lost"), ExitCode::kOk);
  EXPECT_EQ(controller_.last_request(), "name: \"tokens/ci\" reason: \"lost\" actor: \"ann\"");
  EXPECT_EQ(out_.str(), "token ci was revoked at 2026-01-31 00:00:00 by ann\n");
}

TEST_F(VerbsTest, ATokenComesFromAFileOfOnesOwnOrTheEnvironmentAndIsNeverShown) {
  const std::string token = base::NewBearerToken(), path = dir_ + "/ci.token";
  const auto refused = [&](const std::string& line, ExitCode code) {
    EXPECT_EQ(RunLine(line), code) << err_.str();
    EXPECT_THAT(err_.str(), Not(HasSubstr(token)));
    return err_.str();
  };
  // The fixture's controller speaks plain text.
  context_.flags.token = token + "\n";
  EXPECT_THAT(refused("target list", ExitCode::kUsage),
              HasSubstr("--insecure and a token contradict each other"));
  context_.flags.token = token.substr(0, 30);
  EXPECT_THAT(refused("target list", ExitCode::kUsage), HasSubstr("is no token"));
  context_.flags.token.clear();
  std::ofstream(path) << token << "\n";
  std::filesystem::permissions(path, std::filesystem::perms(0644));
  EXPECT_THAT(refused("target list --token-file " + path, ExitCode::kPrecondition),
              AllOf(HasSubstr("the token " + path + " is open to every user"), HasSubstr("chmod o-rwx")));
  std::filesystem::permissions(path, std::filesystem::perms(0600));
  EXPECT_THAT(refused("target list --token-file " + path, ExitCode::kUsage),
              HasSubstr("--insecure and a token contradict each other"));
  std::ofstream(path) << "\n";
  EXPECT_THAT(refused("target list --token-file " + path, ExitCode::kUsage), HasSubstr("is empty"));
  EXPECT_THAT(refused("target list --token-file " + dir_ + "/none", ExitCode::kNotFound), HasSubstr("/none"));
  // What needs no controller needs no token either.
  EXPECT_EQ(RunLine("plan validate " + plan() + " --token-file " + dir_ + "/none"), ExitCode::kOk);
  const GlobalFlags flags = DefaultFlags(
      [&](const std::string& name) { return name == "CURLEW_TOKEN" ? token : std::string("x"); });
  EXPECT_EQ(flags.token, token);
}

TEST_F(VerbsTest, TheActorComesFromTheEnvironment) {
  const auto flags = [](const std::string& actor) {
    return DefaultFlags([actor](const std::string& name) -> std::string {
      if (name == "CURLEW_ACTOR") return actor;
      return name == "USER" ? "user" : "";
    });
  };
  EXPECT_EQ(flags("ci-bot").actor, "ci-bot");
  EXPECT_EQ(flags("").actor, "user");
}

}  // namespace
}  // namespace curlew::cli
