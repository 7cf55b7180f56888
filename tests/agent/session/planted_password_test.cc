// Whatever befalls an agent, the password of its database is in nothing that it says or writes. Its role is
// that of docs/least-privilege.md.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#include <fstream>
#include <iostream>
#include <map>
#include <memory>
#include <string>

#include "absl/strings/str_cat.h"
#include "common/base/canonical_json.h"
#include "tests/agent/session/fake_controller.h"
#include "tests/support/agent_role.h"
#include "tests/support/pg_test.h"
#include "tests/support/process.h"
#include "tests/support/status_matchers.h"

namespace curlew::agent {
namespace {

using ::curlew::testing::Process;
using ::testing::HasSubstr;
using ::testing::Not;

constexpr char kPassword[] = "pl4nted-S3cret";

class PlantedPasswordTest : public ::curlew::testing::PgTest {
 protected:
  void SetUp() override {
    conninfo_ = NewDatabase(
        "CREATE TABLE contacts (id int PRIMARY KEY, phone text); INSERT INTO contacts VALUES (1, 'x')");
    name_ = Query(conninfo_, "SELECT current_database()");
    ASSERT_OK(roles_->SetUp(conninfo_));
    role_ = roles_->role();
    Query(conninfo_, absl::StrCat("ALTER ROLE ", role_, " PASSWORD '", kPassword, "'"));
    controller_ = std::make_unique<FakeController>();
    char folder[] = "/tmp/curlew-planted-XXXXXX";
    ASSERT_NE(mkdtemp(folder), nullptr);
    folder_ = folder;
  }
  void TearDown() override {
    if (HasFailure() && agent_ != nullptr) std::cerr << agent_->output();
    agent_.reset();
    controller_.reset();
    unlink(absl::StrCat(folder_, "/agent.yaml").c_str());
    rmdir(folder_.c_str());
    PgTest::TearDown();
    roles_.reset();
  }

  // By TCP, where a password is asked for.
  std::string Without(const std::string& password) const {
    std::string words;
    for (const char* key : {"host", "port"}) absl::StrAppend(&words, key, "=", Of(key), " ");
    return absl::StrCat(words, "dbname=", name_, " user=", role_, password);
  }
  static std::string Of(const std::string& key) {
    const std::string all = absl::StrCat(" ", ::curlew::testing::Cluster::Get().TcpConninfo("postgres"), " ");
    const size_t begin = all.find(absl::StrCat(" ", key, "=")) + key.size() + 2;
    return all.substr(begin, all.find(' ', begin) - begin);
  }

  void StartAgent(const std::string& conninfo, const std::map<std::string, std::string>& env) {
    const std::string config = absl::StrCat(folder_, "/agent.yaml");
    std::ofstream(config) << "checks:\n  broken: {sql: SELECT id FROM public.nothing}\n"
                             "  who: {sql: \"SELECT true, current_user::text\"}\n"
                             "check_role: "
                          << roles_->check_role()
                          << "\nbackups:\n  commands:\n    tells: {argv: [/bin/false], connection: true}\n";
    std::map<std::string, std::string> all = env;
    all["CURLEW_TARGET_CRM"] = conninfo;
    ASSERT_OK_AND_ASSIGN(
        agent_, Process::Start({.argv = {CURLEW_AGENT_BINARY, "--insecure", "--controller",
                                         controller_->address(), "--id", "agent-1", "--target", "crm",
                                         "--config", config, "--log-level", "trace"},
                                .env = {all.begin(), all.end()}}));
  }

  // A step that succeeds, some that fail, a check that cannot be made, a look.
  void Work() {
    v1::CompiledPlan plan;
    plan.set_plan_name("p");
    for (const char* key : {"add-1", "add-2", "backup-1"}) plan.add_steps()->set_key(key);
    plan.mutable_steps(0)->mutable_action()->mutable_execute_sql()->add_statements(
        "ALTER TABLE public.contacts ADD COLUMN a int");
    v1::ExecuteSqlConcurrently& index =
        *plan.mutable_steps(1)->mutable_action()->mutable_execute_sql_concurrently();
    index.set_statement("CREATE INDEX CONCURRENTLY i ON public.contacts (nothing)");
    index.set_index("public.i");
    index.set_table("public.contacts");
    index.set_effect(v1::ExecuteSqlConcurrently::EFFECT_CREATES);
    plan.mutable_steps(2)->mutable_action()->mutable_backup()->mutable_command()->set_name("tells");
    const int64_t epoch = controller_->Await(v1::AgentMessage::kTargetReady).target_ready().epoch();
    int attempt = 0;
    for (const v1::Step& step : plan.steps()) {
      // Each in a run of its own: what fails would be in the way of what follows.
      v1::CompiledPlan alone;
      alone.set_plan_name("p");
      *alone.add_steps() = step;
      const std::string run = absl::StrCat("rollouts/", step.key(), "/runs/crm");
      v1::ControllerMessage message;
      v1::Dispatch& dispatch = *message.mutable_dispatch();
      dispatch.set_target("crm");
      dispatch.set_run(run);
      dispatch.set_step(step.key());
      dispatch.set_attempt(++attempt);
      dispatch.set_direction(v1::DIRECTION_DO);
      dispatch.set_epoch(epoch);
      dispatch.set_compiled_digest(base::CanonicalDigest(alone));
      *dispatch.mutable_compiled_plan() = alone;
      controller_->Send(message);
      const v1::Result result = controller_->Await(v1::AgentMessage::kResult).result();
      EXPECT_EQ(result.outcome(), attempt == 1 ? v1::ATTEMPT_STATE_SUCCEEDED : v1::ATTEMPT_STATE_FAILED)
          << result.DebugString();
      v1::ControllerMessage ack;
      ack.mutable_result_ack()->set_run(run);
      ack.mutable_result_ack()->set_attempt(result.attempt());
      controller_->Send(ack);
    }
    v1::ControllerMessage message;
    message.mutable_run_check()->set_request(1);
    message.mutable_run_check()->set_target("crm");
    message.mutable_run_check()->set_configured("broken");
    controller_->Send(message);
    EXPECT_EQ(controller_->Await(v1::AgentMessage::kCheckReport).check_report().state(),
              v1::CHECK_STATE_ERROR);
    message.mutable_run_check()->set_configured("who");
    controller_->Send(message);
    EXPECT_EQ(controller_->Await(v1::AgentMessage::kCheckReport).check_report().value(),
              roles_->check_role());
    message.mutable_run_preflight()->set_request(2);
    message.mutable_run_preflight()->set_target("crm");
    *message.mutable_run_preflight()->mutable_compiled_plan() = plan;
    controller_->Send(message);
    controller_->Await(v1::AgentMessage::kPreflightReport);
  }

  void ExpectNoPassword() {
    agent_->Kill(SIGTERM);
    ASSERT_TRUE(agent_->Wait(absl::Seconds(30)).ok());
    EXPECT_THAT(agent_->output(), HasSubstr("crm")) << "it says nothing at all";
    EXPECT_THAT(agent_->output(), Not(HasSubstr(kPassword)));
    EXPECT_THAT(controller_->everything(), Not(HasSubstr(kPassword)));
    ASSERT_OK_AND_ASSIGN(const std::string dump,
                         Process::Run({.argv = {::curlew::testing::Cluster::Get().Program("pg_dump"),
                                                "--inserts", "--dbname", conninfo_}}));
    EXPECT_THAT(dump, HasSubstr("CREATE TABLE public.contacts"));
    EXPECT_THAT(dump, Not(HasSubstr(kPassword)));
  }

  std::unique_ptr<::curlew::testing::AgentRole> roles_ = std::make_unique<::curlew::testing::AgentRole>();
  std::string conninfo_, name_, role_, folder_;
  std::unique_ptr<FakeController> controller_;
  std::unique_ptr<Process> agent_;
};

TEST_F(PlantedPasswordTest, InTheConnectionStringIsNeverTold) {
  StartAgent(Without(absl::StrCat(" password=", kPassword)), {});
  Work();
  EXPECT_THAT(controller_->everything(), HasSubstr("tells")) << "the command's failure was not told";
  ExpectNoPassword();
}

TEST_F(PlantedPasswordTest, InTheEnvironmentIsNeverTold) {
  StartAgent(Without(""), {{"PGPASSWORD", kPassword}});
  Work();
  ExpectNoPassword();
}

TEST_F(PlantedPasswordTest, ThatIsWrongIsNeverTold) {
  Query(conninfo_, absl::StrCat("ALTER ROLE ", role_, " PASSWORD 'another'"));
  StartAgent(
      absl::StrCat("postgresql://", role_, ":", kPassword, "@", Of("host"), ":", Of("port"), "/", name_), {});
  EXPECT_THAT(controller_->Await(v1::AgentMessage::kTargetProblem).DebugString(), Not(HasSubstr(kPassword)));
  ExpectNoPassword();
}

// What libpq cannot read is not shown either.
TEST_F(PlantedPasswordTest, InAConnectionStringThatCannotBeReadIsNeverTold) {
  StartAgent(absl::StrCat("host=db1 password='", kPassword), {});
  controller_->Await(v1::AgentMessage::kTargetProblem);
  ExpectNoPassword();
}

}  // namespace
}  // namespace curlew::agent
