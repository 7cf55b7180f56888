#include "common/schema/schema.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace curlew::schema {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

v1::Schema TwoTables() {
  v1::Schema schema;
  for (const char* name : {"a", "b"}) {
    v1::Table* table = schema.add_tables();
    table->set_schema("public");
    table->set_name(name);
    for (const char* column : {"id", "name"}) {
      table->add_columns()->set_name(column);
      table->mutable_columns()->rbegin()->set_type("text");
    }
  }
  return schema;
}

TEST(SchemaTest, FingerprintIgnoresOrder) {
  v1::Schema schema = TwoTables(), other = TwoTables();
  other.mutable_tables()->SwapElements(0, 1);
  other.mutable_tables(0)->mutable_columns()->SwapElements(0, 1);
  EXPECT_EQ(Fingerprint(schema), Fingerprint(other));
  EXPECT_THAT(Diff(schema, other), IsEmpty());
}

TEST(SchemaTest, FingerprintSeesEveryChange) {
  v1::Schema schema = TwoTables(), other = TwoTables();
  other.mutable_tables(1)->mutable_columns(1)->set_not_null(true);
  EXPECT_NE(Fingerprint(schema), Fingerprint(other));
  EXPECT_THAT(Diff(schema, other), ElementsAre(HasSubstr("~ table public.b column name")));
}

TEST(SchemaTest, DiffNamesWhatCameAndWent) {
  v1::Schema schema = TwoTables(), other = TwoTables();
  other.mutable_tables(0)->mutable_columns()->RemoveLast();
  other.mutable_tables(0)->add_indexes()->set_name("a_ix");
  EXPECT_THAT(Diff(schema, other),
              ElementsAre("- table public.a column name", "+ table public.a index a_ix"));
}

TEST(SchemaTest, FindsByExactName) {
  v1::Schema schema = TwoTables();
  ASSERT_NE(FindTable(schema, {"public", "b"}), nullptr);
  EXPECT_EQ(FindTable(schema, {"crm", "b"}), nullptr);
  EXPECT_EQ(FindColumn(*FindTable(schema, {"public", "b"}), "ID"), nullptr);
}

}  // namespace
}  // namespace curlew::schema
