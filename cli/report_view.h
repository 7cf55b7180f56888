// The report of a rollout: what is filed. Pure functions.
#ifndef CURLEW_CLI_REPORT_VIEW_H_
#define CURLEW_CLI_REPORT_VIEW_H_

#include <string>
#include <vector>

#include "cli/compiled_plans.h"
#include "cli/document.h"
#include "cli/rollout_view.h"
#include "curlew/v1/rollout.pb.h"

namespace curlew::cli {

// What a report is made of.
struct ReportData {
  // With the steps of its runs.
  v1::Rollout rollout;
  CompiledPlans plans;
  // In order; those that were not kept are missing.
  std::vector<v1::Event> events;
};

// Everything that is known of a rollout: plan and labels, what ran where and how long, attempts, rows, locks
// and SQL, what was never touched, checks with their measurements, gates with their approvals (those that do
// not count, too), preflight, backups, decisions of operators, the longest waits, events. `now` and zone are
// those of `options`.
Document RolloutReport(const ReportData& data, const ViewOptions& options);

// How to get back to before the rollout by its backups, for each target, or for one (empty for all): in order
// what to do, and what each backup is. "" where no step has made one.
std::string RenderRestoreHint(const v1::Rollout& rollout, const std::string& target,
                              const ViewOptions& options);

}  // namespace curlew::cli

#endif  // CURLEW_CLI_REPORT_VIEW_H_
