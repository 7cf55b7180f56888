#include "controller/rollout/describe.h"

#include <algorithm>
#include <set>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/string_view.h"
#include "common/base/own_sqlstate.h"
#include "controller/rollout/draft.h"
#include "controller/rollout/rollback.h"

namespace curlew::rollout {
namespace {

constexpr size_t kMostFailures = 10;

// " (SQLSTATE 42501)", where the message does not say so.
std::string SqlstateOf(const v1::StepError& error) {
  if (error.sqlstate().empty() || absl::StrContains(error.message(), error.sqlstate())) return "";
  return absl::StrCat(" (SQLSTATE ", error.sqlstate(), ")");
}

// Whether the run failed on its way back.
bool UndoFailed(const v1::Run& run) {
  const auto failed = [](const v1::StepStatus& step) {
    return step.state() == v1::STEP_STATE_FAILED && step.attempt().direction() == v1::DIRECTION_UNDO;
  };
  return failed(run.rollback_gate()) || std::any_of(run.steps().begin(), run.steps().end(), failed);
}

}  // namespace

std::string EnvironmentThatGoesBack(const v1::Rollout& rollout) {
  std::set<absl::string_view> back, others;
  for (const v1::Run& run : rollout.runs()) {
    if (!IsBegun(run)) continue;
    const bool goes_back = run.state() == v1::RUN_STATE_ROLLING_BACK ||
                           run.state() == v1::RUN_STATE_ROLLED_BACK ||
                           (run.state() == v1::RUN_STATE_FAILED && UndoFailed(run));
    (goes_back ? back : others).insert(run.environment());
  }
  if (back.size() != 1 || others.empty() || others.count(*back.begin()) > 0) return "";
  return std::string(*back.begin());
}

std::string BackupText(const v1::BackupResult& backup) {
  std::string text = absl::StrCat("has a backup: ", backup.kind(), " ", backup.location());
  if (backup.bytes() > 0) absl::StrAppend(&text, ", ", backup.bytes(), " bytes");
  if (!backup.sha256().empty()) absl::StrAppend(&text, ", SHA-256 ", backup.sha256());
  return text;
}

std::string DescribeFailure(const v1::Rollout& rollout) {
  std::vector<std::string> failures;
  std::set<std::string> skippable;
  bool rows = false;
  for (const v1::Run& run : rollout.runs()) {
    if (run.state() != v1::RUN_STATE_FAILED) continue;
    failures.push_back(absl::StrCat(run.target(), ": ", run.error().message(), SqlstateOf(run.error())));
    rows = rows || run.error().sqlstate() == base::kRowsQuarantined;
    for (const v1::StepStatus& step : run.steps()) {
      if (step.state() == v1::STEP_STATE_FAILED && step.skippable()) skippable.insert(step.key());
    }
  }
  const absl::string_view name = BareName(rollout.name());
  const size_t shown = std::min(failures.size(), kMostFailures);
  std::string text = absl::StrJoin(failures.begin(), failures.begin() + shown, "; ");
  if (failures.size() > shown) absl::StrAppend(&text, "; and ", failures.size() - shown, " more");
  if (rollout.has_rollback_time()) {
    return absl::StrCat(text, "; to try again: `curlew rollout rollback ", name, "`");
  }
  if (rows) absl::StrAppend(&text, "; to see the rows: `curlew rollout rows ", name, "`");
  absl::StrAppend(&text, "; to try again: `curlew rollout retry ", name, "`");
  if (!skippable.empty()) {
    absl::StrAppend(&text, "; to go on without ", absl::StrJoin(skippable, ", "), ": `curlew rollout skip ",
                    name, " --reason '...'`");
  }
  if (CheckRollback(rollout, {}).ok()) {
    return absl::StrCat(text, "; to undo: `curlew rollout rollback ", name, "`");
  }
  return absl::StrCat(text, "; to leave it as it is: `curlew rollout abort ", name, "`");
}

}  // namespace curlew::rollout
