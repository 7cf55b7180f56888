#include <gmock/gmock.h>

#include "tests/support/operation_harness.h"

namespace curlew::operations {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

class DropExtensionTest : public ::curlew::testing::OperationTest {};

TEST_F(DropExtensionTest, TakesItAwayInDrop) {
  setup_ = "CREATE EXTENSION \"uuid-ossp\"; CREATE EXTENSION btree_gist; CREATE EXTENSION hstore;";
  ExpectLife("  - drop_extension: {extension: uuid-ossp}\n  - drop_extension: {extension: btree_gist}",
             "CREATE EXTENSION IF NOT EXISTS hstore");
  EXPECT_THAT(Unpromised(), IsEmpty());
  EXPECT_EQ(Query(conninfo_, "SELECT string_agg(extname, ',' ORDER BY extname) FROM pg_extension"),
            "hstore,plpgsql");
}

TEST_F(DropExtensionTest, NamesWhatUsesItBeforeAnythingChanges) {
  setup_ = "CREATE EXTENSION citext; CREATE TABLE t (a citext);";
  EXPECT_THAT(RunError("  - drop_extension: {extension: citext}"),
              HasSubstr("nothing uses extension citext: 1 table column public.t.a"));
  setup_ = "CREATE EXTENSION pg_trgm; CREATE INDEX fuzzy ON \"Peo ple\" USING gin (note gin_trgm_ops);";
  EXPECT_THAT(RunError("  - drop_extension: {extension: pg_trgm}"),
              HasSubstr("nothing uses extension pg_trgm: 1 index public.fuzzy"));
  setup_ = "CREATE EXTENSION cube; CREATE EXTENSION earthdistance;";
  EXPECT_THAT(RunError("  - drop_extension: {extension: cube}"), HasSubstr("extension earthdistance"));
  EXPECT_THAT(
      RunError("  - drop_extension: {extension: earthdistance}\n  - drop_extension: {extension: cube}"),
      IsEmpty());
}

TEST_F(DropExtensionTest, GoesAfterWhatUsesIt) {
  setup_ = "CREATE EXTENSION citext; ALTER TABLE \"Peo ple\" ADD mail citext DEFAULT 'x';";
  EXPECT_THAT(RunError(R"yaml(
  - drop_column: {table: '"Peo ple"', column: mail}
  - drop_extension: {extension: citext}
)yaml"),
              IsEmpty());
  EXPECT_EQ(Query(conninfo_, "SELECT count(*) FROM pg_extension WHERE extname = 'citext'"), "0");
}

TEST_F(DropExtensionTest, RefusesOneThatIsNotThere) {
  EXPECT_THAT(Refusal("  - drop_extension: {extension: hstore}"),
              AllOf(HasSubstr("drop_extension"), HasSubstr("extension hstore does not exist")));
}
}  // namespace
}  // namespace curlew::operations
