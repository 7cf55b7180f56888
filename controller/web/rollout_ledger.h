// The numbers of rollouts, kept from what is committed.
#ifndef CURLEW_CONTROLLER_WEB_ROLLOUT_LEDGER_H_
#define CURLEW_CONTROLLER_WEB_ROLLOUT_LEDGER_H_

#include <cstdint>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "common/metrics/registry.h"
#include "controller/store/rollout_store.h"
#include "controller/web/accounting.h"

namespace curlew::web {

// Knows every rollout that has not ended as it was committed last, and adds up what is done and waited for
// between two commits. Nothing depends on when somebody looks: time that goes on is added up to that moment.
// Everything is decided by the changes and the times that are given, so the same changes give the same
// numbers. Thread-safe.
class RolloutLedger {
 public:
  // `registry` must outlive it; counters and histograms go there.
  explicit RolloutLedger(metrics::Registry* registry);

  // A rollout was read from the store: taken over where it is not known in that state or a later one.
  void Loaded(const v1::Rollout& rollout, absl::Time now);
  // A change is stored.
  void Committed(const store::RolloutChange& change, absl::Time now);
  // All entries of the outbox were read.
  void OutboxRead(int64_t entries);
  // This process no longer leads: what others do with the rollouts is not seen.
  void Forget(absl::Time now);

  // The names of all that is known.
  std::vector<std::string> Live() const;
  // What agents wait for while they work on these, with the times when that began. What was not waited for
  // at the last call counts from its beginning, the rest from the last call.
  void AgentsWait(const std::vector<std::pair<Cause, absl::Time>>& waits, absl::Time now);

  // What is known at this moment. Counters and histograms are the registry's.
  std::vector<prometheus::MetricFamily> Collect(absl::Time now);

 private:
  struct Entry {
    v1::Rollout rollout;
    absl::Time at;  // accounted until then
    std::map<Part, absl::Duration> spent;
  };
  void Settle(Entry* entry, absl::Time now) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void End(const Entry& entry, const v1::Rollout& rollout) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  prometheus::MetricFamily Rollouts() const ABSL_SHARED_LOCKS_REQUIRED(mutex_);
  prometheus::MetricFamily Runs() const ABSL_SHARED_LOCKS_REQUIRED(mutex_);

  prometheus::Family<prometheus::Counter>& attempts_;
  prometheus::Family<prometheus::Histogram>& step_durations_;
  prometheus::Family<prometheus::Histogram>& gate_waits_;
  prometheus::Family<prometheus::Counter>& events_;
  prometheus::Family<prometheus::Histogram>& rollout_durations_;

  mutable absl::Mutex mutex_;
  std::map<std::string, Entry> live_ ABSL_GUARDED_BY(mutex_);
  std::map<Cause, absl::Duration> waited_ ABSL_GUARDED_BY(mutex_);
  std::map<Cause, int> agents_wait_ ABSL_GUARDED_BY(mutex_);
  absl::Time agents_asked_ ABSL_GUARDED_BY(mutex_) = absl::InfinitePast();
  int64_t outbox_ ABSL_GUARDED_BY(mutex_) = 0;
};

}  // namespace curlew::web

#endif  // CURLEW_CONTROLLER_WEB_ROLLOUT_LEDGER_H_
