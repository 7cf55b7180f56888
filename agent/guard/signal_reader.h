// Reads the signals of one database.
#ifndef CURLEW_AGENT_GUARD_SIGNAL_READER_H_
#define CURLEW_AGENT_GUARD_SIGNAL_READER_H_

#include <deque>
#include <functional>
#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "agent/guard/replica_lag.h"
#include "agent/guard/signals.h"
#include "agent/guard/throttle_config.h"
#include "common/pg/connection.h"

namespace curlew::agent {

// Keeps the newest value of each known signal and of each check of the configuration. What a walk must react
// to at once is read by one statement at each look. The rest is read once a second, and never takes more than
// a tenth of the time: what took long is asked the more seldom. Not thread-safe.
class SignalReader {
 public:
  // Monotonic; every time in a Signal is of this clock.
  using Clock = std::function<absl::Time()>;
  // `interval` is the time between two looks. `table` as in LoadMonitorOptions.
  SignalReader(ThrottleConfig config, std::string table, absl::Duration interval, Clock now);
  SignalReader(const SignalReader&) = delete;
  SignalReader& operator=(const SignalReader&) = delete;

  // Learns what can be read on a new connection, and makes its session read-only with a statement time-out of
  // a second. Call it before anything else is done with the connection. Errors as in common/pg/error.h.
  absl::Status Prepare(pg::Connection* connection);
  // One look. `ours` are the backends of the walk; the connection's own is added. Errors as before; values
  // that were not read stay as they were.
  absl::Status Look(pg::Connection* connection, const std::set<int>& ours);
  // The rest, where it is due. Ends early, with the rest left for later, once it has taken a look's time. A
  // check that fails is stale, and no error; an error is that the connection is broken.
  absl::Status LookAtRest(pg::Connection* connection);
  // Nothing can be read, because of `status`.
  void Lost(const absl::Status& status);

  const std::vector<Signal>& signals() const { return signals_; }
  // False where the role may not see what others do: then sessions, standbys and snapshots are absent.
  bool sees_sessions() const { return sees_sessions_; }

 private:
  // A statement of its own, which is not run at every look.
  struct Timed {
    std::function<absl::Status(pg::Connection*, absl::Time begun)> read;
    std::vector<std::string> signals;
    absl::Time next = absl::InfinitePast();
  };

  absl::Status Run(Timed* timed, pg::Connection* connection);
  absl::Status ReadTable(pg::Connection* connection, absl::Time begun);
  absl::Status ReadArchive(pg::Connection* connection, absl::Time begun);
  absl::Status ReadDisk(absl::Time begun);
  absl::Status ReadCheck(const ThrottleCheck& check, pg::Connection* connection, absl::Time begun);
  Signal& At(const std::string& name) { return signals_[index_.at(name)]; }
  void Set(const std::string& name, double value, absl::Time read, std::string detail = "");
  void SetAbsent(const std::string& name, absl::Time read);
  void SetReplicaLag(const ReplicaLag& lag, absl::Time read);

  const ThrottleConfig config_;
  const std::string table_;
  const absl::Duration interval_;
  const Clock now_;
  std::vector<Signal> signals_;
  std::map<std::string, size_t> index_;
  std::vector<Timed> timed_;

  // What the connection may see.
  bool sees_sessions_ = false;
  bool sees_archive_ = false;
  bool archives_ = false;
  int server_version_num_ = 0;

  ReplicaLagTracker replicas_;
  absl::Time averaged_ = absl::InfinitePast();              // when active_sessions was read last
  std::deque<std::pair<absl::Time, int64_t>> checkpoints_;  // counts of the last minute
};

}  // namespace curlew::agent

#endif  // CURLEW_AGENT_GUARD_SIGNAL_READER_H_
