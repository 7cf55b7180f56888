// What walks tell whoever watches the agent.
#ifndef CURLEW_AGENT_GUARD_WALK_METRICS_H_
#define CURLEW_AGENT_GUARD_WALK_METRICS_H_

#include <cstdint>
#include <string>

#include "absl/time/time.h"
#include "curlew/v1/rollout.pb.h"

namespace curlew::agent {

// Which walk.
struct WalkName {
  std::string target;
  std::string table;  // as the step names it
};

// Takes numbers of walks. Thread-safe; no method waits or fails.
class WalkMetrics {
 public:
  virtual ~WalkMetrics() = default;
  // A batch has committed.
  virtual void Batch(const WalkName& walk, int64_t rows, int64_t blocks, absl::Duration took) = 0;
  // What bounds the walk now, with the workers that it may use.
  virtual void Load(const WalkName& walk, const v1::Load& load) = 0;
  // All workers have paused for `time` more because of `signal`.
  virtual void Throttled(const WalkName& walk, const std::string& signal, absl::Duration time) = 0;
  // Rows put aside until now, because they could not be written.
  virtual void Quarantined(const WalkName& walk, int64_t rows) = 0;
  // The walk is over, one way or the other: what is true only while it goes on is taken back.
  virtual void Ended(const WalkName& walk) = 0;
};

// Tells nobody.
class NoWalkMetrics : public WalkMetrics {
 public:
  void Batch(const WalkName&, int64_t, int64_t, absl::Duration) override {}
  void Load(const WalkName&, const v1::Load&) override {}
  void Throttled(const WalkName&, const std::string&, absl::Duration) override {}
  void Quarantined(const WalkName&, int64_t) override {}
  void Ended(const WalkName&) override {}
};

}  // namespace curlew::agent

#endif  // CURLEW_AGENT_GUARD_WALK_METRICS_H_
