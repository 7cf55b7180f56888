#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "agent/attempt/leaves.h"
#include "agent/executor/ddl.h"
#include "agent/executor/executors.h"
#include "common/base/status_macros.h"

namespace curlew::agent {
namespace {

absl::Status RunOnEachPartition(const RunContext& context, const v1::EachPartition& each) {
  const DdlOptions options{.deadline = DdlStatementTimeout(context.settings),
                           .journal = DdlOptions::Journal::kNothing};
  int done = 0;
  return ForEachLeaf(context, each.table(), [&](const RunContext& about, const Leaf& leaf) -> absl::Status {
    v1::Progress progress;
    progress.set_message(absl::StrCat("partition ", leaf.name, ", after ", done, " others"));
    context.progress->Report(progress);
    RETURN_IF_ERROR(RunDdl(about, options, [&](DdlTransaction& ddl) -> absl::Status {
      std::vector<std::string> statements;
      for (const v1::PartitionStatement& statement : each.statements()) {
        statements.push_back(absl::StrCat(statement.before(), leaf.name, statement.after()));
      }
      return ddl.Run(statements);
    }));
    ++done;
    return absl::OkStatus();
  });
}

}  // namespace

absl::Status RunExecuteSql(const RunContext& context, const v1::ExecuteSql& action) {
  if (action.has_each_partition()) RETURN_IF_ERROR(RunOnEachPartition(context, action.each_partition()));
  // Nothing but the journal: then no lock is waited for.
  if (action.statements().empty()) return JournalSuccess(context, 0);
  return RunDdl(context, {.deadline = DdlStatementTimeout(context.settings)}, [&](DdlTransaction& ddl) {
    return ddl.Run({action.statements().begin(), action.statements().end()});
  });
}

}  // namespace curlew::agent
