// The files in examples/ are what people copy: each is right, and there is one for every operation.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <map>
#include <sstream>
#include <string>

#include "common/plan/plan_reader.h"
#include "tests/support/status_matchers.h"

namespace curlew::plan {
namespace {

std::string Content(const std::filesystem::path& path) {
  std::ifstream file(path);
  std::ostringstream content;
  content << file.rdbuf();
  return content.str();
}

std::map<std::string, v1::Plan> Plans() {
  std::map<std::string, v1::Plan> plans;
  for (const auto& entry : std::filesystem::directory_iterator(CURLEW_EXAMPLES "/plans")) {
    if (entry.path().extension() != ".yaml") continue;  // what plans need beside the CRM
    auto plan = ReadPlan(Content(entry.path()), entry.path().string());
    EXPECT_OK(plan);
    if (plan.ok()) plans[entry.path().stem().string()] = *plan;
  }
  return plans;
}

TEST(ExamplesTest, EveryPlanIsValidAndComesBackFromYaml) {
  const std::map<std::string, v1::Plan> plans = Plans();
  EXPECT_FALSE(plans.empty());
  for (const auto& [file, plan] : plans) {
    ASSERT_OK_AND_ASSIGN(const v1::Plan again, ReadPlan(ToYaml(plan), file));
    EXPECT_EQ(Digest(again), Digest(plan)) << file;
  }
}

TEST(ExamplesTest, EveryOperationHasOneThatIsNamedAfterIt) {
  const std::map<std::string, v1::Plan> plans = Plans();
  const auto* oneof = v1::Operation::descriptor()->oneof_decl(0);
  for (int i = 0; i < oneof->field_count(); ++i) {
    const auto plan = plans.find(oneof->field(i)->name());
    ASSERT_NE(plan, plans.end()) << "examples/plans/" << oneof->field(i)->name() << ".yaml is missing";
    bool holds = false;
    for (const v1::Operation& operation : plan->second.operations()) {
      holds |= operation.GetReflection()->HasField(operation, oneof->field(i));
    }
    EXPECT_TRUE(holds) << plan->first;
  }
}

TEST(ExamplesTest, TheEnvironmentsAreValid) {
  EXPECT_OK(ReadEnvironments(Content(CURLEW_EXAMPLES "/environments.yaml"), "environments.yaml"));
}

}  // namespace
}  // namespace curlew::plan
