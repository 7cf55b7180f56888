#include "agent/executor/reindex.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/agent/executor/executor_test.h"

namespace curlew::agent {
namespace {

using ::testing::HasSubstr;

constexpr char kSetup[] = R"sql(
CREATE SCHEMA "S""x";
CREATE TABLE "S""x"."Weird""Name" (id int PRIMARY KEY, "a b" text, during int4range);
INSERT INTO "S""x"."Weird""Name" SELECT g, 'n' || g, int4range(g, g + 1) FROM generate_series(1, 1000) g;
CREATE INDEX "Select %s" ON "S""x"."Weird""Name" ("a b");
CREATE UNIQUE INDEX "Ünique""" ON "S""x"."Weird""Name" ("a b", id);
CREATE TABLE parted (id int NOT NULL, a int) PARTITION BY RANGE (id);
CREATE TABLE low PARTITION OF parted FOR VALUES FROM (0) TO (1000);
CREATE TABLE mid PARTITION OF parted FOR VALUES FROM (1000) TO (2000) PARTITION BY RANGE (id);
CREATE TABLE "mid'a" PARTITION OF mid FOR VALUES FROM (1000) TO (2000);
CREATE INDEX parted_a ON parted (a);
CREATE INDEX low_own ON low (id, a);
)sql";

class ReindexTest : public ExecutorTest {
 protected:
  void SetUp() override { ASSERT_NO_FATAL_FAILURE(Prepare(kSetup)); }

  static v1::Action Reindex(const std::string& index,
                            const std::string& table = "\"S\"\"x\".\"Weird\"\"Name\"") {
    v1::Action action;
    v1::ExecuteSqlConcurrently& sql = *action.mutable_execute_sql_concurrently();
    sql.set_effect(v1::ExecuteSqlConcurrently::EFFECT_REINDEXES);
    sql.set_index(index);
    sql.set_table(table);
    return action;
  }
  // The files of all indexes of ours, by name; building anew changes them.
  std::map<std::string, std::string> Files() {
    std::map<std::string, std::string> files;
    const auto connection = Connect(conninfo_);
    const auto rows = connection->Execute(
        "SELECT c.relname, pg_relation_filenode(c.oid)::text || i.indisvalid FROM pg_index i JOIN pg_class c "
        "ON"
        " c.oid = indexrelid JOIN pg_namespace n ON n.oid = relnamespace WHERE nspname IN ('public', 'S\"x')"
        " AND relkind = 'i'");
    EXPECT_OK(rows.status());
    for (int64_t i = 0; rows.ok() && i < rows->size(); ++i) files[rows->Text(i, 0)] = rows->Text(i, 1);
    return files;
  }
  // Names of the indexes that were built anew between two calls of Files.
  static std::string Changed(const std::map<std::string, std::string>& before,
                             const std::map<std::string, std::string>& after) {
    std::vector<std::string> names;
    for (const auto& [name, file] : after) {
      const auto found = before.find(name);
      if (found == before.end() || found->second != file) names.push_back(name);
    }
    return absl::StrJoin(names, ",");
  }
  void Invalidate(const std::string& index) {
    Sql(absl::StrCat("UPDATE pg_index SET indisvalid = false WHERE indexrelid = '", index, "'::regclass"));
  }
  std::string Invalid() { return Sql("SELECT count(*) FROM pg_index WHERE NOT indisvalid"); }
};

TEST_F(ReindexTest, BuildsOneIndexAnew) {
  const auto before = Files();
  const Outcome outcome = Run("add-1", Reindex("\"S\"\"x\".\"Select %s\""));
  ASSERT_EQ(outcome.state, v1::ATTEMPT_STATE_SUCCEEDED) << outcome.error.DebugString();
  EXPECT_EQ(Changed(before, Files()), "Select %s");
  EXPECT_EQ(Files().size(), before.size());
  EXPECT_EQ(Journaled("add-1"), "succeeded");
}

TEST_F(ReindexTest, BuildsAllIndexesOfATableAnew) {
  const auto before = Files();
  ASSERT_EQ(Run("add-1", Reindex("")).state, v1::ATTEMPT_STATE_SUCCEEDED);
  EXPECT_EQ(Changed(before, Files()), "Select %s,Weird\"Name_pkey,Ünique\"");
  EXPECT_TRUE(progress_.Told("built 3 indexes anew"));
}

TEST_F(ReindexTest, BuildsTheLeavesOfAPartitionedIndexAnew) {
  const auto before = Files();
  const Outcome outcome = Run("add-1", Reindex("public.parted_a", "public.parted"));
  ASSERT_EQ(outcome.state, v1::ATTEMPT_STATE_SUCCEEDED) << outcome.error.DebugString();
  EXPECT_EQ(Changed(before, Files()), "low_a_idx,mid'a_a_idx");
  EXPECT_EQ(Sql("SELECT count(*) FROM pg_partition_tree('parted_a') WHERE isleaf"), "2");
}

TEST_F(ReindexTest, BuildsAllIndexesOfAPartitionedTableAnew) {
  const auto before = Files();
  ASSERT_EQ(Run("add-1", Reindex("", "public.parted")).state, v1::ATTEMPT_STATE_SUCCEEDED);
  EXPECT_EQ(Changed(before, Files()), "low_a_idx,low_own,mid'a_a_idx");
}

TEST_F(ReindexTest, AnInvalidIndexBecomesValid) {
  Invalidate("\"S\"\"x\".\"Select %s\"");
  ASSERT_EQ(Run("add-1", Reindex("\"S\"\"x\".\"Select %s\"")).state, v1::ATTEMPT_STATE_SUCCEEDED);
  EXPECT_EQ(Invalid(), "0");
  Invalidate("\"S\"\"x\".\"Select %s\"");
  ASSERT_EQ(Run("add-2", Reindex("")).state, v1::ATTEMPT_STATE_SUCCEEDED);
  EXPECT_EQ(Invalid(), "0");
}

TEST_F(ReindexTest, LeftoversOfAnInterruptedTryGoFirst) {
  for (const char* name : {"\"Select %s_ccnew\"", "\"Select %s_ccold\"", "\"Select %s_ccnew1\""}) {
    Sql(absl::StrCat("CREATE INDEX ", name, " ON \"S\"\"x\".\"Weird\"\"Name\" (\"a b\")"));
    Invalidate(absl::StrCat("\"S\"\"x\".", name));
  }
  // Somebody's valid index, and one of another base.
  Sql("CREATE INDEX \"Select %s_ccnew2\" ON \"S\"\"x\".\"Weird\"\"Name\" (\"a b\")");
  Sql("CREATE INDEX \"Select_ccnew\" ON \"S\"\"x\".\"Weird\"\"Name\" (\"a b\")");
  Invalidate("\"S\"\"x\".\"Select_ccnew\"");
  const Outcome outcome = Run("add-1", Reindex("\"S\"\"x\".\"Select %s\""));
  ASSERT_EQ(outcome.state, v1::ATTEMPT_STATE_SUCCEEDED) << outcome.error.DebugString();
  EXPECT_EQ(Sql("SELECT string_agg(relname, ',' ORDER BY relname) FROM pg_class WHERE relname ~ '_cc'"),
            "Select %s_ccnew2,Select_ccnew");
}

TEST_F(ReindexTest, LeftoversOfALongNameAreFound) {
  const std::string name(63, 'x');
  Sql(absl::StrCat("CREATE INDEX ", name, " ON low (a); CREATE INDEX ", name.substr(0, 57),
                   "_ccnew ON low (a)"));
  Invalidate(absl::StrCat(name.substr(0, 57), "_ccnew"));
  ASSERT_EQ(Run("add-1", Reindex("", "public.low")).state, v1::ATTEMPT_STATE_SUCCEEDED);
  EXPECT_EQ(Sql("SELECT count(*) FROM pg_class WHERE relname ~ '_cc'"), "0");
}

TEST_F(ReindexTest, WhatIsInterruptedIsFinishedByTheNextAttempt) {
  for (const char* point :
       {"concurrently.before_execute", "concurrently.after_execute", "step.before_commit"}) {
    const auto before = Files();
    const std::string step = absl::StrCat("add-", point);
    ASSERT_TRUE(Crash(point, 1, step, Reindex("")));
    const Outcome outcome = Run(step, Reindex(""));
    ASSERT_EQ(outcome.state, v1::ATTEMPT_STATE_SUCCEEDED) << outcome.error.DebugString();
    EXPECT_EQ(Changed(before, Files()), "Select %s,Weird\"Name_pkey,Ünique\"");
    EXPECT_EQ(Files().size(), before.size());
  }
}

TEST_F(ReindexTest, StopsWhenCancelledAndLeavesNothingBehind) {
  HeldTransaction application(conninfo_, "crm-web", "UPDATE \"S\"\"x\".\"Weird\"\"Name\" SET \"a b\" = 'x'");
  const size_t before = Files().size();
  Outcome outcome;
  std::thread attempt([&] { outcome = Run("add-1", Reindex("")); });
  EXPECT_TRUE(progress_.AwaitWaiting("crm-web"));
  const Periodic canceller(absl::Milliseconds(50), [&] { cancel_.Cancel("paused"); });
  EXPECT_OK(CancelToken().Pause(absl::Milliseconds(200)));
  application.Commit();
  attempt.join();
  EXPECT_EQ(outcome.state, v1::ATTEMPT_STATE_CANCELLED);
  EXPECT_EQ(Files().size(), before);
}

TEST_F(ReindexTest, AUniqueIndexWhoseRowsCollideFailsAndLeavesNothingBehind) {
  Invalidate("\"S\"\"x\".\"Ünique\"\"\"");
  // Nobody refuses them: the index takes no writes.
  Sql("UPDATE pg_index SET indisready = false WHERE NOT indisvalid");
  Sql("ALTER TABLE \"S\"\"x\".\"Weird\"\"Name\" DROP CONSTRAINT \"Weird\"\"Name_pkey\"");
  Sql("INSERT INTO \"S\"\"x\".\"Weird\"\"Name\" VALUES (1, 'n1')");
  const size_t before = Files().size();
  const Outcome outcome = Run("add-1", Reindex("\"S\"\"x\".\"Ünique\"\"\""));
  EXPECT_EQ(outcome.state, v1::ATTEMPT_STATE_FAILED);
  EXPECT_EQ(outcome.error.sqlstate(), "23505");
  EXPECT_EQ(Files().size(), before);
}

class ExclusionReindexTest : public ReindexTest {
 protected:
  void SetUp() override {
    ReindexTest::SetUp();
    Sql("ALTER TABLE \"S\"\"x\".\"Weird\"\"Name\" ADD CONSTRAINT apart EXCLUDE USING gist (during WITH &&)");
  }
};

TEST_F(ExclusionReindexTest, AnExclusionConstraintIsPassedOverWhereAllAreMeant) {
  const auto before = Files();
  const Outcome outcome = Run("add-1", Reindex(""));
  ASSERT_EQ(outcome.state, v1::ATTEMPT_STATE_SUCCEEDED) << outcome.error.DebugString();
  EXPECT_EQ(Changed(before, Files()), "Select %s,Weird\"Name_pkey,Ünique\"");
  EXPECT_TRUE(progress_.Told("exclusion constraints: \"S\"\"x\".apart"));
}

TEST_F(ExclusionReindexTest, AnExclusionConstraintThatIsNamedIsRefused) {
  const Outcome outcome = Run("add-1", Reindex("\"S\"\"x\".apart"));
  EXPECT_EQ(outcome.state, v1::ATTEMPT_STATE_FAILED);
  EXPECT_THAT(outcome.error.message(), HasSubstr("belongs to an exclusion constraint"));
  EXPECT_NE(outcome.error.hint(), "");
}

TEST_F(ReindexTest, NamesWhatDoesNotExist) {
  EXPECT_THAT(Run("add-1", Reindex("public.nowhere")).error.message(),
              HasSubstr("index public.nowhere does not exist"));
  EXPECT_THAT(Run("add-2", Reindex("", "public.nowhere")).error.message(),
              HasSubstr("table public.nowhere does not exist"));
}

TEST_F(ReindexTest, BeginsNoIndexPastItsLease) {
  base::FaultPlan::Get().Arm("concurrently.after_execute", 1,
                             [&] { lease_.SetLeaseTime(absl::ZeroDuration()); });
  const auto before = Files();
  EXPECT_EQ(Run("add-1", Reindex("")).state, v1::ATTEMPT_STATE_ERRORED);
  EXPECT_EQ(Changed(before, Files()), "Select %s");
}

}  // namespace
}  // namespace curlew::agent
