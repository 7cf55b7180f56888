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

TEST(SchemaTest, SeesGrantsOptionsAndHeadersOfTables) {
  v1::Schema schema = TwoTables(), other = TwoTables();
  v1::Table* table = other.mutable_tables(0);
  table->add_grants()->set_privilege("SELECT");
  v1::Privilege* grant = table->add_grants();
  grant->set_grantee("App");
  grant->set_privilege("SELECT");
  table->add_options("fillfactor=70");
  EXPECT_THAT(Diff(schema, other), ElementsAre("+ table public.a grant of SELECT to \"App\"",
                                               "+ table public.a grant of SELECT to PUBLIC",
                                               "+ table public.a option fillfactor=70"));
  EXPECT_NE(Fingerprint(schema), Fingerprint(other));
  for (const char* field : {"row_security", "comment"}) {
    other = TwoTables();
    v1::Table* changed = other.mutable_tables(1);
    changed->GetReflection()->SetString(changed, changed->GetDescriptor()->FindFieldByName(field), "x");
    EXPECT_THAT(Diff(schema, other), ElementsAre(HasSubstr("~ table public.b: "))) << field;
  }
}

TEST(SchemaTest, SeesObjectsThatAreNoTables) {
  v1::Schema schema;
  schema.add_enums()->set_name("public.e");
  schema.add_views()->set_name("public.v");
  schema.add_functions()->set_name("f(int)");
  schema.add_domains()->set_name("public.d");
  schema.add_sequences()->set_name("public.s");
  schema.add_extensions()->set_name("citext");
  EXPECT_THAT(Diff(v1::Schema(), schema),
              ElementsAre("+ domain public.d", "+ enum public.e", "+ extension citext", "+ function f(int)",
                          "+ sequence public.s", "+ view public.v"));
  v1::Schema other = schema;
  FindEnum(&other, "public.e")->add_labels("x");
  FindView(&other, "public.v")->set_query("SELECT 1");
  FindFunction(&other, "f(int)")->set_definition("x");
  FindDomain(&other, "public.d")->add_constraints()->set_name("k");
  FindSequence(&other, "public.s")->set_cycle(true);
  FindExtension(&other, "citext")->set_version("2");
  EXPECT_THAT(Diff(schema, other),
              ElementsAre(HasSubstr("~ domain public.d"), HasSubstr("~ enum public.e"),
                          HasSubstr("~ extension citext"), HasSubstr("~ function f(int)"),
                          HasSubstr("~ sequence public.s"), HasSubstr("~ view public.v")));
  EXPECT_NE(Fingerprint(schema), Fingerprint(other));
  EXPECT_EQ(FindView(schema, "v"), nullptr);
  EXPECT_EQ(FindSequence(schema, "public.v"), nullptr);
}

TEST(SchemaTest, FindsByExactName) {
  v1::Schema schema = TwoTables();
  ASSERT_NE(FindTable(schema, {"public", "b"}), nullptr);
  EXPECT_EQ(FindTable(schema, {"crm", "b"}), nullptr);
  EXPECT_EQ(FindColumn(*FindTable(schema, {"public", "b"}), "ID"), nullptr);
}

}  // namespace
}  // namespace curlew::schema
