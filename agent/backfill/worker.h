// One worker of a walk.
#ifndef CURLEW_AGENT_BACKFILL_WORKER_H_
#define CURLEW_AGENT_BACKFILL_WORKER_H_

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/random/random.h"
#include "absl/status/status.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "agent/attempt/run_context.h"
#include "agent/backfill/quarantine.h"
#include "agent/backfill/range_queue.h"
#include "agent/backfill/row_work.h"
#include "agent/guard/batch_sizer.h"
#include "common/base/backoff.h"
#include "common/pg/connection.h"
#include "curlew/v1/rollout.pb.h"

namespace curlew::agent {

// Works through ranges, batch by batch: each batch is one fenced transaction that holds the rows' changes and
// how the range stands after it. What is locked by others is put aside; what fails is examined. Run is for
// one thread; the other methods are thread-safe. Errors as in common/pg/error.h.
class Worker {
 public:
  // What all workers of a walk share. Nothing is owned.
  struct Shared {
    const RunContext* context = nullptr;
    const RowWork* work = nullptr;
    RangeQueue* queue = nullptr;
    Quarantine* quarantine = nullptr;
    // How long a batch should take now.
    std::function<absl::Duration()> target;
    // Whether the worker of that number may work now.
    std::function<bool(int)> may_work;
    // Told of each batch that was committed.
    std::function<void(int64_t rows, int64_t blocks, absl::Duration taken)> on_batch;
  };
  Worker(int number, Shared shared, pg::Connection* connection);

  // Takes ranges until none is to be had for a moment, it may not work any more, or it is told to stop.
  absl::Status Run();

  v1::WorkerProgress progress() const;
  // When it began to fail to get locks; infinite while it does not.
  absl::Time contended_since() const;

 private:
  struct Batch {
    Place to;
    RowLocks locks = RowLocks::kWait;
    absl::Duration limit;  // statement_timeout; zero for none
    absl::Duration work;   // what the rows took
  };
  enum class Next { kGoOn, kLeave };

  absl::Status WorkOn(RangeQueue::Item& item);
  // One batch; moves the range on. kLeave where the range is done, put aside, or gone.
  absl::StatusOr<Next> RunBatch(RangeQueue::Item& item);
  absl::StatusOr<Next> Commit(RangeQueue::Item& item, Batch& batch);
  absl::StatusOr<Next> OnFailure(RangeQueue::Item& item, const Batch& batch, const absl::Status& failure,
                                 absl::Duration taken);
  absl::Status Contended(const std::string& table, const absl::Status& failure);
  // As which role the rows of the heap are written (acting_role.h). Looked up once.
  absl::StatusOr<std::string> RoleFor(const Leaf& leaf);
  BatchSizer& SizerFor(const RangeQueue::Item& item);
  void Show(const RangeQueue::Item& item, const Place& to, int64_t rows, absl::Duration taken);

  const int number_;
  const Shared shared_;
  pg::Connection* const connection_;
  absl::BitGen random_;
  base::Backoff contention_;
  std::optional<ActingRoles> roles_;
  std::map<uint32_t, std::string> role_of_;  // by heap
  std::vector<BatchSizer> sizers_;           // by pass; empty until the first range
  // How often in a row a part failed in which no row could be found to blame.
  int examined_ = 0;
  int64_t quarantined_ = 0;   // when it was looked at last
  bool skip_locked_ = false;  // the next batch of the range passes over rows that others hold
  mutable absl::Mutex mutex_;
  v1::WorkerProgress progress_ ABSL_GUARDED_BY(mutex_);
  absl::Time contended_since_ ABSL_GUARDED_BY(mutex_) = absl::InfiniteFuture();
};

}  // namespace curlew::agent

#endif  // CURLEW_AGENT_BACKFILL_WORKER_H_
