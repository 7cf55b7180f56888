#include "cli/sql_view.h"

#include "absl/strings/str_join.h"
#include "absl/strings/str_replace.h"
#include "cli/text.h"
#include "common/base/proto_time.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace curlew::cli {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

TEST(WrapSqlTest, LeavesShortLinesAlone) {
  EXPECT_THAT(WrapSql("SELECT 1\nFROM  t", 40), ElementsAre("SELECT 1", "FROM  t"));
}

TEST(WrapSqlTest, BreaksAtSpacesAndStandsContinuationsIn) {
  EXPECT_THAT(WrapSql("ALTER TABLE t ADD COLUMN c text", 20),
              ElementsAre("ALTER TABLE t ADD", "    COLUMN c text"));
  EXPECT_THAT(WrapSql("  SELECT a, b, c FROM t", 16), ElementsAre("  SELECT a, b, c", "      FROM t"));
}

TEST(WrapSqlTest, NeverBreaksStringsNamesOrComments) {
  EXPECT_THAT(WrapSql("SELECT 'a b c d e f g h i j'", 12),
              ElementsAre("SELECT", "    'a b c d e f g h i j'"));
  EXPECT_THAT(WrapSql("SELECT \"a b c d e f g\" FROM t", 12),
              ElementsAre("SELECT", "    \"a b c d e f g\"", "    FROM t"));
  EXPECT_THAT(WrapSql("SELECT 1 -- a b c d e f g h i", 12),
              ElementsAre("SELECT 1", "    -- a b c d e f g h i"));
  EXPECT_THAT(WrapSql("SELECT 'it''s a b c d' || x", 12),
              ElementsAre("SELECT", "    'it''s a b c d'", "    || x"));
  EXPECT_THAT(WrapSql("/* a b c d e f g */ SELECT 1", 12),
              ElementsAre("/* a b c d e f g */", "    SELECT 1"));
}

TEST(WrapSqlTest, ACommentThatIsAWholeLineGoesOnAsOne) {
  EXPECT_THAT(WrapSql("  -- one two three\nSELECT 1", 14),
              ElementsAre("  -- one two", "  -- three", "SELECT 1"));
  EXPECT_THAT(WrapSql("SELECT '\n-- one two three'", 8), ElementsAre("SELECT '", "-- one two three'"))
      << "that is a string";
}

TEST(WrapSqlTest, AStringGoesOnOverALineEnd) {
  EXPECT_THAT(WrapSql("SELECT 'one\ntwo three four five six', 1", 12),
              ElementsAre("SELECT 'one", "two three four five six',", "    1"));
}

TEST(WrapSqlTest, LosesNothingButSpaces) {
  const std::string sql =
      "CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN IF NEW.a IS DISTINCT FROM OLD.a THEN "
      "NEW.b := regexp_replace(NEW.a, '[^0-9 ]', '', 'g'); END IF; RETURN NEW; END $$";
  for (int width : {10, 20, 40, 80}) {
    const std::string wrapped = absl::StrJoin(WrapSql(sql, width), " ");
    EXPECT_EQ(absl::StrReplaceAll(wrapped, {{" ", ""}}), absl::StrReplaceAll(sql, {{" ", ""}})) << width;
  }
}

TEST(ActionSqlTest, ShowsEveryStatementOfTransactionalSteps) {
  v1::Action action;
  action.mutable_execute_sql()->add_statements("ALTER TABLE t ADD COLUMN a text");
  action.mutable_execute_sql()->add_statements("COMMENT ON COLUMN t.a IS 'x';");
  EXPECT_THAT(ActionSql(action),
              ElementsAre("ALTER TABLE t ADD COLUMN a text;", "COMMENT ON COLUMN t.a IS 'x';"));
}

TEST(ActionSqlTest, WritesBackfillsAsTheAgentRunsThem) {
  v1::Action action;
  v1::Backfill& backfill = *action.mutable_backfill();
  backfill.set_table("public.contacts");
  backfill.set_pending("t.phone_number IS NULL");
  auto& assignment = *backfill.add_assignments();
  assignment.set_column("phone_number");
  assignment.set_expression("f(t.phone)");
  *backfill.mutable_batch_target() = base::ToProto(absl::Milliseconds(50));
  EXPECT_THAT(ActionSql(action), ElementsAre("UPDATE public.contacts AS t\n"
                                             "SET phone_number = f(t.phone)\n"
                                             "WHERE t.ctid >= <first block> AND t.ctid < <end block>\n"
                                             "  AND (t.phone_number IS NULL);\n"
                                             "-- batch by batch, each about 50ms"));
}

TEST(ActionSqlTest, QuotesConstraintNames) {
  v1::Action action;
  action.mutable_validate_constraint()->set_table("public.t");
  action.mutable_validate_constraint()->set_constraint("Weird\"Name");
  EXPECT_THAT(ActionSql(action), ElementsAre("ALTER TABLE public.t VALIDATE CONSTRAINT \"Weird\"\"Name\";"));
}

TEST(ActionSqlTest, SaysWhatAWaitWaitsFor) {
  v1::Action action;
  v1::ShapeUnused& unused = *action.mutable_wait()->mutable_shape_unused();
  unused.set_shape("old");
  auto& use = *unused.add_uses();
  use.set_table("public.contacts");
  use.set_column("phone");
  EXPECT_THAT(ActionSql(action),
              ElementsAre("-- waits until no session was seen using the old shape for 10s:\n"
                          "-- public.contacts.phone"));
}

TEST(ActionSqlTest, NamesTheCountersAndTablesAsAWhole) {
  v1::Action action;
  v1::ShapeUnused& unused = *action.mutable_wait()->mutable_shape_unused();
  unused.set_shape("old");
  unused.add_uses()->set_table("public.gone");
  unused.add_counters("curlew.old_writes_1");
  EXPECT_THAT(
      ActionSql(action),
      ElementsAre("-- waits until no session was seen using the old shape for 10s:\n-- public.gone",
                  "-- and none of these has moved, which writes of it advance:\n-- curlew.old_writes_1"));
}

TEST(ActionSqlTest, ShowsWhatRunsForEachPartition) {
  v1::Action action;
  v1::EachPartition& each = *action.mutable_execute_sql()->mutable_each_partition();
  each.set_table("public.p");
  v1::PartitionStatement& statement = *each.add_statements();
  statement.set_before("ALTER TABLE ");
  statement.set_after(" ADD CONSTRAINT k CHECK (true)");
  EXPECT_THAT(ActionSql(action), ElementsAre("-- for each partition of public.p:\n"
                                             "ALTER TABLE <partition> ADD CONSTRAINT k CHECK (true);"));
  action.mutable_validate_constraint()->set_table("public.p");
  action.mutable_validate_constraint()->set_constraint("k");
  action.mutable_validate_constraint()->set_each_partition(true);
  EXPECT_THAT(ActionSql(action), ElementsAre("-- for each partition of public.p:\n"
                                             "ALTER TABLE <partition> VALIDATE CONSTRAINT k;"));
}

TEST(ActionSqlTest, ShowsPartitionedIndexesReindexesAndDeletes) {
  v1::Action action;
  v1::ExecuteSqlConcurrently& index = *action.mutable_execute_sql_concurrently();
  index.set_effect(v1::ExecuteSqlConcurrently::EFFECT_CREATES);
  index.set_index("public.i");
  index.set_table("public.p");
  index.mutable_partitioned()->set_definition("USING btree (a)");
  EXPECT_THAT(
      ActionSql(action),
      ElementsAre("CREATE INDEX i ON ONLY public.p USING btree (a);",
                  "-- for each partition of public.p:\n"
                  "CREATE INDEX CONCURRENTLY <index> ON <partition> USING btree (a);",
                  "-- for each partition of public.p:\nALTER INDEX public.i ATTACH PARTITION <index>;"));
  index.clear_partitioned();
  index.set_effect(v1::ExecuteSqlConcurrently::EFFECT_REINDEXES);
  EXPECT_THAT(ActionSql(action), ElementsAre("REINDEX INDEX CONCURRENTLY public.i;"));
  action.mutable_backfill()->set_table("public.p");
  action.mutable_backfill()->set_pending("t.a < 0");
  action.mutable_backfill()->set_deletes(true);
  EXPECT_THAT(ActionSql(action), ElementsAre("DELETE FROM public.p AS t\n"
                                             "WHERE t.ctid >= <first block> AND t.ctid < <end block>\n"
                                             "  AND (t.a < 0);\n-- batch by batch"));
}

TEST(ActionSqlTest, AnActionOfANewerKindIsEmpty) { EXPECT_THAT(ActionSql(v1::Action()), IsEmpty()); }

}  // namespace
}  // namespace curlew::cli
