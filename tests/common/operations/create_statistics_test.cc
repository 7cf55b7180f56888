#include <gmock/gmock.h>

#include "tests/support/operation_harness.h"

namespace curlew::operations {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

class CreateStatisticsTest : public ::curlew::testing::OperationTest {};

TEST_F(CreateStatisticsTest, CreatesAndFillsThem) {
  ExpectLife(
      "  - create_statistics: {table: '\"Peo ple\"', name: St at, kinds: [mcv, ndistinct], columns: [tenant, "
      "Ph one]}",
      "CREATE STATISTICS public.\"St at\" (ndistinct, mcv) ON \"Ph one\", tenant FROM public.\"Peo ple\"");
  EXPECT_EQ(Query(conninfo_, "SELECT count(*) FROM pg_stats_ext WHERE n_distinct IS NOT NULL"), "1");
}

TEST_F(CreateStatisticsTest, TakesExpressions) {
  ExpectLife(
      "  - create_statistics: {table: '\"Peo ple\"', name: s, columns: [tenant], expressions: [lower(note)]}",
      "CREATE STATISTICS public.s ON tenant, lower(note) FROM public.\"Peo ple\"");
  ExpectLife("  - create_statistics: {table: '\"Peo ple\"', name: s, expressions: [age % 10]}",
             "CREATE STATISTICS public.s ON (age % 10) FROM");
}

TEST_F(CreateStatisticsTest, WaitsForColumnsThatThePlanFills) {
  ExpectLife(R"yaml(
  - add_column: {table: '"Peo ple"', column: plain, type: text, up: 'btrim("Ph one")'}
  - create_statistics: {table: '"Peo ple"', name: s, columns: [plain, tenant]}
)yaml",
             "CREATE STATISTICS public.s ON tenant, plain FROM");
}

TEST_F(CreateStatisticsTest, RefusesWhatPostgresqlWould) {
  setup_ =
      "ALTER TABLE \"Peo ple\" ADD j json; CREATE STATISTICS taken ON age, tenant FROM \"Peo ple\"; "
      "CREATE TABLE o (a int, b int); CREATE STATISTICS o_s ON a, b FROM o;";
  const auto refusal = [&](const std::string& rest) {
    return Refusal("  - create_statistics: {table: '\"Peo ple\"', " + rest + "}");
  };
  EXPECT_THAT(refusal("name: taken, columns: [age, note]"),
              AllOf(HasSubstr("create_statistics"), HasSubstr("taken"), HasSubstr("another name")));
  EXPECT_THAT(refusal("name: s, columns: [age]"), HasSubstr("two columns or more"));
  EXPECT_THAT(refusal("name: s, columns: [age, age]"), HasSubstr("twice"));
  EXPECT_THAT(refusal("name: s, columns: [age, nix]"), HasSubstr("nix"));
  EXPECT_THAT(refusal("name: s, columns: [age, j]"), HasSubstr("cannot compare"));
  EXPECT_THAT(refusal("name: s, columns: [age, note], kinds: [most]"), HasSubstr("ndistinct, dependencies"));
  EXPECT_THAT(refusal("name: s, expressions: [age + 1], kinds: [mcv]"), HasSubstr("leave `kinds` out"));
  EXPECT_THAT(RunError("  - create_statistics: {table: '\"Peo ple\"', name: o_s, columns: [age, note]}"),
              HasSubstr("are named o_s: 1"));
}

}  // namespace
}  // namespace curlew::operations
