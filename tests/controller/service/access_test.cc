// Every RPC by every role, over real connections, as docs/access.md has it.
#include <gmock/gmock.h>
#include <google/protobuf/text_format.h>
#include <grpcpp/create_channel.h>
#include <grpcpp/security/tls_certificate_provider.h>
#include <grpcpp/security/tls_credentials_options.h>
#include <gtest/gtest.h>

#include <atomic>
#include <fstream>
#include <functional>
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
#include "common/base/bearer_token.h"
#include "common/base/error_detail.h"
#include "common/base/hash.h"
#include "common/base/proto_time.h"
#include "common/rpc/endpoint.h"
#include "common/rpc/error.h"
#include "controller/access/guard.h"
#include "controller/access/rules.h"
#include "controller/access/token_table.h"
#include "controller/standby_server.h"
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
      {"AddPlanSignature", "name: 'PLAN'"},
      {"CreateToken", "token_id: 'made'"},
      {"ListTokens", ""},
      {"RevokeToken", "name: 'tokens/none'"},
  };
  return *requests;
}

const google::protobuf::MethodDescriptor* Method(const std::string& service, const std::string& method) {
  return v1::CreatePlanRequest::descriptor()->file()->FindServiceByName(service)->FindMethodByName(method);
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

  // Everybody, named after role and scope, and a token of each name.
  static std::string Roles() {
    std::string yaml = "roles:\n";
    for (const char* role : kRoles) {
      for (const std::string scope : kScopes) {
        if (scope == "nowhere") continue;
        const std::string in = scope == "both"         ? ", environments: [staging, production]"
                               : scope == "everywhere" ? ""
                                                       : absl::StrCat(", environments: [", scope, "]");
        absl::StrAppend(&yaml, "  - {role: ", role, ", users: [", role, "-", scope, ", \"token:", role, "-",
                        scope, "\"]", in, "}\n");
      }
    }
    return absl::StrCat(yaml, "agents:\n  - {agent: many, targets: [staging-crm]}\n");
  }

  // Whether tokens are taken.
  enum class Tokens { kOff, kOn };

  // Restarts with certificates and this access file.
  void Secure(const std::string& access, Tokens tokens = Tokens::kOff) {
    access_ = certificates_.folder() + "/access.yaml";
    std::ofstream(access_) << access;
    rpc::TransportOptions options = certificates_.Controller();
    if (tokens == Tokens::kOn) options.client_certificates = rpc::ClientCertificates::kOptional;
    auto transport = rpc::Transport::Make(options, absl::Now());
    EXPECT_THAT(transport, IsOk());
    auto guard = access::Guard::Load(access_, "curlew", tokens == Tokens::kOn ? &table_ : nullptr);
    EXPECT_THAT(guard, IsOk());
    Stop();
    transport_ = *std::move(transport);
    guard_ = *std::move(guard);
    options_.transport = transport_.get();
    options_.guard = guard_.get();
    options_.tokens = tokens == Tokens::kOn ? &table_ : nullptr;
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

  // Every method by every role, as `channel_of` shows who that is.
  void ExpectTheTable(const std::function<std::shared_ptr<grpc::Channel>(const std::string&)>& channel_of) {
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
            const absl::Status status = Call(channel_of(user), *method);
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

  // Whether a session of that agent begins.
  static absl::Status Session(const std::shared_ptr<grpc::Channel>& channel, const std::string& id,
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
  }

  Certificates certificates_;
  std::string plan_, gate_, access_;
  // What tokens are judged by.
  class FastClock : public base::Clock {
   public:
    absl::Time Now() const override { return absl::Now() + absl::Minutes(minutes_ahead.load()); }
    std::atomic<int> minutes_ahead = 0;
  };
  FastClock table_clock_;
  access::TokenTable table_{&table_clock_};
  std::unique_ptr<const rpc::Transport> transport_;
  std::unique_ptr<access::Guard> guard_;
  std::map<std::string, std::shared_ptr<grpc::Channel>> users_;
};

TEST_F(AccessTest, EveryRpcByEveryRoleIsAsTheTableSays) {
  ExpectTheTable([this](const std::string& user) { return AsUser(user); });
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
  EXPECT_THAT(Session(agent, "many", "staging-crm"), IsOk());
  EXPECT_THAT(Session(As(certificates_.Agent("production-crm")), "production-crm", "production-crm"), IsOk());
  using testing::StatusIs;
  constexpr auto kDenied = absl::StatusCode::kPermissionDenied;
  EXPECT_THAT(Session(agent, "many", "production-crm"),
              StatusIs(kDenied, HasSubstr("agent many may not serve target production-crm")));
  EXPECT_THAT(Session(agent, "production-crm", "production-crm"),
              StatusIs(kDenied, HasSubstr("is not that of an agent production-crm")));
  EXPECT_THAT(Session(AsUser("admin-everywhere"), "many", "staging-crm"),
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

// A controller that takes tokens.
class TokenAccessTest : public AccessTest {
 protected:
  TokenAccessTest() { Secure(Roles(), Tokens::kOn); }

  // Puts a token of that name into the store, as an earlier term has.
  std::string StoreToken(const std::string& name, absl::Duration lifetime = absl::Hours(1)) {
    std::string text = base::NewBearerToken();
    store::TokenEntry entry{.hash = base::Sha256Hex(text), .token = {}};
    entry.token.set_name(absl::StrCat("tokens/", name));
    *entry.token.mutable_create_time() = base::ToProto(absl::Now());
    *entry.token.mutable_expire_time() = base::ToProto(absl::Now() + lifetime);
    EXPECT_THAT(store_.tokens().AddToken(entry, {}), IsOk());
    return text;
  }
  // Another term, on another port.
  void Again() {
    Restart();
    users_.clear();
  }
  // Asks the controller for one, as a user.
  std::string MakeToken(const std::string& name) {
    grpc::ClientContext context;
    v1::CreateTokenRequest request;
    request.set_token_id(name);
    v1::CreateTokenResponse response;
    const grpc::Status status =
        v1::TokenService::NewStub(AsUser("admin-everywhere"))->CreateToken(&context, request, &response);
    EXPECT_TRUE(status.ok()) << status.error_message();
    return response.secret();
  }
  absl::Status Revoke(const std::string& name) {
    grpc::ClientContext context;
    v1::RevokeTokenRequest request;
    request.set_name(name);
    request.set_reason("seen in a log");
    v1::Token token;
    return rpc::FromGrpc(
        v1::TokenService::NewStub(AsUser("admin-everywhere"))->RevokeToken(&context, request, &token));
  }
  std::shared_ptr<grpc::Channel> WithToken(const std::string& text, rpc::TransportOptions options = {}) {
    if (options.ca.empty()) options.ca = certificates_.User("anybody").ca;
    options.token = text;
    return As(options);
  }
  // A stranger's: TLS, and nothing to show.
  std::shared_ptr<grpc::Channel> Stranger() {
    grpc::experimental::TlsChannelCredentialsOptions options;
    options.set_certificate_provider(std::make_shared<grpc::experimental::FileWatcherCertificateProvider>(
        certificates_.User("anybody").ca, 1));
    options.watch_root_certs();
    return grpc::CreateChannel(absl::StrCat("127.0.0.1:", server_->port()),
                               grpc::experimental::TlsCredentials(options));
  }
  // What ListPlans says, with all its details; `authorization` is added as it is where it is not "".
  enum class Wait { kNot, kForLeader };
  absl::Status List(const std::shared_ptr<grpc::Channel>& channel, const std::string& authorization = "",
                    Wait wait = Wait::kNot) {
    grpc::ClientContext context;
    context.set_deadline(absl::ToChronoTime(absl::Now() + kPatience));
    if (!authorization.empty()) context.AddMetadata("authorization", authorization);
    context.set_wait_for_ready(wait == Wait::kForLeader);
    v1::ListPlansResponse response;
    return rpc::FromGrpc(v1::PlanService::NewStub(channel)->ListPlans(&context, {}, &response));
  }
  static std::string ReasonOf(const absl::Status& status) { return base::Detail(status, base::kReason); }
  // Whether server reflection answers.
  absl::Status Reflect(const std::shared_ptr<grpc::Channel>& channel) {
    return testing::RawCall(channel, "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo",
                            std::string("\x3a\x00", 2))  // list_services = 7
        .status();
  }
};

TEST_F(TokenAccessTest, ATokenWithARoleIsAsAUserWithIt) {
  std::map<std::string, std::string> texts;
  for (const char* role : kRoles) {
    for (const char* scope : kScopes) {
      const std::string name = absl::StrCat(role, "-", scope);
      texts[name] = StoreToken(name);
    }
  }
  Again();
  std::map<std::string, std::shared_ptr<grpc::Channel>> channels;
  ExpectTheTable([&](const std::string& name) {
    std::shared_ptr<grpc::Channel>& channel = channels[name];
    if (channel == nullptr) channel = WithToken(texts[name]);
    return channel;
  });
}

TEST_F(TokenAccessTest, AStrangerLearnsNothingButHealth) {
  const auto stranger = Stranger();
  EXPECT_THAT(testing::RawCall(stranger, "/grpc.health.v1.Health/Check", "").status(), IsOk());
  for (const google::protobuf::MethodDescriptor* method : PeoplesMethods()) {
    EXPECT_TRUE(absl::IsUnauthenticated(Call(stranger, *method))) << method->full_name();
  }
  EXPECT_TRUE(absl::IsUnauthenticated(Session(stranger, "many", "staging-crm")));
  EXPECT_TRUE(absl::IsUnauthenticated(testing::RawCall(stranger, "/no.such.Service/Method", "").status()));
  const absl::Status nobody = List(stranger);
  EXPECT_THAT(
      std::string(nobody.message()),
      AllOf(HasSubstr("neither a certificate that names somebody nor a token"), HasSubstr("--token-file")));
  EXPECT_TRUE(absl::IsUnauthenticated(Reflect(stranger))) << Reflect(stranger);
  // Whoever is known may ask what there is, whatever role he has.
  EXPECT_THAT(Reflect(AsUser("newcomer")), IsOk());
  const std::string text = MakeToken("newcomer");
  EXPECT_THAT(Reflect(WithToken(text)), IsOk());
  EXPECT_TRUE(absl::IsUnauthenticated(Reflect(WithToken(base::NewBearerToken()))));
  EXPECT_THAT(Revoke("newcomer"), IsOk());
  EXPECT_TRUE(absl::IsUnauthenticated(Reflect(WithToken(text))));
  // Who has neither role nor "*" may nothing else.
  EXPECT_EQ(ReasonOf(List(WithToken(MakeToken("newcomer")))), "ROLE_MISSING");
}

TEST_F(TokenAccessTest, ABadCertificateIsRefusedThoughNoneIsNot) {
  EXPECT_TRUE(absl::IsUnauthenticated(List(Stranger())));
  const std::string text = MakeToken("viewer-everywhere");
  EXPECT_THAT(List(WithToken(text)), IsOk());
  Certificates others;
  rpc::TransportOptions foreign = others.User("viewer-everywhere");
  foreign.ca = certificates_.User("anybody").ca;
  EXPECT_TRUE(absl::IsUnavailable(List(As(foreign)))) << "of another CA";
  EXPECT_TRUE(absl::IsUnavailable(List(WithToken(text, foreign)))) << "a token does not make up for it";
}

TEST_F(TokenAccessTest, ATokenThatDoesNotCountIsToldWhy) {
  const std::string text = MakeToken("viewer-everywhere");
  const auto channel = WithToken(text);
  EXPECT_THAT(List(channel), IsOk());
  const auto expect = [&](const absl::Status& status, const std::string& reason, const std::string& words) {
    EXPECT_TRUE(absl::IsUnauthenticated(status)) << status;
    EXPECT_EQ(ReasonOf(status), reason);
    EXPECT_THAT(std::string(status.message()), HasSubstr(words));
    EXPECT_NE(base::Detail(status, base::kHint), "");
    EXPECT_THAT(status.ToString(), ::testing::Not(HasSubstr(text)));
  };
  expect(List(WithToken(base::NewBearerToken())), "TOKEN_UNKNOWN", "not known");
  const std::string other = absl::StrCat("Bearer ", text.substr(0, 49));
  expect(List(AsUser("viewer-everywhere"), other), "TOKEN_MALFORMED", "is none");
  expect(List(AsUser("viewer-everywhere"), "Basic dXNlcjpwdw=="), "TOKEN_MALFORMED", "is none");
  expect(List(channel, absl::StrCat("Bearer ", text)), "TOKEN_MALFORMED", "is none");  // twice
  const std::string brief = StoreToken("operator-everywhere", absl::Minutes(1));
  Again();
  const auto begun = WithToken(brief);
  EXPECT_THAT(List(begun), IsOk());
  table_clock_.minutes_ahead = 2;
  expect(List(begun), "TOKEN_EXPIRED", "the token operator-everywhere expired at 20");
  table_clock_.minutes_ahead = 0;
  // Over the connection on which it has counted, and any other; and after the name was given again.
  const auto again = WithToken(text);
  EXPECT_THAT(List(again), IsOk());
  EXPECT_THAT(Revoke("viewer-everywhere"), IsOk());
  expect(List(again), "TOKEN_REVOKED", "the token viewer-everywhere was revoked at 20");
  expect(List(WithToken(text)), "TOKEN_REVOKED", "was revoked at 20");
  EXPECT_THAT(List(WithToken(MakeToken("viewer-everywhere"))), IsOk());
  expect(List(again), "TOKEN_REVOKED", "was revoked at 20");
  Again();
  expect(List(WithToken(text)), "TOKEN_REVOKED", "was revoked at 20");
}

TEST_F(TokenAccessTest, OfACertificateAndATokenTheTokenCountsAndAgentsHaveNone) {
  const std::string text = MakeToken("viewer-staging");
  const auto both = WithToken(text, certificates_.User("admin-everywhere"));
  EXPECT_THAT(List(both), IsOk());
  const auto* create = Method("TokenService", "CreateToken");
  EXPECT_TRUE(absl::IsPermissionDenied(Call(both, *create)));
  EXPECT_THAT(Call(AsUser("admin-everywhere"), *create), IsOk());
  const absl::Status agent = List(WithToken(text, certificates_.Agent("many")));
  EXPECT_TRUE(absl::IsPermissionDenied(agent)) << agent;
  EXPECT_THAT(std::string(agent.message()), HasSubstr("tokens are for people"));
  using testing::StatusIs;
  constexpr auto kDenied = absl::StatusCode::kPermissionDenied;
  EXPECT_THAT(Session(WithToken(text, certificates_.Agent("many")), "many", "staging-crm"),
              StatusIs(kDenied, HasSubstr("tokens are for people")));
  EXPECT_THAT(Session(WithToken(text), "many", "staging-crm"),
              StatusIs(kDenied, HasSubstr("token:viewer-staging is no agent")));
}

TEST_F(TokenAccessTest, WithoutTheFlagOrInPlainTextTokensAreRefused) {
  const std::string text = MakeToken("viewer-everywhere");
  Secure(Roles());
  users_.clear();
  EXPECT_TRUE(absl::IsUnavailable(List(WithToken(text)))) << "certificates are asked for again";
  EXPECT_EQ(ReasonOf(List(WithToken(text, certificates_.User("viewer-everywhere")))), "TOKENS_OFF");
  EXPECT_THAT(List(AsUser("viewer-everywhere")), IsOk());
  Stop();
  options_.transport = &rpc::Transport::Plain();
  options_.guard = &access::Guard::Open();
  Restart();
  EXPECT_EQ(ReasonOf(List(Channel(), absl::StrCat("Bearer ", text))), "TOKEN_IN_PLAIN_TEXT");
  EXPECT_THAT(List(Channel()), IsOk());
}

TEST_F(TokenAccessTest, WhatATokenDoesIsOnRecordUnderItsNameAndSoIsWhatIsDoneWithTokens) {
  const std::string text = MakeToken("approver-staging");
  const auto* approve = Method("RolloutService", "ApproveRollout");
  EXPECT_THAT(Call(WithToken(text), *approve), IsOk());
  EXPECT_THAT(Revoke("approver-staging"), IsOk());
  EXPECT_THAT(Revoke("approver-staging"), IsOk()) << "once more";
  const auto audit = store_.records().ListAudit(0, 100);
  ASSERT_THAT(audit, IsOk());
  std::vector<std::string> seen;
  for (const v1::AuditEntry& entry : *audit) {
    EXPECT_THAT(entry.ShortDebugString(), ::testing::Not(HasSubstr(text)));
    EXPECT_THAT(entry.ShortDebugString(), ::testing::Not(HasSubstr(base::Sha256Hex(text))));
    if (absl::StartsWith(entry.action(), "token.") || entry.action() == "rollout.approve") {
      seen.push_back(
          absl::StrCat(entry.actor(), " ", entry.action(), " ", entry.resource(), " ", entry.reason()));
    }
  }
  EXPECT_THAT(seen,
              ::testing::ElementsAre("admin-everywhere token.create tokens/approver-staging ",
                                     "token:approver-staging rollout.approve rollouts/r ",
                                     "admin-everywhere token.revoke tokens/approver-staging seen in a log"));
}

// Whoever watches is told nothing more once his token does not count, or his role is gone.
TEST_F(TokenAccessTest, AWatchEndsWithItsToken) {
  const auto watch = [&](const std::string& text, const std::function<void()>& what) {
    grpc::ClientContext context;
    context.set_deadline(absl::ToChronoTime(absl::Now() + kPatience));
    v1::WatchRolloutRequest request;
    request.set_name("rollouts/r");
    const auto channel = WithToken(text);
    const auto stub = v1::RolloutService::NewStub(channel);
    const auto reader = stub->WatchRollout(&context, request);
    v1::WatchRolloutResponse message;
    EXPECT_TRUE(reader->Read(&message));
    what();
    while (reader->Read(&message)) {
    }
    return rpc::FromGrpc(reader->Finish());
  };
  // At once: nothing happens in the rollout.
  EXPECT_EQ(
      ReasonOf(watch(MakeToken("viewer-staging"), [&] { EXPECT_THAT(Revoke("viewer-staging"), IsOk()); })),
      "TOKEN_REVOKED");
  // With the next message.
  const auto* pause = Method("RolloutService", "PauseRollout");
  EXPECT_EQ(ReasonOf(watch(MakeToken("viewer-everywhere"),
                           [&] {
                             table_clock_.minutes_ahead = 91 * 24 * 60;
                             EXPECT_THAT(Call(AsUser("operator-everywhere"), *pause), IsOk());
                           })),
            "TOKEN_EXPIRED");
  table_clock_.minutes_ahead = 0;
  const auto* resume = Method("RolloutService", "ResumeRollout");
  EXPECT_EQ(ReasonOf(watch(MakeToken("author-staging"),
                           [&] {
                             std::ofstream(access_)
                                 << "roles: [{role: operator, users: [operator-everywhere]}]\n";
                             EXPECT_THAT(Call(AsUser("operator-everywhere"), *resume), IsOk());
                           })),
            "ROLE_MISSING");
}

// It has no tokens, so nobody can be told from a stranger by one.
TEST_F(TokenAccessTest, AControllerThatStandsByNamesTheLeaderOnlyToWhomACertificateNames) {
  const std::string text = MakeToken("viewer-everywhere");
  access::TokenTable nothing(&clock_);
  const auto guard = access::Guard::Load(access_, "curlew", &nothing);
  ASSERT_THAT(guard, IsOk());
  const auto standby = controller::StandbyServer::Start("127.0.0.1:0", *transport_, guard->get());
  ASSERT_THAT(standby, IsOk());
  (*standby)->SetLeader("leader.test:7441");
  const std::string here = absl::StrCat("127.0.0.1:", (*standby)->port());
  const auto to = [&](const std::string& address, rpc::TransportOptions options) {
    options.server_name = "curlew.test";
    const auto transport = rpc::Transport::Make(options, absl::Now());
    EXPECT_THAT(transport, IsOk());
    const auto channel = rpc::MakeChannel(address, **transport);
    EXPECT_THAT(channel, IsOk());
    return *channel;
  };
  const auto user = to(here, certificates_.User("anybody"));
  const absl::Status named = List(user);
  EXPECT_EQ(ReasonOf(named), rpc::kStandbyReason);
  EXPECT_THAT(named.ToString(), HasSubstr("leader.test:7441"));
  EXPECT_THAT(Reflect(user), IsOk());
  const rpc::TransportOptions token = {.ca = certificates_.User("anybody").ca, .token = text};
  const auto by_token = to(here, token);
  const absl::Status terse = List(by_token);
  EXPECT_TRUE(absl::IsUnavailable(terse)) << terse;
  EXPECT_EQ(ReasonOf(terse), rpc::kStandbyReason) << "it may be repeated elsewhere";
  EXPECT_THAT(terse.ToString(), ::testing::Not(HasSubstr("leader.test")));
  EXPECT_TRUE(absl::IsUnauthenticated(Reflect(by_token)));
  EXPECT_THAT(testing::RawCall(by_token, "/grpc.health.v1.Health/Check", "").status(), IsOk());
  // Of several, the one that leads is found.
  EXPECT_THAT(List(to(absl::StrCat(here, ",127.0.0.1:", server_->port()), token), "", Wait::kForLeader),
              IsOk());
}

}  // namespace
}  // namespace curlew
