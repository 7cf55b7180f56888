#include "controller/service/preview_stream.h"

#include <gmock/gmock.h>

#include <algorithm>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "common/compiler/compiler.h"
#include "common/rpc/error.h"
#include "tests/controller/support/controller_fixture.h"
#include "tests/support/status_matchers.h"

namespace curlew::service {
namespace {

using ::curlew::testing::AddNote;
using ::curlew::testing::ControllerTest;
using ::curlew::testing::FakeAgent;
using ::curlew::testing::IsOk;
using ::curlew::testing::Items;
using ::curlew::testing::StatusIs;
using ::curlew::testing::TwoEnvironments;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

class PreviewStreamTest : public ControllerTest {
 protected:
  struct Result {
    std::vector<v1::TargetPreview> previews;
    absl::Status end;
  };

  Result Preview(const v1::Plan& plan, const std::string& environment = "") {
    v1::PreviewRolloutRequest request;
    *request.mutable_plan() = plan;
    request.set_environment(environment);
    grpc::ClientContext context;
    context.set_deadline(absl::ToChronoTime(absl::Now() + absl::Seconds(20)));
    const auto stub = v1::RolloutService::NewStub(Channel());
    const auto reader = stub->PreviewRollout(&context, request);
    Result result;
    v1::TargetPreview preview;
    while (reader->Read(&preview)) result.previews.push_back(preview);
    result.end = rpc::FromGrpc(reader->Finish());
    return result;
  }

  // A pipeline of staging-crm and then `count` targets t0, t1, …: the first is the canary.
  std::vector<std::string> Fleet(int count) {
    v1::ApplyEnvironmentsRequest request = TwoEnvironments();
    v1::Environment* production = request.mutable_environments(1);
    production->clear_targets();
    std::vector<std::string> targets;
    for (int i = 0; i < count; ++i) targets.push_back(absl::StrCat("t", i));
    for (const std::string& target : targets) production->add_targets(target);
    if (count > 1) {
      v1::WavePolicy* canary = production->add_waves();
      canary->set_name("canary");
      canary->set_count(1);
      production->add_waves()->set_name("rest");
    }
    EXPECT_THAT(ApplyEnvironments(request), IsOk());
    return targets;
  }

  static std::vector<std::string> Names(const Result& result) {
    std::vector<std::string> names;
    for (const v1::TargetPreview& preview : result.previews) names.push_back(preview.target());
    return names;
  }
};

TEST_F(PreviewStreamTest, SaysWhatWouldBeDoneOnEachTargetInOrder) {
  Fleet(3);
  FakeAgent agent(Channel(), {"agent-a", "instance-1", {"staging-crm", "t0", "t1"}});
  agent.Serve(Items());
  // An index that is only here: other steps.
  v1::Schema other = Items();
  v1::Column* column = other.mutable_tables(0)->add_columns();
  *column = other.tables(0).columns(0);
  column->set_name("note");
  FakeAgent drifted(Channel(), {"agent-b", "instance-2", {"t2"}});
  drifted.Serve(other);
  agent.SayHello();
  drifted.SayHello();
  for (const char* target : {"staging-crm", "t0", "t1", "t2"}) {
    WaitForTarget(target, [](const v1::Target& t) { return t.served(); });
  }
  const Result all = Preview(AddNote());
  ASSERT_THAT(all.end, IsOk());
  ASSERT_THAT(Names(all), ElementsAre("staging-crm", "t0", "t1", "t2"));
  const v1::TargetPreview& canary = all.previews[1];
  EXPECT_EQ(canary.environment(), "environments/production");
  EXPECT_EQ(canary.wave(), "canary");
  EXPECT_EQ(all.previews[2].wave(), "rest");
  EXPECT_GT(canary.compiled_plan().steps_size(), 0);
  EXPECT_EQ(canary.compiled_digest(), compiler::Digest(canary.compiled_plan()));
  EXPECT_TRUE(canary.has_preflight());
  EXPECT_THAT(canary.differences(), IsEmpty());
  EXPECT_FALSE(canary.has_error());
  // The column is there already.
  EXPECT_TRUE(all.previews[3].has_error());
  EXPECT_FALSE(all.previews[3].has_compiled_plan());
  EXPECT_THAT(all.previews[3].error().message(), HasSubstr("note"));

  EXPECT_THAT(Names(Preview(AddNote(), "staging")), ElementsAre("staging-crm"));
  EXPECT_THAT(Names(Preview(AddNote(), "environments/production")), ElementsAre("t0", "t1", "t2"));
  EXPECT_THAT(agent.dispatched(), IsEmpty());
}

TEST_F(PreviewStreamTest, ATargetThatNobodyServesHasAnErrorAndTheNextIsWhatIsComparedWith) {
  Fleet(2);
  FakeAgent agent(Channel(), {"agent-a", "instance-1", {"t0", "t1"}});
  agent.Serve(Items());
  agent.SayHello();
  for (const char* target : {"t0", "t1"}) {
    WaitForTarget(target, [](const v1::Target& t) { return t.served(); });
  }
  const Result all = Preview(AddNote());
  ASSERT_THAT(all.end, IsOk());
  ASSERT_THAT(Names(all), ElementsAre("staging-crm", "t0", "t1"));
  EXPECT_THAT(all.previews[0].error().message(), HasSubstr("no agent serves it"));
  EXPECT_FALSE(all.previews[1].has_error());
  EXPECT_THAT(all.previews[2].differences(), IsEmpty());
}

TEST_F(PreviewStreamTest, ManyTargetsDoNotHoldTheLoop) {
  const std::vector<std::string> targets = Fleet(1000);
  FakeAgent agent(Channel(), {"agent-a", "instance-1", targets});
  agent.Serve(Items());
  agent.SayHello();
  WaitForTarget(targets.back(), [](const v1::Target& t) { return t.served(); });
  v1::PreviewRolloutRequest request;
  *request.mutable_plan() = AddNote();
  grpc::ClientContext context;
  const auto stub = v1::RolloutService::NewStub(Channel());
  const auto reader = stub->PreviewRollout(&context, request);
  v1::TargetPreview preview;
  absl::Duration longest;
  int read = 0;
  while (reader->Read(&preview)) {
    // Others are answered in between.
    if (++read % 100 != 0) continue;
    const absl::Time begin = absl::Now();
    EXPECT_THAT(GetTarget("staging-crm"), IsOk());
    longest = std::max(longest, absl::Now() - begin);
  }
  EXPECT_THAT(rpc::FromGrpc(reader->Finish()), IsOk());
  EXPECT_EQ(read, 1001);
  EXPECT_LT(longest, absl::Seconds(2));
}

TEST_F(PreviewStreamTest, AClientThatDoesNotReadHoldsUpNobodyAndAsksForNoMore) {
  const std::vector<std::string> targets = Fleet(200);
  FakeAgent agent(Channel(), {"agent-a", "instance-1", targets});
  agent.Serve(Items());
  agent.SayHello();
  WaitForTarget(targets.back(), [](const v1::Target& t) { return t.served(); });
  v1::PreviewRolloutRequest request;
  *request.mutable_plan() = AddNote();
  // Steps large enough that the window of the stream is full soon.
  for (int i = 0; i < 50; ++i) {
    v1::AddColumn* column = request.mutable_plan()->add_operations()->mutable_add_column();
    column->set_table("items");
    column->set_column(absl::StrCat("note_", i));
    column->set_type("text");
  }
  grpc::ClientContext context;
  const auto stub = v1::RolloutService::NewStub(Channel());
  const auto reader = stub->PreviewRollout(&context, request);
  v1::TargetPreview preview;
  ASSERT_TRUE(reader->Read(&preview));
  EXPECT_THAT(GetTarget("staging-crm"), IsOk());
  context.TryCancel();
  while (reader->Read(&preview)) continue;
  EXPECT_THAT(rpc::FromGrpc(reader->Finish()), StatusIs(absl::StatusCode::kCancelled));
}

TEST_F(PreviewStreamTest, SaysWhatIsWrongWithARequest) {
  EXPECT_THAT(Preview(AddNote()).end,
              StatusIs(absl::StatusCode::kFailedPrecondition, HasSubstr("curlew env apply")));
  ASSERT_THAT(ApplyEnvironments(), IsOk());
  EXPECT_THAT(Preview(v1::Plan()).end, StatusIs(absl::StatusCode::kInvalidArgument));
  EXPECT_THAT(Preview(AddNote(), "nosuch").end,
              StatusIs(absl::StatusCode::kNotFound, HasSubstr("environments/nosuch")));
  v1::ApplyEnvironmentsRequest pipeline = TwoEnvironments();
  v1::HealthCheck* check = pipeline.mutable_environments(1)->add_health();
  check->set_name("rows");
  check->mutable_plan()->set_name("no-orphans");
  ASSERT_THAT(ApplyEnvironments(pipeline), IsOk());
  EXPECT_THAT(Preview(AddNote()).end,
              StatusIs(absl::StatusCode::kFailedPrecondition, HasSubstr("no-orphans")));
}

TEST_F(PreviewStreamTest, EndsWithUnavailableWhenTheControllerShutsDown) {
  Fleet(20);
  FakeAgent agent(Channel(), {"agent-a", "instance-1", {"t0"}});
  agent.SayHello();
  agent.SayReady("t0");
  WaitForTarget("t0", [](const v1::Target& t) { return t.served(); });
  v1::PreviewRolloutRequest request;
  *request.mutable_plan() = AddNote();
  request.set_environment("production");
  grpc::ClientContext context;
  const auto stub = v1::RolloutService::NewStub(Channel());
  const auto reader = stub->PreviewRollout(&context, request);
  // It waits for the agent of t0, which does not answer.
  ASSERT_THAT(agent.Take(v1::ControllerMessage::kReportSchema), IsOk());
  Stop();
  v1::TargetPreview preview;
  while (reader->Read(&preview)) continue;
  EXPECT_THAT(rpc::FromGrpc(reader->Finish()),
              StatusIs(absl::StatusCode::kUnavailable, HasSubstr("shutting down")));
}

}  // namespace
}  // namespace curlew::service
