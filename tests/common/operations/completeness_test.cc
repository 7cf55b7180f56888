// Every operation of plan.proto has all its parts.
#include <gtest/gtest.h>

#include <filesystem>

#include "absl/strings/str_cat.h"
#include "common/operations/operation.h"

namespace curlew::operations {
namespace {

TEST(CompletenessTest, EveryOperationHasSourceTestExampleAndPage) {
  const auto* oneof = v1::Operation::descriptor()->oneof_decl(0);
  ASSERT_GE(oneof->field_count(), 8);
  for (int i = 0; i < oneof->field_count(); ++i) {
    const std::string& name = oneof->field(i)->name();
    for (const std::string& path :
         {absl::StrCat("common/operations/", name, ".cc"),
          absl::StrCat("tests/common/operations/", name, "_test.cc"),
          absl::StrCat("examples/plans/", name, ".yaml"), absl::StrCat("docs/operations/", name, ".md")}) {
      EXPECT_TRUE(std::filesystem::exists(absl::StrCat(CURLEW_SOURCE, "/", path))) << path << " is missing";
    }
  }
}

TEST(CompletenessTest, EveryOperationIsRegistered) {
  const auto* oneof = v1::Operation::descriptor()->oneof_decl(0);
  for (int i = 0; i < oneof->field_count(); ++i) {
    v1::Operation proto;
    proto.GetReflection()->MutableMessage(&proto, oneof->field(i));
    // An empty message may be refused, but not for being unknown.
    auto operation = MakeOperation(proto);
    if (operation.ok()) continue;
    EXPECT_EQ(operation.status().message().find("the operation is empty"), absl::string_view::npos);
  }
}

}  // namespace
}  // namespace curlew::operations
