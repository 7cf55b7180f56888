#include <algorithm>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/time/time.h"
#include "agent/attempt/leaves.h"
#include "agent/executor/bloat.h"
#include "agent/executor/concurrent_session.h"
#include "agent/executor/ddl.h"
#include "agent/executor/executors.h"
#include "agent/executor/table_lock.h"
#include "agent/executor/words.h"
#include "agent/guard/lock_watch.h"
#include "common/base/status_macros.h"

namespace curlew::agent {
namespace {

// VACUUM's lock lets the application read and write, also while it is waited for.
constexpr absl::Duration kMostPatience = absl::Seconds(10);

// Vacuums the heaps of a table that are bloated, and tells how much the run has made it grow.
class Vacuum {
 public:
  Vacuum(const RunContext& context, const std::string& table) : context_(context), table_(table) {}

  absl::Status Run() {
    return ForEachLeaf(context_, table_, [this](const RunContext&, const Leaf& leaf) { return Leave(leaf); });
  }

  std::string Summary() const {
    std::vector<std::string> parts;
    if (walked_) {
      const std::string before = SizeOf(before_), after = SizeOf(after_);
      parts.push_back(before == after ? absl::StrCat(table_, " stayed at ", after)
                                      : absl::StrCat(table_, after_ > before_ ? " grew from " : " went from ",
                                                     before, " to ", after));
    }
    if (removed_ > 0) parts.push_back(absl::StrCat("about ", CountOf(removed_, "dead row"), " removed"));
    if (kept_ > 0)
      parts.push_back(
          absl::StrCat("about ", CountOf(kept_, "dead row"), " kept: older transactions may look at them"));
    parts.insert(parts.end(), notes_.begin(), notes_.end());
    return absl::StrJoin(parts, "; ");
  }

 private:
  absl::Status Leave(const Leaf& leaf) {
    ASSIGN_OR_RETURN(const Bloat bloat, Read(leaf));
    if (bloat.bytes_before.has_value()) {
      walked_ = true;
      before_ += *bloat.bytes_before;
      after_ += bloat.bytes;
    }
    if (!bloat.IsBloated()) return absl::OkStatus();
    if (!bloat.may_vacuum) {
      notes_.push_back(absl::StrCat(leaf.name, " has about ", CountOf(bloat.dead_rows, "dead row"),
                                    " and was not vacuumed: the agent's role does not own it"));
      return absl::OkStatus();
    }
    if (!session_.has_value()) {
      ASSIGN_OR_RETURN(session_, ConcurrentSession::Open(context_));
      const absl::Duration patience = std::min(kMostPatience, LockRetryDeadline(context_.settings));
      RETURN_IF_ERROR(
          session_->connection()
              ->Execute(absl::StrCat("SET lock_timeout = ", absl::ToInt64Milliseconds(patience),
                                     "; SET vacuum_cost_delay = '2ms'; SET vacuum_cost_limit = 2000"))
              .status());
    }
    session_->SetSubject(absl::StrCat("vacuums ", leaf.name, ": "));
    // Not TRUNCATE: giving back the end of the heap locks everybody out. Nor by several processes.
    const absl::Status status =
        session_->Execute(absl::StrCat("VACUUM (TRUNCATE off, PARALLEL 0) ", leaf.name));
    if (IsLockTimeout(status)) {
      ASSIGN_OR_RETURN(const std::string who, Holder(leaf));
      notes_.push_back(absl::StrCat(leaf.name, " was not vacuumed: ", who));
      return absl::OkStatus();
    }
    RETURN_IF_ERROR(status);
    ASSIGN_OR_RETURN(const Bloat now, Read(leaf));
    removed_ += std::max<int64_t>(0, bloat.dead_rows - now.dead_rows);
    kept_ += now.dead_rows;
    return absl::OkStatus();
  }

  absl::StatusOr<Bloat> Read(const Leaf& leaf) {
    ASSIGN_OR_RETURN(const auto connection, context_.pool->Acquire());
    return ReadBloat(connection.get(), context_.attempt.run, leaf);
  }

  absl::StatusOr<std::string> Holder(const Leaf& leaf) {
    ASSIGN_OR_RETURN(const auto connection, context_.pool->Acquire());
    v1::TableLock wanted;
    wanted.set_table(leaf.name);
    wanted.set_mode("ShareUpdateExclusiveLock");
    ASSIGN_OR_RETURN(const std::vector<LockHolder> holders, FindLockHolders(connection.get(), {wanted}));
    return holders.empty() ? "it was locked" : Describe(holders.front());
  }

  const RunContext& context_;
  const std::string& table_;
  std::optional<ConcurrentSession> session_;
  bool walked_ = false;
  int64_t before_ = 0, after_ = 0;  // bytes
  int64_t removed_ = 0, kept_ = 0;  // rows
  std::vector<std::string> notes_;
};

}  // namespace

absl::StatusOr<StepResult> RunAnalyze(const RunContext& context, const v1::Analyze& action) {
  StepResult result;
  if (action.vacuum_if_bloated()) {
    Vacuum vacuum(context, action.table());
    // Outside any transaction, and harmless when it is done again: the catalogue needs no judging.
    RETURN_IF_ERROR(vacuum.Run());
    result.summary = vacuum.Summary();
  }
  RETURN_IF_ERROR(RunDdl(context, {}, [&](DdlTransaction& ddl) {
    return ddl.Execute(absl::StrCat("ANALYZE ", action.table())).status();
  }));
  return result;
}

}  // namespace curlew::agent
