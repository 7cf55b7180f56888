#include "controller/limits/limiter.h"

#include <algorithm>
#include <chrono>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "common/base/error_detail.h"
#include "common/base/status_macros.h"
#include "common/rpc/error.h"

namespace curlew::limits {
namespace {

// Shared by all that have no account of their own. No identity is empty.
constexpr char kOthers[] = "";
// Accounts that are as new are looked for this often, and where there are too many, this often at most.
constexpr absl::Duration kTidy = absl::Minutes(1), kTidyAtMost = absl::Seconds(1);
// When to try again for a stream, which ends when somebody ends it.
constexpr absl::Duration kStreamPause = absl::Seconds(5);

absl::Duration Monotonic() { return absl::FromChrono(std::chrono::steady_clock::now().time_since_epoch()); }

absl::Status Refused(absl::string_view reason, absl::string_view message, absl::string_view hint,
                     absl::Duration pause) {
  // Whole milliseconds, and none too few.
  const absl::Duration after = absl::Ceil(pause, absl::Milliseconds(1));
  absl::Status status = base::WithDetail(absl::ResourceExhaustedError(message), base::kReason, reason);
  status = base::WithDetail(std::move(status), base::kHint, hint);
  return base::WithDetail(std::move(status), rpc::kRetryAfter, absl::FormatDuration(after));
}

std::string Shown(const std::string& account) { return account.empty() ? "others" : account; }

}  // namespace

double Bucket::Filled(const Size& size, absl::Duration now) const {
  return std::min(size.burst, size.burst - used_ + size.per_second * absl::ToDoubleSeconds(now - at_));
}

absl::Duration Bucket::Take(const Size& size, absl::Duration now, double cost) {
  const double filled = Filled(size, now), needed = std::min(cost, size.burst);
  if (filled < needed) return absl::Seconds((needed - filled) / size.per_second);
  used_ = size.burst - filled + cost;
  at_ = now;
  return absl::ZeroDuration();
}

Limiter& Limiter::Off() {
  static auto* const off = new Limiter(Options::Off());
  return *off;
}

Limiter::Limiter(const Options& options, std::function<absl::Duration()> elapsed)
    : options_(options),
      elapsed_(elapsed != nullptr ? std::move(elapsed) : Monotonic),
      calls_{.per_second = options.calls_per_second,
             .burst = static_cast<double>(std::max(options.call_burst, 1))},
      sessions_{.per_second = options.sessions_per_minute / 60.0,
                .burst = static_cast<double>(options.sessions_per_minute)},
      forgot_(elapsed_()) {}

absl::Status Limiter::Call(const std::string& account, double cost) {
  if (calls_.per_second <= 0) return absl::OkStatus();
  absl::MutexLock lock(&mutex_);
  const absl::Duration now = elapsed_();
  std::string key;
  return TakeCall(account, cost, Of(account, now, &key), now);
}

absl::StatusOr<Pass> Limiter::Stream(const std::string& account, double cost) {
  if (calls_.per_second <= 0 && options_.streams <= 0) return Pass();
  absl::MutexLock lock(&mutex_);
  const absl::Duration now = elapsed_();
  std::string key;
  Account& counts = Of(account, now, &key);
  if (calls_.per_second > 0) RETURN_IF_ERROR(TakeCall(account, cost, counts, now));
  if (options_.streams <= 0) return Pass();
  if (counts.streams >= options_.streams) {
    return Refused(kTooManyStreams,
                   absl::StrCat(Shown(account), " has ", counts.streams,
                                " watches and previews open, and may have no more"),
                   "end one of them; a program that looks at many rollouts asks for their list instead",
                   kStreamPause);
  }
  ++counts.streams;
  return Pass(nullptr, [this, key](void*) { StreamEnded(key); });
}

absl::Status Limiter::Session(const std::string& account) {
  if (sessions_.per_second <= 0) return absl::OkStatus();
  absl::MutexLock lock(&mutex_);
  const absl::Duration now = elapsed_();
  std::string key;
  const absl::Duration pause = Of(account, now, &key).sessions.Take(sessions_, now);
  if (pause == absl::ZeroDuration()) return absl::OkStatus();
  return Refused(
      kTooManySessions,
      absl::StrCat(Shown(account), " has begun ", options_.sessions_per_minute,
                   " sessions within a minute, and may begin no more just now"),
      "see in the agent's log why its sessions end, and whether more agents than are meant run with "
      "this certificate",
      pause);
}

size_t Limiter::accounts() const {
  absl::MutexLock lock(&mutex_);
  return accounts_.size();
}

Limiter::Account& Limiter::Of(const std::string& account, absl::Duration now, std::string* key) {
  *key = account;
  if (const auto found = accounts_.find(account); found != accounts_.end()) return found->second;
  const bool many = accounts_.size() >= options_.accounts;
  if (now - forgot_ >= (many ? kTidyAtMost : kTidy)) Forget(now);
  if (accounts_.size() >= options_.accounts) *key = kOthers;
  return accounts_[*key];
}

void Limiter::Forget(absl::Duration now) {
  forgot_ = now;
  std::erase_if(accounts_, [&](const auto& entry) {
    const Account& counts = entry.second;
    return counts.streams == 0 && counts.calls.FullAt(calls_, now) && counts.sessions.FullAt(sessions_, now);
  });
}

absl::Status Limiter::TakeCall(const std::string& account, double cost, Account& counts, absl::Duration now) {
  const absl::Duration pause = counts.calls.Take(calls_, now, cost);
  if (pause == absl::ZeroDuration()) return absl::OkStatus();
  return Refused(kTooManyCalls,
                 absl::StrCat(Shown(account), " calls more often than ", options_.calls_per_second,
                              " times a second, or more than that in size; the call was not carried out"),
                 "call less often, and watch a rollout (curlew rollout watch) instead of asking for it again "
                 "and again",
                 pause);
}

void Limiter::StreamEnded(const std::string& key) {
  absl::MutexLock lock(&mutex_);
  const auto found = accounts_.find(key);
  if (found != accounts_.end()) --found->second.streams;
}

}  // namespace curlew::limits
