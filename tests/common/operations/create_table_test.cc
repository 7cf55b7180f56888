#include <gmock/gmock.h>

#include "tests/support/operation_harness.h"

namespace curlew::operations {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

class CreateTableTest : public ::curlew::testing::OperationTest {};

TEST_F(CreateTableTest, HasEverythingThatAColumnCanHave) {
  setup_ = R"sql(CREATE SCHEMA "Oth er";)sql";
  ExpectLife(R"yaml(
  - create_table:
      table: '"Oth er"."Weird""Name"'
      comment: it's new
      primary_key: [B, a]
      columns:
        - {name: a, type: int, identity: always}
        - {name: B, type: 'varchar(20)', collation: '"C"', comment: 'a "key"'}
        - {name: price, type: 'numeric(10,2)', not_null: true, default: '0'}
        - {name: doc, type: json}
        - {name: double, type: numeric, generated: price * 2}
)yaml",
             R"sql(double numeric GENERATED ALWAYS AS ((price * (2)::numeric)) STORED)sql");
  // PostgreSQL prints expressions in its own words.
  EXPECT_THAT(Unpromised(), ElementsAre(HasSubstr("\"owner\""), HasSubstr("column double")));
}

TEST_F(CreateTableTest, ServesTheOperationsAfterIt) {
  ExpectLife(R"yaml(
  - create_table: {table: notes, columns: [{name: id, type: bigint}, {name: body, type: text}], primary_key: [id]}
  - add_column: {table: notes, column: n, type: bigint, identity: by_default}
  - add_column: {table: notes, column: size, type: int, generated: length(body)}
  - add_unique: {table: notes, name: notes_body_key, columns: [body]}
  - add_check: {table: notes, name: short, expression: size < 1000}
  - set_default: {table: notes, column: body, default: "''"}
  - set_not_null: {table: notes, column: body}
  - set_comment: {table: notes, column: body, comment: the text}
  - grant: {table: notes, privileges: [select, insert], roles: [pg_monitor]}
  - create_index: {table: notes, name: notes_size, columns: [size]}
)yaml",
             "body text DEFAULT ''::text NOT NULL");
  EXPECT_EQ(Query(conninfo_, "INSERT INTO notes (id) VALUES (1) RETURNING n || '/' || size"), "1/0");
}

TEST_F(CreateTableTest, NamesThePrimaryKeyAsPostgreSQLDoes) {
  const std::string name = "größe_" + std::string(40, 'x') + "äöüäöüä";  // 63 bytes
  ASSERT_LE(name.size(), 63u);
  setup_ = "CREATE SCHEMA twin; CREATE TABLE twin.\"" + name + "\" (id int PRIMARY KEY);";
  ExpectLife("  - create_table: {table: " + name + ", columns: [{name: id, type: int}], primary_key: [id]}\n",
             "_pkey");
  EXPECT_EQ(Query(conninfo_, "SELECT count(*) FROM pg_class WHERE relkind = 'i' AND relname LIKE 'gr%'"),
            "2");
  EXPECT_EQ(Query(conninfo_,
                  "SELECT count(DISTINCT relname) FROM pg_class WHERE relkind = 'i' AND relname LIKE 'gr%'"),
            "1");
}

TEST_F(CreateTableTest, IsGatedByTheNewShapeOnItsWayBack) {
  ExpectLife("  - create_table: {table: notes, columns: [{name: id, type: bigint}]}\n",
             "CREATE TABLE public.notes");
  EXPECT_EQ(compiled_.rollback_gate().action().wait().shape_unused().uses(0).table(), "public.notes");
  EXPECT_EQ(compiled_.rollback_gate().action().wait().shape_unused().uses(0).column(), "");
}

TEST_F(CreateTableTest, TakesTheNameOfATableThatThePlanDropsBefore) {
  ExpectLife(R"yaml(
  - drop_table: {table: '"Peo ple"'}
  - create_table: {table: '"Peo ple"', columns: [{name: other, type: text}]}
)yaml",
             "other text");
  EXPECT_EQ(compiled_.steps(compiled_.steps_size() - 1).stage(), 1);
}

TEST_F(CreateTableTest, RefusesWhatCannotBe) {
  const auto table = [](const std::string& rest) {
    return "  - create_table: {table: notes, columns: [" + rest + "]}\n";
  };
  EXPECT_THAT(Refusal("  - create_table: {table: '\"Peo ple\"', columns: [{name: a, type: int}]}\n"),
              HasSubstr("table public.\"Peo ple\" exists already"));
  EXPECT_THAT(Refusal(table("{name: a, type: int}, {name: a, type: text}")), HasSubstr("stands there twice"));
  EXPECT_THAT(Refusal(table("{name: a, type: text, identity: always}")),
              HasSubstr("smallint, integer or bigint"));
  EXPECT_THAT(Refusal(table("{name: a, type: serial}")), HasSubstr("serial"));
  EXPECT_THAT(Refusal(table("{name: ctid, type: int}")), HasSubstr("system column"));
  EXPECT_THAT(Refusal(table("{name: a, type: int, default: b + 1}")), HasSubstr("no column in a default"));
  EXPECT_THAT(Refusal(table("{name: a, type: int, default: '1', generated: '2'}")),
              HasSubstr("exclude each other"));
  EXPECT_THAT(Refusal(table("{name: a, type: int, generated: b + 1}")), HasSubstr("there are: a"));
  EXPECT_THAT(Refusal(table("{name: a, type: int, generated: a + 1}")), HasSubstr("names the column itself"));
  EXPECT_THAT(Refusal(table("{name: a, type: int}, {name: b, type: int, generated: a + 1}, {name: c, type: "
                            "int, generated: b}")),
              HasSubstr("generated column itself"));
  EXPECT_THAT(Refusal("  - create_table: {table: t, columns: [{name: a, type: int}], primary_key: [b]}\n"),
              HasSubstr("b is no column of the table"));
  EXPECT_THAT(Refusal("  - create_table: {table: t, columns: [{name: a, type: point}], primary_key: [a]}\n"),
              HasSubstr("cannot be compared"));
  EXPECT_THAT(Refusal("  - create_table: {table: curlew.t, columns: [{name: a, type: int}]}\n"),
              HasSubstr("not the applications'"));
}

TEST_F(CreateTableTest, LooksForTheNameBeforeAnythingChanges) {
  const std::string plan =
      "  - create_table: {table: notes, columns: [{name: a, type: int}], primary_key: [a]}\n";
  for (const char* taken : {"CREATE VIEW notes AS SELECT 1;", "CREATE TYPE notes AS ENUM ();",
                            "CREATE TABLE x (a int CONSTRAINT notes_pkey PRIMARY KEY);"}) {
    setup_ = taken;
    EXPECT_THAT(RunError(plan), HasSubstr("is named")) << taken;
  }
  setup_ = "";
  EXPECT_THAT(RunError("  - create_table: {table: nowhere.t, columns: [{name: a, type: int}]}\n"),
              HasSubstr("schema nowhere exists"));
}

}  // namespace
}  // namespace curlew::operations
