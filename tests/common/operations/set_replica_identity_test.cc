#include <gmock/gmock.h>

#include "tests/support/operation_harness.h"

namespace curlew::operations {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;

class SetReplicaIdentityTest : public ::curlew::testing::OperationTest {
 protected:
  static std::string Set(const std::string& rest) {
    return "  - set_replica_identity: {table: '\"Peo ple\"', " + rest + "}\n";
  }
};

TEST_F(SetReplicaIdentityTest, TakesAnIndexThatTellsRowsApart) {
  setup_ = R"sql(
    CREATE UNIQUE INDEX "by ph" ON "Peo ple" ("Ph one") INCLUDE (note);
    ALTER TABLE "Peo ple" REPLICA IDENTITY FULL;)sql";
  ExpectLife(Set("identity: index, index: by ph"), "REPLICA IDENTITY USING INDEX \"by ph\"");
  EXPECT_THAT(Unpromised(), IsEmpty());
}

TEST_F(SetReplicaIdentityTest, GoesBackToTheIndexOfBefore) {
  setup_ = R"sql(
    CREATE UNIQUE INDEX by_ph ON "Peo ple" ("Ph one");
    ALTER TABLE "Peo ple" REPLICA IDENTITY USING INDEX by_ph;)sql";
  ExpectLife(Set("identity: nothing"), "REPLICA IDENTITY NOTHING");
  EXPECT_THAT(Unpromised(), IsEmpty());
}

TEST_F(SetReplicaIdentityTest, StandsOnAnIndexThatThePlanBuilds) {
  ExpectLife("  - create_index: {table: '\"Peo ple\"', name: ix, columns: [id, tenant], unique: true}\n" +
                 Set("identity: index, index: ix"),
             "REPLICA IDENTITY USING INDEX ix");
}

TEST_F(SetReplicaIdentityTest, RefusesIndexesThatCannotTellRowsApart) {
  setup_ = R"sql(
    CREATE UNIQUE INDEX by_age ON "Peo ple" (id, age);
    CREATE UNIQUE INDEX by_part ON "Peo ple" (id) WHERE tenant > 0;
    CREATE UNIQUE INDEX by_expression ON "Peo ple" (id, (tenant + 1));
    ALTER TABLE "Peo ple" ADD CONSTRAINT later UNIQUE (id, tenant) DEFERRABLE;)sql";
  EXPECT_THAT(Refusal(Set("identity: index, index: people_tenant")), HasSubstr("is not unique"));
  EXPECT_THAT(Refusal(Set("identity: index, index: by_age")),
              HasSubstr("has the column age, which may be NULL"));
  EXPECT_THAT(Refusal(Set("identity: index, index: by_part")), HasSubstr("has a predicate"));
  EXPECT_THAT(Refusal(Set("identity: index, index: by_expression")), HasSubstr("has an expression"));
  EXPECT_THAT(Refusal(Set("identity: index, index: later")), HasSubstr("deferrable"));
  EXPECT_THAT(Refusal(Set("identity: index, index: nowhere")), HasSubstr("does not exist at this point"));
  EXPECT_THAT(Refusal(Set("identity: index")), HasSubstr("index: is required"));
  EXPECT_THAT(Refusal(Set("identity: full, index: later")), HasSubstr("leave it out"));
}

TEST_F(SetReplicaIdentityTest, RefusesToStopTheWritersOfAPublishedTable) {
  setup_ =
      R"sql(CREATE PUBLICATION pub FOR TABLE "Peo ple"; CREATE TABLE bare (a int); ALTER TABLE bare REPLICA IDENTITY FULL;
                 CREATE PUBLICATION bare_pub FOR TABLE bare;)sql";
  EXPECT_THAT(Refusal(Set("identity: nothing")), HasSubstr("published by pub"));
  EXPECT_THAT(Refusal("  - set_replica_identity: {table: bare, identity: default}\n"),
              HasSubstr("no primary key"));
  EXPECT_EQ(Refusal(Set("identity: full")), "");
  EXPECT_EQ(Refusal(Set("identity: nothing") + "settings: {acknowledge: [breaks-applications]}\n"), "");
}

TEST_F(SetReplicaIdentityTest, RefusesPartitionedTables) {
  setup_ = "CREATE TABLE parts (id int) PARTITION BY LIST (id);";
  EXPECT_THAT(Refusal("  - set_replica_identity: {table: parts, identity: full}\n"),
              HasSubstr("is partitioned"));
}

}  // namespace
}  // namespace curlew::operations
