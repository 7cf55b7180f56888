// Cases of operations on data (backfill, purge, transform).
#include "tests/harness/case.h"

namespace curlew::testing {
namespace {

// In place, after the gate: each of the first rows is counted up once, whatever the new client writes to it.
Case Backfill() {
  return {
      .operation = "backfill",
      .columns = "{c} int NOT NULL DEFAULT 0, {o} text",
      .plan = "- backfill: {table: '{s.t}', set: [{column: '{=c}', value: '{c} + 1'}], where: '{id} <= 700'}",
      .old_shape = {.writes = {{"o", "'o{r}'", Nulls::kSometimes}}, .follows = {{"c", "COALESCE({c}, 0)"}}},
      // A key that comes again may or may not be one of the rows that were there.
      .without = {Write::kDelete},
      .twin_at_end = "UPDATE {twin} SET {c} = {c} + 1 WHERE {id} <= 700",
  };
}

Case BackfillPartitioned() {
  Case the_case = Backfill();
  the_case.variant = "partitioned";
  the_case.partitioned = true;
  return the_case;
}

// A column that the plan adds: before the gate, like `up`.
Case BackfillOfAnAddedColumn() {
  return {
      .operation = "backfill",
      .variant = "added",
      .columns = "{o} text",
      .plan = R"(
- add_column: {table: '{s.t}', column: '{=n}', type: bigint}
- backfill: {table: '{s.t}', set: [{column: '{=n}', value: '3 * {id}'}]}
)",
      .old_shape = {.writes = {{"o", "'o{r}'"}}, .follows = {{"n", "COALESCE({n}, 3 * {id})"}}},
      .new_shape = Shape{.writes = {{"n", "{r}"}}},
      .twin_setup = "ALTER TABLE {twin} ADD COLUMN {n} bigint",
  };
}

Case Purge() {
  return {
      .operation = "purge",
      .columns = "{x} int NOT NULL DEFAULT 1, {o} text",
      .setup = "UPDATE {s.t} SET {x} = -1 WHERE {id} % 3 = 0",
      .plan = "- purge: {table: '{s.t}', where: '{x} < 0 AND {u} IS NOT NULL'}",
      .old_shape = {.writes = {{"o", "'o{r}'", Nulls::kSometimes}}},
      // In the twin a row that is purged stays until the end: an upsert would find it there.
      .without = {Write::kUpsert},
      .twin_at_end = "DELETE FROM {twin} WHERE {x} < 0",
      .checks = {{Moment::kGate, "SELECT count(*) > 0 FROM {s.t} WHERE {x} < 0"},
                 {Moment::kEnd, "SELECT count(*) = 0 FROM {s.t} WHERE {x} < 0"}},
  };
}

Case PurgePartitioned() {
  Case the_case = Purge();
  the_case.variant = "partitioned";
  the_case.partitioned = true;
  return the_case;
}

// Each row that was there is written once, whatever is written, locked and inserted meanwhile.
Case Transform() {
  return {
      .operation = "transform",
      .columns = "{o} text",
      .setup = "CREATE TABLE {s.n} ({k} bigint, {v} text)",
      .plan = R"(
- transform:
    table: '{s.t}'
    where: '{id} % 3 <> 0 AND {o} <> '''''
    write: 'INSERT INTO {s.n} ({k}, {v}) SELECT {id}, {o} FROM batch'
    down: 'DELETE FROM {s.n}'
)",
      .old_shape = {.writes = {{"o", "'o{r}'"}}},
      // A key that is gone when the walk comes, and back behind it, is not written.
      .without = {Write::kDelete},
      .checks = {{Moment::kGate, "SELECT count({k}) = count(DISTINCT {k}) FROM {s.n}"},
                 {Moment::kGate,
                  "SELECT bool_and((g IN (SELECT {k} FROM {s.n})) = (g % 3 <> 0)) FROM "
                  "generate_series(1, 1500) AS g"},
                 {Moment::kRolledBack, "SELECT count(*) = 0 FROM {s.n}"},
                 {Moment::kEnd, "SELECT count({k}) = count(DISTINCT {k}) AND count(*) >= 1000 FROM {s.n}"}},
  };
}

// Behind the gate, into the table itself: each of the first rows is counted up once.
Case TransformOfItself() {
  return {
      .operation = "transform",
      .variant = "itself",
      .columns = "{c} int NOT NULL DEFAULT 0, {o} text",
      .plan = R"(
- transform:
    table: '{s.t}'
    where: '{id} <= 700'
    write: 'UPDATE {s.t} AS w SET {c} = w.{c} + 1 FROM batch WHERE w.{id} = batch.{id}'
    irreversible: true
)",
      .old_shape = {.writes = {{"o", "'o{r}'", Nulls::kSometimes}}, .follows = {{"c", "COALESCE({c}, 0)"}}},
      .without = {Write::kDelete},
      .twin_at_end = "UPDATE {twin} SET {c} = {c} + 1 WHERE {id} <= 700",
  };
}

Case TransformPartitioned() {
  Case the_case = TransformOfItself();
  the_case.variant = "partitioned";
  the_case.partitioned = true;
  return the_case;
}

}  // namespace

std::vector<Case> DataCases() {
  return {Backfill(),         BackfillPartitioned(), BackfillOfAnAddedColumn(), Purge(),
          PurgePartitioned(), Transform(),           TransformOfItself(),       TransformPartitioned()};
}

}  // namespace curlew::testing
