#include "agent/executor/table_scan.h"

#include <algorithm>
#include <iterator>
#include <limits>
#include <thread>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "agent/executor/table_lock.h"
#include "agent/executor/words.h"
#include "common/base/fault_point.h"
#include "common/base/proto_time.h"
#include "common/base/status_macros.h"
#include "common/pg/error.h"

namespace curlew::agent {
namespace {

// How long a range should take: DDL waits no longer than this for one that is read.
constexpr absl::Duration kRangeTarget = absl::Milliseconds(100);
constexpr int64_t kFirstBlocks = 64;
constexpr int64_t kMostBlocks = 16384;
// A table of fewer blocks is not worth another worker.
constexpr int64_t kBlocksPerWorker = 256;
constexpr int kDefaultWorkers = 4;
constexpr absl::Duration kReportEvery = absl::Seconds(1);

bool BlamesWork(const absl::Status& status) {
  return !status.ok() && !absl::IsCancelled(status) && pg::BlameFor(status) == pg::Blame::kWork;
}

}  // namespace

TableScan::TableScan(const RunContext& context, const v1::RowScan& scan, std::vector<Heap> heaps,
                     SharedSnapshot* snapshot)
    : context_(context),
      scan_(scan),
      heaps_(std::move(heaps)),
      snapshot_(snapshot),
      began_(absl::Now()),
      seen_(scan.checks_size()) {
  for (const Heap& heap : heaps_) {
    blocks_total_ += heap.blocks;
    rows_estimate_ += heap.rows_estimate;
  }
}

int TableScan::Workers() const {
  int most = context_.settings.backfill().max_workers();
  if (context_.tuning != nullptr && context_.tuning->Get().max_workers() > 0)
    most = context_.tuning->Get().max_workers();
  if (most <= 0) most = kDefaultWorkers;
  if (context_.throttle != nullptr) most = std::min(most, context_.throttle->max_workers);
  // One connection holds the snapshot, one is left for whoever else looks.
  most =
      std::min({most, context_.pool->capacity() - 2, static_cast<int>(std::thread::hardware_concurrency())});
  const int64_t worthwhile = (blocks_total_ + kBlocksPerWorker - 1) / kBlocksPerWorker;
  return std::max<int>(1, static_cast<int>(std::min<int64_t>(most, worthwhile)));
}

absl::StatusOr<ScanResult> TableScan::Run() {
  const int workers = Workers();
  {
    absl::MutexLock lock(&mutex_);
    running_ = workers;
    workers_.resize(workers);
  }
  Report();
  std::vector<std::thread> threads;
  for (int i = 0; i < workers; ++i) threads.emplace_back([this, i] { Work(i); });
  const auto ended = [this]() ABSL_SHARED_LOCKS_REQUIRED(mutex_) { return running_ == 0; };
  while (true) {
    {
      absl::MutexLock lock(&mutex_);
      if (mutex_.AwaitWithTimeout(absl::Condition(&ended), kReportEvery)) break;
    }
    Report();
    if (const absl::Status held = snapshot_->Hold(); !held.ok()) {
      absl::MutexLock lock(&mutex_);
      failure_.Update(held);
    }
  }
  for (std::thread& thread : threads) thread.join();
  Report();
  absl::MutexLock lock(&mutex_);
  RETURN_IF_ERROR(context_.cancel->Check());
  RETURN_IF_ERROR(failure_);
  if (next_heap_ < heaps_.size()) return no_connection_;
  return Result();
}

void TableScan::Work(int number) {
  const auto lease = context_.pool->Acquire();
  absl::Status status;
  if (lease.ok()) {
    const CancelToken::Interruptible interruptible(context_.cancel, lease->get());
    RangeReader reader(*snapshot_, scan_, lease->get());
    BatchSizer sizer(kRangeTarget, kFirstBlocks, kMostBlocks);
    // Without TID range scans each range would read the whole heap.
    const bool whole = (*lease)->server_version_num() < 140000;
    while (status.ok()) {
      status = context_.cancel->Check();
      const std::optional<Range> range =
          status.ok() ? Next(whole ? std::numeric_limits<int32_t>::max() : sizer.size()) : std::nullopt;
      if (!range.has_value()) break;
      const Heap& heap = heaps_[range->heap];
      {
        absl::MutexLock lock(&mutex_);
        workers_[number].set_place(
            absl::StrCat(heap.leaf.name, ": blocks ", range->first, " to ", range->end));
      }
      base::FaultPoint("verify.before_range");
      const absl::Time began = absl::Now();
      int64_t rows = 0;
      status = Scan(reader, range->heap, FirstTid(range->first), FirstTid(range->end), &rows);
      const absl::Duration taken = absl::Now() - began;
      sizer.Took(range->end - range->first, taken);
      absl::MutexLock lock(&mutex_);
      blocks_done_ += range->end - range->first;
      workers_[number].set_batch_rows(rows);
      *workers_[number].mutable_batch_duration() = base::ToProto(taken);
    }
  }
  absl::MutexLock lock(&mutex_);
  no_connection_.Update(lease.status());
  failure_.Update(status);
  --running_;
}

std::optional<TableScan::Range> TableScan::Next(int64_t blocks) {
  absl::MutexLock lock(&mutex_);
  if (!failure_.ok()) return std::nullopt;
  while (next_heap_ < heaps_.size() && next_block_ >= heaps_[next_heap_].blocks) {
    ++next_heap_;
    next_block_ = 0;
  }
  if (next_heap_ == heaps_.size()) return std::nullopt;
  // Towards the end the ranges shrink, so that all workers end together.
  if (workers_.size() > 1 && blocks <= kMostBlocks) {
    const int64_t left = blocks_total_ - blocks_done_;
    blocks = std::min<int64_t>(blocks, std::max<int64_t>(64, left / (2 * workers_.size())));
  }
  Range range{.heap = next_heap_,
              .first = next_block_,
              .end = std::min(heaps_[next_heap_].blocks, next_block_ + blocks)};
  next_block_ = range.end;
  return range;
}

absl::Status TableScan::Scan(RangeReader& reader, size_t heap, TidNumber from, TidNumber to, int64_t* rows) {
  while (from < to) {
    const CheckSet active = Active();
    const absl::StatusOr<RangeCount> count = Count(reader, heap, from, to, active);
    if (count.ok()) {
      *rows += count->rows;
      Add(heap, from, *count);
      return absl::OkStatus();
    }
    RETURN_IF_ERROR(context_.cancel->Check());
    if (!BlamesWork(count.status())) return count.status();
    RETURN_IF_ERROR(reader.CheckUnchanged(heaps_[heap]));
    ASSIGN_OR_RETURN(const bool broken, GiveUpBroken(reader, heap));
    if (broken) continue;
    const auto probe = [&](TidNumber first, TidNumber end) {
      return Count(reader, heap, first, end, active).status();
    };
    absl::Status failure;
    ASSIGN_OR_RETURN(const std::optional<TidNumber> place, FindFailingTid(from, to, probe, &failure));
    if (!place.has_value()) continue;
    if (from < *place) {
      ASSIGN_OR_RETURN(const RangeCount before, Count(reader, heap, from, *place, active));
      *rows += before.rows;
      Add(heap, from, before);
    }
    RETURN_IF_ERROR(ScanRow(reader, heap, *place));
    from = *place + 1;
  }
  return absl::OkStatus();
}

absl::StatusOr<RangeCount> TableScan::Count(RangeReader& reader, size_t heap, TidNumber from, TidNumber to,
                                            const CheckSet& active) {
  const CheckSet keyed = context_.row_keys == RowKeys::kReport ? Keyed(heap, from) : CheckSet(active.size());
  const absl::Time began = absl::Now();
  while (true) {
    RETURN_IF_ERROR(context_.cancel->Check());
    absl::StatusOr<RangeCount> count = reader.Count(heaps_[heap], from, to, active, keyed);
    if (!IsLockTimeout(count.status())) return count;
    RETURN_IF_ERROR(WaitForLock(reader, heaps_[heap], began, count.status()));
  }
}

void TableScan::Add(size_t heap, TidNumber from, const RangeCount& count) {
  absl::MutexLock lock(&mutex_);
  waiting_.reset();
  rows_ += count.rows;
  for (int i = 0; i < scan_.checks_size(); ++i) {
    Seen& seen = seen_[i];
    seen.violations += count.violations[i];
    for (size_t k = 0; k < count.keys[i].size(); ++k)
      seen.keys.emplace(std::make_pair(std::make_pair(heap, from), k), count.keys[i][k]);
    while (static_cast<int>(seen.keys.size()) > kMostKeys) seen.keys.erase(std::prev(seen.keys.end()));
  }
}

absl::StatusOr<bool> TableScan::GiveUpBroken(RangeReader& reader, size_t heap) {
  const CheckSet active = Active();
  bool broken = false;
  for (int i = 0; i < scan_.checks_size(); ++i) {
    if (!active[i]) continue;
    CheckSet only(active.size());
    only[i] = true;
    const absl::Status status = Count(reader, heap, FirstTid(0), FirstTid(0), only).status();
    if (status.ok()) continue;
    if (!BlamesWork(status)) return status;
    broken = true;
    absl::MutexLock lock(&mutex_);
    seen_[i].failure = status;
    seen_[i].given_up = true;
  }
  return broken;
}

absl::Status TableScan::ScanRow(RangeReader& reader, size_t heap, TidNumber place) {
  const CheckSet active = Active(), none(active.size());
  ASSIGN_OR_RETURN(const RangeCount row, Count(reader, heap, place, place + 1, none));
  Add(heap, place, row);
  for (int i = 0; i < scan_.checks_size(); ++i) {
    if (!active[i]) continue;
    CheckSet only = none;
    only[i] = true;
    absl::StatusOr<RangeCount> count = Count(reader, heap, place, place + 1, only);
    if (count.ok()) {
      count->rows = 0;
      Add(heap, place, *count);
      continue;
    }
    if (!BlamesWork(count.status())) return count.status();
    ASSIGN_OR_RETURN(const std::string key, reader.Key(heaps_[heap], place));
    absl::MutexLock lock(&mutex_);
    Seen& seen = seen_[i];
    seen.failure = count.status();
    seen.failing.push_back(key);
    seen.given_up = static_cast<int>(seen.failing.size()) >= kMostFailingRows;
  }
  return absl::OkStatus();
}

CheckSet TableScan::Active() {
  absl::MutexLock lock(&mutex_);
  CheckSet active(seen_.size());
  for (size_t i = 0; i < seen_.size(); ++i) active[i] = !seen_[i].given_up;
  return active;
}

CheckSet TableScan::Keyed(size_t heap, TidNumber from) {
  absl::MutexLock lock(&mutex_);
  CheckSet keyed(seen_.size());
  for (size_t i = 0; i < seen_.size(); ++i) {
    const auto& keys = seen_[i].keys;
    keyed[i] = static_cast<int>(keys.size()) < kMostKeys ||
               std::make_pair(heap, from) < std::prev(keys.end())->first.first;
  }
  return keyed;
}

absl::Status TableScan::WaitForLock(RangeReader& reader, const Heap& heap, absl::Time since,
                                    const absl::Status& why) {
  ASSIGN_OR_RETURN(const v1::Progress waiting, StillLocked(context_, reader.connection(), {heap.leaf.name},
                                                           "AccessShareLock", since, why));
  absl::MutexLock lock(&mutex_);
  waiting_ = waiting.waiting();
  return absl::OkStatus();
}

void TableScan::Report() {
  v1::Progress progress;
  {
    absl::MutexLock lock(&mutex_);
    const double seconds = absl::ToDoubleSeconds(absl::Now() - began_);
    const double fraction =
        blocks_total_ == 0 ? 1 : static_cast<double>(blocks_done_) / static_cast<double>(blocks_total_);
    progress.set_rows_done(rows_);
    progress.set_rows_total(std::max(rows_, rows_estimate_));
    progress.set_blocks_done(blocks_done_);
    progress.set_blocks_total(blocks_total_);
    progress.set_fraction(fraction);
    if (seconds > 0) progress.set_rows_per_second(static_cast<double>(rows_) / seconds);
    if (fraction > 0)
      *progress.mutable_eta() = base::ToProto(absl::Seconds(seconds * (1 - fraction) / fraction));
    for (const v1::WorkerProgress& worker : workers_) *progress.add_workers() = worker;
    if (waiting_.has_value()) *progress.mutable_waiting() = *waiting_;
    progress.set_message(
        absl::StrCat("verifies ", scan_.table(), ": block ", blocks_done_, " of ", blocks_total_));
  }
  context_.progress->Report(progress);
}

ScanResult TableScan::Result() {
  ScanResult result{.rows = rows_, .findings = {}};
  const bool quotes = context_.row_keys == RowKeys::kReport;
  for (int i = 0; i < scan_.checks_size(); ++i) {
    const Seen& seen = seen_[i];
    Finding finding{.description = scan_.checks(i).description(), .hint = scan_.checks(i).hint()};
    if (seen.violations > 0) {
      finding.what = absl::StrCat(CountOf(seen.violations, "row"), seen.given_up ? " or more" : "");
      for (const auto& [place, key] : seen.keys) finding.keys.push_back(key);
      finding.mendable = scan_.checks(i).pending() && scan_.has_repair();
      result.findings.push_back(finding);
    }
    if (seen.failure.has_value()) {
      finding.what = CannotBeComputed(*seen.failure, !seen.failing.empty(), quotes);
      finding.keys = quotes ? seen.failing : std::vector<std::string>();
      finding.mendable = false;
      result.findings.push_back(finding);
    }
  }
  return result;
}

}  // namespace curlew::agent
