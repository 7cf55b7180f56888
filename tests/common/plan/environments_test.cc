#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "common/base/error_detail.h"
#include "common/base/proto_time.h"
#include "common/plan/plan_reader.h"
#include "tests/support/status_matchers.h"

namespace curlew::plan {
namespace {

using ::curlew::testing::StatusIs;
using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::StartsWith;

constexpr char kEnvironments[] = R"(
environments:
  - name: staging
    targets: [staging-crm, staging-billing]
    soak: 5m
  - name: production
    targets:
      - production-crm
    before: {approvals: 1}
    before_drop: {approvals: 2}
)";

v1::ApplyEnvironmentsRequest Request() { return *ReadEnvironments(kEnvironments, "env.yaml"); }

auto Refused(const std::string& what) {
  return StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr(what));
}

TEST(ReadEnvironmentsTest, GivesNamesTheirCollectionAndPositions) {
  ASSERT_OK_AND_ASSIGN(const v1::ApplyEnvironmentsRequest request,
                       ReadEnvironments(kEnvironments, "env.yaml"));
  ASSERT_EQ(request.environments_size(), 2);
  EXPECT_EQ(request.environments(0).name(), "environments/staging");
  EXPECT_EQ(request.environments(0).position(), 0);
  EXPECT_THAT(request.environments(0).targets(), ElementsAre("staging-crm", "staging-billing"));
  EXPECT_EQ(base::FromProto(request.environments(0).soak()), absl::Minutes(5));
  EXPECT_EQ(request.environments(1).name(), "environments/production");
  EXPECT_EQ(request.environments(1).position(), 1);
  EXPECT_EQ(request.environments(1).before_drop().approvals(), 2);
}

TEST(ReadEnvironmentsTest, ReadsWhatToYamlWrote) {
  ASSERT_OK_AND_ASSIGN(const auto again, ReadEnvironments(ToYaml(Request()), "env.yaml"));
  EXPECT_EQ(again.SerializeAsString(), Request().SerializeAsString());
}

TEST(ReadEnvironmentsTest, AnErrorNamesFileLineAndColumn) {
  EXPECT_THAT(ReadEnvironments("environments:\n  - name: staging\n    targets: [a, b, a]\n", "env.yaml"),
              StatusIs(absl::StatusCode::kInvalidArgument,
                       AllOf(StartsWith("env.yaml:3:21: environments[0].targets[2]: "),
                             HasSubstr("\"a\" stands in"))));
  EXPECT_THAT(ReadEnvironments("environments:\n  - nam: staging\n", "env.yaml"),
              StatusIs(absl::StatusCode::kInvalidArgument, StartsWith("env.yaml:2:5: unknown field")));
}

TEST(ValidateEnvironmentsTest, AcceptsTheSameOverTheWire) { EXPECT_OK(ValidateEnvironments(Request())); }

TEST(ValidateEnvironmentsTest, RefusesAnEmptyPipeline) {
  EXPECT_THAT(ValidateEnvironments({}), Refused("at least one environment"));
}

TEST(ValidateEnvironmentsTest, RefusesTheSameEnvironmentTwice) {
  auto request = Request();
  request.mutable_environments(1)->set_name("environments/staging");
  const absl::Status status = ValidateEnvironments(request);
  EXPECT_THAT(status, Refused("the environment \"staging\" stands in environments[0].name already"));
  EXPECT_EQ(base::Detail(status, base::kField), "environments[1].name");
}

TEST(ValidateEnvironmentsTest, RefusesATargetOfTwoEnvironments) {
  auto request = Request();
  request.mutable_environments(1)->add_targets("staging-billing");
  EXPECT_THAT(ValidateEnvironments(request),
              Refused("the target \"staging-billing\" stands in environments[0].targets[1]"));
}

TEST(ValidateEnvironmentsTest, RefusesAnEnvironmentWithoutTargets) {
  auto request = Request();
  request.mutable_environments(0)->clear_targets();
  EXPECT_THAT(ValidateEnvironments(request), Refused("\"staging\" needs at least one target"));
}

TEST(ValidateEnvironmentsTest, RefusesNamesThatAreNoIds) {
  for (const char* name :
       {"Staging", "stag ing", "staging/eu", "-staging", "staging-", "st\xc3\xa4ging", ""}) {
    auto request = Request();
    request.mutable_environments(0)->set_name(std::string("environments/") + name);
    EXPECT_THAT(ValidateEnvironments(request), Refused("lower-case letters, digits and dashes")) << name;
    request = Request();
    request.mutable_environments(0)->set_targets(0, name);
    EXPECT_THAT(ValidateEnvironments(request), Refused("lower-case letters, digits and dashes")) << name;
  }
  auto request = Request();
  request.mutable_environments(0)->set_targets(0, std::string(64, 'a'));
  EXPECT_THAT(ValidateEnvironments(request), Refused("1 to 63"));
}

TEST(ValidateEnvironmentsTest, OverTheWireANameHasItsCollection) {
  auto request = Request();
  request.mutable_environments(0)->set_name("staging");
  EXPECT_THAT(ValidateEnvironments(request), Refused("write \"environments/staging\""));
  request.mutable_environments(0)->clear_name();
  EXPECT_THAT(ValidateEnvironments(request), Refused("environments[0].name: is required"));
}

TEST(ValidateEnvironmentsTest, RefusesNumbersOutOfRange) {
  auto request = Request();
  request.mutable_environments(0)->mutable_before()->set_approvals(-1);
  EXPECT_THAT(ValidateEnvironments(request), Refused("environments[0].before.approvals: -1 is out of range"));
  request = Request();
  *request.mutable_environments(0)->mutable_soak() = base::ToProto(-absl::Seconds(1));
  EXPECT_THAT(ValidateEnvironments(request), Refused("environments[0].soak: -1s is out of range"));
  *request.mutable_environments(0)->mutable_soak() = base::ToProto(absl::Hours(24 * 366));
  EXPECT_THAT(ValidateEnvironments(request), Refused("environments[0].soak"));
}

}  // namespace
}  // namespace curlew::plan
