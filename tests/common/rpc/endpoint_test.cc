#include "common/rpc/endpoint.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/support/status_matchers.h"

namespace curlew::rpc {
namespace {

using ::curlew::testing::IsOk;
using ::curlew::testing::StatusIs;
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
  EXPECT_THAT(MakeChannel("db.example.org:7441"), StatusIs(absl::StatusCode::kFailedPrecondition));
  EXPECT_THAT(MakeChannel("127.0.0.1:7441"), IsOk());
}

TEST(EndpointTest, ClientsProbeLessOftenThanTheServerAllows) { EXPECT_GT(kKeepaliveTime, kShortestPing); }

}  // namespace
}  // namespace curlew::rpc
