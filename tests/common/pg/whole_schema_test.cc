#include "common/pg/whole_schema.h"

#include <gmock/gmock.h>

#include "common/schema/schema.h"
#include "tests/support/pg_test.h"
#include "tests/support/status_matchers.h"

namespace curlew::pg {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

class WholeSchemaTest : public testing::PgTest {};

TEST_F(WholeSchemaTest, NamesWhatPeopleMade) {
  const auto connection = Connect(NewDatabase(R"(
    CREATE SCHEMA "Odd"; CREATE SCHEMA curlew; CREATE TABLE curlew.journal (a int);
    CREATE EXTENSION citext;
    CREATE TYPE mood AS ENUM ('a'); CREATE DOMAIN d AS int;
    CREATE TABLE "Odd"."T" (id serial PRIMARY KEY, m mood);
    CREATE VIEW v AS SELECT 1 AS a;
    CREATE FUNCTION f(a int, b mood DEFAULT 'a', OUT c int) LANGUAGE sql AS 'SELECT 1';)"));
  ASSERT_OK_AND_ASSIGN(const v1::Scope scope, ScopeOfAll(connection.get()));
  EXPECT_THAT(scope.tables(), ElementsAre("\"Odd\".\"T\""));
  EXPECT_THAT(scope.views(), ElementsAre("public.v"));
  EXPECT_THAT(scope.sequences(), ElementsAre("\"Odd\".\"T_id_seq\""));
  EXPECT_THAT(scope.types(), ElementsAre("public.d", "public.mood"));
  EXPECT_THAT(scope.extensions(), ElementsAre("citext"));
  EXPECT_THAT(scope.functions(), ElementsAre("public.f(integer, public.mood)"));
  ASSERT_OK_AND_ASSIGN(const v1::Schema schema, ReadWholeSchema(connection.get()));
  EXPECT_EQ(schema.tables_size(), 1);
  EXPECT_EQ(schema.enums_size(), 1);
  EXPECT_EQ(schema.functions_size(), 1);
  EXPECT_EQ(schema.extensions_size(), 1);
}

TEST_F(WholeSchemaTest, HasNothingOfAnEmptyDatabase) {
  const auto connection = Connect(NewDatabase());
  ASSERT_OK_AND_ASSIGN(const v1::Scope scope, ScopeOfAll(connection.get()));
  EXPECT_THAT(scope.tables(), IsEmpty());
  EXPECT_THAT(scope.functions(), IsEmpty());
}

}  // namespace
}  // namespace curlew::pg
