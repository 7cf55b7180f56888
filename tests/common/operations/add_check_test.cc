#include "tests/support/operation_harness.h"

namespace curlew::operations {
namespace {

class AddCheckTest : public ::curlew::testing::OperationTest {};

TEST_F(AddCheckTest, IsValidatedWithoutAStrongLock) {
  ExpectLife(R"yaml(
  - add_check: {table: '"Peo ple"', name: adult, expression: age < 200}
)yaml",
             "CONSTRAINT adult CHECK ((age < 200))");
}

}  // namespace
}  // namespace curlew::operations
