#include "tests/harness/promise.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace curlew::testing {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

v1::Column* AddColumn(v1::Table* table, const std::string& name, const std::string& type) {
  v1::Column* column = table->add_columns();
  column->set_name(name);
  column->set_type(type);
  return column;
}

v1::Schema Promised() {
  v1::Schema schema;
  v1::Table* table = schema.add_tables();
  table->set_schema("public");
  table->set_name("t");
  AddColumn(table, "a", "varchar(20)")->set_default_("'none'");
  AddColumn(table, "b", "int");
  v1::Index* index = table->add_indexes();
  index->set_name("i");
  index->set_definition("CREATE INDEX CONCURRENTLY i ON t (a) WHERE b > 3 AND b < 9");
  index->set_valid(true);
  return schema;
}

v1::Schema Found() {
  v1::Schema schema = Promised();
  v1::Table* table = schema.mutable_tables(0);
  table->set_owner("postgres");
  table->mutable_columns()->SwapElements(0, 1);
  table->mutable_columns(0)->set_type("integer");
  table->mutable_columns(1)->set_type("character varying(20)");
  table->mutable_columns(1)->set_default_("'none'::character varying");
  table->mutable_indexes(0)->set_definition(
      "CREATE INDEX i ON public.t USING btree (a) WHERE ((b > 3) AND (b < 9))");
  return schema;
}

TEST(PromiseTest, OtherWordsForTheSameKeepIt) { EXPECT_THAT(BrokenPromises(Promised(), Found()), IsEmpty()); }

TEST(PromiseTest, EveryDifferenceBreaksIt) {
  v1::Schema found = Found();
  found.mutable_tables(0)->mutable_columns(1)->set_default_("'other'::character varying");
  EXPECT_THAT(BrokenPromises(Promised(), found), ElementsAre(HasSubstr("column a")));
  found = Found();
  found.mutable_tables(0)->mutable_columns(0)->set_not_null(true);
  EXPECT_THAT(BrokenPromises(Promised(), found), ElementsAre(HasSubstr("column b")));
  found = Found();
  found.mutable_tables(0)->mutable_columns(0)->set_type("bigint");
  EXPECT_THAT(BrokenPromises(Promised(), found), ElementsAre(HasSubstr("column b")));
  found = Found();
  found.mutable_tables(0)->mutable_indexes(0)->set_valid(false);
  EXPECT_THAT(BrokenPromises(Promised(), found), ElementsAre(HasSubstr("index i")));
  found = Found();
  found.mutable_tables(0)->mutable_indexes(0)->set_definition("CREATE INDEX i ON t (a) WHERE b > 3");
  EXPECT_THAT(BrokenPromises(Promised(), found), ElementsAre(HasSubstr("index i")));
  found = Found();
  AddColumn(found.mutable_tables(0), "curlew_pending", "boolean");
  EXPECT_THAT(BrokenPromises(Promised(), found), ElementsAre(HasSubstr("curlew_pending")));
  found = Found();
  found.clear_tables();
  EXPECT_THAT(BrokenPromises(Promised(), found), ::testing::Not(IsEmpty()));
}

}  // namespace
}  // namespace curlew::testing
