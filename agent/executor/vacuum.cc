#include "agent/executor/vacuum.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/time/time.h"
#include "agent/attempt/leaves.h"
#include "agent/executor/table_lock.h"
#include "agent/executor/words.h"
#include "agent/guard/lock_watch.h"
#include "common/base/status_macros.h"

namespace curlew::agent {
namespace {

// VACUUM's lock lets the application read and write, also while it is waited for.
constexpr absl::Duration kMostPatience = absl::Seconds(10);

}  // namespace

absl::Status Vacuum::Run() {
  return ForEachLeaf(context_, table_, [this](const RunContext&, const Leaf& leaf) { return Leave(leaf); });
}

std::string Vacuum::Summary() const {
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

absl::Status Vacuum::Leave(const Leaf& leaf) {
  ASSIGN_OR_RETURN(const Bloat bloat, Read(leaf));
  if (bloat.bytes_before.has_value()) {
    walked_ = true;
    before_ += *bloat.bytes_before;
    after_ += bloat.bytes;
  }
  if (which_ == Which::kBloated && !bloat.IsBloated()) return absl::OkStatus();
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

absl::StatusOr<Bloat> Vacuum::Read(const Leaf& leaf) {
  ASSIGN_OR_RETURN(const auto connection, context_.pool->Acquire());
  return ReadBloat(connection.get(), context_.attempt.run, leaf);
}

absl::StatusOr<std::string> Vacuum::Holder(const Leaf& leaf) {
  ASSIGN_OR_RETURN(const auto connection, context_.pool->Acquire());
  v1::TableLock wanted;
  wanted.set_table(leaf.name);
  wanted.set_mode("ShareUpdateExclusiveLock");
  ASSIGN_OR_RETURN(const std::vector<LockHolder> holders, FindLockHolders(connection.get(), {wanted}));
  return holders.empty() ? "it was locked" : Describe(holders.front());
}

}  // namespace curlew::agent
