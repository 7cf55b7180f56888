#include "tests/controller/support/controller_fixture.h"

#include <grpcpp/create_channel.h>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "common/rpc/endpoint.h"
#include "common/rpc/error.h"

namespace curlew::testing {
namespace {

constexpr absl::Duration kTimeout = absl::Seconds(10);

void SetDeadline(grpc::ClientContext* context) {
  context->set_deadline(absl::ToChronoTime(absl::Now() + kTimeout));
}

template <typename Stub, typename Method, typename Request, typename Response>
absl::StatusOr<Response> Call(Stub* stub, Method method, const Request& request, Response response) {
  grpc::ClientContext context;
  SetDeadline(&context);
  const grpc::Status status = (stub->*method)(&context, request, &response);
  if (!status.ok()) return rpc::FromGrpc(status);
  return response;
}

}  // namespace

v1::Schema Items() {
  v1::Schema schema;
  v1::Table* table = schema.add_tables();
  table->set_schema("public");
  table->set_name("items");
  table->set_kind(v1::TABLE_KIND_TABLE);
  v1::Column* id = table->add_columns();
  id->set_name("id");
  id->set_type("bigint");
  id->set_not_null(true);
  id->set_has_equality(true);
  id->set_statistics_target(-1);
  v1::Constraint* key = table->add_constraints();
  key->set_name("items_pkey");
  key->set_type(v1::CONSTRAINT_TYPE_PRIMARY_KEY);
  key->add_columns("id");
  return schema;
}

v1::Plan AddNote(const std::string& name) {
  v1::Plan plan;
  plan.set_name(name);
  v1::AddColumn* column = plan.add_operations()->mutable_add_column();
  column->set_table("items");
  column->set_column("note");
  column->set_type("text");
  return plan;
}

v1::ApplyEnvironmentsRequest TwoEnvironments() {
  v1::ApplyEnvironmentsRequest request;
  v1::Environment* staging = request.add_environments();
  staging->set_name("environments/staging");
  staging->add_targets("staging-crm");
  v1::Environment* production = request.add_environments();
  production->set_name("environments/production");
  production->add_targets("production-crm");
  production->mutable_before()->set_approvals(1);
  return request;
}

ControllerTest::ControllerTest() {
  options_.listen = "127.0.0.1:0";
  options_.engine.rollouts.store_retry = absl::Milliseconds(20);
  options_.engine.rollouts.machine.first_retry_pause = absl::Milliseconds(10);
  options_.drain_deadline = absl::Seconds(2);
  Restart();
}

ControllerTest::~ControllerTest() = default;

void ControllerTest::Restart() {
  server_.reset();
  auto server = controller::Server::Start(&store_, &clock_, options_);
  ASSERT_TRUE(server.ok()) << server.status();
  server_ = *std::move(server);
}

absl::StatusOr<v1::StoredPlan> ControllerTest::CreatePlan(const v1::Plan& plan, const std::string& digest) {
  v1::CreatePlanRequest request;
  *request.mutable_plan() = plan;
  request.set_digest(digest);
  request.set_actor("alice");
  return Call(v1::PlanService::NewStub(Channel()).get(), &v1::PlanService::Stub::CreatePlan, request,
              v1::StoredPlan());
}

absl::StatusOr<v1::Rollout> ControllerTest::CreateRollout(const std::string& plan, const std::string& id) {
  v1::CreateRolloutRequest request;
  request.set_plan(plan);
  request.set_rollout_id(id);
  request.set_actor("alice");
  return Call(v1::RolloutService::NewStub(Channel()).get(), &v1::RolloutService::Stub::CreateRollout, request,
              v1::Rollout());
}

absl::StatusOr<v1::Rollout> ControllerTest::GetRollout(const std::string& name) {
  v1::GetRolloutRequest request;
  request.set_name(name);
  return Call(v1::RolloutService::NewStub(Channel()).get(), &v1::RolloutService::Stub::GetRollout, request,
              v1::Rollout());
}

absl::StatusOr<v1::Target> ControllerTest::GetTarget(const std::string& name) {
  v1::GetTargetRequest request;
  request.set_name(name);
  return Call(v1::TargetService::NewStub(Channel()).get(), &v1::TargetService::Stub::GetTarget, request,
              v1::Target());
}

absl::Status ControllerTest::ApplyEnvironments(const v1::ApplyEnvironmentsRequest& request) {
  return Call(v1::EnvironmentService::NewStub(Channel()).get(),
              &v1::EnvironmentService::Stub::ApplyEnvironments, request, v1::ListEnvironmentsResponse())
      .status();
}

absl::Status ControllerTest::Approve(const std::string& rollout, const std::string& gate) {
  v1::ApproveRolloutRequest request;
  request.set_name(rollout);
  request.set_gate(gate);
  request.set_actor("bob");
  return Call(v1::RolloutService::NewStub(Channel()).get(), &v1::RolloutService::Stub::ApproveRollout,
              request, v1::Rollout())
      .status();
}

absl::Status ControllerTest::Rollback(const std::string& rollout) {
  v1::ChangeRolloutRequest request;
  request.set_name(rollout);
  request.set_actor("bob");
  return Call(v1::RolloutService::NewStub(Channel()).get(), &v1::RolloutService::Stub::RollbackRollout,
              request, v1::Rollout())
      .status();
}

absl::StatusOr<v1::Rollout> ControllerTest::Override(const std::string& rollout, const std::string& target,
                                                     const std::string& reason, const std::string& actor,
                                                     const std::string& etag) {
  v1::OverrideWaitRequest request;
  request.set_name(rollout);
  request.set_target(target);
  request.set_reason(reason);
  request.set_actor(actor);
  request.set_etag(etag);
  return Call(v1::RolloutService::NewStub(Channel()).get(), &v1::RolloutService::Stub::OverrideWait, request,
              v1::Rollout());
}

absl::StatusOr<v1::Rollout> ControllerTest::Tune(const v1::TuneRolloutRequest& request) {
  return Call(v1::RolloutService::NewStub(Channel()).get(), &v1::RolloutService::Stub::TuneRollout, request,
              v1::Rollout());
}

absl::StatusOr<v1::ListRowProblemsResponse> ControllerTest::ListRowProblems(
    const v1::ListRowProblemsRequest& request) {
  return Call(v1::RolloutService::NewStub(Channel()).get(), &v1::RolloutService::Stub::ListRowProblems,
              request, v1::ListRowProblemsResponse());
}

v1::Rollout ControllerTest::WaitFor(const std::string& rollout,
                                    const std::function<bool(const v1::Rollout&)>& wanted) {
  grpc::ClientContext context;
  SetDeadline(&context);
  v1::WatchRolloutRequest request;
  request.set_name(rollout);
  const auto stub = v1::RolloutService::NewStub(Channel());
  const auto reader = stub->WatchRollout(&context, request);
  v1::WatchRolloutResponse message;
  v1::Rollout last;
  while (reader->Read(&message)) {
    if (!message.has_rollout()) continue;
    last = message.rollout();
    if (wanted(last)) break;
  }
  context.TryCancel();
  reader->Finish();
  return last;
}

v1::Rollout ControllerTest::WaitForState(const std::string& rollout, v1::RolloutState state) {
  return WaitFor(rollout, [&](const v1::Rollout& r) { return r.state() == state; });
}

v1::Target ControllerTest::WaitForTarget(const std::string& target,
                                         const std::function<bool(const v1::Target&)>& wanted) {
  const absl::Time end = absl::Now() + kTimeout;
  absl::StatusOr<v1::Target> last;
  do {
    last = GetTarget(target);
  } while (absl::Now() < end && !(last.ok() && wanted(*last)));
  return last.value_or(v1::Target());
}

std::shared_ptr<grpc::Channel> ControllerTest::Channel() {
  return *rpc::MakeChannel(absl::StrCat("127.0.0.1:", server_->port()), rpc::Transport::Plain());
}

std::string ControllerTest::SetUpPlan() {
  EXPECT_TRUE(ApplyEnvironments().ok());
  const auto plan = CreatePlan(AddNote());
  EXPECT_TRUE(plan.ok()) << plan.status();
  return plan.ok() ? plan->name() : "";
}

}  // namespace curlew::testing
