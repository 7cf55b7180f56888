#include "agent/executor/backfill_walk.h"

#include <algorithm>

#include "absl/random/random.h"
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "agent/executor/executors.h"
#include "agent/executor/leaves.h"
#include "agent/guard/lock_watch.h"
#include "common/base/error_detail.h"
#include "common/base/fault_point.h"
#include "common/base/proto_time.h"
#include "common/base/status_macros.h"
#include "common/pg/error.h"

namespace curlew::agent {
namespace {

constexpr absl::Duration kReportEvery = absl::Milliseconds(500);
constexpr absl::Duration kLookAtPressureEvery = absl::Milliseconds(200);

absl::BitGen& Random() {
  thread_local absl::BitGen random;
  return random;
}

// Rows of the table and its partitions, as the planner knows them; 0 where it does not.
constexpr char kEstimate[] =
    "WITH RECURSIVE tree AS (SELECT $1::oid AS oid"
    " UNION SELECT i.inhrelid FROM tree JOIN pg_inherits i ON i.inhparent = tree.oid)"
    " SELECT COALESCE(sum(greatest(c.reltuples, 0)), 0)::bigint FROM tree JOIN pg_class c USING (oid)"
    " WHERE c.relkind = 'r'";

absl::Duration Target(const v1::Backfill& action, const v1::PlanSettings& settings) {
  if (action.has_batch_target()) return base::FromProto(action.batch_target());
  if (settings.has_backfill_batch_target()) return base::FromProto(settings.backfill_batch_target());
  return absl::Milliseconds(50);
}

}  // namespace

BackfillWalk::BackfillWalk(const RunContext& context, const v1::Backfill& action)
    : context_(context),
      action_(action),
      sizer_(Target(action, context.settings)),
      contention_({.first = absl::Milliseconds(20), .longest = absl::Seconds(1)}, Random()) {}

absl::StatusOr<int64_t> BackfillWalk::Run() {
  ASSIGN_OR_RETURN(const auto lease, context_.pool->Acquire());
  connection_ = lease.get();
  const CancelToken::Interruptible interruptible(context_.cancel, connection_);
  if (connection_->server_version_num() < 140000) {
    return base::WithDetail(absl::FailedPreconditionError(absl::StrCat(
                                "the server is PostgreSQL ", connection_->server_version_num() / 10000,
                                "; backfills need 14 or later (TID range scans)")),
                            base::kHint, "upgrade the server, or fill the column by hand before the rollout");
  }
  ASSIGN_OR_RETURN(const uint32_t table_oid, TableOid());
  ASSIGN_OR_RETURN(const pg::Result estimate, connection_->Execute(kEstimate, {absl::StrCat(table_oid)}));
  BackfillProgress progress(estimate.Int(0, 0), absl::Now());
  BackfillBatch batch(context_, action_, connection_, table_oid);
  int64_t left = 0;
  while (true) {
    RETURN_IF_ERROR(WalkAll(batch, progress));
    if (!action_.deletes()) break;
    ASSIGN_OR_RETURN(const bool again, WalkAgain(&left));
    if (!again) break;
  }
  v1::Progress report = progress.Report(throttle_.share(), absl::Now());
  if (left > 0) {
    report.set_message(absl::StrCat("after ", kMostDeletingWalks, " walks ", left,
                                    " rows match still: they came, or came to match, meanwhile"));
  }
  context_.progress->Report(report);
  // Synchronous, and so the batches before it are durable too.
  ASSIGN_OR_RETURN(auto transaction, FencedTransaction::Begin(connection_, context_.attempt.epoch, {}));
  RETURN_IF_ERROR(RecordSuccess(transaction, context_.attempt, progress.rows()));
  base::FaultPoint("step.before_commit");
  RETURN_IF_ERROR(transaction.Commit());
  return progress.rows();
}

absl::Status BackfillWalk::WalkAll(BackfillBatch& batch, BackfillProgress& progress) {
  while (true) {
    RETURN_IF_ERROR(context_.cancel->Check());
    ASSIGN_OR_RETURN(const BackfillCursor cursor, NextLeaf(progress));
    if (cursor.done()) return absl::OkStatus();
    RETURN_IF_ERROR(WalkLeaf(batch, cursor, progress));
  }
}

absl::StatusOr<bool> BackfillWalk::WalkAgain(int64_t* left) {
  base::FaultPoint("backfill.before_count");
  ASSIGN_OR_RETURN(const std::vector<Leaf> leaves, ListLeaves(connection_, action_.table()));
  const absl::StatusOr<std::vector<int64_t>> counted = CountLeft(leaves);
  if (absl::IsNotFound(counted.status())) {
    ASSIGN_OR_RETURN(const std::vector<Leaf> now, ListLeaves(connection_, action_.table()));
    const auto names = [](const Leaf& left, const Leaf& right) { return left.name == right.name; };
    // A partition has gone meanwhile, or has another name.
    if (!std::equal(leaves.begin(), leaves.end(), now.begin(), now.end(), names)) return true;
  }
  ASSIGN_OR_RETURN(const std::vector<int64_t> counts, counted);
  ASSIGN_OR_RETURN(const std::vector<BackfillCursor> cursors,
                   ReadCursors(connection_, context_.attempt.run, context_.attempt.step));
  bool again = false;
  *left = 0;
  for (size_t i = 0; i < leaves.size(); ++i) {
    if (counts[i] == 0) continue;
    *left += counts[i];
    const auto cursor = std::find_if(cursors.begin(), cursors.end(), [&](const BackfillCursor& other) {
      return other.leaf == leaves[i].oid;
    });
    if (cursor != cursors.end() && cursor->restarts + 1 >= kMostDeletingWalks) continue;
    again = true;
    ASSIGN_OR_RETURN(auto transaction, FencedTransaction::Begin(connection_, context_.attempt.epoch, {}));
    RETURN_IF_ERROR(StartCursor(transaction, context_.attempt, leaves[i]));
    RETURN_IF_ERROR(transaction.Commit());
  }
  return again;
}

absl::StatusOr<std::vector<int64_t>> BackfillWalk::CountLeft(const std::vector<Leaf>& leaves) {
  v1::Progress progress;
  progress.set_message(absl::StrCat("counts the rows of ", action_.table(), " that match still"));
  context_.progress->Report(progress);
  ASSIGN_OR_RETURN(const auto snapshot,
                   pg::Transaction::Begin(connection_, pg::Transaction::Mode::kReadOnlySnapshot));
  if (!action_.search_path().empty()) {
    RETURN_IF_ERROR(
        snapshot->Execute(absl::StrCat("SET LOCAL search_path = ", action_.search_path())).status());
  }
  std::vector<int64_t> counts;
  for (const Leaf& leaf : leaves) {
    ASSIGN_OR_RETURN(
        const pg::Result count,
        snapshot->Execute(absl::StrCat("SELECT pg_catalog.count(*) FROM ONLY ", leaf.name, " AS t WHERE (",
                                       action_.pending().empty() ? "true" : action_.pending(), ")")));
    counts.push_back(count.Int(0, 0));
  }
  RETURN_IF_ERROR(snapshot->Commit());
  return counts;
}

absl::StatusOr<uint32_t> BackfillWalk::TableOid() {
  ASSIGN_OR_RETURN(const pg::Result row,
                   connection_->Execute("SELECT to_regclass($1)::oid", {action_.table()}));
  if (row.IsNull(0, 0))
    return absl::NotFoundError(absl::StrCat("table ", action_.table(), " does not exist"));
  return static_cast<uint32_t>(row.Int(0, 0));
}

absl::StatusOr<BackfillCursor> BackfillWalk::NextLeaf(BackfillProgress& progress) {
  // Listed anew each time: a partition may have been attached meanwhile.
  ASSIGN_OR_RETURN(const std::vector<Leaf> leaves, ListLeaves(connection_, action_.table()));
  ASSIGN_OR_RETURN(const std::vector<BackfillCursor> cursors,
                   ReadCursors(connection_, context_.attempt.run, context_.attempt.step));
  progress.SetLeafCount(static_cast<int>(leaves.size()));
  for (const BackfillCursor& cursor : cursors) progress.SetLeaf(cursor);
  for (const Leaf& leaf : leaves) {
    const auto found = std::find_if(cursors.begin(), cursors.end(),
                                    [&](const BackfillCursor& cursor) { return cursor.leaf == leaf.oid; });
    if (found != cursors.end()) {
      if (found->done()) continue;
      BackfillCursor cursor = *found;
      cursor.leaf_name = leaf.name;  // it may have been renamed
      return cursor;
    }
    ASSIGN_OR_RETURN(auto transaction, FencedTransaction::Begin(connection_, context_.attempt.epoch, {}));
    RETURN_IF_ERROR(StartCursor(transaction, context_.attempt, leaf));
    RETURN_IF_ERROR(transaction.Commit());
    return NextLeaf(progress);
  }
  return BackfillCursor();
}

absl::Status BackfillWalk::WalkLeaf(BackfillBatch& batch, BackfillCursor cursor, BackfillProgress& progress) {
  absl::Time reported = absl::InfinitePast();
  absl::Time looked = absl::InfinitePast();
  while (!cursor.done()) {
    RETURN_IF_ERROR(context_.cancel->Check());
    const absl::Time began = absl::Now();
    const auto look =
        began - looked >= kLookAtPressureEvery ? BackfillBatch::Look::kAtPressure : BackfillBatch::Look::kNo;
    if (look == BackfillBatch::Look::kAtPressure) looked = began;
    const int64_t end = std::min(cursor.blocks, cursor.next_block + sizer_.blocks());
    const absl::StatusOr<BackfillBatch::Done> done = batch.Run(cursor, end, look);
    if (absl::IsDeadlineExceeded(done.status()) ||
        (absl::IsAborted(done.status()) && !IsFencedOut(done.status()))) {
      RETURN_IF_ERROR(Contended(cursor));
      continue;
    }
    if (!done.ok()) {
      RETURN_IF_ERROR(context_.cancel->Check());
      if (absl::IsCancelled(done.status()) || pg::BlameFor(done.status()) != pg::Blame::kWork)
        return done.status();
      if (absl::IsNotFound(done.status())) {
        ASSIGN_OR_RETURN(const bool gone, IsGone(cursor));
        if (gone) return absl::OkStatus();
      }
      const absl::Status why = batch.Diagnose(cursor, end, done.status());
      if (absl::IsDeadlineExceeded(why) || (absl::IsAborted(why) && !IsFencedOut(why))) {
        RETURN_IF_ERROR(Contended(cursor));
      } else if (!why.ok()) {
        return why;
      }
      continue;
    }
    if (done->rewritten) {
      ASSIGN_OR_RETURN(auto transaction, FencedTransaction::Begin(connection_, context_.attempt.epoch, {}));
      RETURN_IF_ERROR(
          StartCursor(transaction, context_.attempt, {.oid = cursor.leaf, .name = cursor.leaf_name}));
      return transaction.Commit();
    }
    const absl::Duration taken = absl::Now() - began;
    contention_.Reset();
    contended_since_ = absl::InfiniteFuture();
    sizer_.Took(end - cursor.next_block, taken);
    cursor.next_block = end;
    cursor.rows += done->rows;
    progress.SetLeaf(cursor);
    const absl::Duration pause = throttle_.PauseAfter(taken, done->pressure);
    if (absl::Now() - reported >= kReportEvery || pause > absl::ZeroDuration()) {
      reported = absl::Now();
      v1::Progress report = progress.Report(throttle_.share(), reported);
      if (pause > absl::ZeroDuration()) {
        *report.mutable_waiting() =
            WaitingFor(v1::WAIT_CAUSE_THROTTLE,
                       absl::StrCat("yields to ", done->pressure.sessions_waiting_for_us,
                                    " sessions that waited for it"),
                       reported)
                .waiting();
      }
      context_.progress->Report(report);
    }
    if (pause > absl::ZeroDuration()) RETURN_IF_ERROR(context_.cancel->Pause(pause));
  }
  return absl::OkStatus();
}

absl::StatusOr<bool> BackfillWalk::IsGone(const BackfillCursor& cursor) {
  ASSIGN_OR_RETURN(const std::vector<Leaf> leaves, ListLeaves(connection_, action_.table()));
  return std::none_of(leaves.begin(), leaves.end(),
                      [&](const Leaf& leaf) { return leaf.oid == cursor.leaf; });
}

absl::Status BackfillWalk::Contended(const BackfillCursor& cursor) {
  const absl::Time now = absl::Now();
  contended_since_ = std::min(contended_since_, now);
  sizer_.Contended();
  std::string who = "a transaction that holds rows";
  v1::TableLock writers;
  writers.set_table(cursor.leaf_name);
  // Conflicts with those that write or lock rows, and with DDL; not with readers.
  writers.set_mode("ExclusiveLock");
  ASSIGN_OR_RETURN(const std::vector<LockHolder> holders, FindLockHolders(connection_, {writers}));
  if (!holders.empty()) who = Describe(holders.front());
  if (now - contended_since_ >= LockRetryDeadline(context_.settings)) {
    return base::WithDetail(
        absl::DeadlineExceededError(absl::StrCat("rows of ", cursor.leaf_name, " near block ",
                                                 cursor.next_block, " stay locked: ", who)),
        base::kHint, "let the transaction end (or end it), then resume");
  }
  if (contention_.tries() > 0) {
    context_.progress->Report(
        WaitingFor(v1::WAIT_CAUSE_LOCK, absl::StrCat("rows are locked: ", who), contended_since_));
  }
  return context_.cancel->Pause(contention_.Next());
}

absl::StatusOr<int64_t> RunBackfill(const RunContext& context, const v1::Backfill& action) {
  return BackfillWalk(context, action).Run();
}

}  // namespace curlew::agent
