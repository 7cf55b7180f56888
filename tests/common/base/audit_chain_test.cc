#include "common/base/audit_chain.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>

#include "common/base/hash.h"
#include "tests/support/status_matchers.h"

namespace curlew::base {
namespace {

using ::curlew::testing::IsOk;
using ::curlew::testing::StatusIs;
using ::testing::HasSubstr;

v1::AuditEntry Entry(int64_t number, absl::string_view previous_hash) {
  v1::AuditEntry entry;
  entry.set_number(number);
  entry.mutable_time()->set_seconds(1700000000);
  entry.set_actor("ann");
  entry.set_action("rollout.approve");
  entry.set_resource("rollouts/r");
  (*entry.mutable_details())["gate"] = "staging/before";
  entry.set_previous_hash(std::string(previous_hash));
  entry.set_hash(HashOf(entry));
  return entry;
}

// Whoever writes a checker of his own starts from here; entries that are stored depend on it for ever.
TEST(AuditChainTest, TheHashIsOfTheCanonicalFormWithoutIt) {
  const v1::AuditEntry entry = Entry(1, kNoAuditHash);
  EXPECT_EQ(
      entry.hash(),
      Sha256Hex(
          R"({"action":"rollout.approve","actor":"ann","details":{"gate":"staging/before"},"number":"1",)"
          R"("previous_hash":"0000000000000000000000000000000000000000000000000000000000000000",)"
          R"("resource":"rollouts/r","time":"2023-11-14T22:13:20Z"})"));
  v1::AuditEntry again = entry;
  again.set_hash("something else");
  EXPECT_EQ(HashOf(again), entry.hash());
}

TEST(AuditChainTest, AChainHolds) {
  const v1::AuditEntry first = Entry(1, kNoAuditHash);
  const v1::AuditEntry second = Entry(2, first.hash());
  EXPECT_THAT(CheckChain(0, kNoAuditHash, first), IsOk());
  EXPECT_THAT(CheckChain(1, first.hash(), second), IsOk());
}

TEST(AuditChainTest, EveryChangeOfAnEntryShows) {
  const v1::AuditEntry entry = Entry(1, kNoAuditHash);
  const std::vector<std::function<void(v1::AuditEntry&)>> changes = {
      [](v1::AuditEntry& e) { e.mutable_time()->set_nanos(1); },
      [](v1::AuditEntry& e) { e.set_actor("bob"); },
      [](v1::AuditEntry& e) { e.set_action("rollout.abort"); },
      [](v1::AuditEntry& e) { e.set_resource("rollouts/s"); },
      [](v1::AuditEntry& e) { e.set_reason("because"); },
      [](v1::AuditEntry& e) { (*e.mutable_details())["gate"] = "production/before"; },
      [](v1::AuditEntry& e) { (*e.mutable_details())["x"] = ""; },
      [](v1::AuditEntry& e) { e.clear_details(); },
      [](v1::AuditEntry& e) { e.set_hash(std::string(64, 'a')); },
      [](v1::AuditEntry& e) { e.set_previous_hash(std::string(64, 'a')); },
  };
  for (size_t i = 0; i < changes.size(); ++i) {
    v1::AuditEntry changed = entry;
    changes[i](changed);
    EXPECT_THAT(CheckChain(0, kNoAuditHash, changed),
                StatusIs(absl::StatusCode::kDataLoss, HasSubstr("audit entry 1 was changed")))
        << i;
  }
}

TEST(AuditChainTest, SaysWhatIsMissing) {
  const v1::AuditEntry entry = Entry(5, std::string(64, 'a'));
  EXPECT_THAT(CheckChain(3, std::string(64, 'b'), entry),
              StatusIs(absl::StatusCode::kDataLoss, HasSubstr("audit entry 4 is missing")));
  EXPECT_THAT(CheckChain(1, std::string(64, 'b'), entry),
              StatusIs(absl::StatusCode::kDataLoss, HasSubstr("audit entries 2 to 4 are missing")));
  EXPECT_THAT(CheckChain(5, std::string(64, 'b'), entry),
              StatusIs(absl::StatusCode::kDataLoss, HasSubstr("renumbered")));
  EXPECT_THAT(CheckChain(4, std::string(64, 'b'), entry),
              StatusIs(absl::StatusCode::kDataLoss, HasSubstr("entry 4 or entries before it were replaced")));
  EXPECT_THAT(CheckChain(4, std::string(64, 'a'), entry), IsOk());
}

TEST(AuditChainTest, TheSignedTextIsNumberAndHash) {
  EXPECT_EQ(AuditHeadText(12, "ab"), "curlew-audit-head\n12\nab\n");
}

}  // namespace
}  // namespace curlew::base
