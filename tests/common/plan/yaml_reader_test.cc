#include "common/plan/yaml_reader.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "absl/strings/str_cat.h"
#include "common/base/error_detail.h"
#include "common/base/proto_time.h"
#include "common/base/utf8.h"
#include "common/plan/plan_reader.h"
#include "common/plan/scalar.h"
#include "curlew/v1/rollout.pb.h"
#include "tests/support/status_matchers.h"

namespace curlew::plan {
namespace {

using ::curlew::testing::StatusIs;
using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

template <typename Message = v1::Plan>
Message Read(absl::string_view text) {
  Message message;
  EXPECT_OK(ReadYaml(text, "plan.yaml", &message));
  return message;
}

template <typename Message = v1::Plan>
absl::Status Fail(absl::string_view text) {
  Message message;
  absl::Status status = ReadYaml(text, "plan.yaml", &message);
  EXPECT_THAT(status, StatusIs(absl::StatusCode::kInvalidArgument));
  return status;
}

// A refusal at this place whose message holds `what`.
auto RefusedAt(const std::string& place, const std::string& what) {
  return StatusIs(absl::StatusCode::kInvalidArgument,
                  AllOf(StartsWith(absl::StrCat("plan.yaml:", place, ": ")), HasSubstr(what)));
}

TEST(ReadYamlTest, ReadsEveryKindOfField) {
  const v1::Plan plan = Read(R"yaml(
name: rename-phone
description: |
  Two
  lines
operations:
  - rename_column:
      table: crm."Contacts"
      from: phone
      to: phone_number
      discard: [a, b]
  - add_column: {table: t, column: c, type: "numeric(10,2)", not_null: true, default: 0}
  - sql:
      up: SELECT 1
      irreversible: false
      phase: constrain
settings:
  max_lock_timeout: 750ms
  lock_retry_deadline: 1h30m
)yaml");
  EXPECT_EQ(plan.name(), "rename-phone");
  EXPECT_EQ(plan.description(), "Two\nlines\n");
  ASSERT_EQ(plan.operations_size(), 3);
  EXPECT_EQ(plan.operations(0).rename_column().table(), "crm.\"Contacts\"");
  EXPECT_THAT(plan.operations(0).rename_column().discard(), ElementsAre("a", "b"));
  EXPECT_TRUE(plan.operations(1).add_column().not_null());
  EXPECT_EQ(plan.operations(1).add_column().default_(), "0");
  EXPECT_EQ(plan.operations(2).sql().phase(), v1::PHASE_CONSTRAIN);
  EXPECT_EQ(base::FromProto(plan.settings().max_lock_timeout()), absl::Milliseconds(750));
  EXPECT_EQ(base::FromProto(plan.settings().lock_retry_deadline()), absl::Minutes(90));
}

TEST(ReadYamlTest, ReadsJson) {
  const v1::Plan plan =
      Read(R"({"name": "p", "operations": [{"set_not_null": {"table": "t", "column": "c"}}]})");
  EXPECT_EQ(plan.operations(0).set_not_null().column(), "c");
}

TEST(ReadYamlTest, ReadsNumbersAndTimes) {
  const v1::Target target = Read<v1::Target>(
      "epoch: 9007199254740993\nserver_version_num: -15\nlast_seen_time: 2026-01-31T12:00:00.5+01:00\n");
  EXPECT_EQ(target.epoch(), 9007199254740993);
  EXPECT_EQ(target.server_version_num(), -15);
  EXPECT_EQ(base::FromProto(target.last_seen_time()),
            absl::FromCivil(absl::CivilSecond(2026, 1, 31, 11, 0, 0), absl::UTCTimeZone()) +
                absl::Milliseconds(500));
  EXPECT_EQ(Read<v1::Target>("epoch: \"12\"").epoch(), 12);
  EXPECT_EQ(Read<v1::Progress>("fraction: 0.25").fraction(), 0.25);
}

TEST(ReadYamlTest, ClearsWhatTheMessageHeld) {
  v1::Plan plan;
  plan.set_description("old");
  ASSERT_OK(ReadYaml("name: p", "plan.yaml", &plan));
  EXPECT_EQ(plan.description(), "");
}

TEST(ReadYamlTest, PlainScalarsInTextFieldsAreTakenAsTheyAreWritten) {
  for (const char* text : {"0", "1.50", "true", "now()", "1e3", "2026-01-31", "0x10"}) {
    EXPECT_EQ(Read(absl::StrCat("description: ", text)).description(), text);
  }
}

TEST(ReadYamlTest, EnumsAreReadWithAndWithoutTheirPrefixInEitherCase) {
  for (const char* text :
       {"dual_write", "DUAL_WRITE", "PHASE_DUAL_WRITE", "phase_dual_write", "\"dual_write\""}) {
    EXPECT_EQ(Read<v1::Sql>(absl::StrCat("phase: ", text)).phase(), v1::PHASE_DUAL_WRITE) << text;
  }
}

TEST(ReadYamlTest, AnAliasStandsForItsAnchor) {
  const v1::Plan plan = Read(R"(
operations:
  - add_unique: {table: t, name: a, columns: &key [x, y]}
  - create_index: {table: t, name: b, columns: *key}
)");
  EXPECT_THAT(plan.operations(1).create_index().columns(), ElementsAre("x", "y"));
}

TEST(ReadYamlTest, AFileMayEndInAnyWay) {
  for (const char* text : {"name: p", "name: p\n", "name: p\n...\n", "---\nname: p\n",
                           "\xEF\xBB\xBFname: p\n", "name: p\r\n", "# comment\nname: p # more"}) {
    EXPECT_EQ(Read(text).name(), "p") << text;
  }
  EXPECT_EQ(Read("description: |\n  a").description(), "a\n");
}

// --- Refusals: place, what is wrong, what would be right. ---

TEST(ReadYamlTest, RefusesAnUnknownFieldWithTheNearestName) {
  EXPECT_THAT(
      Fail("name: p\noperations:\n  - set_not_null:\n      tabel: t\n"),
      RefusedAt("4:7", "unknown field \"tabel\" in operations[0].set_not_null; did you mean \"table\"?"));
  EXPECT_THAT(Fail("Name: p"), RefusedAt("1:1", "did you mean \"name\"?"));
}

TEST(ReadYamlTest, RefusesAnUnknownFieldThatIsNearNothingWithAllNames) {
  EXPECT_THAT(Fail("operations:\n  - set_not_null: {frobnicate: t}"),
              RefusedAt("2:20", "known are: table, column"));
}

TEST(ReadYamlTest, RefusesAnUnknownOperationWithTheNearestName) {
  EXPECT_THAT(
      Fail("operations:\n  - rename_colum: {}"),
      RefusedAt("2:5",
                "unknown operation \"rename_colum\" in operations[0]; did you mean \"rename_column\"?"));
}

TEST(ReadYamlTest, AnOperationThatIsNearNothingIsAnsweredWithAllOfTheDescriptor) {
  const std::string message(Fail("operations:\n  - teleport: {}").message());
  const auto* oneof = v1::Operation::descriptor()->oneof_decl(0);
  for (int i = 0; i < oneof->field_count(); ++i) EXPECT_THAT(message, HasSubstr(oneof->field(i)->name()));
}

TEST(ReadYamlTest, RefusesAKeyThatIsGivenTwice) {
  EXPECT_THAT(Fail("name: p\ndescription: d\nname: q\n"),
              RefusedAt("3:1", "\"name\" is given twice in the file, first on line 1"));
  EXPECT_THAT(Fail("operations:\n  - set_not_null: {table: t, column: a, table: u}"),
              RefusedAt("2:41", "\"table\" is given twice in operations[0].set_not_null"));
}

TEST(ReadYamlTest, RefusesTwoOperationsInOneEntry) {
  EXPECT_THAT(Fail("operations:\n  - set_not_null: {table: t, column: a}\n    sql: {up: SELECT 1}\n"),
              RefusedAt("3:5", "both \"set_not_null\" and \"sql\""));
}

TEST(ReadYamlTest, RefusesWrongTypes) {
  EXPECT_THAT(Fail("- name: p"),
              RefusedAt("1:1", "the file has to be a mapping (lines of KEY: VALUE), not a list"));
  EXPECT_THAT(Fail("just text"), RefusedAt("1:1", "not a single value"));
  EXPECT_THAT(Fail("name: [p]"), RefusedAt("1:7", "name has to be a single value, not a list"));
  EXPECT_THAT(Fail("name: {a: b}"), RefusedAt("1:7", "not a mapping"));
  EXPECT_THAT(Fail("operations: {set_not_null: {}}"), RefusedAt("1:13", "\"operations\" has to be a list"));
  EXPECT_THAT(Fail("operations:\n  - set_not_null"), RefusedAt("2:5", "operations[0] has to be a mapping"));
  EXPECT_THAT(Fail("operations:\n  - set_not_null: [t, c]"),
              RefusedAt("2:19", "operations[0].set_not_null has to be"));
  EXPECT_THAT(Fail("operations:\n  -\n"), RefusedAt("3:1", "an entry of \"operations\" is empty"));
}

TEST(ReadYamlTest, RefusesAKeyWithoutValue) {
  EXPECT_THAT(Fail("name:\noperations: []\n"), RefusedAt("1:1", "\"name\" has no value"));
  EXPECT_THAT(Fail("operations:\n  - add_column: {default: null}"),
              RefusedAt("2:18", "null has to stand in quotes"));
  EXPECT_EQ(Read("description: \"null\"").description(), "null");
}

TEST(ReadYamlTest, RefusesWhatIsNotABoolean) {
  for (const char* text : {"yes", "on", "1", "\"true\"", "True"}) {
    EXPECT_THAT(Fail<v1::Sql>(absl::StrCat("irreversible: ", text)),
                RefusedAt("1:15", "is not true or false"))
        << text;
  }
}

TEST(ReadYamlTest, RefusesWhatIsNotAWholeNumberInRange) {
  for (const char* text : {"2147483648", "1.5", "two", "\"2\"", "0x10"}) {
    EXPECT_THAT(Fail<v1::GatePolicy>(absl::StrCat("approvals: ", text)),
                RefusedAt("1:12", "is not a whole number"))
        << text;
  }
}

TEST(ReadYamlTest, RefusesWhatIsNotADuration) {
  for (const char* text : {"500", "1 s", "fast", "inf", "1d", "99999999999999h"}) {
    EXPECT_THAT(Fail<v1::PlanSettings>(absl::StrCat("max_lock_timeout: ", text)),
                RefusedAt("1:19", "max_lock_timeout: \""))
        << text;
  }
  EXPECT_THAT(Fail<v1::PlanSettings>("max_lock_timeout: 500"), RefusedAt("1:19", "500ms, 1.5s, 10m, 2h"));
}

TEST(ReadYamlTest, RefusesWhatIsNotATime) {
  for (const char* text : {"yesterday", "2026-01-31", "infinite-future", "99999-01-01T00:00:00Z"}) {
    EXPECT_THAT(Fail<v1::Target>(absl::StrCat("last_seen_time: ", text)), RefusedAt("1:17", "is not a time"))
        << text;
  }
}

TEST(ReadYamlTest, RefusesAnUnknownEnumValueWithTheNearestOrAll) {
  EXPECT_THAT(Fail<v1::Sql>("phase: constrian"), RefusedAt("1:8", "did you mean \"constrain\"?"));
  EXPECT_THAT(Fail<v1::Sql>("phase: whenever"),
              RefusedAt("1:8", "known are: add, dual_write, backfill, constrain, drop"));
  EXPECT_THAT(Fail<v1::Sql>("phase: unspecified"), RefusedAt("1:8", "unknown value"));
  EXPECT_THAT(Fail<v1::Sql>("phase: 1"), RefusedAt("1:8", "unknown value"));
}

TEST(ReadYamlTest, RefusesMalformedYamlWithThePlace) {
  EXPECT_THAT(Fail("name: p\n\tdescription: d\n"), RefusedAt("2:1", "malformed YAML"));
  EXPECT_THAT(Fail("name: a: b\n"), RefusedAt("1:8", "malformed YAML"));
  EXPECT_THAT(Fail("name: @p\n"), RefusedAt("1:7", "malformed YAML"));
  EXPECT_THAT(Fail("name: *nobody\n"), RefusedAt("1:7", "malformed YAML"));
}

TEST(ReadYamlTest, RefusesWhatIsLeftOpenAtTheEnd) {
  for (const char* text :
       {"name: \"p\n", "name: 'p\n", "name: \"p", "operations: [\n", "name: p\nsettings: {\n"}) {
    EXPECT_THAT(Fail(text), StatusIs(absl::StatusCode::kInvalidArgument,
                                     HasSubstr("look for a quote, bracket or brace left open")))
        << text;
  }
}

TEST(ReadYamlTest, RefusesASecondDocument) {
  EXPECT_THAT(Fail("name: p\n---\nname: q\n"), RefusedAt("2:1", "a second document begins here"));
  EXPECT_THAT(Fail("name: p\n---\n"), RefusedAt("2:1", "a second document"));
}

// yaml-cpp would find empty documents there for ever.
TEST(ReadYamlTest, RefusesACommaOutsideOfALine) {
  EXPECT_THAT(Fail(",\nname: p\n"), RefusedAt("1:1", "a second document begins here"));
  EXPECT_THAT(Fail("- a\n,\n"), RefusedAt("2:1", "a second document begins here"));
}

TEST(ReadYamlTest, RefusesAFileWithoutContent) {
  for (const char* text : {"", "\n", "# nothing\n", "---\n", "~\n"}) {
    EXPECT_THAT(Fail(text), RefusedAt("1:1", "the file is empty")) << text;
  }
}

TEST(ReadYamlTest, RefusesAnAliasInsideOfWhatItStandsFor) {
  EXPECT_THAT(Fail("operations: &all\n  - *all\n"),
              RefusedAt("1:13", "an alias inside of what it stands for"));
}

TEST(ReadYamlTest, RefusesAliasesThatExplode) {
  std::string text = "operations:\n  - add_unique: {table: t, name: n, columns: &c [a";
  for (int i = 0; i < 1000; ++i) text += ", a";
  text += "]}\n";
  for (int i = 0; i < 1000; ++i) text += "  - add_unique: {table: t, name: n, columns: *c}\n";
  EXPECT_THAT(Fail(text), StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("more than 100000 values")));
}

TEST(ReadYamlTest, RefusesWhatIsNestedTooDeep) {
  EXPECT_THAT(Fail(std::string(1 << 20, '[')),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("nested deeper")));
  const std::string deep = std::string(100, '[') + std::string(100, ']');
  EXPECT_THAT(Fail(absl::StrCat("name: ", deep)),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("nested deeper than 64 levels")));
}

TEST(ReadYamlTest, RefusesAFileAboveOneMebibyte) {
  EXPECT_THAT(Fail(std::string((1 << 20) + 1, '#')), RefusedAt("1:1", "at most 1 MiB"));
}

TEST(ReadYamlTest, RefusesEscapesThatGiveNoUtf8) {
  EXPECT_THAT(Fail("name: p\ndescription: \"a\\Nb\"\n"), RefusedAt("2:14", "write \\u0085"));
  EXPECT_THAT(Fail("name: p\ndescription: \"a\\_b\"\n"), RefusedAt("2:14", "write \\u0085 and \\u00a0"));
  EXPECT_THAT(Fail("\"na\\_me\": p\n"), RefusedAt("1:1", "write \\u0085 and \\u00a0"));
  EXPECT_EQ(Read("name: p\ndescription: \"a\\u0085\\u00a0b\\x85\"\n").description(),
            "a\xC2\x85\xC2\xA0"
            "b\xC2\x85");
}

TEST(ReadYamlTest, RefusesWhatIsNotUtf8WithThePlace) {
  EXPECT_THAT(Fail("name: p\ndescription: caf\xe9\n"), RefusedAt("2:17", "not UTF-8"));
}

// yaml-cpp takes a NUL and byte 4 for the end, and reads on behind its buffer.
TEST(ReadYamlTest, RefusesControlCharactersWithThePlace) {
  EXPECT_THAT(Fail(absl::string_view("name: p\ndescription: a\0b\n", 24)), RefusedAt("2:15", "U+0000"));
  EXPECT_THAT(Fail("name: p\ndescription: a\x04"
                   "b\n"),
              RefusedAt("2:15", "write it as \\x04"));
  EXPECT_THAT(Fail("name: p\ndescription: a\x7F\n"), RefusedAt("2:15", "U+007F"));
  EXPECT_EQ(Read("description: \"a\\x04b\"").description(),
            "a\x04"
            "b");
  EXPECT_EQ(Read("description:\ta\r\n").description(), "a");
}

TEST(ReadYamlTest, NamesAWrongEscapeInWholeCharacters) {
  const absl::Status status = Fail("name: \"\\\xC3\xA9\"");
  EXPECT_THAT(status, RefusedAt("1:10", "unknown escape character"));
  EXPECT_EQ(base::FindInvalidUtf8(status.message()), absl::string_view::npos);
}

TEST(ReadYamlTest, RefusesTheCharacterNul) { EXPECT_THAT(Fail("name: \"a\\0b\""), RefusedAt("1:7", "NUL")); }

TEST(ReadYamlTest, RefusesTagsButThatOfText) {
  EXPECT_THAT(Fail("name: !secret p"),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("tag !secret")));
  EXPECT_EQ(Read("description: !!str 12").description(), "12");
}

TEST(ReadYamlTest, RefusesAKeyThatIsNoName) {
  EXPECT_THAT(Fail("? [a, b]\n: c\n"), RefusedAt("1:3", "a key has to be a name, not a list"));
}

TEST(ReadYamlTest, TheFieldAtFaultIsADetail) {
  EXPECT_EQ(base::Detail(Fail("operations:\n  - sql: {phase: never}"), base::kField),
            "operations[0].sql.phase");
}

TEST(PlacesTest, AFieldThatDoesNotStandInTheFileIsFoundAtItsParent) {
  v1::Plan plan;
  Places places;
  ASSERT_OK(ReadYamlWithPlaces("name: p\noperations:\n  - sql:\n      up: x\n", "f", &plan, &places));
  EXPECT_EQ(places.Find("operations[0].sql.up").line, 4);
  EXPECT_EQ(places.Find("operations[0].sql.down").line, 3);
  EXPECT_EQ(places.Find("operations[7].sql").line, 2);
  EXPECT_EQ(places.Find("settings").line, 1);
  EXPECT_EQ(places.Find("").line, 1);
}

TEST(SuggestionTest, NamesTheNearestOrAll) {
  EXPECT_EQ(Suggestion("colum", {"table", "column"}), "did you mean \"column\"?");
  EXPECT_THAT(Suggestion("addColumn", {"add_column", "sql"}), HasSubstr("add_column"));
  EXPECT_EQ(Suggestion("zzzzzz", {"table", "column"}), "known are: table, column");
  EXPECT_THAT(Suggestion("x", {"up", "to"}), Not(HasSubstr("did you mean")));
}

}  // namespace
}  // namespace curlew::plan
