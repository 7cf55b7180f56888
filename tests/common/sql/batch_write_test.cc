#include "common/sql/batch_write.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/support/status_matchers.h"

namespace curlew::sql {
namespace {

using ::curlew::testing::StatusIs;
using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

BatchWrite Parse(absl::string_view text) {
  const auto write = ParseBatchWrite(text);
  EXPECT_OK(write) << text;
  return write.ok() ? *write : BatchWrite();
}

absl::Status Refused(absl::string_view text) { return ParseBatchWrite(text).status(); }

std::vector<std::string> Reads(absl::string_view text) {
  std::vector<std::string> names;
  for (const TableName& table : Parse(text).reads) names.push_back(table.Quoted());
  return names;
}

TEST(BatchWriteTest, TakesSemicolonAndCommentsFromAroundTheStatement) {
  EXPECT_EQ(Parse(" /* why */ DELETE FROM a USING batch -- in\n WHERE a.id = batch.id ; -- end\n").text,
            "DELETE FROM a USING batch -- in\n WHERE a.id = batch.id");
}

TEST(BatchWriteTest, KnowsWhatAnInsertWrites) {
  const BatchWrite write = Parse(
      "INSERT INTO crm.\"Ad dress\" (contact, \"Line\") SELECT id, address FROM \"batch\" ON CONFLICT "
      "(contact) "
      "DO UPDATE SET \"Line\" = excluded.\"Line\"");
  EXPECT_EQ(write.target.Quoted(), "crm.\"Ad dress\"");
  EXPECT_THAT(write.inserts_columns, ElementsAre("Line", "contact"));
  EXPECT_THAT(write.updates_columns, ElementsAre("Line"));
  EXPECT_TRUE(write.inserts);
  EXPECT_TRUE(write.updates);
  EXPECT_FALSE(write.deletes);
  EXPECT_THAT(write.reads, IsEmpty());
  EXPECT_THAT(write.words, Contains("Line"));
  EXPECT_THAT(write.words, Not(Contains("line")));
}

TEST(BatchWriteTest, KnowsWhatTheOthersWrite) {
  BatchWrite write =
      Parse("UPDATE a SET x = batch.x, (y, z) = (SELECT 1, 2) FROM batch WHERE a.id = batch.id");
  EXPECT_EQ(write.target.Quoted(), "public.a");
  EXPECT_THAT(write.updates_columns, ElementsAre("x", "y", "z"));
  EXPECT_FALSE(write.inserts || write.deletes);
  write = Parse("DELETE FROM a WHERE id IN (SELECT a_id FROM batch)");
  EXPECT_TRUE(write.deletes);
  EXPECT_FALSE(write.inserts || write.updates);
  write = Parse(
      "MERGE INTO a USING batch ON a.id = batch.id WHEN MATCHED AND batch.gone THEN DELETE WHEN MATCHED THEN "
      "UPDATE SET x = 1 WHEN NOT MATCHED THEN INSERT (id, x) VALUES (batch.id, 2)");
  EXPECT_TRUE(write.inserts && write.updates && write.deletes);
  EXPECT_THAT(write.inserts_columns, ElementsAre("id", "x"));
  EXPECT_THAT(write.updates_columns, ElementsAre("x"));
}

TEST(BatchWriteTest, FindsTheTablesThatAreRead) {
  EXPECT_THAT(
      Reads("INSERT INTO a SELECT b.x FROM batch JOIN crm.b USING (id) WHERE EXISTS (SELECT FROM pg_class)"),
      ElementsAre("crm.b", "pg_catalog.pg_class"));
  EXPECT_THAT(Reads("INSERT INTO a SELECT 1 FROM batch LEFT JOIN a USING (id)"), ElementsAre("public.a"));
  EXPECT_THAT(Reads("INSERT INTO a WITH w AS (SELECT 1 FROM batch, c) SELECT 1 FROM w"),
              ElementsAre("public.c"));
}

TEST(BatchWriteTest, SeesWhereRowsAreTakenAsAWhole) {
  for (const char* whole : {"INSERT INTO a SELECT * FROM batch", "INSERT INTO a SELECT b.* FROM batch AS b",
                            "INSERT INTO a TABLE batch", "INSERT INTO a SELECT to_jsonb(batch) FROM batch",
                            "INSERT INTO a SELECT x FROM batch NATURAL JOIN c"}) {
    EXPECT_TRUE(Parse(whole).whole_rows) << whole;
  }
  EXPECT_FALSE(Parse("INSERT INTO a SELECT count(*), batch.id FROM batch GROUP BY batch.id").whole_rows);
}

TEST(BatchWriteTest, RefusesAllButOneWrite) {
  EXPECT_THAT(Refused("SELECT 1 FROM batch"),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("one INSERT, UPDATE, DELETE or MERGE")));
  EXPECT_THAT(Refused("TRUNCATE batch").message(), HasSubstr("another kind of statement"));
  EXPECT_THAT(Refused("CREATE TABLE a AS TABLE batch").message(), HasSubstr("another kind of statement"));
  EXPECT_THAT(Refused("INSERT INTO a TABLE batch; INSERT INTO b TABLE batch").message(),
              HasSubstr("2 statements"));
  EXPECT_THAT(Refused("-- nothing").message(), HasSubstr("no statement"));
  EXPECT_THAT(Refused("INSERT INTO a SELEC 1").message(), HasSubstr("line 1"));
}

TEST(BatchWriteTest, RefusesAStatementThatDoesNotReadBatch) {
  for (const char* text :
       {"INSERT INTO a VALUES (1)", "DELETE FROM a", "INSERT INTO a SELECT 1 FROM public.batch",
        "INSERT INTO a SELECT 1 FROM \"Batch\"", "INSERT INTO a SELECT 1 FROM c AS batch",
        "INSERT INTO a SELECT 'batch'", "INSERT INTO a WITH batch AS (SELECT 1) SELECT 1 FROM batch",
        "INSERT INTO a WITH RECURSIVE batch AS (SELECT 1 UNION SELECT 1 FROM batch) SELECT 1 FROM batch"}) {
    EXPECT_THAT(Refused(text),
                StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("does not read `batch`")))
        << text;
  }
  // The one that WITH hides is read by the other.
  EXPECT_OK(Refused("INSERT INTO a WITH batch AS (SELECT * FROM batch) SELECT 1 FROM batch"));
}

TEST(BatchWriteTest, RefusesWhatCannotStandInABatch) {
  EXPECT_THAT(Refused("WITH w AS (SELECT 1) INSERT INTO a SELECT 1 FROM w, batch").message(),
              HasSubstr("write it as a subquery"));
  EXPECT_THAT(Refused("WITH d AS (DELETE FROM batch RETURNING *) INSERT INTO a TABLE d").message(),
              HasSubstr("a WITH stands before"));
  EXPECT_THAT(Refused("INSERT INTO a WITH d AS (DELETE FROM b RETURNING *) SELECT 1 FROM d, batch").message(),
              HasSubstr("a WITH none"));
  EXPECT_THAT(Refused("INSERT INTO batch SELECT 1 FROM batch").message(), HasSubstr("it cannot be written"));
  EXPECT_THAT(Refused("INSERT INTO a SELECT 1 FROM batch RETURNING id").message(), HasSubstr("RETURNING"));
  EXPECT_THAT(Refused("DELETE FROM a USING batch RETURNING a.id").message(), HasSubstr("RETURNING"));
  EXPECT_THAT(Refused("INSERT INTO a SELECT $1 FROM batch").message(), HasSubstr("parameter"));
  EXPECT_THAT(Refused("INSERT INTO a SELECT 1 FROM batch, b FOR UPDATE OF b SKIP LOCKED").message(),
              HasSubstr("FOR UPDATE"));
}

}  // namespace
}  // namespace curlew::sql
