// The walk of a table: workers, what bounds them, and what is told of them.
#ifndef CURLEW_AGENT_BACKFILL_ENGINE_H_
#define CURLEW_AGENT_BACKFILL_ENGINE_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "agent/attempt/run_context.h"
#include "agent/backfill/progress.h"
#include "agent/backfill/quarantine.h"
#include "agent/backfill/range_queue.h"
#include "agent/backfill/row_work.h"
#include "agent/backfill/worker.h"
#include "agent/guard/load_monitor.h"
#include "agent/guard/walk_metrics.h"

namespace curlew::agent {

// Why a walk by ctid with a bound that is frozen when it begins misses nothing: the triggers were in force
// before (their step committed earlier), and complete every row version that is written since, whoever writes
// it and wherever it lands. What was there before lies below the bound, and does not move but by such a
// write. Rows that are moved by something else (VACUUM FULL, CLUSTER) change the heap's file, which each
// batch checks before it commits. What two workers do never overlaps, and would not matter: only pending rows
// are touched.
//
// A walk that deletes has no triggers to rely on: rows may come to match, or move, behind it. So it ends only
// when one snapshot of all heaps holds no row that matches; heaps that do are walked again, each
// kMostWalks times at most. What is left then is reported, and no failure: it came meanwhile.
//
// Run is for one thread, once. Errors as in common/pg/error.h.
class BackfillEngine {
 public:
  static constexpr int kMostWalks = 10;

  struct Options {
    // WALK_UNSPECIFIED for the plan's.
    v1::Walk walk = v1::WALK_UNSPECIFIED;
    // Zero for the plan's.
    absl::Duration batch_target;
    // Whether what an earlier attempt has done is walked again.
    RangeQueue::Begin begin = RangeQueue::Begin::kOn;
    // Called before heaps are walked once more because they hold matching rows; may be empty.
    std::function<absl::Status()> between_walks;
  };
  // Nothing is owned; both must outlive the object.
  BackfillEngine(const RunContext& context, const RowWork& work, const Options& options);

  struct Done {
    // Written over all attempts.
    int64_t rows = 0;
    // Matching rows that are left because they came meanwhile.
    int64_t left = 0;
  };
  // Walks, or walks on, to the end. FAILED_PRECONDITION where rows are quarantined, or the table has no key
  // to walk by; INVALID_ARGUMENT where a row cannot be written; CANCELLED between two batches.
  absl::StatusOr<Done> Run();

 private:
  absl::StatusOr<Done> WalkToTheEnd();
  // Workers until nothing is left to hand out.
  absl::Status Walk();
  void RunWorker(int number);
  // Tells how it stands, hands on what operators have set; the first error of a worker, or of a look.
  absl::Status Watch(absl::Time* aside_since);
  void Tune();
  void Fail(const absl::Status& status);
  bool stopping() const;
  absl::Duration target() const;
  v1::Progress Report();
  // Counts what matches still; heaps that hold some, and were not walked too often, begin anew: true where
  // there is one.
  absl::StatusOr<bool> WalkAgain(int64_t* left);

  const RunContext& context_;
  const RowWork& work_;
  const Options options_;
  const WalkName name_;
  NoWalkMetrics nobody_;
  WalkMetrics* const metrics_;
  pg::Connection* connection_ = nullptr;  // of the coordinator
  std::unique_ptr<RangeQueue> queue_;
  Quarantine quarantine_;
  std::unique_ptr<LoadMonitor> monitor_;
  std::unique_ptr<WalkProgress> progress_;
  absl::Time watched_;
  absl::Time paused_since_ = absl::InfiniteFuture();

  mutable absl::Mutex mutex_;
  absl::Status status_ ABSL_GUARDED_BY(mutex_);
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;
  int running_ ABSL_GUARDED_BY(mutex_) = 0;
  absl::Duration target_ ABSL_GUARDED_BY(mutex_);
  absl::Time stopped_ ABSL_GUARDED_BY(mutex_) = absl::InfiniteFuture();
  std::vector<Worker*> workers_ ABSL_GUARDED_BY(mutex_);
  std::set<pg::Connection*> connections_ ABSL_GUARDED_BY(mutex_);
  std::set<int> backends_ ABSL_GUARDED_BY(mutex_);
  std::string tuned_;  // serialized, as it was handed on last
};

// Fills rows that are pending still, wherever they are, in a walk of its own under the attempt's step.
// Returns the rows written. Errors as BackfillEngine.
absl::StatusOr<int64_t> MendPending(const RunContext& context, const v1::Backfill& action);

// Whether something else looks at every row once more.
enum class LooksAgain { kYes, kNo };
// Journals the attempt's step as done, with `rows`; synchronously, and so the batches before it are durable
// too. Where nothing looks again: UNAVAILABLE unless the journal has every row of the table as walked, since
// a server that crashed may have lost the last batches, and nothing else would tell.
absl::Status JournalWalk(const RunContext& context, const std::string& table, int64_t rows, LooksAgain looks);

// The OID of a table. NOT_FOUND.
absl::StatusOr<uint32_t> TableOid(pg::Connection* connection, const std::string& table);

}  // namespace curlew::agent

#endif  // CURLEW_AGENT_BACKFILL_ENGINE_H_
