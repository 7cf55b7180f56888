#include "agent/backfill/engine.h"

#include <algorithm>
#include <set>
#include <thread>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "agent/attempt/leaves.h"
#include "agent/guard/lock_watch.h"
#include "agent/journal/names.h"
#include "common/base/error_detail.h"
#include "common/base/fault_point.h"
#include "common/base/proto_time.h"
#include "common/base/status_macros.h"

namespace curlew::agent {
namespace {

constexpr absl::Duration kLook = absl::Milliseconds(200);
// Whoever stops a walk loses no batch, unless it is one that takes long. With the looks between, all has
// ended within a second.
constexpr absl::Duration kLastBatch = absl::Milliseconds(300);

// Rows of the table and its partitions, as the planner knows them; 0 where it does not.
constexpr char kEstimate[] =
    "WITH RECURSIVE tree AS (SELECT $1::oid AS oid"
    " UNION SELECT i.inhrelid FROM tree JOIN pg_inherits i ON i.inhparent = tree.oid)"
    " SELECT COALESCE(sum(greatest(c.reltuples, 0)), 0)::bigint FROM tree JOIN pg_class c USING (oid)"
    " WHERE c.relkind = 'r'";

// As many as an operator may ask for while it runs.
int MostWorkers(const RunContext& context) {
  const int most = context.throttle == nullptr ? ThrottleConfig().max_workers : context.throttle->max_workers;
  // One connection is the coordinator's, one is for what the agent is asked meanwhile.
  return std::max(1, std::min(most, context.pool->capacity() - 2));
}

// The agent is on the database's machine: half of its cores are the application's, whatever else.
int PlannedWorkers(const RunContext& context) {
  const int planned = context.settings.backfill().max_workers();
  const int half = std::clamp(static_cast<int>(std::thread::hardware_concurrency()) / 2, 1, 4);
  return std::min(planned > 0 ? planned : half, MostWorkers(context));
}

absl::Duration PlannedTarget(const RunContext& context, absl::Duration given) {
  if (given > absl::ZeroDuration()) return given;
  return context.settings.has_backfill_batch_target()
             ? base::FromProto(context.settings.backfill_batch_target())
             : absl::Milliseconds(50);
}

}  // namespace

absl::StatusOr<uint32_t> TableOid(pg::Connection* connection, const std::string& table) {
  ASSIGN_OR_RETURN(const pg::Result row, connection->Execute("SELECT to_regclass($1)::oid", {table}));
  if (row.IsNull(0, 0)) return absl::NotFoundError(absl::StrCat("table ", table, " does not exist"));
  return static_cast<uint32_t>(row.Int(0, 0));
}

BackfillEngine::BackfillEngine(const RunContext& context, const RowWork& work, const Options& options)
    : context_(context),
      work_(work),
      options_(options),
      name_{.target = context.target, .table = work.table()},
      metrics_(context.metrics != nullptr ? context.metrics : &nobody_),
      quarantine_(context, work),
      target_(PlannedTarget(context, options.batch_target)) {}

absl::StatusOr<BackfillEngine::Done> BackfillEngine::Run() {
  absl::StatusOr<Done> done = WalkToTheEnd();
  metrics_->Ended(name_);
  return done;
}

absl::StatusOr<BackfillEngine::Done> BackfillEngine::WalkToTheEnd() {
  ASSIGN_OR_RETURN(const auto lease, context_.pool->Acquire());
  connection_ = lease.get();
  const CancelToken::Interruptible interruptible(context_.cancel, connection_);
  const v1::Walk asked =
      options_.walk == v1::WALK_UNSPECIFIED ? context_.settings.backfill().walk() : options_.walk;
  const int workers = PlannedWorkers(context_);
  queue_ = std::make_unique<RangeQueue>(
      context_, work_,
      RangeQueue::Options{.by_key = WalksByKey(connection_, asked),
                          .workers = workers,
                          .on_anew = [this](uint32_t leaf) { quarantine_.Forget(leaf); }});
  RETURN_IF_ERROR(queue_->Load(connection_, options_.begin));
  RETURN_IF_ERROR(quarantine_.Load(connection_));
  ASSIGN_OR_RETURN(const uint32_t oid, TableOid(connection_, work_.table()));
  ASSIGN_OR_RETURN(const pg::Result estimate, connection_->Execute(kEstimate, {absl::StrCat(oid)}));
  progress_ = std::make_unique<WalkProgress>(estimate.Int(0, 0), absl::Now());
  LoadMonitorOptions load{.connect = context_.connect, .table = work_.table(), .max_workers = workers};
  load.connect.application_name = TargetApplicationName(context_.target);
  if (context_.throttle != nullptr) load.config = *context_.throttle;
  monitor_ = std::make_unique<LoadMonitor>(std::move(load));
  Tune();

  Done done;
  while (true) {
    RETURN_IF_ERROR(Walk());
    ASSIGN_OR_RETURN(const bool more, queue_->Refresh(connection_));
    if (more) continue;
    // Rows that wait are found by their places.
    if (quarantine_.size() > 0) {
      ASSIGN_OR_RETURN(const bool rewritten, queue_->StartRewritten(connection_));
      if (rewritten) continue;
    }
    if (!work_.WalksAgain()) break;
    ASSIGN_OR_RETURN(const bool again, WalkAgain(&done.left));
    if (!again) break;
    if (options_.between_walks) RETURN_IF_ERROR(options_.between_walks());
  }
  ASSIGN_OR_RETURN(const int64_t settled, quarantine_.Settle(connection_, queue_->walks()));
  v1::Progress report = Report();
  done.rows = report.rows_done() + settled;
  if (done.left > 0) {
    report.set_message(absl::StrCat("after ", kMostWalks, " walks ", done.left,
                                    " rows match still: they came, or came to match, meanwhile"));
  }
  context_.progress->Report(report);
  return done;
}

absl::Status BackfillEngine::Walk() {
  const int count = MostWorkers(context_);
  {
    absl::MutexLock lock(&mutex_);
    running_ = count;
  }
  std::vector<std::thread> threads;
  for (int i = 0; i < count; ++i) threads.emplace_back([this, i] { RunWorker(i); });
  absl::Time aside_since = absl::InfiniteFuture();
  watched_ = absl::Now();
  while (true) {
    {
      absl::MutexLock lock(&mutex_);
      const auto ended = [this]() ABSL_SHARED_LOCKS_REQUIRED(mutex_) { return running_ == 0; };
      if (mutex_.AwaitWithTimeout(absl::Condition(&ended), kLook)) break;
      // Under the mutex, so that no connection can go away meanwhile.
      if (absl::Now() - stopped_ >= kLastBatch) {
        for (pg::Connection* connection : connections_) connection->Cancel();
      }
    }
    if (const absl::Status status = Watch(&aside_since); !status.ok()) Fail(status);
  }
  for (std::thread& thread : threads) thread.join();
  absl::MutexLock lock(&mutex_);
  return status_;
}

void BackfillEngine::RunWorker(int number) {
  const auto end = [this] {
    absl::MutexLock lock(&mutex_);
    --running_;
  };
  const auto may_work = [this](int which) { return !stopping() && which < monitor_->Current().workers(); };
  std::optional<pg::Pool::Lease> lease;
  std::unique_ptr<Worker> worker;
  while (!stopping() && !queue_->Finished()) {
    if (!may_work(number)) {
      monitor_->AwaitChange(monitor_->Current().workers(), kLook);
      continue;
    }
    if (worker == nullptr) {
      absl::StatusOr<pg::Pool::Lease> acquired = context_.pool->Acquire();
      if (!acquired.ok()) {
        // The others go on with what there is; without any there is no walk.
        if (number == 0) Fail(acquired.status());
        break;
      }
      lease.emplace(*std::move(acquired));
      worker = std::make_unique<Worker>(
          number,
          Worker::Shared{
              .context = &context_,
              .work = &work_,
              .queue = queue_.get(),
              .quarantine = &quarantine_,
              .target = [this] { return target(); },
              .may_work = may_work,
              .on_batch = [this](int64_t rows, int64_t blocks,
                                 absl::Duration taken) { metrics_->Batch(name_, rows, blocks, taken); }},
          lease->get());
      absl::MutexLock lock(&mutex_);
      workers_.push_back(worker.get());
      connections_.insert(lease->get());
      backends_.insert((*lease)->backend_pid());
      monitor_->SetBackends(backends_);
    }
    if (const absl::Status status = worker->Run(); !status.ok()) {
      Fail(status);
      break;
    }
  }
  if (worker != nullptr) {
    absl::MutexLock lock(&mutex_);
    std::erase(workers_, worker.get());
    connections_.erase(lease->get());
    backends_.erase((*lease)->backend_pid());
    monitor_->SetBackends(backends_);
  }
  end();
}

absl::Status BackfillEngine::Watch(absl::Time* aside_since) {
  RETURN_IF_ERROR(context_.cancel->Check());
  Tune();
  v1::Progress report = Report();
  const absl::Time now = absl::Now();
  if (queue_->OnlyAside()) {
    *aside_since = std::min(*aside_since, now);
    v1::TableLock writers;
    writers.set_table(work_.table());
    // Conflicts with those that write or lock rows, and with DDL; not with readers.
    writers.set_mode("ExclusiveLock");
    ASSIGN_OR_RETURN(std::vector<LockHolder> holders, FindLockHolders(connection_, {writers}));
    std::set<int> ours;
    {
      absl::MutexLock lock(&mutex_);
      ours = backends_;
    }
    std::erase_if(holders, [&](const LockHolder& holder) { return ours.contains(holder.pid); });
    const std::string who = holders.empty() ? "a transaction that holds rows" : Describe(holders.front());
    if (now - *aside_since >= LockRetryDeadline(context_.settings)) {
      return base::WithDetail(
          absl::DeadlineExceededError(absl::StrCat("rows of ", work_.table(), " stay locked: ", who)),
          base::kHint, "let the transaction end (or end it), then resume");
    }
    *report.mutable_waiting() =
        WaitingFor(v1::WAIT_CAUSE_LOCK, absl::StrCat("rows are locked: ", who), *aside_since).waiting();
  } else {
    *aside_since = absl::InfiniteFuture();
  }
  paused_since_ = report.load().workers() == 0 ? std::min(paused_since_, now) : absl::InfiniteFuture();
  if (!report.has_waiting() && paused_since_ != absl::InfiniteFuture()) {
    *report.mutable_waiting() =
        WaitingFor(v1::WAIT_CAUSE_THROTTLE, report.load().reason(), paused_since_).waiting();
  }
  metrics_->Load(name_, report.load());
  metrics_->Quarantined(name_, report.rows_quarantined());
  if (report.load().workers() == 0) metrics_->Throttled(name_, report.load().signal(), now - watched_);
  watched_ = now;
  context_.progress->Report(report);
  return absl::OkStatus();
}

v1::Progress BackfillEngine::Report() {
  const v1::Load load = monitor_->Current();
  v1::Progress report = progress_->Report(
      queue_->totals(), load.workers() == 0 ? WalkProgress::Pace::kPauses : WalkProgress::Pace::kWorks,
      absl::Now());
  *report.mutable_load() = load;
  report.set_rows_quarantined(quarantine_.size());
  absl::MutexLock lock(&mutex_);
  for (const Worker* worker : workers_) {
    const v1::WorkerProgress progress = worker->progress();
    if (progress.place().empty()) continue;
    *report.add_workers() = progress;
    report.set_message(progress.place());
  }
  return report;
}

void BackfillEngine::Tune() {
  if (context_.tuning == nullptr) return;
  const v1::Tuning tuning = context_.tuning->Get();
  if (tuning.SerializeAsString() == tuned_) return;
  tuned_ = tuning.SerializeAsString();
  monitor_->Tune(tuning);
  absl::MutexLock lock(&mutex_);
  target_ = tuning.has_batch_target() ? base::FromProto(tuning.batch_target())
                                      : PlannedTarget(context_, options_.batch_target);
}

void BackfillEngine::Fail(const absl::Status& status) {
  {
    absl::MutexLock lock(&mutex_);
    if (status_.ok()) status_ = status;
    if (!stopping_) stopped_ = absl::Now();
    stopping_ = true;
  }
  queue_->Wake();
}

bool BackfillEngine::stopping() const {
  absl::MutexLock lock(&mutex_);
  return stopping_;
}

absl::Duration BackfillEngine::target() const {
  absl::MutexLock lock(&mutex_);
  return target_;
}

absl::StatusOr<bool> BackfillEngine::WalkAgain(int64_t* left) {
  base::FaultPoint("backfill.before_count");
  v1::Progress progress;
  progress.set_message(absl::StrCat("counts the rows of ", work_.table(), " that match still"));
  context_.progress->Report(progress);
  const std::vector<std::shared_ptr<const LeafWalk>> walks = queue_->walks();
  const auto count = [&]() -> absl::StatusOr<std::vector<int64_t>> {
    ASSIGN_OR_RETURN(const auto snapshot,
                     pg::Transaction::Begin(connection_, pg::Transaction::Mode::kReadOnlySnapshot));
    if (!work_.search_path().empty()) {
      RETURN_IF_ERROR(
          snapshot->Execute(absl::StrCat("SET LOCAL search_path = ", work_.search_path())).status());
    }
    std::vector<int64_t> counts;
    for (const auto& walk : walks) {
      ASSIGN_OR_RETURN(const pg::Result row,
                       snapshot->Execute(absl::StrCat(
                           "SELECT pg_catalog.count(*) FROM ONLY ", walk->leaf.name, " AS t WHERE (",
                           work_.pending().empty() ? "true" : work_.pending(), ")")));
      counts.push_back(row.Int(0, 0));
    }
    RETURN_IF_ERROR(snapshot->Commit());
    return counts;
  };
  const absl::StatusOr<std::vector<int64_t>> counted = count();
  if (absl::IsNotFound(counted.status())) {
    bool changed = false;
    for (const auto& walk : walks) {
      ASSIGN_OR_RETURN(const bool missing, queue_->Missing(connection_, walk->leaf));
      changed = changed || missing;
    }
    // A partition has gone meanwhile, or has another name.
    if (changed) return true;
  }
  ASSIGN_OR_RETURN(const std::vector<int64_t> counts, counted);
  bool again = false;
  *left = 0;
  for (size_t i = 0; i < walks.size(); ++i) {
    const uint32_t leaf = walks[i]->leaf.oid;
    // Those that cannot be written wait for somebody else.
    const int64_t matching = counts[i] - quarantine_.CountIn(leaf);
    if (matching <= 0) continue;
    *left += matching;
    const int restarts = queue_->restarts(leaf);
    if (restarts + 1 >= kMostWalks) continue;
    again = true;
    RETURN_IF_ERROR(queue_->StartAnew(connection_, leaf, restarts));
  }
  return again;
}

namespace {

absl::Status CheckIsWalked(pg::Connection* connection, const RunContext& context, const std::string& table) {
  const StepAttempt& attempt = context.attempt;
  ASSIGN_OR_RETURN(const std::vector<Leaf> leaves, ListLeaves(connection, table));
  ASSIGN_OR_RETURN(const std::vector<WalkedLeaf> walked,
                   ReadWalkedLeaves(connection, attempt.run, attempt.step));
  ASSIGN_OR_RETURN(const std::vector<WalkRange> open, ReadOpenRanges(connection, attempt.run, attempt.step));
  const auto done = [&](const Leaf& leaf) {
    return std::any_of(walked.begin(), walked.end(),
                       [&](const auto& known) { return known.leaf == leaf.oid && known.handed_out(); }) &&
           std::none_of(open.begin(), open.end(), [&](const auto& range) { return range.leaf == leaf.oid; });
  };
  if (std::all_of(leaves.begin(), leaves.end(), done)) return absl::OkStatus();
  return absl::UnavailableError(absl::StrCat("by the journal not all rows of ", table,
                                             " are written: the server has lost batches in a crash, or a"
                                             " partition has come; the walk goes on from there"));
}

}  // namespace

absl::Status JournalWalk(const RunContext& context, const std::string& table, int64_t rows,
                         LooksAgain looks) {
  ASSIGN_OR_RETURN(const auto connection, context.pool->Acquire());
  ASSIGN_OR_RETURN(auto transaction, FencedTransaction::Begin(connection.get(), context.attempt.fence(), {}));
  if (looks == LooksAgain::kNo) RETURN_IF_ERROR(CheckIsWalked(connection.get(), context, table));
  RETURN_IF_ERROR(RecordSuccess(transaction, context.attempt, rows));
  base::FaultPoint("step.before_commit");
  return transaction.Commit();
}

absl::StatusOr<int64_t> MendPending(const RunContext& context, const v1::Backfill& action) {
  uint32_t oid = 0;
  {
    ASSIGN_OR_RETURN(const auto connection, context.pool->Acquire());
    ASSIGN_OR_RETURN(oid, TableOid(connection.get(), action.table()));
  }
  const DmlWork work(action, context.settings.backfill(), oid);
  ASSIGN_OR_RETURN(const BackfillEngine::Done done,
                   BackfillEngine(context, work, {.begin = RangeQueue::Begin::kAnew}).Run());
  return done.rows;
}

}  // namespace curlew::agent
