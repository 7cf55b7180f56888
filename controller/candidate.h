// One of the controllers on a store: leads, or stands by until it can.
#ifndef CURLEW_CONTROLLER_CANDIDATE_H_
#define CURLEW_CONTROLLER_CANDIDATE_H_

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "absl/random/random.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "common/base/backoff.h"
#include "common/base/clock.h"
#include "controller/fenced_store.h"
#include "controller/lease_keeper.h"
#include "controller/server.h"
#include "controller/standby_server.h"
#include "controller/store/store_location.h"

namespace curlew::controller {

// Settings of a candidate.
struct CandidateOptions {
  ServerOptions server;
  // Where clients reach this process; the address that it listens on unless given.
  std::string advertise;
  // Pauses before it tries again to lead, where it had the lease and could not begin.
  base::BackoffOptions retry = {.first = absl::Seconds(1), .longest = absl::Seconds(15)};
};

// A term of leadership is a Server of its own, on a store that was opened for the epoch of that term: what
// one term held in memory the next one never sees. Between terms, and before the first, a StandbyServer has
// the port. One thread calls Act, the others' news reach it through `wake`. Not thread-safe but for port().
class Candidate {
 public:
  // Asks for the lease, and leads or stands by. `location` and `clock` must outlive the candidate. `wake` is
  // called on any thread when Act is to be called; it must not call back. Fails as StoreLocation::OpenLease,
  // LeaderLease::Hold and Server::Start do.
  static absl::StatusOr<std::unique_ptr<Candidate>> Start(store::StoreLocation* location,
                                                          const base::Clock* clock, CandidateOptions options,
                                                          std::function<void()> wake);
  // Shuts down.
  ~Candidate();

  // Begins or ends a term as the lease has it. Returns after which time to call again at the latest. What
  // fails is logged, and tried again.
  absl::Duration Act();

  // Ends the term, then gives the lease up: another need not wait for its end. Idempotent.
  void Shutdown();

  bool leads() const { return server_ != nullptr; }
  // "127.0.0.1:7441"; the same for as long as the candidate lives.
  const std::string& address() const { return address_; }

 private:
  Candidate(store::StoreLocation* location, const base::Clock* clock, CandidateOptions options,
            std::function<void()> wake);
  absl::Status Begin(const LeaseKeeper::View& view);
  void End(const std::string& why);
  // Why the term must end; "" where it goes on.
  std::string Ends(const LeaseKeeper::View& view) const;
  absl::Status StandBy();
  void NameLeader(const LeaseKeeper::View& view);

  store::StoreLocation* const location_;
  const base::Clock* const clock_;
  CandidateOptions options_;
  const std::function<void()> wake_;
  std::string address_;
  absl::BitGen random_;
  base::Backoff backoff_;
  std::unique_ptr<LeaseKeeper> keeper_;

  std::unique_ptr<StandbyServer> standby_;  // while it does not lead
  std::string named_;                       // the leader, as the log has it

  // Of a term.
  std::unique_ptr<FencedStore> store_;
  std::unique_ptr<Server> server_;
  int64_t epoch_ = 0;
  std::atomic<bool> deposed_ = false;
  // The store refused a write of this epoch: it is never led under again, but given up for a newer one.
  int64_t refused_epoch_ = -1;
};

}  // namespace curlew::controller

#endif  // CURLEW_CONTROLLER_CANDIDATE_H_
