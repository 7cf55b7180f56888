#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "absl/strings/str_cat.h"
#include "common/base/canonical_json.h"
#include "common/base/error_detail.h"
#include "common/plan/plan_reader.h"
#include "curlew/v1/options.pb.h"
#include "tests/support/status_matchers.h"

namespace curlew::plan {
namespace {

using ::curlew::testing::StatusIs;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::StartsWith;

v1::Plan PlanOf(absl::string_view operations) {
  v1::Plan plan;
  EXPECT_OK(ReadYaml(absl::StrCat("name: p\noperations:\n", operations), "p.yaml", &plan));
  return plan;
}

absl::Status Check(absl::string_view operations) { return Validate(PlanOf(operations)); }

// Refused because of the field at `path`, with `what` in the message.
auto RefusedFor(const std::string& path, const std::string& what) {
  return StatusIs(absl::StatusCode::kInvalidArgument,
                  AllOf(StartsWith(absl::StrCat(path, ": ")), HasSubstr(what)));
}

// --- What holds for every operation, from the descriptor. ---

// The smallest operation of each kind that is valid.
std::string Smallest(const std::string& operation) {
  static const std::map<std::string, std::string> smallest = {
      {"add_column", "{table: t, column: c, type: text}"},
      {"rename_column", "{table: t, from: a, to: b}"},
      {"set_not_null", "{table: t, column: c}"},
      {"add_check", "{table: t, name: n, expression: c > 0}"},
      {"add_unique", "{table: t, name: n, columns: [c]}"},
      {"create_index", "{table: t, name: n, columns: [c]}"},
      {"drop_column", "{table: t, column: c}"},
      {"sql", "{up: SELECT 1, down: SELECT 2}"},
      {"change_type", "{table: t, column: c, type: bigint}"},
      {"split_column",
       "{table: t, column: c, into: [{column: d, type: text, up: c}, {column: e, type: text, up: c}], down: "
       "d}"},
      {"merge_columns",
       "{table: t, columns: [{column: a, down: c}, {column: b, down: c}], into: c, type: text, up: a || b}"},
      {"drop_not_null", "{table: t, column: c}"},
      {"set_default", "{table: t, column: c, default: '1'}"},
      {"drop_default", "{table: t, column: c}"},
      {"set_comment", "{table: t}"},
      {"create_table", "{table: t, columns: [{name: a, type: int}]}"},
      {"drop_table", "{table: t}"},
      {"set_table_options", "{table: t, reset: [fillfactor]}"},
      {"set_replica_identity", "{table: t, identity: full}"},
      {"set_row_security", "{table: t, state: enabled}"},
      {"create_policy", "{table: t, name: n, using: 'true'}"},
      {"drop_policy", "{table: t, name: n}"},
      {"grant", "{table: t, privileges: [select], roles: [app]}"},
      {"revoke", "{table: t, privileges: [select], roles: [app]}"},
      {"drop_index", "{table: t, name: n}"},
      {"rename_index", "{table: t, name: n, to: m}"},
      {"reindex", "{table: t}"},
      {"add_foreign_key", "{table: t, name: n, columns: [c], references: u}"},
      {"add_exclusion", "{table: t, name: n, elements: [{column: c, operator: '='}]}"},
      {"drop_constraint", "{table: t, name: n}"},
      {"rename_constraint", "{table: t, name: n, to: m}"},
      {"validate_constraint", "{table: t, name: n}"},
      {"create_enum", "{type: e, values: [a]}"},
      {"add_enum_value", "{type: e, value: b}"},
      {"rename_enum_value", "{type: e, value: a, to: b}"},
      {"remove_enum_value", "{type: e, value: a, replacement: b, columns: [{table: t, column: c}]}"},
      {"create_domain", "{domain: d, type: text}"},
      {"add_domain_constraint", "{domain: d, name: n, expression: VALUE > 0}"},
      {"drop_domain_constraint", "{domain: d, name: n}"},
      {"drop_type", "{type: e}"},
      {"create_sequence", "{sequence: s}"},
      {"alter_sequence", "{sequence: s, settings: {cache: 2}}"},
      {"drop_sequence", "{sequence: s}"},
      {"create_view", "{view: v, query: SELECT 1 AS a}"},
      {"drop_view", "{view: v}"},
      {"create_materialized_view", "{view: v, query: SELECT 1 AS a}"},
      {"drop_materialized_view", "{view: v}"},
      {"create_function", "{definition: CREATE FUNCTION f() RETURNS int LANGUAGE sql AS 'SELECT 1'}"},
      {"drop_function", "{function: f()}"},
      {"create_trigger",
       "{table: t, definition: CREATE TRIGGER g BEFORE INSERT ON t FOR EACH ROW EXECUTE FUNCTION f()}"},
      {"drop_trigger", "{table: t, name: g}"},
      {"create_extension", "{extension: citext}"},
      {"drop_extension", "{extension: citext}"},
      {"create_statistics", "{table: t, name: n, columns: [a, b]}"},
      {"drop_statistics", "{table: t, name: n}"},
      {"backfill", "{table: t, set: [{column: c, value: '1'}]}"},
      {"purge", "{table: t, where: c < 0}"},
      {"transform", "{table: t, write: INSERT INTO u SELECT c FROM batch, irreversible: true}"},
  };
  const auto found = smallest.find(operation);
  return found == smallest.end() ? "" : found->second;
}

class EveryOperationTest : public ::testing::TestWithParam<const google::protobuf::FieldDescriptor*> {};

TEST_P(EveryOperationTest, IsValidWithItsRequiredFieldsAndNotWithoutOneOfThem) {
  const std::string name = GetParam()->name();
  ASSERT_NE(Smallest(name), "") << "a new operation: give its smallest form above";
  const v1::Plan plan = PlanOf(absl::StrCat("  - ", name, ": ", Smallest(name), "\n"));
  EXPECT_OK(Validate(plan));
  const auto* type = GetParam()->message_type();
  int required = 0;
  for (int i = 0; i < type->field_count(); ++i) {
    if (!type->field(i)->options().GetExtension(v1::required)) continue;
    ++required;
    v1::Plan without = plan;
    v1::Operation* operation = without.mutable_operations(0);
    google::protobuf::Message* message = operation->GetReflection()->MutableMessage(operation, GetParam());
    message->GetReflection()->ClearField(message, type->field(i));
    const std::string path = absl::StrCat("operations[0].", name, ".", type->field(i)->name());
    const absl::Status status = Validate(without);
    EXPECT_THAT(status,
                RefusedFor(path, type->field(i)->is_repeated() ? "at least one entry" : "is required"));
    EXPECT_EQ(base::Detail(status, base::kField), path);
  }
  EXPECT_GT(required, 0);
}

TEST_P(EveryOperationTest, RefusesInEachFieldWhatIsNotOfItsSyntax) {
  const std::string name = GetParam()->name();
  const v1::Plan plan = PlanOf(absl::StrCat("  - ", name, ": ", Smallest(name), "\n"));
  const auto* type = GetParam()->message_type();
  for (int i = 0; i < type->field_count(); ++i) {
    const auto* field = type->field(i);
    if (field->options().GetExtension(v1::syntax) == v1::SYNTAX_UNSPECIFIED) continue;
    v1::Plan wrong = plan;
    v1::Operation* operation = wrong.mutable_operations(0);
    google::protobuf::Message* message = operation->GetReflection()->MutableMessage(operation, GetParam());
    // 64 bytes are too many for a name, and neither a table, a type, an expression nor a statement.
    const std::string text = absl::StrCat("(", std::string(62, 'x'), "\"");
    std::string index;
    if (field->is_repeated()) {
      index = absl::StrCat("[", message->GetReflection()->FieldSize(*message, field), "]");
      message->GetReflection()->AddString(message, field, text);
    } else {
      message->GetReflection()->SetString(message, field, text);
    }
    EXPECT_THAT(Validate(wrong),
                RefusedFor(absl::StrCat("operations[0].", name, ".", field->name(), index), ""));
  }
}

std::vector<const google::protobuf::FieldDescriptor*> Operations() {
  std::vector<const google::protobuf::FieldDescriptor*> fields;
  const auto* oneof = v1::Operation::descriptor()->oneof_decl(0);
  for (int i = 0; i < oneof->field_count(); ++i) fields.push_back(oneof->field(i));
  return fields;
}

INSTANTIATE_TEST_SUITE_P(All, EveryOperationTest, ::testing::ValuesIn(Operations()),
                         [](const auto& info) { return info.param->name(); });

// --- The plan itself. ---

TEST(ValidateTest, APlanNeedsANameOfLowerCaseLettersDigitsAndDashes) {
  v1::Plan plan = PlanOf("  - set_not_null: {table: t, column: c}\n");
  for (const char* name : {"Rename", "rename phone", "-p", "p-", "p/q", "p_q"}) {
    plan.set_name(name);
    EXPECT_THAT(Validate(plan), RefusedFor("name", name));
  }
  plan.set_name(std::string(64, 'a'));
  EXPECT_THAT(Validate(plan), RefusedFor("name", "1 to 63"));
  plan.clear_name();
  EXPECT_THAT(Validate(plan), RefusedFor("name", "is required"));
  plan.set_name(std::string(63, 'a'));
  EXPECT_OK(Validate(plan));
}

TEST(ValidateTest, APlanNeedsAnOperation) {
  v1::Plan plan;
  plan.set_name("p");
  EXPECT_THAT(Validate(plan), RefusedFor("operations", "at least one"));
}

TEST(ValidateTest, AnEmptyEntryIsAnsweredWithTheOperations) {
  v1::Plan plan;
  plan.set_name("p");
  plan.add_operations();
  EXPECT_THAT(Validate(plan), RefusedFor("operations[0]", "give one of: add_column, rename_column"));
}

TEST(ValidateTest, SettingsAreCheckedToo) {
  v1::Plan plan = PlanOf("  - set_not_null: {table: t, column: c}\n");
  plan.mutable_settings()->mutable_max_lock_timeout()->set_seconds(11);
  EXPECT_THAT(Validate(plan), RefusedFor("settings.max_lock_timeout", "11s is out of range"));
}

TEST(ValidateTest, APhaseThatThisVersionDoesNotKnowIsRefused) {
  v1::Plan plan = PlanOf("  - sql: {up: SELECT 1, down: SELECT 2}\n");
  plan.mutable_operations(0)->mutable_sql()->set_phase(static_cast<v1::Phase>(99));
  EXPECT_THAT(Validate(plan), RefusedFor("operations[0].sql.phase", "99 is unknown"));
}

TEST(ValidateTest, ATextWithNulIsRefused) {
  v1::Plan plan = PlanOf("  - add_column: {table: t, column: c, type: text}\n");
  plan.mutable_operations(0)->mutable_add_column()->set_comment(std::string("a\0b", 3));
  EXPECT_THAT(Validate(plan), RefusedFor("operations[0].add_column.comment", "NUL"));
}

TEST(ValidateTest, NamesMayBeOddAsLongAsPostgresTakesThem) {
  EXPECT_OK(Check(R"(  - rename_column: {table: 'crm."Weird""Name"', from: 'Some Column', to: 'naïve "x"'})"
                  "\n"));
}

TEST(ValidateTest, AColumnThatStandsTwiceInAListIsRefused) {
  EXPECT_THAT(Check("  - add_unique: {table: t, name: n, columns: [a, b, a]}\n"),
              RefusedFor("operations[0].add_unique.columns[2]", "\"a\" stands there twice"));
}

TEST(ValidateTest, SqlThatWouldExhaustTheParserIsRefused) {
  v1::Plan plan = PlanOf(
      "  - add_column: {table: t, column: c, type: text, up: a}\n"
      "  - sql: {up: SELECT 1, down: SELECT 1}\n");
  std::string deep = "a";
  for (int i = 0; i < 200'000; ++i) deep += "+1";
  plan.mutable_operations(0)->mutable_add_column()->set_up(deep);
  EXPECT_THAT(Validate(plan), RefusedFor("operations[0].add_column.up", "at most 2000"));
  plan.mutable_operations(0)->mutable_add_column()->set_up("a");
  plan.mutable_operations(1)->mutable_sql()->set_up("SELECT " + deep);
  EXPECT_THAT(Validate(plan), RefusedFor("operations[1].sql.up", "at most 2000"));
}

// --- Two operations that make the same. ---

TEST(ValidateTest, TwoOperationsCannotMakeTheSameColumn) {
  EXPECT_THAT(Check("  - add_column: {table: contacts, column: c, type: text}\n"
                    "  - rename_column: {table: PUBLIC.Contacts, from: a, to: c}\n"),
              RefusedFor("operations[1].rename_column.to",
                         "the column c is made by operations[0].add_column.column"));
  EXPECT_OK(
      Check("  - add_column: {table: contacts, column: c, type: text}\n"
            "  - add_column: {table: '\"Contacts\"', column: c, type: text}\n"
            "  - add_column: {table: crm.contacts, column: c, type: text}\n"
            "  - add_column: {table: contacts, column: C, type: text}\n"));
}

TEST(ValidateTest, TwoOperationsCannotMakeTheSameConstraintOfATable) {
  EXPECT_THAT(Check("  - add_check: {table: t, name: n, expression: a > 0}\n"
                    "  - add_unique: {table: t, name: n, columns: [a]}\n"),
              RefusedFor("operations[1].add_unique.name", "the constraint n"));
  EXPECT_OK(
      Check("  - add_check: {table: t, name: n, expression: a > 0}\n"
            "  - add_check: {table: u, name: n, expression: a > 0}\n"));
}

TEST(ValidateTest, TwoOperationsCannotMakeTheSameIndexOfASchema) {
  EXPECT_THAT(
      Check("  - add_unique: {table: t, name: n, columns: [a]}\n"
            "  - create_index: {table: u, name: n, columns: [a]}\n"),
      RefusedFor("operations[1].create_index.name", "the index n is made by operations[0].add_unique.name"));
  EXPECT_OK(
      Check("  - create_index: {table: a.t, name: n, columns: [a]}\n"
            "  - create_index: {table: b.t, name: n, columns: [a]}\n"
            "  - add_check: {table: a.t, name: n, expression: a > 0}\n"));
}

// --- Rules of single operations. ---

TEST(AddColumnRulesTest, NotNullNeedsAValueForEveryRow) {
  EXPECT_THAT(Check("  - add_column: {table: t, column: c, type: int, not_null: true}\n"),
              RefusedFor("operations[0].add_column.not_null", "give `up`"));
  EXPECT_OK(Check("  - add_column: {table: t, column: c, type: int, not_null: true, default: 0}\n"));
  EXPECT_OK(Check("  - add_column: {table: t, column: c, type: int, not_null: true, up: a + b}\n"));
}

TEST(AddColumnRulesTest, ADefaultUsesNoColumns) {
  EXPECT_THAT(Check("  - add_column: {table: t, column: c, type: text, default: new}\n"),
              StatusIs(absl::StatusCode::kInvalidArgument));
  EXPECT_THAT(Check("  - add_column: {table: t, column: c, type: text, default: 'fresh'}\n"),
              RefusedFor("operations[0].add_column.default", "\"'text'\""));
  EXPECT_OK(Check("  - add_column: {table: t, column: c, type: text, default: \"'fresh'\"}\n"));
}

TEST(AddColumnRulesTest, UpCannotUseTheColumnItself) {
  EXPECT_THAT(Check("  - add_column: {table: t, column: c, type: int, up: a + c}\n"),
              RefusedFor("operations[0].add_column.up", "names c itself"));
}

TEST(RenameColumnRulesTest, TheNamesMustDiffer) {
  EXPECT_THAT(Check("  - rename_column: {table: t, from: a, to: a}\n"),
              RefusedFor("operations[0].rename_column.to", "is the name that the column has"));
}

TEST(RenameColumnRulesTest, UpUsesTheOldColumnAloneAndDownTheNew) {
  EXPECT_OK(Check("  - rename_column: {table: t, from: a, to: b, up: a + 1, down: b - 1}\n"));
  EXPECT_OK(Check("  - rename_column: {table: t, from: a, to: b, up: \"0\"}\n"));
  EXPECT_THAT(Check("  - rename_column: {table: t, from: a, to: b, up: a + x + y}\n"),
              RefusedFor("operations[0].rename_column.up", "names the column x, y; it may only use a"));
  EXPECT_THAT(Check("  - rename_column: {table: t, from: a, to: b, down: a}\n"),
              RefusedFor("operations[0].rename_column.down", "it may only use b"));
}

TEST(DropColumnRulesTest, DownCannotUseTheColumnItself) {
  EXPECT_OK(Check("  - drop_column: {table: t, column: c, down: a + b}\n"));
  EXPECT_THAT(Check("  - drop_column: {table: t, column: c, down: c}\n"),
              RefusedFor("operations[0].drop_column.down", "names c itself"));
}

TEST(SqlRulesTest, IsUndoneByDownOrSaysThatItCannotBe) {
  EXPECT_THAT(Check("  - sql: {up: SELECT 1}\n"), RefusedFor("operations[0].sql.down", "is required"));
  EXPECT_OK(Check("  - sql: {up: SELECT 1, irreversible: true, phase: drop}\n"));
  EXPECT_THAT(Check("  - sql: {up: SELECT 1, down: SELECT 2, irreversible: true, phase: drop}\n"),
              RefusedFor("operations[0].sql.irreversible", "leave out one"));
}

TEST(TransformRulesTest, WritesByOneStatementOverTheBatch) {
  EXPECT_OK(Check("  - transform: {table: t, write: DELETE FROM u USING batch, irreversible: true}\n"));
  EXPECT_THAT(Check("  - transform: {table: t, write: DELETE FROM u, irreversible: true}\n"),
              RefusedFor("operations[0].transform.write", "does not read `batch`"));
  EXPECT_THAT(Check("  - transform: {table: t, write: SELECT 1 FROM batch, irreversible: true}\n"),
              RefusedFor("operations[0].transform.write", "one INSERT, UPDATE, DELETE or MERGE"));
}

TEST(TransformRulesTest, IsUndoneByDownOrSaysThatItCannotBe) {
  EXPECT_OK(Check("  - transform: {table: t, write: DELETE FROM u USING batch, down: SELECT 1}\n"));
  EXPECT_THAT(Check("  - transform: {table: t, write: DELETE FROM u USING batch}\n"),
              RefusedFor("operations[0].transform.down", "is required"));
  EXPECT_THAT(Check("  - transform: {table: t, write: DELETE FROM u USING batch, down: SELECT 1, "
                    "irreversible: true}\n"),
              RefusedFor("operations[0].transform.irreversible", "leave out one"));
}

TEST(SqlRulesTest, WhatIsIrreversibleRunsInTheLastPhase) {
  for (const char* phase : {"", ", phase: add", ", phase: constrain"}) {
    EXPECT_THAT(Check(absl::StrCat("  - sql: {up: SELECT 1, irreversible: true", phase, "}\n")),
                RefusedFor("operations[0].sql.phase", "write `phase: drop`"));
  }
}

TEST(SqlRulesTest, StatementsHaveToBeThere) {
  EXPECT_THAT(Check("  - sql: {up: ' ; ', down: SELECT 1}\n"),
              RefusedFor("operations[0].sql.up", "no statement"));
}

// --- Size. ---

TEST(ValidateSizeTest, APlanHasAThousandOperationsAtMost) {
  v1::Plan plan;
  plan.set_name("p");
  for (int i = 0; i < kMostOperations; ++i) {
    v1::AddColumn* column = plan.add_operations()->mutable_add_column();
    column->set_table("t");
    column->set_column(absl::StrCat("c", i));
    column->set_type("text");
  }
  EXPECT_OK(Validate(plan));
  *plan.add_operations() = plan.operations(0);
  EXPECT_THAT(Validate(plan),
              RefusedFor("operations", "has 1001 entries, more than 1000; make several plans"));
}

TEST(ValidateSizeTest, APlanHasAMebibyteInItsCanonicalFormAtMost) {
  v1::Plan plan;
  plan.set_name("p");
  v1::AddCheck* check = plan.add_operations()->mutable_add_check();
  check->set_table("t");
  check->set_name("n");
  const auto with = [&](size_t letters) {
    check->set_expression(absl::StrCat("c <> '", std::string(letters, 'x'), "'"));
    return Validate(plan);
  };
  const size_t rest = base::CanonicalJson(plan).size() + std::string(R"(,"expression":"c <> ''")").size();
  EXPECT_OK(with(kLargestPlan - rest));
  EXPECT_THAT(with(kLargestPlan - rest + 1), RefusedFor("operations", "1048577 bytes, more than 1048576"));
  EXPECT_THAT(with(60 << 20), RefusedFor("operations", "more than 1048576"));
}

TEST(ValidateSizeTest, AFileIsToldItsLine) {
  std::string text = "name: p\noperations:\n";
  for (int i = 0; i <= kMostOperations; ++i) {
    absl::StrAppend(&text, "  - add_column: {table: t, column: c", i, ", type: text}\n");
  }
  EXPECT_THAT(ReadPlan(text, "p.yaml"),
              StatusIs(absl::StatusCode::kInvalidArgument, AllOf(StartsWith("p.yaml:2"), HasSubstr("1001"))));
}

}  // namespace
}  // namespace curlew::plan
