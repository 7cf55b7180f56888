#include "agent/guard/cancel_token.h"

#include "absl/strings/str_cat.h"

namespace curlew::agent {

void CancelToken::Cancel(const std::string& reason) {
  absl::MutexLock lock(&mutex_);
  if (!cancelled_) reason_ = reason;
  cancelled_ = true;
  // Under the mutex, so that no connection can go away meanwhile.
  for (pg::Connection* connection : connections_) connection->Cancel();
}

bool CancelToken::cancelled() const {
  absl::MutexLock lock(&mutex_);
  return cancelled_;
}

absl::Status CancelToken::Check() const {
  absl::MutexLock lock(&mutex_);
  return cancelled_ ? absl::CancelledError(absl::StrCat("stopped: ", reason_)) : absl::OkStatus();
}

absl::Status CancelToken::Pause(absl::Duration pause) const {
  absl::MutexLock lock(&mutex_);
  mutex_.AwaitWithTimeout(absl::Condition(&cancelled_), pause);
  return cancelled_ ? absl::CancelledError(absl::StrCat("stopped: ", reason_)) : absl::OkStatus();
}

CancelToken::Interruptible::Interruptible(const CancelToken* token, pg::Connection* connection)
    : token_(token), connection_(connection) {
  absl::MutexLock lock(&token_->mutex_);
  token_->connections_.insert(connection_);
}

CancelToken::Interruptible::~Interruptible() {
  absl::MutexLock lock(&token_->mutex_);
  token_->connections_.erase(connection_);
}

}  // namespace curlew::agent
