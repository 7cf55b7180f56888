#include "agent/backfill/worker.h"

#include <algorithm>
#include <memory>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "agent/guard/lock_watch.h"
#include "common/base/error_detail.h"
#include "common/base/fault_point.h"
#include "common/base/proto_time.h"
#include "common/base/status_macros.h"
#include "common/pg/error.h"

namespace curlew::agent {
namespace {

constexpr absl::Duration kIdle = absl::Milliseconds(200);
constexpr int kMostExaminations = 3;

// While a batch waits for one row it holds others: not for long.
absl::Duration RowLockTimeout(absl::Duration target) {
  return std::clamp(target / 2, absl::Milliseconds(10), absl::Milliseconds(100));
}

// A batch that takes far longer than it should is ended and done in smaller ones, so that nobody who waits
// for one of its rows waits until the machine is well again.
absl::Duration TimeLimit(absl::Duration target) { return std::max(absl::Seconds(1), 10 * target); }

bool IsContention(const absl::Status& status) {
  return absl::IsDeadlineExceeded(status) || (absl::IsAborted(status) && !IsFencedOut(status));
}

}  // namespace

Worker::Worker(int number, Shared shared, pg::Connection* connection)
    : number_(number),
      shared_(std::move(shared)),
      connection_(connection),
      contention_({.first = absl::Milliseconds(20), .longest = absl::Seconds(1)}, random_) {}

absl::Status Worker::Run() {
  while (shared_.may_work(number_)) {
    RETURN_IF_ERROR(shared_.context->cancel->Check());
    absl::StatusOr<std::optional<RangeQueue::Item>> item = shared_.queue->Take(connection_, kIdle);
    if (absl::IsDeadlineExceeded(item.status())) {
      // DDL of others holds the heap whose walk was to begin.
      RETURN_IF_ERROR(Contended(shared_.work->table(), item.status()));
      continue;
    }
    RETURN_IF_ERROR(item.status());
    if (!item->has_value()) break;
    const absl::Status status = WorkOn(**item);
    if (!status.ok()) {
      shared_.queue->GiveBack((*item)->range);
      return status;
    }
  }
  absl::MutexLock lock(&mutex_);
  progress_.Clear();
  return absl::OkStatus();
}

absl::Status Worker::WorkOn(RangeQueue::Item& item) {
  examined_ = 0;
  skip_locked_ = item.range.aside;
  while (true) {
    RETURN_IF_ERROR(shared_.context->cancel->Check());
    if (!shared_.may_work(number_)) {
      shared_.queue->GiveBack(item.range);
      return absl::OkStatus();
    }
    ASSIGN_OR_RETURN(const Next next, RunBatch(item));
    if (next == Next::kLeave) return absl::OkStatus();
  }
}

BatchSizer& Worker::SizerFor(const RangeQueue::Item& item) {
  const Walker& walker = *item.walk->walker;
  // Passes see different shares of the rows, and so take different times for a block.
  while (static_cast<int>(sizers_.size()) < item.walk->passes) {
    sizers_.emplace_back(shared_.target(), walker.FirstUnits(), walker.MostUnits());
  }
  BatchSizer& sizer = sizers_[std::min<int>(item.range.pass, static_cast<int>(sizers_.size()) - 1)];
  sizer.SetTarget(shared_.target());
  return sizer;
}

absl::StatusOr<Worker::Next> Worker::RunBatch(RangeQueue::Item& item) {
  const WalkRange& range = item.range;
  BatchSizer& sizer = SizerFor(item);
  Batch batch{.to = range.last, .locks = skip_locked_ ? RowLocks::kSkip : RowLocks::kWait};
  const int64_t units = sizer.size();
  // What was put aside is a batch or less.
  if (!range.aside) {
    absl::StatusOr<Place> to =
        item.walk->walker->Advance(connection_, item.walk->leaf, range.next, range.last, units);
    if (!to.ok()) return OnFailure(item, batch, to.status(), absl::ZeroDuration());
    batch.to = *std::move(to);
    if (units > 1) batch.limit = TimeLimit(sizer.target());
  }
  const bool whole = batch.to != range.last;
  const absl::Time began = absl::Now();
  const absl::StatusOr<Next> next = Commit(item, batch);
  const absl::Duration taken = absl::Now() - began;
  if (!next.ok()) return OnFailure(item, batch, next.status(), taken);
  if (!range.aside) {
    sizer.Took(whole ? units : std::min<int64_t>(units, sizer.size() - 1), batch.work, taken - batch.work);
  }
  contention_.Reset();
  examined_ = 0;
  skip_locked_ = item.range.aside;
  absl::MutexLock lock(&mutex_);
  contended_since_ = absl::InfiniteFuture();
  return next;
}

absl::StatusOr<std::string> Worker::RoleFor(const Leaf& leaf) {
  if (const auto known = role_of_.find(leaf.oid); known != role_of_.end()) return known->second;
  if (!roles_.has_value()) {
    ASSIGN_OR_RETURN(roles_, ActingRoles::Of(connection_));
  }
  ASSIGN_OR_RETURN(std::string role, RoleForRows(*roles_, connection_, *shared_.work, leaf));
  return role_of_[leaf.oid] = std::move(role);
}

absl::StatusOr<Worker::Next> Worker::Commit(RangeQueue::Item& item, Batch& batch) {
  const RunContext& context = *shared_.context;
  const LeafWalk& walk = *item.walk;
  const absl::Time began = absl::Now();
  ASSIGN_OR_RETURN(const std::string role, RoleFor(walk.leaf));
  const auto durability = context.settings.backfill().synchronous_commit()
                              ? FencedTransaction::Durability::kSynchronous
                              : FencedTransaction::Durability::kAsynchronous;
  ASSIGN_OR_RETURN(auto transaction,
                   FencedTransaction::Begin(connection_, context.attempt.fence(),
                                            {.lock_timeout = RowLockTimeout(shared_.target()),
                                             .statement_timeout = batch.limit,
                                             .search_path = shared_.work->search_path(),
                                             .durability = durability}));
  RETURN_IF_ERROR(BeginWrites(transaction, *roles_, *shared_.work, role));
  WalkRange after = item.range;
  const bool last_pass = after.pass >= after.passes - 1;
  const std::string condition = absl::StrCat(
      after.single ? walk.walker->RowCondition(after.first)
                   : walk.Condition(after.next, batch.to, last_pass ? walk.passes - 1 : after.pass),
      shared_.quarantine->Excluding(walk));
  const absl::Time begun = absl::Now();
  const absl::StatusOr<Written> wrote =
      shared_.work->Write(transaction, walk.leaf, *walk.walker, condition, batch.locks);
  if (!wrote.ok()) return roles_->Explain(wrote.status(), role);
  const Written& written = *wrote;
  RETURN_IF_ERROR(EndWrites(transaction, *roles_, role));
  batch.work = absl::Now() - begun;

  std::vector<WalkRange> aside;
  // The last pass comes by again.
  if (written.locked && !after.aside && last_pass) {
    aside.push_back({.leaf = after.leaf, .first = after.next, .last = batch.to, .restarts = after.restarts});
  }
  for (const Place& row : written.skipped) {
    if (after.single) continue;
    aside.push_back(
        {.leaf = after.leaf, .first = row, .last = row, .single = true, .restarts = after.restarts});
  }
  const bool again = after.aside && (written.locked || (after.single && !written.skipped.empty()));
  bool done = false;
  if (again) {
    ++after.tries;
  } else {
    after.next = batch.to;
    if (after.next == after.last && !last_pass && !after.single) {
      ++after.pass;
      after.next = after.first;
    } else if (after.next == after.last) {
      done = true;
    }
  }
  for (WalkRange& part : aside) RETURN_IF_ERROR(AddAside(transaction, context.attempt, &part));
  ASSIGN_OR_RETURN(const bool advanced, AdvanceRange(transaction, context.attempt, walk.leaf.name, item.range,
                                                     after, done, written.rows));
  if (!advanced) {
    transaction.Rollback();
    ASSIGN_OR_RETURN(const bool missing, shared_.queue->Missing(connection_, walk.leaf));
    if (!missing) RETURN_IF_ERROR(shared_.queue->StartAnew(connection_, after.leaf, after.restarts));
    shared_.queue->GiveBack(item.range);
    return Next::kLeave;
  }
  base::FaultPoint("backfill.before_commit");
  RETURN_IF_ERROR(transaction.Commit());
  base::FaultPoint("backfill.after_commit");
  const absl::Duration taken = absl::Now() - began;
  shared_.on_batch(written.rows, static_cast<int64_t>(walk.walker->Blocks(item.range.next, batch.to)), taken);
  Show(item, batch.to, written.rows, taken);
  for (const WalkRange& part : aside) shared_.queue->PutAside(part);
  item.range = after;
  if (again) {
    shared_.queue->Update(after, written.rows);
    shared_.queue->PutAside(after);
    return Next::kLeave;
  }
  if (done) {
    shared_.queue->Done(after, written.rows);
    return Next::kLeave;
  }
  shared_.queue->Update(after, written.rows);
  return Next::kGoOn;
}

absl::StatusOr<Worker::Next> Worker::OnFailure(RangeQueue::Item& item, const Batch& batch,
                                               const absl::Status& failure, absl::Duration taken) {
  RETURN_IF_ERROR(shared_.context->cancel->Check());
  // The batch's own time limit, not an administrator's.
  if (pg::Sqlstate(failure) == "57014" && batch.limit > absl::ZeroDuration() && taken >= batch.limit) {
    SizerFor(item).Cut();
    return Next::kGoOn;
  }
  if (IsContention(failure)) {
    SizerFor(item).Cut();
    if (skip_locked_) RETURN_IF_ERROR(Contended(item.walk->leaf.name, failure));
    skip_locked_ = true;
    return Next::kGoOn;
  }
  if (absl::IsCancelled(failure) || pg::BlameFor(failure) != pg::Blame::kWork) return failure;
  // Whether the range is given back, because its heap has gone or has another name.
  const auto given_back = [&](const absl::Status& status) -> absl::StatusOr<bool> {
    if (!absl::IsNotFound(status)) return false;
    ASSIGN_OR_RETURN(const bool missing, shared_.queue->Missing(connection_, item.walk->leaf));
    if (missing) shared_.queue->GiveBack(item.range);
    return missing;
  };
  ASSIGN_OR_RETURN(const bool gone, given_back(failure));
  if (gone) return Next::kLeave;
  const absl::Status examined =
      item.range.single
          ? shared_.quarantine->ExamineRow(connection_, *item.walk, item.range.first, failure)
          : shared_.quarantine->Examine(connection_, *item.walk, item.range.next, batch.to, failure);
  if (IsContention(examined)) {
    RETURN_IF_ERROR(Contended(item.walk->leaf.name, examined));
    return Next::kGoOn;
  }
  ASSIGN_OR_RETURN(const bool gone_since, given_back(examined));
  if (gone_since) return Next::kLeave;
  RETURN_IF_ERROR(examined);
  // What fails at its commit only, or for everybody but who looks, must not go round for ever.
  const int64_t quarantined = shared_.quarantine->size();
  if (quarantined == quarantined_) {
    if (++examined_ >= kMostExaminations) return failure;
  } else {
    quarantined_ = quarantined;
    examined_ = 0;
  }
  return Next::kGoOn;
}

absl::Status Worker::Contended(const std::string& table, const absl::Status& failure) {
  const absl::Time now = absl::Now();
  absl::Time since;
  {
    absl::MutexLock lock(&mutex_);
    contended_since_ = since = std::min(contended_since_, now);
  }
  std::string who = "a transaction that holds rows";
  v1::TableLock writers;
  writers.set_table(table);
  // Conflicts with those that write or lock rows, and with DDL; not with readers.
  writers.set_mode("ExclusiveLock");
  ASSIGN_OR_RETURN(std::vector<LockHolder> holders, FindLockHolders(connection_, {writers}));
  if (holders.empty()) {
    // A write to a partition looks at its parent too.
    writers.set_table(shared_.work->table());
    ASSIGN_OR_RETURN(holders, FindLockHolders(connection_, {writers}));
  }
  if (!holders.empty()) who = Describe(holders.front());
  if (now - since >= LockRetryDeadline(shared_.context->settings)) {
    return base::WithDetail(absl::DeadlineExceededError(absl::StrCat(table, " stays locked: ", who, " (",
                                                                     std::string(failure.message()), ")")),
                            base::kHint, "let the transaction end (or end it), then resume");
  }
  if (contention_.tries() > 0) {
    shared_.context->progress->Report(
        WaitingFor(v1::WAIT_CAUSE_LOCK, absl::StrCat("rows are locked: ", who), since));
  }
  return shared_.context->cancel->Pause(contention_.Next());
}

void Worker::Show(const RangeQueue::Item& item, const Place& to, int64_t rows, absl::Duration taken) {
  absl::MutexLock lock(&mutex_);
  progress_.set_place(
      absl::StrCat(item.walk->leaf.name, ": ", item.walk->walker->Describe(item.range.next, to)));
  progress_.set_batch_rows(rows);
  *progress_.mutable_batch_duration() = base::ToProto(taken);
}

v1::WorkerProgress Worker::progress() const {
  absl::MutexLock lock(&mutex_);
  return progress_;
}

absl::Time Worker::contended_since() const {
  absl::MutexLock lock(&mutex_);
  return contended_since_;
}

}  // namespace curlew::agent
