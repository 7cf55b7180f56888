#include "controller/service/target_service.h"

#include <gmock/gmock.h>

#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/rpc/error.h"
#include "tests/controller/support/controller_fixture.h"
#include "tests/support/status_matchers.h"

namespace curlew::service {
namespace {

using ::curlew::testing::ControllerTest;
using ::curlew::testing::IsOk;
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

}  // namespace
}  // namespace curlew::service
