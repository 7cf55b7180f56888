// The files in examples/ are what people copy: each is right, and there is one for every operation.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <map>
#include <set>
#include <sstream>
#include <string>
#include <vector>

#include "common/base/canonical_json.h"
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
  for (const char* folder : {"/plans", "/beyond", "/safety"}) {
    for (const auto& entry : std::filesystem::directory_iterator(std::string(CURLEW_EXAMPLES) + folder)) {
      if (entry.path().extension() != ".yaml") continue;  // what plans need beside the CRM
      auto plan = ReadPlan(Content(entry.path()), entry.path().string());
      EXPECT_OK(plan);
      if (plan.ok()) plans[entry.path().stem().string()] = *plan;
    }
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

// Fields that no example gives a value, of the plan and of what it holds beside its operations.
std::set<std::string> NotShown(const google::protobuf::Descriptor* type,
                               const std::vector<const google::protobuf::Message*>& messages) {
  std::set<std::string> missing;
  for (int i = 0; i < type->field_count(); ++i) {
    const auto* field = type->field(i);
    std::vector<const google::protobuf::Message*> within;
    bool shown = false;
    for (const auto* message : messages) {
      const auto* r = message->GetReflection();
      const int size = field->is_repeated() ? r->FieldSize(*message, field) : r->HasField(*message, field);
      shown = shown || size > 0;
      for (int k = 0; k < size && field->message_type() != nullptr; ++k) {
        within.push_back(field->is_repeated() ? &r->GetRepeatedMessage(*message, field, k)
                                              : &r->GetMessage(*message, field));
      }
    }
    if (!shown) missing.insert(field->full_name());
    const auto* below = field->message_type();
    if (!shown || below == nullptr || below->file() != type->file() || below == v1::Operation::descriptor())
      continue;
    missing.merge(NotShown(below, within));
  }
  return missing;
}

TEST(ExamplesTest, AllThatMayStandBesideOperationsIsShown) {
  const std::map<std::string, v1::Plan> plans = Plans();
  std::vector<const google::protobuf::Message*> messages;
  for (const auto& [file, plan] : plans) messages.push_back(&plan);
  std::set<std::string> missing = NotShown(v1::Plan::descriptor(), messages);
  // Where defaults serve most plans.
  std::erase_if(missing,
                [](const std::string& field) { return field.find("Settings.") != std::string::npos; });
  EXPECT_THAT(missing, ::testing::IsEmpty());
}

TEST(ExamplesTest, TheEnvironmentsAreValid) {
  EXPECT_OK(ReadEnvironments(Content(CURLEW_EXAMPLES "/environments.yaml"), "environments.yaml"));
  int pipelines = 0;
  for (const auto& entry : std::filesystem::directory_iterator(CURLEW_EXAMPLES "/pipelines")) {
    const std::string file = entry.path().string();
    ASSERT_OK_AND_ASSIGN(const auto request, ReadEnvironments(Content(entry.path()), file));
    ASSERT_OK_AND_ASSIGN(const auto again, ReadEnvironments(ToYaml(request), file));
    EXPECT_EQ(base::CanonicalJson(again), base::CanonicalJson(request)) << file;
    ++pipelines;
  }
  EXPECT_GE(pipelines, 3);
}

}  // namespace
}  // namespace curlew::plan
