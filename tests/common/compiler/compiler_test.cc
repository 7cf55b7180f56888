#include "common/compiler/compiler.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>

#include "common/base/error_detail.h"
#include "common/schema/schema.h"
#include "tests/support/status_matchers.h"

namespace curlew::compiler {
namespace {

using ::curlew::testing::IsOk;
using ::curlew::testing::StatusIs;
using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

v1::Column* AddColumn(v1::Table* table, const char* name, const char* type, bool not_null = false) {
  v1::Column* column = table->add_columns();
  column->set_name(name);
  column->set_type(type);
  column->set_not_null(not_null);
  column->set_has_equality(true);
  column->set_statistics_target(-1);
  return column;
}

v1::Schema Contacts() {
  v1::Schema schema;
  v1::Table* table = schema.add_tables();
  table->set_schema("public");
  table->set_name("contacts");
  table->set_kind(v1::TABLE_KIND_TABLE);
  AddColumn(table, "id", "bigint", true);
  AddColumn(table, "tenant_id", "integer", true);
  AddColumn(table, "phone", "text", true);
  v1::Constraint* key = table->add_constraints();
  key->set_name("contacts_pkey");
  key->set_type(v1::CONSTRAINT_TYPE_PRIMARY_KEY);
  key->add_columns("id");
  return schema;
}

v1::Plan RenamePhone() {
  v1::Plan plan;
  plan.set_name("rename-contact-phone");
  v1::RenameColumn* rename = plan.add_operations()->mutable_rename_column();
  rename->set_table("contacts");
  rename->set_from("phone");
  rename->set_to("phone_number");
  rename->set_up("'+1' || right(regexp_replace(phone, '[^0-9]', '', 'g'), 10)");
  v1::AddUnique* unique = plan.add_operations()->mutable_add_unique();
  unique->set_table("contacts");
  unique->set_name("contacts_phone_number_key");
  unique->add_columns("phone_number");
  unique->add_columns("tenant_id");
  v1::AddCheck* check = plan.add_operations()->mutable_add_check();
  check->set_table("contacts");
  check->set_name("contacts_phone_number_check");
  check->set_expression("phone_number ~ '^\\+1[0-9]{10}$'");
  return plan;
}

TEST(CompilerTest, IsDeterministicAndIgnoresTheOrderOfTheCatalogue) {
  v1::Schema schema = Contacts(), shuffled = Contacts();
  shuffled.mutable_tables(0)->mutable_columns()->SwapElements(0, 2);
  auto a = Compile(RenamePhone(), schema), b = Compile(RenamePhone(), shuffled);
  ASSERT_THAT(a, IsOk());
  ASSERT_THAT(b, IsOk());
  EXPECT_EQ(a->SerializeAsString(), b->SerializeAsString());
  EXPECT_EQ(Digest(*a), Digest(*b));
  EXPECT_THAT(DiffSteps(*a, *b), IsEmpty());
}

TEST(CompilerTest, PutsLooksFirstThenPhasesInOrderWithUniqueKeys) {
  auto compiled = Compile(RenamePhone(), Contacts());
  ASSERT_THAT(compiled, IsOk());
  std::set<std::string> keys;
  bool preflight = true;
  v1::Phase phase = v1::PHASE_ADD;
  for (const v1::Step& step : compiled->steps()) {
    EXPECT_TRUE(keys.insert(step.key()).second) << step.key();
    // DROP begins with a look of its own.
    EXPECT_LE(step.preflight(), preflight || step.phase() == v1::PHASE_DROP);
    preflight = step.preflight();
    EXPECT_GE(step.phase(), phase);
    phase = step.phase();
    EXPECT_NE(step.action().kind_case(), v1::Action::KIND_NOT_SET) << step.title();
    EXPECT_FALSE(step.rewrites()) << step.title();
  }
  EXPECT_EQ(phase, v1::PHASE_DROP);
  EXPECT_EQ(compiled->rollback_gate().key(), "rollback-gate");
}

TEST(CompilerTest, EveryStepThatChangesAnythingBeforeDropHasAnUndo) {
  auto compiled = Compile(RenamePhone(), Contacts());
  ASSERT_THAT(compiled, IsOk());
  for (const v1::Step& step : compiled->steps()) {
    const auto kind = step.action().kind_case();
    if (step.phase() == v1::PHASE_DROP || kind == v1::Action::kVerify || kind == v1::Action::kAnalyze ||
        kind == v1::Action::kBackfill || kind == v1::Action::kValidateConstraint) {
      continue;
    }
    EXPECT_NE(step.undo().kind_case(), v1::Action::KIND_NOT_SET) << step.title();
  }
}

TEST(CompilerTest, NeverScansUnderALockThatBlocksWrites) {
  auto compiled = Compile(RenamePhone(), Contacts());
  ASSERT_THAT(compiled, IsOk());
  for (const v1::Step& step : compiled->steps()) {
    if (!step.scans()) continue;
    for (const v1::TableLock& lock : step.locks()) {
      EXPECT_THAT(lock.mode(),
                  ::testing::AnyOf("AccessShareLock", "RowExclusiveLock", "ShareUpdateExclusiveLock"))
          << step.title();
    }
  }
}

TEST(CompilerTest, LooksAtTheDataThroughUpBeforeAnythingChanges) {
  auto compiled = Compile(RenamePhone(), Contacts());
  ASSERT_THAT(compiled, IsOk());
  std::vector<std::string> queries;
  for (const v1::Step& step : compiled->steps()) {
    if (!step.preflight()) continue;
    for (const v1::Check& check : step.action().verify().checks()) queries.push_back(check.count_query());
  }
  EXPECT_THAT(queries, Contains(HasSubstr("GROUP BY ('+1' || right(regexp_replace(t.phone,")));
  EXPECT_THAT(queries, Contains(HasSubstr("~ '^\\+1[0-9]{10}$') IS FALSE")));
  for (const std::string& query : queries) {
    // Names in the catalogue are looked up as strings.
    EXPECT_THAT(query, ::testing::AnyOf(Not(HasSubstr("phone_number")), HasSubstr("c.relname = "))) << query;
  }
}

TEST(CompilerTest, SaysWhichOperationIsWrong) {
  v1::Plan plan = RenamePhone();
  plan.mutable_operations(1)->mutable_add_unique()->add_columns("nope");
  absl::Status status = Compile(plan, Contacts()).status();
  EXPECT_THAT(status, StatusIs(absl::StatusCode::kFailedPrecondition,
                               HasSubstr("operations[1].add_unique: column nope")));
  EXPECT_EQ(base::Detail(status, base::kField), "operations[1].add_unique");
}

TEST(CompilerTest, ApplyGivesTheSchemaAtTheEnd) {
  auto after = Apply(RenamePhone(), Contacts());
  ASSERT_THAT(after, IsOk());
  const v1::Table* table = schema::FindTable(*after, {"public", "contacts"});
  EXPECT_EQ(schema::FindColumn(*table, "phone"), nullptr);
  ASSERT_NE(schema::FindColumn(*table, "phone_number"), nullptr);
  EXPECT_TRUE(schema::FindColumn(*table, "phone_number")->not_null());
  EXPECT_NE(schema::FindConstraint(*table, "contacts_phone_number_key"), nullptr);
}

TEST(CompilerTest, UsesNoMarkerWhereNullAloneSaysWhatIsPending) {
  v1::Plan plan = RenamePhone();
  plan.mutable_operations()->DeleteSubrange(1, plan.operations_size() - 1);
  auto pair = Compile(plan, Contacts());
  ASSERT_THAT(pair, IsOk());
  // Only a marker tells the backfill's writes from those of the new application.
  EXPECT_THAT(pair->DebugString(), HasSubstr("curlew_pending_"));
  v1::AddColumn* column = plan.mutable_operations(0)->mutable_add_column();
  column->set_table("contacts");
  column->set_column("digits");
  column->set_type("text");
  column->set_up("phone");
  auto nullable = Compile(plan, Contacts());
  ASSERT_THAT(nullable, IsOk());
  EXPECT_THAT(nullable->DebugString(), HasSubstr("curlew_pending_"));
  column->set_not_null(true);
  auto strict = Compile(plan, Contacts());
  ASSERT_THAT(strict, IsOk());
  EXPECT_THAT(strict->DebugString(), Not(HasSubstr("curlew_pending_")));
  EXPECT_THAT(DiffSteps(*strict, *nullable), Not(IsEmpty()));
  EXPECT_NE(StepsDigest(*strict), StepsDigest(*nullable));
}

TEST(CompilerTest, ASchemaThatDiffersElsewhereRunsTheSameSteps) {
  v1::Schema other = Contacts();
  AddColumn(other.mutable_tables(0), "extra", "text");
  auto a = Compile(RenamePhone(), Contacts()), b = Compile(RenamePhone(), other);
  ASSERT_THAT(b, IsOk());
  EXPECT_NE(Digest(*a), Digest(*b));
  EXPECT_EQ(StepsDigest(*a), StepsDigest(*b));
}

TEST(CompilerTest, AddColumnWithAConstantDefaultNeedsNoBackfill) {
  v1::Plan plan;
  plan.set_name("p");
  v1::AddColumn* add = plan.add_operations()->mutable_add_column();
  add->set_table("contacts");
  add->set_column("state");
  add->set_type("text");
  add->set_default_("'new'");
  add->set_not_null(true);
  auto compiled = Compile(plan, Contacts());
  ASSERT_THAT(compiled, IsOk());
  ASSERT_EQ(compiled->steps_size(), 1);
  EXPECT_THAT(compiled->steps(0).action().execute_sql().statements(),
              ElementsAre("ALTER TABLE public.contacts ADD COLUMN state text DEFAULT ('new') NOT NULL"));
  add->set_default_("gen_random_uuid()");
  EXPECT_THAT(Compile(plan, Contacts()),
              StatusIs(absl::StatusCode::kFailedPrecondition, HasSubstr("volatile")));
  add->set_up("gen_random_uuid()");
  EXPECT_THAT(Compile(plan, Contacts()), IsOk());
  add->clear_default_();
  add->clear_up();
  EXPECT_THAT(Compile(plan, Contacts()), StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("not_null")));
}

TEST(CompilerTest, DropColumnNeedsAWayForRowsWithoutIt) {
  v1::Plan plan;
  plan.set_name("p");
  v1::DropColumn* drop = plan.add_operations()->mutable_drop_column();
  drop->set_table("contacts");
  drop->set_column("phone");
  EXPECT_THAT(Compile(plan, Contacts()),
              StatusIs(absl::StatusCode::kFailedPrecondition, HasSubstr("`down`")));
  drop->set_down("''");
  auto compiled = Compile(plan, Contacts());
  ASSERT_THAT(compiled, IsOk());
  EXPECT_TRUE(compiled->steps(0).preflight());
  EXPECT_TRUE(compiled->steps(1).action().has_install_trigger());
  EXPECT_EQ(compiled->old_shape(0).column(), "phone");
}

TEST(CompilerTest, SqlMustAcknowledgeItsHazards) {
  v1::Plan plan;
  plan.set_name("p");
  v1::Sql* sql = plan.add_operations()->mutable_sql();
  sql->set_up("ALTER TABLE contacts ALTER tenant_id TYPE bigint");
  sql->set_down("ALTER TABLE contacts ALTER tenant_id TYPE int");
  EXPECT_THAT(Compile(plan, Contacts()),
              StatusIs(absl::StatusCode::kFailedPrecondition, HasSubstr("rewrites-table")));
  plan.mutable_settings()->add_acknowledge("rewrites-table");
  auto compiled = Compile(plan, Contacts());
  ASSERT_THAT(compiled, IsOk());
  EXPECT_TRUE(compiled->steps(0).rewrites());
  EXPECT_THAT(ScopeOf(plan).tables(), ElementsAre("public.contacts"));
  sql->set_irreversible(true);
  EXPECT_THAT(Compile(plan, Contacts()), StatusIs(absl::StatusCode::kInvalidArgument));
}

}  // namespace
}  // namespace curlew::compiler
