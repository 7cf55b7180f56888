#include "controller/session/lease_table.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <ostream>

#include "absl/strings/str_cat.h"

namespace curlew::session {

void PrintTo(const LeaseChanges::Move& move, std::ostream* out) {
  *out << move.target << ": " << move.from << " -> " << move.to << (move.same_process ? " same" : "");
}

namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::UnorderedElementsAre;

// "1 crm GRANTED", for all notices.
std::vector<std::string> Told(const LeaseChanges& changes) {
  std::vector<std::string> told;
  for (const auto& notice : changes.notices) {
    told.push_back(
        absl::StrCat(notice.session, " ", notice.target, " ", v1::LeaseState_Name(notice.state).substr(12)));
  }
  return told;
}

// "crm 1>2", for all moves.
std::vector<std::string> Moves(const LeaseChanges& changes) {
  std::vector<std::string> moves;
  for (const auto& move : changes.moves) {
    moves.push_back(
        absl::StrCat(move.target, " ", move.from, ">", move.to, move.same_process ? " same" : ""));
  }
  return moves;
}

class LeaseTableTest : public ::testing::Test {
 protected:
  LeaseTableTest() { leases_.SetKnown({"crm", "shop"}); }
  LeaseTable leases_;
};

TEST_F(LeaseTableTest, GrantsAFreeTarget) {
  const LeaseChanges changes = leases_.Add(1, "a", "i", {"crm", "shop", "crm"});
  EXPECT_THAT(Told(changes), ElementsAre("1 crm GRANTED", "1 shop GRANTED"));
  EXPECT_THAT(Moves(changes), ElementsAre("crm 0>1", "shop 0>1"));
}

TEST_F(LeaseTableTest, RefusesAnUnknownTargetByNameAndGrantsItWhenItIsApplied) {
  const LeaseChanges refused = leases_.Add(1, "a", "i", {"nosuch"});
  EXPECT_THAT(Told(refused), ElementsAre("1 nosuch REFUSED"));
  EXPECT_THAT(refused.notices[0].reason, HasSubstr("\"nosuch\" is in no environment"));
  EXPECT_THAT(refused.notices[0].reason, HasSubstr("curlew env apply"));
  EXPECT_THAT(refused.moves, IsEmpty());
  EXPECT_THAT(Told(leases_.SetKnown({"nosuch"})), ElementsAre("1 nosuch GRANTED"));
}

TEST_F(LeaseTableTest, AnotherProcessOfTheSameAgentIsAStandbyThatTakesOver) {
  leases_.Add(1, "a", "i", {"crm"});
  EXPECT_THAT(Told(leases_.Add(2, "a", "j", {"crm"})), ElementsAre("2 crm STANDBY"));
  const LeaseChanges taken = leases_.Remove(1);
  EXPECT_THAT(Told(taken), ElementsAre("2 crm GRANTED"));
  EXPECT_THAT(Moves(taken), ElementsAre("crm 1>0", "crm 0>2"));
}

TEST_F(LeaseTableTest, AnotherAgentIsRefusedByTheNameOfTheFirstAndGrantedWhenThatIsGone) {
  leases_.Add(1, "a", "i", {"crm"});
  const LeaseChanges refused = leases_.Add(2, "b", "j", {"crm", "shop"});
  EXPECT_THAT(Told(refused), ElementsAre("2 crm REFUSED", "2 shop GRANTED"));
  EXPECT_THAT(refused.notices[0].reason, HasSubstr("agent \"a\""));
  EXPECT_THAT(Told(leases_.Remove(1)), ElementsAre("2 crm GRANTED"));
}

TEST_F(LeaseTableTest, AStandbyGoesBeforeAnotherAgentThatCameEarlier) {
  leases_.Add(1, "a", "i", {"crm"});
  leases_.Add(2, "b", "j", {"crm"});
  leases_.Add(3, "a", "k", {"crm"});
  EXPECT_THAT(Told(leases_.Remove(1)), UnorderedElementsAre("3 crm GRANTED"));
}

TEST_F(LeaseTableTest, ThoseRefusedLearnWhoServesNow) {
  leases_.Add(1, "a", "i", {"crm"});
  leases_.Add(2, "b", "j", {"crm"});
  leases_.Add(3, "c", "k", {"crm"});
  const LeaseChanges changes = leases_.Remove(1);
  EXPECT_THAT(Told(changes), ElementsAre("2 crm GRANTED", "3 crm REFUSED"));
  EXPECT_THAT(changes.notices[1].reason, HasSubstr("agent \"b\""));
}

TEST_F(LeaseTableTest, ANewerStreamOfTheSameProcessTakesOverAtOnce) {
  leases_.Add(1, "a", "i", {"crm", "shop"});
  const LeaseChanges changes = leases_.Add(2, "a", "i", {"crm"});
  EXPECT_THAT(changes.replaced, ElementsAre(1));
  EXPECT_THAT(Told(changes), ElementsAre("2 crm GRANTED"));
  EXPECT_THAT(Moves(changes), ElementsAre("crm 1>2 same", "shop 1>0"));
  EXPECT_THAT(leases_.Remove(1).moves, IsEmpty()) << "the old stream holds nothing any more";
}

TEST_F(LeaseTableTest, AReconnectingHolderKeepsItsPlaceBeforeStandbys) {
  leases_.Add(1, "a", "i", {"crm"});
  leases_.Add(2, "a", "j", {"crm"});
  EXPECT_THAT(Moves(leases_.Add(3, "a", "i", {"crm"})), ElementsAre("crm 1>3 same"));
}

TEST_F(LeaseTableTest, AReconnectingStandbyStaysOne) {
  leases_.Add(1, "a", "i", {"crm"});
  leases_.Add(2, "a", "j", {"crm"});
  const LeaseChanges changes = leases_.Add(3, "a", "j", {"crm"});
  EXPECT_THAT(changes.replaced, ElementsAre(2));
  EXPECT_THAT(Told(changes), ElementsAre("3 crm STANDBY"));
  EXPECT_THAT(changes.moves, IsEmpty());
}

TEST_F(LeaseTableTest, ATargetThatLeavesThePipelineIsTakenBackAndGivenAgainLater) {
  leases_.Add(1, "a", "i", {"crm"});
  const LeaseChanges gone = leases_.SetKnown({"shop"});
  EXPECT_THAT(Told(gone), ElementsAre("1 crm REVOKED"));
  EXPECT_THAT(Moves(gone), ElementsAre("crm 1>0"));
  EXPECT_THAT(leases_.SetKnown({"shop"}).notices, IsEmpty()) << "nothing is said twice";
  EXPECT_THAT(Told(leases_.SetKnown({"crm"})), ElementsAre("1 crm GRANTED"));
}

TEST_F(LeaseTableTest, ForgetsASessionThatIsGone) {
  leases_.Add(1, "a", "i", {"crm"});
  EXPECT_THAT(Moves(leases_.Remove(1)), ElementsAre("crm 1>0"));
  EXPECT_THAT(leases_.Remove(1).moves, IsEmpty());
  EXPECT_THAT(Told(leases_.Add(2, "b", "j", {"crm"})), ElementsAre("2 crm GRANTED"));
}

}  // namespace
}  // namespace curlew::session
