// Every RPC by every role, over real connections, as docs/access.md has it.
#include <gmock/gmock.h>
#include <google/protobuf/text_format.h>
#include <gtest/gtest.h>

#include <fstream>
#include <map>
#include <memory>
#include <set>
#include <sstream>
#include <string>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/str_split.h"
#include "absl/time/clock.h"
#include "common/rpc/endpoint.h"
#include "controller/access/guard.h"
#include "controller/access/rules.h"
#include "curlew/v1/agent.pb.h"
#include "tests/controller/support/controller_fixture.h"
#include "tests/support/certificates.h"
#include "tests/support/raw_call.h"
#include "tests/support/status_matchers.h"

namespace curlew {
namespace {

using ::curlew::testing::AddNote;
using ::curlew::testing::Certificates;
using ::curlew::testing::ControllerTest;
using ::curlew::testing::FakeAgent;
using ::curlew::testing::IsOk;
using ::curlew::testing::Items;
using ::testing::AllOf;
using ::testing::HasSubstr;

constexpr const char* kRoles[] = {"viewer", "author", "operator", "approver", "admin"};
// Where somebody has a role.
constexpr const char* kScopes[] = {"nowhere", "staging", "production", "both", "everywhere"};
constexpr absl::Duration kPatience = absl::Seconds(20);

// One line of the table.
struct Line {
  std::set<std::string> roles;
  std::string where;
};

std::map<std::string, Line> Documented() {
  std::map<std::string, Line> lines;
  std::ifstream file(CURLEW_SOURCE_DIR "/docs/access.md");
  std::string text;
  while (std::getline(file, text)) {
    const std::vector<std::string> cells = absl::StrSplit(text, '|');
    if (cells.size() != 9 || !absl::StrContains(cells[1], '`')) continue;
    std::string method = absl::StrReplaceAll(cells[1], {{"`", ""}, {" ", ""}});
    Line& line = lines[absl::StrCat("curlew.v1.", method)];
    for (size_t i = 0; i < std::size(kRoles); ++i) {
      if (absl::StripAsciiWhitespace(cells[2 + i]) == "yes") line.roles.insert(kRoles[i]);
    }
    line.where = std::string(absl::StripAsciiWhitespace(cells[7]));
  }
  return lines;
}

// Whether somebody who has a role that will do in `scope` may, where the object belongs to staging (a target,
// a gate), or to staging and production (a rollout, the pipeline).
bool Suffices(const std::string& scope, const std::string& where) {
  if (scope == "nowhere") return false;
  if (scope == "everywhere") return true;
  if (where == "everywhere") return false;
  if (absl::StartsWith(where, "any") || absl::StartsWith(where, "one of ")) return true;
  if (where == "the rollout's environments" || where == "the pipeline's environments") return scope == "both";
  return scope != "production";
}

std::vector<const google::protobuf::MethodDescriptor*> PeoplesMethods() {
  std::vector<const google::protobuf::MethodDescriptor*> methods;
  const google::protobuf::FileDescriptor* file = v1::CreatePlanRequest::descriptor()->file();
  for (int i = 0; i < file->service_count(); ++i) {
    for (int j = 0; j < file->service(i)->method_count(); ++j) methods.push_back(file->service(i)->method(j));
  }
  return methods;
}

// What each is asked for: things that are there, so that nothing but the role stands in the way.
const std::map<std::string, std::string>& Requests() {
  static const auto* const requests = new std::map<std::string, std::string>{
      {"CreatePlan",
       "plan { name: 'x' operations { add_column { table: 'items' column: 'x' type: 'text' } } }"},
      {"GetPlan", "name: 'PLAN'"},
      {"ListPlans", ""},
      {"CompilePlan",
       "plan { name: 'x' operations { add_column { table: 'items' column: 'x' type: 'text' } } } "
       "target: 'staging-crm'"},
      {"CreateRollout", "plan: 'PLAN' rollout_id: 'r'"},
      {"GetRollout", "name: 'r'"},
      {"ListRollouts", ""},
      {"WatchRollout", "name: 'r'"},
      {"ApproveRollout", "name: 'r'"},
      {"PauseRollout", "name: 'r'"},
      {"ResumeRollout", "name: 'r'"},
      {"AbortRollout", "name: 'r'"},
      {"RollbackRollout", "name: 'r'"},
      {"OverrideWait", "name: 'r' target: 'staging-crm' reason: 'why'"},
      {"SkipStep", "name: 'r' target: 'staging-crm' step: 'add-1' reason: 'why'"},
      {"TuneRollout", "name: 'r' target: 'staging-crm' tuning { max_workers: 1 }"},
      {"ListRowProblems", "name: 'r' target: 'staging-crm'"},
      {"SkipGate", "name: 'r' gate: 'GATE' reason: 'why'"},
      {"SkipTarget", "name: 'r' target: 'staging-crm' reason: 'why'"},
      {"ReportCheck", "name: 'r' check: 'smoke' holds: true"},
      {"ListRuns", "name: 'r'"},
      {"GetCompiledPlan", "name: 'rollouts/r/runs/staging-crm'"},
      {"PreviewRollout",
       "plan { name: 'x' operations { add_column { table: 'items' column: 'x' type: 'text' } } } "
       "environment: 'staging'"},
      {"GetTarget", "name: 'staging-crm'"},
      {"ListTargets", ""},
      {"GetSchema", "name: 'staging-crm'"},
      {"BaselineTarget", "name: 'staging-crm' reason: 'why'"},
      {"ListTargetRecords", "name: 'staging-crm'"},
      {"CompareSchemas", "from: 'staging'"},
      {"ListAuditEntries", ""},
      {"ApplyEnvironments", ""},
      {"ListEnvironments", ""},
  };
  return *requests;
}

class AccessTest : public ControllerTest {
 protected:
  // A rollout of both environments at a gate of staging, then a controller that asks for certificates.
  AccessTest() {
    v1::ApplyEnvironmentsRequest environments = testing::TwoEnvironments();
    auto* before = environments.mutable_environments(0)->mutable_before();
    before->set_approvals(1);
    v1::HealthCheck* smoke = before->add_checks();
    smoke->set_name("smoke");
    smoke->mutable_reported();
    EXPECT_THAT(ApplyEnvironments(environments), IsOk());
    const auto plan = CreatePlan(AddNote());
    EXPECT_THAT(plan, IsOk());
    plan_ = plan->name();
    EXPECT_THAT(CreateRollout(plan_, "r"), IsOk());
    FakeAgent agent(Channel());
    agent.SayHello();
    agent.SayReady("staging-crm");
    agent.AnswerQuestions(Items());
    const v1::Rollout waiting = WaitFor("rollouts/r", [](const v1::Rollout& r) {
      return r.stages_size() > 0 && r.stages(0).before().has_reached_time();
    });
    gate_ = waiting.stages(0).before().id();
    Secure(Roles());
  }
  ~AccessTest() override { Stop(); }

  // Everybody, named after role and scope.
  static std::string Roles() {
    std::string yaml = "roles:\n";
    for (const char* role : kRoles) {
      for (const std::string scope : kScopes) {
        if (scope == "nowhere") continue;
        const std::string in = scope == "both"         ? ", environments: [staging, production]"
                               : scope == "everywhere" ? ""
                                                       : absl::StrCat(", environments: [", scope, "]");
        absl::StrAppend(&yaml, "  - {role: ", role, ", users: [", role, "-", scope, "]", in, "}\n");
      }
    }
    return absl::StrCat(yaml, "agents:\n  - {agent: many, targets: [staging-crm]}\n");
  }

  // Restarts with certificates and this access file.
  void Secure(const std::string& access) {
    access_ = certificates_.folder() + "/access.yaml";
    std::ofstream(access_) << access;
    auto transport = rpc::Transport::Make(certificates_.Controller(), absl::Now());
    EXPECT_THAT(transport, IsOk());
    transport_ = *std::move(transport);
    auto guard = access::Guard::Load(access_, "curlew");
    EXPECT_THAT(guard, IsOk());
    Stop();
    guard_ = *std::move(guard);
    options_.transport = transport_.get();
    options_.guard = guard_.get();
    Restart();
  }

  std::shared_ptr<grpc::Channel> As(const rpc::TransportOptions& options) {
    auto transport = rpc::Transport::Make(options, absl::Now());
    EXPECT_THAT(transport, IsOk());
    const auto channel = rpc::MakeChannel(absl::StrCat("127.0.0.1:", server_->port()), **transport);
    EXPECT_THAT(channel, IsOk());
    return *channel;
  }
  std::shared_ptr<grpc::Channel> AsUser(const std::string& name) {
    std::shared_ptr<grpc::Channel>& channel = users_[name];
    if (channel == nullptr) channel = As(certificates_.User(name));
    return channel;
  }

  // The status of a call; OK where a stream begins to answer.
  absl::Status Call(const std::shared_ptr<grpc::Channel>& channel,
                    const google::protobuf::MethodDescriptor& method) {
    const auto request = Requests().find(method.name());
    if (request == Requests().end()) return absl::InternalError("the test has no request for it");
    std::unique_ptr<google::protobuf::Message> message(
        google::protobuf::MessageFactory::generated_factory()->GetPrototype(method.input_type())->New());
    if (!google::protobuf::TextFormat::ParseFromString(
            absl::StrReplaceAll(request->second, {{"PLAN", plan_}, {"GATE", gate_}}), message.get())) {
      return absl::InternalError("the test's request cannot be read");
    }
    // What a request says about who asks counts for nothing.
    if (const auto* actor = message->GetDescriptor()->FindFieldByName("actor"); actor != nullptr) {
      message->GetReflection()->SetString(message.get(), actor, "admin-everywhere");
    }
    return testing::RawCall(channel, absl::StrCat("/", method.service()->full_name(), "/", method.name()),
                            message->SerializeAsString())
        .status();
  }

  Certificates certificates_;
  std::string plan_, gate_, access_;
  std::unique_ptr<const rpc::Transport> transport_;
  std::unique_ptr<access::Guard> guard_;
  std::map<std::string, std::shared_ptr<grpc::Channel>> users_;
};

TEST_F(AccessTest, EveryRpcByEveryRoleIsAsTheTableSays) {
  const std::map<std::string, Line> table = Documented();
  int denied = 0, allowed = 0;
  // Those that are refused first: what the others do changes the rollout.
  for (const bool may : {false, true}) {
    for (const google::protobuf::MethodDescriptor* method : PeoplesMethods()) {
      const auto line = table.find(method->full_name());
      ASSERT_NE(line, table.end()) << method->full_name() << " is not in the table of docs/access.md";
      for (const std::string role : kRoles) {
        for (const std::string scope : kScopes) {
          if ((line->second.roles.count(role) > 0 && Suffices(scope, line->second.where)) != may) continue;
          const std::string user = absl::StrCat(role, "-", scope);
          const absl::Status status = Call(AsUser(user), *method);
          const bool refused = absl::IsPermissionDenied(status) || absl::IsUnauthenticated(status);
          EXPECT_EQ(refused, !may) << method->full_name() << " by " << user << ": " << status;
          ++(may ? allowed : denied);
        }
      }
    }
  }
  RecordProperty("allowed", allowed);
  RecordProperty("denied", denied);
  EXPECT_EQ(allowed + denied,
            static_cast<int>(PeoplesMethods().size() * std::size(kRoles) * std::size(kScopes)));
  EXPECT_GT(allowed, 200);
  EXPECT_GT(denied, 300);
}

TEST_F(AccessTest, TheTableAndTheRulesSayTheSame) {
  std::map<std::string, Line> rules;
  for (const access::Rule& rule : access::Rules()) {
    Line& line = rules[std::string(rule.method)];
    line.where = access::Where(rule);
    for (const access::Role role : access::kRoles) {
      if (rule.place != access::Place::kAgentsTarget && access::Includes(role, rule.role)) {
        line.roles.insert(std::string(access::Word(role)));
      }
    }
  }
  const std::map<std::string, Line> table = Documented();
  EXPECT_EQ(table.size(), rules.size());
  for (const auto& [method, line] : rules) {
    const auto documented = table.find(method);
    ASSERT_NE(documented, table.end()) << method;
    EXPECT_EQ(documented->second.roles, line.roles) << method;
    EXPECT_EQ(documented->second.where, line.where) << method;
  }
  EXPECT_THAT(access::CheckRules(), IsOk());
}

TEST_F(AccessTest, WhoActsIsWhomTheCertificateNames) {
  const auto* method = v1::ApproveRolloutRequest::descriptor()
                           ->file()
                           ->FindServiceByName("RolloutService")
                           ->FindMethodByName("ApproveRollout");
  EXPECT_THAT(Call(AsUser("approver-staging"), *method), IsOk());
  grpc::ClientContext context;
  v1::GetRolloutRequest request;
  request.set_name("rollouts/r");
  v1::Rollout stored;
  ASSERT_TRUE(
      v1::RolloutService::NewStub(AsUser("viewer-staging"))->GetRollout(&context, request, &stored).ok());
  ASSERT_EQ(stored.stages(0).before().approvals_size(), 1);
  EXPECT_EQ(stored.stages(0).before().approvals(0).actor(), "approver-staging");
}

TEST_F(AccessTest, AgentsAndPeopleKeepToTheirOwn) {
  const auto agent = As(certificates_.Agent("many"));
  for (const google::protobuf::MethodDescriptor* method : PeoplesMethods()) {
    EXPECT_TRUE(absl::IsPermissionDenied(Call(agent, *method))) << method->full_name();
  }
  const auto session = [&](const std::shared_ptr<grpc::Channel>& channel, const std::string& id,
                           const std::string& target) {
    grpc::ClientContext context;
    context.set_deadline(absl::ToChronoTime(absl::Now() + kPatience));
    const auto stream = v1::AgentService::NewStub(channel)->Session(&context);
    v1::AgentMessage hello;
    hello.mutable_hello()->set_agent_id(id);
    hello.mutable_hello()->set_instance_id("i");
    hello.mutable_hello()->set_version("0.1.0");
    hello.mutable_hello()->set_protocol_version(1);
    hello.mutable_hello()->add_targets(target);
    stream->Write(hello);
    v1::ControllerMessage answer;
    if (stream->Read(&answer)) {
      context.TryCancel();
      stream->Finish();
      return absl::OkStatus();
    }
    const grpc::Status status = stream->Finish();
    return absl::Status(static_cast<absl::StatusCode>(status.error_code()), status.error_message());
  };
  EXPECT_THAT(session(agent, "many", "staging-crm"), IsOk());
  EXPECT_THAT(session(As(certificates_.Agent("production-crm")), "production-crm", "production-crm"), IsOk());
  using testing::StatusIs;
  constexpr auto kDenied = absl::StatusCode::kPermissionDenied;
  EXPECT_THAT(session(agent, "many", "production-crm"),
              StatusIs(kDenied, HasSubstr("agent many may not serve target production-crm")));
  EXPECT_THAT(session(agent, "production-crm", "production-crm"),
              StatusIs(kDenied, HasSubstr("is not that of an agent production-crm")));
  EXPECT_THAT(session(AsUser("admin-everywhere"), "many", "staging-crm"),
              StatusIs(kDenied, HasSubstr("is no agent")));
}

TEST_F(AccessTest, RightsThatAreTakenAwayOrGivenHoldAtOnceAndAFileThatIsWrongChangesNothing) {
  const auto* method = v1::GetPlanRequest::descriptor()
                           ->file()
                           ->FindServiceByName("PlanService")
                           ->FindMethodByName("ListPlans");
  const auto becomes = [&](const std::string& user, absl::StatusCode code) {
    const absl::Time deadline = absl::Now() + kPatience;
    absl::Status status = Call(AsUser(user), *method);
    while (status.code() != code && absl::Now() < deadline) status = Call(AsUser(user), *method);
    return status.code();
  };
  EXPECT_THAT(Call(AsUser("newcomer"), *method),
              testing::StatusIs(absl::StatusCode::kPermissionDenied,
                                AllOf(HasSubstr("newcomer may not do this (ListPlans)"),
                                      HasSubstr("needs the role viewer"), HasSubstr("has no role"))));
  std::ofstream(access_) << "roles:\n  - {role: viewer, users: [newcomer]}\n";
  EXPECT_EQ(becomes("newcomer", absl::StatusCode::kOk), absl::StatusCode::kOk);
  EXPECT_EQ(becomes("admin-everywhere", absl::StatusCode::kPermissionDenied),
            absl::StatusCode::kPermissionDenied);
  std::ofstream(access_) << "roles: [{role: king, users: [newcomer]}]\n";
  const absl::Time later = absl::Now() + absl::Seconds(2);
  while (absl::Now() < later) ASSERT_THAT(Call(AsUser("newcomer"), *method), IsOk());
}

TEST_F(AccessTest, ListsLeaveOutWhatSomebodyMayNotSee) {
  const auto targets = [&](const std::string& user) {
    grpc::ClientContext context;
    v1::ListTargetsResponse response;
    EXPECT_TRUE(v1::TargetService::NewStub(AsUser(user))->ListTargets(&context, {}, &response).ok());
    std::set<std::string> names;
    for (const v1::Target& target : response.targets()) names.insert(target.name());
    return names;
  };
  EXPECT_THAT(targets("viewer-staging"), ::testing::ElementsAre("targets/staging-crm"));
  EXPECT_THAT(targets("viewer-everywhere"),
              ::testing::ElementsAre("targets/production-crm", "targets/staging-crm"));
}

}  // namespace
}  // namespace curlew
