#include "absl/strings/str_cat.h"
#include "agent/executor/ddl.h"
#include "agent/executor/executors.h"
#include "common/base/status_macros.h"

namespace curlew::agent {
namespace {

absl::Status CheckTrigger(DdlTransaction& ddl, const std::string& table, const std::string& trigger) {
  ASSIGN_OR_RETURN(
      const pg::Result found,
      ddl.Execute("SELECT count(*) FROM pg_trigger WHERE tgrelid = to_regclass($1) AND tgname = $2"
                  " AND NOT tgisinternal AND tgenabled <> 'D'",
                  {table, trigger}));
  if (found.Int(0, 0) == 1) return absl::OkStatus();
  return absl::FailedPreconditionError(absl::StrCat("trigger ", trigger, " on ", table,
                                                    " is not there, or not enabled, after it was installed"));
}

}  // namespace

absl::Status RunInstallTrigger(const RunContext& context, const v1::InstallTrigger& action) {
  return RunDdl(context, {.deadline = DdlStatementTimeout(context.settings)},
                [&](DdlTransaction& ddl) -> absl::Status {
                  RETURN_IF_ERROR(ddl.Run({action.statements().begin(), action.statements().end()}));
                  for (const std::string& trigger : action.triggers())
                    RETURN_IF_ERROR(CheckTrigger(ddl, action.table(), trigger));
                  return absl::OkStatus();
                });
}

}  // namespace curlew::agent
