#include "controller/service/audit_service.h"

#include <gmock/gmock.h>
#include <unistd.h>

#include <filesystem>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/base/audit_chain.h"
#include "common/rpc/error.h"
#include "common/signing/key_files.h"
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
using ::testing::ElementsAre;
using ::testing::HasSubstr;

class AuditServiceTest : public ControllerTest {
 protected:
  absl::StatusOr<v1::ListAuditEntriesResponse> List(int64_t after, int size) {
    v1::ListAuditEntriesRequest request;
    request.set_after(after);
    request.set_page_size(size);
    grpc::ClientContext context;
    v1::ListAuditEntriesResponse response;
    const grpc::Status status =
        v1::AuditService::NewStub(Channel())->ListAuditEntries(&context, request, &response);
    if (!status.ok()) return rpc::FromGrpc(status);
    return response;
  }
};

TEST_F(AuditServiceTest, EveryChangeHasOneEntryInAChainThatEndsInTheHead) {
  const auto empty = List(0, 0);
  ASSERT_THAT(empty, IsOk());
  EXPECT_EQ(empty->head().number(), 0);
  EXPECT_EQ(empty->head().hash(), base::kNoAuditHash);

  const std::string plan = SetUpPlan();
  ASSERT_THAT(CreatePlan(AddNote()), IsOk());  // the same again changes nothing
  FakeAgent agent(Channel(), {"agent-a", "instance-1", {"staging-crm", "production-crm"}});
  agent.Serve(Items());
  agent.SayHello();
  ASSERT_THAT(CreateRollout(plan, "r"), IsOk());
  ASSERT_THAT(CreateRollout(plan, "r"), IsOk());
  WaitFor("r", [](const v1::Rollout& r) { return r.stages(1).before().has_reached_time(); });
  EXPECT_THAT(Approve("r", "nosuch/before"), ::testing::Not(IsOk()));  // nor does what is refused
  ASSERT_THAT(Approve("r"), IsOk());
  WaitForState("r", v1::ROLLOUT_STATE_SUCCEEDED);
  v1::BaselineTargetRequest request;
  request.set_name("staging-crm");
  request.set_actor("dora");
  request.set_reason("as it is");
  grpc::ClientContext context;
  v1::TargetRecord record;
  ASSERT_THAT(
      rpc::FromGrpc(v1::TargetService::NewStub(Channel())->BaselineTarget(&context, request, &record)),
      IsOk());

  std::vector<std::string> lines;
  int64_t number = 0;
  std::string hash(base::kNoAuditHash);
  v1::AuditHead head;
  do {
    const auto page = List(number, 2);
    ASSERT_THAT(page, IsOk());
    ASSERT_GT(page->entries_size(), 0);
    for (const v1::AuditEntry& entry : page->entries()) {
      EXPECT_THAT(base::CheckChain(number, hash, entry), IsOk());
      EXPECT_TRUE(entry.has_time());
      number = entry.number();
      hash = entry.hash();
      lines.push_back(absl::StrCat(entry.action(), " ", entry.resource(), " by ", entry.actor()));
    }
    head = page->head();
  } while (number < head.number());
  EXPECT_EQ(head.hash(), hash);
  EXPECT_EQ(head.signature(), "") << "no key";
  EXPECT_THAT(lines[0], HasSubstr("environments.apply environments by unknown at "));
  lines.erase(lines.begin());
  EXPECT_THAT(
      lines, ElementsAre(absl::StrCat("plan.create ", plan, " by alice"), "rollout.start rollouts/r by alice",
                         "rollout.approve rollouts/r by bob", "target.baseline targets/staging-crm by dora"));
}

TEST_F(AuditServiceTest, TheHeadIsSignedWhereThereIsAKey) {
  const std::filesystem::path folder =
      std::filesystem::temp_directory_path() / absl::StrCat("curlew-audit-", getpid());
  std::filesystem::create_directory(folder);
  const std::string path = folder / "key";
  const auto keys = signing::MakeKeyFiles(path);
  ASSERT_THAT(keys, IsOk());
  const auto signer = audit::HeadSigner::Load(path);
  std::filesystem::remove_all(folder);
  ASSERT_THAT(signer, IsOk());
  options_.audit_signer = signer->get();
  Restart();
  ASSERT_THAT(CreatePlan(AddNote()), IsOk());
  const auto listed = List(0, 0);
  ASSERT_THAT(listed, IsOk());
  EXPECT_EQ(listed->head().number(), 1);
  EXPECT_EQ(listed->head().hash(), listed->entries(0).hash());
  EXPECT_EQ(listed->head().key_id(), keys->key.id());
  EXPECT_EQ(listed->head().signature(), (*signer)->Sign(1, listed->head().hash()).signature());
  EXPECT_NE(listed->head().signature(), "");
  server_.reset();  // before the key
}

TEST_F(AuditServiceTest, ADiskThatIsFullLeavesNoEntryAndNoChange) {
  store_.FailWith(absl::UnavailableError("the disk is full"));
  EXPECT_THAT(CreatePlan(AddNote()), StatusIs(absl::StatusCode::kUnavailable));
  EXPECT_THAT(ApplyEnvironments(), StatusIs(absl::StatusCode::kUnavailable));
  store_.FailWith(absl::OkStatus());
  EXPECT_EQ(List(0, 0)->entries_size(), 0);
}

TEST_F(AuditServiceTest, SaysWhatIsWrongWithARequest) {
  EXPECT_THAT(List(-1, 0), StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("after")));
  EXPECT_THAT(List(0, -1), StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("page_size")));
}

}  // namespace
}  // namespace curlew::service
