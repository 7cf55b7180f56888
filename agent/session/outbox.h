// What waits to be said to the controller.
#ifndef CURLEW_AGENT_SESSION_OUTBOX_H_
#define CURLEW_AGENT_SESSION_OUTBOX_H_

#include <deque>
#include <map>
#include <optional>
#include <string>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "common/base/steady_cond_var.h"
#include "curlew/v1/agent.pb.h"

namespace curlew::agent {

// A bounded queue between the targets and the stream's writer. Only open while there is a session: what is
// said meanwhile is dropped, because a new session begins with what is held. Of Progress only the newest of
// each target is kept. Thread-safe.
class Outbox {
 public:
  explicit Outbox(size_t capacity = 1024) : capacity_(capacity) {}

  // Begins a session: empty, but for its first message where one is given. Targets speak at any moment, and
  // nothing may overtake a Hello.
  void Open(std::optional<v1::AgentMessage> first = std::nullopt);
  // Ends it: Pop returns nothing from now on.
  void Close();
  // Takes a message. Where more than `capacity` wait, the session is closed: a peer that does not read must
  // say hello again.
  void Push(v1::AgentMessage message);
  // The next message; nothing where none comes within `wait`, whatever happens to the wall clock, or the
  // outbox is closed.
  std::optional<v1::AgentMessage> Pop(absl::Duration wait);
  bool open() const;

 private:
  bool Ready() const ABSL_SHARED_LOCKS_REQUIRED(mutex_) {
    return !open_ || !queue_.empty() || !progress_.empty();
  }

  const size_t capacity_;
  mutable absl::Mutex mutex_;
  base::SteadyCondVar changed_;
  bool open_ ABSL_GUARDED_BY(mutex_) = false;
  std::deque<v1::AgentMessage> queue_ ABSL_GUARDED_BY(mutex_);
  std::map<std::string, v1::AgentMessage> progress_ ABSL_GUARDED_BY(mutex_);  // by target
};

}  // namespace curlew::agent

#endif  // CURLEW_AGENT_SESSION_OUTBOX_H_
