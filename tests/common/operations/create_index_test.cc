#include "tests/support/operation_harness.h"

namespace curlew::operations {
namespace {

class CreateIndexTest : public ::curlew::testing::OperationTest {};

TEST_F(CreateIndexTest, IsPartialAndHoldsSeveralColumns) {
  ExpectLife(R"yaml(
  - create_index: {table: '"Peo ple"', name: i, columns: [age, note], method: btree, unique: false, where: age > 3}
)yaml",
             "CREATE INDEX i ON public.\"Peo ple\" USING btree (age, note) WHERE (age > 3)");
}

}  // namespace
}  // namespace curlew::operations
