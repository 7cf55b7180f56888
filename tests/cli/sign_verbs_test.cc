// `curlew key`, `curlew plan sign`, and --sign-key, as people run them.
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <sstream>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/str_split.h"
#include "absl/time/clock.h"
#include "cli/app.h"
#include "cli/files.h"
#include "cli/verbs.h"
#include "common/base/error_detail.h"
#include "common/base/proto_time.h"
#include "common/plan/plan_reader.h"
#include "common/signing/key_files.h"
#include "common/signing/statements.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/cli/fake_controller.h"
#include "tests/cli/messages.h"

namespace curlew::cli {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

std::string Digest(char digit) { return std::string(64, digit); }

class SignVerbsTest : public ::testing::Test {
 protected:
  SignVerbsTest() : context_(out_, err_), dir_(absl::StrCat(::testing::TempDir(), "curlew_sign_", getpid())) {
    context_.flags.controller = controller_.address();
    context_.flags.transport.plain_text = rpc::PlainText::kLoopbackOnly;
    context_.flags.actor = "ann";
    context_.zone = absl::UTCTimeZone();
    std::filesystem::create_directories(dir_);
    std::ofstream(dir_ + "/plan.yaml")
        << "name: add-b\noperations:\n  - add_column: {table: t, column: b, type: text}\n";
    EXPECT_EQ(RunLine("key create @/key"), ExitCode::kOk) << err_.str();
    v1::StoredPlan stored;
    stored.set_name("plans/add-b-0123456789ab");
    *stored.mutable_plan() = *ReadPlanFile(dir_ + "/plan.yaml");
    stored.set_digest(plan::Digest(stored.plan()));
    digest_ = stored.digest();
    controller_.Set(stored);
    controller_.Set(
        Parse<v1::ListTargetsResponse>("targets { name: 'targets/shop' requires_signatures: true } "
                                       "targets { name: 'targets/crm' }"));
  }
  // Whatever was said, no key was.
  ~SignVerbsTest() override {
    EXPECT_THAT(said_, Not(HasSubstr("PRIVATE KEY-----")));
    std::filesystem::remove_all(dir_);
  }

  // Runs it; @ is the folder of the test.
  ExitCode RunLine(const std::string& line) {
    out_.str("");
    err_.str("");
    const std::string all = absl::StrReplaceAll(line, {{"@", dir_}});
    const ExitCode code =
        cli::Run(context_, std::vector<std::string>(absl::StrSplit(all, ' ', absl::SkipEmpty())));
    said_ += out_.str() + err_.str();
    return code;
  }
  signing::PublicKey Key() { return *signing::LoadPublicKey(dir_ + "/key.pub"); }
  void ExpectSignedByKey(const v1::DecisionSignature& decision) {
    const auto key = signing::Verify(decision);
    ASSERT_TRUE(key.ok()) << key.status();
    EXPECT_EQ(*key, Key());
  }

  FakeController controller_;
  std::ostringstream out_, err_;
  Context context_;
  const std::string dir_;
  std::string said_, digest_;
};

TEST_F(SignVerbsTest, AKeyIsMadeOnceAndItsPublicHalfShown) {
  EXPECT_EQ(RunLine("key create @/other"), ExitCode::kOk) << err_.str();
  struct stat info = {};
  ASSERT_EQ(stat((dir_ + "/other").c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777, 0600u);
  EXPECT_THAT(out_.str(), HasSubstr("plan_keys or approver_keys"));
  for (const char* half : {"key show @/key", "key show @/key.pub"}) {
    EXPECT_EQ(RunLine(half), ExitCode::kOk) << err_.str();
    EXPECT_EQ(out_.str(), absl::StrCat("public key   ", Key().text(), "\nkey id       ", Key().id(), "\n"));
  }
  EXPECT_EQ(RunLine("key create @/key"), ExitCode::kPrecondition);
  EXPECT_THAT(err_.str(), AllOf(HasSubstr("it is not overwritten"), HasSubstr("choose another name")));
  EXPECT_EQ(RunLine("key show @/plan.yaml"), ExitCode::kInvalid);
  EXPECT_THAT(err_.str(), HasSubstr("curlew key create"));
  EXPECT_NE(RunLine("key show @/none"), ExitCode::kOk);
}

TEST_F(SignVerbsTest, APlanIsSignedForAllTargetsOfItsEnvironment) {
  const absl::Time before = absl::Now();
  ASSERT_EQ(RunLine("plan sign @/plan.yaml --key @/key --environment environments/production --expires 2d"),
            ExitCode::kOk)
      << err_.str();
  EXPECT_THAT(out_.str(),
              AllOf(HasSubstr("type: text"), HasSubstr(absl::StrCat("digest       ", digest_)),
                    HasSubstr("environment  production\ntargets      crm, shop\n"), HasSubstr("(2 days)"),
                    HasSubstr(Key().id().substr(0, 16)), HasSubstr("kept with    plans/add-b-0123456789ab")));
  const v1::PlanSignature sent = controller_.signature();
  ASSERT_TRUE(signing::Verify(sent).ok()) << signing::Verify(sent).status();
  EXPECT_EQ(sent.public_key(), Key().text());
  EXPECT_EQ(sent.statement().plan_digest(), digest_);
  EXPECT_EQ(sent.statement().environment(), "production");
  EXPECT_THAT(sent.statement().targets(), ElementsAre("crm", "shop"));
  EXPECT_LE(base::FromProto(sent.statement().not_before()), before);
  const absl::Duration lasts = base::FromProto(sent.statement().expire_time()) - before;
  EXPECT_GT(lasts, absl::Hours(47));
  EXPECT_LE(lasts, absl::Hours(49));
  // Never twice the same.
  ASSERT_EQ(RunLine("plan sign add-b --key @/key --environment production --target crm -o json"),
            ExitCode::kOk)
      << err_.str();
  EXPECT_THAT(out_.str(), HasSubstr("\"digest\""));
  EXPECT_THAT(controller_.signature().statement().targets(), ElementsAre("crm"));
  EXPECT_NE(controller_.signature().statement().id(), sent.statement().id());
}

TEST_F(SignVerbsTest, ASignatureIsMadeWithoutAControllerAndSentFromElsewhere) {
  const std::string address = context_.flags.controller;
  context_.flags.controller = "127.0.0.1:1";
  ASSERT_EQ(RunLine("plan sign @/plan.yaml --key @/key --environment production --target crm "
                    "--not-before 2100-01-01T00:00:00Z --out @/s.json"),
            ExitCode::kOk)
      << err_.str();
  EXPECT_THAT(out_.str(), AllOf(HasSubstr("not valid before 2100-01-01"), HasSubstr("--signature")));
  context_.flags.controller = address;
  std::ostringstream text;
  text << std::ifstream(dir_ + "/s.json").rdbuf();

  Context sending(out_, err_);
  sending.flags = context_.flags;
  const auto send = [&](const std::string& file) {
    err_.str("");
    return cli::Run(sending, {"plan", "sign", dir_ + "/plan.yaml", "--signature", dir_ + "/" + file});
  };
  ASSERT_EQ(send("s.json"), ExitCode::kOk) << err_.str();
  EXPECT_TRUE(signing::Verify(controller_.signature()).ok());
  EXPECT_EQ(base::FromProto(controller_.signature().statement().expire_time()),
            absl::FromCivil(absl::CivilDay(2100, 1, 8), absl::UTCTimeZone()));

  std::ofstream(dir_ + "/changed.json") << absl::StrReplaceAll(text.str(), {{"\"crm\"", "\"crn\""}});
  EXPECT_NE(send("changed.json"), ExitCode::kOk);
  EXPECT_THAT(err_.str(), AllOf(HasSubstr("not that of key"), HasSubstr("--out")));
  std::ofstream(dir_ + "/plan.yaml")
      << "name: add-b\noperations:\n  - add_column: {table: t, column: b, type: bigint}\n";
  EXPECT_EQ(send("s.json"), ExitCode::kInvalid);
  EXPECT_THAT(err_.str(), HasSubstr("is the signature of another plan"));
}

TEST_F(SignVerbsTest, WhatCannotBeSignedIsRefusedWithANextStep) {
  EXPECT_EQ(RunLine("plan sign @/plan.yaml --environment production"), ExitCode::kUsage);
  EXPECT_THAT(err_.str(), AllOf(HasSubstr("--key is missing"), HasSubstr("curlew key create")));
  EXPECT_EQ(RunLine("plan sign @/plan.yaml --key @/key"), ExitCode::kUsage);
  EXPECT_THAT(err_.str(), HasSubstr("--environment is missing"));
  EXPECT_EQ(RunLine("plan sign @/plan.yaml --key @/key --environment e --not-before today"),
            ExitCode::kInvalid);
  EXPECT_EQ(RunLine("plan sign @/plan.yaml --key @/key --signature @/s.json"), ExitCode::kUsage);
  EXPECT_EQ(RunLine("plan sign @/plan.yaml --key @/key.pub --environment e --target t"), ExitCode::kInvalid);
  ASSERT_EQ(chmod((dir_ + "/key").c_str(), 0644), 0);
  EXPECT_EQ(RunLine("plan sign @/plan.yaml --key @/key --environment e --target t"), ExitCode::kPrecondition);
  ASSERT_EQ(chmod((dir_ + "/key").c_str(), 0600), 0);
  controller_.Set(v1::ListTargetsResponse());
  EXPECT_NE(RunLine("plan sign @/plan.yaml --key @/key --environment e"), ExitCode::kOk);
  EXPECT_THAT(err_.str(), AllOf(HasSubstr("environment e has no targets"), HasSubstr("curlew env list")));
  std::ofstream(dir_ + "/checks.yaml") << "name: c\nchecks: [{name: x, sql: SELECT 1}]\noperations:\n"
                                          "  - add_column: {table: t, column: b, type: text}\n";
  EXPECT_EQ(RunLine("plan sign @/checks.yaml --key @/key --environment e --target t"),
            ExitCode::kPrecondition)
      << err_.str();
  EXPECT_THAT(err_.str(), AllOf(HasSubstr("has checks"), HasSubstr("configuration of the agents")));
  // What a controller says of a plan is not believed.
  v1::StoredPlan other;
  other.set_name("plans/add-b-0123456789ab");
  *other.mutable_plan() = *ReadPlanFile(dir_ + "/plan.yaml");
  other.set_digest(Digest('a'));
  controller_.Set(other);
  EXPECT_NE(RunLine("plan sign add-b --key @/key --environment e --target t"), ExitCode::kOk);
  EXPECT_THAT(err_.str(), HasSubstr("nothing was signed"));
}

TEST_F(SignVerbsTest, APlanShowsItsSignaturesAndWhetherTheyCount) {
  v1::StoredPlan stored;
  stored.set_name("plans/p");
  stored.mutable_plan()->set_name("p");
  const signing::SigningKey key = *signing::SigningKey::Load(dir_ + "/key");
  v1::PlanStatement statement;
  statement.set_id("0123456789abcdef");
  statement.set_plan_digest(Digest('a'));
  statement.set_environment("production");
  statement.add_targets("crm");
  statement.mutable_not_before()->set_seconds(1000);
  statement.mutable_expire_time()->set_seconds(2000);
  *stored.add_signatures() = signing::Sign(key, statement);
  *statement.mutable_expire_time() = base::ToProto(absl::Now() + absl::Hours(1));
  *stored.add_signatures() = signing::Sign(key, statement);
  *stored.add_signatures() = stored.signatures(1);
  stored.mutable_signatures(2)->mutable_statement()->set_environment("staging");
  controller_.Set(stored);
  ASSERT_EQ(RunLine("plan show p"), ExitCode::kOk) << err_.str();
  const std::string by = absl::StrCat("# signed by key ", Key().id().substr(0, 16), ", ");
  EXPECT_THAT(out_.str(),
              AllOf(HasSubstr(by + "for production (crm), expired at 1970-01-01 00:33:20"),
                    HasSubstr(by + "for production (crm), valid until "), HasSubstr(by + "NOT RIGHT")));
}

constexpr char kRollout[] = R"pb(
  name: "rollouts/r"
  state: ROLLOUT_STATE_RUNNING
  plan_digest: "%a"
  waiting { cause: WAIT_CAUSE_APPROVAL gate: "production/before-drop" }
  stages {
    environment: "environments/production"
    before { id: "production/before" }
    before_drop {
      id: "production/before-drop"
      required_approvals: 1
      cover: "c0ffee"
      reached_time { seconds: 1 }
    }
  }
  runs {
    target: "crm"
    environment: "environments/production"
    compiled_digest: "%b"
    state: RUN_STATE_DROPPING
    steps { key: "add-1" state: STEP_STATE_SUCCEEDED }
    steps { key: "drain-1" state: STEP_STATE_ACTIVE waits: true }
  }
  runs {
    target: "shop"
    environment: "environments/production"
    compiled_digest: "%c"
    state: RUN_STATE_FAILED
    steps { key: "analyze-1" state: STEP_STATE_FAILED skippable: true }
  }
  runs { target: "out" environment: "environments/production" state: RUN_STATE_SKIPPED }
  runs { target: "test" environment: "environments/staging" compiled_digest: "%d" })pb";

v1::Rollout ARollout() {
  return Parse<v1::Rollout>(absl::StrReplaceAll(
      kRollout, {{"%a", Digest('a')}, {"%b", Digest('b')}, {"%c", Digest('c')}, {"%d", Digest('d')}}));
}

TEST_F(SignVerbsTest, AnApprovalBeforeDropIsSignedForTheTargetsBehindIt) {
  controller_.SetAnswer(absl::OkStatus(), ARollout());
  ASSERT_EQ(RunLine("rollout approve r --sign-key @/key --expires 2h"), ExitCode::kOk) << err_.str();
  const v1::DecisionSignature decision = controller_.decision();
  ExpectSignedByKey(decision);
  const v1::DecisionStatement& statement = decision.statement();
  EXPECT_EQ(statement.kind(), v1::DECISION_KIND_DROP);
  EXPECT_EQ(statement.rollout(), "rollouts/r");
  EXPECT_EQ(statement.plan_digest(), Digest('a'));
  EXPECT_EQ(statement.compiled_digests().size(), 2u);
  EXPECT_EQ(statement.compiled_digests().at("crm"), Digest('b'));
  EXPECT_EQ(statement.compiled_digests().at("shop"), Digest('c'));
  EXPECT_THAT(controller_.last_request(), HasSubstr("gate: \"production/before-drop\""));
  EXPECT_THAT(out_.str(), AllOf(HasSubstr("signed       that DROP may begin"),
                                HasSubstr(Digest('c') + "  shop"), HasSubstr("(2 hours)")));
  EXPECT_THAT(err_.str(), IsEmpty());
  // After the agent has refused it.
  v1::Rollout failed = ARollout();
  failed.set_state(v1::ROLLOUT_STATE_FAILED);
  controller_.SetAnswer(absl::OkStatus(), failed);
  ASSERT_EQ(RunLine("rollout approve r --sign-key @/key"), ExitCode::kOk) << err_.str();
  EXPECT_THAT(out_.str(), AllOf(HasSubstr(": approved, signed"), HasSubstr("curlew rollout resume r")));
}

TEST_F(SignVerbsTest, WhereAnAgentAsksForASignatureAnApprovalWithoutOneIsWarnedOf) {
  controller_.SetAnswer(absl::OkStatus(), ARollout());
  ASSERT_EQ(RunLine("rollout approve r"), ExitCode::kOk) << err_.str();
  EXPECT_FALSE(controller_.decision().has_statement());
  EXPECT_THAT(err_.str(),
              AllOf(HasSubstr("warning: shop runs signed plans alone"),
                    HasSubstr("curlew rollout approve r --gate production/before-drop --sign-key")));
  v1::Rollout other = ARollout();
  other.mutable_waiting(0)->set_gate("production/before");
  controller_.SetAnswer(absl::OkStatus(), other);
  ASSERT_EQ(RunLine("rollout approve r"), ExitCode::kOk) << err_.str();
  EXPECT_THAT(err_.str(), IsEmpty());
  EXPECT_EQ(RunLine("rollout approve r --sign-key @/key"), ExitCode::kInvalid);
  EXPECT_THAT(err_.str(),
              AllOf(HasSubstr("production/before is none before DROP"), HasSubstr("leave --sign-key")));
  EXPECT_EQ(RunLine("rollout approve r --expires 1h"), ExitCode::kUsage);
  // Where none waits it is the one that was reached.
  other.clear_waiting();
  controller_.SetAnswer(absl::OkStatus(), other);
  EXPECT_EQ(RunLine("rollout approve r --sign-key @/key"), ExitCode::kOk) << err_.str();
  EXPECT_THAT(controller_.last_request(), HasSubstr("gate: \"production/before-drop\""));
  other.mutable_stages(0)->mutable_before_drop()->clear_reached_time();
  controller_.SetAnswer(absl::OkStatus(), other);
  EXPECT_EQ(RunLine("rollout approve r --sign-key @/key"), ExitCode::kPrecondition);
  EXPECT_THAT(err_.str(), HasSubstr("curlew rollout show r"));
}

TEST_F(SignVerbsTest, OverridesAndSkipsAreSignedForTheStepThatIsMeant) {
  controller_.SetAnswer(absl::OkStatus(), ARollout());
  ASSERT_EQ(RunLine("rollout override r --target crm --reason x --sign-key @/key"), ExitCode::kOk)
      << err_.str();
  ExpectSignedByKey(controller_.decision());
  EXPECT_EQ(controller_.decision().statement().kind(), v1::DECISION_KIND_OVERRIDE);
  EXPECT_EQ(controller_.decision().statement().step(), "drain-1");
  EXPECT_EQ(controller_.decision().statement().compiled_digests().size(), 1u);
  EXPECT_THAT(out_.str(), HasSubstr("that step drain-1 need not wait"));
  ASSERT_EQ(RunLine("rollout skip r --step analyze-1 --reason x --sign-key @/key"), ExitCode::kOk)
      << err_.str();
  EXPECT_EQ(controller_.decision().statement().step(), "analyze-1");
  EXPECT_EQ(controller_.decision().statement().compiled_digests().at("shop"), Digest('c'));
  EXPECT_EQ(RunLine("rollout override r --reason x --sign-key @/key"), ExitCode::kPrecondition);
  EXPECT_THAT(err_.str(),
              AllOf(HasSubstr("analyze-1 (shop); drain-1 (crm)"), HasSubstr("name one with --target")));
  EXPECT_EQ(RunLine("rollout override r --target out --reason x --sign-key @/key"), ExitCode::kPrecondition);
  EXPECT_THAT(err_.str(), HasSubstr("there is nothing to sign"));
}

TEST_F(SignVerbsTest, TargetsSayThatTheyAskForSignatures) {
  v1::Target target = Parse<v1::Target>("name: 'targets/shop' served: true requires_signatures: true");
  controller_.Set(target);
  ASSERT_EQ(RunLine("target list"), ExitCode::kOk) << err_.str();
  EXPECT_THAT(out_.str(), HasSubstr("no, signed"));
}

}  // namespace
}  // namespace curlew::cli
