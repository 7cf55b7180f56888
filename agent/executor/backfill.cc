#include <vector>

#include "absl/strings/str_cat.h"
#include "agent/backfill/engine.h"
#include "agent/executor/executors.h"
#include "agent/executor/vacuum.h"
#include "common/base/error_detail.h"
#include "common/base/proto_time.h"
#include "common/base/status_macros.h"

namespace curlew::agent {
namespace {

// Foreign keys that would not be checked, or carried out, where no trigger fires: those of the columns ($2)
// that are written, and for a DELETE those that reference the table.
constexpr char kForeignKeys[] =
    "SELECT c.conname FROM pg_constraint c WHERE c.contype = 'f' AND CASE WHEN $3::boolean"
    " THEN c.confrelid = $1::oid ELSE c.conrelid = $1::oid AND EXISTS (SELECT FROM pg_attribute a"
    " WHERE a.attrelid = c.conrelid AND a.attnum = ANY (c.conkey) AND quote_ident(a.attname) = ANY "
    "($2::text[]))"
    " END ORDER BY 1 LIMIT 1";

absl::Status CheckSkippedTriggers(const RunContext& context, const v1::Backfill& action, uint32_t oid,
                                  pg::Connection* connection) {
  if (!context.settings.backfill().skip_user_triggers()) return absl::OkStatus();
  std::vector<std::string> columns;
  for (const v1::Assignment& assignment : action.assignments()) columns.push_back(assignment.column());
  ASSIGN_OR_RETURN(const pg::Result keys,
                   connection->Execute(kForeignKeys, {absl::StrCat(oid), pg::ArrayParam(columns),
                                                      action.deletes() ? "true" : "false"}));
  if (keys.empty()) return absl::OkStatus();
  return base::WithDetail(absl::FailedPreconditionError(
                              absl::StrCat("settings.backfill.skip_user_triggers would keep foreign key ",
                                           keys.Text(0, 0), " from being checked too")),
                          base::kHint, "leave the setting out of the plan");
}

}  // namespace

absl::StatusOr<StepResult> RunBackfill(const RunContext& context, const v1::Backfill& action) {
  uint32_t oid = 0;
  {
    ASSIGN_OR_RETURN(const auto connection, context.pool->Acquire());
    ASSIGN_OR_RETURN(oid, TableOid(connection.get(), action.table()));
    RETURN_IF_ERROR(CheckSkippedTriggers(context, action, oid, connection.get()));
  }
  const DmlWork work(action, context.settings.backfill(), oid);
  BackfillEngine::Options options;
  if (action.has_batch_target()) options.batch_target = base::FromProto(action.batch_target());
  Vacuum vacuum(context, action.table(), Vacuum::Which::kBloated);
  options.between_walks = [&vacuum] { return vacuum.Run(); };
  BackfillEngine engine(context, work, options);
  ASSIGN_OR_RETURN(const BackfillEngine::Done done, engine.Run());
  // What is filled or changed is verified; nobody looks once more whether rows are gone.
  RETURN_IF_ERROR(
      JournalWalk(context, action.table(), done.rows, action.deletes() ? LooksAgain::kNo : LooksAgain::kYes));
  return StepResult{.rows = done.rows};
}

}  // namespace curlew::agent
