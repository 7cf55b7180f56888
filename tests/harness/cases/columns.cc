// Cases of operations on columns.
#include "absl/strings/str_cat.h"
#include "tests/harness/case.h"

namespace curlew::testing {
namespace {

// A rename with another form: old and new hold what up and down say of each other.
Case RenameColumn() {
  return {
      .operation = "rename_column",
      .columns = "{o} text NOT NULL, {x} int DEFAULT 7",
      .setup =
          "CREATE INDEX {i} ON {s.t} ({o}); CREATE INDEX {i2} ON {s.t} (lower({u}), {o}) WHERE {x} > 0;"
          "ALTER TABLE {s.t} ADD CONSTRAINT {k} UNIQUE ({o}, {id});"
          "COMMENT ON COLUMN {s.t}.{o} IS 'it''s old'; GRANT SELECT ({o}) ON {s.t} TO {role}",
      .plan = R"(
- rename_column: {table: '{s.t}', from: '{=o}', to: '{=n}', up: '''+'' || {o}', down: 'substr({n}, 2)'}
)",
      .old_shape = {.writes = {{"o", "'o{r}'"}}, .follows = {{"n", "'+' || {o}"}}},
      .new_shape = Shape{.writes = {{"n", "'+n{r}'"}}, .follows = {{"o", "substr({n}, 2)"}}},
      .both = true,
      .twin_setup = "ALTER TABLE {twin} ADD COLUMN {n} text",
      .gone = {"o"},
  };
}

// A form that does not come back: up and down lose something, and NULL is a value like others.
Case RenameColumnLossy() {
  return {
      .operation = "rename_column",
      .variant = "lossy",
      .columns = "{o} text",
      .plan = R"(
- rename_column: {table: '{s.t}', from: '{=o}', to: '{=n}', up: 'upper({o})', down: 'lower({n})'}
)",
      .old_shape = {.writes = {{"o", "'Old{r}'", Nulls::kSometimes}}, .follows = {{"n", "upper({o})"}}},
      .new_shape = Shape{.writes = {{"n", "'New{r}'", Nulls::kSometimes}}, .follows = {{"o", "lower({n})"}}},
      .both = true,
      .twin_setup = "ALTER TABLE {twin} ADD COLUMN {n} text",
      .gone = {"o"},
  };
}

// The plan's own verifications, and a restore point, go through all crashes too.
Case RenameColumnVerified() {
  Case the_case = RenameColumn();
  the_case.variant = "verified";
  absl::StrAppend(
      &the_case.setup,
      "; CREATE TABLE {s.f} AS SELECT g AS {x}, repeat('v', g) AS {o} FROM generate_series(1, 50) g");
  the_case.rest = R"(
backup: {restore_point: {}}
verify:
  - name: rows-kept
    row_count: {table: '{s.f}', where: '{x} < 40'}
  - name: values-kept
    checksum: {table: '{s.f}', columns: ['{=o}', '{=x}']}
  - name: all-have-the-sign
    query: {sql: 'SELECT count(*) FROM {s.t} WHERE {n} NOT LIKE ''+%''', expect: 0}
)";
  return the_case;
}

Case RenameColumnPlain() {
  return {
      .operation = "rename_column",
      .variant = "partitioned",
      .columns = "{o} int",
      .partitioned = true,
      .plan = "- rename_column: {table: '{s.t}', from: '{=o}', to: '{=n}'}",
      .old_shape = {.writes = {{"o", "{r}", Nulls::kSometimes}}, .follows = {{"n", "{o}"}}},
      .new_shape = Shape{.writes = {{"n", "{r}", Nulls::kSometimes}}, .follows = {{"o", "{n}"}}},
      .both = true,
      .twin_setup = "ALTER TABLE {twin} ADD COLUMN {n} int",
      .gone = {"o"},
  };
}

// The old client does not know the column: its rows are filled. Not from what clients update: when a row is
// filled is nobody's business, and so the twin could not tell.
Case AddColumn() {
  return {
      .operation = "add_column",
      .columns = "{o} text NOT NULL",
      .plan = R"(
- add_column: {table: '{s.t}', column: '{=n}', type: text, up: '''k'' || {id}', not_null: true, default: '''none''', comment: 'it is new'}
)",
      .old_shape = {.writes = {{"o", "'o{r}'"}}, .follows = {{"n", "COALESCE({n}, 'k' || {id})"}}},
      .new_shape = Shape{.writes = {{"o", "'p{r}'"}, {"n", "'n{r}'"}}},
      .twin_setup = "ALTER TABLE {twin} ADD COLUMN {n} text",
  };
}

Case AddColumnConstant() {
  return {
      .operation = "add_column",
      .variant = "constant",
      .plan = R"(
- add_column: {table: '{s.t}', column: '{=n}', type: 'varchar(20)', default: '''none''', not_null: true}
)",
      .old_shape = {.follows = {{"n", "COALESCE({n}, 'none')"}}},
      .new_shape = Shape{.writes = {{"n", "'n{r}'"}}},
      .twin_setup = "ALTER TABLE {twin} ADD COLUMN {n} varchar(20)",
  };
}

// The new client does not know the column: its rows get a value until the column goes.
Case DropColumn() {
  return {
      .operation = "drop_column",
      .columns = "{o} text NOT NULL, {x} int NOT NULL DEFAULT 3",
      .setup = "CREATE INDEX {i} ON {s.t} ({o}, {x})",
      .plan = "- drop_column: {table: '{s.t}', column: '{=o}', down: '''-'' || {u}', discard: ['{=i}']}",
      .old_shape = {.writes = {{"o", "'o{r}'"}, {"x", "{r}"}}},
      .new_shape = Shape{.writes = {{"x", "{r}"}}, .follows = {{"o", "COALESCE({o}, '-' || {u})"}}},
      .gone = {"o"},
  };
}

Case SetNotNull() {
  return {
      .operation = "set_not_null",
      .columns = "{o} text",
      .plan = "- set_not_null: {table: '{s.t}', column: '{=o}'}",
      .old_shape = {.writes = {{"o", "'o{r}'"}}},
  };
}

// A number of another width, under its own name: the same statements before and after.
Case ChangeType() {
  return {
      .operation = "change_type",
      .columns = "{c} int NOT NULL DEFAULT 5",
      .setup =
          "CREATE INDEX {i} ON {s.t} ({c}) WHERE {c} > 1; COMMENT ON COLUMN {s.t}.{c} IS 'it''s';"
          "ALTER TABLE {s.t} ADD CONSTRAINT {k} CHECK ({c} > 0)",
      .plan = "- change_type: {table: '{s.t}', column: '{=c}', type: bigint}",
      .old_shape = {.writes = {{"c", "{r}"}}},
      .twin_setup = "ALTER TABLE {twin} ALTER COLUMN {c} TYPE bigint",
  };
}

// The primary key itself, and numbers of an identity column that go on.
Case ChangeTypeOfThePrimaryKey() {
  return {
      .operation = "change_type",
      .variant = "primary_key",
      .columns = "{n} int GENERATED BY DEFAULT AS IDENTITY, {o} text",
      .setup =
          "CREATE UNIQUE INDEX {i} ON {s.t} ({n}); CREATE INDEX {i2} ON {s.t} ({o}, {id} DESC) WHERE {id} > "
          "5",
      .plan = R"(
- change_type: {table: '{s.t}', column: '{=id}', type: 'numeric(20,0)'}
- change_type: {table: '{s.t}', column: '{=n}', type: bigint}
)",
      .old_shape = {.writes = {{"o", "'o{r}'", Nulls::kSometimes}}},
      .checks = {{.sql = "SELECT count(*) = count(DISTINCT {n}) FROM {s.t}"}},
  };
}

// Only the catalogue changes.
Case ChangeTypeOfVarchar() {
  return {
      .operation = "change_type",
      .variant = "longer",
      .columns = "{c} varchar(20)",
      .plan = "- change_type: {table: '{s.t}', column: '{=c}', type: varchar(40)}",
      .old_shape = {.writes = {{"c", "'c{r}'", Nulls::kSometimes}}},
  };
}

// Text becomes a number; the new application writes numbers once the column holds them.
Case ChangeTypeByExpressions() {
  return {
      .operation = "change_type",
      .variant = "expressions",
      .columns = "{c} text",
      .plan = R"(
- change_type: {table: '{s.t}', column: '{=c}', type: int, up: 'substr({c}, 2)::int', down: '''v'' || {c}'}
)",
      .old_shape = {.writes = {{"c", "'v{r}'", Nulls::kSometimes}}},
      .new_shape = Shape{.writes = {{"c", "{r}", Nulls::kSometimes}}},
      .new_client = NewClient::kAfterTheEnd,
      .twin_at_end = "UPDATE {twin} SET {c} = substr({c}, 2)",
  };
}

Case SplitColumn() {
  return {
      .operation = "split_column",
      .columns = "{o} text NOT NULL",
      .plan = R"(
- split_column:
    table: '{s.t}'
    column: '{=o}'
    into:
      - {column: '{=a}', type: text, up: 'split_part({o}, '' '', 1)', not_null: true, comment: the first}
      - {column: '{=b}', type: text, up: 'split_part({o}, '' '', 2)'}
    down: '{a} || '' '' || {b}'
)",
      .old_shape = {.writes = {{"o", "'f{r} l{r}'"}},
                    .follows = {{"a", "split_part({o}, ' ', 1)"}, {"b", "split_part({o}, ' ', 2)"}}},
      .new_shape =
          Shape{.writes = {{"a", "'g{r}'"}, {"b", "'m{r}'"}}, .follows = {{"o", "{a} || ' ' || {b}"}}},
      .both = true,
      .partly = true,
      .twin_setup = "ALTER TABLE {twin} ADD COLUMN {a} text, ADD COLUMN {b} text",
      .gone = {"o"},
  };
}

Case MergeColumns() {
  return {
      .operation = "merge_columns",
      .columns = "{a} text NOT NULL, {b} text",
      .plan = R"(
- merge_columns:
    table: '{s.t}'
    columns:
      - {column: '{=a}', down: 'split_part({n}, ''/'', 1)'}
      - {column: '{=b}', down: 'nullif(split_part({n}, ''/'', 2), '''')'}
    into: '{=n}'
    type: text
    up: '{a} || ''/'' || coalesce({b}, '''')'
    not_null: true
)",
      .old_shape = {.writes = {{"a", "'a{r}'"}, {"b", "'b{r}'", Nulls::kSometimes}},
                    .follows = {{"n", "{a} || '/' || coalesce({b}, '')"}}},
      .new_shape =
          Shape{.writes = {{"n", "'x{r}/y{r}'"}},
                .follows = {{"a", "split_part({n}, '/', 1)"}, {"b", "nullif(split_part({n}, '/', 2), '')"}}},
      .both = true,
      .partly = true,
      .twin_setup = "ALTER TABLE {twin} ADD COLUMN {n} text",
      .gone = {"a", "b"},
  };
}

// Several operations on one table: one trigger, one pass.
Case RenameTwoAndAddOne() {
  return {
      .operation = "rename_column",
      .variant = "with_others",
      .columns = "{o} text NOT NULL, {p} int",
      .plan = R"(
- rename_column: {table: '{s.t}', from: '{=o}', to: '{=n}', up: '''+'' || {o}', down: 'substr({n}, 2)'}
- rename_column: {table: '{s.t}', from: '{=p}', to: '{=q}'}
- add_column: {table: '{s.t}', column: '{=x}', type: text, up: '''x'' || {id}', not_null: true}
- add_check: {table: '{s.t}', name: '{=k}', expression: '{n} LIKE ''+%'''}
- create_index: {table: '{s.t}', name: '{=i}', columns: ['{=q}', '{=n}']}
)",
      .old_shape = {.writes = {{"o", "'o{r}'"}, {"p", "{r}"}},
                    .follows = {{"n", "'+' || {o}"}, {"q", "{p}"}, {"x", "COALESCE({x}, 'x' || {id})"}}},
      .new_shape = Shape{.writes = {{"n", "'+n{r}'"}, {"q", "{r}"}, {"x", "'y{r}'"}},
                         .follows = {{"o", "substr({n}, 2)"}, {"p", "{q}"}}},
      .partly = true,
      .twin_setup = "ALTER TABLE {twin} ADD COLUMN {n} text, ADD COLUMN {q} int, ADD COLUMN {x} text",
      .gone = {"o", "p"},
  };
}

}  // namespace

std::vector<Case> ColumnCases() {
  return {RenameColumn(),
          RenameColumnLossy(),
          RenameColumnVerified(),
          RenameColumnPlain(),
          RenameTwoAndAddOne(),
          AddColumn(),
          AddColumnConstant(),
          DropColumn(),
          SetNotNull(),
          ChangeType(),
          ChangeTypeOfThePrimaryKey(),
          ChangeTypeOfVarchar(),
          ChangeTypeByExpressions(),
          SplitColumn(),
          MergeColumns()};
}

}  // namespace curlew::testing
