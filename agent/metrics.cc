#include "agent/metrics.h"

#include <algorithm>
#include <chrono>
#include <map>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "absl/synchronization/mutex.h"
#include "common/base/status_macros.h"
#include "common/base/version.h"
#include "common/metrics/metrics_server.h"
#include "common/metrics/registry.h"

namespace curlew::agent {
namespace {

using metrics::Registry;
using metrics::Sample;
using prometheus::Counter;
using prometheus::Family;
using prometheus::Gauge;
using prometheus::Histogram;
using prometheus::Labels;

absl::Duration SteadyNow() { return absl::FromChrono(std::chrono::steady_clock::now().time_since_epoch()); }

// The kind of steps that do nothing but wait.
constexpr absl::string_view kWait = "wait";

Labels For(const WalkName& walk) { return {{"target", walk.target}, {"table", walk.table}}; }

// "lock" of WAIT_CAUSE_LOCK.
std::string CauseLabel(v1::WaitCause cause) {
  const std::string& name = v1::WaitCause_Name(cause);
  return absl::AsciiStrToLower(absl::StripPrefix(name, "WAIT_CAUSE_"));
}

class PrometheusWalkMetrics : public WalkMetrics {
 public:
  explicit PrometheusWalkMetrics(Registry* registry)
      : rows_(registry->Counters("curlew_agent_backfill_rows_total", "Rows that walks have written.")),
        blocks_(registry->Counters("curlew_agent_backfill_blocks_total", "Blocks that walks have passed.")),
        throttled_(registry->Counters("curlew_agent_backfill_throttled_seconds_total",
                                      "Time that walks have paused, by the signal that was over its limit.")),
        durations_(
            registry->Histograms("curlew_agent_backfill_batch_duration_seconds", "How long batches took.")),
        workers_(registry->Gauges("curlew_agent_backfill_workers", "Workers that may work now.")),
        utilisation_(registry->Gauges("curlew_agent_backfill_load_utilisation_ratio",
                                      "The highest ratio of a signal to its limit.")),
        quarantined_(registry->Gauges("curlew_agent_backfill_quarantined_rows",
                                      "Rows that were put aside, because they could not be written.")) {}

  void Batch(const WalkName& walk, int64_t rows, int64_t blocks, absl::Duration took) override {
    const Labels labels = For(walk);
    rows_.Add(labels).Increment(static_cast<double>(rows));
    blocks_.Add(labels).Increment(static_cast<double>(blocks));
    durations_.Add(labels, metrics::AnswerTimes()).Observe(absl::ToDoubleSeconds(took));
  }
  void Load(const WalkName& walk, const v1::Load& load) override {
    workers_.Add(For(walk)).Set(load.workers());
    utilisation_.Add(For(walk)).Set(load.utilisation());
  }
  void Throttled(const WalkName& walk, const std::string& signal, absl::Duration time) override {
    Labels labels = For(walk);
    labels.emplace("signal", signal);
    throttled_.Add(labels).Increment(absl::ToDoubleSeconds(time));
  }
  void Quarantined(const WalkName& walk, int64_t rows) override {
    quarantined_.Add(For(walk)).Set(static_cast<double>(rows));
  }
  void Ended(const WalkName& walk) override {
    for (Family<Gauge>* gauges : {&workers_, &utilisation_, &quarantined_}) {
      gauges->Remove(&gauges->Add(For(walk)));
    }
  }

 private:
  // Of the registry.
  Family<Counter>& rows_;
  Family<Counter>& blocks_;
  Family<Counter>& throttled_;
  Family<Histogram>& durations_;
  Family<Gauge>& workers_;
  Family<Gauge>& utilisation_;
  Family<Gauge>& quarantined_;
};

// Time of an attempt is its working time or belongs to one cause for waiting, up to the moment that somebody
// looks.
class PrometheusAgentMetrics : public AgentMetrics {
 public:
  PrometheusAgentMetrics(Registry* registry, MetricsServer::Monotonic now)
      : now_(std::move(now)),
        attempts_(registry->Counters("curlew_agent_attempts_total", "Attempts that have ended.")),
        durations_(registry->Histograms("curlew_agent_attempt_duration_seconds",
                                        "Working time of attempts: without the time that they waited.")),
        waits_(registry->Counters("curlew_agent_waits_total", "How often attempts began to wait.")) {}

  void SessionBegan() override {
    absl::MutexLock lock(&mutex_);
    connected_ = true;
    ++sessions_;
  }
  void SessionEnded() override {
    absl::MutexLock lock(&mutex_);
    connected_ = false;
  }
  void TargetStands(const std::string& target, TargetCondition condition, int64_t epoch) override {
    absl::MutexLock lock(&mutex_);
    targets_[target] = {.condition = condition, .epoch = epoch};
  }
  void AttemptBegan(const std::string& target, const std::string& kind) override {
    absl::MutexLock lock(&mutex_);
    Attempt& attempt = attempts_now_[target];
    attempt = {.kind = kind, .at = now_()};
    Wait(target, &attempt, v1::WAIT_CAUSE_UNSPECIFIED);
  }
  void AttemptWaits(const std::string& target, v1::WaitCause cause) override {
    absl::MutexLock lock(&mutex_);
    const auto found = attempts_now_.find(target);
    if (found != attempts_now_.end()) Wait(target, &found->second, cause);
  }
  void AttemptEnded(const std::string& target, const std::string& outcome) override {
    absl::MutexLock lock(&mutex_);
    const auto found = attempts_now_.find(target);
    if (found == attempts_now_.end()) return;
    Attempt& attempt = found->second;
    Settle(target, &attempt);
    attempts_.Add({{"target", target}, {"kind", attempt.kind}, {"outcome", outcome}}).Increment();
    if (attempt.kind != kWait) {
      durations_.Add({{"kind", attempt.kind}}, metrics::WorkTimes())
          .Observe(absl::ToDoubleSeconds(attempt.worked));
    }
    attempts_now_.erase(found);
  }

  std::vector<prometheus::MetricFamily> Collect() {
    absl::MutexLock lock(&mutex_);
    for (auto& [target, attempt] : attempts_now_) Settle(target, &attempt);
    std::vector<Sample> waited, ready, epochs;
    for (const auto& [key, time] : waited_) {
      waited.push_back({.labels = {{"target", key.first}, {"cause", CauseLabel(key.second)}},
                        .value = absl::ToDoubleSeconds(time)});
    }
    std::map<TargetCondition, int> count = {
        {TargetCondition::kUnleased, 0}, {TargetCondition::kProblem, 0}, {TargetCondition::kReady, 0}};
    for (const auto& [target, state] : targets_) {
      ++count[state.condition];
      const double is_ready = state.condition == TargetCondition::kReady ? 1 : 0;
      ready.push_back({.labels = {{"target", target}}, .value = is_ready});
      epochs.push_back({.labels = {{"target", target}}, .value = static_cast<double>(state.epoch)});
    }
    std::vector<Sample> targets;
    for (const auto& [condition, number] : count) {
      targets.push_back({.labels = {{"state", Label(condition)}}, .value = static_cast<double>(number)});
    }
    std::vector<prometheus::MetricFamily> families = {
        metrics::GaugesNow("curlew_agent_session_connected", "1 while the controller has welcomed the agent.",
                           {{.labels = {}, .value = connected_ ? 1.0 : 0.0}}),
        metrics::CountersNow("curlew_agent_session_reconnects_total",
                             "Sessions that began after the first one.",
                             {{.labels = {}, .value = static_cast<double>(std::max(sessions_ - 1, 0))}}),
        metrics::GaugesNow("curlew_agent_targets", "Targets of the agent, by how they stand.", targets)};
    const auto add = [&](prometheus::MetricFamily family) {
      if (!family.metric.empty()) families.push_back(std::move(family));
    };
    add(metrics::GaugesNow("curlew_agent_target_ready", "1 where the target is served.", ready));
    add(metrics::GaugesNow("curlew_agent_target_epoch",
                           "Fencing epoch of the target's journal; 0 where it is not this agent's.", epochs));
    add(metrics::CountersNow("curlew_agent_wait_seconds_total",
                             "Time that attempts waited, by what they waited for.", waited));
    return families;
  }

 private:
  struct Target {
    TargetCondition condition = TargetCondition::kUnleased;
    int64_t epoch = 0;
  };
  struct Attempt {
    std::string kind;
    absl::Duration at;  // accounted until then
    absl::Duration worked;
    v1::WaitCause cause = v1::WAIT_CAUSE_UNSPECIFIED;
  };

  static std::string Label(TargetCondition condition) {
    switch (condition) {
      case TargetCondition::kUnleased:
        return "unleased";
      case TargetCondition::kProblem:
        return "problem";
      case TargetCondition::kReady:
        return "ready";
    }
    return "";
  }

  void Wait(const std::string& target, Attempt* attempt, v1::WaitCause cause)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    if (attempt->kind == kWait && cause == v1::WAIT_CAUSE_UNSPECIFIED) cause = v1::WAIT_CAUSE_SESSIONS;
    if (attempt->cause == cause) return;
    Settle(target, attempt);
    attempt->cause = cause;
    if (cause == v1::WAIT_CAUSE_UNSPECIFIED) return;
    waits_.Add({{"target", target}, {"cause", CauseLabel(cause)}}).Increment();
  }
  void Settle(const std::string& target, Attempt* attempt) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    const absl::Duration now = now_();
    const absl::Duration time = now - std::exchange(attempt->at, now);
    (attempt->cause == v1::WAIT_CAUSE_UNSPECIFIED ? attempt->worked : waited_[{target, attempt->cause}]) +=
        time;
  }

  const MetricsServer::Monotonic now_;
  Family<Counter>& attempts_;
  Family<Histogram>& durations_;
  Family<Counter>& waits_;
  absl::Mutex mutex_;
  bool connected_ ABSL_GUARDED_BY(mutex_) = false;
  int sessions_ ABSL_GUARDED_BY(mutex_) = 0;
  std::map<std::string, Target> targets_ ABSL_GUARDED_BY(mutex_);
  std::map<std::string, Attempt> attempts_now_ ABSL_GUARDED_BY(mutex_);  // by target
  std::map<std::pair<std::string, v1::WaitCause>, absl::Duration> waited_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace

class MetricsServer::Impl {
 public:
  Impl(const LeaseClock* lease, Monotonic now) : lease_(lease), agent_(&registry_, std::move(now)) {
    registry_.Gauges("curlew_agent_info", "1, with the agent's version.")
        .Add({{"version", CURLEW_VERSION}})
        .Set(1);
  }

  absl::Status Listen(const std::string& address) {
    ASSIGN_OR_RETURN(server_, metrics::MetricsServer::Start({.address = address,
                                                             .collect = [this] { return Collect(); },
                                                             .health = [this] { return Health(); }}));
    return absl::OkStatus();
  }

  int port() const { return server_->port(); }
  WalkMetrics* walks() { return &walks_; }
  AgentMetrics* agent() { return &agent_; }

  void Watch(const std::string& who, std::shared_ptr<const Pulse> pulse, absl::Duration limit) {
    absl::MutexLock lock(&mutex_);
    watched_.push_back({.who = who, .pulse = std::move(pulse), .limit = limit});
  }

 private:
  struct Watched {
    std::string who;
    std::shared_ptr<const Pulse> pulse;
    absl::Duration limit;
  };

  std::vector<prometheus::MetricFamily> Collect() {
    std::vector<prometheus::MetricFamily> families = agent_.Collect();
    families.push_back(metrics::GaugesNow("curlew_agent_lease_valid",
                                          "1 while the agent may begin steps: it has heard the controller "
                                          "lately.",
                                          {{.labels = {}, .value = lease_->Valid() ? 1.0 : 0.0}}));
    metrics::Append(registry_.Collect(), &families);
    return families;
  }

  absl::StatusOr<std::string> Health() {
    absl::MutexLock lock(&mutex_);
    for (const Watched& watched : watched_) {
      const absl::Duration time = watched.pulse->AtIt();
      if (time <= watched.limit) continue;
      return absl::UnavailableError(absl::StrCat(watched.who, " has been at the same thing for ",
                                                 absl::FormatDuration(absl::Trunc(time, absl::Seconds(1))),
                                                 "; restart the agent: its journals say how to go on"));
    }
    return "ok";
  }

  Registry registry_;
  const LeaseClock* const lease_;
  PrometheusWalkMetrics walks_{&registry_};
  PrometheusAgentMetrics agent_;
  absl::Mutex mutex_;
  std::vector<Watched> watched_ ABSL_GUARDED_BY(mutex_);
  std::unique_ptr<metrics::MetricsServer> server_;
};

MetricsServer::MetricsServer(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
MetricsServer::~MetricsServer() = default;
int MetricsServer::port() const { return impl_->port(); }
WalkMetrics* MetricsServer::walks() { return impl_->walks(); }
AgentMetrics* MetricsServer::agent() { return impl_->agent(); }
void MetricsServer::Watch(const std::string& who, std::shared_ptr<const Pulse> pulse, absl::Duration limit) {
  impl_->Watch(who, std::move(pulse), limit);
}

absl::StatusOr<std::unique_ptr<MetricsServer>> MetricsServer::Start(const std::string& address,
                                                                    const LeaseClock* lease, Monotonic now) {
  auto impl = std::make_unique<Impl>(lease, now ? std::move(now) : SteadyNow);
  RETURN_IF_ERROR(impl->Listen(address));
  return std::unique_ptr<MetricsServer>(new MetricsServer(std::move(impl)));
}

}  // namespace curlew::agent
