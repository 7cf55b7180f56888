// What every LeaderLease promises. Each implementation passes all of it: a test that includes this says
//   INSTANTIATE_TYPED_TEST_SUITE_P(Name, LeaderLeaseTest, Implementation);
#ifndef CURLEW_TESTS_CONTROLLER_STORE_LEADER_LEASE_SUITE_H_
#define CURLEW_TESTS_CONTROLLER_STORE_LEADER_LEASE_SUITE_H_

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>

#include "controller/store/leader_lease.h"
#include "tests/support/status_matchers.h"

namespace curlew::store {

// An Implementation is made anew for each test, with a store that nobody leads. It has one method:
//   std::unique_ptr<LeaderLease> Lease(const std::string& instance);  // its address is INSTANCE:7441
template <typename Implementation>
class LeaderLeaseTest : public ::testing::Test {
 protected:
  static Leadership Hold(LeaderLease& lease) {
    const auto leadership = lease.Hold();
    EXPECT_OK(leadership);
    return leadership.ok() ? *leadership : Leadership{.epoch = -1};
  }

  Implementation implementation_;
  std::unique_ptr<LeaderLease> a_ = implementation_.Lease("a");
  std::unique_ptr<LeaderLease> b_ = implementation_.Lease("b");
};
TYPED_TEST_SUITE_P(LeaderLeaseTest);

TYPED_TEST_P(LeaderLeaseTest, TheFirstTakesItAndRenewsIt) {
  const Leadership first = this->Hold(*this->a_);
  EXPECT_TRUE(first.mine);
  EXPECT_GT(first.epoch, 0);
  EXPECT_EQ(first.address, "a:7441");
  for (int i = 0; i < 3; ++i) {
    const Leadership again = this->Hold(*this->a_);
    EXPECT_TRUE(again.mine);
    EXPECT_EQ(again.epoch, first.epoch);
  }
}

TYPED_TEST_P(LeaderLeaseTest, AContenderIsToldWhoLeads) {
  const Leadership leader = this->Hold(*this->a_);
  for (int i = 0; i < 3; ++i) {
    const Leadership seen = this->Hold(*this->b_);
    EXPECT_FALSE(seen.mine);
    EXPECT_EQ(seen.epoch, leader.epoch);
    EXPECT_EQ(seen.address, "a:7441");
  }
  EXPECT_TRUE(this->Hold(*this->a_).mine);
}

TYPED_TEST_P(LeaderLeaseTest, WhatWasReleasedGoesToTheNextUnderANewEpoch) {
  const Leadership first = this->Hold(*this->a_);
  this->a_->Release();
  const Leadership second = this->Hold(*this->b_);
  EXPECT_TRUE(second.mine);
  EXPECT_EQ(second.epoch, first.epoch + 1);
  const Leadership seen = this->Hold(*this->a_);
  EXPECT_FALSE(seen.mine);
  EXPECT_EQ(seen.address, "b:7441");
  this->b_->Release();
  const Leadership third = this->Hold(*this->a_);
  EXPECT_TRUE(third.mine);
  EXPECT_EQ(third.epoch, first.epoch + 2);
}

TYPED_TEST_P(LeaderLeaseTest, ReleasingWhatOneHasNotChangesNothing) {
  this->a_->Release();
  const Leadership leader = this->Hold(*this->a_);
  this->b_->Release();
  EXPECT_FALSE(this->Hold(*this->b_).mine);
  const Leadership again = this->Hold(*this->a_);
  EXPECT_TRUE(again.mine);
  EXPECT_EQ(again.epoch, leader.epoch);
}

TYPED_TEST_P(LeaderLeaseTest, TheSameProcessTakesItUnderANewEpochAfterItReleasedIt) {
  const Leadership first = this->Hold(*this->a_);
  this->a_->Release();
  this->a_->Release();
  const Leadership second = this->Hold(*this->a_);
  EXPECT_TRUE(second.mine);
  EXPECT_EQ(second.epoch, first.epoch + 1);
}

TYPED_TEST_P(LeaderLeaseTest, HasATerm) { EXPECT_GT(this->a_->term(), absl::ZeroDuration()); }

REGISTER_TYPED_TEST_SUITE_P(LeaderLeaseTest, TheFirstTakesItAndRenewsIt, AContenderIsToldWhoLeads,
                            WhatWasReleasedGoesToTheNextUnderANewEpoch, ReleasingWhatOneHasNotChangesNothing,
                            TheSameProcessTakesItUnderANewEpochAfterItReleasedIt, HasATerm);

}  // namespace curlew::store

#endif  // CURLEW_TESTS_CONTROLLER_STORE_LEADER_LEASE_SUITE_H_
