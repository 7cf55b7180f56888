// The parts of a table that workers share.
#ifndef CURLEW_AGENT_BACKFILL_RANGE_QUEUE_H_
#define CURLEW_AGENT_BACKFILL_RANGE_QUEUE_H_

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "agent/attempt/run_context.h"
#include "agent/backfill/row_work.h"
#include "agent/backfill/walk_plan.h"
#include "agent/journal/range_journal.h"

namespace curlew::agent {

// Hands out the ranges of all heaps of a table: those that an earlier attempt left, then new ones from where
// the journal says that nobody has been, then those that were put aside. Thread-safe; the journal is the
// truth, what is here can be read from it again. Errors as in common/pg/error.h.
class RangeQueue {
 public:
  struct Options {
    bool by_key = false;
    int workers = 1;
    // Told of a heap that is begun anew, before a range of it is handed out.
    std::function<void(uint32_t leaf)> on_anew = [](uint32_t) {};
  };
  // Work with a range; `walk` is how its heap is walked.
  struct Item {
    WalkRange range;
    std::shared_ptr<const LeafWalk> walk;
  };
  // Nothing is owned; both must outlive the object.
  RangeQueue(const RunContext& context, const RowWork& work, Options options);

  // Reads what the journal holds. To be called once, first. With `anew` every heap is begun again.
  enum class Begin { kOn, kAnew };
  absl::Status Load(pg::Connection* connection, Begin begin);

  // A range for a worker, whose connection is used to claim one. Waits for `wait` at most; nothing where none
  // came free, or all is done (see Finished).
  absl::StatusOr<std::optional<Item>> Take(pg::Connection* connection, absl::Duration wait);
  // How the range stands after a batch of `rows` rows.
  void Update(const WalkRange& range, int64_t rows);
  void Done(const WalkRange& range, int64_t rows);
  // Not finished: for anybody.
  void GiveBack(const WalkRange& range);
  // Put aside; comes back after a while that grows with its tries.
  void PutAside(const WalkRange& range);

  // The heap is not the one that its walk was begun on, or is to be walked once more: begins it anew. The
  // caller has given its range up. Does nothing where another worker has done so since `restarts`.
  absl::Status StartAnew(pg::Connection* connection, uint32_t leaf, int restarts);
  // A batch found no such table, or another one: the heap has gone (its ranges too), or has another name than
  // it had when the batch began. False where it is there under that name.
  absl::StatusOr<bool> Missing(pg::Connection* connection, const Leaf& as_it_was);
  // Whether heaps have come since, for example partitions that were attached, and are to be walked.
  absl::StatusOr<bool> Refresh(pg::Connection* connection);
  // Heaps that were rewritten behind the walk are begun anew: whether there are any.
  absl::StatusOr<bool> StartRewritten(pg::Connection* connection);

  // Whether nothing is left to hand out and nothing is being worked on.
  bool Finished() const;
  // Whether only ranges that were put aside are left.
  bool OnlyAside() const;
  // Wakes who waits.
  void Wake();

  struct Totals {
    int64_t rows = 0;
    double blocks_done = 0;
    double blocks_total = 0;
    int aside = 0;
    int leaves_known = 0;
    int leaves = 0;
    bool by_key = false;
  };
  Totals totals() const;
  std::vector<WalkedLeaf> leaves() const;
  // The heaps that are there.
  std::vector<std::shared_ptr<const LeafWalk>> walks() const;
  int restarts(uint32_t leaf) const;

 private:
  struct State {
    WalkedLeaf walked;
    std::shared_ptr<const LeafWalk> walk;
  };
  struct Aside {
    WalkRange range;
    absl::Time due;
  };
  absl::StatusOr<std::optional<Item>> Claim(pg::Connection* connection);
  // False where the heap has gone, or has another name.
  absl::StatusOr<bool> Start(pg::Connection* connection, const Leaf& leaf);
  // Begins one of the heaps that have come since; false where there is none.
  absl::StatusOr<bool> StartNext(pg::Connection* connection);
  absl::StatusOr<std::vector<Leaf>> Fresh(pg::Connection* connection);
  std::optional<Item> Next() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void Count(const WalkRange& range, int64_t rows) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void Forget(uint32_t leaf) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  bool FinishedLocked() const ABSL_SHARED_LOCKS_REQUIRED(mutex_);

  const RunContext& context_;
  const RowWork& work_;
  const Options options_;
  // Held while a range is claimed or a heap begun; taken before mutex_.
  absl::Mutex claim_mutex_;
  mutable absl::Mutex mutex_;
  std::map<uint32_t, State> states_ ABSL_GUARDED_BY(mutex_);
  std::map<int64_t, WalkRange> live_ ABSL_GUARDED_BY(mutex_);  // every range that is not done, by id
  std::deque<int64_t> open_ ABSL_GUARDED_BY(mutex_);
  std::vector<Aside> aside_ ABSL_GUARDED_BY(mutex_);
  std::set<int64_t> out_ ABSL_GUARDED_BY(mutex_);  // being worked on
  int leaf_count_ ABSL_GUARDED_BY(mutex_) = 0;
  bool exhausted_ ABSL_GUARDED_BY(mutex_) = false;  // nothing is left to claim
  int64_t changes_ ABSL_GUARDED_BY(mutex_) = 0;
};

}  // namespace curlew::agent

#endif  // CURLEW_AGENT_BACKFILL_RANGE_QUEUE_H_
