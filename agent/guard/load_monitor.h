// How much of the database a walk may use now.
#ifndef CURLEW_AGENT_GUARD_LOAD_MONITOR_H_
#define CURLEW_AGENT_GUARD_LOAD_MONITOR_H_

#include <memory>
#include <set>
#include <string>
#include <thread>

#include "absl/base/thread_annotations.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "agent/guard/throttle_config.h"
#include "common/pg/connection.h"
#include "curlew/v1/rollout.pb.h"

namespace curlew::agent {

struct LoadMonitorOptions {
  // How to open the monitor's own connection.
  pg::ConnectOptions connect;
  ThrottleConfig config;
  // Qualified, quoted name of the table that is walked; "" for none in particular.
  std::string table;
  // How many workers the walk could use.
  int max_workers = 1;
  // Pause between two looks.
  absl::Duration interval = absl::Milliseconds(250);
};

// Reads signals on a connection and a thread of its own, and decides how many workers may work. A connection
// that breaks is made anew. Thread-safe.
class LoadMonitor {
 public:
  // Begins to look. Never fails: what cannot be read is stale.
  explicit LoadMonitor(LoadMonitorOptions options);
  // Ends the thread; waits for the look that is under way at most a second, two where a connection is being
  // made. Longer only where the network swallows what is sent.
  ~LoadMonitor();
  LoadMonitor(const LoadMonitor&) = delete;
  LoadMonitor& operator=(const LoadMonitor&) = delete;

  // What bounds the work now; `workers` is how many may work, 0 while all pause. Before the first look: one.
  v1::Load Current() const;
  // Waits until Current() has changed its number of workers, at most `most`. OK to call from many threads.
  void AwaitChange(int workers, absl::Duration most) const;
  // The backends whose locks are ours, and which do not count as load.
  void SetBackends(const std::set<int>& pids);
  // Limits and worker number that an operator has set; what is absent is the configuration's.
  void Tune(const v1::Tuning& tuning);

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace curlew::agent

#endif  // CURLEW_AGENT_GUARD_LOAD_MONITOR_H_
