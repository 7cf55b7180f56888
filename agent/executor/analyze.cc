#include "absl/strings/str_cat.h"
#include "agent/executor/ddl.h"
#include "agent/executor/executors.h"
#include "agent/executor/vacuum.h"
#include "common/base/status_macros.h"

namespace curlew::agent {

absl::StatusOr<StepResult> RunAnalyze(const RunContext& context, const v1::Analyze& action) {
  // Of all kinds of steps this alone may be left out: it changes no answer to any query, and nothing that
  // comes later looks at what it leaves. So the operator's word means here that it is not run at all.
  if (context.override_wait.has_value()) {
    RETURN_IF_ERROR(JournalSuccess(context, 0));
    return StepResult{.summary = absl::StrCat("skipped by ", context.override_wait->actor(), ": ",
                                              context.override_wait->reason())};
  }
  StepResult result;
  if (action.vacuum() || action.vacuum_if_bloated()) {
    Vacuum vacuum(context, action.table(), action.vacuum() ? Vacuum::Which::kAll : Vacuum::Which::kBloated);
    RETURN_IF_ERROR(vacuum.Run());
    result.summary = vacuum.Summary();
  }
  RETURN_IF_ERROR(RunDdl(
      context, {}, [&](DdlTransaction& ddl) { return ddl.Run({absl::StrCat("ANALYZE ", action.table())}); }));
  return result;
}

}  // namespace curlew::agent
