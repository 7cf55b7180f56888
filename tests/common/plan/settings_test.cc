#include "common/plan/settings.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "common/base/error_detail.h"
#include "common/base/proto_time.h"
#include "tests/support/status_matchers.h"

namespace curlew::plan {
namespace {

using ::curlew::testing::StatusIs;
using ::testing::HasSubstr;

TEST(DefaultedSettingsTest, FillsInWhatIsNotGiven) {
  const v1::PlanSettings settings = DefaultedSettings({});
  EXPECT_EQ(base::FromProto(settings.max_lock_timeout()), absl::Milliseconds(500));
  EXPECT_EQ(base::FromProto(settings.ddl_statement_timeout()), absl::Seconds(1));
  EXPECT_EQ(base::FromProto(settings.lock_retry_deadline()), absl::Minutes(10));
  EXPECT_EQ(base::FromProto(settings.backfill_batch_target()), absl::Milliseconds(50));
  EXPECT_EQ(base::FromProto(settings.unused_for()), absl::Seconds(10));
}

TEST(DefaultedSettingsTest, FillsInHowRowsAreWalked) {
  const v1::BackfillSettings backfill = DefaultedSettings({}).backfill();
  EXPECT_EQ(backfill.max_workers(), 0) << "the agent knows how many cores there are";
  EXPECT_EQ(backfill.on_row_error(), v1::ROW_ERROR_POLICY_STOP);
  EXPECT_EQ(backfill.row_error_limit(), 100);
  EXPECT_EQ(backfill.walk(), v1::WALK_CTID);
  EXPECT_FALSE(backfill.synchronous_commit());
  EXPECT_FALSE(backfill.skip_user_triggers());
}

TEST(DefaultedSettingsTest, KeepsHowRowsAreToBeWalked) {
  v1::PlanSettings settings;
  settings.mutable_backfill()->set_max_workers(1);
  settings.mutable_backfill()->set_on_row_error(v1::ROW_ERROR_POLICY_QUARANTINE);
  settings.mutable_backfill()->set_row_error_limit(7);
  settings.mutable_backfill()->set_walk(v1::WALK_KEY);
  settings.mutable_backfill()->set_synchronous_commit(true);
  settings.mutable_backfill()->set_skip_user_triggers(true);
  EXPECT_EQ(DefaultedSettings(settings).backfill().SerializeAsString(),
            settings.backfill().SerializeAsString());
}

TEST(DefaultedSettingsTest, KeepsWhatIsGiven) {
  v1::PlanSettings settings;
  *settings.mutable_max_lock_timeout() = base::ToProto(absl::Milliseconds(20));
  settings.add_acknowledge("published-table");
  const v1::PlanSettings defaulted = DefaultedSettings(settings);
  EXPECT_EQ(base::FromProto(defaulted.max_lock_timeout()), absl::Milliseconds(20));
  EXPECT_EQ(defaulted.acknowledge(0), "published-table");
  EXPECT_EQ(DefaultedSettings(defaulted).SerializeAsString(), defaulted.SerializeAsString());
}

// A default that is missing would reach the agent as zero.
TEST(DefaultedSettingsTest, EverySettingThatIsADurationHasADefaultInItsRange) {
  const v1::PlanSettings settings = DefaultedSettings({});
  const auto* type = v1::PlanSettings::descriptor();
  for (int i = 0; i < type->field_count(); ++i) {
    if (type->field(i)->message_type() != google::protobuf::Duration::descriptor()) continue;
    EXPECT_TRUE(settings.GetReflection()->HasField(settings, type->field(i))) << type->field(i)->name();
  }
  EXPECT_OK(ValidateSettings(settings));
  EXPECT_OK(ValidateSettings({}));
}

class SettingsRangeTest : public ::testing::Test {
 protected:
  absl::Status With(google::protobuf::Duration* (v1::PlanSettings::*set)(), absl::Duration value) {
    v1::PlanSettings settings;
    *settings.mutable_ddl_statement_timeout() = base::ToProto(absl::Minutes(1));
    *(settings.*set)() = base::ToProto(value);
    return ValidateSettings(settings);
  }
};

TEST_F(SettingsRangeTest, MaxLockTimeoutIsAboveZeroAndAtMostTenSeconds) {
  const auto set = &v1::PlanSettings::mutable_max_lock_timeout;
  EXPECT_OK(With(set, absl::Milliseconds(1)));
  EXPECT_OK(With(set, absl::Seconds(10)));
  for (absl::Duration wrong : {absl::ZeroDuration(), -absl::Seconds(1), absl::Microseconds(999),
                               absl::Seconds(10) + absl::Nanoseconds(1)}) {
    const absl::Status status = With(set, wrong);
    EXPECT_THAT(status, StatusIs(absl::StatusCode::kInvalidArgument,
                                 HasSubstr("give 1ms to 10s, or leave it out for 500ms")));
    EXPECT_EQ(base::Detail(status, base::kField), "settings.max_lock_timeout");
  }
}

TEST_F(SettingsRangeTest, TheOthersHaveRangesToo) {
  EXPECT_OK(With(&v1::PlanSettings::mutable_lock_retry_deadline, absl::Hours(24)));
  EXPECT_THAT(With(&v1::PlanSettings::mutable_lock_retry_deadline, absl::Hours(25)),
              StatusIs(absl::StatusCode::kInvalidArgument));
  EXPECT_THAT(With(&v1::PlanSettings::mutable_lock_retry_deadline, absl::Milliseconds(10)),
              StatusIs(absl::StatusCode::kInvalidArgument));
  EXPECT_THAT(With(&v1::PlanSettings::mutable_ddl_statement_timeout, absl::Minutes(2)),
              StatusIs(absl::StatusCode::kInvalidArgument));
  EXPECT_THAT(With(&v1::PlanSettings::mutable_backfill_batch_target, absl::ZeroDuration()),
              StatusIs(absl::StatusCode::kInvalidArgument));
}

TEST_F(SettingsRangeTest, UnusedForIsAboveZeroAndAtMostADay) {
  const auto set = &v1::PlanSettings::mutable_unused_for;
  EXPECT_OK(With(set, absl::Milliseconds(1)));
  EXPECT_OK(With(set, absl::Hours(24)));
  for (absl::Duration wrong :
       {absl::ZeroDuration(), -absl::Seconds(1), absl::Hours(24) + absl::Nanoseconds(1)}) {
    const absl::Status status = With(set, wrong);
    EXPECT_THAT(status, StatusIs(absl::StatusCode::kInvalidArgument,
                                 HasSubstr("give 1ms to 24h, or leave it out for 10s")));
    EXPECT_EQ(base::Detail(status, base::kField), "settings.unused_for");
  }
}

TEST_F(SettingsRangeTest, ALockTimeoutThatTheStatementDeadlineWouldCutOffIsRefused) {
  v1::PlanSettings settings;
  *settings.mutable_max_lock_timeout() = base::ToProto(absl::Seconds(5));
  EXPECT_THAT(ValidateSettings(settings),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("raise ddl_statement_timeout too")));
  *settings.mutable_ddl_statement_timeout() = base::ToProto(absl::Seconds(10));
  EXPECT_OK(ValidateSettings(settings));
}

TEST_F(SettingsRangeTest, NumbersOfWalksHaveRanges) {
  const struct {
    const char* name;
    void (v1::BackfillSettings::*set)(int32_t);
    int32_t most;
    const char* message;
  } kNumbers[] = {
      {"settings.backfill.max_workers", &v1::BackfillSettings::set_max_workers, 32,
       "give 1 to 32, or leave it out"},
      {"settings.backfill.row_error_limit", &v1::BackfillSettings::set_row_error_limit, 1'000'000,
       "give 1 to 1000000, or leave it out for 100"},
  };
  for (const auto& number : kNumbers) {
    v1::PlanSettings settings;
    for (int32_t right : {1, number.most}) {
      (settings.mutable_backfill()->*number.set)(right);
      EXPECT_OK(ValidateSettings(settings));
    }
    for (int32_t wrong : {-1, number.most + 1}) {
      (settings.mutable_backfill()->*number.set)(wrong);
      const absl::Status status = ValidateSettings(settings);
      EXPECT_THAT(status, StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr(number.message)));
      EXPECT_EQ(base::Detail(status, base::kField), number.name);
    }
  }
}

TEST_F(SettingsRangeTest, ADurationWhosePartsContradictEachOtherIsRefused) {
  v1::PlanSettings settings;
  settings.mutable_max_lock_timeout()->set_seconds(1);
  settings.mutable_max_lock_timeout()->set_nanos(-500'000'000);
  EXPECT_THAT(ValidateSettings(settings), StatusIs(absl::StatusCode::kInvalidArgument));
}

TEST_F(SettingsRangeTest, AHazardIsGivenByItsName) {
  v1::PlanSettings settings;
  settings.add_acknowledge("published-table");
  settings.add_acknowledge("All of them");
  const absl::Status status = ValidateSettings(settings);
  EXPECT_THAT(status, StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("All of them")));
  EXPECT_EQ(base::Detail(status, base::kField), "settings.acknowledge[1]");
}

}  // namespace
}  // namespace curlew::plan
