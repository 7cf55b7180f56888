#include "absl/strings/str_cat.h"
#include "agent/preflight/looks.h"
#include "common/base/status_macros.h"

namespace curlew::agent {
namespace {

// Bytes a second of the newest walks that were long enough to tell something: the middle one.
constexpr char kSpeed[] = R"sql(
WITH walks AS (
  SELECT sum(b.blocks) * current_setting('block_size')::float8
           / extract(epoch FROM max(s.finished) - min(b.started))::float8 AS speed
  FROM curlew.step s JOIN curlew.backfill b ON b.run = s.run AND b.step = s.step
  WHERE s.direction = 'do' AND s.state = 'succeeded' AND s.finished > b.started
  GROUP BY s.run, s.step
  HAVING sum(b.blocks) >= $1::bigint AND extract(epoch FROM max(s.finished) - min(b.started)) > 0
  ORDER BY max(s.finished) DESC LIMIT 10
)
SELECT percentile_cont(0.5) WITHIN GROUP (ORDER BY speed) FROM walks
)sql";

// Of a walk of fewer blocks the beginning and the end take the most.
constexpr int64_t kLeastBlocks = 100;

}  // namespace

absl::StatusOr<std::optional<absl::Duration>> EstimateWalks(const Look& look) {
  std::vector<std::string> walked;
  for (const v1::Step& step : look.plan.steps()) {
    if (step.action().has_backfill()) walked.push_back(step.action().backfill().table());
    if (step.action().has_transform_rows()) walked.push_back(step.action().transform_rows().table());
  }
  if (walked.empty()) return std::optional<absl::Duration>();
  ASSIGN_OR_RETURN(const pg::Result journal,
                   look.connection->Execute("SELECT to_regclass('curlew.backfill')"));
  if (journal.IsNull(0, 0)) return std::optional<absl::Duration>();
  ASSIGN_OR_RETURN(const pg::Result speed, look.connection->Execute(kSpeed, {absl::StrCat(kLeastBlocks)}));
  if (speed.empty() || speed.IsNull(0, 0) || speed.Double(0, 0) <= 0) return std::optional<absl::Duration>();
  ASSIGN_OR_RETURN(const auto facts, ReadTableFacts(look.connection, walked));
  double bytes = 0;
  // A table that is walked twice counts twice.
  for (const std::string& table : walked) {
    if (const auto found = facts.find(table); found != facts.end())
      bytes += static_cast<double>(found->second.heap_bytes);
  }
  return std::optional<absl::Duration>(
      absl::Ceil(absl::Seconds(bytes / speed.Double(0, 0)), absl::Seconds(1)));
}

}  // namespace curlew::agent
