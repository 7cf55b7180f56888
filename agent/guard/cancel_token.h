// The way to stop an attempt from another thread.
#ifndef CURLEW_AGENT_GUARD_CANCEL_TOKEN_H_
#define CURLEW_AGENT_GUARD_CANCEL_TOKEN_H_

#include <set>
#include <string>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "common/pg/connection.h"

namespace curlew::agent {

// Says "stop" to whoever works, interrupts its pauses and cancels its statement. Thread-safe.
class CancelToken {
 public:
  // Asks to stop; the first reason stays. May be called again as long as the work has not ended: a request
  // that reaches PostgreSQL between two statements cancels nothing.
  void Cancel(const std::string& reason);
  bool cancelled() const;
  // OK, or CANCELLED with the reason.
  absl::Status Check() const;
  // Pauses for `pause`, less where cancelled. OK, or CANCELLED with the reason.
  absl::Status Pause(absl::Duration pause) const;

  // While it lives, Cancel also cancels what runs on the connection.
  class Interruptible {
   public:
    // Neither is owned; both must outlive the object. One at a time for each connection.
    Interruptible(const CancelToken* token, pg::Connection* connection);
    ~Interruptible();
    Interruptible(const Interruptible&) = delete;
    Interruptible& operator=(const Interruptible&) = delete;

   private:
    const CancelToken* const token_;
    pg::Connection* const connection_;
  };

 private:
  mutable absl::Mutex mutex_;
  bool cancelled_ ABSL_GUARDED_BY(mutex_) = false;
  std::string reason_ ABSL_GUARDED_BY(mutex_);
  mutable std::set<pg::Connection*> connections_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace curlew::agent

#endif  // CURLEW_AGENT_GUARD_CANCEL_TOKEN_H_
