#include "common/plan/window.h"

#include <algorithm>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/time/civil_time.h"
#include "common/base/proto_time.h"
#include "common/base/status_macros.h"
#include "common/plan/check.h"

namespace curlew::plan {
namespace {

constexpr absl::Duration kShortest = absl::Minutes(1);
constexpr absl::Duration kLongest = absl::Hours(24 * 366);
// 29 February on a certain day of the week comes once in 40 years at the least.
constexpr int kHorizonYears = 40;
constexpr int kMostJoined = 1000;

struct FieldRule {
  absl::string_view name;
  int least, most;
};
constexpr FieldRule kRules[] = {
    {"minute", 0, 59}, {"hour", 0, 23}, {"day of month", 1, 31}, {"month", 1, 12}, {"day of week", 0, 7}};

std::string Below(absl::string_view path, absl::string_view field) {
  return path.empty() ? std::string(field) : absl::StrCat(path, ".", field);
}

// One part of a field's list: *, n, n-m, each but n with /step.
absl::StatusOr<uint64_t> ParsePart(absl::string_view part, const FieldRule& rule) {
  const auto wrong = [&](absl::string_view what) {
    return absl::InvalidArgumentError(absl::StrCat("\"", part, "\" is no ", rule.name, ": ", what));
  };
  const std::vector<absl::string_view> stepped = absl::StrSplit(part, '/');
  const std::vector<absl::string_view> ends = absl::StrSplit(stepped[0], '-');
  int first = rule.least, last = rule.most, step = 1;
  const bool star = stepped[0] == "*";
  if (stepped.size() > 2 || ends.size() > 2)
    return wrong("give *, a number, or a range such as 1-5 or 0-30/10");
  if (!star) {
    if (!absl::SimpleAtoi(ends[0], &first) || !absl::SimpleAtoi(ends.back(), &last)) {
      return wrong("give numbers, names are not known here");
    }
    if (first < rule.least || last > rule.most || first > rule.most) {
      return wrong(absl::StrCat("give ", rule.least, " to ", rule.most));
    }
    if (first > last) return wrong("the range ends before it begins");
  }
  if (stepped.size() == 2) {
    if (!star && ends.size() == 1) return wrong("a step follows * or a range");
    if (!absl::SimpleAtoi(stepped[1], &step) || step < 1 || step > rule.most) {
      return wrong(absl::StrCat("the step is not 1 to ", rule.most));
    }
  }
  uint64_t bits = 0;
  for (int value = first; value <= last; value += step) bits |= uint64_t{1} << value;
  return bits;
}

absl::StatusOr<uint64_t> ParseField(absl::string_view field, const FieldRule& rule) {
  uint64_t bits = 0;
  for (const absl::string_view part : absl::StrSplit(field, ',')) {
    ASSIGN_OR_RETURN(const uint64_t more, ParsePart(part, rule));
    bits |= more;
  }
  return bits;
}

bool Has(uint64_t bits, int64_t value) { return (bits >> value) & 1; }

// Monday is 1, Sunday 0.
int CronWeekday(absl::CivilDay day) { return (static_cast<int>(absl::GetWeekday(day)) + 1) % 7; }

absl::StatusOr<absl::Time> ParseMoment(const std::string& text, const std::string& path) {
  absl::Time time;
  std::string error;
  if (absl::ParseTime(absl::RFC3339_full, text, &time, &error)) return time;
  return FieldError(path,
                    absl::StrCat("\"", text, "\" is no time; write it as \"2026-12-20T00:00:00+01:00\""));
}

}  // namespace

absl::StatusOr<Window> Window::Parse(const v1::Window& window, absl::string_view path) {
  Window parsed;
  const std::string cron_path = Below(path, "cron");
  const std::vector<std::string> fields =
      absl::StrSplit(window.cron(), absl::ByAnyChar(" \t"), absl::SkipEmpty());
  if (fields.size() != std::size(kRules)) {
    return FieldError(cron_path,
                      absl::StrCat("\"", window.cron(), "\" has ", fields.size(),
                                   " fields, not five: minute, hour, day of month, month, day of week, "
                                   "for example \"0 2 * * 1-5\""));
  }
  uint64_t* const bits[] = {&parsed.fields_.minutes, &parsed.fields_.hours, &parsed.fields_.days,
                            &parsed.fields_.months, &parsed.fields_.weekdays};
  for (size_t i = 0; i < fields.size(); ++i) {
    absl::StatusOr<uint64_t> field = ParseField(fields[i], kRules[i]);
    if (!field.ok()) {
      return FieldError(cron_path, absl::StrCat("\"", window.cron(), "\": ", field.status().message()));
    }
    *bits[i] = *field;
  }
  // Sunday has two numbers.
  if (Has(parsed.fields_.weekdays, 7)) parsed.fields_.weekdays |= 1;
  parsed.fields_.days_restricted = fields[2][0] != '*';
  parsed.fields_.weekdays_restricted = fields[4][0] != '*';

  parsed.duration_ = base::FromProto(window.duration());
  if (!IsValidDuration(window.duration()) || parsed.duration_ < kShortest || parsed.duration_ > kLongest) {
    return FieldError(Below(path, "duration"),
                      absl::StrCat(absl::FormatDuration(parsed.duration_), " is out of range; give ",
                                   absl::FormatDuration(kShortest), " to ", absl::FormatDuration(kLongest)));
  }
  const std::string zone = window.time_zone().empty() ? "UTC" : window.time_zone();
  if (!absl::LoadTimeZone(zone, &parsed.zone_)) {
    return FieldError(
        Below(path, "time_zone"),
        absl::StrCat("the time zone \"", zone, "\" is not known here; write it as \"Europe/Berlin\""));
  }
  parsed.text_ =
      absl::StrCat(window.cron(), " for ", absl::FormatDuration(parsed.duration_), " (", zone, ")");
  const absl::Time begin = absl::FromCivil(absl::CivilDay(2000), absl::UTCTimeZone());
  if (parsed.FirstSince(begin) == absl::InfiniteFuture()) {
    return FieldError(cron_path,
                      absl::StrCat("\"", window.cron(), "\" never comes: none of its months has such a day"));
  }
  return parsed;
}

bool Window::MatchesDay(absl::CivilDay day) const {
  if (!Has(fields_.months, day.month())) return false;
  const bool by_day = Has(fields_.days, day.day());
  const bool by_weekday = Has(fields_.weekdays, CronWeekday(day));
  // cron(5): where both are restricted, one is enough.
  if (fields_.days_restricted && fields_.weekdays_restricted) return by_day || by_weekday;
  return by_day && by_weekday;
}

absl::Time Window::Instant(absl::CivilMinute minute) const {
  const absl::TimeZone::TimeInfo info = zone_.At(absl::CivilSecond(minute));
  return info.kind == absl::TimeZone::TimeInfo::SKIPPED ? info.trans : info.pre;
}

std::optional<absl::Time> Window::FirstOnDay(absl::CivilDay day, absl::Time bound) const {
  for (int hour = 0; hour < 24; ++hour) {
    const absl::CivilHour civil = absl::CivilHour(day) + hour;
    if (!Has(fields_.hours, hour) || Instant(absl::CivilMinute(civil) + 59) < bound) continue;
    for (int minute = 0; minute < 60; ++minute) {
      if (!Has(fields_.minutes, minute)) continue;
      const absl::Time instant = Instant(absl::CivilMinute(civil) + minute);
      if (instant >= bound) return instant;
    }
  }
  return std::nullopt;
}

std::optional<absl::Time> Window::LastOnDay(absl::CivilDay day, absl::Time bound) const {
  for (int hour = 23; hour >= 0; --hour) {
    const absl::CivilHour civil = absl::CivilHour(day) + hour;
    if (!Has(fields_.hours, hour) || Instant(absl::CivilMinute(civil)) > bound) continue;
    for (int minute = 59; minute >= 0; --minute) {
      if (!Has(fields_.minutes, minute)) continue;
      const absl::Time instant = Instant(absl::CivilMinute(civil) + minute);
      if (instant <= bound) return instant;
    }
  }
  return std::nullopt;
}

absl::Time Window::FirstSince(absl::Time time) const {
  // A zone may skip a day's end: what falls there begins on the next.
  const absl::CivilDay today = absl::CivilDay(zone_.At(time).cs);
  const absl::CivilDay end(today.year() + kHorizonYears, today.month(), today.day());
  for (absl::CivilDay day = today - 1; day <= end;) {
    if (!Has(fields_.months, day.month())) {
      day = absl::CivilDay(absl::CivilMonth(day) + 1);
      continue;
    }
    if (MatchesDay(day)) {
      if (const std::optional<absl::Time> found = FirstOnDay(day, time)) return *found;
    }
    ++day;
  }
  return absl::InfiniteFuture();
}

absl::Time Window::LastUntil(absl::Time time) const {
  const absl::CivilDay end = absl::CivilDay(zone_.At(time - duration_).cs) - 1;
  for (absl::CivilDay day(zone_.At(time).cs); day >= end; --day) {
    if (!MatchesDay(day)) continue;
    if (const std::optional<absl::Time> found = LastOnDay(day, time)) return *found;
  }
  return absl::InfinitePast();
}

std::optional<absl::Time> Window::ClosesAt(absl::Time now) const {
  absl::Time end = LastUntil(now) + duration_;
  if (end <= now) return std::nullopt;
  for (int i = 0; i < kMostJoined; ++i) {
    const absl::Time next = LastUntil(end) + duration_;
    if (next <= end) return end;
    end = next;
  }
  return absl::InfiniteFuture();
}

absl::Time Window::NextOpening(absl::Time now) const {
  const std::optional<absl::Time> closes = ClosesAt(now);
  if (closes == absl::InfiniteFuture()) return *closes;
  return FirstSince(closes.value_or(now));
}

absl::StatusOr<Freeze> Freeze::Parse(const v1::Freeze& freeze, absl::string_view path) {
  Freeze parsed;
  parsed.reason_ = freeze.reason();
  const bool once = !freeze.from().empty() || !freeze.until().empty();
  if (once == freeze.has_every()) {
    return FieldError(path.empty() ? "freeze" : path, "give either from and until, or every");
  }
  if (freeze.has_every()) {
    ASSIGN_OR_RETURN(parsed.every_, Window::Parse(freeze.every(), Below(path, "every")));
    return parsed;
  }
  ASSIGN_OR_RETURN(parsed.from_, ParseMoment(freeze.from(), Below(path, "from")));
  ASSIGN_OR_RETURN(parsed.until_, ParseMoment(freeze.until(), Below(path, "until")));
  if (parsed.from_ >= parsed.until_) {
    return FieldError(Below(path, "until"), absl::StrCat("the freeze ends at ", freeze.until(),
                                                         ", before it begins at ", freeze.from()));
  }
  return parsed;
}

std::optional<absl::Time> Freeze::EndsAt(absl::Time now) const {
  if (every_.has_value()) return every_->ClosesAt(now);
  if (now < from_ || now >= until_) return std::nullopt;
  return until_;
}

absl::Time Freeze::NextBegin(absl::Time now) const {
  if (every_.has_value()) return every_->NextOpening(now);
  return now < from_ ? from_ : absl::InfiniteFuture();
}

}  // namespace curlew::plan
