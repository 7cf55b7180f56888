#include "common/base/canonical_json.h"

#include <gtest/gtest.h>

#include "common/base/hash.h"
#include "common/base/proto_time.h"
#include "curlew/v1/plan.pb.h"
#include "curlew/v1/rollout.pb.h"
#include "google/protobuf/util/json_util.h"

namespace curlew::base {
namespace {

// A plan with one text in it, for what strings look like.
std::string TextOf(const std::string& text) {
  v1::Plan plan;
  plan.set_description(text);
  const std::string json = CanonicalJson(plan);
  const std::string head = "{\"description\":";
  EXPECT_EQ(json.substr(0, head.size()), head);
  return json.substr(head.size(), json.size() - head.size() - 1);
}

TEST(CanonicalJsonTest, AnEmptyMessageIsAnEmptyObject) { EXPECT_EQ(CanonicalJson(v1::Plan()), "{}"); }

TEST(CanonicalJsonTest, MembersAreSortedByNameWithoutWhiteSpace) {
  v1::Plan plan;
  plan.set_name("p");
  plan.set_description("d");
  v1::RenameColumn* rename = plan.add_operations()->mutable_rename_column();
  rename->set_up("u");
  rename->set_to("t");
  rename->set_from("f");
  rename->set_table("x");
  EXPECT_EQ(
      CanonicalJson(plan),
      R"({"description":"d","name":"p","operations":[{"rename_column":{"from":"f","table":"x","to":"t","up":"u"}}]})");
}

TEST(CanonicalJsonTest, MapsAreObjectsWithSortedMembers) {
  v1::AuditEntry entry;
  for (const char* key : {"gate", "", "cover", "\U0001F600", "\uFB01", "z", "a\"b"}) {
    (*entry.mutable_details())[key] = "1";
  }
  (*entry.mutable_details())["gate"] = "";
  // U+1F600 is D83D DE00 in UTF-16, and so before U+FB01.
  EXPECT_EQ(CanonicalJson(entry),
            "{\"details\":{\"\":\"1\",\"a\\\"b\":\"1\",\"cover\":\"1\",\"gate\":\"\",\"z\":\"1\","
            "\"\U0001F600\":\"1\",\"\uFB01\":\"1\"}}");
  v1::AuditEntry other_order;
  for (const char* key : {"a\"b", "z", "\uFB01", "\U0001F600", "cover", "", "gate"}) {
    (*other_order.mutable_details())[key] = key == std::string("gate") ? "" : "1";
  }
  EXPECT_EQ(CanonicalDigest(other_order), CanonicalDigest(entry));
}

TEST(CanonicalJsonTest, FieldsThatHoldTheirDefaultAreLeftOut) {
  v1::Plan plan;
  plan.set_name("");
  v1::AddColumn* add = plan.add_operations()->mutable_add_column();
  add->set_not_null(false);
  add->set_table("t");
  EXPECT_EQ(CanonicalJson(plan), R"({"operations":[{"add_column":{"table":"t"}}]})");
}

TEST(CanonicalJsonTest, AMemberOfAOneofIsKeptWhereItIsSetToItsDefault) {
  v1::Plan plan;
  plan.add_operations()->mutable_set_not_null();
  EXPECT_EQ(CanonicalJson(plan), R"({"operations":[{"set_not_null":{}}]})");
}

TEST(CanonicalJsonTest, ListsKeepTheirOrder) {
  v1::AddUnique unique;
  unique.add_columns("b");
  unique.add_columns("");
  unique.add_columns("a");
  EXPECT_EQ(CanonicalJson(unique), R"({"columns":["b","","a"]})");
}

TEST(CanonicalJsonTest, BooleansEnumsAndNumbers) {
  v1::Sql sql;
  sql.set_irreversible(true);
  sql.set_phase(v1::PHASE_DROP);
  EXPECT_EQ(CanonicalJson(sql), R"({"irreversible":true,"phase":"PHASE_DROP"})");
  v1::Attempt attempt;
  attempt.set_number(-7);
  // Above 2^53, where a reader of JSON numbers would round.
  attempt.set_epoch(9'007'199'254'740'993);
  EXPECT_EQ(CanonicalJson(attempt), R"({"epoch":"9007199254740993","number":-7})");
}

TEST(CanonicalJsonTest, DurationsAndTimesAreThoseOfProto3Json) {
  v1::PlanSettings settings;
  *settings.mutable_max_lock_timeout() = ToProto(absl::Milliseconds(1500));
  *settings.mutable_ddl_statement_timeout() = ToProto(absl::Seconds(2));
  EXPECT_EQ(CanonicalJson(settings), R"({"ddl_statement_timeout":"2s","max_lock_timeout":"1.500s"})");
  v1::Approval approval;
  *approval.mutable_time() = ToProto(absl::FromUnixSeconds(0));
  EXPECT_EQ(CanonicalJson(approval), R"({"time":"1970-01-01T00:00:00Z"})");
}

// RFC 8785, 3.2.2.2: the short escapes where there is one, \u00xx in lower case for the other control
// characters, nothing else escaped.
TEST(CanonicalJsonTest, StringsHaveTheShortestEscapes) {
  EXPECT_EQ(TextOf("\b\t\n\f\r"), R"("\b\t\n\f\r")");
  EXPECT_EQ(TextOf("\"\\"), R"("\"\\")");
  EXPECT_EQ(TextOf("\x01\x0f\x1f"), R"("\u0001\u000f\u001f")");
  EXPECT_EQ(TextOf("a/b'<&>\x7f"), "\"a/b'<&>\x7f\"");
  EXPECT_EQ(TextOf("\u20ac\u00f6\U0001F600\u2028"), "\"\u20ac\u00f6\U0001F600\u2028\"");
  EXPECT_EQ(TextOf(std::string("a\0b", 3)), R"("a\u0000b")");
}

TEST(CanonicalJsonTest, TheSameContentGivesTheSameBytesHoweverItWasMade) {
  v1::Plan one, other;
  one.set_name("p");
  one.mutable_settings()->add_acknowledge("published-table");
  other.mutable_settings()->add_acknowledge("x");
  other.mutable_settings()->set_acknowledge(0, "published-table");
  other.set_name("q");
  other.set_name("p");
  EXPECT_EQ(CanonicalJson(one), CanonicalJson(other));
  v1::Plan parsed;
  ASSERT_TRUE(parsed.ParseFromString(one.SerializeAsString()));
  EXPECT_EQ(CanonicalJson(parsed), CanonicalJson(one));
}

TEST(CanonicalJsonTest, IsJsonThatReadsBackToTheSameMessage) {
  v1::Plan plan;
  plan.set_name("p");
  plan.set_description("tabs\t, \"quotes\", \u20ac and a \\");
  v1::Sql* sql = plan.add_operations()->mutable_sql();
  sql->set_up("SELECT 1;\nSELECT 2");
  sql->set_phase(v1::PHASE_CONSTRAIN);
  *plan.mutable_settings()->mutable_lock_retry_deadline() = ToProto(absl::Minutes(3));
  v1::Plan read;
  ASSERT_TRUE(google::protobuf::util::JsonStringToMessage(CanonicalJson(plan), &read).ok());
  EXPECT_EQ(read.SerializeAsString(), plan.SerializeAsString());
}

TEST(CanonicalJsonTest, TheDigestIsThatOfTheCanonicalForm) {
  v1::Plan plan;
  plan.set_name("p");
  EXPECT_EQ(CanonicalDigest(plan), Sha256Hex(R"({"name":"p"})"));
}

TEST(CanonicalJsonDeathTest, FloatingPointHasNoCanonicalForm) {
  v1::Progress progress;
  progress.set_fraction(0.5);
  EXPECT_DEATH(CanonicalJson(progress), "no floating point");
}

}  // namespace
}  // namespace curlew::base
