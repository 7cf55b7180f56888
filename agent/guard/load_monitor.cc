#include "agent/guard/load_monitor.h"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <chrono>
#include <vector>

#include "absl/random/random.h"
#include "agent/guard/governor.h"
#include "agent/guard/periodic.h"
#include "agent/guard/signal_reader.h"
#include "common/base/backoff.h"
#include "common/base/log.h"
#include "common/base/status_macros.h"

namespace curlew::agent {
namespace {

// Without a look for this long there is something stale.
constexpr absl::Duration kStale = absl::Seconds(2);

// Never set back, as the system's clock may be.
absl::Time MonotonicNow() {
  return absl::UnixEpoch() + absl::FromChrono(std::chrono::steady_clock::now().time_since_epoch());
}

pg::ConnectOptions Connect(pg::ConnectOptions options) {
  options.statement_timeout = absl::Seconds(1);
  options.connect_timeout = std::min(options.connect_timeout, absl::Seconds(2));
  return options;
}

}  // namespace

class LoadMonitor::Impl {
 public:
  explicit Impl(LoadMonitorOptions options)
      : options_(std::move(options)),
        connect_(Connect(options_.connect)),
        governor_(RulesFor(options_.config, {}), MostWorkers({})),
        watchdog_(options_.interval, [this] { JudgeStale(); }),
        reader_([this] { Read(); }) {}

  ~Impl() {
    {
      absl::MutexLock lock(&mutex_);
      stopped_ = true;
      // Again and again: a request that reaches the server between two statements cancels nothing.
      while (!mutex_.AwaitWithTimeout(absl::Condition(&ended_), absl::Milliseconds(50))) {
        if (connection_ != nullptr) connection_->Cancel();
      }
    }
    reader_.join();
  }

  v1::Load Current() const {
    absl::MutexLock lock(&mutex_);
    return load_;
  }

  void AwaitChange(int workers, absl::Duration most) const {
    const auto changed = [&] {
      mutex_.AssertReaderHeld();
      return load_.workers() != workers;
    };
    absl::MutexLock lock(&mutex_);
    mutex_.AwaitWithTimeout(absl::Condition(&changed), most);
  }

  void SetBackends(const std::set<int>& pids) {
    absl::MutexLock lock(&mutex_);
    backends_ = pids;
  }

  void Tune(const v1::Tuning& tuning) {
    const SignalRules rules = RulesFor(options_.config, tuning);
    for (const auto& [name, limit] : tuning.limits()) {
      if (rules.contains(name)) continue;
      spdlog::warn(base::WithFields("there is no signal of that name here: its limit is passed over",
                                    {{"application", connect_.application_name}, {"signal", name}}));
    }
    absl::MutexLock lock(&mutex_);
    governor_.Set(rules, MostWorkers(tuning));
  }

 private:
  int MostWorkers(const v1::Tuning& tuning) const {
    return std::min(tuning.max_workers() > 0 ? tuning.max_workers() : options_.max_workers,
                    options_.config.max_workers);
  }

  // The reader's thread. Only it makes and ends the connection.
  void Read() {
    SignalReader reader(options_.config, options_.table, options_.interval, MonotonicNow);
    Keep(reader.signals());
    absl::BitGen random;
    base::Backoff backoff({.first = absl::Milliseconds(50), .longest = absl::Seconds(5)}, random);
    absl::Duration pause;
    do {
      const absl::Status status = LookOnce(&reader);
      if (status.ok()) {
        if (backoff.tries() > 0) {
          spdlog::info(
              base::WithFields("the throttle reads the database's load again",
                               {{"application", connect_.application_name}, {"table", options_.table}}));
        }
        backoff.Reset();
        pause = options_.interval;
      } else if (!Stopped()) {
        if (backoff.tries() == 0) {
          spdlog::warn(base::WithFields("the throttle cannot read the database's load",
                                        {{"application", connect_.application_name},
                                         {"table", options_.table},
                                         {"problem", status.message()}}));
        }
        reader.Lost(status);
        Keep(reader.signals());
        // What makes a statement fail for the session's sake, a new session mends.
        Replace(nullptr);
        pause = backoff.Next();
      }
    } while (!Stopped(pause));
    Replace(nullptr);
    absl::MutexLock lock(&mutex_);
    ended_ = true;
  }

  absl::Status LookOnce(SignalReader* reader) {
    pg::Connection* connection = Connection();
    if (connection == nullptr) {
      ASSIGN_OR_RETURN(auto made, pg::Connection::Connect(connect_));
      connection = made.get();
      Replace(std::move(made));
      RETURN_IF_ERROR(reader->Prepare(connection));
      if (!reader->sees_sessions()) {
        spdlog::warn(
            "the throttle does not see other users' sessions nor standbys: grant pg_monitor to the agent's "
            "role");
      }
    }
    RETURN_IF_ERROR(reader->Look(connection, Backends()));
    Judge(reader->signals());
    return reader->LookAtRest(connection);
  }

  void Judge(const std::vector<Signal>& signals) {
    absl::MutexLock lock(&mutex_);
    signals_ = signals;
    judged_ = MonotonicNow();
    load_ = governor_.Look(signals_, judged_);
  }

  // Nothing new: what there is grows stale.
  void Keep(const std::vector<Signal>& signals) {
    absl::MutexLock lock(&mutex_);
    signals_ = signals;
  }

  // The watchdog's thread: decides while looks hang or fail.
  void JudgeStale() {
    absl::MutexLock lock(&mutex_);
    const absl::Time now = MonotonicNow();
    if (now - judged_ > kStale) load_ = governor_.Look(signals_, now);
  }

  bool Stopped(absl::Duration pause = absl::ZeroDuration()) {
    absl::MutexLock lock(&mutex_);
    return mutex_.AwaitWithTimeout(absl::Condition(&stopped_), pause);
  }
  pg::Connection* Connection() {
    absl::MutexLock lock(&mutex_);
    return connection_.get();
  }
  std::set<int> Backends() {
    absl::MutexLock lock(&mutex_);
    return backends_;
  }
  void Replace(std::unique_ptr<pg::Connection> connection) {
    absl::MutexLock lock(&mutex_);
    connection_.swap(connection);
  }

  const LoadMonitorOptions options_;
  const pg::ConnectOptions connect_;

  mutable absl::Mutex mutex_;
  bool stopped_ ABSL_GUARDED_BY(mutex_) = false;
  bool ended_ ABSL_GUARDED_BY(mutex_) = false;  // the reader's thread
  std::set<int> backends_ ABSL_GUARDED_BY(mutex_);
  // Used by the reader's thread without the lock; replaced with it, so that the destructor may cancel.
  std::unique_ptr<pg::Connection> connection_ ABSL_GUARDED_BY(mutex_);
  Governor governor_ ABSL_GUARDED_BY(mutex_);
  std::vector<Signal> signals_ ABSL_GUARDED_BY(mutex_);
  absl::Time judged_ ABSL_GUARDED_BY(mutex_) = MonotonicNow();
  v1::Load load_ ABSL_GUARDED_BY(mutex_) = [] {
    v1::Load load;
    load.set_workers(1);
    load.set_reason("the database's load was not read yet: one worker may work");
    return load;
  }();

  Periodic watchdog_;
  std::thread reader_;
};

LoadMonitor::LoadMonitor(LoadMonitorOptions options) : impl_(std::make_unique<Impl>(std::move(options))) {}
LoadMonitor::~LoadMonitor() = default;
v1::Load LoadMonitor::Current() const { return impl_->Current(); }
void LoadMonitor::AwaitChange(int workers, absl::Duration most) const { impl_->AwaitChange(workers, most); }
void LoadMonitor::SetBackends(const std::set<int>& pids) { impl_->SetBackends(pids); }
void LoadMonitor::Tune(const v1::Tuning& tuning) { impl_->Tune(tuning); }

}  // namespace curlew::agent
