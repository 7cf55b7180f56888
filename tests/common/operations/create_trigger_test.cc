#include <gmock/gmock.h>

#include "tests/support/operation_harness.h"

namespace curlew::operations {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

class CreateTriggerTest : public ::curlew::testing::OperationTest {};

constexpr char kFunctions[] = R"(
  CREATE FUNCTION t() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN NEW.note := ''t''; RETURN NEW; END';
  CREATE FUNCTION t2() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';
  CREATE TRIGGER "Old tr" BEFORE UPDATE OF age ON "Peo ple" FOR EACH ROW WHEN (NEW.age > 5) EXECUTE FUNCTION t2();
  ALTER TABLE "Peo ple" ENABLE ALWAYS TRIGGER "Old tr";
  CREATE TRIGGER off AFTER DELETE ON "Peo ple" EXECUTE FUNCTION t2();
  ALTER TABLE "Peo ple" DISABLE TRIGGER off;
  CREATE CONSTRAINT TRIGGER con AFTER INSERT ON "Peo ple" FOR EACH ROW EXECUTE FUNCTION t2();)";

TEST_F(CreateTriggerTest, CreatesATriggerWithNamesAsThePlanWritesThem) {
  setup_ = kFunctions;
  ExpectLife(R"yaml(
  - create_trigger:
      table: '"Peo ple"'
      definition: >
        CREATE TRIGGER "Tr" BEFORE INSERT OR UPDATE OF note ON "Peo ple" FOR EACH ROW WHEN (NEW.age IS NOT NULL)
        EXECUTE FUNCTION t('x');
)yaml",
             "CREATE TRIGGER \"Tr\" BEFORE INSERT OR UPDATE OF note ON public.\"Peo ple\" FOR EACH ROW WHEN "
             "((new.age IS NOT NULL)) EXECUTE FUNCTION public.t('x')");
}

TEST_F(CreateTriggerTest, ReplacesOneAndKeepsWhenItFires) {
  setup_ = kFunctions;
  ExpectLife(R"yaml(
  - create_trigger:
      table: '"Peo ple"'
      definition: CREATE OR REPLACE TRIGGER "Old tr" BEFORE INSERT ON "Peo ple" FOR EACH ROW EXECUTE FUNCTION t()
  - create_trigger:
      table: '"Peo ple"'
      definition: CREATE OR REPLACE TRIGGER off AFTER TRUNCATE ON "Peo ple" EXECUTE FUNCTION t2()
)yaml",
             "CREATE TRIGGER \"Old tr\" BEFORE INSERT ON public.\"Peo ple\"");
  EXPECT_THAT(PgDump(conninfo_),
              AllOf(HasSubstr("ENABLE ALWAYS TRIGGER \"Old tr\""), HasSubstr("DISABLE TRIGGER off")));
}

TEST_F(CreateTriggerTest, ReplacesOneTwiceAndBringsTheFirstBack) {
  setup_ = kFunctions;
  ExpectLife(R"yaml(
  - create_trigger:
      table: '"Peo ple"'
      definition: create or replace trigger "Old tr" BEFORE INSERT ON "Peo ple" FOR EACH ROW EXECUTE FUNCTION t()
  - create_trigger:
      table: '"Peo ple"'
      definition: CREATE OR REPLACE TRIGGER "Old tr" BEFORE DELETE ON "Peo ple" FOR EACH ROW EXECUTE FUNCTION t2()
)yaml",
             "CREATE TRIGGER \"Old tr\" BEFORE DELETE ON public.\"Peo ple\"");
}

TEST_F(CreateTriggerTest, MayCallWhatThePlanCreatesOrPostgresqlHas) {
  EXPECT_EQ(RunError(R"yaml(
  - create_function:
      definition: CREATE FUNCTION t3() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END'
  - create_trigger:
      table: '"Peo ple"'
      definition: CREATE TRIGGER a BEFORE INSERT ON "Peo ple" FOR EACH ROW EXECUTE FUNCTION t3()
  - create_trigger:
      table: '"Peo ple"'
      definition: >
        CREATE TRIGGER b BEFORE UPDATE ON "Peo ple" FOR EACH ROW EXECUTE FUNCTION suppress_redundant_updates_trigger()
)yaml"),
            "");
  EXPECT_EQ(Undo(), "");
  EXPECT_EQ(Query(conninfo_, "SELECT count(*) FROM pg_trigger WHERE NOT tgisinternal"), "0");
}

TEST_F(CreateTriggerTest, WorksOnPartitionedTables) {
  setup_ = R"(CREATE TABLE p (id int, c text) PARTITION BY RANGE (id); CREATE TABLE p1 PARTITION OF p DEFAULT;
              CREATE FUNCTION t() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';
              CREATE TRIGGER tr AFTER INSERT ON p FOR EACH ROW EXECUTE FUNCTION t();
              ALTER TABLE p ENABLE ALWAYS TRIGGER tr;)";
  ExpectLife(R"yaml(
  - create_trigger:
      table: p
      definition: CREATE OR REPLACE TRIGGER tr AFTER UPDATE OF c ON p FOR EACH ROW EXECUTE FUNCTION t()
  - create_trigger:
      table: p
      definition: CREATE TRIGGER tr2 AFTER UPDATE OF c ON p FOR EACH ROW EXECUTE FUNCTION t()
)yaml",
             "CREATE TRIGGER tr AFTER UPDATE OF c ON public.p");
}

TEST_F(CreateTriggerTest, RefusesWhatWouldNotWork) {
  setup_ = kFunctions;
  const auto refusal = [&](const std::string& definition) {
    return Refusal("  - create_trigger:\n      table: '\"Peo ple\"'\n      definition: '" + definition +
                   "'\n");
  };
  EXPECT_THAT(
      refusal("CREATE TRIGGER off AFTER INSERT ON \"Peo ple\" EXECUTE FUNCTION t()"),
      AllOf(HasSubstr("create_trigger"), HasSubstr("trigger off of public.\"Peo ple\" exists already"),
            HasSubstr("CREATE OR REPLACE")));
  EXPECT_THAT(
      refusal("CREATE OR REPLACE TRIGGER con AFTER INSERT ON \"Peo ple\" FOR EACH ROW EXECUTE FUNCTION t()"),
      HasSubstr("constraint trigger"));
  EXPECT_THAT(refusal("CREATE TRIGGER a AFTER INSERT ON other EXECUTE FUNCTION t()"),
              HasSubstr("write the same in both"));
  EXPECT_THAT(refusal("CREATE TRIGGER a AFTER INSERT ON \"Peo ple\" EXECUTE FUNCTION nix()"),
              HasSubstr("public.nix()"));
  EXPECT_THAT(
      refusal("CREATE TRIGGER a BEFORE UPDATE OF nix ON \"Peo ple\" FOR EACH ROW EXECUTE FUNCTION t()"),
      HasSubstr("column nix"));
  EXPECT_THAT(refusal("CREATE TRIGGER \"~z\" BEFORE UPDATE ON \"Peo ple\" FOR EACH ROW EXECUTE FUNCTION t()"),
              HasSubstr("sorts after ~curlew"));
  EXPECT_THAT(refusal("CREATE TRIGGER \"~curlew_x\" AFTER UPDATE ON \"Peo ple\" EXECUTE FUNCTION t()"),
              HasSubstr("Curlew"));
  EXPECT_THAT(refusal("CREATE TRIGGER a INSTEAD OF UPDATE ON \"Peo ple\" FOR EACH ROW EXECUTE FUNCTION t()"),
              HasSubstr("INSTEAD OF is for views"));
  EXPECT_EQ(refusal("CREATE TRIGGER \"~z\" AFTER UPDATE ON \"Peo ple\" EXECUTE FUNCTION t()"), "");
}

}  // namespace
}  // namespace curlew::operations
