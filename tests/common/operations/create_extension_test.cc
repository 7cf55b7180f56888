#include <gmock/gmock.h>

#include "tests/support/operation_harness.h"

namespace curlew::operations {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

class CreateExtensionTest : public ::curlew::testing::OperationTest {};

TEST_F(CreateExtensionTest, MakesItInPublicUnlessTold) {
  ExpectLife("  - create_extension: {extension: citext}",
             "CREATE EXTENSION IF NOT EXISTS citext WITH SCHEMA public");
}

TEST_F(CreateExtensionTest, MakesItWhereAndAsThePlanSays) {
  setup_ = "CREATE SCHEMA \"S s\";";
  ExpectLife("  - create_extension: {extension: uuid-ossp, schema: 'S s', version: '1.1'}",
             "CREATE EXTENSION IF NOT EXISTS \"uuid-ossp\" WITH SCHEMA \"S s\"");
  EXPECT_THAT(Unpromised(), IsEmpty());
}

TEST_F(CreateExtensionTest, ServesAColumnOfTheSamePlan) {
  ExpectLife(R"yaml(
  - create_extension: {extension: citext}
  - add_column: {table: '"Peo ple"', column: mail, type: citext}
)yaml",
             "mail public.citext");
}

TEST_F(CreateExtensionTest, LooksForWhatItNeedsBeforeAnythingChanges) {
  EXPECT_THAT(RunError("  - create_extension: {extension: no such thing}"),
              HasSubstr("the server has extension \"no such thing\": 1"));
  EXPECT_THAT(RunError("  - create_extension: {extension: citext, version: '0.1'}"),
              HasSubstr("the server has extension citext 0.1: 1"));
  EXPECT_THAT(RunError("  - create_extension: {extension: citext, schema: nowhere}"),
              HasSubstr("schema nowhere exists: 1"));
  EXPECT_THAT(RunError("  - create_extension: {extension: earthdistance}"),
              HasSubstr("the extensions that extension earthdistance needs are there: 1 cube"));
  EXPECT_THAT(
      RunError("  - create_extension: {extension: cube}\n  - create_extension: {extension: earthdistance}"),
      IsEmpty());
}

TEST_F(CreateExtensionTest, RefusesOneThatIsThere) {
  setup_ = "CREATE EXTENSION citext;";
  EXPECT_THAT(Refusal("  - create_extension: {extension: citext}"),
              AllOf(HasSubstr("create_extension"), HasSubstr("extension citext exists already")));
  EXPECT_THAT(Refusal("  - create_extension: {extension: hstore, schema: curlew}"),
              HasSubstr("Curlew's own"));
  EXPECT_THAT(RunError("  - drop_extension: {extension: citext}\n  - create_extension: {extension: citext}"),
              IsEmpty());
}
}  // namespace
}  // namespace curlew::operations
