#include "absl/strings/str_cat.h"
#include "agent/executor/ddl.h"
#include "agent/executor/executors.h"
#include "agent/guard/periodic.h"
#include "common/sql/identifier.h"

namespace curlew::agent {

absl::Status RunValidateConstraint(const RunContext& context, const v1::ValidateConstraint& action) {
  const std::string statement =
      absl::StrCat("ALTER TABLE ", action.table(), " VALIDATE CONSTRAINT ", sql::Ident(action.constraint()));
  return RunDdl(context, {}, [&](DdlTransaction& ddl) {
    const absl::Time began = absl::Now();
    const Periodic report(absl::Seconds(1), [&] {
      v1::Progress progress;
      progress.set_message(
          absl::StrCat("reading ", action.table(), " for ",
                       absl::FormatDuration(absl::Floor(absl::Now() - began, absl::Seconds(1)))));
      context.progress->Report(progress);
    });
    return ddl.Execute(statement).status();
  });
}

}  // namespace curlew::agent
