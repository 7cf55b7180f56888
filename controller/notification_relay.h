// Takes notifications from the store to their receivers.
#ifndef CURLEW_CONTROLLER_NOTIFICATION_RELAY_H_
#define CURLEW_CONTROLLER_NOTIFICATION_RELAY_H_

#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <string>

#include "absl/random/random.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "common/base/backoff.h"
#include "common/base/clock.h"
#include "controller/audit/signer.h"
#include "controller/dispatch/loop.h"
#include "controller/notify/sender.h"
#include "controller/store/rollout_store.h"
#include "curlew/v1/rollout.pb.h"

namespace curlew::controller {

// What is to be told stands in the store, put there by the transaction that it tells of; this reads it, has
// it sent, and takes it out. So everything is told at least once, over crashes and changes of the leader, and
// to each receiver in order: what follows waits for what comes first. What fails is tried again, with growing
// pauses; where a receiver has taken nothing for long, what is old is given up, with an error in the log and
// an entry in the audit log. What is for a receiver that the configuration does not have any more is removed.
//
// Belongs to the loop's thread, of one term of leadership. Waits for nobody: neither receivers nor a store
// that fails.
class NotificationRelay {
 public:
  struct Options {
    base::BackoffOptions pause = {.first = absl::Seconds(1), .longest = absl::Minutes(5)};
    // Nothing is given up before it is so old, and before its receiver has failed so often in a row: what a
    // controller was down for is no fault of a receiver's.
    absl::Duration keep = absl::Hours(24);
    int least_tries = 200;
    absl::Duration store_retry = absl::Seconds(1);
    // How often the store is asked without Wake: a commit may be seen later than its answer was lost.
    absl::Duration poll = absl::Seconds(30);
  };

  // All must outlive it, and the loop's last task; `signer` is null where heads are not signed.
  NotificationRelay(dispatch::Loop* loop, store::RecordStore* store, const base::Clock* clock,
                    notify::Sender* sender, const audit::HeadSigner* signer, Options options);
  // After the loop has stopped. What the sender still tries is left to the next leader.
  ~NotificationRelay();

  // Begins with what the store has. Once.
  void Start();
  // There may be more in the store. Cheap.
  void Wake();

 private:
  // Where answers of the sender go, on its threads: to the loop, as long as there is one.
  class Mailbox;
  // What one receiver is to be told.
  struct Lane {
    std::deque<v1::Notification> waiting;  // in order; the first may be on its way
    base::Backoff backoff;
    bool busy = false;      // the first is on its way, or being removed
    int failures = 0;       // tries in a row that failed
    absl::Time not_before;  // of the next try
    int64_t timer = 0;      // number of the one that counts
  };

  void Load();
  void Poll();
  void Take(v1::Notification notification);
  void Forget(int64_t id);
  // The audit log's, signed where there is a key.
  absl::StatusOr<v1::AuditHead> Head();
  void Advance(const std::string& sink);
  void Answered(const std::string& sink, int64_t id, const absl::Status& status);
  void Failed(const std::string& sink, const absl::Status& status);
  bool GivenUp(const Lane& lane) const;
  // The first is given up: puts that into the audit log, and removes it.
  void Drop(const std::string& sink);
  // Takes the first, which is done with, out of the store, and goes on with the next.
  void Remove(const std::string& sink);
  void After(absl::Duration pause, void (NotificationRelay::*what)(const std::string&),
             const std::string& sink);

  dispatch::Loop* const loop_;
  store::RecordStore* const store_;
  const base::Clock* const clock_;
  notify::Sender* const sender_;
  const audit::HeadSigner* const signer_;
  const Options options_;
  const std::shared_ptr<Mailbox> mailbox_;
  absl::BitGen random_;
  std::map<std::string, Lane> lanes_;
  int64_t last_ = 0;  // the newest that was read
  bool loading_ = false;
};

}  // namespace curlew::controller

#endif  // CURLEW_CONTROLLER_NOTIFICATION_RELAY_H_
