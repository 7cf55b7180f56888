#include "cli/audit_check.h"

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace curlew::cli {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

// A log of `count` entries that holds.
std::vector<v1::AuditEntry> Log(int count, const std::string& actor = "ann") {
  std::vector<v1::AuditEntry> log;
  std::string hash(base::kNoAuditHash);
  for (int i = 1; i <= count; ++i) {
    v1::AuditEntry& entry = log.emplace_back();
    entry.set_number(i);
    entry.set_actor(actor);
    entry.set_action("rollout.approve");
    entry.set_previous_hash(hash);
    hash = base::HashOf(entry);
    entry.set_hash(hash);
  }
  return log;
}

v1::AuditHead HeadOf(const std::vector<v1::AuditEntry>& log) {
  v1::AuditHead head;
  head.set_hash(std::string(base::kNoAuditHash));
  if (log.empty()) return head;
  head.set_number(log.back().number());
  head.set_hash(log.back().hash());
  return head;
}

std::vector<std::string> Problems(const std::vector<v1::AuditEntry>& log, const v1::AuditHead& head,
                                  std::optional<KeptHead> kept = std::nullopt) {
  AuditCheck check(std::move(kept));
  for (const v1::AuditEntry& entry : log) check.Add(entry);
  check.Finish(head);
  return check.problems();
}

TEST(AuditCheckTest, ALogThatWasOnlyAddedToIsFine) {
  EXPECT_THAT(Problems({}, HeadOf({})), IsEmpty());
  const auto log = Log(5);
  EXPECT_THAT(Problems(log, HeadOf(log)), IsEmpty());
  for (const v1::AuditEntry& entry : log) {
    EXPECT_THAT(Problems(log, HeadOf(log), KeptHead{entry.number(), entry.hash()}), IsEmpty());
  }
}

TEST(AuditCheckTest, AnEntryThatWasChangedIsNamedAlone) {
  auto log = Log(5);
  log[2].set_actor("bob");
  EXPECT_THAT(Problems(log, HeadOf(log)), ElementsAre(HasSubstr("audit entry 3 was changed")));
}

TEST(AuditCheckTest, AChangeWithItsHashMadeUpShowsInTheNextOne) {
  auto log = Log(5);
  log[2].set_actor("bob");
  log[2].set_hash(base::HashOf(log[2]));
  EXPECT_THAT(Problems(log, HeadOf(log)),
              ElementsAre(HasSubstr("entry 3 or entries before it were replaced")));
}

TEST(AuditCheckTest, EntriesThatWereRemovedFromTheMiddleAreNamed) {
  auto log = Log(7);
  log.erase(log.begin() + 4);
  EXPECT_THAT(Problems(log, HeadOf(log)), ElementsAre(HasSubstr("audit entry 5 is missing")));
  log.erase(log.begin() + 1, log.begin() + 3);
  EXPECT_THAT(Problems(log, HeadOf(log)), ElementsAre(HasSubstr("audit entries 2 to 3 are missing"),
                                                      HasSubstr("audit entry 5 is missing")));
  EXPECT_THAT(
      Problems({log.begin() + 1, log.end()}, HeadOf(log)),
      ElementsAre(HasSubstr("audit entries 1 to 3 are missing"), HasSubstr("audit entry 5 is missing")));
}

TEST(AuditCheckTest, WhatTheHeadHasAndTheLogDoesNotIsNamed) {
  const auto log = Log(5);
  EXPECT_THAT(Problems({log.begin(), log.begin() + 3}, HeadOf(log)),
              ElementsAre(HasSubstr(
                  "entries 4 to 5 cannot be read: the head is entry 5, the last one that is there 3")));
  v1::AuditHead other = HeadOf(log);
  other.set_hash(std::string(64, 'a'));
  EXPECT_THAT(Problems(log, other), ElementsAre(HasSubstr("the head has another hash than entry 5")));
}

TEST(AuditCheckTest, AnEndThatWasCutOffShowsByAKeptHead) {
  const auto log = Log(5);
  const std::vector<v1::AuditEntry> cut = {log.begin(), log.begin() + 3};
  EXPECT_THAT(Problems(cut, HeadOf(cut)), IsEmpty());
  EXPECT_THAT(
      Problems(cut, HeadOf(cut), KeptHead{5, log[4].hash()}),
      ElementsAre("the end is gone, entries 4 to 5: the log ends at 3, and had 5 when the head was kept"));
}

TEST(AuditCheckTest, AWholeLogThatWasMadeUpShowsByAKeptHead) {
  const auto log = Log(5), forged = Log(6, "nobody");
  EXPECT_THAT(Problems(forged, HeadOf(forged)), IsEmpty());
  EXPECT_THAT(Problems(forged, HeadOf(forged), KeptHead{5, log[4].hash()}),
              ElementsAre(HasSubstr("entry 5, or one before it, was rewritten since the head was kept")));
}

TEST(AuditCheckTest, AnEntryOfANewerVersionIsNotCalledAForgery) {
  auto log = Log(2);
  v1::AuditEntry::GetReflection()->MutableUnknownFields(&log[0])->AddVarint(1000, 1);
  EXPECT_THAT(Problems(log, HeadOf(log)), ElementsAre(HasSubstr("check with the controller's version")));
}

}  // namespace
}  // namespace curlew::cli
