// An attempt that runs.
#ifndef CURLEW_AGENT_SESSION_ATTEMPT_H_
#define CURLEW_AGENT_SESSION_ATTEMPT_H_

#include <functional>
#include <optional>
#include <string>
#include <thread>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "agent/attempt/run_context.h"
#include "agent/executor/outcome.h"
#include "agent/guard/agent_metrics.h"
#include "agent/guard/live_tuning.h"
#include "agent/session/outbox.h"
#include "curlew/v1/agent.pb.h"
#include "curlew/v1/step.pb.h"

namespace curlew::agent {

// Sends what an attempt reports, about once a second; a new cause for waiting at once. Thread-safe.
class AttemptProgress : public ProgressSink {
 public:
  // `outbox` and `metrics` are not owned.
  AttemptProgress(Outbox* outbox, AgentMetrics* metrics, v1::Progress identity)
      : outbox_(outbox), metrics_(metrics), identity_(std::move(identity)) {}
  void Report(const v1::Progress& progress) override;

 private:
  Outbox* const outbox_;
  AgentMetrics* const metrics_;
  const v1::Progress identity_;
  absl::Mutex mutex_;
  absl::Time sent_ ABSL_GUARDED_BY(mutex_) = absl::InfinitePast();
  v1::WaitCause cause_ ABSL_GUARDED_BY(mutex_) = v1::WAIT_CAUSE_UNSPECIFIED;
};

// One step on its way, on a thread of its own. Cancel and Tune are thread-safe, the rest is for one thread.
class RunningAttempt {
 public:
  // Starts. `context` needs no cancel, no progress and no tuning: that is the command's, until Tune. `ended`
  // is called on the attempt's thread when it has ended. What `context` and `outbox` point to must outlive
  // the object.
  RunningAttempt(v1::Dispatch dispatch, v1::Step step, RunContext context, Outbox* outbox,
                 std::function<void()> ended);
  // Stops it and waits for its end.
  ~RunningAttempt();

  const v1::Dispatch& dispatch() const { return dispatch_; }
  bool Is(const std::string& run, int attempt) const {
    return dispatch_.run() == run && dispatch_.attempt() == attempt;
  }
  // May be called again until it has ended.
  void Cancel(const std::string& reason);
  // Its walks go on so from their next batches on: replaces what was set before.
  void Tune(const v1::Tuning& tuning) { tuning_.Set(tuning); }
  v1::Tuning tuning() const { return tuning_.Get(); }
  // Whether somebody asked it to stop.
  bool cancelled() const { return cancel_.cancelled(); }
  // The outcome, once it has ended.
  std::optional<Outcome> outcome() const;

 private:
  bool EndedWithin(absl::Duration wait) const;

  const v1::Dispatch dispatch_;
  const v1::Step step_;
  AttemptProgress progress_;
  CancelToken cancel_;
  LiveTuning tuning_;
  RunContext context_;
  mutable absl::Mutex mutex_;
  std::optional<Outcome> outcome_ ABSL_GUARDED_BY(mutex_);
  std::thread thread_;
};

}  // namespace curlew::agent

#endif  // CURLEW_AGENT_SESSION_ATTEMPT_H_
