// Carries notifications to their receivers.
#ifndef CURLEW_CONTROLLER_NOTIFY_SENDER_H_
#define CURLEW_CONTROLLER_NOTIFY_SENDER_H_

#include <deque>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "common/base/clock.h"
#include "common/base/steady_cond_var.h"
#include "controller/notify/config.h"
#include "controller/notify/http_post.h"
#include "curlew/v1/rollout.pb.h"

namespace curlew::notify {

// Sends what it is given, each receiver's on a thread of its own: one that hangs holds up nobody else.
// Decides nothing: whether and when to try again is its caller's to say. Lives as long as the process, beyond
// terms of leadership, so that no term waits for a receiver at its end. Thread-safe.
class Sender {
 public:
  // Called once, on the receiver's thread, with what a try has come to; it must not wait for anything.
  using Done = std::function<void(const absl::Status&)>;

  // `clock` must outlive it.
  Sender(std::vector<Sink> sinks, const base::Clock* clock);
  // Breaks off what is being sent; what is not sent yet is not, and its Done never called.
  ~Sender();
  Sender(const Sender&) = delete;
  Sender& operator=(const Sender&) = delete;

  const std::vector<Sink>& sinks() const { return sinks_; }

  // One try at `notification`, after those that were given before for the same receiver. Its sink must be one
  // of sinks(). The try ends after the receiver's time-out, however slowly it answers; `done` gets the errors
  // of HttpPost::Run, and DEADLINE_EXCEEDED.
  void Send(v1::Notification notification, v1::AuditHead head, Done done);

 private:
  struct Job {
    v1::Notification notification;
    v1::AuditHead head;
    Done done;
  };
  // A receiver and its thread.
  struct Lane {
    explicit Lane(const Sink& sink) : sink(sink) {}
    const Sink& sink;
    std::deque<Job> jobs;      // guarded by mutex_
    HttpPost* post = nullptr;  // what is being sent; guarded by mutex_
    absl::Duration since;      // when it began, by the steady clock; guarded by mutex_
    bool late = false;         // it was broken off as it took too long; guarded by mutex_
    std::thread thread;
  };

  void Work(Lane* lane) ABSL_LOCKS_EXCLUDED(mutex_);
  absl::Status Try(Lane* lane, const Job& job) ABSL_LOCKS_EXCLUDED(mutex_);
  // Breaks off what takes too long.
  void Watch() ABSL_LOCKS_EXCLUDED(mutex_);

  const std::vector<Sink> sinks_;
  const base::Clock* const clock_;
  std::vector<std::unique_ptr<Lane>> lanes_;  // as sinks_
  absl::Mutex mutex_;
  base::SteadyCondVar changed_;
  bool ending_ ABSL_GUARDED_BY(mutex_) = false;
  std::thread watch_;
};

}  // namespace curlew::notify

#endif  // CURLEW_CONTROLLER_NOTIFY_SENDER_H_
