// The writing side of a streaming reactor, with gRPC's rules kept in one place.
#ifndef CURLEW_COMMON_RPC_WRITE_QUEUE_H_
#define CURLEW_COMMON_RPC_WRITE_QUEUE_H_

#include <grpcpp/support/status.h>

#include <deque>
#include <iterator>
#include <optional>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"

namespace curlew::rpc {

// Queues messages for a server reactor (ServerBidiReactor, ServerWriteReactor): one StartWrite at a time,
// each message alive until its OnWriteDone, Finish exactly once and never beside a write, and no operation
// begun after it. A member of the reactor, which forwards OnWriteDone. Thread-safe; never blocks. Whoever
// calls it from outside a reaction must keep the reactor alive over the call (a shared_ptr that OnDone drops
// last): Finish lets OnDone run.
template <typename Reactor, typename Message>
class WriteQueue {
 public:
  // `reactor` owns this.
  explicit WriteQueue(Reactor* reactor) : reactor_(reactor) {}

  // Queues a message. Does nothing once the end was asked for.
  void Push(Message message) {
    absl::MutexLock lock(&mutex_);
    if (end_.has_value()) return;
    queue_.push_back(std::move(message));
    Go();
  }

  // Ends the call with `status` when all that is queued has been written. The first call wins.
  void FinishAfterQueue(grpc::Status status) {
    absl::MutexLock lock(&mutex_);
    if (end_.has_value()) return;
    end_ = std::move(status);
    Go();
  }

  // Ends the call with `status` now: what is queued is dropped. Returns whether a write is still in progress:
  // to a peer that reads no more it would last for ever, so its owner should cancel the call. The first
  // status wins.
  bool FinishNow(grpc::Status status) {
    absl::MutexLock lock(&mutex_);
    if (!end_.has_value()) end_ = std::move(status);
    if (!writing_) {
      queue_.clear();
    } else if (queue_.size() > 1) {
      queue_.erase(std::next(queue_.begin()), queue_.end());
    }
    Go();
    return writing_;
  }

  // What the reactor's OnWriteDone must call. Returns whether there is nothing left to write and the call
  // goes on.
  bool OnWriteDone(bool ok) {
    absl::MutexLock lock(&mutex_);
    writing_ = false;
    queue_.pop_front();
    if (!ok) {
      queue_.clear();
      if (!end_.has_value()) end_ = grpc::Status(grpc::StatusCode::CANCELLED, "the stream is broken");
    }
    Go();
    return !writing_ && !end_.has_value();
  }

  // Calls `operation` (a StartRead) unless the call has been finished.
  template <typename Operation>
  void IfOpen(Operation operation) {
    absl::MutexLock lock(&mutex_);
    if (!finished_) operation();
  }

 private:
  // gRPC runs reactions on its own threads, never within StartWrite or Finish: the lock may be held.
  void Go() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    if (writing_ || finished_) return;
    if (!queue_.empty()) {
      writing_ = true;
      reactor_->StartWrite(&queue_.front());
    } else if (end_.has_value()) {
      finished_ = true;
      reactor_->Finish(*end_);
    }
  }

  Reactor* const reactor_;
  absl::Mutex mutex_;
  std::deque<Message> queue_ ABSL_GUARDED_BY(mutex_);  // the first is the one being written
  bool writing_ ABSL_GUARDED_BY(mutex_) = false;
  std::optional<grpc::Status> end_ ABSL_GUARDED_BY(mutex_);
  bool finished_ ABSL_GUARDED_BY(mutex_) = false;
};

}  // namespace curlew::rpc

#endif  // CURLEW_COMMON_RPC_WRITE_QUEUE_H_
