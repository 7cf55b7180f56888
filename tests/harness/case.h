// What a case of the life harness says of one operation. A new operation is one Case in the right file of
// tests/harness/cases/; nothing else.
//
// THE LIFE. Each case runs on a real server with the agent's own executor and journal (tests/harness/
// run_plan.cc, a process of its own that is killed and started again):
//   setup; snapshot; compile
//   run to the gate       (all steps before the first one of phase DROP)
//   roll back             the schema is what it was: pg_dump and ReadSchema
//   run again, through the gate to the end, killed at a step chosen by seed, and resumed
//                         the schema is what compiler::Apply promised
// and nothing of Curlew's is left. All the while an OLD client writes (from before the start until the gate)
// and a NEW client (from the verified backfill on, past DROP), with INSERT, UPDATE, upserts, COPY, explicit
// NULLs, deletes and re-inserts of a key, ON UPDATE CASCADE from a parent, long transactions. Each
// transaction writes table {t} and its TWIN, which holds what the case says that every column must be: at the
// gate and at the end they are compared row by row. No statement of a client may fail (but for lock
// time-outs, deadlocks and serialisation failures).
//
// THE TABLE. The harness makes schema {s}, and in it the table {t}:
//   {id} bigint PRIMARY KEY, {u} text (unrelated to the operation), {len} int (length({u}), set by a BEFORE
//   trigger of the application), {ref} int REFERENCES {parent} ON UPDATE CASCADE, and the case's `columns`
// with `rows` rows, whose columns hold what the old client writes with {r} = 1, 2, 3, ... The twin has the
// same columns without constraints and defaults, and those that `twin_setup` adds to it.
//
// NAMES. Write every name as a token in braces (tests/harness/names.h): each letter is spelt in eight hostile
// ways. {o} is a quoted identifier, {s.t} a qualified one, {=o} the bare name. In `plan` put tokens inside
// single quotes of YAML only: {table: '{s.t}', column: '{=o}', up: 'upper({o})'}.
//
// AN EXAMPLE, a column of another name and form:
//   Case{.operation = "rename_column",
//        .columns = "{o} text NOT NULL",
//        .plan = "- rename_column: {table: '{s.t}', from: '{=o}', to: '{=n}',"
//                "                  up: '''+'' || {o}', down: 'substr({n}, 2)'}",
//        .old_shape = {.writes = {{"o", "'o{r}'"}}, .follows = {{"n", "'+' || {o}"}}},
//        .new_shape = Shape{.writes = {{"n", "'+n{r}'"}}, .follows = {{"o", "substr({n}, 2)"}}},
//        .both = true,
//        .twin_setup = "ALTER TABLE {twin} ADD COLUMN {n} text",
//        .gone = {"o"}}
// An operation without pairs of columns (an index, a view) leaves new_shape out: both clients write the same.
//
//   build/tests/bin/harness_life_test --gtest_filter='*rename_column*'       a case; prints seed and crash
//   CURLEW_SEED=7 ...                    the same again     CURLEW_SPELLING=quotes  CURLEW_CRASH='do add-1'
//   CURLEW_HARNESS_ROLE=superuser ...  the plan is run by a superuser, not by a role of few rights (life.h)
//   CURLEW_HARNESS=full ...              all spellings, a crash after every step: ./dev nightly
#ifndef CURLEW_TESTS_HARNESS_CASE_H_
#define CURLEW_TESTS_HARNESS_CASE_H_

#include <optional>
#include <set>
#include <string>
#include <vector>

namespace curlew::testing {

// Whether a client also writes an explicit NULL into a column. A new client sets curlew.shape = new for the
// transaction then, as docs/dual-write.md asks for.
enum class Nulls { kNever, kSometimes };

// A column that a client writes. `column` is a token without braces; `value` SQL in which {r} is a number
// that never comes twice, so that each write changes the column.
struct Written {
  std::string column;
  std::string value;
  Nulls nulls = Nulls::kNever;
};

// What another column of the row must then be: SQL over the twin's row. The test's own words for what the
// triggers do. Every column that the plan adds and fills stands in old_shape.follows. A value that is filled
// once and then stays (add_column with up, drop_column with down) is COALESCE({n}, value), over columns that
// no client updates ({id}): nobody can tell at which moment a row is filled.
struct Follows {
  std::string column;
  std::string value;
};

// How a client writes.
struct Shape {
  std::vector<Written> writes;
  // Computed one after the other where one of `writes` has changed.
  std::vector<Follows> follows;
  // Statements that it runs now and then inside its transactions, and that must not fail: a SELECT from a
  // view, an INSERT into another table. {r} as above.
  std::vector<std::string> also;
};

// Kinds of writes; all are mixed unless a case leaves some out.
enum class Write {
  kInsert,
  kUpdate,       // the columns of the shape
  kUpdateOther,  // a column that the operation does not touch
  kUpsert,       // INSERT ... ON CONFLICT DO UPDATE
  kCopy,         // COPY FROM
  kDelete,       // and later the same key again
  kCascade,      // the parent's key changes
  kLong,         // a transaction that lasts while phases go by, and one with an old snapshot
};

// When the new client can begin.
enum class NewClient {
  kAfterBackfill,
  kAfterTheEnd,  // the new shape is there only then, for example where a column changes its type
};

// Whether compiler::Apply tells the schema at the end. Nobody can tell that of an author's own SQL.
enum class Promise { kApply, kNone };

// Whose rights the clients have.
enum class Client { kApplication, kSuperuser };

// A question about the database, asked when the run stands at the gate, when it was rolled back, or at its
// end. One boolean, which must be true.
enum class Moment { kGate, kRolledBack, kEnd };
struct Check {
  Moment moment = Moment::kEnd;
  std::string sql;
};

// A column that is compared with the twin at the end under another expression, where its type changes.
struct Compared {
  std::string column;
  std::string twin;  // SQL over the twin's row
};

struct Case {
  // Name of the operation as plans write it.
  std::string operation;
  // What tells several cases of one operation apart: "partitioned". Letters, digits and _. May be empty.
  std::string variant;

  // Columns of {t}, as in CREATE TABLE, without the last comma. May be empty.
  std::string columns;
  // SQL that is run before {t} is made (types, functions), and after it was filled (indexes, other tables;
  // GRANT ... TO {role} where clients use them).
  std::string before_table;
  std::string setup;
  // Whether {t} is partitioned (by hash of {id}, three partitions).
  bool partitioned = false;
  int rows = 1500;

  // The operations: a list in YAML.
  std::string plan;
  // What else stands in the plan: `verify`, `backup`. YAML, as `plan`.
  std::string rest = {};
  // Hazards that the plan acknowledges.
  std::vector<std::string> acknowledge;

  Shape old_shape;
  // Absent: the same as the old one's.
  std::optional<Shape> new_shape;
  NewClient new_client = NewClient::kAfterBackfill;
  // Whether a third client writes the columns of both shapes at once, agreeing and disagreeing, between
  // backfill and gate.
  bool both = false;
  Client client = Client::kApplication;
  std::set<Write> without;
  // Whether each statement writes one row, because two may not have the same values.
  bool one_row = false;
  // Whether an UPDATE of several columns sometimes writes only one of them.
  bool partly = false;

  // SQL that gives the twin the columns that the plan adds; run once.
  std::string twin_setup;
  // SQL run on the twin before the last comparison, when no client writes any more: what the operation does
  // to rows after the gate (purge, a backfill in place).
  std::string twin_at_end;
  // Columns of the shapes that are not there any more at the end. Tokens.
  std::vector<std::string> gone;
  // Columns that are compared otherwise at the end.
  std::vector<Compared> compared_at_end;
  std::vector<Check> checks;
  // What a rollback may leave behind: lines of pg_dump or of the schema's difference that hold one of these
  // texts (with tokens).
  std::vector<std::string> leftovers;
  Promise promise = Promise::kApply;

  // "rename_column", "rename_column_partitioned".
  std::string Name() const { return variant.empty() ? operation : operation + "_" + variant; }
};

// The cases, by the files in cases/.
std::vector<Case> ColumnCases();
std::vector<Case> ConstraintCases();
std::vector<Case> DataCases();
std::vector<Case> IndexCases();
std::vector<Case> ObjectCases();
std::vector<Case> TableCases();
std::vector<Case> TypeCases();

std::vector<Case> AllCases();

}  // namespace curlew::testing

#endif  // CURLEW_TESTS_HARNESS_CASE_H_
