#include "common/base/proto_time.h"

#include <gtest/gtest.h>

#include <vector>

namespace curlew::base {
namespace {

TEST(ProtoTimeTest, TimesComeBackAsTheyWere) {
  const std::vector<absl::Time> times = {absl::UnixEpoch(),
                                         absl::FromUnixSeconds(1'800'000'000),
                                         absl::FromUnixNanos(1'800'000'000'123'456'789),
                                         absl::FromUnixNanos(-1),
                                         absl::FromUnixSeconds(-62'135'596'800),
                                         absl::FromUnixSeconds(253'402'300'799)};
  for (absl::Time time : times) EXPECT_EQ(FromProto(ToProto(time)), time) << time;
}

// timestamp.proto: nanos count forward in time and are never negative.
TEST(ProtoTimeTest, NanosOfATimeBefore1970AreNotNegative) {
  const google::protobuf::Timestamp proto = ToProto(absl::FromUnixNanos(-1));
  EXPECT_EQ(proto.seconds(), -1);
  EXPECT_EQ(proto.nanos(), 999'999'999);
}

TEST(ProtoTimeTest, DurationsComeBackAsTheyWere) {
  const std::vector<absl::Duration> durations = {
      absl::ZeroDuration(),    absl::Nanoseconds(1),
      absl::Milliseconds(500), absl::Seconds(90) + absl::Nanoseconds(5),
      absl::Hours(24 * 365),   -absl::Milliseconds(1500),
      -absl::Nanoseconds(1)};
  for (absl::Duration duration : durations) EXPECT_EQ(FromProto(ToProto(duration)), duration) << duration;
}

// duration.proto: seconds and nanos have the same sign.
TEST(ProtoTimeTest, BothPartsOfADurationHaveTheSameSign) {
  const google::protobuf::Duration proto = ToProto(-absl::Milliseconds(1500));
  EXPECT_EQ(proto.seconds(), -1);
  EXPECT_EQ(proto.nanos(), -500'000'000);
}

}  // namespace
}  // namespace curlew::base
