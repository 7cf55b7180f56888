#include "common/plan/scalar.h"

#include <algorithm>
#include <numeric>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/strip.h"
#include "common/base/proto_time.h"

namespace curlew::plan {
namespace {

// What the well-known types can hold (duration.proto, timestamp.proto).
constexpr absl::Duration kLongestDuration = absl::Seconds(315'576'000'000);
constexpr int64_t kFirstSecond = -62'135'596'800;
constexpr int64_t kLastSecond = 253'402'300'799;

int EditDistance(absl::string_view a, absl::string_view b) {
  std::vector<int> row(b.size() + 1);
  std::iota(row.begin(), row.end(), 0);
  for (size_t i = 1; i <= a.size(); ++i) {
    int diagonal = row[0];
    row[0] = static_cast<int>(i);
    for (size_t j = 1; j <= b.size(); ++j) {
      const int replaced = diagonal + (a[i - 1] == b[j - 1] ? 0 : 1);
      diagonal = row[j];
      row[j] = std::min({replaced, row[j] + 1, row[j - 1] + 1});
    }
  }
  return row[b.size()];
}

// "PHASE_" of PHASE_UNSPECIFIED, PHASE_ADD, ...
absl::string_view EnumPrefix(const google::protobuf::EnumDescriptor* type) {
  absl::string_view first = type->value(0)->name();
  return absl::ConsumeSuffix(&first, "UNSPECIFIED") ? first : absl::string_view();
}

}  // namespace

absl::StatusOr<google::protobuf::Duration> ParseDuration(absl::string_view text) {
  absl::Duration duration;
  if (!absl::ParseDuration(text, &duration)) {
    return absl::InvalidArgumentError(
        absl::StrCat("\"", text, "\" is not a duration; write a number with its unit: 500ms, 1.5s, 10m, 2h"));
  }
  if (absl::AbsDuration(duration) > kLongestDuration) {
    return absl::InvalidArgumentError(absl::StrCat("\"", text, "\" is too long for a duration"));
  }
  return base::ToProto(duration);
}

std::string DurationText(const google::protobuf::Duration& duration) {
  return absl::FormatDuration(base::FromProto(duration));
}

absl::StatusOr<google::protobuf::Timestamp> ParseTimestamp(absl::string_view text) {
  absl::Time time;
  std::string error;
  if (!absl::ParseTime(absl::RFC3339_full, text, &time, &error) ||
      time < absl::FromUnixSeconds(kFirstSecond) || time > absl::FromUnixSeconds(kLastSecond)) {
    return absl::InvalidArgumentError(
        absl::StrCat("\"", text, "\" is not a time; write it like 2026-01-31T12:00:00Z"));
  }
  return base::ToProto(time);
}

std::string TimestampText(const google::protobuf::Timestamp& timestamp) {
  return absl::FormatTime("%Y-%m-%d%ET%H:%M:%E*SZ", base::FromProto(timestamp), absl::UTCTimeZone());
}

std::string EnumText(const google::protobuf::EnumValueDescriptor* value) {
  return absl::AsciiStrToLower(absl::StripPrefix(value->name(), EnumPrefix(value->type())));
}

absl::StatusOr<const google::protobuf::EnumValueDescriptor*> ParseEnum(
    const google::protobuf::EnumDescriptor* type, absl::string_view text) {
  std::vector<std::string> known;
  for (int i = 0; i < type->value_count(); ++i) {
    const google::protobuf::EnumValueDescriptor* value = type->value(i);
    if (value->number() == 0 && absl::EndsWith(value->name(), "UNSPECIFIED")) continue;
    known.push_back(EnumText(value));
    if (absl::EqualsIgnoreCase(known.back(), text) || absl::EqualsIgnoreCase(value->name(), text))
      return value;
  }
  return absl::InvalidArgumentError(
      absl::StrCat("unknown value \"", text, "\"; ", Suggestion(absl::AsciiStrToLower(text), known)));
}

std::string Suggestion(absl::string_view name, const std::vector<std::string>& known) {
  const std::string* nearest = nullptr;
  // Beyond a third of its letters a name is another name, not a misspelt one.
  int best = std::max<int>(2, static_cast<int>(name.size()) / 3) + 1;
  if (name.size() <= 64) {
    for (const std::string& candidate : known) {
      const int distance = EditDistance(name, candidate);
      if (distance < best && distance < static_cast<int>(candidate.size())) {
        best = distance;
        nearest = &candidate;
      }
    }
  }
  if (nearest != nullptr) return absl::StrCat("did you mean \"", *nearest, "\"?");
  return absl::StrCat("known are: ", absl::StrJoin(known, ", "));
}

}  // namespace curlew::plan
