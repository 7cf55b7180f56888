#include "agent/session/outbox.h"

#include <chrono>
#include <utility>

namespace curlew::agent {

void Outbox::Open(std::optional<v1::AgentMessage> first) {
  absl::MutexLock lock(&mutex_);
  queue_.clear();
  if (first.has_value()) queue_.push_back(*std::move(first));
  progress_.clear();
  open_ = true;
  changed_.Signal();
}

void Outbox::Close() {
  absl::MutexLock lock(&mutex_);
  open_ = false;
  changed_.Signal();
}

bool Outbox::open() const {
  absl::MutexLock lock(&mutex_);
  return open_;
}

void Outbox::Push(v1::AgentMessage message) {
  absl::MutexLock lock(&mutex_);
  if (!open_) return;
  changed_.Signal();
  if (message.has_progress()) {
    std::string target = message.progress().target();
    progress_[std::move(target)] = std::move(message);
    return;
  }
  // The end of an attempt must not be overtaken by what it said before.
  if (message.has_result()) progress_.erase(message.result().target());
  queue_.push_back(std::move(message));
  if (queue_.size() > capacity_) open_ = false;
}

std::optional<v1::AgentMessage> Outbox::Pop(absl::Duration wait) {
  const auto began = std::chrono::steady_clock::now();
  absl::MutexLock lock(&mutex_);
  while (!Ready()) {
    const absl::Duration left = wait - absl::FromChrono(std::chrono::steady_clock::now() - began);
    if (left <= absl::ZeroDuration()) return std::nullopt;
    changed_.WaitFor(&mutex_, left);
  }
  if (!open_) return std::nullopt;
  v1::AgentMessage message;
  if (!queue_.empty()) {
    message = std::move(queue_.front());
    queue_.pop_front();
  } else if (!progress_.empty()) {
    message = std::move(progress_.begin()->second);
    progress_.erase(progress_.begin());
  } else {
    return std::nullopt;
  }
  return message;
}

}  // namespace curlew::agent
