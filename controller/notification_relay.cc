#include "controller/notification_relay.h"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/strings/str_cat.h"
#include "absl/synchronization/mutex.h"
#include "common/base/log.h"
#include "common/base/proto_time.h"
#include "common/base/status_macros.h"

namespace curlew::controller {
namespace {

constexpr int kPage = 500;

void Log(spdlog::level::level_enum level, absl::string_view what, const v1::Notification& notification,
         absl::string_view error, absl::string_view retry_in) {
  spdlog::log(level, "{}",
              base::WithFields(what, {{"sink", notification.sink()},
                                      {"notification", absl::StrCat(notification.id())},
                                      {"kind", notification.kind()},
                                      {"resource", notification.resource()},
                                      {"error", error},
                                      {"retry_in", retry_in}}));
}

}  // namespace

class NotificationRelay::Mailbox {
 public:
  explicit Mailbox(dispatch::Loop* loop) : loop_(loop) {}
  void Post(dispatch::Loop::Task task) {
    absl::MutexLock lock(&mutex_);
    if (loop_ != nullptr) loop_->Post(std::move(task));
  }
  void Close() {
    absl::MutexLock lock(&mutex_);
    loop_ = nullptr;
  }

 private:
  absl::Mutex mutex_;
  dispatch::Loop* loop_ ABSL_GUARDED_BY(mutex_);
};

NotificationRelay::NotificationRelay(dispatch::Loop* loop, store::RecordStore* store,
                                     const base::Clock* clock, notify::Sender* sender,
                                     const audit::HeadSigner* signer, Options options)
    : loop_(loop),
      store_(store),
      clock_(clock),
      sender_(sender),
      signer_(signer),
      options_(options),
      mailbox_(std::make_shared<Mailbox>(loop)) {
  for (const notify::Sink& sink : sender_->sinks()) {
    lanes_.emplace(sink.name, Lane{.backoff = base::Backoff(options_.pause, random_)});
  }
}

NotificationRelay::~NotificationRelay() { mailbox_->Close(); }

void NotificationRelay::Start() {
  Load();
  loop_->PostAfter(options_.poll, [this] { Poll(); });
}

void NotificationRelay::Wake() {
  if (!loading_) Load();
}

void NotificationRelay::Poll() {
  Wake();
  loop_->PostAfter(options_.poll, [this] { Poll(); });
}

void NotificationRelay::Load() {
  loading_ = true;
  const auto page = store_->PendingNotifications(last_, kPage);
  if (!page.ok()) {
    loop_->PostAfter(options_.store_retry, [this] { Load(); });
    return;
  }
  for (const v1::Notification& notification : *page) Take(notification);
  if (page->size() == kPage) {
    loop_->Post([this] { Load(); });
    return;
  }
  loading_ = false;
  for (const auto& [name, lane] : lanes_) Advance(name);
}

void NotificationRelay::Take(v1::Notification notification) {
  last_ = std::max(last_, notification.id());
  const auto found = lanes_.find(notification.sink());
  if (found == lanes_.end()) {
    Log(spdlog::level::warn, "a notification is removed: its sink is not configured any more", notification,
        "", "");
    Forget(notification.id());
    return;
  }
  Lane& lane = found->second;
  if (lane.waiting.empty()) {
    // Goes on where the controller before this one was.
    for (; lane.failures < notification.attempts(); ++lane.failures) lane.backoff.Next();
    lane.not_before =
        std::min(base::FromProto(notification.not_before()), clock_->Now() + options_.pause.longest);
  }
  lane.waiting.push_back(std::move(notification));
}

void NotificationRelay::Forget(int64_t id) {
  if (store_->RemoveNotification(id).ok()) return;
  loop_->PostAfter(options_.store_retry, [this, id] { Forget(id); });
}

void NotificationRelay::After(absl::Duration pause, void (NotificationRelay::*what)(const std::string&),
                              const std::string& sink) {
  const int64_t timer = ++lanes_.at(sink).timer;
  loop_->PostAfter(pause, [this, what, sink, timer] {
    if (lanes_.at(sink).timer == timer) (this->*what)(sink);
  });
}

absl::StatusOr<v1::AuditHead> NotificationRelay::Head() {
  ASSIGN_OR_RETURN(v1::AuditHead head, store_->AuditHead());
  if (signer_ == nullptr) return head;
  return signer_->Vouch(head, [this](int64_t after, int limit) { return store_->ListAudit(after, limit); });
}

void NotificationRelay::Advance(const std::string& sink) {
  Lane& lane = lanes_.at(sink);
  if (lane.busy || lane.waiting.empty()) return;
  if (const absl::Duration left = lane.not_before - clock_->Now(); left > absl::ZeroDuration()) {
    After(left, &NotificationRelay::Advance, sink);
    return;
  }
  auto head = Head();
  if (!head.ok()) {
    After(options_.store_retry, &NotificationRelay::Advance, sink);
    return;
  }
  lane.busy = true;
  const v1::Notification& first = lane.waiting.front();
  sender_->Send(first, *std::move(head),
                [this, mailbox = mailbox_, sink, id = first.id()](const absl::Status& status) {
                  mailbox->Post([this, sink, id, status] { Answered(sink, id, status); });
                });
}

void NotificationRelay::Answered(const std::string& sink, int64_t id, const absl::Status& status) {
  Lane& lane = lanes_.at(sink);
  if (!lane.busy || lane.waiting.empty() || lane.waiting.front().id() != id) return;
  if (!status.ok()) {
    Failed(sink, status);
    return;
  }
  Log(spdlog::level::info, "notification delivered", lane.waiting.front(), "", "");
  lane.failures = 0;
  lane.backoff.Reset();
  Remove(sink);
}

bool NotificationRelay::GivenUp(const Lane& lane) const {
  return lane.failures >= options_.least_tries &&
         clock_->Now() - base::FromProto(lane.waiting.front().time()) >= options_.keep;
}

void NotificationRelay::Failed(const std::string& sink, const absl::Status& status) {
  Lane& lane = lanes_.at(sink);
  v1::Notification& first = lane.waiting.front();
  ++lane.failures;
  first.set_attempts(first.attempts() + 1);
  first.set_error(std::string(status.message()));
  if (GivenUp(lane)) {
    Log(spdlog::level::err, "notification given up", first, status.message(), "");
    Drop(sink);
    return;
  }
  const absl::Duration pause = lane.backoff.Next();
  lane.not_before = clock_->Now() + pause;
  *first.mutable_not_before() = base::ToProto(lane.not_before);
  Log(spdlog::level::warn, "notification not delivered", first, status.message(),
      absl::FormatDuration(absl::Trunc(pause, absl::Milliseconds(1))));
  // Only for the next controller: where it fails, that one tries a little earlier.
  store_->UpdateNotification(first).IgnoreError();
  lane.busy = false;
  Advance(sink);
}

void NotificationRelay::Drop(const std::string& sink) {
  const v1::Notification& first = lanes_.at(sink).waiting.front();
  store::Record record;
  v1::AuditEntry& entry = record.audit.emplace_back();
  *entry.mutable_time() = base::ToProto(clock_->Now());
  entry.set_actor("curlew");
  entry.set_action("notification.drop");
  entry.set_resource(first.resource());
  entry.set_reason(first.error());
  (*entry.mutable_details())["sink"] = sink;
  (*entry.mutable_details())["notification"] = absl::StrCat(first.id());
  (*entry.mutable_details())["kind"] = first.kind();
  if (!store_->Put(record).ok()) {
    After(options_.store_retry, &NotificationRelay::Drop, sink);
    return;
  }
  Remove(sink);
}

void NotificationRelay::Remove(const std::string& sink) {
  Lane& lane = lanes_.at(sink);
  if (!store_->RemoveNotification(lane.waiting.front().id()).ok()) {
    After(options_.store_retry, &NotificationRelay::Remove, sink);
    return;
  }
  lane.waiting.pop_front();
  lane.busy = false;
  Advance(sink);
}

}  // namespace curlew::controller
