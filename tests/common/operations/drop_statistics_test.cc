#include <gmock/gmock.h>

#include "tests/support/operation_harness.h"

namespace curlew::operations {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

class DropStatisticsTest : public ::curlew::testing::OperationTest {};

TEST_F(DropStatisticsTest, DropsBehindTheGate) {
  setup_ = "CREATE STATISTICS \"St at\" ON age, tenant FROM \"Peo ple\";";
  ExpectLife("  - drop_statistics: {table: '\"Peo ple\"', name: St at}", "CREATE TABLE");
  EXPECT_THAT(PgDump(conninfo_), Not(HasSubstr("STATISTICS")));
  EXPECT_THAT(Unpromised(), IsEmpty());
}

TEST_F(DropStatisticsTest, RefusesWhatIsNotThereOrElsewhere) {
  setup_ = "CREATE SCHEMA other; CREATE STATISTICS other.s ON age, tenant FROM \"Peo ple\";";
  EXPECT_THAT(
      Refusal("  - drop_statistics: {table: '\"Peo ple\"', name: nix}"),
      AllOf(HasSubstr("drop_statistics"), HasSubstr("no statistics named nix"), HasSubstr("there are: s")));
  EXPECT_THAT(RunError("  - drop_statistics: {table: '\"Peo ple\"', name: s}"),
              HasSubstr("are in the schema"));
}

}  // namespace
}  // namespace curlew::operations
