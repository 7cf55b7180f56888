// The real agent, killed and started again, with a controller that the test plays.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstdlib>
#include <fstream>
#include <iostream>
#include <memory>
#include <string>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "common/base/canonical_json.h"
#include "tests/agent/session/fake_controller.h"
#include "tests/support/pg_test.h"
#include "tests/support/process.h"
#include "tests/support/status_matchers.h"

namespace curlew::agent {
namespace {

using ::curlew::testing::IsOk;
using ::curlew::testing::IsOkAndHolds;
using ::curlew::testing::Process;
using ::testing::HasSubstr;
using ::testing::Not;

constexpr char kRun[] = "rollouts/r1/runs/crm";

class AgentProcessTest : public ::curlew::testing::PgTest {
 protected:
  void SetUp() override {
    conninfo_ = NewDatabase(
        "CREATE TABLE contacts (id int PRIMARY KEY, name text, counter int DEFAULT 0, pending boolean "
        "DEFAULT true);"
        "INSERT INTO contacts SELECT g, repeat('n', 200) FROM generate_series(1, 6000) g");
    controller_ = std::make_unique<FakeController>();
    plan_ = Plan();
  }
  void TearDown() override {
    if (HasFailure() && agent_ != nullptr) std::cerr << agent_->output();
    agent_.reset();
    controller_.reset();
    PgTest::TearDown();
  }

  // A transactional step, an index built concurrently, and a backfill that counts each row.
  static v1::CompiledPlan Plan() {
    v1::CompiledPlan plan;
    plan.set_plan_name("p");
    for (const char* key : {"add-1", "add-2", "backfill-1"}) plan.add_steps()->set_key(key);
    plan.mutable_steps(0)->mutable_action()->mutable_execute_sql()->add_statements(
        "ALTER TABLE public.contacts ADD COLUMN a int");
    v1::ExecuteSqlConcurrently& index =
        *plan.mutable_steps(1)->mutable_action()->mutable_execute_sql_concurrently();
    index.set_statement("CREATE INDEX CONCURRENTLY contacts_name ON public.contacts (name)");
    index.set_index("public.contacts_name");
    index.set_table("public.contacts");
    index.set_effect(v1::ExecuteSqlConcurrently::EFFECT_CREATES);
    v1::Backfill& backfill = *plan.mutable_steps(2)->mutable_action()->mutable_backfill();
    backfill.set_table("public.contacts");
    v1::Assignment* assignment = backfill.add_assignments();
    assignment->set_column("counter");
    assignment->set_expression("t.counter + 1");
    assignment = backfill.add_assignments();
    assignment->set_column("pending");
    assignment->set_expression("false");
    backfill.set_pending("t.pending");
    *backfill.mutable_batch_target() = base::ToProto(absl::Milliseconds(1));
    return plan;
  }

  void StartAgent(const std::string& fault = "", const std::string& config = "") {
    std::vector<std::string> argv = {
        CURLEW_AGENT_BINARY, "--insecure", "--controller", controller_->address(), "--id",
        "agent-1",           "--target",   "crm",          "--log-level",          "debug"};
    if (!config.empty()) argv.insert(argv.end(), {"--config", config});
    ASSERT_OK_AND_ASSIGN(
        agent_,
        Process::Start({.argv = argv, .env = {{"CURLEW_TARGET_CRM", conninfo_}, {"CURLEW_FAULT", fault}}}));
  }
  v1::TargetReady AwaitReady() {
    v1::TargetReady ready = controller_->Await(v1::AgentMessage::kTargetReady).target_ready();
    epoch_ = ready.epoch();
    return ready;
  }
  void Dispatch(const std::string& step) {
    v1::ControllerMessage message;
    v1::Dispatch& dispatch = *message.mutable_dispatch();
    dispatch.set_target("crm");
    dispatch.set_run(kRun);
    dispatch.set_step(step);
    dispatch.set_attempt(++attempt_);
    dispatch.set_direction(v1::DIRECTION_DO);
    dispatch.set_epoch(epoch_);
    dispatch.set_compiled_digest(base::CanonicalDigest(plan_));
    *dispatch.mutable_compiled_plan() = plan_;
    controller_->Send(message);
  }
  v1::Result Do(const std::string& step) {
    Dispatch(step);
    const v1::Result result = controller_->Await(v1::AgentMessage::kResult).result();
    v1::ControllerMessage ack;
    ack.mutable_result_ack()->set_run(kRun);
    ack.mutable_result_ack()->set_attempt(result.attempt());
    controller_->Send(ack);
    return result;
  }

  std::string conninfo_;
  v1::CompiledPlan plan_;
  std::unique_ptr<FakeController> controller_;
  std::unique_ptr<Process> agent_;
  int64_t epoch_ = 0;
  int attempt_ = 0;
};

TEST_F(AgentProcessTest, SaysHelloBeatsAndSaysGoodbyeOnSigterm) {
  ASSERT_NO_FATAL_FAILURE(StartAgent());
  const v1::Hello hello = controller_->Await(v1::AgentMessage::kHello).hello();
  EXPECT_EQ(hello.agent_id(), "agent-1");
  EXPECT_NE(hello.instance_id(), "");
  EXPECT_EQ(hello.protocol_version(), 1);
  EXPECT_EQ(hello.targets(0), "crm");
  AwaitReady();
  controller_->Await(v1::AgentMessage::kHeartbeat);
  agent_->Kill(SIGTERM);
  EXPECT_TRUE(controller_->AwaitGoodbye());
  EXPECT_THAT(agent_->Wait(absl::Seconds(30)), IsOkAndHolds(0));
  EXPECT_THAT(agent_->output(), HasSubstr("goodbye"));
}

// Its backend lives on: nobody tells it that its client has gone.
TEST_F(AgentProcessTest, OffersWhatItsConfigurationHas) {
  char config[] = "/tmp/curlew-agent-XXXXXX";
  const int file = mkstemp(config);
  ASSERT_GE(file, 0);
  close(file);
  std::ofstream(config)
      << "checks:\n  full: {sql: \"SELECT count(*) = 6000, count(*)::text FROM contacts\"}\n"
      << "backups:\n  commands:\n    snapshot: {argv: [/bin/true]}\n";
  StartAgent("", config);
  const v1::Hello hello = controller_->Await(v1::AgentMessage::kHello).hello();
  ASSERT_EQ(hello.checks_size(), 1);
  EXPECT_EQ(hello.checks(0), "full");
  ASSERT_EQ(hello.backup_commands_size(), 1);
  EXPECT_EQ(hello.backup_commands(0), "snapshot");
  v1::ControllerMessage message;
  message.mutable_run_check()->set_request(1);
  message.mutable_run_check()->set_target("crm");
  message.mutable_run_check()->set_configured("full");
  controller_->Send(message);
  const v1::CheckReport report = controller_->Await(v1::AgentMessage::kCheckReport).check_report();
  EXPECT_EQ(report.state(), v1::CHECK_STATE_PASSING) << report.DebugString();
  EXPECT_EQ(report.value(), "6000");
  message.mutable_run_preflight()->set_request(2);
  message.mutable_run_preflight()->set_target("crm");
  *message.mutable_run_preflight()->mutable_compiled_plan() = plan_;
  controller_->Send(message);
  const v1::PreflightReport preflight =
      controller_->Await(v1::AgentMessage::kPreflightReport).preflight_report();
  EXPECT_EQ(preflight.request(), 2);
  EXPECT_EQ(preflight.error(), "");
  unlink(config);
}

TEST_F(AgentProcessTest, AKilledAgentsIndexThatStillWaitsIsEndedAndBuiltAnew) {
  ASSERT_NO_FATAL_FAILURE(StartAgent());
  AwaitReady();
  Do("add-1");
  auto application = Connect(conninfo_);
  ASSERT_OK(application->Execute("BEGIN").status());
  ASSERT_OK(application->Execute("UPDATE contacts SET name = 'x' WHERE id = 1").status());
  Dispatch("add-2");
  const std::string running =
      "SELECT coalesce(max(pid), 0) FROM pg_stat_activity WHERE datname = current_database() AND query LIKE"
      " 'CREATE INDEX CONCURRENTLY%' AND state = 'active' AND starts_with(application_name, 'curlew crm ')";
  std::string backend = "0";
  for (int i = 0; i < 3000 && backend == "0"; ++i) {
    backend = Query(conninfo_, running);
    absl::SleepFor(absl::Milliseconds(10));
  }
  ASSERT_NE(backend, "0");
  agent_->Kill(SIGKILL);
  ASSERT_THAT(agent_->Wait(absl::Seconds(10)), IsOk());
  EXPECT_EQ(Query(conninfo_, running), backend);

  ASSERT_NO_FATAL_FAILURE(StartAgent());
  controller_->Await(v1::AgentMessage::kHello);
  EXPECT_EQ(AwaitReady().epoch(), 2);
  EXPECT_EQ(Query(conninfo_, absl::StrCat("SELECT count(*) FROM pg_stat_activity WHERE pid = ", backend)),
            "0");
  EXPECT_EQ(Query(conninfo_, "SELECT indisvalid FROM pg_index WHERE indexrelid = 'contacts_name'::regclass"),
            "f");
  ASSERT_OK(application->Execute("COMMIT").status());
  const v1::Result result = Do("add-2");
  EXPECT_EQ(result.outcome(), v1::ATTEMPT_STATE_SUCCEEDED) << result.DebugString();
  EXPECT_EQ(
      Query(
          conninfo_,
          "SELECT string_agg(indexrelid::regclass || ' ' || indisvalid, ', ' ORDER BY 1) FROM pg_index WHERE"
          " indrelid = 'contacts'::regclass AND NOT indisprimary"),
      "contacts_name true");
}

TEST_F(AgentProcessTest, ASecondSigtermEndsAnAgentWhoseServerDoesNotAnswer) {
  // Takes connections and says nothing.
  const int server = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address = {};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  ASSERT_EQ(bind(server, reinterpret_cast<sockaddr*>(&address), size), 0);
  ASSERT_EQ(listen(server, 8), 0);
  ASSERT_EQ(getsockname(server, reinterpret_cast<sockaddr*>(&address), &size), 0);
  conninfo_ = absl::StrCat("host=127.0.0.1 dbname=crm connect_timeout=600 port=", ntohs(address.sin_port));
  ASSERT_NO_FATAL_FAILURE(StartAgent());
  const int connection = accept4(server, nullptr, nullptr, SOCK_CLOEXEC);
  agent_->Kill(SIGTERM);
  ASSERT_THAT(agent_->WaitForOutput("agent stops", absl::Seconds(30)), IsOk());
  EXPECT_THAT(agent_->Wait(absl::Milliseconds(300)), Not(IsOk()));
  agent_->Kill(SIGTERM);
  EXPECT_THAT(agent_->Wait(absl::Seconds(10)), IsOk());
  close(connection);
  close(server);
}

TEST_F(AgentProcessTest, SigtermStopsABackfillAtABatchAndTheNextAgentGoesOn) {
  ASSERT_NO_FATAL_FAILURE(StartAgent());
  AwaitReady();
  Do("add-1");
  Do("add-2");
  Query(conninfo_,
        "CREATE FUNCTION slow() RETURNS trigger LANGUAGE plpgsql AS"
        " 'BEGIN PERFORM pg_sleep(0.0005); RETURN NEW; END';"
        "CREATE TRIGGER slow BEFORE UPDATE ON contacts FOR EACH ROW EXECUTE FUNCTION slow()");
  Dispatch("backfill-1");
  controller_->Await(v1::AgentMessage::kProgress);
  agent_->Kill(SIGTERM);
  EXPECT_THAT(agent_->Wait(absl::Seconds(30)), IsOkAndHolds(0));
  Query(conninfo_, "DROP TRIGGER slow ON contacts");
  EXPECT_NE(Query(conninfo_, "SELECT count(*) FROM contacts WHERE pending"), "0");
  ASSERT_NO_FATAL_FAILURE(StartAgent());
  EXPECT_EQ(AwaitReady().epoch(), 2);
  EXPECT_EQ(Do("backfill-1").rows(), 6000);
  EXPECT_EQ(Query(conninfo_, "SELECT min(counter) || ' ' || max(counter) FROM contacts"), "1 1");
}

TEST_F(AgentProcessTest, DialsAgainWhenTheControllerHasGone) {
  ASSERT_NO_FATAL_FAILURE(StartAgent());
  AwaitReady();
  const int port = controller_->port();
  controller_.reset();
  controller_ = std::make_unique<FakeController>(port);
  // The same process: it keeps its epoch.
  EXPECT_EQ(AwaitReady().epoch(), 1);
  EXPECT_EQ(Do("add-1").outcome(), v1::ATTEMPT_STATE_SUCCEEDED);
}

TEST_F(AgentProcessTest, ComesAgainWhenAskedTo) {
  ASSERT_NO_FATAL_FAILURE(StartAgent());
  AwaitReady();
  v1::ControllerMessage message;
  *message.mutable_reconnect()->mutable_after() = base::ToProto(absl::Milliseconds(10));
  controller_->Send(message);
  AwaitReady();
  EXPECT_EQ(controller_->sessions(), 2);
}

TEST_F(AgentProcessTest, NeverLogsACredential) {
  absl::StrAppend(&conninfo_, " password=hunter2");
  ASSERT_NO_FATAL_FAILURE(StartAgent());
  AwaitReady();
  EXPECT_THAT(agent_->output(), Not(HasSubstr("hunter2")));
}

// kill -9 at every place that matters: the next agent ends with the same database as if nothing had happened.
class CrashTest : public AgentProcessTest, public ::testing::WithParamInterface<const char*> {};

TEST_P(CrashTest, TheNextAgentFinishesWithEachRowDoneOnce) {
  ASSERT_NO_FATAL_FAILURE(StartAgent(GetParam()));
  AwaitReady();
  bool crashed = false;
  for (const char* step : {"add-1", "add-2", "backfill-1"}) {
    Dispatch(step);
    if (!crashed) {
      // Either the result comes, or the process ends.
      while (true) {
        const absl::StatusOr<int> exit = agent_->Wait(absl::Milliseconds(20));
        if (exit.ok()) {
          EXPECT_EQ(*exit, 137);
          crashed = true;
          ASSERT_NO_FATAL_FAILURE(StartAgent());
          controller_->Await(v1::AgentMessage::kHello);
          EXPECT_EQ(AwaitReady().epoch(), 2);
          Dispatch(step);
          break;
        }
        if (Query(conninfo_,
                  absl::StrCat("SELECT count(*) FROM curlew.step WHERE state = 'succeeded' AND step = '",
                               step, "'")) == "1" &&
            agent_->output().find(absl::StrCat("step=", step, " attempt=", attempt_, " outcome=")) !=
                std::string::npos) {
          // A process that dies with its first result has logged it, too; at all other points it has not.
          if (absl::StartsWith(GetParam(), "result.") && agent_->Wait(absl::Minutes(1)).ok()) continue;
          break;
        }
      }
    }
    const v1::Result result = controller_->Await(v1::AgentMessage::kResult).result();
    EXPECT_EQ(result.outcome(), v1::ATTEMPT_STATE_SUCCEEDED) << result.DebugString();
  }
  EXPECT_TRUE(crashed);
  EXPECT_EQ(Query(conninfo_, "SELECT min(counter) || ' ' || max(counter) || ' ' || count(*) FROM contacts"),
            "1 1 6000");
  EXPECT_EQ(Query(conninfo_, "SELECT rows FROM curlew.step WHERE step = 'backfill-1'"), "6000");
  EXPECT_EQ(Query(conninfo_, "SELECT indisvalid FROM pg_index WHERE indexrelid = 'contacts_name'::regclass"),
            "t");
  EXPECT_EQ(Query(conninfo_, "SELECT count(*) FROM pg_attribute WHERE attname = 'a'"), "1");
}

INSTANTIATE_TEST_SUITE_P(FaultPoints, CrashTest,
                         ::testing::Values("step.before_execute:1", "step.before_commit:1",
                                           "step.after_commit:1", "result.before_send:1",
                                           "concurrently.before_execute", "concurrently.after_execute",
                                           "backfill.before_commit:3", "backfill.after_commit:3",
                                           "step.before_commit:3", "step.after_commit:3"),
                         [](const auto& info) {
                           std::string name = info.param;
                           for (char& c : name) {
                             if (!isalnum(static_cast<unsigned char>(c))) c = '_';
                           }
                           return name;
                         });

}  // namespace
}  // namespace curlew::agent
