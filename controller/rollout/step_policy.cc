#include "controller/rollout/step_policy.h"

#include <algorithm>

#include "common/base/proto_time.h"

namespace curlew::rollout {
namespace {

// The agent's own limit where the plan sets none.
constexpr absl::Duration kLockRetryDeadline = absl::Minutes(10);
// What is left for the work of a transaction once it has its locks.
constexpr absl::Duration kBesidesLocks = absl::Minutes(5);

enum Row {
  kSql,
  kPartitions,
  kConcurrently,
  kTrigger,
  kBackfill,
  kValidate,
  kTransform,
  kVerify,
  kAnalyze,
  kVacuum,
  kWait,
  kBackup,
  kMeasure,
  kCompile
};

Row RowFor(const v1::Action& action) {
  switch (action.kind_case()) {
    case v1::Action::kExecuteSql:
      return action.execute_sql().has_each_partition() ? kPartitions : kSql;
    case v1::Action::kExecuteSqlConcurrently:
      return kConcurrently;
    case v1::Action::kInstallTrigger:
      return kTrigger;
    case v1::Action::kBackfill:
      return kBackfill;
    case v1::Action::kValidateConstraint:
      return kValidate;
    case v1::Action::kTransformRows:
      return kTransform;
    case v1::Action::kVerify:
      return kVerify;
    case v1::Action::kAnalyze:
      return action.analyze().vacuum_if_bloated() || action.analyze().vacuum() ? kVacuum : kAnalyze;
    case v1::Action::kWait:
      return kWait;
    case v1::Action::kBackup:
      return kBackup;
    case v1::Action::kMeasure:
      return kMeasure;
    case v1::Action::KIND_NOT_SET:
      return kCompile;
  }
  return kCompile;
}

}  // namespace

const std::vector<PolicyRow>& PolicyTable() {
  constexpr absl::Duration kNever = absl::InfiniteDuration();
  constexpr absl::Duration kSecond = absl::Seconds(1), kHalfMinute = absl::Seconds(30);
  static const auto* const kTable = new std::vector<PolicyRow>{
      {"`execute_sql`",
       {8, kSecond, kHalfMinute, kLockRetryDeadline + kBesidesLocks},
       "one short transaction; the agent itself tries for its locks for `settings.lock_retry_deadline` (10 "
       "minutes), the deadline is 5 minutes more"},
      {"`execute_sql`, on each partition",
       {8, kSecond, kHalfMinute, kNever},
       "a short transaction for each partition, each with the agent's own limits; there may be thousands"},
      {"`execute_sql_concurrently`",
       {8, absl::Seconds(5), absl::Minutes(5), kNever},
       "an index of a large table takes hours, and each try begins anew"},
      {"`install_trigger`",
       {8, kSecond, kHalfMinute, kLockRetryDeadline + kBesidesLocks},
       "as `execute_sql`"},
      {"`backfill`",
       {50, kSecond, absl::Minutes(1), kNever},
       "days long; each try goes on where the last one stopped"},
      {"`validate_constraint`",
       {8, absl::Seconds(5), absl::Minutes(5), kNever},
       "reads a whole table under a lock that blocks no write"},
      {"`transform_rows`", {50, kSecond, absl::Minutes(1), kNever}, "as `backfill`"},
      {"`verify`", {8, absl::Seconds(5), absl::Minutes(5), kNever}, "may read a whole table"},
      {"`analyze`",
       {3, absl::Seconds(5), absl::Minutes(1), absl::Hours(2)},
       "reads a sample, of each partition; can be skipped"},
      {"`analyze`, with a vacuum",
       {3, absl::Seconds(5), absl::Minutes(1), kNever},
       "VACUUM of a large table takes hours; can be skipped"},
      {"`wait`",
       {50, kSecond, absl::Minutes(1), kNever},
       "lasts until others are done; `curlew rollout override` ends it"},
      {"`backup`",
       {3, absl::Seconds(10), absl::Minutes(5), kNever},
       "a dump of large tables takes hours, and each try begins anew"},
      {"`measure`", {8, absl::Seconds(5), absl::Minutes(5), kNever}, "as `verify`"},
      {"compilation",
       {8, kSecond, kHalfMinute, kNever},
       "the controller waits half a minute for the schema, then asks again"}};
  return *kTable;
}

StepPolicy PolicyFor(const v1::Action& action, const v1::PlanSettings& settings) {
  if (action.kind_case() == v1::Action::KIND_NOT_SET) return {};
  StepPolicy policy = PolicyTable()[RowFor(action)].policy;
  if (policy.deadline != absl::InfiniteDuration() && settings.has_lock_retry_deadline()) {
    policy.deadline =
        std::max(policy.deadline, base::FromProto(settings.lock_retry_deadline()) + kBesidesLocks);
  }
  return policy;
}

bool MaySkip(const v1::Action& action) { return action.has_analyze(); }

}  // namespace curlew::rollout
