// How much one caller may ask for, so that nobody's calls cost others anything.
#ifndef CURLEW_CONTROLLER_LIMITS_LIMITER_H_
#define CURLEW_CONTROLLER_LIMITS_LIMITER_H_

#include <cstddef>
#include <functional>
#include <memory>
#include <string>
#include <unordered_map>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"

namespace curlew::limits {

// base::kReason of the refusals. Nothing was done: the call may be repeated after rpc::kRetryAfter.
inline constexpr char kTooManyCalls[] = "TOO_MANY_CALLS";
inline constexpr char kTooManyStreams[] = "TOO_MANY_STREAMS";
inline constexpr char kTooManySessions[] = "TOO_MANY_SESSIONS";

// The limits of a controller; docs/limits.md has their table.
struct Options {
  // Of one account: calls in the long run, and at once by one that was silent. Off with 0.
  double calls_per_second = 50;
  int call_burst = 100;
  // Of one account: watches and previews at a time. Off with 0.
  int streams = 50;
  // Of one agent's account, whose processes may be several: sessions that begin in a minute, and at once by
  // one that was silent. Off with 0.
  int sessions_per_minute = 30;
  // Accounts that are told apart; what is beyond shares one.
  size_t accounts = 10'000;
  // After which a call with one answer is answered in any case; earlier where its caller asks for that. A
  // little more than an agent is given to answer (dispatch::EngineOptions), whose word says more.
  absl::Duration call_deadline = absl::Seconds(35);

  // Deadlines alone.
  static Options Off() { return {.calls_per_second = 0, .streams = 0, .sessions_per_minute = 0}; }
};

// What a call counts whose request has so many bytes: one, and one more for each KiB. What the loop does for
// a plan grows with its size.
inline double CostOf(size_t bytes) { return 1 + static_cast<double>(bytes / 1024); }

// A bucket of tokens: full at first, each use takes some, and they come back at a steady rate. Pure.
class Bucket {
 public:
  struct Size {
    double per_second = 0;
    double burst = 0;
  };

  // Takes `cost` at `now`, which never goes back. Zero where there was so much; else how long until there is.
  // What costs more than the burst is let through when the bucket is full, and owed from then on.
  absl::Duration Take(const Size& size, absl::Duration now, double cost = 1);
  // Whether it is as new: to forget it changes nothing.
  bool FullAt(const Size& size, absl::Duration now) const { return Filled(size, now) >= size.burst; }

 private:
  double Filled(const Size& size, absl::Duration now) const;

  double used_ = 0;  // at at_
  absl::Duration at_;
};

// Held while a stream is open.
using Pass = std::shared_ptr<void>;

// Counts what each account asks for: access::Guard::AccountOf says whose that is. An account that is as new
// is forgotten, so that memory is bounded. Refusals are RESOURCE_EXHAUSTED with base::kReason, base::kHint
// and rpc::kRetryAfter. Never blocks: for reactions, before any work is given to the loop. Thread-safe.
class Limiter {
 public:
  // Limits nothing but how long a call takes.
  static Limiter& Off();
  // `elapsed` is monotonic time since some moment; the system's where it is null.
  explicit Limiter(const Options& options, std::function<absl::Duration()> elapsed = nullptr);
  Limiter(const Limiter&) = delete;
  Limiter& operator=(const Limiter&) = delete;

  // One more call of `account`, which counts as so many (CostOf).
  absl::Status Call(const std::string& account, double cost = 1);
  // One more stream: a call, and one more that is open until its pass is gone. The limiter must outlive it.
  absl::StatusOr<Pass> Stream(const std::string& account, double cost = 1);
  // One more session of an agent begins.
  absl::Status Session(const std::string& account);

  const Options& options() const { return options_; }
  // How many accounts are remembered.
  size_t accounts() const;

 private:
  struct Account {
    Bucket calls, sessions;
    int streams = 0;
  };

  // The account's own, or what it shares with others; `key` is where that stands.
  Account& Of(const std::string& account, absl::Duration now, std::string* key)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void Forget(absl::Duration now) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  absl::Status TakeCall(const std::string& account, double cost, Account& counts, absl::Duration now)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void StreamEnded(const std::string& key);

  const Options options_;
  const std::function<absl::Duration()> elapsed_;
  const Bucket::Size calls_, sessions_;
  mutable absl::Mutex mutex_;
  std::unordered_map<std::string, Account> accounts_ ABSL_GUARDED_BY(mutex_);
  absl::Duration forgot_ ABSL_GUARDED_BY(mutex_);  // when it last looked for what is as new
};

}  // namespace curlew::limits

#endif  // CURLEW_CONTROLLER_LIMITS_LIMITER_H_
