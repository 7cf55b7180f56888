// Cases of operations on constraints.
#include "tests/harness/case.h"

namespace curlew::testing {
namespace {

Case AddCheck() {
  return {
      .operation = "add_check",
      .columns = "{o} int",
      .plan = "- add_check: {table: '{s.t}', name: '{=k}', expression: '{o} > 0 AND {len} < 1000'}",
      .old_shape = {.writes = {{"o", "{r}", Nulls::kSometimes}}},
  };
}

Case AddCheckPartitioned() {
  Case the_case = AddCheck();
  the_case.variant = "partitioned";
  the_case.partitioned = true;
  the_case.checks = {{Moment::kGate,
                      "SELECT count(*) = 4 AND bool_and(convalidated) FROM pg_constraint WHERE "
                      "conname = {'k}"}};
  return the_case;
}

Case AddUnique() {
  return {
      .operation = "add_unique",
      .columns = "{o} bigint, {x} text",
      .plan = "- add_unique: {table: '{s.t}', name: '{=k}', columns: ['{=o}', '{=x}']}",
      .old_shape = {.writes = {{"o", "{r}", Nulls::kSometimes}, {"x", "'x{r}'"}}},
      .one_row = true,
  };
}

Case AddUniqueDeferrable() {
  Case the_case = AddUnique();
  the_case.variant = "deferrable";
  the_case.plan = R"(
- add_unique:
    table: '{s.t}'
    name: '{=k}'
    columns: ['{=o}', '{=x}']
    include: ['{=len}', '{=id}']
    nulls_not_distinct: true
    deferral: initially_deferred
)";
  the_case.checks = {{Moment::kGate, "SELECT condeferred FROM pg_constraint WHERE conname = {'k}"}};
  return the_case;
}

Case AddUniquePartitioned() {
  return {
      .operation = "add_unique",
      .variant = "partitioned",
      .columns = "{o} bigint",
      .partitioned = true,
      .plan = R"(
- add_unique: {table: '{s.t}', name: '{=k}', columns: ['{=o}', '{=id}'], include: ['{=u}'], deferral: deferrable}
)",
      .old_shape = {.writes = {{"o", "{r}", Nulls::kSometimes}}},
      .checks = {{Moment::kGate, "SELECT indisvalid FROM pg_index WHERE indexrelid = {'s.k}::regclass"},
                 {Moment::kGate,
                  "SELECT count(*) = 3 FROM pg_constraint AS c JOIN pg_constraint AS p ON "
                  "c.conparentid = p.oid WHERE p.conname = {'k}"}},
  };
}

Case AddForeignKey() {
  return {
      .operation = "add_foreign_key",
      .columns = "{o} int, {x} text NOT NULL",
      .setup =
          "CREATE TABLE {s.f} ({a} text, {b} int, PRIMARY KEY ({b}, {a}));"
          "INSERT INTO {s.f} SELECT 'x', g FROM generate_series(0, 49) AS g; CREATE INDEX {i} ON {s.t} ({o})",
      .plan = R"(
- add_foreign_key:
    table: '{s.t}'
    name: '{=k}'
    columns: ['{=x}', '{=o}']
    references: '{s.f}'
    referenced_columns: ['{=a}', '{=b}']
    on_delete: cascade
    on_update: restrict
    deferral: initially_deferred
)",
      .old_shape = {.writes = {{"o", "({r} % 50)::int", Nulls::kSometimes}, {"x", "'x'"}}},
      .checks = {{Moment::kGate, "SELECT convalidated FROM pg_constraint WHERE conname = {'k}"}},
  };
}

Case AddForeignKeyPartitioned() {
  Case the_case = AddForeignKey();
  the_case.variant = "partitioned";
  the_case.partitioned = true;
  the_case.checks = {{Moment::kGate,
                      "SELECT count(*) = 4 AND bool_and(convalidated) FROM pg_constraint WHERE "
                      "conname = {'k} AND contype = 'f'"}};
  return the_case;
}

Case AddForeignKeyNew() {
  return {
      .operation = "add_foreign_key",
      .variant = "new_column",
      .columns = "{o} int",
      .setup = "CREATE TABLE {s.f} ({b} int NOT NULL); INSERT INTO {s.f} SELECT generate_series(0, 49)",
      .plan = R"(
- add_column: {table: '{s.t}', column: '{=n}', type: int, up: '({id} % 50)::int'}
- add_unique: {table: '{s.f}', name: '{=q}', columns: ['{=b}']}
- add_foreign_key: {table: '{s.t}', name: '{=k}', columns: ['{=n}'], references: '{s.f}', referenced_columns: ['{=b}']}
)",
      .old_shape = {.writes = {{"o", "{r}"}}, .follows = {{"n", "COALESCE({n}, {id} % 50)"}}},
      .new_shape = Shape{.writes = {{"o", "{r}"}, {"n", "({r} % 50)::int"}}},
      .twin_setup = "ALTER TABLE {twin} ADD COLUMN {n} int",
  };
}

Case AddExclusion() {
  return {
      .operation = "add_exclusion",
      .columns = "{o} int, {x} text NOT NULL",
      .plan = R"(
- add_exclusion:
    table: '{s.t}'
    name: '{=k}'
    method: btree
    elements: [{expression: 'lower({x})', operator: '='}, {column: '{=o}', operator: '='}]
    where: '{o} > 0'
    deferral: deferrable
)",
      .acknowledge = {"blocks-writes"},
      .old_shape = {.writes = {{"o", "{r}", Nulls::kSometimes}, {"x", "'x{r}'"}}},
      .one_row = true,
  };
}

Case DropConstraint() {
  return {
      .operation = "drop_constraint",
      .columns = "{o} int, {x} text",
      .setup =
          "CREATE TABLE {s.f} ({b} int PRIMARY KEY); INSERT INTO {s.f} SELECT generate_series(0, 49);"
          "ALTER TABLE {s.t} ADD CONSTRAINT {c} CHECK ({o} < 50), ADD CONSTRAINT {k} FOREIGN KEY ({o}) "
          "REFERENCES {s.f}, ADD CONSTRAINT {q} UNIQUE ({x}, {id})",
      .plan = R"(
- drop_constraint: {table: '{s.t}', name: '{=c}'}
- drop_constraint: {table: '{s.t}', name: '{=k}'}
- drop_constraint: {table: '{s.t}', name: '{=q}'}
- add_check: {table: '{s.t}', name: '{=c}', expression: '{o} >= 0'}
)",
      .old_shape = {.writes = {{"o", "({r} % 50)::int", Nulls::kSometimes}, {"x", "'x{r}'"}}},
  };
}

Case DropConstraintPartitioned() {
  Case the_case = DropConstraint();
  the_case.variant = "partitioned";
  the_case.partitioned = true;
  return the_case;
}

Case RenameConstraint() {
  return {
      .operation = "rename_constraint",
      .columns = "{o} int, {x} text",
      .setup =
          "CREATE TABLE {s.f} ({b} int PRIMARY KEY); INSERT INTO {s.f} SELECT generate_series(0, 49);"
          "ALTER TABLE {s.t} ADD CONSTRAINT {c} CHECK ({o} < 50), ADD CONSTRAINT {k} FOREIGN KEY ({o}) "
          "REFERENCES {s.f}, ADD CONSTRAINT {q} UNIQUE ({x}, {id})",
      .plan = R"(
- rename_constraint: {table: '{s.t}', name: '{=c}', to: '{=c2}'}
- rename_constraint: {table: '{s.t}', name: '{=k}', to: '{=k2}'}
- rename_constraint: {table: '{s.t}', name: '{=q}', to: '{=q2}'}
)",
      .old_shape = {.writes = {{"o", "({r} % 50)::int", Nulls::kSometimes}, {"x", "'x{r}'"}}},
  };
}

Case RenameConstraintPartitioned() {
  Case the_case = RenameConstraint();
  the_case.variant = "partitioned";
  the_case.partitioned = true;
  return the_case;
}

Case ValidateConstraint() {
  return {
      .operation = "validate_constraint",
      .columns = "{o} int, {x} text",
      .setup =
          "CREATE TABLE {s.f} ({b} int PRIMARY KEY); INSERT INTO {s.f} SELECT generate_series(0, 49);"
          "ALTER TABLE {s.t} ADD CONSTRAINT {c} CHECK ({o} < 50) NOT VALID, ADD CONSTRAINT {k} FOREIGN KEY "
          "({o}) REFERENCES {s.f} ON DELETE CASCADE NOT VALID; COMMENT ON CONSTRAINT {c} ON {s.t} IS 'it''s'",
      .plan = R"(
- validate_constraint: {table: '{s.t}', name: '{=c}'}
- validate_constraint: {table: '{s.t}', name: '{=k}'}
)",
      .old_shape = {.writes = {{"o", "({r} % 50)::int", Nulls::kSometimes}, {"x", "'x{r}'"}}},
      .checks = {{Moment::kGate,
                  "SELECT bool_and(convalidated) FROM pg_constraint WHERE conname IN ({'c}, {'k})"}},
  };
}

Case DropConstraintThatWasInTheWay() {
  return {
      .operation = "drop_constraint",
      .variant = "check",
      .columns = "{o} int",
      .setup = "ALTER TABLE {s.t} ADD CONSTRAINT {k} CHECK ({o} > 0)",
      .plan = "- drop_constraint: {table: '{s.t}', name: '{=k}'}",
      .old_shape = {.writes = {{"o", "{r}", Nulls::kSometimes}}},
      .new_shape = Shape{.writes = {{"o", "-{r}"}}},
      .new_client = NewClient::kAfterTheEnd,
  };
}

Case AddExclusionOfRanges() {
  return {
      .operation = "add_exclusion",
      .variant = "ranges",
      .columns = "{o} int4range",
      .plan = R"(
- add_exclusion: {table: '{s.t}', name: '{=k}', elements: [{column: '{=o}', operator: '&&'}], where: '{id} > 0'}
)",
      .acknowledge = {"blocks-writes"},
      .old_shape = {.writes = {{"o", "int4range({r}, {r} + 1)", Nulls::kSometimes}}},
      .one_row = true,
  };
}

}  // namespace

std::vector<Case> ConstraintCases() {
  return {AddCheck(),
          AddCheckPartitioned(),
          AddUnique(),
          AddUniqueDeferrable(),
          AddUniquePartitioned(),
          AddForeignKey(),
          AddForeignKeyPartitioned(),
          AddForeignKeyNew(),
          AddExclusion(),
          DropConstraint(),
          DropConstraintPartitioned(),
          RenameConstraint(),
          RenameConstraintPartitioned(),
          ValidateConstraint(),
          DropConstraintThatWasInTheWay(),
          AddExclusionOfRanges()};
}

}  // namespace curlew::testing
