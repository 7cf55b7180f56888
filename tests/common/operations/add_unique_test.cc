#include "tests/support/operation_harness.h"

namespace curlew::operations {
namespace {

class AddUniqueTest : public ::curlew::testing::OperationTest {};

TEST_F(AddUniqueTest, StandsOnAnIndexBuiltConcurrently) {
  ExpectLife(R"yaml(
  - add_unique: {table: '"Peo ple"', name: u, columns: ["Ph one"]}
)yaml",
             "ADD CONSTRAINT u UNIQUE (\"Ph one\")");
}

}  // namespace
}  // namespace curlew::operations
