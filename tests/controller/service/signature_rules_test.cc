#include "controller/service/signature_rules.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "absl/strings/str_cat.h"
#include "common/base/error_detail.h"
#include "common/base/proto_time.h"
#include "common/signing/statements.h"
#include "tests/support/status_matchers.h"

namespace curlew::service {
namespace {

using ::curlew::testing::IsOk;
using ::curlew::testing::StatusIs;
using ::testing::HasSubstr;

constexpr absl::Time kNow = absl::FromUnixSeconds(1'800'000'000);

std::string Digest(char digit) { return std::string(64, digit); }

class SignatureRulesTest : public ::testing::Test {
 protected:
  SignatureRulesTest() {
    plan_.set_name("plans/p-aaaaaaaaaaaa");
    plan_.set_digest(Digest('a'));
    rollout_.set_name("rollouts/r");
    rollout_.set_plan_digest(Digest('a'));
    for (const char* target : {"crm", "shop", "other"}) {
      v1::Run* run = rollout_.add_runs();
      run->set_target(target);
      run->set_environment(std::string(target) == "other" ? "environments/staging"
                                                          : "environments/production");
      run->set_compiled_digest(Digest('b'));
    }
    of_plan_.set_id("0123456789abcdef");
    of_plan_.set_plan_digest(Digest('a'));
    of_plan_.set_environment("production");
    of_plan_.add_targets("crm");
    *of_plan_.mutable_not_before() = base::ToProto(kNow);
    *of_plan_.mutable_expire_time() = base::ToProto(kNow + absl::Hours(1));
    drop_.set_id("0123456789abcdef");
    drop_.set_kind(v1::DECISION_KIND_DROP);
    drop_.set_rollout("rollouts/r");
    drop_.set_plan_digest(Digest('a'));
    (*drop_.mutable_compiled_digests())["crm"] = Digest('b');
    *drop_.mutable_expire_time() = base::ToProto(kNow + absl::Hours(1));
    override_ = drop_;
    override_.set_kind(v1::DECISION_KIND_OVERRIDE);
    override_.set_step("drain-1");
  }

  template <typename Status>
  static void ExpectWrong(const Status& given, const std::string& why) {
    const absl::Status& status = [&]() -> const absl::Status& {
      if constexpr (std::is_same_v<Status, absl::Status>) {
        return given;
      } else {
        return given.status();
      }
    }();
    EXPECT_THAT(status, StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr(why)));
    EXPECT_EQ(base::Detail(status, base::kField), "signature");
  }
  absl::Status Drop(const v1::DecisionStatement& statement, absl::Time now = kNow) {
    return CheckDropSignature(signing::Sign(key_, statement), rollout_, "production", now);
  }
  absl::Status Override(const v1::DecisionStatement& statement, const std::string& target = "",
                        const std::string& step = "") {
    return CheckOverrideSignature(signing::Sign(key_, statement), rollout_, target, step, kNow);
  }

  const signing::SigningKey key_ = *signing::SigningKey::Generate();
  v1::StoredPlan plan_;
  v1::Rollout rollout_;
  v1::PlanStatement of_plan_;
  v1::DecisionStatement drop_, override_;
};

TEST_F(SignatureRulesTest, APlanIsSignedByWhoeverHasSignedJustIt) {
  const v1::PlanSignature right = signing::Sign(key_, of_plan_);
  ASSERT_OK_AND_ASSIGN(const signing::PublicKey key, CheckPlanSignature(right, plan_, kNow));
  EXPECT_EQ(key, key_.public_key());
  ExpectWrong(CheckPlanSignature({}, plan_, kNow), "statement.id");
  ExpectWrong(CheckPlanSignature(right, plan_, kNow + absl::Hours(1)),
              "it expired at 2027-01-15 09:00:00 UTC");
  v1::PlanSignature changed = right;
  changed.mutable_statement()->add_targets("shop");
  ExpectWrong(CheckPlanSignature(changed, plan_, kNow), "not that of key");
  plan_.set_digest(Digest('c'));
  ExpectWrong(CheckPlanSignature(right, plan_, kNow), "sign the plan that you mean");
  plan_.set_digest(Digest('a'));
  for (int i = 0; i < 300; ++i) of_plan_.add_targets(absl::StrCat("d", 1000 + i, std::string(1000, 'x')));
  ExpectWrong(CheckPlanSignature(signing::Sign(key_, of_plan_), plan_, kNow), "fewer targets at a time");
}

TEST_F(SignatureRulesTest, AnApprovalIsAboutTheRolloutAndWhatItsTargetsWereCompiledTo) {
  EXPECT_THAT(Drop(drop_), IsOk());
  ExpectWrong(Drop(drop_, kNow + absl::Hours(1)), "it expired at");
  ExpectWrong(Drop(override_), "about a step, not about DROP");
  v1::DecisionStatement other = drop_;
  other.set_rollout("rollouts/s");
  ExpectWrong(Drop(other), "it is for rollouts/s, not rollouts/r");
  other = drop_;
  other.set_plan_digest(Digest('c'));
  ExpectWrong(Drop(other), "sign the plan that you mean");
  other = drop_;
  (*other.mutable_compiled_digests())["crm"] = Digest('c');
  ExpectWrong(Drop(other), "what crm was compiled to is another by now");
  other = drop_;
  (*other.mutable_compiled_digests())["crn"] = Digest('b');
  ExpectWrong(Drop(other), "no target \"crn\"");
  other = drop_;
  (*other.mutable_compiled_digests())["other"] = Digest('b');
  ExpectWrong(Drop(other), "which is in staging, not in production");
  v1::DecisionSignature forged = signing::Sign(key_, drop_);
  forged.mutable_statement()->set_id("0123456789abcdee");
  ExpectWrong(CheckDropSignature(forged, rollout_, "production", kNow), "not that of key");
}

TEST_F(SignatureRulesTest, AnOverrideIsAboutAStepOfWhatItNames) {
  EXPECT_THAT(Override(override_), IsOk());
  EXPECT_THAT(Override(override_, "crm", "drain-1"), IsOk());
  ExpectWrong(Override(drop_), "about DROP, not about a step");
  ExpectWrong(Override(override_, "shop"), "it does not name shop");
  ExpectWrong(Override(override_, "crm", "fill-1"), "it is about step drain-1, not fill-1");
  for (int i = 0; i < 50; ++i) {
    const std::string target = absl::StrCat("t", i);
    v1::Run* run = rollout_.add_runs();
    run->set_target(target);
    run->set_compiled_digest(Digest('b'));
    (*override_.mutable_compiled_digests())[target] = Digest('b');
  }
  ExpectWrong(Override(override_), "it names 51 targets, at most 50");
}

}  // namespace
}  // namespace curlew::service
