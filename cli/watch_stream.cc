#include "cli/watch_stream.h"

#include <utility>

namespace curlew::cli {
namespace {
constexpr size_t kMostWaiting = 256;
}  // namespace

WatchStream::WatchStream(Client* client, const std::string& rollout, int64_t after_event) : client_(client) {
  request_.set_name(rollout);
  request_.set_after_event(after_event);
  reader_ = std::thread([this] { Read(); });
}

WatchStream::~WatchStream() {
  context_.TryCancel();
  {
    absl::MutexLock lock(&mutex_);
    stopped_ = true;
  }
  reader_.join();
}

void WatchStream::Read() {
  auto reader = client_->Watch(&context_, request_);
  v1::WatchRolloutResponse message;
  while (reader->Read(&message)) {
    absl::MutexLock lock(&mutex_);
    const auto room = [this]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
      return messages_.size() < kMostWaiting || stopped_;
    };
    mutex_.Await(absl::Condition(&room));
    if (stopped_) break;
    messages_.push_back(std::move(message));
    message.Clear();
  }
  const absl::Status status = client_->ToStatus(reader->Finish());
  absl::MutexLock lock(&mutex_);
  status_ = status;
  ended_ = true;
}

WatchStream::Got WatchStream::Next(absl::Duration timeout, v1::WatchRolloutResponse* message) {
  absl::MutexLock lock(&mutex_);
  const auto ready = [this]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) { return !messages_.empty() || ended_; };
  if (!mutex_.AwaitWithTimeout(absl::Condition(&ready), timeout)) return Got::kNothingYet;
  if (messages_.empty()) return Got::kEnd;
  *message = std::move(messages_.front());
  messages_.pop_front();
  return Got::kMessage;
}

absl::Status WatchStream::status() {
  absl::MutexLock lock(&mutex_);
  return status_;
}

}  // namespace curlew::cli
