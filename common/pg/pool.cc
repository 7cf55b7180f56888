#include "common/pg/pool.h"

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "common/base/status_macros.h"

namespace curlew::pg {

Pool::Pool(PoolOptions options) : options_(std::move(options)) {}
Pool::~Pool() = default;

Pool::Lease::~Lease() {
  if (connection_ != nullptr) pool_->Return(std::move(connection_), born_);
}

bool Pool::Available() const { return !idle_.empty() || out_ < options_.size + options_.max_overflow; }

absl::StatusOr<Pool::Idle> Pool::Take() {
  absl::MutexLock lock(&mutex_);
  if (!mutex_.AwaitWithTimeout(absl::Condition(this, &Pool::Available), options_.acquire_timeout)) {
    return absl::DeadlineExceededError(absl::StrCat("no connection came free within ",
                                                    absl::FormatDuration(options_.acquire_timeout), ": all ",
                                                    out_, " are in use"));
  }
  ++out_;
  if (idle_.empty()) return Idle{nullptr, absl::Now()};
  // The one used last: what is not needed grows old and is replaced.
  Idle taken = std::move(idle_.back());
  idle_.pop_back();
  return taken;
}

absl::StatusOr<Pool::Lease> Pool::Acquire() {
  const auto usable = [this](Idle& idle) {
    return idle.connection != nullptr && absl::Now() - idle.born < options_.recycle &&
           idle.connection->alive() && (!options_.pre_ping || idle.connection->Execute("SELECT 1").ok());
  };
  for (;;) {
    ASSIGN_OR_RETURN(Idle taken, Take());
    if (usable(taken)) return Lease(this, std::move(taken.connection), taken.born);
    if (taken.connection != nullptr) {
      taken.connection.reset();
      Forget();
      continue;
    }
    auto connection = Connection::Connect(options_.connect);
    if (connection.ok()) return Lease(this, *std::move(connection), taken.born);
    Forget();
    return std::move(connection).status();
  }
}

void Pool::Forget() {
  absl::MutexLock lock(&mutex_);
  --out_;
}

void Pool::Return(std::unique_ptr<Connection> connection, absl::Time born) {
  // At once, because an advisory lock must not outlive its lease. Fails on a broken connection and inside a
  // transaction, and then closing ends both.
  if (connection->in_transaction() || !connection->Reset().ok()) connection.reset();
  absl::MutexLock lock(&mutex_);
  --out_;
  const bool keep =
      connection != nullptr && born > drained_ && static_cast<int>(idle_.size()) < options_.size;
  if (keep) idle_.push_back({std::move(connection), born});
}

void Pool::Drain() {
  std::vector<Idle> closing;
  absl::MutexLock lock(&mutex_);
  drained_ = absl::Now();
  closing.swap(idle_);
}

}  // namespace curlew::pg
