// Cases of operations on indexes.
#include "tests/harness/case.h"

namespace curlew::testing {
namespace {

// Most operations here read or write nothing: a column is enough.
Shape Numbers() { return {.writes = {{"o", "{r}", Nulls::kSometimes}, {"x", "'x{r}'"}}}; }

Case CreateIndex() {
  return {
      .operation = "create_index",
      .columns = "{o} int, {x} text",
      .plan = R"(
- create_index: {table: '{s.t}', name: '{=i}', columns: ['{=x}', '{=o}'], where: '{o} > 3', include: ['{=u}']}
)",
      .old_shape = Numbers(),
  };
}

// Keys in full, unique, where two NULLs collide.
Case CreateIndexUnique() {
  return {
      .operation = "create_index",
      .variant = "unique",
      .columns = "{o} int NOT NULL, {x} text",
      .plan = R"(
- create_index:
    table: '{s.t}'
    name: '{=i}'
    unique: true
    nulls_not_distinct: true
    keys:
      - {expression: 'lower({x})', collation: '"C"', opclass: text_pattern_ops, descending: true, nulls: last}
      - {column: '{=o}'}
    options: [{name: fillfactor, value: '70'}]
)",
      .old_shape = {.writes = {{"o", "{r}"}, {"x", "'x{r}'", Nulls::kSometimes}}},
      .one_row = true,
      .checks = {{Moment::kGate,
                  "SELECT indisvalid AND indisunique FROM pg_index WHERE indexrelid = {'s.i}::regclass"}},
  };
}

Case CreateIndexPartitioned() {
  return {
      .operation = "create_index",
      .variant = "partitioned",
      .columns = "{o} int, {x} text",
      .partitioned = true,
      .plan = R"(
- create_index: {table: '{s.t}', name: '{=i}', keys: [{expression: 'upper({x})'}, {column: '{=o}'}]}
- create_index: {table: '{s.t}', name: '{=j}', unique: true, columns: ['{=o}', '{=id}']}
)",
      .old_shape = Numbers(),
      .checks = {{Moment::kGate,
                  "SELECT bool_and(indisvalid) FROM pg_index WHERE indexrelid IN ({'s.i}::regclass, "
                  "{'s.j}::regclass)"},
                 {Moment::kGate, "SELECT count(*) = 3 FROM pg_inherits WHERE inhparent = {'s.i}::regclass"}},
  };
}

Case DropIndex() {
  return {
      .operation = "drop_index",
      .columns = "{o} int, {x} text",
      .setup = "CREATE INDEX {i} ON {s.t} ({o})",
      .plan = "- drop_index: {table: '{s.t}', name: '{=i}'}",
      .old_shape = Numbers(),
      .checks = {{Moment::kGate, "SELECT to_regclass({'s.i}) IS NOT NULL"},
                 {Moment::kEnd, "SELECT to_regclass({'s.i}) IS NULL"}},
  };
}

Case DropIndexPartitioned() {
  Case the_case = DropIndex();
  the_case.variant = "partitioned";
  the_case.partitioned = true;
  return the_case;
}

Case DropIndexAndMakeAnother() {
  Case the_case = DropIndex();
  the_case.variant = "another";
  the_case.plan = R"(
- drop_index: {table: '{s.t}', name: '{=i}'}
- create_index: {table: '{s.t}', name: '{=i}', columns: ['{=x}']}
)";
  the_case.checks = {{Moment::kEnd, "SELECT indisvalid FROM pg_index WHERE indexrelid = {'s.i}::regclass"}};
  return the_case;
}

Case RenameIndex() {
  return {
      .operation = "rename_index",
      .columns = "{o} int, {x} text",
      .setup = "CREATE INDEX {i} ON {s.t} ({o}, {x}) WHERE {o} > 5",
      .plan = "- rename_index: {table: '{s.t}', name: '{=i}', to: '{=j}'}",
      .old_shape = Numbers(),
  };
}

Case RenameIndexPartitioned() {
  Case the_case = RenameIndex();
  the_case.variant = "partitioned";
  the_case.partitioned = true;
  return the_case;
}

Case Reindex() {
  return {
      .operation = "reindex",
      .columns = "{o} int, {x} text",
      .setup = "CREATE INDEX {i} ON {s.t} ({o}); CREATE UNIQUE INDEX {j} ON {s.t} ({id}, {x})",
      .plan = "- reindex: {table: '{s.t}'}",
      .old_shape = Numbers(),
  };
}

Case ReindexPartitioned() {
  Case the_case = Reindex();
  the_case.variant = "partitioned";
  the_case.partitioned = true;
  return the_case;
}

}  // namespace

std::vector<Case> IndexCases() {
  return {CreateIndex(),       CreateIndexUnique(),      CreateIndexPartitioned(),
          DropIndex(),         DropIndexPartitioned(),   DropIndexAndMakeAnother(),
          RenameIndex(),       RenameIndexPartitioned(), Reindex(),
          ReindexPartitioned()};
}

}  // namespace curlew::testing
