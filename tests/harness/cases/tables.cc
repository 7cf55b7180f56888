// Cases of operations on whole tables, and on defaults, NOT NULL and comments.
#include "tests/harness/case.h"

namespace curlew::testing {
namespace {

// Writes of a column that the operation has nothing to do with.
Shape Unconcerned() { return {.writes = {{"o", "'o{r}'", Nulls::kSometimes}}}; }

// The new client uses the table before the gate already, and its rows go in the rollback.
Case CreateTable() {
  return {
      .operation = "create_table",
      .columns = "{o} text",
      .plan = R"(
- create_table:
    table: '{s.n}'
    comment: 'it''s new'
    columns:
      - {name: '{=k}', type: int, identity: by_default}
      - {name: '{=v}', type: 'varchar(90)', collation: '"C"', not_null: true, comment: 'a "value"'}
      - {name: '{=w}', type: text, default: '''none'''}
      - {name: '{=g}', type: int, generated: 'length({v})'}
    primary_key: ['{=v}', '{=k}']
- create_index: {table: '{s.n}', name: '{=i}', columns: ['{=w}']}
- set_not_null: {table: '{s.n}', column: '{=w}'}
- grant: {table: '{s.n}', privileges: [insert, select], roles: ['{=role}']}
)",
      .old_shape = Unconcerned(),
      .new_shape = Shape{.writes = {{"o", "'n{r}'"}},
                         .also = {"INSERT INTO {s.n} ({v}) VALUES ('v{r}')", "SELECT max({g}) FROM {s.n}"}},
      .checks = {{.moment = Moment::kRolledBack, .sql = "SELECT to_regclass({'s.n}) IS NULL"},
                 {.sql = "SELECT bool_and({g} = length({v}) AND {w} = 'none') AND count(*) > 0 FROM {s.n}"}},
  };
}

// The old client writes the table until it is gone; the new one does not know it.
Case DropTable() {
  return {
      .operation = "drop_table",
      .columns = "{o} text",
      .setup =
          "CREATE TABLE {s.d} ({k} bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, {v} text,"
          " {x} bigint REFERENCES {s.t} ON DELETE SET NULL);"
          "GRANT INSERT ON {s.d} TO {role}",
      .plan = "- drop_table: {table: '{s.d}'}",
      .old_shape = {.writes = {{"o", "'o{r}'"}}, .also = {"INSERT INTO {s.d} ({v}) VALUES ('v{r}')"}},
      .new_shape = Shape{.writes = {{"o", "'n{r}'"}}},
      .checks = {{.moment = Moment::kGate, .sql = "SELECT count(*) > 0 FROM {s.d}"},
                 {.sql = "SELECT to_regclass({'s.d}) IS NULL"}},
  };
}

Case SetTableOptions() {
  return {
      .operation = "set_table_options",
      .columns = "{o} text",
      .setup = "ALTER TABLE {s.t} SET (autovacuum_enabled = false, fillfactor = 90)",
      .plan = R"(
- set_table_options: {table: '{s.t}', set: [{name: fillfactor, value: '70'}], reset: [autovacuum_enabled]}
)",
      .old_shape = Unconcerned(),
      .checks = {{.sql = "SELECT reloptions = '{fillfactor=70}' FROM pg_class WHERE oid = {'s.t}::regclass"}},
  };
}

Case SetReplicaIdentity() {
  return {
      .operation = "set_replica_identity",
      .columns = "{o} text",
      .setup = "CREATE UNIQUE INDEX {i} ON {s.t} ({id}); ALTER TABLE {s.t} REPLICA IDENTITY FULL",
      .plan = "- set_replica_identity: {table: '{s.t}', identity: index, index: '{=i}'}",
      .old_shape = Unconcerned(),
  };
}

// COPY FROM does not work where policies count.
Case SetRowSecurity() {
  return {
      .operation = "set_row_security",
      .columns = "{o} text",
      .plan = R"(
- create_policy: {table: '{s.t}', name: '{=p}', roles: ['{=role}'], using: '{id} IS NOT NULL', with_check: 'true'}
- set_row_security: {table: '{s.t}', state: forced}
)",
      .old_shape = Unconcerned(),
      .without = {Write::kCopy},
      .checks =
          {{.sql =
                "SELECT relrowsecurity AND relforcerowsecurity FROM pg_class WHERE oid = {'s.t}::regclass"}},
  };
}

Case CreatePolicy() {
  return {
      .operation = "create_policy",
      .columns = "{o} text",
      .plan = R"(
- add_column: {table: '{s.t}', column: '{=n}', type: text, up: '''k'' || {id}', not_null: true}
- create_policy: {table: '{s.t}', name: '{=p}', command: update, restrictive: true, using: '{n} <> {o}'}
)",
      .old_shape = {.writes = {{"o", "'o{r}'"}}, .follows = {{"n", "COALESCE({n}, 'k' || {id})"}}},
      .new_shape = Shape{.writes = {{"o", "'p{r}'"}, {"n", "'n{r}'"}}},
      .twin_setup = "ALTER TABLE {twin} ADD COLUMN {n} text",
  };
}

// A policy gives way to another one while row-level security is on.
Case DropPolicy() {
  return {
      .operation = "drop_policy",
      .columns = "{o} text",
      .setup = "CREATE POLICY {p} ON {s.t} USING ({o} <> ''''); ALTER TABLE {s.t} ENABLE ROW LEVEL SECURITY",
      .plan = R"(
- create_policy: {table: '{s.t}', name: '{=q}', using: 'true'}
- drop_policy: {table: '{s.t}', name: '{=p}'}
)",
      .old_shape = {.writes = {{"o", "'o{r}'"}}},
      .without = {Write::kCopy},
      .checks = {{.moment = Moment::kGate, .sql = "SELECT count(*) = 2 FROM pg_policy"},
                 {.sql = "SELECT array_agg(polname::text) = ARRAY[{'q}] FROM pg_policy"}},
  };
}

// The new client may read a table that the old one cannot, and a column that the plan adds.
Case Grant() {
  return {
      .operation = "grant",
      .columns = "{o} text",
      .setup = "CREATE TABLE {s.g} ({k} int, {v} text); GRANT INSERT ({k}) ON {s.g} TO {role}",
      .plan = R"(
- grant: {table: '{s.g}', privileges: [select, insert], roles: ['{=role}'], grant_option: true}
- add_column: {table: '{s.g}', column: '{=n}', type: int}
- grant: {table: '{s.g}', privileges: [update], columns: ['{=n}', '{=v}'], roles: ['{=role}', public]}
)",
      .old_shape = {.writes = {{"o", "'o{r}'"}}, .also = {"INSERT INTO {s.g} ({k}) VALUES (1)"}},
      .new_shape =
          Shape{.writes = {{"o", "'n{r}'"}},
                .also = {"SELECT count({v}) FROM {s.g}", "UPDATE {s.g} SET {n} = {r} WHERE {k} = 2"}},
      .checks = {{.moment = Moment::kRolledBack,
                  .sql = "SELECT has_column_privilege({'role}, {'s.g}, {'k}, 'INSERT')"}},
  };
}

Case Revoke() {
  return {
      .operation = "revoke",
      .columns = "{o} text",
      .setup =
          "CREATE TABLE {s.g} ({k} int, {v} text); GRANT SELECT, INSERT ON {s.g} TO {role};"
          "GRANT UPDATE ({v}) ON {s.g} TO {role}, PUBLIC",
      .plan = R"(
- revoke: {table: '{s.g}', privileges: [select, update], roles: ['{=role}', public]}
)",
      .old_shape = {.writes = {{"o", "'o{r}'"}}, .also = {"SELECT count({v}) FROM {s.g}"}},
      .new_shape = Shape{.writes = {{"o", "'n{r}'"}}, .also = {"INSERT INTO {s.g} VALUES ({r}, 'v')"}},
      .checks = {{.moment = Moment::kGate, .sql = "SELECT has_table_privilege({'role}, {'s.g}, 'SELECT')"},
                 {.sql = "SELECT NOT has_table_privilege({'role}, {'s.g}, 'SELECT')"},
                 {.sql = "SELECT NOT has_column_privilege({'role}, {'s.g}, {'v}, 'UPDATE')"}},
  };
}

Case SetComment() {
  return {
      .operation = "set_comment",
      .columns = "{o} text",
      .setup = "COMMENT ON COLUMN {s.t}.{o} IS 'it''s \"old\"'",
      .plan = R"(
- set_comment: {table: '{s.t}', comment: 'it''s \new'}
- set_comment: {table: '{s.t}', column: '{=o}'}
)",
      .old_shape = Unconcerned(),
  };
}

// The new client writes NULL when the gate is behind.
Case DropNotNull() {
  return {
      .operation = "drop_not_null",
      .columns = "{o} text NOT NULL",
      .plan = "- drop_not_null: {table: '{s.t}', column: '{=o}'}",
      .old_shape = {.writes = {{"o", "'o{r}'"}}},
      .new_shape = Shape{.writes = {{"o", "'n{r}'", Nulls::kSometimes}}},
      .new_client = NewClient::kAfterTheEnd,
  };
}

Case DropNotNullPartitioned() {
  Case the_case = DropNotNull();
  the_case.variant = "partitioned";
  the_case.partitioned = true;
  return the_case;
}

// A column of before, and one that the plan fills: that gets its default in the end.
Case SetDefault() {
  return {
      .operation = "set_default",
      .columns = "{o} text, {x} int DEFAULT 1",
      .plan = R"(
- set_default: {table: '{s.t}', column: '{=x}', default: '2 + 3'}
- add_column: {table: '{s.t}', column: '{=n}', type: text, up: '''k'' || {id}', not_null: true}
- set_default: {table: '{s.t}', column: '{=n}', default: '''it''''s new'''}
)",
      .old_shape = {.writes = {{"o", "'o{r}'"}, {"x", "{r}"}},
                    .follows = {{"n", "COALESCE({n}, 'k' || {id})"}}},
      .new_shape = Shape{.writes = {{"o", "'p{r}'"}, {"x", "{r}"}, {"n", "'n{r}'"}}},
      .twin_setup = "ALTER TABLE {twin} ADD COLUMN {n} text",
  };
}

Case DropDefault() {
  return {
      .operation = "drop_default",
      .columns = "{o} text NOT NULL DEFAULT 'it''s'",
      .partitioned = true,
      .plan = "- drop_default: {table: '{s.t}', column: '{=o}'}",
      .old_shape = {.writes = {{"o", "'o{r}'"}}},
  };
}

// Rows are numbered while both clients write; neither needs a right on anything of Curlew's.
Case AddColumnIdentity() {
  const std::string numbered =
      "SELECT count({n}) = count(*) AND count(DISTINCT {n}) = count(*) AND min({n}) > 0 FROM {s.t}";
  return {
      .operation = "add_column",
      .variant = "identity",
      .columns = "{o} text",
      .plan = "- add_column: {table: '{s.t}', column: '{=n}', type: int, identity: always, comment: counted}",
      .old_shape = Unconcerned(),
      .checks = {{.moment = Moment::kGate, .sql = numbered},
                 {.sql = numbered},
                 {.sql = "SELECT max({n}) < nextval(pg_get_serial_sequence({'s.t}, {'n})) FROM {s.t}"}},
  };
}

// Together with columns that are filled and dropped, one of them from the number.
Case AddColumnIdentityAmongOthers() {
  return {
      .operation = "add_column",
      .variant = "identity_among_others",
      .columns = "{o} text NOT NULL",
      .plan = R"(
- add_column: {table: '{s.t}', column: '{=n}', type: bigint, identity: by_default}
- add_column: {table: '{s.t}', column: '{=m}', type: text, up: '''k'' || {id}'}
- drop_column: {table: '{s.t}', column: '{=o}', down: '''-'' || {u}'}
)",
      .old_shape = {.writes = {{"o", "'o{r}'"}}, .follows = {{"m", "COALESCE({m}, 'k' || {id})"}}},
      .new_shape = Shape{.writes = {{"m", "'m{r}'"}}, .follows = {{"o", "COALESCE({o}, '-' || {u})"}}},
      .twin_setup = "ALTER TABLE {twin} ADD COLUMN {m} text",
      .gone = {"o"},
      .checks = {{.moment = Moment::kGate,
                  .sql = "SELECT count({n}) = count(*) AND count(DISTINCT {n}) = count(*) FROM {s.t}"},
                 {.sql = "SELECT count({n}) = count(*) AND count(DISTINCT {n}) = count(*) FROM {s.t}"}},
  };
}

Case AddColumnGenerated() {
  const std::string follows = "SELECT bool_and({n} IS NOT DISTINCT FROM length({u}) * 2) FROM {s.t}";
  return {
      .operation = "add_column",
      .variant = "generated",
      .columns = "{o} text",
      .plan =
          "- add_column: {table: '{s.t}', column: '{=n}', type: int, generated: 'length({u}) * 2', not_null: "
          "true}",
      .acknowledge = {"rewrites-table"},
      .old_shape = Unconcerned(),
      .checks = {{.moment = Moment::kGate, .sql = follows}, {.sql = follows}},
  };
}

}  // namespace

std::vector<Case> TableCases() {
  return {CreateTable(),
          DropTable(),
          SetTableOptions(),
          SetReplicaIdentity(),
          SetRowSecurity(),
          CreatePolicy(),
          DropPolicy(),
          Grant(),
          Revoke(),
          SetComment(),
          DropNotNull(),
          DropNotNullPartitioned(),
          SetDefault(),
          DropDefault(),
          AddColumnIdentity(),
          AddColumnIdentityAmongOthers(),
          AddColumnGenerated()};
}

}  // namespace curlew::testing
