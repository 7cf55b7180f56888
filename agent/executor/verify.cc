#include <cstdint>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/time/clock.h"
#include "agent/backfill/engine.h"
#include "agent/executor/accepted_rows.h"
#include "agent/executor/ddl.h"
#include "agent/executor/executors.h"
#include "agent/executor/finding.h"
#include "agent/executor/shared_snapshot.h"
#include "agent/executor/table_lock.h"
#include "agent/executor/table_scan.h"
#include "agent/executor/verify_checks.h"
#include "agent/executor/words.h"
#include "common/base/fault_point.h"
#include "common/base/status_macros.h"

namespace curlew::agent {
namespace {

// How often tables that change under the look are looked at anew before another attempt is asked for.
constexpr int kMostLooks = 5;
// How often rows that are found pending are filled: whoever goes on writing past the triggers has to be
// stopped first.
constexpr int kMostMends = 3;

// What one snapshot holds.
struct Look {
  int64_t rows = 0;
  std::vector<Finding> findings;
  // Positions of scans that found rows pending.
  std::vector<int> mendable;
};

absl::StatusOr<Look> LookOnce(const RunContext& context, const v1::Verify& action) {
  ASSIGN_OR_RETURN(const auto lease, context.pool->Acquire());
  const CancelToken::Interruptible interruptible(context.cancel, lease.get());
  std::vector<std::map<uint32_t, std::string>> files;
  for (const v1::RowScan& scan : action.scans()) {
    ASSIGN_OR_RETURN(files.emplace_back(), SharedSnapshot::Files(lease.get(), scan.table()));
  }
  base::FaultPoint("verify.before_snapshot");
  ASSIGN_OR_RETURN(const auto snapshot, SharedSnapshot::Take(lease.get(), action.search_path()));
  base::FaultPoint("verify.after_snapshot");
  Look look;
  RETURN_IF_ERROR(CheckTriggers(action, lease.get(), &look.findings));
  // What was written past the triggers may be anywhere: nothing else is worth a look before they are back.
  if (!look.findings.empty()) return look;
  RETURN_IF_ERROR(CompareValues(context, action, lease.get(), &look.findings));
  RETURN_IF_ERROR(RunChecks(context, action, lease.get(), &look.findings));
  for (int i = 0; i < action.scans_size(); ++i) {
    const v1::RowScan& scan = action.scans(i);
    ASSIGN_OR_RETURN(std::vector<Heap> heaps, snapshot->Heaps(scan.table(), files[i]));
    RETURN_IF_ERROR(ExceptAcceptedRows(lease.get(), context.attempt.run, &heaps));
    ASSIGN_OR_RETURN(ScanResult result, TableScan(context, scan, std::move(heaps), snapshot.get()).Run());
    look.rows += result.rows;
    for (Finding& finding : result.findings) {
      if (finding.mendable) look.mendable.push_back(i);
      look.findings.push_back(std::move(finding));
    }
  }
  return look;
}

// Looks until nothing has changed under the look.
absl::StatusOr<Look> LookAtAll(const RunContext& context, const v1::Verify& action) {
  std::vector<std::string> tables;
  for (const v1::RowScan& scan : action.scans()) tables.push_back(scan.table());
  const absl::Time began = absl::Now();
  for (int looks = 1;; ++looks) {
    absl::StatusOr<Look> look = LookOnce(context, action);
    if (look.ok()) return look;
    RETURN_IF_ERROR(context.cancel->Check());
    if (IsLockTimeout(look.status())) {
      // Before it began to read.
      ASSIGN_OR_RETURN(const auto lease, context.pool->Acquire());
      ASSIGN_OR_RETURN(const v1::Progress waiting,
                       StillLocked(context, lease.get(), tables, "AccessShareLock", began, look.status()));
      context.progress->Report(waiting);
      --looks;
      continue;
    }
    // Another snapshot may succeed: also where this one was too old.
    if (!absl::IsAborted(look.status()) || looks == kMostLooks) return look.status();
    RETURN_IF_ERROR(context.cancel->Pause(absl::Milliseconds(100) * looks));
  }
}

}  // namespace

absl::StatusOr<StepResult> RunVerify(const RunContext& context, const v1::Verify& action) {
  const absl::Time began = absl::Now();
  int64_t mended = 0;
  for (int mends = 0;; ++mends) {
    ASSIGN_OR_RETURN(const Look look, LookAtAll(context, action));
    if (look.findings.empty()) {
      RETURN_IF_ERROR(JournalSuccess(context, look.rows));
      StepResult result{.rows = look.rows, .summary = ""};
      if (action.scans().empty()) return result;
      result.summary = absl::StrCat(CountOf(look.rows, "row"), " looked at in ", TimeOf(absl::Now() - began));
      if (mended > 0)
        absl::StrAppend(&result.summary, "; ", CountOf(mended, "row"), " had been left pending, and ",
                        mended == 1 ? "was" : "were", " filled");
      return result;
    }
    // Pairs that do not agree are shown and not touched: which side is right cannot be known.
    if (look.mendable.size() < look.findings.size() || mends == kMostMends) return ToStatus(look.findings);
    for (const int scan : look.mendable) {
      ASSIGN_OR_RETURN(const int64_t rows, MendPending(context, action.scans(scan).repair()));
      mended += rows;
    }
  }
}

}  // namespace curlew::agent
