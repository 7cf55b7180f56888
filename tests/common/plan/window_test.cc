#include "common/plan/window.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "common/base/error_detail.h"
#include "common/base/proto_time.h"
#include "tests/support/status_matchers.h"

namespace curlew::plan {
namespace {

using ::testing::HasSubstr;

v1::Window Proto(const std::string& cron, absl::Duration duration, const std::string& zone = "") {
  v1::Window window;
  window.set_cron(cron);
  *window.mutable_duration() = base::ToProto(duration);
  window.set_time_zone(zone);
  return window;
}

Window Make(const std::string& cron, absl::Duration duration, const std::string& zone = "") {
  absl::StatusOr<Window> window = Window::Parse(Proto(cron, duration, zone));
  EXPECT_TRUE(window.ok()) << window.status();
  return *std::move(window);
}

absl::Time At(const std::string& text) {
  absl::Time time;
  std::string error;
  EXPECT_TRUE(absl::ParseTime(absl::RFC3339_full, text, &time, &error)) << error;
  return time;
}

// In UTC.
std::string Text(absl::Time time) {
  return absl::FormatTime("%Y-%m-%dT%H:%M:%SZ", time, absl::UTCTimeZone());
}

std::string Opening(const std::string& cron, const std::string& now, const std::string& zone = "",
                    absl::Duration duration = absl::Minutes(1)) {
  return Text(Make(cron, duration, zone).NextOpening(At(now)));
}

TEST(WindowTest, OpensAtItsMinuteAndClosesAfterItsDuration) {
  const Window window = Make("30 2 * * *", absl::Hours(4));
  EXPECT_FALSE(window.IsOpen(At("2026-11-28T02:29:59Z")));
  EXPECT_TRUE(window.IsOpen(At("2026-11-28T02:30:00Z")));
  EXPECT_TRUE(window.IsOpen(At("2026-11-28T06:29:59Z")));
  EXPECT_FALSE(window.IsOpen(At("2026-11-28T06:30:00Z")));
  EXPECT_EQ(Text(*window.ClosesAt(At("2026-11-28T03:00:00Z"))), "2026-11-28T06:30:00Z");
  EXPECT_EQ(window.ClosesAt(At("2026-11-28T07:00:00Z")), std::nullopt);
  EXPECT_EQ(window.text(), "30 2 * * * for 4h (UTC)");
}

TEST(WindowTest, FieldsAreListsRangesAndSteps) {
  EXPECT_EQ(Opening("*/20 * * * *", "2026-11-28T10:01:00Z"), "2026-11-28T10:20:00Z");
  EXPECT_EQ(Opening("5,50 * * * *", "2026-11-28T10:06:00Z"), "2026-11-28T10:50:00Z");
  EXPECT_EQ(Opening("0 9-17/4 * * *", "2026-11-28T10:00:00Z"), "2026-11-28T13:00:00Z");
  EXPECT_EQ(Opening("0 9-10,22 * * *", "2026-11-28T10:30:00Z"), "2026-11-28T22:00:00Z");
  EXPECT_EQ(Opening("0 0 1 */3 *", "2026-11-28T10:00:00Z"), "2027-01-01T00:00:00Z");
  EXPECT_EQ(Opening("  0\t6 * *   * ", "2026-11-28T10:00:00Z"), "2026-11-29T06:00:00Z");
}

TEST(WindowTest, SundayIsZeroAndSeven) {
  // 2026-11-28 is a Saturday.
  EXPECT_EQ(Opening("0 2 * * 0", "2026-11-28T10:00:00Z"), "2026-11-29T02:00:00Z");
  EXPECT_EQ(Opening("0 2 * * 7", "2026-11-28T10:00:00Z"), "2026-11-29T02:00:00Z");
  EXPECT_EQ(Opening("0 2 * * 6-7", "2026-11-28T01:00:00Z"), "2026-11-28T02:00:00Z");
  EXPECT_EQ(Opening("0 2 * * 1-5", "2026-11-28T10:00:00Z"), "2026-11-30T02:00:00Z");
}

TEST(WindowTest, WithBothDaysRestrictedOneIsEnough) {
  const std::string friday13 = "0 0 13 * 5";
  EXPECT_EQ(Opening(friday13, "2026-11-28T10:00:00Z"), "2026-12-04T00:00:00Z");  // a Friday
  EXPECT_EQ(Opening(friday13, "2026-12-11T10:00:00Z"), "2026-12-13T00:00:00Z");  // a 13th
  // As cron(5) says of a field that begins with *: both must hold.
  EXPECT_EQ(Opening("0 0 13 * */5", "2026-11-28T10:00:00Z"), "2026-12-13T00:00:00Z");  // a Sunday
  EXPECT_EQ(Opening("0 0 13 * */5", "2026-12-14T10:00:00Z"), "2027-06-13T00:00:00Z");
}

TEST(WindowTest, The29thOfFebruaryComes) {
  EXPECT_EQ(Opening("0 0 29 2 *", "2096-03-01T00:00:00Z"), "2104-02-29T00:00:00Z");
  EXPECT_EQ(Opening("0 0 29 2 */6", "2026-01-01T00:00:00Z"), "2032-02-29T00:00:00Z");  // a Sunday
}

TEST(WindowTest, LooksAtTheWallClockOfItsZone) {
  EXPECT_EQ(Opening("0 2 * * *", "2026-11-28T10:00:00Z", "Europe/Berlin"), "2026-11-29T01:00:00Z");
  EXPECT_EQ(Opening("0 2 * * *", "2026-07-28T10:00:00Z", "Europe/Berlin"), "2026-07-29T00:00:00Z");
  // In another day than UTC's.
  EXPECT_EQ(Opening("0 2 * * 0", "2026-11-28T10:00:00Z", "Pacific/Auckland"), "2026-11-28T13:00:00Z");
}

// Berlin's clocks went from 02:00 to 03:00 on 29 March 2026, 01:00 UTC.
TEST(WindowTest, AnOpeningThatIsJumpedOverIsAtTheJump) {
  const Window window = Make("30 2 * * *", absl::Hours(2), "Europe/Berlin");
  EXPECT_EQ(Text(window.NextOpening(At("2026-03-28T12:00:00Z"))), "2026-03-29T01:00:00Z");
  EXPECT_FALSE(window.IsOpen(At("2026-03-29T00:59:59Z")));
  EXPECT_TRUE(window.IsOpen(At("2026-03-29T01:00:00Z")));
  EXPECT_EQ(Text(*window.ClosesAt(At("2026-03-29T02:00:00Z"))), "2026-03-29T03:00:00Z");
  EXPECT_EQ(Text(window.NextOpening(At("2026-03-29T12:00:00Z"))), "2026-03-30T00:30:00Z");
}

// They went from 03:00 to 02:00 on 25 October 2026, 01:00 UTC.
TEST(WindowTest, AnOpeningThatComesTwiceCountsOnce) {
  const Window window = Make("30 2 * * *", absl::Minutes(30), "Europe/Berlin");
  EXPECT_EQ(Text(window.NextOpening(At("2026-10-24T12:00:00Z"))), "2026-10-25T00:30:00Z");
  EXPECT_TRUE(window.IsOpen(At("2026-10-25T00:45:00Z")));
  EXPECT_FALSE(window.IsOpen(At("2026-10-25T01:30:00Z"))) << "02:30 for the second time";
  EXPECT_EQ(Text(window.NextOpening(At("2026-10-25T00:45:00Z"))), "2026-10-26T01:30:00Z");
}

TEST(WindowTest, TheDurationIsRealTimeOverAChangeOfTheClocks) {
  const Window forward = Make("0 1 * * *", absl::Hours(4), "Europe/Berlin");
  EXPECT_EQ(Text(*forward.ClosesAt(At("2026-03-29T00:30:00Z"))), "2026-03-29T04:00:00Z");  // 06:00 there
  EXPECT_EQ(Text(*forward.ClosesAt(At("2026-10-25T00:30:00Z"))), "2026-10-25T03:00:00Z");  // 04:00 there
}

TEST(WindowTest, OverMidnight) {
  const Window window = Make("0 22 * * 5", absl::Hours(60));
  EXPECT_TRUE(window.IsOpen(At("2026-11-30T09:59:59Z")));
  EXPECT_FALSE(window.IsOpen(At("2026-11-30T10:00:00Z")));
}

TEST(WindowTest, OpeningsThatTouchAreOne) {
  const Window working_days = Make("0 0 * * 1-5", absl::Hours(24));
  EXPECT_EQ(Text(*working_days.ClosesAt(At("2026-11-30T12:00:00Z"))), "2026-12-05T00:00:00Z");
  EXPECT_EQ(Text(working_days.NextOpening(At("2026-11-30T12:00:00Z"))), "2026-12-07T00:00:00Z");
  const Window always = Make("* * * * *", absl::Minutes(5));
  EXPECT_EQ(*always.ClosesAt(At("2026-11-30T12:00:30Z")), absl::InfiniteFuture());
  EXPECT_EQ(always.NextOpening(At("2026-11-30T12:00:30Z")), absl::InfiniteFuture());
}

TEST(WindowTest, IsOpenExactlyBetweenWhatItSays) {
  // Every half hour of a year: open or not, it says the same in all ways.
  for (const Window& window : {Make("15 */7 * * 1,3", absl::Minutes(100), "Europe/Berlin"),
                               Make("0 3 1-7 * *", absl::Hours(30), "America/St_Johns")}) {
    absl::Time now = At("2026-01-01T00:00:00Z");
    absl::Time opens = window.NextOpening(now);
    for (; now < At("2027-01-01T00:00:00Z"); now += absl::Minutes(30)) {
      const std::optional<absl::Time> closes = window.ClosesAt(now);
      if (closes.has_value()) {
        ASSERT_TRUE(window.IsOpen(*closes - absl::Nanoseconds(1))) << Text(now);
        ASSERT_FALSE(window.IsOpen(*closes)) << Text(now);
      }
      opens = window.NextOpening(now);
      ASSERT_GT(opens, now);
      ASSERT_TRUE(window.IsOpen(opens)) << Text(now);
      ASSERT_FALSE(window.IsOpen(opens - absl::Nanoseconds(1))) << Text(now);
    }
  }
}

TEST(WindowTest, RefusesWhatMakesNoSense) {
  const auto refused = [](const v1::Window& window, const std::string& field, const std::string& what) {
    const absl::Status status = Window::Parse(window, "windows[1]").status();
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << status;
    EXPECT_EQ(base::Detail(status, base::kField), "windows[1]." + field);
    EXPECT_THAT(std::string(status.message()), HasSubstr(what));
  };
  const auto cron = [&](const std::string& text, const std::string& what) {
    refused(Proto(text, absl::Hours(1)), "cron", what);
  };
  cron("", "has 0 fields, not five");
  cron("0 2 * *", "has 4 fields, not five");
  cron("0 0 2 * * *", "has 6 fields, not five");
  cron("60 2 * * *", "\"60\" is no minute: give 0 to 59");
  cron("0 24 * * *", "\"24\" is no hour: give 0 to 23");
  cron("0 2 0 * *", "\"0\" is no day of month: give 1 to 31");
  cron("0 2 * 13 *", "\"13\" is no month: give 1 to 12");
  cron("0 2 * * 8", "\"8\" is no day of week: give 0 to 7");
  cron("0 2 * * mon", "names are not known");
  cron("0 2 * * 5-1", "ends before it begins");
  cron("0 2-4-6 * * *", "\"2-4-6\" is no hour");
  cron("*/0 * * * *", "the step is not 1 to 59");
  cron("5/10 * * * *", "a step follows * or a range");
  cron("*/2/2 * * * *", "\"*/2/2\" is no minute");
  cron(", 2 * * *", "\"\" is no minute");
  cron("-1 2 * * *", "\"-1\" is no minute");
  cron("0 0 31 2 *", "never comes");
  cron("0 0 30,31 2 *", "never comes");
  cron("0 0 31 4,6,9,11 *", "never comes");
  EXPECT_OK(Window::Parse(Proto("0 0 31 2 1", absl::Hours(1))));  // or on Mondays
  refused(Proto("0 2 * * *", absl::ZeroDuration()), "duration", "0 is out of range");
  refused(Proto("0 2 * * *", -absl::Hours(1)), "duration", "-1h is out of range");
  refused(Proto("0 2 * * *", absl::Hours(10000)), "duration", "is out of range");
  refused(Proto("0 2 * * *", absl::Hours(1), "Europe/Atlantis"), "time_zone",
          "\"Europe/Atlantis\" is not known");
}

v1::Freeze Between(const std::string& from, const std::string& until) {
  v1::Freeze freeze;
  freeze.set_from(from);
  freeze.set_until(until);
  freeze.set_reason("Christmas");
  return freeze;
}

TEST(FreezeTest, FromOneMomentToAnother) {
  const absl::StatusOr<Freeze> freeze =
      Freeze::Parse(Between("2026-12-20T00:00:00+01:00", "2027-01-06T00:00:00+01:00"));
  ASSERT_OK(freeze);
  EXPECT_FALSE(freeze->IsOn(At("2026-12-19T22:59:59Z")));
  EXPECT_TRUE(freeze->IsOn(At("2026-12-19T23:00:00Z")));
  EXPECT_EQ(Text(*freeze->EndsAt(At("2026-12-24T18:00:00Z"))), "2027-01-05T23:00:00Z");
  EXPECT_FALSE(freeze->IsOn(At("2027-01-05T23:00:00Z")));
  EXPECT_EQ(Text(freeze->NextBegin(At("2026-11-28T00:00:00Z"))), "2026-12-19T23:00:00Z");
  EXPECT_EQ(freeze->NextBegin(At("2027-01-28T00:00:00Z")), absl::InfiniteFuture());
  EXPECT_EQ(freeze->reason(), "Christmas");
}

TEST(FreezeTest, OneThatComesBack) {
  v1::Freeze proto;
  *proto.mutable_every() = Proto("0 12 * * 5", absl::Hours(60));
  const absl::StatusOr<Freeze> freeze = Freeze::Parse(proto);
  ASSERT_OK(freeze);
  EXPECT_TRUE(freeze->IsOn(At("2026-11-28T10:00:00Z")));
  EXPECT_EQ(Text(*freeze->EndsAt(At("2026-11-28T10:00:00Z"))), "2026-11-30T00:00:00Z");
  EXPECT_EQ(Text(freeze->NextBegin(At("2026-11-28T10:00:00Z"))), "2026-12-04T12:00:00Z");
}

TEST(FreezeTest, RefusesWhatMakesNoSense) {
  const auto refused = [](const v1::Freeze& freeze, const std::string& field, const std::string& what) {
    const absl::Status status = Freeze::Parse(freeze, "freezes[0]").status();
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << status;
    EXPECT_EQ(base::Detail(status, base::kField), field);
    EXPECT_THAT(std::string(status.message()), HasSubstr(what));
  };
  refused({}, "freezes[0]", "either from and until, or every");
  v1::Freeze both = Between("2026-12-20T00:00:00Z", "2027-01-06T00:00:00Z");
  *both.mutable_every() = Proto("0 12 * * 5", absl::Hours(60));
  refused(both, "freezes[0]", "either from and until, or every");
  refused(Between("2026-12-20T00:00:00Z", ""), "freezes[0].until", "\"\" is no time");
  refused(Between("2026-12-20", "2027-01-06T00:00:00Z"), "freezes[0].from", "\"2026-12-20\" is no time");
  refused(Between("2027-12-20T00:00:00Z", "2027-01-06T00:00:00Z"), "freezes[0].until", "before it begins");
  v1::Freeze every;
  *every.mutable_every() = Proto("0 0 31 2 *", absl::Hours(1));
  refused(every, "freezes[0].every.cron", "never comes");
}

}  // namespace
}  // namespace curlew::plan
