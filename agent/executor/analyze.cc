#include "absl/strings/str_cat.h"
#include "agent/executor/ddl.h"
#include "agent/executor/executors.h"

namespace curlew::agent {

absl::Status RunAnalyze(const RunContext& context, const v1::Analyze& action) {
  return RunDdl(context, {}, [&](DdlTransaction& ddl) {
    return ddl.Execute(absl::StrCat("ANALYZE ", action.table())).status();
  });
}

}  // namespace curlew::agent
