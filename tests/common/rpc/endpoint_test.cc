#include "common/rpc/endpoint.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/support/status_matchers.h"

namespace curlew::rpc {
namespace {

using ::curlew::testing::IsOk;
using ::curlew::testing::StatusIs;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

TEST(EndpointTest, AcceptsAddressesOfThisMachineAlone) {
  for (const char* address :
       {"127.0.0.1:7441", "127.8.9.10:0", "localhost:1", "[::1]:65535", "unix:/tmp/socket"}) {
    EXPECT_THAT(CheckLoopback(address), IsOk()) << address;
  }
}

TEST(EndpointTest, RefusesAddressesThatOthersReachAndSaysWhatToDo) {
  for (const char* address : {"0.0.0.0:7441", "10.0.0.1:7441", "[::]:7441", "db.example.org:7441",
                              "127.0.0.1.nip.io:1", "128.0.0.1:1", "localhost.example:1"}) {
    EXPECT_THAT(CheckLoopback(address),
                StatusIs(absl::StatusCode::kFailedPrecondition, HasSubstr("plain text")))
        << address;
  }
}

TEST(EndpointTest, RefusesWhatIsNoAddress) {
  for (const char* address :
       {"", "127.0.0.1", "127.0.0.1:", "127.0.0.1:http", "127.0.0.1:70000", "::1:7441", ":7441"}) {
    EXPECT_THAT(CheckLoopback(address), StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("HOST:PORT")))
        << address;
  }
}

TEST(EndpointTest, MakesNoChannelToAnotherMachine) {
  EXPECT_THAT(MakeChannel("db.example.org:7441", Transport::Plain()),
              StatusIs(absl::StatusCode::kFailedPrecondition));
  EXPECT_THAT(MakeChannel("127.0.0.1:7441", Transport::Plain()), IsOk());
}

TEST(EndpointTest, SeveralControllersAreOneTargetOfAddresses) {
  const auto two = ParseControllers("127.0.0.1:7441, localhost:7442", Transport::Plain());
  ASSERT_THAT(two, IsOk());
  EXPECT_EQ(two->target, "ipv4:127.0.0.1:7441,127.0.0.1:7442");
  EXPECT_EQ(two->controllers, Controllers::kSeveral);
  EXPECT_THAT(two->each, ElementsAre("127.0.0.1:7441", "127.0.0.1:7442"));
  const auto six = ParseControllers("[::1]:1,[::1]:2", Transport::Plain());
  ASSERT_THAT(six, IsOk());
  EXPECT_EQ(six->target, "ipv6:[::1]:1,[::1]:2");
  const auto name = ParseControllers("dns:///localhost:7441", Transport::Plain());
  ASSERT_THAT(name, IsOk());
  EXPECT_EQ(name->target, "dns:///localhost:7441");
  EXPECT_EQ(name->controllers, Controllers::kSeveral);
  const auto one = ParseControllers("localhost:7441", Transport::Plain());
  ASSERT_THAT(one, IsOk());
  EXPECT_EQ(one->target, "localhost:7441");
  EXPECT_EQ(one->controllers, Controllers::kOne);
}

TEST(EndpointTest, RefusesListsThatCannotBeOneTargetAndAddressesInThemThatOthersReach) {
  for (const char* text : {"127.0.0.1:1,", ",", "127.0.0.1:1,[::1]:2", "127.0.0.1:1,unix:/tmp/s",
                           "127.0.0.1:1,dns:///localhost:1", "127.0.0.1:1,127.0.0.1"}) {
    EXPECT_THAT(ParseControllers(text, Transport::Plain()),
                StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("HOST:PORT")))
        << text;
  }
  for (const char* text : {"127.0.0.1:1,10.0.0.1:1", "dns:///db.example.org:1"}) {
    EXPECT_THAT(ParseControllers(text, Transport::Plain()),
                StatusIs(absl::StatusCode::kFailedPrecondition, HasSubstr("plain text")))
        << text;
  }
}

TEST(EndpointTest, ClientsProbeLessOftenThanTheServerAllows) { EXPECT_GT(kKeepaliveTime, kShortestPing); }

}  // namespace
}  // namespace curlew::rpc
