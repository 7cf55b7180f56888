// A column of another type under its own name.
#include <gmock/gmock.h>

#include "tests/common/operations/plan_test.h"

namespace curlew::operations {
namespace {

using ::curlew::testing::IsOk;
using ::curlew::testing::StatusIs;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;

class ChangeTypeTest : public PlanTest {
 protected:
  // The first preflight that does not hold.
  absl::Status Preflight() {
    for (const v1::Step& step : compiled_->steps()) {
      if (!step.preflight() || step.phase() == v1::PHASE_DROP) continue;
      if (absl::Status s = testing::RunAction(connection_.get(), step.action()); !s.ok()) return s;
    }
    return absl::OkStatus();
  }
};

TEST_F(ChangeTypeTest, APrimaryKeyBecomesBigintWithItsSequenceAndEverythingOnIt) {
  Start(R"(CREATE SCHEMA "Odd ""S";
    CREATE TABLE "Odd ""S".p ("Id" int PRIMARY KEY); INSERT INTO "Odd ""S".p SELECT generate_series(1, 50);
    CREATE TABLE "Odd ""S"."T able" ("I d" serial CONSTRAINT "the key" PRIMARY KEY, "select" int NOT NULL,
      CONSTRAINT "Positive!" CHECK ("I d" > 0), CONSTRAINT far FOREIGN KEY ("I d") REFERENCES "Odd ""S".p);
    CREATE INDEX "In Dex" ON "Odd ""S"."T able" ("select", "I d" DESC) INCLUDE ("I d") WHERE "I d" <> 7;
    CREATE UNIQUE INDEX uni ON "Odd ""S"."T able" (("I d" + 1));
    CREATE STATISTICS "Odd ""S".stat ON "I d", "select" FROM "Odd ""S"."T able";
    COMMENT ON COLUMN "Odd ""S"."T able"."I d" IS 'it''s the \ key';
    ALTER TABLE "Odd ""S"."T able" ALTER "I d" SET STATISTICS 500;
    GRANT SELECT ("I d") ON "Odd ""S"."T able" TO PUBLIC;
    INSERT INTO "Odd ""S"."T able" ("select") SELECT g FROM generate_series(1, 40) AS g)",
        R"(  - change_type: {table: '"Odd ""S"."T able"', column: I d, type: bigint})"
        "\n");
  ExpectRollbacks();
  RunTo(v1::PHASE_DUAL_WRITE);
  Run(R"(INSERT INTO "Odd ""S"."T able" ("select") VALUES (41))");
  Run(R"(UPDATE "Odd ""S"."T able" SET "I d" = 50 WHERE "I d" = 40)");
  RunFrom(v1::PHASE_DUAL_WRITE, v1::PHASE_DROP);
  ExpectDone();
  EXPECT_EQ(Ask(R"(SELECT count(*) || ' ' || sum("I d") FROM "Odd ""S"."T able")"), "41 871");
  Run(R"(INSERT INTO "Odd ""S"."T able" ("select") VALUES (42))");
  EXPECT_EQ(Ask(R"(SELECT max("I d") FILTER (WHERE "select" = 42) FROM "Odd ""S"."T able")"), "42");
  // Or the numbers would end with those of an integer.
  EXPECT_EQ(Ask("SELECT max_value > 3000000000 FROM pg_sequences"), "t");
  EXPECT_THAT(PgDump(conninfo_), HasSubstr(R"(ADD CONSTRAINT "the key" PRIMARY KEY ("I d"))"));
}

TEST_F(ChangeTypeTest, AnIdentityColumnKeepsNumbersSettingsAndName) {
  for (const char* kind : {"ALWAYS", "BY DEFAULT"}) {
    Start(absl::StrCat("CREATE TABLE t (id int GENERATED ", kind,
                       " AS IDENTITY (START WITH 100 INCREMENT BY 10 CACHE 3) PRIMARY KEY, v int);"
                       "GRANT USAGE ON SEQUENCE t_id_seq TO PUBLIC; INSERT INTO t (v) VALUES (1), (2)"),
          "  - change_type: {table: t, column: id, type: bigint}\n");
    ExpectRollbacks();
    RunTo(v1::PHASE_DUAL_WRITE);
    Run("INSERT INTO t (v) VALUES (3)");
    RunFrom(v1::PHASE_DUAL_WRITE, v1::PHASE_DROP);
    ExpectDone();
    EXPECT_EQ(Ask("SELECT string_agg(id::text, ' ' ORDER BY id) FROM t"),
              "100 110 130");  // two sessions, each with three numbers in hand
    Run("INSERT INTO t (v) VALUES (4)");
    EXPECT_EQ(Ask("SELECT id >= 140 AND id % 10 = 0 FROM t WHERE v = 4"), "t");
    EXPECT_EQ(Ask("SELECT pg_get_serial_sequence('t', 'id')"), "public.t_id_seq");
    EXPECT_EQ(Ask("SELECT data_type || ' ' || start_value || ' ' || min_value || ' ' || max_value || ' ' || "
                  "increment_by || ' ' || cache_size || ' ' || cycle FROM pg_sequences"),
              "bigint 100 1 9223372036854775807 10 3 false");
    EXPECT_THAT(PgDump(conninfo_), HasSubstr("GRANT USAGE ON SEQUENCE public.t_id_seq TO PUBLIC"));
  }
}

TEST_F(ChangeTypeTest, TextBecomesANumberByExpressions) {
  Start(
      "CREATE TABLE t (id int PRIMARY KEY, v text DEFAULT '7', other int); CREATE INDEX i ON t (v);"
      "INSERT INTO t VALUES (1, '5'), (2, ' 6 '), (3, NULL)",
      "  - change_type: {table: t, column: v, type: integer, up: 'CAST(btrim(v) AS integer)', down: "
      "v::text}\n");
  ExpectRollbacks();
  RunTo(v1::PHASE_DUAL_WRITE);
  Run("INSERT INTO t (id, v) VALUES (4, '8')");
  Run("INSERT INTO t (id) VALUES (5)");
  Run("UPDATE t SET v = NULL WHERE id = 1");
  RunFrom(v1::PHASE_DUAL_WRITE, v1::PHASE_CONSTRAIN);
  // Applications see the old type until the end.
  EXPECT_EQ(Ask("SELECT string_agg(coalesce(v, '-'), ',' ORDER BY id) FROM t"), "-, 6 ,-,8,7");
  RunFrom(v1::PHASE_CONSTRAIN, v1::PHASE_DROP);
  ExpectDone();
  EXPECT_EQ(Ask("SELECT sum(v) || ' ' || count(v) FROM t"), "21 3");
  Run("INSERT INTO t (id) VALUES (6)");
  EXPECT_EQ(Ask("SELECT v FROM t WHERE id = 6"), "7");
}

TEST_F(ChangeTypeTest, AWideColumnIsAMatterOfTheCatalogueAlone) {
  Start(
      "CREATE TABLE p (k varchar(10) PRIMARY KEY); CREATE TABLE t (id int, v varchar(10) REFERENCES p); "
      "CREATE INDEX i ON t (v); INSERT INTO p VALUES ('a'); INSERT INTO t VALUES (1, 'a')",
      "  - change_type: {table: t, column: v, type: varchar(20)}\n"
      "  - change_type: {table: p, column: k, type: text}\n");
  ASSERT_THAT(compiled_, IsOk());
  EXPECT_THAT(Titles(), ElementsAre(HasSubstr("only the catalogue changes"), HasSubstr("statistics of t"),
                                    HasSubstr("only the catalogue changes"), HasSubstr("statistics of p")));
  const std::string files =
      "SELECT string_agg(relfilenode::text, ' ' ORDER BY relname) FROM pg_class WHERE "
      "relname IN ('t', 'p', 'i', 'p_pkey')";
  const std::string before = Ask(files);
  ExpectLife();
  EXPECT_EQ(Ask(files), before);
}

// PostgreSQL would check the CHECK, or build the index, again under the lock.
TEST_F(ChangeTypeTest, ACheckOrAnExpressionIndexNeedsTheLongWay) {
  for (const char* extra : {", CHECK (v <> '')", "); CREATE INDEX i ON t (lower(v)"}) {
    Start(absl::StrCat("CREATE TABLE t (id int PRIMARY KEY, v varchar(10)", extra,
                       "); INSERT INTO t VALUES (1, 'a')"),
          "  - change_type: {table: t, column: v, type: varchar(20)}\n");
    ASSERT_THAT(compiled_, IsOk());
    EXPECT_THAT(Titles(), ::testing::Contains(HasSubstr("in step by triggers")));
    ExpectLife();
  }
}

TEST_F(ChangeTypeTest, TheTypeThatItHasIsLeftAlone) {
  Start("CREATE TABLE t (id int, v varchar(10))",
        "  - change_type: {table: t, column: v, type: 'character varying (10)'}\n");
  ASSERT_THAT(compiled_, IsOk());
  EXPECT_TRUE(compiled_->steps().empty());
}

TEST_F(ChangeTypeTest, ManyTypesGoThere) {
  struct Case {
    const char* from;
    const char* value;
    const char* to;
    const char* result;
  };
  for (const Case& c : std::vector<Case>{
           {"int", "7", "numeric(6,2)", "7.00"},
           {"bigint", "7", "int", "7"},
           {"text", "'7'", "int", "7"},
           {"int", "7", "text", "7"},
           {"text", "'abc'", "varchar(3)", "abc"},
           {"text", "'{\"a\": 1}'", "jsonb", "{\"a\": 1}"},
           {"json", "'{\"a\":1}'", "jsonb", "{\"a\": 1}"},
           {"jsonb", "'{\"a\":1}'", "json", "{\"a\": 1}"},
           {"text", "'6a2f41a3-c54c-fce8-32d2-0324e1c32e22'", "uuid", "6a2f41a3-c54c-fce8-32d2-0324e1c32e22"},
           {"text", "'happy'", "mood", "happy"},
           {"mood", "'happy'", "text", "happy"},
           {"int[]", "'{1,2}'", "bigint[]", "{1,2}"},
           {"date", "'2024-02-29'", "timestamp", "2024-02-29 00:00:00"},
           {"char(5)", "'ab'", "text", "ab"},
           {"varchar(8)", "'ab'", "citext", "ab"},
           {"bit(4)", "B'1010'", "bit varying(8)", "1010"},
           {"float8", "1.5", "numeric", "1.5"}}) {
    for (const char* null : {"", " NOT NULL"}) {
      SCOPED_TRACE(absl::StrCat(c.from, " to ", c.to, null));
      Start(absl::StrCat(
                "CREATE EXTENSION citext; CREATE TYPE mood AS ENUM ('happy', 'sad'); CREATE TABLE t (id int "
                "PRIMARY KEY, v ",
                c.from, null, "); INSERT INTO t VALUES (1, ", c.value, ")",
                *null ? "" : "; INSERT INTO t VALUES (2, NULL)"),
            absl::StrCat("  - change_type: {table: t, column: v, type: '", c.to, "'}\n"));
      ASSERT_THAT(compiled_, IsOk());
      RunTo(v1::PHASE_DUAL_WRITE);
      Run(absl::StrCat("INSERT INTO t VALUES (3, ", c.value, "); UPDATE t SET id = 4 WHERE id = 3"));
      RunFrom(v1::PHASE_DUAL_WRITE, v1::PHASE_DROP);
      ExpectDone();
      EXPECT_EQ(Ask("SELECT v::text FROM t WHERE id = 1"), c.result);
      EXPECT_EQ(Ask("SELECT v::text FROM t WHERE id = 4"), c.result);
    }
  }
}

TEST_F(ChangeTypeTest, LooksAtEveryRowBeforeAnythingChanges) {
  const struct {
    const char* operation;
    const char* found;
  } cases[] = {
      {"type: integer", "invalid input syntax"},
      {"type: varchar(3)", "t (id)=(2)"},
      {"type: varchar(9), up: \"nullif(v, 'abc')\"", "t (id)=(1)"},
      {"type: integer, up: length(v), down: v", "OK"},
  };
  for (const auto& c : cases) {
    Start(
        "CREATE TABLE t (id int PRIMARY KEY, v text NOT NULL); INSERT INTO t VALUES (1, 'abc'), (2, 'abcd')",
        absl::StrCat("  - change_type: {table: t, column: v, ", c.operation, "}\n"));
    ASSERT_THAT(compiled_, IsOk()) << c.operation;
    const absl::Status status = Preflight();
    if (absl::string_view(c.found) == "OK") {
      EXPECT_THAT(status, IsOk());
    } else {
      EXPECT_THAT(std::string(status.message()), HasSubstr(c.found)) << c.operation;
    }
  }
}

TEST_F(ChangeTypeTest, LooksWhetherThereIsAWayBackBeforeAnythingChanges) {
  Start("CREATE TABLE t (id int PRIMARY KEY, v int)",
        "  - change_type: {table: t, column: v, type: uuid, up: 'md5(v::text)::uuid'}\n");
  ASSERT_THAT(compiled_, IsOk());
  EXPECT_THAT(std::string(Preflight().message()), HasSubstr("cannot cast type uuid to integer"));
}

TEST_F(ChangeTypeTest, RefusesByNameWhatItCannotCarry) {
  const struct {
    const char* setup;
    const char* operation;
    const char* named;
  } cases[] = {
      {"CREATE TABLE t (v int PRIMARY KEY); CREATE TABLE c (r int CONSTRAINT child_key REFERENCES t)",
       "type: bigint", "child_key"},
      {"CREATE TABLE t (v int); CREATE VIEW the_view AS SELECT v FROM t", "type: bigint", "the_view"},
      {"CREATE TABLE t (v varchar(3)); CREATE VIEW the_view AS SELECT v FROM t", "type: varchar(9)",
       "the_view"},
      {"CREATE TABLE t (v int, p int) PARTITION BY LIST (v)", "type: bigint", "partitioned by it"},
      {"CREATE TABLE t (v text CONSTRAINT the_check CHECK (v <> ''))", "type: int", "the_check"},
      {"CREATE TABLE t (v text); CREATE INDEX the_index ON t (lower(v))", "type: int", "the_index"},
      {"CREATE TABLE t (v text); CREATE INDEX the_index ON t (v text_pattern_ops)", "type: int", "the_index"},
      {"CREATE TABLE t (v int[]); CREATE INDEX the_index ON t USING gin (v)", "type: text", "the_index"},
      {"CREATE TABLE t (v text UNIQUE)", "type: json", "t_v_key"},
      {"CREATE TABLE t (v int GENERATED ALWAYS AS IDENTITY)", "type: text", "identity"},
      {"CREATE TABLE t (a int, v int GENERATED ALWAYS AS (a + 1) STORED)", "type: bigint", "generated"},
      {"CREATE TABLE t (v int, o int)", "type: bigint, up: v + o", "up names column o"},
      {"CREATE TABLE t (v int); CREATE PUBLICATION pub FOR TABLE t", "type: bigint", "published-table"},
      {"CREATE TABLE t (v int)", "type: serial", "not a type"},
  };
  for (const auto& c : cases) {
    EXPECT_THAT(Refusal(c.setup, absl::StrCat("  - change_type: {table: t, column: v, ", c.operation, "}\n")),
                HasSubstr(c.named))
        << c.setup;
  }
}

TEST_F(ChangeTypeTest, WhatALaterOperationSaysOfTheColumnIsALaterStage) {
  Start(
      "CREATE TABLE t (id int PRIMARY KEY, v text, o int); CREATE INDEX i ON t (v, o); INSERT INTO t VALUES "
      "(1, '5', 2)",
      "  - change_type: {table: t, column: v, type: int}\n"
      "  - add_check: {table: t, name: c, expression: v > 0}\n"
      "  - rename_column: {table: t, from: o, to: p}\n");
  ASSERT_THAT(compiled_, IsOk());
  EXPECT_EQ(compiled_->steps(compiled_->steps_size() - 1).stage(), 1);
  RunTo(v1::PHASE_DROP);
  ExpectDone();
  // The other way round the index has been carried by the rename.
  Start(
      "CREATE TABLE t (id int PRIMARY KEY, v text, o int); CREATE INDEX i ON t (v, o); INSERT INTO t VALUES "
      "(1, '5', 2)",
      "  - rename_column: {table: t, from: o, to: p}\n"
      "  - change_type: {table: t, column: v, type: int}\n");
  ASSERT_THAT(compiled_, IsOk());
  EXPECT_EQ(compiled_->steps(compiled_->steps_size() - 1).stage(), 1);
  RunTo(v1::PHASE_DROP);
  ExpectDone();
  EXPECT_EQ(Ask("SELECT pg_get_indexdef('i'::regclass)"), "CREATE INDEX i ON public.t USING btree (v, p)");
}

// A session keeps the types of NEW's fields; each further row would fail in it.
TEST_F(ChangeTypeTest, SessionsThatHaveRunATriggerFunctionGoOn) {
  for (const char* type : {"numeric(20,0)", "text"}) {
    Start(
        "CREATE TABLE t (id int PRIMARY KEY, v varchar(9), n bigint); CREATE TABLE log (v text, n text);"
        "CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN INSERT INTO log VALUES (NEW.v, "
        "NEW.n); "
        "RETURN NEW; END $$; CREATE TRIGGER note BEFORE INSERT ON t FOR EACH ROW EXECUTE FUNCTION note()",
        absl::StrCat("  - change_type: {table: t, column: ", *type == 'n' ? "n" : "v", ", type: '", type,
                     "'}\n"));
    auto application = Connect(conninfo_);
    ASSERT_THAT(application->Execute("INSERT INTO t VALUES (1, 'a', 1)"), IsOk());
    ExpectLife();
    EXPECT_THAT(application->Execute("INSERT INTO t VALUES (2, 'b', 2)"), IsOk()) << type;
    EXPECT_EQ(Ask("SELECT count(*) FROM log"), "2");
  }
}

// Nobody can tell by writes who knows which type: the gate neither asks for it nor counts.
TEST_F(ChangeTypeTest, TheGateDoesNotWaitForTheColumn) {
  Start("CREATE TABLE t (id int PRIMARY KEY, v int)",
        "  - change_type: {table: t, column: v, type: bigint}\n");
  ASSERT_THAT(compiled_, IsOk());
  for (const v1::Step& step : compiled_->steps()) EXPECT_FALSE(step.action().has_wait());
  EXPECT_THAT(compiled_->DebugString(), Not(HasSubstr("old_writes")));
}

}  // namespace
}  // namespace curlew::operations
