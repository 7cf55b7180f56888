// Times that come back, and times in which nothing begins. Both are values: safe to read from many threads.
#ifndef CURLEW_COMMON_PLAN_WINDOW_H_
#define CURLEW_COMMON_PLAN_WINDOW_H_

#include <cstdint>
#include <optional>
#include <string>
#include <utility>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "curlew/v1/rollout.pb.h"

namespace curlew::plan {

// A time that comes back: opens at each minute that matches, and stays open for `duration`, measured in real
// time. Where an opening falls into one that is still open, they are one.
//
// The clock that is set forward jumps over minutes: an opening that falls there is at the first moment after
// the jump. The clock that is set back has minutes twice: an opening there counts the first time only.
class Window {
 public:
  // INVALID_ARGUMENT for fields that are not five, out of range or malformed, a time zone that is not known,
  // a duration that is not 1 minute to 366 days, and a window that never opens ("0 0 31 2 *"). `path` is that
  // of the window ("environments[0].before.windows[1]"; may be ""): base::kField is below it.
  static absl::StatusOr<Window> Parse(const v1::Window& window, absl::string_view path = "");

  bool IsOpen(absl::Time now) const { return ClosesAt(now).has_value(); }
  // The first moment after `now` at which it opens: an opening that falls into an open time is none.
  // InfiniteFuture where there is none within 40 years.
  absl::Time NextOpening(absl::Time now) const;
  // First moment at which it is closed again, where it is open now. InfiniteFuture where 1000 openings in
  // a row overlap: as good as always open.
  std::optional<absl::Time> ClosesAt(absl::Time now) const;

  // "0 2 * * 1-5 for 4h (Europe/Berlin)".
  const std::string& text() const { return text_; }

 private:
  Window() = default;

  // Minutes, hours, …: bit n for value n. Sunday is 0.
  struct Fields {
    uint64_t minutes = 0, hours = 0, days = 0, months = 0, weekdays = 0;
    // Whether the field begins with other than *.
    bool days_restricted = false, weekdays_restricted = false;
  };

  bool MatchesDay(absl::CivilDay day) const;
  // When a minute of the wall clock begins.
  absl::Time Instant(absl::CivilMinute minute) const;
  // The first (last) opening on the day that is not before (not after) `bound`.
  std::optional<absl::Time> FirstOnDay(absl::CivilDay day, absl::Time bound) const;
  std::optional<absl::Time> LastOnDay(absl::CivilDay day, absl::Time bound) const;
  // The first opening that is not before `time`; InfiniteFuture for none.
  absl::Time FirstSince(absl::Time time) const;
  // The last opening that is not after `time` and not so long ago that it is over; InfinitePast for none.
  absl::Time LastUntil(absl::Time time) const;

  Fields fields_;
  absl::Duration duration_;
  absl::TimeZone zone_;
  std::string text_;
};

// A time in which nothing begins: between two moments, or one that comes back.
class Freeze {
 public:
  // INVALID_ARGUMENT where neither from and until nor every is given, or both; where from or until is no
  // RFC 3339 time, or from is not before until; as Window::Parse. A freeze that is over is fine.
  static absl::StatusOr<Freeze> Parse(const v1::Freeze& freeze, absl::string_view path = "");

  bool IsOn(absl::Time now) const { return EndsAt(now).has_value(); }
  // First moment after it, where it is on now.
  std::optional<absl::Time> EndsAt(absl::Time now) const;
  // The first moment after `now` at which it begins; InfiniteFuture where it never does again.
  absl::Time NextBegin(absl::Time now) const;

  const std::string& reason() const { return reason_; }

 private:
  Freeze() = default;

  absl::Time from_ = absl::InfiniteFuture(), until_ = absl::InfiniteFuture();
  std::optional<Window> every_;
  std::string reason_;
};

}  // namespace curlew::plan

#endif  // CURLEW_COMMON_PLAN_WINDOW_H_
