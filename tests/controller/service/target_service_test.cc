#include "controller/service/target_service.h"

#include <gmock/gmock.h>

#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/rpc/error.h"
#include "common/schema/schema.h"
#include "tests/controller/support/controller_fixture.h"
#include "tests/support/status_matchers.h"

namespace curlew::service {
namespace {

using ::curlew::testing::ControllerTest;
using ::curlew::testing::FakeAgent;
using ::curlew::testing::IsOk;
using ::curlew::testing::IsOkAndHolds;
using ::curlew::testing::Items;
using ::curlew::testing::StatusIs;
using ::curlew::testing::TwoEnvironments;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

class TargetServiceTest : public ControllerTest {
 protected:
  absl::StatusOr<v1::ListTargetsResponse> List(int size, const std::string& token) {
    v1::ListTargetsRequest request;
    request.set_page_size(size);
    request.set_page_token(token);
    grpc::ClientContext context;
    v1::ListTargetsResponse response;
    const grpc::Status status =
        v1::TargetService::NewStub(Channel())->ListTargets(&context, request, &response);
    if (!status.ok()) return rpc::FromGrpc(status);
    return response;
  }

  template <typename Request, typename Response>
  absl::Status Call(grpc::Status (v1::TargetService::Stub::*method)(grpc::ClientContext*, const Request&,
                                                                    Response*),
                    const Request& request, Response* response) {
    grpc::ClientContext context;
    const auto stub = v1::TargetService::NewStub(Channel());
    return rpc::FromGrpc((stub.get()->*method)(&context, request, response));
  }

  std::vector<v1::Environment> Environments() {
    grpc::ClientContext context;
    v1::ListEnvironmentsResponse response;
    EXPECT_TRUE(v1::EnvironmentService::NewStub(Channel())->ListEnvironments(&context, {}, &response).ok());
    return {response.environments().begin(), response.environments().end()};
  }
};

TEST_F(TargetServiceTest, EnvironmentsGetPositionsAndEtagsAndSurviveARestart) {
  ASSERT_THAT(ApplyEnvironments(), IsOk());
  const auto before = Environments();
  ASSERT_EQ(before.size(), 2u);
  EXPECT_EQ(before[1].name(), "environments/production");
  EXPECT_EQ(before[1].position(), 1);
  EXPECT_FALSE(before[0].etag().empty());
  Restart();
  const auto after = Environments();
  ASSERT_EQ(after.size(), 2u);
  EXPECT_EQ(after[0].SerializeAsString(), before[0].SerializeAsString());
}

TEST_F(TargetServiceTest, AnEtagChangesWithTheEnvironmentAndOneOfThePastIsAborted) {
  ASSERT_THAT(ApplyEnvironments(), IsOk());
  const auto before = Environments();
  v1::ApplyEnvironmentsRequest changed = TwoEnvironments();
  changed.mutable_environments(1)->mutable_before()->set_approvals(2);
  ASSERT_THAT(ApplyEnvironments(changed), IsOk());
  const auto after = Environments();
  EXPECT_EQ(after[0].etag(), before[0].etag());
  EXPECT_NE(after[1].etag(), before[1].etag());
  v1::ApplyEnvironmentsRequest stale;
  for (const v1::Environment& environment : before) *stale.add_environments() = environment;
  EXPECT_THAT(ApplyEnvironments(stale),
              StatusIs(absl::StatusCode::kAborted, HasSubstr("environments/production")));
  EXPECT_EQ(Environments()[1].before().approvals(), 2);
}

TEST_F(TargetServiceTest, AnInvalidPipelineChangesNothing) {
  ASSERT_THAT(ApplyEnvironments(), IsOk());
  v1::ApplyEnvironmentsRequest twice = TwoEnvironments();
  twice.mutable_environments(1)->add_targets("staging-crm");
  EXPECT_THAT(ApplyEnvironments(twice),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("staging-crm")));
  store_.FailWith(absl::UnavailableError("the disk is full"));
  v1::ApplyEnvironmentsRequest fine = TwoEnvironments();
  fine.mutable_environments(0)->add_targets("more");
  EXPECT_THAT(ApplyEnvironments(fine), StatusIs(absl::StatusCode::kUnavailable));
  store_.FailWith(absl::OkStatus());
  EXPECT_EQ(Environments()[0].targets_size(), 1);
}

TEST_F(TargetServiceTest, ListsTargetsInTheOrderOfThePipelineInPages) {
  v1::ApplyEnvironmentsRequest request = TwoEnvironments();
  for (const char* target : {"b", "a", "c"}) request.mutable_environments(0)->add_targets(target);
  ASSERT_THAT(ApplyEnvironments(request), IsOk());
  std::vector<std::string> names;
  std::string token;
  do {
    const auto page = List(2, token);
    ASSERT_THAT(page, IsOk());
    ASSERT_LE(page->targets_size(), 2);
    for (const v1::Target& target : page->targets()) names.push_back(target.name());
    token = page->next_page_token();
  } while (!token.empty());
  EXPECT_THAT(names, ElementsAre("targets/staging-crm", "targets/b", "targets/a", "targets/c",
                                 "targets/production-crm"));
  EXPECT_THAT(List(2, "gone"), StatusIs(absl::StatusCode::kInvalidArgument));
  EXPECT_THAT(List(-1, ""), StatusIs(absl::StatusCode::kInvalidArgument));
}

TEST_F(TargetServiceTest, ATargetThatIsNotThereSaysHowToAddIt) {
  EXPECT_THAT(List(0, "")->targets(), IsEmpty());
  EXPECT_THAT(GetTarget("targets/nosuch"),
              StatusIs(absl::StatusCode::kNotFound, HasSubstr("curlew env apply")));
  EXPECT_THAT(GetTarget(""), StatusIs(absl::StatusCode::kInvalidArgument));
  ASSERT_THAT(ApplyEnvironments(), IsOk());
  const auto target = GetTarget("staging-crm");
  ASSERT_THAT(target, IsOk());
  EXPECT_EQ(target->environment(), "environments/staging");
  EXPECT_FALSE(target->served());
}

TEST_F(TargetServiceTest, ListsTargetsByEnvironmentAndLabels) {
  v1::ApplyEnvironmentsRequest pipeline = TwoEnvironments();
  v1::Environment* production = pipeline.mutable_environments(1);
  for (const char* target : {"a", "b", "c"}) production->add_targets(target);
  v1::TargetLabels* eu = production->add_labels();
  for (const char* target : {"a", "b", "c"}) eu->add_targets(target);
  (*eu->mutable_labels())["region"] = "eu";
  v1::TargetLabels* canary = production->add_labels();
  canary->add_targets("b");
  (*canary->mutable_labels())["tier"] = "canary";
  ASSERT_THAT(ApplyEnvironments(pipeline), IsOk());
  const auto list = [&](const v1::ListTargetsRequest& given) -> absl::StatusOr<std::vector<std::string>> {
    v1::ListTargetsRequest request = given;
    std::vector<std::string> names;
    do {
      grpc::ClientContext context;
      v1::ListTargetsResponse response;
      const grpc::Status status =
          v1::TargetService::NewStub(Channel())->ListTargets(&context, request, &response);
      if (!status.ok()) return rpc::FromGrpc(status);
      for (const v1::Target& target : response.targets()) names.push_back(target.name());
      request.set_page_token(response.next_page_token());
    } while (!request.page_token().empty());
    return names;
  };
  v1::ListTargetsRequest request;
  request.set_page_size(1);
  request.set_environment("production");
  EXPECT_THAT(list(request),
              IsOkAndHolds(ElementsAre("targets/production-crm", "targets/a", "targets/b", "targets/c")));
  (*request.mutable_labels())["region"] = "eu";
  EXPECT_THAT(list(request), IsOkAndHolds(ElementsAre("targets/a", "targets/b", "targets/c")));
  (*request.mutable_labels())["tier"] = "canary";
  EXPECT_THAT(list(request), IsOkAndHolds(ElementsAre("targets/b")));
  request.clear_environment();
  EXPECT_THAT(list(request), IsOkAndHolds(ElementsAre("targets/b")));
  (*request.mutable_labels())["tier"] = "other";
  EXPECT_THAT(list(request), IsOkAndHolds(IsEmpty()));
  request.set_environment("nosuch");
  EXPECT_THAT(list(request), StatusIs(absl::StatusCode::kNotFound, HasSubstr("staging, production")));
  EXPECT_EQ(GetTarget("b")->labels().at("tier"), "canary");
}

TEST_F(TargetServiceTest, ABaselineIsOnRecordAndComparedWith) {
  ASSERT_THAT(ApplyEnvironments(), IsOk());
  FakeAgent agent(Channel(), {"agent-a", "instance-1", {"staging-crm"}});
  agent.Serve(Items());
  agent.SayHello();
  WaitForTarget("staging-crm", [](const v1::Target& t) { return t.served(); });

  v1::CompareSchemasRequest compare;
  compare.set_from("targets/staging-crm");
  v1::CompareSchemasResponse compared;
  ASSERT_THAT(Call(&v1::TargetService::Stub::CompareSchemas, compare, &compared), IsOk());
  ASSERT_EQ(compared.comparisons_size(), 1);
  EXPECT_THAT(compared.comparisons(0).error(), HasSubstr("curlew target baseline staging-crm"));

  v1::BaselineTargetRequest request;
  v1::TargetRecord record;
  EXPECT_THAT(Call(&v1::TargetService::Stub::BaselineTarget, request, &record),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("name")));
  request.set_name("targets/nosuch");
  request.set_actor("dora");
  EXPECT_THAT(Call(&v1::TargetService::Stub::BaselineTarget, request, &record),
              StatusIs(absl::StatusCode::kNotFound, HasSubstr("nosuch")));
  request.set_name("production-crm");
  EXPECT_THAT(Call(&v1::TargetService::Stub::BaselineTarget, request, &record),
              StatusIs(absl::StatusCode::kUnavailable, HasSubstr("no agent serves it")));
  request.set_name("staging-crm");
  request.clear_actor();
  EXPECT_THAT(Call(&v1::TargetService::Stub::BaselineTarget, request, &record),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("actor")));
  request.set_actor("dora");
  request.set_reason("adopted");
  ASSERT_THAT(Call(&v1::TargetService::Stub::BaselineTarget, request, &record), IsOk());
  EXPECT_EQ(record.number(), 1);
  EXPECT_EQ(record.kind(), v1::TARGET_RECORD_KIND_BASELINE);
  EXPECT_EQ(record.actor(), "dora");
  EXPECT_EQ(record.reason(), "adopted");
  EXPECT_EQ(record.schema_fingerprint(), schema::Fingerprint(Items()));

  v1::GetSchemaRequest get;
  get.set_name("staging-crm");
  v1::GetSchemaResponse schema;
  ASSERT_THAT(Call(&v1::TargetService::Stub::GetSchema, get, &schema), IsOk());
  EXPECT_EQ(schema.fingerprint(), record.schema_fingerprint());
  EXPECT_EQ(schema.schema().tables(0).name(), "items");
  get.set_name("nosuch");
  EXPECT_THAT(Call(&v1::TargetService::Stub::GetSchema, get, &schema), StatusIs(absl::StatusCode::kNotFound));

  compared.Clear();
  ASSERT_THAT(Call(&v1::TargetService::Stub::CompareSchemas, compare, &compared), IsOk());
  EXPECT_EQ(compared.comparisons(0).error(), "");
  EXPECT_THAT(compared.comparisons(0).differences(), IsEmpty());
  EXPECT_THAT(compared.comparisons(0).reference(), HasSubstr("record 1"));
  v1::Schema changed = Items();
  changed.mutable_tables(0)->mutable_columns(0)->set_type("integer");
  agent.Serve(changed);
  compared.Clear();
  ASSERT_THAT(Call(&v1::TargetService::Stub::CompareSchemas, compare, &compared), IsOk());
  EXPECT_THAT(compared.comparisons(0).differences(), ElementsAre(HasSubstr("integer")));

  ASSERT_THAT(Call(&v1::TargetService::Stub::BaselineTarget, request, &record), IsOk());
  v1::ListTargetRecordsRequest list;
  list.set_name("targets/staging-crm");
  v1::ListTargetRecordsResponse records;
  ASSERT_THAT(Call(&v1::TargetService::Stub::ListTargetRecords, list, &records), IsOk());
  ASSERT_EQ(records.records_size(), 2);
  EXPECT_EQ(records.records(0).number(), 2) << "newest first";
  EXPECT_EQ(records.records(0).schema_json(), "");
  list.set_name("targets/-");
  records.Clear();
  ASSERT_THAT(Call(&v1::TargetService::Stub::ListTargetRecords, list, &records), IsOk());
  ASSERT_EQ(records.records_size(), 1);
  EXPECT_EQ(records.records(0).number(), 2);
  list.set_name("targets/production-crm");
  records.Clear();
  ASSERT_THAT(Call(&v1::TargetService::Stub::ListTargetRecords, list, &records), IsOk());
  EXPECT_EQ(records.records_size(), 0) << "nothing has happened there";
  list.set_name("targets/nosuch");
  EXPECT_THAT(Call(&v1::TargetService::Stub::ListTargetRecords, list, &records),
              StatusIs(absl::StatusCode::kNotFound, HasSubstr("nosuch")));
}

TEST_F(TargetServiceTest, ComparesEnvironmentsAndNamesWhatCannotBeReached) {
  v1::ApplyEnvironmentsRequest pipeline = TwoEnvironments();
  std::vector<std::string> served;
  for (int i = 0; i < 20; ++i) {
    served.push_back(absl::StrCat("p", i));
    pipeline.mutable_environments(1)->add_targets(served.back());
  }
  ASSERT_THAT(ApplyEnvironments(pipeline), IsOk());
  v1::CompareSchemasRequest request;
  request.set_from("staging");
  request.set_to("environments/production");
  v1::CompareSchemasResponse response;
  ASSERT_THAT(Call(&v1::TargetService::Stub::CompareSchemas, request, &response), IsOk());
  ASSERT_EQ(response.comparisons_size(), 21);
  for (const v1::SchemaComparison& comparison : response.comparisons()) {
    EXPECT_THAT(comparison.error(), HasSubstr("\"staging-crm\" is not served"));
  }
  FakeAgent staging(Channel(), {"agent-s", "instance-s", {"staging-crm"}});
  staging.Serve(Items());
  staging.SayHello();
  v1::Schema changed = Items();
  changed.mutable_tables(0)->mutable_columns(0)->set_type("integer");
  FakeAgent production(Channel(), {"agent-p", "instance-p", served});
  production.Serve(changed);
  production.SayHello();
  served.push_back("staging-crm");
  for (const std::string& target : served) {
    WaitForTarget(target, [](const v1::Target& t) { return t.served(); });
  }
  response.Clear();
  ASSERT_THAT(Call(&v1::TargetService::Stub::CompareSchemas, request, &response), IsOk());
  ASSERT_EQ(response.comparisons_size(), 21);
  EXPECT_EQ(response.comparisons(0).target(), "production-crm");
  EXPECT_THAT(response.comparisons(0).error(), HasSubstr("no agent serves it"));
  EXPECT_THAT(response.comparisons(0).differences(), IsEmpty());
  for (int i = 1; i < 21; ++i) {
    EXPECT_EQ(response.comparisons(i).target(), absl::StrCat("p", i - 1));
    EXPECT_EQ(response.comparisons(i).reference(), "staging-crm");
    EXPECT_EQ(response.comparisons(i).error(), "");
    EXPECT_THAT(response.comparisons(i).differences(), ElementsAre(HasSubstr("integer")));
  }
  request.set_to("p0");
  request.set_from("targets/p1");
  response.Clear();
  ASSERT_THAT(Call(&v1::TargetService::Stub::CompareSchemas, request, &response), IsOk());
  ASSERT_EQ(response.comparisons_size(), 1);
  EXPECT_THAT(response.comparisons(0).differences(), IsEmpty());
  request.set_to("nosuch");
  EXPECT_THAT(Call(&v1::TargetService::Stub::CompareSchemas, request, &response),
              StatusIs(absl::StatusCode::kNotFound, HasSubstr("nosuch")));
  request.clear_from();
  EXPECT_THAT(Call(&v1::TargetService::Stub::CompareSchemas, request, &response),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("from")));
}

}  // namespace
}  // namespace curlew::service
