#include "absl/strings/str_cat.h"
#include "agent/attempt/leaves.h"
#include "agent/executor/ddl.h"
#include "agent/executor/executors.h"
#include "agent/guard/periodic.h"
#include "common/base/status_macros.h"
#include "common/sql/identifier.h"

namespace curlew::agent {
namespace {

absl::Status Validate(const RunContext& context, DdlOptions::Journal journal, const std::string& table,
                      const std::string& constraint) {
  const std::string statement =
      absl::StrCat("ALTER TABLE ", table, " VALIDATE CONSTRAINT ", sql::Ident(constraint));
  return RunDdl(context, {.journal = journal}, [&](DdlTransaction& ddl) {
    const absl::Time began = absl::Now();
    const Periodic report(absl::Seconds(1), [&] {
      v1::Progress progress;
      progress.set_message(
          absl::StrCat("reading ", table, " for ",
                       absl::FormatDuration(absl::Floor(absl::Now() - began, absl::Seconds(1)))));
      context.progress->Report(progress);
    });
    return ddl.Run({statement});
  });
}

absl::StatusOr<bool> IsNotValid(const RunContext& context, const Leaf& leaf, const std::string& constraint) {
  ASSIGN_OR_RETURN(const auto connection, context.pool->Acquire());
  ASSIGN_OR_RETURN(const pg::Result found,
                   connection->Execute("SELECT EXISTS (SELECT FROM pg_constraint WHERE conrelid = $1::oid"
                                       " AND conname = $2 AND NOT convalidated)",
                                       {absl::StrCat(leaf.oid), constraint}));
  return found.Bool(0, 0);
}

}  // namespace

absl::Status RunValidateConstraint(const RunContext& context, const v1::ValidateConstraint& action) {
  if (!action.each_partition())
    return Validate(context, DdlOptions::Journal::kSuccess, action.table(), action.constraint());
  RETURN_IF_ERROR(
      ForEachLeaf(context, action.table(), [&](const RunContext& about, const Leaf& leaf) -> absl::Status {
        ASSIGN_OR_RETURN(const bool not_valid, IsNotValid(context, leaf, action.constraint()));
        if (!not_valid) return absl::OkStatus();
        return Validate(about, DdlOptions::Journal::kNothing, leaf.name, action.constraint());
      }));
  return JournalSuccess(context, 0);
}

}  // namespace curlew::agent
