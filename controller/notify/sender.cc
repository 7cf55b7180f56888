#include "controller/notify/sender.h"

#include <algorithm>
#include <chrono>
#include <utility>

#include "absl/strings/str_cat.h"
#include "controller/notify/message.h"

namespace curlew::notify {
namespace {

absl::Duration Elapsed() { return absl::FromChrono(std::chrono::steady_clock::now().time_since_epoch()); }

}  // namespace

Sender::Sender(std::vector<Sink> sinks, const base::Clock* clock) : sinks_(std::move(sinks)), clock_(clock) {
  for (const Sink& sink : sinks_) lanes_.push_back(std::make_unique<Lane>(sink));
  for (const auto& lane : lanes_) {
    lane->thread = std::thread([this, lane = lane.get()] { Work(lane); });
  }
  watch_ = std::thread([this] { Watch(); });
}

Sender::~Sender() {
  {
    absl::MutexLock lock(&mutex_);
    ending_ = true;
    for (const auto& lane : lanes_) {
      if (lane->post != nullptr) lane->post->Interrupt();
    }
    changed_.Signal();
  }
  for (const auto& lane : lanes_) lane->thread.join();
  watch_.join();
}

void Sender::Send(v1::Notification notification, v1::AuditHead head, Done done) {
  const auto lane = std::find_if(lanes_.begin(), lanes_.end(), [&](const auto& candidate) {
    return candidate->sink.name == notification.sink();
  });
  if (lane == lanes_.end()) {
    done(absl::NotFoundError(absl::StrCat("there is no sink \"", notification.sink(), "\"")));
    return;
  }
  absl::MutexLock lock(&mutex_);
  (*lane)->jobs.push_back({std::move(notification), std::move(head), std::move(done)});
  changed_.Signal();
}

void Sender::Work(Lane* lane) {
  while (true) {
    Job job;
    {
      absl::MutexLock lock(&mutex_);
      while (!ending_ && lane->jobs.empty()) changed_.WaitFor(&mutex_, absl::InfiniteDuration());
      if (ending_) return;
      job = std::move(lane->jobs.front());
      lane->jobs.pop_front();
    }
    const absl::Status status = Try(lane, job);
    {
      absl::MutexLock lock(&mutex_);
      if (ending_) return;
    }
    job.done(status);
  }
}

absl::Status Sender::Try(Lane* lane, const Job& job) {
  HttpPost post;
  {
    absl::MutexLock lock(&mutex_);
    if (ending_) return absl::CancelledError("the controller ends");
    lane->post = &post;
    lane->since = Elapsed();
    lane->late = false;
    changed_.Signal();
  }
  const absl::Status status = post.Run(
      lane->sink.url, Compose(job.notification, job.head, lane->sink, clock_->Now()), lane->sink.timeout);
  absl::MutexLock lock(&mutex_);
  lane->post = nullptr;
  if (status.ok() || !lane->late) return status;
  return absl::DeadlineExceededError(
      absl::StrCat(lane->sink.url.Origin(), ": no answer within ", absl::FormatDuration(lane->sink.timeout)));
}

void Sender::Watch() {
  absl::MutexLock lock(&mutex_);
  while (!ending_) {
    absl::Duration next = absl::InfiniteDuration();
    for (const auto& lane : lanes_) {
      if (lane->post == nullptr || lane->late) continue;
      const absl::Duration left = lane->since + lane->sink.timeout - Elapsed();
      if (left <= absl::ZeroDuration()) {
        lane->late = true;
        lane->post->Interrupt();
      } else {
        next = std::min(next, left);
      }
    }
    changed_.WaitFor(&mutex_, next);
  }
}

}  // namespace curlew::notify
