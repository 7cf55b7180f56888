// Cases of operations on views, functions, triggers, extensions, statistics; and of sql.
#include "tests/harness/case.h"

namespace curlew::testing {
namespace {

Case Sql() {
  return {
      .operation = "sql",
      .columns = "{o} int",
      .plan = R"(
- sql: {up: 'CREATE VIEW {s.v} AS SELECT {id}, {o} FROM {s.t} WHERE {o} > 5; COMMENT ON VIEW {s.v} IS ''it''', down: 'DROP VIEW {s.v}'}
)",
      .old_shape = {.writes = {{"o", "{r}", Nulls::kSometimes}}},
      .checks = {{Moment::kGate, "SELECT count(*) > 0 FROM {s.v}"},
                 {Moment::kRolledBack, "SELECT to_regclass({'s.v}) IS NULL"},
                 {Moment::kEnd, "SELECT to_regclass({'s.v}) IS NOT NULL"}},
      .promise = Promise::kNone,
  };
}

Case CreateView() {
  return {
      .operation = "create_view",
      .columns = "{o} int",
      .plan = R"(
- create_view: {view: '{s.v}', query: 'SELECT {id}, {o} AS {w} FROM {s.t} WHERE {o} > 5', options: [{name: security_barrier, value: 'true'}]}
)",
      .old_shape = {.writes = {{"o", "{r}", Nulls::kSometimes}}},
      .checks = {{Moment::kGate, "SELECT count(*) > 0 FROM {s.v}"},
                 {Moment::kRolledBack, "SELECT to_regclass({'s.v}) IS NULL"},
                 {Moment::kEnd, "SELECT count({w}) > 0 FROM {s.v}"}},
  };
}

// Both clients read it all the while.
Case ReplaceView() {
  return {
      .operation = "create_view",
      .variant = "replaced",
      .columns = "{o} int",
      .setup =
          "CREATE VIEW {s.v} WITH (security_barrier) AS SELECT {id}, {o} AS {w} FROM {s.t} WHERE {o} > 5; "
          "GRANT SELECT ON {s.v} TO {role}; CREATE VIEW {s.x} AS SELECT {w} FROM {s.v}",
      .plan = R"(
- create_view: {view: '{s.v}', query: 'SELECT {id}, -{o} AS {w} FROM {s.t}'}
)",
      .old_shape = {.writes = {{"o", "{r}", Nulls::kSometimes}},
                    .also = {"SELECT {id}, {w} FROM {s.v} LIMIT 3"}},
      .checks = {{Moment::kGate, "SELECT max({w}) < 0 FROM {s.v}"},
                 {Moment::kRolledBack, "SELECT min({w}) > 5 FROM {s.v}"},
                 {Moment::kEnd, "SELECT max({w}) < 0 FROM {s.x}"}},
  };
}

Case DropView() {
  return {
      .operation = "drop_view",
      .columns = "{o} int",
      .setup =
          "CREATE VIEW {s.v} AS SELECT {id}, {o} FROM {s.t}; CREATE VIEW {s.x} AS SELECT {o} FROM {s.v}; "
          "GRANT SELECT ON {s.v} TO {role}",
      .plan = R"(
- drop_view: {view: '{s.x}'}
- drop_view: {view: '{s.v}'}
)",
      .old_shape = {.writes = {{"o", "{r}", Nulls::kSometimes}},
                    .also = {"SELECT {id}, {o} FROM {s.v} LIMIT 3"}},
      .new_shape = Shape{.writes = {{"o", "{r}", Nulls::kSometimes}}},
      .checks = {{Moment::kGate, "SELECT count(*) > 0 FROM {s.x}"},
                 {Moment::kEnd, "SELECT to_regclass({'s.v}) IS NULL AND to_regclass({'s.x}) IS NULL"}},
  };
}

Case CreateMaterializedView() {
  return {
      .operation = "create_materialized_view",
      .columns = "{o} int",
      .plan = R"(
- create_materialized_view: {view: '{s.v}', query: 'SELECT {o} AS {w}, count(*) AS {n} FROM {s.t} GROUP BY {o}'}
)",
      .old_shape = {.writes = {{"o", "{r}", Nulls::kSometimes}}},
      .checks = {{Moment::kGate, "SELECT count({w}) > 0 FROM {s.v}"},
                 {Moment::kRolledBack, "SELECT to_regclass({'s.v}) IS NULL"},
                 {Moment::kEnd, "SELECT sum({n}) > 0 FROM {s.v}"}},
  };
}

Case DropMaterializedView() {
  return {
      .operation = "drop_materialized_view",
      .columns = "{o} int",
      .setup =
          "CREATE MATERIALIZED VIEW {s.v} AS SELECT {o} FROM {s.t}; CREATE INDEX {i} ON {s.v} ({o}); "
          "GRANT SELECT ON {s.v} TO {role}",
      .plan = R"(
- drop_materialized_view: {view: '{s.v}'}
)",
      .old_shape = {.writes = {{"o", "{r}", Nulls::kSometimes}}, .also = {"SELECT {o} FROM {s.v} LIMIT 3"}},
      .new_shape = Shape{.writes = {{"o", "{r}", Nulls::kSometimes}}},
      .checks = {{Moment::kGate, "SELECT count(*) > 0 FROM {s.v}"},
                 {Moment::kEnd, "SELECT to_regclass({'s.v}) IS NULL"}},
  };
}

Case CreateFunction() {
  return {
      .operation = "create_function",
      .columns = "{o} int",
      .plan = R"(
- create_function: {definition: 'CREATE FUNCTION {s.f}({o} int, text DEFAULT ''x'') RETURNS int LANGUAGE sql IMMUTABLE AS $$ SELECT {o} + 1 $$'}
)",
      .old_shape = {.writes = {{"o", "{r}", Nulls::kSometimes}}},
      .checks = {{Moment::kGate, "SELECT {s.f}(1) = 2"},
                 {Moment::kRolledBack, "SELECT to_regproc({'s.f}) IS NULL"},
                 {Moment::kEnd, "SELECT {s.f}(1) = 2"}},
  };
}

// Both clients call it all the while.
Case ReplaceFunction() {
  return {
      .operation = "create_function",
      .variant = "replaced",
      .columns = "{o} int",
      .setup =
          "CREATE FUNCTION {s.f}({o} int) RETURNS int LANGUAGE plpgsql COST 7 AS $$ BEGIN RETURN {o} + 1; "
          "END $$; "
          "GRANT EXECUTE ON FUNCTION {s.f} TO {role}",
      .plan = R"(
- create_function: {definition: 'CREATE OR REPLACE FUNCTION {s.f}({o} int) RETURNS int LANGUAGE plpgsql AS $$ BEGIN RETURN {o} + 2; END $$'}
)",
      .old_shape = {.writes = {{"o", "{r}", Nulls::kSometimes}}, .also = {"SELECT {s.f}({r})"}},
      .checks = {{Moment::kGate, "SELECT {s.f}(1) = 3"},
                 {Moment::kRolledBack, "SELECT {s.f}(1) = 2"},
                 {Moment::kEnd, "SELECT {s.f}(1) = 3"}},
  };
}

Case DropFunction() {
  return {
      .operation = "drop_function",
      .columns = "{o} int",
      .setup =
          "CREATE FUNCTION {s.f}({o} int) RETURNS int LANGUAGE sql AS $$ SELECT {o} + 1 $$; "
          "CREATE FUNCTION {s.f}({o} text) RETURNS text LANGUAGE sql AS $$ SELECT {o} $$",
      .plan = R"(
- drop_function: {function: '{s.f}(integer)'}
)",
      .old_shape = {.writes = {{"o", "{r}", Nulls::kSometimes}}, .also = {"SELECT {s.f}({r}::int)"}},
      .new_shape = Shape{.writes = {{"o", "{r}", Nulls::kSometimes}}},
      .checks = {{Moment::kGate, "SELECT {s.f}(1) = 2"},
                 {Moment::kEnd, "SELECT count(*) = 1 FROM pg_proc WHERE proname = {'f}"}},
  };
}

// A log that the trigger writes shows when it fires; the rows themselves stay as the twin says.
constexpr char kLog[] =
    "CREATE TABLE {s.log} (at timestamptz DEFAULT clock_timestamp()); GRANT INSERT ON {s.log} TO {role}; "
    "CREATE FUNCTION {s.f}() RETURNS trigger LANGUAGE plpgsql AS $f$ BEGIN INSERT INTO {s.log} DEFAULT "
    "VALUES; "
    "RETURN NEW; END $f$";

Case CreateTrigger() {
  return {
      .operation = "create_trigger",
      .columns = "{o} int",
      .setup = kLog,
      .plan = R"(
- create_trigger: {table: '{s.t}', definition: 'CREATE TRIGGER {g} BEFORE INSERT OR UPDATE OF {o} ON {s.t} FOR EACH ROW WHEN (NEW.{o} IS NOT NULL) EXECUTE FUNCTION {s.f}()'}
)",
      .old_shape = {.writes = {{"o", "{r}", Nulls::kSometimes}}},
      .checks = {{Moment::kRolledBack, "SELECT count(*) = 0 FROM pg_trigger WHERE tgname = {'g}"},
                 {Moment::kEnd, "SELECT count(*) > 0 FROM {s.log}"}},
  };
}

Case ReplaceTrigger() {
  return {
      .operation = "create_trigger",
      .variant = "replaced",
      .columns = "{o} int",
      .setup = std::string(kLog) +
               "; CREATE TRIGGER {g} AFTER INSERT OR UPDATE ON {s.t} FOR EACH ROW EXECUTE FUNCTION {s.f}(); "
               "ALTER TABLE {s.t} ENABLE ALWAYS TRIGGER {g}",
      .plan = R"(
- create_trigger: {table: '{s.t}', definition: 'CREATE OR REPLACE TRIGGER {g} AFTER UPDATE OF {o} ON {s.t} FOR EACH ROW EXECUTE FUNCTION {s.f}()'}
)",
      .old_shape = {.writes = {{"o", "{r}", Nulls::kSometimes}}},
      .checks = {{Moment::kGate,
                  "SELECT tgenabled = 'A' AND tgattr <> '' FROM pg_trigger WHERE tgname = {'g}"},
                 {Moment::kRolledBack,
                  "SELECT tgenabled = 'A' AND tgattr = '' FROM pg_trigger WHERE tgname = {'g}"},
                 {Moment::kEnd,
                  "SELECT tgenabled = 'A' AND tgattr <> '' FROM pg_trigger WHERE tgname = {'g}"}},
  };
}

Case DropTrigger() {
  return {
      .operation = "drop_trigger",
      .columns = "{o} int",
      .setup = std::string(kLog) +
               "; CREATE TRIGGER {g} BEFORE INSERT OR UPDATE ON {s.t} FOR EACH ROW EXECUTE FUNCTION {s.f}()",
      .plan = R"(
- drop_trigger: {table: '{s.t}', name: '{=g}'}
- drop_function: {function: '{s.f}()'}
)",
      .old_shape = {.writes = {{"o", "{r}", Nulls::kSometimes}}},
      .checks = {{Moment::kGate, "SELECT count(*) > 0 FROM {s.log}"},
                 {Moment::kEnd, "SELECT count(*) = 0 FROM pg_trigger WHERE tgname = {'g}"}},
  };
}

Case CreateStatistics() {
  return {
      .operation = "create_statistics",
      .columns = "{o} int, {w} text",
      .plan = R"(
- create_statistics: {table: '{s.t}', name: '{=st}', kinds: [mcv, dependencies], columns: ['{=w}', '{=o}'], expressions: ['lower({w})']}
)",
      .old_shape = {.writes = {{"o", "{r}", Nulls::kSometimes}, {"w", "'W{r}'"}}},
      .checks = {{Moment::kGate, "SELECT count(*) = 1 FROM pg_statistic_ext WHERE stxname = {'st}"},
                 {Moment::kRolledBack, "SELECT count(*) = 0 FROM pg_statistic_ext"},
                 {Moment::kEnd, "SELECT count(*) = 1 FROM pg_stats_ext WHERE statistics_name = {'st}"}},
  };
}

Case DropStatistics() {
  return {
      .operation = "drop_statistics",
      .columns = "{o} int, {w} text",
      .setup = "CREATE STATISTICS {s.st} ON {o}, {w} FROM {s.t}",
      .plan = R"(
- drop_statistics: {table: '{s.t}', name: '{=st}'}
)",
      .old_shape = {.writes = {{"o", "{r}", Nulls::kSometimes}, {"w", "'W{r}'"}}},
      .checks = {{Moment::kGate, "SELECT count(*) = 1 FROM pg_statistic_ext"},
                 {Moment::kEnd, "SELECT count(*) = 0 FROM pg_statistic_ext"}},
  };
}

}  // namespace

std::vector<Case> ObjectCases() {
  return {CreateFunction(),       CreateMaterializedView(),
          CreateStatistics(),     CreateTrigger(),
          CreateView(),           DropFunction(),
          DropMaterializedView(), DropStatistics(),
          DropTrigger(),          DropView(),
          ReplaceFunction(),      ReplaceTrigger(),
          ReplaceView(),          Sql()};
}

}  // namespace curlew::testing
