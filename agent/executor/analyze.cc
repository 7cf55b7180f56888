#include "absl/strings/str_cat.h"
#include "agent/executor/ddl.h"
#include "agent/executor/executors.h"
#include "agent/executor/vacuum.h"
#include "common/base/status_macros.h"

namespace curlew::agent {

absl::StatusOr<StepResult> RunAnalyze(const RunContext& context, const v1::Analyze& action) {
  StepResult result;
  if (action.vacuum_if_bloated()) {
    Vacuum vacuum(context, action.table());
    RETURN_IF_ERROR(vacuum.Run());
    result.summary = vacuum.Summary();
  }
  RETURN_IF_ERROR(RunDdl(context, {}, [&](DdlTransaction& ddl) {
    return ddl.Execute(absl::StrCat("ANALYZE ", action.table())).status();
  }));
  return result;
}

}  // namespace curlew::agent
