#include "agent/executor/ddl.h"
#include "agent/executor/executors.h"
#include "common/base/status_macros.h"

namespace curlew::agent {

absl::Status RunExecuteSql(const RunContext& context, const v1::ExecuteSql& action) {
  return RunDdl(context, {.deadline = DdlStatementTimeout(context.settings)},
                [&](DdlTransaction& ddl) -> absl::Status {
                  for (const std::string& statement : action.statements())
                    RETURN_IF_ERROR(ddl.Execute(statement).status());
                  return absl::OkStatus();
                });
}

}  // namespace curlew::agent
