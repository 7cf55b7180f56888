// Cases of operations on types, sequences and extensions.
#include "tests/harness/case.h"

namespace curlew::testing {
namespace {

// Writes of a column that the operation has nothing to do with.
Shape Unconcerned() { return {.writes = {{"o", "'o{r}'", Nulls::kSometimes}}}; }

Case CreateEnum() {
  return {
      .operation = "create_enum",
      .columns = "{o} text",
      .plan = R"(
- create_enum: {type: '{s.e}', values: ['{=first}', 'it''s', '{=last}']}
)",
      .old_shape = Unconcerned(),
      .checks = {{.sql = "SELECT enum_range(NULL::{s.e})::text[] = ARRAY[{'first}, 'it''s', {'last}]"}},
  };
}

// The type and a column of it come together.
Case CreateEnumWithColumn() {
  return {
      .operation = "create_enum",
      .variant = "with_column",
      .columns = "{o} text",
      .plan = R"(
- create_enum: {type: '{s.e}', values: [odd, even]}
- add_column: {table: '{s.t}', column: '{=n}', type: '{s.e}', default: '''even''::{s.e}',
               up: 'CASE WHEN {id} % 2 = 0 THEN ''even''::{s.e} ELSE ''odd''::{s.e} END'}
)",
      .old_shape = {.writes = {{"o", "'o{r}'"}},
                    .follows = {{"n", "COALESCE({n}, CASE WHEN {id} % 2 = 0 THEN 'even' ELSE 'odd' END)"}}},
      .new_shape = Shape{.writes = {{"o", "'+o{r}'"}, {"n", "(ARRAY['odd', 'even'])[1 + {r} % 2]::{s.e}"}}},
      .twin_setup = "ALTER TABLE {twin} ADD COLUMN {n} text",
  };
}

Case AddEnumValue() {
  return {
      .operation = "add_enum_value",
      .columns = "{o} {s.e}",
      .before_table = "CREATE TYPE {s.e} AS ENUM ('first', 'last')",
      .plan = R"(
- add_enum_value: {type: '{s.e}', value: middle, before: last}
)",
      .old_shape = {.writes = {{"o", "(ARRAY['first', 'last'])[1 + {r} % 2]::{s.e}", Nulls::kSometimes}}},
      .new_shape = Shape{.writes = {{"o", "(ARRAY['middle', 'last'])[1 + {r} % 2]::{s.e}"}}},
      .checks = {{.sql = "SELECT enum_range(NULL::{s.e})::text[] = ARRAY['first', 'middle', 'last']"}},
      .leftovers = {"middle"},
  };
}

Case RenameEnumValue() {
  return {
      .operation = "rename_enum_value",
      .columns = "{o} {s.e} DEFAULT {'first}",
      .before_table = "CREATE TYPE {s.e} AS ENUM ({'first}, 'last', 'end')",
      .plan = R"(
- rename_enum_value: {type: '{s.e}', value: '{=first}', to: '{=other}'}
)",
      .acknowledge = {"breaks-applications"},
      .old_shape = {.writes = {{"o", "(ARRAY[{'first}, 'last'])[1 + {r} % 2]::{s.e}"}}},
      .new_shape = Shape{.writes = {{"o", "(ARRAY['end', 'last'])[1 + {r} % 2]::{s.e}"}}},
      .checks = {{.sql = "SELECT enum_range(NULL::{s.e})::text[] = ARRAY[{'other}, 'last', 'end']"}},
  };
}

Case CreateDomain() {
  return {
      .operation = "create_domain",
      .columns = "{o} text",
      .plan = R"(
- create_domain: {domain: '{s.d}', type: 'numeric(10,2)', not_null: true, default: '1',
                  checks: [{name: '{=k}', expression: 'VALUE > 0'}]}
)",
      .old_shape = Unconcerned(),
      .checks = {{.sql = "SELECT 7::{s.d} = 7"}},
  };
}

// Validation locks a table that clients write.
Case AddDomainConstraint() {
  return {
      .operation = "add_domain_constraint",
      .columns = "{o} {s.d}",
      .before_table = "CREATE DOMAIN {s.d} AS bigint",
      .plan = R"(
- add_domain_constraint: {domain: '{s.d}', name: '{=k}', expression: 'VALUE > 0'}
)",
      .acknowledge = {"blocks-writes"},
      .old_shape = {.writes = {{"o", "{r}", Nulls::kSometimes}}},
      .checks = {{.sql =
                      "SELECT bool_and(convalidated) FROM pg_constraint WHERE contypid = {'s.d}::regtype"}},
  };
}

Case DropDomainConstraint() {
  return {
      .operation = "drop_domain_constraint",
      .columns = "{o} {s.d}",
      .before_table = "CREATE DOMAIN {s.d} AS bigint CONSTRAINT {k} CHECK (VALUE > 0)",
      .plan = R"(
- drop_domain_constraint: {domain: '{s.d}', name: '{=k}'}
)",
      .old_shape = {.writes = {{"o", "{r}", Nulls::kSometimes}}},
      .checks = {{.moment = Moment::kGate,
                  .sql = "SELECT count(*) = 1 FROM pg_constraint WHERE contypid = {'s.d}::regtype"},
                 {.sql = "SELECT (-1)::{s.d} = -1"}},
  };
}

// The column that uses it goes first.
Case DropType() {
  return {
      .operation = "drop_type",
      .columns = "{o} text",
      .setup =
          "CREATE TYPE {s.e} AS ENUM ('first', 'last');"
          "CREATE TABLE {s.b} ({y} int PRIMARY KEY, {x} {s.e} DEFAULT 'first' CHECK ({x} <> 'last'));"
          "INSERT INTO {s.b} SELECT generate_series(1, 100)",
      .plan = R"(
- drop_column: {table: '{s.b}', column: '{=x}'}
- drop_type: {type: '{s.e}'}
)",
      .old_shape = Unconcerned(),
      .checks = {{.moment = Moment::kGate, .sql = "SELECT to_regtype({'s.e}) IS NOT NULL"},
                 {.sql = "SELECT to_regtype({'s.e}) IS NULL"}},
  };
}

Case CreateSequence() {
  return {
      .operation = "create_sequence",
      .columns = "{o} text",
      .plan = R"(
- create_sequence: {sequence: '{s.q}', type: integer, settings: {start: 100, increment: -3, minimum: -50, maximum: 100,
                    cache: 4, cycle: true}}
)",
      .old_shape = Unconcerned(),
      .checks = {{.sql = "SELECT nextval({'s.q}) = 100"}},
  };
}

// Clients take numbers from it all the while.
Case AlterSequence() {
  return {
      .operation = "alter_sequence",
      .columns = "{o} text",
      .setup = "CREATE SEQUENCE {s.q}; GRANT USAGE ON SEQUENCE {s.q} TO {role}",
      .plan = R"(
- alter_sequence: {sequence: '{s.q}', settings: {increment: 2, cache: 7, maximum: 1000000000}}
)",
      .old_shape = {.writes = {{"o", "'o{r}'"}}, .also = {"SELECT nextval({'s.q})"}},
      .checks = {{.moment = Moment::kRolledBack,
                  .sql = "SELECT seqincrement = 1 FROM pg_sequence WHERE seqrelid = {'s.q}::regclass"},
                 {.sql = "SELECT seqcache = 7 FROM pg_sequence WHERE seqrelid = {'s.q}::regclass"}},
  };
}

Case DropSequence() {
  return {
      .operation = "drop_sequence",
      .columns = "{o} text",
      .setup = "CREATE SEQUENCE {s.q}; GRANT USAGE ON SEQUENCE {s.q} TO {role}",
      .plan = R"(
- drop_sequence: {sequence: '{s.q}'}
)",
      .old_shape = {.writes = {{"o", "'o{r}'"}}, .also = {"SELECT nextval({'s.q})"}},
      .new_shape = Shape{.writes = {{"o", "'+o{r}'"}}},
      .checks = {{.moment = Moment::kGate, .sql = "SELECT to_regclass({'s.q}) IS NOT NULL"}},
  };
}

Case CreateExtension() {
  return {
      .operation = "create_extension",
      .columns = "{o} text",
      .plan = R"(
- create_extension: {extension: pg_trgm, schema: public, version: '1.6'}
)",
      .old_shape = Unconcerned(),
      .checks = {{.sql = "SELECT public.similarity('curlew', 'curlew') = 1"}},
  };
}

Case DropExtension() {
  return {
      .operation = "drop_extension",
      .columns = "{o} text",
      .setup = "CREATE EXTENSION pg_trgm SCHEMA public",
      .plan = R"(
- drop_extension: {extension: pg_trgm}
)",
      .old_shape = Unconcerned(),
      .checks = {{.moment = Moment::kGate, .sql = "SELECT public.similarity('curlew', 'curlew') = 1"}},
  };
}

// The new client no longer writes the value. The twin holds texts: it must not use the type.
Case RemoveEnumValue() {
  return {
      .operation = "remove_enum_value",
      .columns = "{o} {s.e} NOT NULL DEFAULT 'middle', {p} {s.e}",
      .before_table = "CREATE TYPE {s.e} AS ENUM ('first', {'centre}, 'middle', 'last')",
      .setup = "CREATE INDEX {i} ON {s.t} ({o}, {u}); COMMENT ON TYPE {s.e} IS 'old'",
      .plan = R"(
- remove_enum_value: {type: '{s.e}', value: middle, replacement: '{=centre}', columns: [{table: '{s.t}', column: '{=o}'}, {table: '{s.t}', column: '{=p}'}]}
)",
      .old_shape = {.writes = {{"o", "(ARRAY['first', 'middle', 'last'])[1 + {r} % 3]::{s.e}"},
                               {"p", "(ARRAY['last', 'middle'])[1 + {r} % 2]::{s.e}", Nulls::kSometimes}}},
      .new_shape =
          Shape{.writes = {{"o", "(ARRAY['first', {'centre}, 'last'])[1 + {r} % 3]::{s.e}"},
                           {"p", "(ARRAY['last', 'first'])[1 + {r} % 2]::{s.e}", Nulls::kSometimes}}},
      .new_client = NewClient::kAfterTheEnd,
      .twin_setup = "ALTER TABLE {twin} ALTER COLUMN {o} TYPE text, ALTER COLUMN {p} TYPE text",
      .twin_at_end =
          "UPDATE {twin} SET {o} = {'centre} WHERE {o} = 'middle';"
          "UPDATE {twin} SET {p} = {'centre} WHERE {p} = 'middle'",
      .checks = {{.sql = "SELECT enum_range(NULL::{s.e})::text[] = ARRAY['first', {'centre}, 'last']"}},
  };
}

Case RemoveEnumValuePartitioned() {
  Case the_case = RemoveEnumValue();
  the_case.variant = "partitioned";
  the_case.partitioned = true;
  return the_case;
}

}  // namespace

std::vector<Case> TypeCases() {
  return {RemoveEnumValue(),      RemoveEnumValuePartitioned(),
          CreateEnum(),           CreateEnumWithColumn(),
          AddEnumValue(),         RenameEnumValue(),
          CreateDomain(),         AddDomainConstraint(),
          DropDomainConstraint(), DropType(),
          CreateSequence(),       AlterSequence(),
          DropSequence(),         CreateExtension(),
          DropExtension()};
}

}  // namespace curlew::testing
