#include <gmock/gmock.h>

#include "tests/support/operation_harness.h"

namespace curlew::operations {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

class DropDomainConstraintTest : public ::curlew::testing::OperationTest {};

TEST_F(DropDomainConstraintTest, TakesTheConstraintAwayInDrop) {
  setup_ =
      "CREATE DOMAIN \"Do m\" AS int CONSTRAINT k CHECK (VALUE > 0) CONSTRAINT \"Posi tive\" CHECK (VALUE > "
      "1);";
  ExpectLife("  - drop_domain_constraint: {domain: '\"Do m\"', name: 'Posi tive'}",
             "CREATE DOMAIN public.\"Do m\" AS integer\n\tCONSTRAINT k CHECK ((VALUE > 0));");
  EXPECT_THAT(Unpromised(), IsEmpty());
  for (const v1::Step& step : compiled_.steps()) {
    if (!step.preflight()) {
      EXPECT_EQ(step.phase(), v1::PHASE_DROP) << step.title();
    }
  }
}

TEST_F(DropDomainConstraintTest, NamesTheConstraintsThatThereAre) {
  setup_ = "CREATE DOMAIN d AS int CONSTRAINT k CHECK (VALUE > 0); CREATE DOMAIN bare AS int;";
  EXPECT_THAT(Refusal("  - drop_domain_constraint: {domain: d, name: x}"),
              AllOf(HasSubstr("drop_domain_constraint"), HasSubstr("has no constraint x; there are: k")));
  EXPECT_THAT(Refusal("  - drop_domain_constraint: {domain: bare, name: x}"),
              HasSubstr("it has none at all"));
  EXPECT_THAT(Refusal("  - drop_domain_constraint: {domain: nowhere, name: x}"),
              HasSubstr("domain public.nowhere does not exist"));
}
}  // namespace
}  // namespace curlew::operations
