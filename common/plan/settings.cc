#include "common/plan/settings.h"

#include <string>

#include "absl/strings/str_cat.h"
#include "common/base/proto_time.h"
#include "common/base/status_macros.h"
#include "common/plan/check.h"
#include "common/plan/scalar.h"

namespace curlew::plan {
namespace {

using google::protobuf::Duration;

// One setting that is a duration.
struct DurationSetting {
  const char* name;
  const Duration& (v1::PlanSettings::*get)() const;
  bool (v1::PlanSettings::*has)() const;
  Duration* (v1::PlanSettings::*set)();
  absl::Duration value;  // where it is not given
  absl::Duration least;
  absl::Duration most;
};

const DurationSetting kDurationSettings[] = {
    {"max_lock_timeout", &v1::PlanSettings::max_lock_timeout, &v1::PlanSettings::has_max_lock_timeout,
     &v1::PlanSettings::mutable_max_lock_timeout, absl::Milliseconds(500), absl::Milliseconds(1),
     absl::Seconds(10)},
    {"ddl_statement_timeout", &v1::PlanSettings::ddl_statement_timeout,
     &v1::PlanSettings::has_ddl_statement_timeout, &v1::PlanSettings::mutable_ddl_statement_timeout,
     absl::Seconds(1), absl::Milliseconds(1), absl::Minutes(1)},
    {"lock_retry_deadline", &v1::PlanSettings::lock_retry_deadline,
     &v1::PlanSettings::has_lock_retry_deadline, &v1::PlanSettings::mutable_lock_retry_deadline,
     absl::Minutes(10), absl::Seconds(1), absl::Hours(24)},
    {"backfill_batch_target", &v1::PlanSettings::backfill_batch_target,
     &v1::PlanSettings::has_backfill_batch_target, &v1::PlanSettings::mutable_backfill_batch_target,
     absl::Milliseconds(50), absl::Milliseconds(1), absl::Seconds(10)},
    {"unused_for", &v1::PlanSettings::unused_for, &v1::PlanSettings::has_unused_for,
     &v1::PlanSettings::mutable_unused_for, absl::Seconds(10), absl::Milliseconds(1), absl::Hours(24)},
};

// One setting of walks that is a number; 0 where it is not given.
struct NumberSetting {
  const char* name;
  int32_t (v1::BackfillSettings::*get)() const;
  void (v1::BackfillSettings::*set)(int32_t);
  int32_t value;  // where it is not given; 0 where the agent decides
  int32_t most;
};

const NumberSetting kNumberSettings[] = {
    {"max_workers", &v1::BackfillSettings::max_workers, &v1::BackfillSettings::set_max_workers, 0, 32},
    {"row_error_limit", &v1::BackfillSettings::row_error_limit, &v1::BackfillSettings::set_row_error_limit,
     100, 1'000'000},
};

absl::Status ValidateBackfill(const v1::BackfillSettings& settings) {
  for (const NumberSetting& setting : kNumberSettings) {
    const int32_t given = (settings.*setting.get)();
    if (given >= 0 && given <= setting.most) continue;
    return FieldError(absl::StrCat("settings.backfill.", setting.name),
                      absl::StrCat(given, " is out of range; give 1 to ", setting.most, ", or leave it out",
                                   setting.value == 0 ? "" : absl::StrCat(" for ", setting.value)));
  }
  return absl::OkStatus();
}

}  // namespace

v1::PlanSettings DefaultedSettings(const v1::PlanSettings& settings) {
  v1::PlanSettings defaulted = settings;
  for (const DurationSetting& setting : kDurationSettings) {
    if (!(defaulted.*setting.has)()) *(defaulted.*setting.set)() = base::ToProto(setting.value);
  }
  v1::BackfillSettings* backfill = defaulted.mutable_backfill();
  for (const NumberSetting& setting : kNumberSettings) {
    if ((backfill->*setting.get)() == 0) (backfill->*setting.set)(setting.value);
  }
  if (backfill->on_row_error() == v1::ROW_ERROR_POLICY_UNSPECIFIED) {
    backfill->set_on_row_error(v1::ROW_ERROR_POLICY_STOP);
  }
  if (backfill->walk() == v1::WALK_UNSPECIFIED) backfill->set_walk(v1::WALK_CTID);
  return defaulted;
}

absl::Status ValidateSettings(const v1::PlanSettings& settings) {
  for (const DurationSetting& setting : kDurationSettings) {
    if (!(settings.*setting.has)()) continue;
    const Duration& given = (settings.*setting.get)();
    const absl::Duration value = base::FromProto(given);
    if (!IsValidDuration(given) || value < setting.least || value > setting.most) {
      return FieldError(
          absl::StrCat("settings.", setting.name),
          absl::StrCat(absl::FormatDuration(value), " is out of range; give ",
                       absl::FormatDuration(setting.least), " to ", absl::FormatDuration(setting.most),
                       ", or leave it out for ", absl::FormatDuration(setting.value)));
    }
  }
  const v1::PlanSettings all = DefaultedSettings(settings);
  if (base::FromProto(all.ddl_statement_timeout()) < base::FromProto(all.max_lock_timeout())) {
    return FieldError(
        settings.has_max_lock_timeout() ? "settings.max_lock_timeout" : "settings.ddl_statement_timeout",
        absl::StrCat("max_lock_timeout (", DurationText(all.max_lock_timeout()),
                     ") is longer than ddl_statement_timeout (", DurationText(all.ddl_statement_timeout()),
                     "), which would end every try before; raise ddl_statement_timeout too"));
  }
  RETURN_IF_ERROR(ValidateBackfill(settings.backfill()));
  for (int i = 0; i < settings.acknowledge_size(); ++i) {
    if (!IsId(settings.acknowledge(i))) {
      return FieldError(absl::StrCat("settings.acknowledge[", i, "]"),
                        absl::StrCat("\"", settings.acknowledge(i),
                                     "\" is not the name of a hazard; they look like \"published-table\""));
    }
  }
  return absl::OkStatus();
}

}  // namespace curlew::plan
