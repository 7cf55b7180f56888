// Cases of operations on data (backfill, purge).
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

}  // namespace

std::vector<Case> DataCases() {
  return {Backfill(), BackfillPartitioned(), BackfillOfAnAddedColumn(), Purge(), PurgePartitioned()};
}

}  // namespace curlew::testing
