// A pool of connections with the settings that people know from their applications.
#ifndef CURLEW_COMMON_PG_POOL_H_
#define CURLEW_COMMON_PG_POOL_H_

#include <memory>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "common/pg/connection.h"

namespace curlew::pg {

// Settings of a pool.
struct PoolOptions {
  ConnectOptions connect;
  // Connections that are kept.
  int size = 4;
  // Connections above `size` at busy times; closed when they come back.
  int max_overflow = 2;
  // How long Acquire waits for a free one.
  absl::Duration acquire_timeout = absl::Seconds(30);
  // A connection older than this is replaced; infinite for never.
  absl::Duration recycle = absl::Minutes(30);
  // Whether a connection is asked for a sign of life before it is handed out.
  bool pre_ping = true;
};

// Hands out connections. Thread-safe. Must outlive its leases.
class Pool {
 public:
  explicit Pool(PoolOptions options);
  ~Pool();

  // A connection for exclusive use; goes back when destroyed. A connection that is broken, or in a
  // transaction, is closed instead. What the session holds (locks, settings) is dropped when it comes back.
  class Lease {
   public:
    Lease(Pool* pool, std::unique_ptr<Connection> connection, absl::Time born)
        : pool_(pool), connection_(std::move(connection)), born_(born) {}
    Lease(Lease&&) = default;
    Lease& operator=(Lease&&) = delete;
    ~Lease();
    Connection* operator->() const { return connection_.get(); }
    Connection* get() const { return connection_.get(); }

   private:
    Pool* pool_;
    std::unique_ptr<Connection> connection_;
    absl::Time born_;
  };

  // DEADLINE_EXCEEDED where none came free in time; errors of Connect.
  absl::StatusOr<Lease> Acquire();

  // How many connections may be out at a time.
  int capacity() const { return options_.size + options_.max_overflow; }

  // Closes the idle connections; those that are out are closed when they come back.
  void Drain();

 private:
  struct Idle {
    std::unique_ptr<Connection> connection;
    absl::Time born;
  };
  // Takes an idle connection, or the right to open one (a null connection).
  absl::StatusOr<Idle> Take();
  bool Available() const ABSL_SHARED_LOCKS_REQUIRED(mutex_);
  void Return(std::unique_ptr<Connection> connection, absl::Time born);
  void Forget();

  const PoolOptions options_;
  absl::Mutex mutex_;
  std::vector<Idle> idle_ ABSL_GUARDED_BY(mutex_);
  int out_ ABSL_GUARDED_BY(mutex_) = 0;
  // Set by Drain: connections that are older are not kept.
  absl::Time drained_ ABSL_GUARDED_BY(mutex_) = absl::InfinitePast();
};

}  // namespace curlew::pg

#endif  // CURLEW_COMMON_PG_POOL_H_
