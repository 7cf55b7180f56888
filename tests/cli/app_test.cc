#include "cli/app.h"

#include <sstream>

#include "absl/strings/str_split.h"
#include "cli/completion.h"
#include "cli/help.h"
#include "cli/text.h"
#include "cli/verb.h"
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
using ::testing::StartsWith;

std::vector<const CLI::App*> AllCommands(const CLI::App& app) {
  std::vector<const CLI::App*> all = {&app};
  for (const CLI::App* child : app.get_subcommands({})) {
    for (const CLI::App* below : AllCommands(*child)) all.push_back(below);
  }
  return all;
}

class AppTest : public ::testing::Test {
 protected:
  AppTest() : context_(out_, err_) {
    context_.flags.controller = controller_.address();
    context_.flags.transport.plain_text = rpc::PlainText::kLoopbackOnly;
    context_.flags.actor = "ann";
  }

  ExitCode RunLine(const std::string& line) {
    out_.str("");
    err_.str("");
    return cli::Run(context_, std::vector<std::string>(absl::StrSplit(line, ' ', absl::SkipEmpty())));
  }

  FakeController controller_;
  std::ostringstream out_, err_;
  Context context_;
};

TEST_F(AppTest, EveryVerbHasExamplesThatNameIt) {
  const auto app = BuildApp(context_);
  int verbs = 0;
  for (const CLI::App* command : AllCommands(*app)) {
    if (!command->get_subcommands({}).empty()) continue;
    ++verbs;
    EXPECT_THAT(command->get_footer(), HasSubstr(CommandPath(*command))) << CommandPath(*command);
    EXPECT_THAT(Help(*command),
                AllOf(HasSubstr("\nUsage:\n"), HasSubstr("\nExamples:\n  # "), HasSubstr("--help")));
  }
  EXPECT_EQ(verbs, 52);
}

TEST_F(AppTest, ExamplesAreCommandLinesThatAreUnderstood) {
  const auto tree = BuildApp(context_);
  for (const CLI::App* command : AllCommands(*tree)) {
    for (const std::string& example : std::vector<std::string>(absl::StrSplit(command->get_footer(), '\n'))) {
      if (!absl::StartsWith(example, "curlew ")) continue;
      // Up to the first character that means something to the shell.
      std::string line = example.substr(7, example.find_first_of("|>&<") - 7);
      const auto app = BuildApp(context_);
      EXPECT_NO_THROW(app->parse(line)) << example;
    }
  }
}

TEST_F(AppTest, HelpFitsAHundredColumns) {
  const auto app = BuildApp(context_);
  for (const CLI::App* command : AllCommands(*app)) {
    const std::string help = Help(*command);
    const std::string text = help.substr(0, help.find("\nExamples:"));
    for (const std::string& line : std::vector<std::string>(absl::StrSplit(text, '\n'))) {
      EXPECT_LE(DisplayWidth(line), 100) << CommandPath(*command) << ": " << line;
    }
  }
}

TEST_F(AppTest, HelpOfTheProgramListsExitStatuses) {
  EXPECT_EQ(RunLine("--help"), ExitCode::kOk);
  EXPECT_THAT(out_.str(),
              AllOf(HasSubstr("Exit status:"), HasSubstr("  7  "), HasSubstr("CURLEW_CONTROLLER")));
  EXPECT_EQ(RunLine("rollout start --help"), ExitCode::kOk);
  EXPECT_THAT(out_.str(), StartsWith("Start a rollout of a plan through all environments\n"));
}

TEST_F(AppTest, WrongCommandLinesSayWhatWouldBeRight) {
  EXPECT_EQ(RunLine(""), ExitCode::kUsage);
  EXPECT_THAT(err_.str(),
              HasSubstr("\"curlew\" needs a command: plan, lint, rollout, target, current, history, "
                        "drift, schema, env, audit"));
  EXPECT_EQ(RunLine("rolout list"), ExitCode::kUsage);
  EXPECT_THAT(err_.str(), HasSubstr("unknown command \"rolout\" for \"curlew\"; did you mean \"rollout\"?"));
  EXPECT_EQ(RunLine("plan frobnicate"), ExitCode::kUsage);
  EXPECT_THAT(err_.str(), HasSubstr("it has: validate, explain, sql, from-sql, submit, list, show"));
  EXPECT_EQ(RunLine("rollout show"), ExitCode::kUsage);
  EXPECT_THAT(err_.str(), AllOf(HasSubstr("ROLLOUT"), HasSubstr("see curlew rollout show --help")));
  EXPECT_EQ(RunLine("rollout list -o xml"), ExitCode::kUsage);
  EXPECT_THAT(err_.str(), HasSubstr("\"xml\" is none of table, json, yaml, name"));
  EXPECT_EQ(RunLine("rollout list --timeout soon"), ExitCode::kUsage);
  EXPECT_THAT(err_.str(), HasSubstr("\"soon\" is no duration above zero"));
  EXPECT_EQ(RunLine("rollout list --frobnicate"), ExitCode::kUsage);
  EXPECT_EQ(RunLine("rollout start x --watch --wait"), ExitCode::kUsage);
  EXPECT_EQ(RunLine("plan explain x.yaml"), ExitCode::kUsage);
  EXPECT_THAT(err_.str(), HasSubstr("exactly one of --target, --environment, --database and --schema"));
  EXPECT_EQ(RunLine("plan explain x.yaml --target a --schema b"), ExitCode::kUsage);
  EXPECT_THAT(out_.str(), IsEmpty());
}

TEST_F(AppTest, GlobalFlagsStandBeforeOrBehindTheVerb) {
  controller_.SetAnswer(absl::OkStatus(), Parse<v1::Rollout>("name: 'rollouts/r1'"));
  context_.flags.controller = "127.0.0.1:1";
  EXPECT_EQ(RunLine("--controller " + controller_.address() + " rollout show r1"), ExitCode::kOk)
      << err_.str();
  EXPECT_EQ(RunLine("rollout show r1 --controller " + controller_.address()), ExitCode::kOk) << err_.str();
}

TEST_F(AppTest, ARolloutMayBeCalledLikeAVerb) {
  controller_.SetAnswer(absl::OkStatus(), Parse<v1::Rollout>("name: 'rollouts/list'"));
  EXPECT_EQ(RunLine("rollout show list"), ExitCode::kOk) << err_.str();
  EXPECT_EQ(controller_.last_request(), "name: \"rollouts/list\"");
}

TEST_F(AppTest, ListsHaveAllPages) {
  EXPECT_EQ(RunLine("plan list -o name"), ExitCode::kOk) << err_.str();
  EXPECT_EQ(out_.str(), "p0\np1\np2\n");
}

TEST_F(AppTest, StartSendsIdDigestAndActor) {
  controller_.SetAnswer(absl::OkStatus(),
                        Parse<v1::Rollout>("name: 'rollouts/r1' state: ROLLOUT_STATE_RUNNING"));
  EXPECT_EQ(RunLine("rollout start rename-phone --id r1 --digest abc"), ExitCode::kOk) << err_.str();
  EXPECT_EQ(controller_.last_request(),
            "plan: \"rename-phone\" rollout_id: \"r1\" actor: \"ann\" digest: \"abc\"");
  EXPECT_EQ(out_.str(), "rollouts/r1 is RUNNING\nto follow it: curlew rollout watch r1\n");
  controller_.SetAnswer(absl::OkStatus(),
                        Parse<v1::Rollout>("name: 'rollouts/r1' state: ROLLOUT_STATE_FAILED"));
  EXPECT_EQ(RunLine("rollout start rename-phone --id r1"), ExitCode::kOk) << err_.str();
  EXPECT_EQ(out_.str(), "rollouts/r1 exists and is FAILED\nto look at it: curlew rollout show r1\n");
}

TEST_F(AppTest, ApproveSaysWhoAndWhy) {
  controller_.SetAnswer(absl::OkStatus(), Parse<v1::Rollout>("name: 'rollouts/r1'"));
  EXPECT_EQ(RunLine("rollout approve r1 --gate staging/before-drop --reason fine --actor bob"),
            ExitCode::kOk);
  EXPECT_EQ(controller_.last_request(),
            "name: \"rollouts/r1\" gate: \"staging/before-drop\" reason: \"fine\" actor: \"bob\"");
}

TEST_F(AppTest, OverrideSaysWhoAndWhyAndNamesTheSteps) {
  controller_.SetAnswer(absl::OkStatus(), Parse<v1::Rollout>(R"pb(
                          name: 'rollouts/r1'
                          runs {
                            target: 'a'
                            steps {
                              key: 'drop-1'
                              title: 'wait'
                              state: STEP_STATE_ACTIVE
                              waits: true
                              override { actor: 'ann' reason: 'batch' }
                            }
                            steps { key: 'drop-2' title: 'drop' state: STEP_STATE_PENDING }
                          }
                          runs {
                            target: 'b'
                            rollback_gate {
                              key: 'rollback-gate'
                              title: 'wait'
                              state: STEP_STATE_ACTIVE
                              waits: true
                              override { actor: 'bob' reason: 'dead' }
                            }
                          }
                          runs {
                            target: 'c'
                            steps {
                              key: 'drop-1'
                              state: STEP_STATE_SUCCEEDED
                              override { actor: 'bob' reason: 'x' }
                            }
                          }
                        )pb"));
  EXPECT_EQ(RunLine("rollout override r1 --target staging-crm --reason batch --actor bob --etag v7"),
            ExitCode::kOk)
      << err_.str();
  EXPECT_EQ(controller_.last_request(),
            "name: \"rollouts/r1\" target: \"staging-crm\" reason: \"batch\" actor: \"bob\" etag: \"v7\"");
  EXPECT_EQ(out_.str(),
            "a: drop-1 need not wait: overridden by ann: batch\n"
            "b: rollback-gate need not wait: overridden by bob: dead\n");
  EXPECT_EQ(RunLine("rollout override r1 --reason x -o json"), ExitCode::kOk);
  EXPECT_EQ(controller_.last_request(), "name: \"rollouts/r1\" reason: \"x\" actor: \"bob\"");
  EXPECT_THAT(out_.str(), HasSubstr("\"rollouts/r1\""));
}

TEST_F(AppTest, AnOverrideNeedsAReason) {
  EXPECT_EQ(RunLine("rollout override r1"), ExitCode::kUsage);
  EXPECT_THAT(err_.str(), AllOf(HasSubstr("--reason"), HasSubstr("see curlew rollout override --help")));
  controller_.SetAnswer(absl::FailedPreconditionError("r1 waits for no condition"));
  EXPECT_EQ(RunLine("rollout override r1 --reason x"), ExitCode::kPrecondition);
}

TEST_F(AppTest, AnOverrideOfRowsSaysSoAndHowToGoOn) {
  controller_.SetAnswer(absl::OkStatus(), Parse<v1::Rollout>(R"pb(
                          name: 'rollouts/r1'
                          state: ROLLOUT_STATE_FAILED
                          runs {
                            target: 'a'
                            steps {
                              key: 'backfill-1'
                              state: STEP_STATE_FAILED
                              override { actor: 'ann' reason: 'test accounts' }
                            }
                          })pb"));
  EXPECT_EQ(RunLine("rollout override r1 --reason accounts"), ExitCode::kOk) << err_.str();
  EXPECT_EQ(out_.str(),
            "a: backfill-1 may leave the rows that it could not write: overridden by ann: test accounts\n"
            "It goes on with: curlew rollout resume r1\n");
}

TEST_F(AppTest, SkipSaysWhoAndWhyAndWhatIsLeftOut) {
  controller_.SetAnswer(absl::OkStatus(), Parse<v1::Rollout>(R"pb(
                          name: 'rollouts/r1'
                          state: ROLLOUT_STATE_RUNNING
                          runs {
                            target: 'a'
                            steps {
                              key: 'backfill-2'
                              state: STEP_STATE_ACTIVE
                              skippable: true
                              override { actor: 'bob' reason: 'later' }
                            }
                            steps {
                              key: 'backfill-3'
                              state: STEP_STATE_SUCCEEDED
                              skippable: true
                              override { actor: 'bob' reason: 'before' }
                            }
                          })pb"));
  EXPECT_EQ(RunLine("rollout skip r1 --target a --step backfill-2 --reason later --actor bob --etag v7"),
            ExitCode::kOk)
      << err_.str();
  EXPECT_EQ(controller_.last_request(),
            "name: \"rollouts/r1\" target: \"a\" step: \"backfill-2\" reason: \"later\" actor: \"bob\" "
            "etag: \"v7\"");
  EXPECT_EQ(out_.str(), "a: backfill-2 is left out: skipped by bob: later\nrollouts/r1 is RUNNING\n");
  EXPECT_EQ(RunLine("rollout skip r1"), ExitCode::kUsage);
  EXPECT_THAT(err_.str(), HasSubstr("--reason"));
  controller_.SetAnswer(absl::FailedPreconditionError("bind of a cannot be skipped"));
  EXPECT_EQ(RunLine("rollout skip r1 --reason x"), ExitCode::kPrecondition);
  EXPECT_THAT(err_.str(), HasSubstr("bind of a cannot be skipped"));
}

TEST_F(AppTest, RetryIsForARolloutThatHasFailed) {
  controller_.SetAnswer(absl::OkStatus(),
                        Parse<v1::Rollout>("name: 'rollouts/r1' etag: 'v9' state: ROLLOUT_STATE_FAILED"));
  EXPECT_EQ(RunLine("rollout retry r1 --reason mended"), ExitCode::kOk) << err_.str();
  EXPECT_EQ(controller_.last_request(),
            "name: \"rollouts/r1\" reason: \"mended\" actor: \"ann\" etag: \"v9\"");
  // What does not fit is refused before anything is asked for.
  const auto refused = [&](const std::string& rollout, const std::string& word) {
    controller_.SetAnswer(absl::OkStatus(), Parse<v1::Rollout>("name: 'rollouts/r1' " + rollout));
    EXPECT_EQ(RunLine("rollout retry r1"), ExitCode::kPrecondition);
    EXPECT_THAT(err_.str(), HasSubstr(word));
    EXPECT_EQ(controller_.last_request(), "name: \"rollouts/r1\"");
  };
  refused("state: ROLLOUT_STATE_PAUSED", "`curlew rollout resume r1` goes on with it");
  refused("state: ROLLOUT_STATE_FAILED rollback_time { seconds: 1 }",
          "`curlew rollout rollback r1` tries again");
  refused("state: ROLLOUT_STATE_RUNNING", "it is RUNNING");
}

TEST_F(AppTest, ShowSaysHowFarIsWhatRuns) {
  const std::string running = R"pb(
    name: 'rollouts/r1'
    last_event: 4
    runs {
      target: 'staging-crm'
      state: RUN_STATE_RUNNING
      last_attempt: 5
      steps {
        key: 'backfill-1'
        state: STEP_STATE_ACTIVE
        attempt { number: 5 state: ATTEMPT_STATE_RUNNING }
      }
    })pb";
  controller_.SetAnswer(absl::OkStatus(), Parse<v1::Rollout>(running));
  controller_.AddScript({{RolloutMessage(4, running), ProgressMessage(kHalfWay)}, absl::OkStatus()});
  EXPECT_EQ(RunLine("rollout show r1"), ExitCode::kOk) << err_.str();
  EXPECT_THAT(out_.str(),
              HasSubstr("working   backfill-1: 42%, 42,000 of about 100,000 rows, 21,000 rows/s"));
  EXPECT_THAT(controller_.watched_after(), ::testing::ElementsAre(4));
  controller_.AddScript({{}, absl::UnavailableError("gone")});
  EXPECT_EQ(RunLine("rollout show r1"), ExitCode::kOk) << "without it, where it does not come";
  EXPECT_THAT(out_.str(), AllOf(HasSubstr("backfill-1"), Not(HasSubstr("working"))));
  EXPECT_EQ(RunLine("rollout show r1 -o json"), ExitCode::kOk);
  EXPECT_EQ(controller_.watched_after().size(), 2u) << "JSON is the rollout alone";
}

TEST_F(AppTest, TunePrintsWhatIsSetNow) {
  controller_.SetAnswer(absl::OkStatus(), Parse<v1::Rollout>(R"pb(
                          name: 'rollouts/r1'
                          runs {
                            target: 'a'
                            state: RUN_STATE_RUNNING
                            tuning {
                              max_workers: 2
                              batch_target { nanos: 20000000 }
                              limits { key: 'wal_bytes_per_s' value: 33554432 }
                              limits { key: 'archive_backlog' value: -1 }
                            }
                          }
                          runs {
                            target: 'b'
                            state: RUN_STATE_PENDING
                            tuning {}
                          }
                          runs {
                            target: 'c'
                            state: RUN_STATE_SUCCEEDED
                            tuning { max_workers: 2 }
                          })pb"));
  EXPECT_EQ(RunLine("rollout tune r1 --workers 2 --batch-target 20ms --limit replica_lag_ms=500.5 --limit "
                    "archive_backlog=off --reset workers --reset batch-target --reset wal_bytes_per_s "
                    "--reason lag --target targets/a --actor bob"),
            ExitCode::kOk)
      << err_.str();
  EXPECT_EQ(
      out_.str(),
      "a: max_workers 2, batch_target 20ms, limit archive_backlog off, limit wal_bytes_per_s 33554432\n");
  const std::string request = controller_.last_request();
  EXPECT_THAT(request, HasSubstr("name: \"rollouts/r1\" target: \"a\" tuning { max_workers: 2 batch_target { "
                                 "nanos: 20000000 }"));
  EXPECT_THAT(request, HasSubstr("limits { key: \"replica_lag_ms\" value: 500.5 }"));
  EXPECT_THAT(request, HasSubstr("limits { key: \"archive_backlog\" value: -1 }"));
  EXPECT_THAT(request, HasSubstr("reset: \"max_workers\" reset: \"batch_target\" reset: \"wal_bytes_per_s\" "
                                 "reason: \"lag\" actor: \"bob\""));
  EXPECT_EQ(RunLine("rollout tune --limit x=1 r1"), ExitCode::kOk) << "one limit a flag: " << err_.str();
  EXPECT_THAT(out_.str(), HasSubstr("b: as plan and agent have it\n"));
}

TEST_F(AppTest, TuneRefusesWhatCannotBeMeant) {
  for (const char* line :
       {"--workers 0", "--workers -1", "--batch-target 0s", "--batch-target soon", "--limit replica_lag_ms",
        "--limit =3", "--limit x=0", "--limit x=-1", "--limit x=nan", "--limit x=much"}) {
    EXPECT_EQ(RunLine(absl::StrCat("rollout tune r1 ", line)), ExitCode::kUsage) << line;
    EXPECT_THAT(err_.str(), HasSubstr("see curlew rollout tune --help"));
  }
  controller_.SetAnswer(base::WithDetail(absl::InvalidArgumentError("nothing is set by the name \"x\""),
                                         base::kHint, "what is set: max_workers 2"));
  EXPECT_EQ(RunLine("rollout tune r1 --reset x"), ExitCode::kInvalid);
  EXPECT_EQ(err_.str(),
            "error: nothing is set by the name \"x\"\n  what to do: what is set: max_workers 2\n");
}

TEST_F(AppTest, RowsListsWhatCouldNotBeWrittenAndWhatCanBeDone) {
  v1::ListRowProblemsResponse problems = Parse<v1::ListRowProblemsResponse>(R"pb(
    problems {
      id: 9
      step: 'backfill-1'
      row_key: 'contacts (id)=(42)'
      sqlstate: '22P02'
      message: "invalid input syntax for type integer: \"x\\033\""
      state: ROW_PROBLEM_STATE_QUARANTINED
    }
    problems {
      step: 'backfill-1'
      row_key: 'k'
      sqlstate: '22P02'
      message: 'm'
      state: ROW_PROBLEM_STATE_ACCEPTED
    }
    total: 12)pb");
  controller_.SetProblems(problems);
  EXPECT_EQ(RunLine("rollout rows r1 --target a -n 2"), ExitCode::kOk) << err_.str();
  EXPECT_EQ(controller_.last_request(), "name: \"rollouts/r1\" target: \"a\" limit: 2");
  EXPECT_THAT(out_.str(), AllOf(HasSubstr("STEP        ROW"), HasSubstr("contacts (id)=(42)  QUARANTINED"),
                                HasSubstr("22P02     invalid input syntax for type integer"),
                                HasSubstr("2 of 12 rows, the newest; more: -n NUMBER"),
                                HasSubstr("To leave the rows as they are: curlew rollout override r1"),
                                Not(HasSubstr("--report-row-keys"))));
  problems.mutable_problems(0)->clear_row_key();
  problems.mutable_problems(0)->set_state(v1::ROW_PROBLEM_STATE_MENDED);
  controller_.SetProblems(problems);
  EXPECT_EQ(RunLine("rollout rows r1"), ExitCode::kOk);
  EXPECT_EQ(controller_.last_request(), "name: \"rollouts/r1\" limit: 100");
  EXPECT_THAT(out_.str(), AllOf(HasSubstr("--report-row-keys"), Not(HasSubstr("curlew rollout override"))));
  EXPECT_EQ(RunLine("rollout rows r1 -o json"), ExitCode::kOk);
  EXPECT_THAT(out_.str(), HasSubstr("\"ROW_PROBLEM_STATE_ACCEPTED\""));
  controller_.SetProblems({});
  EXPECT_EQ(RunLine("rollout rows r1"), ExitCode::kOk);
  EXPECT_EQ(out_.str(), "No row of r1 failed.\n");
  EXPECT_EQ(RunLine("rollout rows r1 -n 1001"), ExitCode::kUsage);
  controller_.SetAnswer(base::WithDetail(absl::UnavailableError("target \"a\" is not served"), base::kReason,
                                         "TARGET_NOT_SERVED"));
  EXPECT_EQ(RunLine("rollout rows r1"), ExitCode::kPrecondition);
}

TEST_F(AppTest, ErrorsOfTheControllerKeepTheirHintAndGetTheirExitCode) {
  controller_.SetAnswer(base::WithDetail(absl::FailedPreconditionError("it waits for no approval"),
                                         base::kHint, "see curlew rollout show r1"));
  EXPECT_EQ(RunLine("rollout approve r1"), ExitCode::kPrecondition);
  EXPECT_EQ(err_.str(), "error: it waits for no approval\n  what to do: see curlew rollout show r1\n");
  controller_.SetAnswer(absl::NotFoundError("no rollout r1"));
  EXPECT_EQ(RunLine("rollout show r1"), ExitCode::kNotFound);
}

TEST_F(AppTest, RollbackCanBeWaitedFor) {
  controller_.SetAnswer(absl::OkStatus(), Parse<v1::Rollout>("name: 'rollouts/r1' last_event: 4"));
  controller_.AddScript({{RolloutMessage(4, "state: ROLLOUT_STATE_ROLLED_BACK")}, absl::OkStatus()});
  EXPECT_EQ(RunLine("rollout rollback r1 --reason collide --wait"), ExitCode::kOk) << err_.str();
  EXPECT_THAT(controller_.watched_after(), ::testing::ElementsAre(4));
}

TEST_F(AppTest, CompletionKnowsEveryCommandFlagAndValue) {
  const auto app = BuildApp(context_);
  for (const std::string& script : {BashCompletion(*app), ZshCompletion(*app)}) {
    for (const CLI::App* command : AllCommands(*app)) {
      EXPECT_THAT(script, HasSubstr("\"" + CommandPath(*command) + "\")"));
      for (const CLI::Option* option : command->get_options()) {
        for (const std::string& name : option->get_lnames()) EXPECT_THAT(script, HasSubstr("--" + name));
      }
    }
    EXPECT_THAT(script,
                HasSubstr("\"curlew rollout watch --until\") _curlew_words end gate decision; return ;;"));
    EXPECT_THAT(script, HasSubstr("\"curlew target list --environment\") _curlew_names env; return ;;"));
    EXPECT_THAT(script, HasSubstr("_curlew_words pending compiling running ready-to-drop "));
    EXPECT_THAT(script, HasSubstr("_curlew_names env; _curlew_names target"));
    EXPECT_THAT(script,
                HasSubstr("\"curlew plan list -o\" | \"curlew plan list --output\") _curlew_words table json "
                          "yaml name; return ;;"));
    EXPECT_THAT(script, HasSubstr("_curlew_names rollout"));
    EXPECT_THAT(script, HasSubstr("\"curlew rollout override --target\") _curlew_names target; return ;;"));
    EXPECT_THAT(script, HasSubstr("\"curlew rollout tune --target\") _curlew_names target; return ;;"));
    EXPECT_THAT(script, HasSubstr("--batch-target"));
    EXPECT_THAT(script, HasSubstr("\"curlew rollout rows --target\") _curlew_names target; return ;;"));
    EXPECT_THAT(script, Not(HasSubstr("\"\")")));
  }
}

}  // namespace
}  // namespace curlew::cli
