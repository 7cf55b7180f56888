#include "controller/service/rollout_view.h"

#include <gmock/gmock.h>
#include <google/protobuf/text_format.h>
#include <gtest/gtest.h>

#include <string>

namespace curlew::service {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;

v1::Rollout Failed(const std::string& step) {
  v1::Rollout rollout;
  EXPECT_TRUE(google::protobuf::TextFormat::ParseFromString(
      "name: 'rollouts/r' state: ROLLOUT_STATE_FAILED"
      " runs { target: 'crm' state: RUN_STATE_FAILED steps { key: 'drop-2' state: STEP_STATE_SUCCEEDED " +
          step + " } }",
      &rollout));
  return rollout;
}

TEST(RolloutViewTest, SaysWhyARolloutCannotGoBackWhateverElseIsShown) {
  for (const v1::RolloutView view :
       {v1::ROLLOUT_VIEW_UNSPECIFIED, v1::ROLLOUT_VIEW_BASIC, v1::ROLLOUT_VIEW_FULL}) {
    v1::Rollout rollout = Failed("");
    ApplyView(view, &rollout);
    EXPECT_THAT(rollout.rollback_refusal(), HasSubstr("past its point of no return: crm (drop-2 is done)"));
    EXPECT_EQ(rollout.runs(0).steps().empty(), view == v1::ROLLOUT_VIEW_BASIC);
  }
}

TEST(RolloutViewTest, SaysNothingOfOneThatCan) {
  v1::Rollout rollout = Failed("reversible: true");
  // As it was when somebody asked before.
  rollout.set_rollback_refusal("too late");
  Shorten(&rollout);
  EXPECT_THAT(rollout.rollback_refusal(), IsEmpty());
}

}  // namespace
}  // namespace curlew::service
