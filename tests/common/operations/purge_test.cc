#include <gmock/gmock.h>

#include "tests/common/operations/plan_test.h"

namespace curlew::operations {
namespace {

using ::testing::Contains;
using ::testing::HasSubstr;

class PurgeTest : public PlanTest {};

TEST_F(PurgeTest, DeletesTheRowsThatTheConditionNamesAfterTheGate) {
  Start(
      R"(CREATE TABLE "T t" (id int PRIMARY KEY, "select" text); INSERT INTO "T t" VALUES (1, 'old'), (2, 'new'), (3, NULL);
           CREATE TABLE child (r int REFERENCES "T t" ON DELETE CASCADE); INSERT INTO child VALUES (1), (2))",
      "  - purge: {table: '\"T t\"', where: \"\\\"select\\\" = 'old'\"}\n");
  ExpectRollbacks();
  EXPECT_THAT(std::vector<std::string>(compiled_->warnings().begin(), compiled_->warnings().end()),
              Contains(HasSubstr("child")));
  RunTo(v1::PHASE_CONSTRAIN);
  EXPECT_EQ(Ask(R"(SELECT count(*) FROM "T t")"), "3");
  RunFrom(v1::PHASE_CONSTRAIN, v1::PHASE_DROP);
  ExpectDone();
  EXPECT_EQ(Ask(R"(SELECT string_agg(id::text, ' ' ORDER BY id) FROM "T t")"), "2 3");
  EXPECT_EQ(Ask("SELECT count(*) FROM child"), "1");
}

TEST_F(PurgeTest, RefusesAConditionOnWhatIsNotThere) {
  EXPECT_THAT(Refusal("CREATE TABLE t (id int)", "  - purge: {table: t, where: nope > 1}\n"),
              HasSubstr("nope"));
  EXPECT_THAT(Refusal("CREATE TABLE t (id int)", "  - purge: {table: s.t, where: id > 1}\n"),
              HasSubstr("s.t"));
}

}  // namespace
}  // namespace curlew::operations
