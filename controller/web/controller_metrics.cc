#include "controller/web/controller_metrics.h"

#include <chrono>
#include <set>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/base/proto_time.h"
#include "common/base/status_macros.h"

namespace curlew::web {
namespace {

using SteadyTime = std::chrono::steady_clock::time_point;

// One question to the loop. Whoever asked may have gone by the time it is answered.
template <typename T>
class Question {
 public:
  void Reply(T reply) {
    absl::MutexLock lock(&mutex_);
    reply_ = std::move(reply);
  }
  std::optional<T> Await(absl::Duration deadline) {
    absl::MutexLock lock(&mutex_);
    const auto there = [this]() ABSL_SHARED_LOCKS_REQUIRED(mutex_) { return reply_.has_value(); };
    mutex_.AwaitWithTimeout(absl::Condition(&there), deadline);
    return std::move(reply_);
  }

 private:
  absl::Mutex mutex_;
  std::optional<T> reply_ ABSL_GUARDED_BY(mutex_);
};

metrics::Sample One(double value) { return {.labels = {}, .value = value}; }

}  // namespace

ControllerMetrics::ControllerMetrics(ControllerMetricsOptions options, const base::Clock* clock)
    : options_(std::move(options)),
      clock_(clock),
      store_(&registry_),
      ledger_(&registry_),
      rpcs_(&registry_),
      lag_(registry_
               .Histograms("curlew_loop_lag_seconds",
                           "How long a task of the engine's loop waits for its turn, asked once a second.")
               .Add({}, metrics::AnswerTimes())) {
  registry_.Gauges("curlew_controller_info", "1, with the controller's version.")
      .Add({{"version", options_.version}})
      .Set(1);
}

absl::StatusOr<std::unique_ptr<ControllerMetrics>> ControllerMetrics::Start(ControllerMetricsOptions options,
                                                                            const base::Clock* clock) {
  std::unique_ptr<ControllerMetrics> metrics(new ControllerMetrics(std::move(options), clock));
  ASSIGN_OR_RETURN(metrics->server_, metrics::MetricsServer::Start(
                                         {.address = metrics->options_.address,
                                          .collect = [self = metrics.get()] { return self->Collect(); },
                                          .health = [self = metrics.get()] { return self->Health(); }}));
  metrics->asker_ = std::thread([self = metrics.get()] { self->AskAgainAndAgain(); });
  return metrics;
}

ControllerMetrics::~ControllerMetrics() {
  {
    absl::MutexLock lock(&mutex_);
    stopping_ = true;
  }
  if (asker_.joinable()) asker_.join();
  server_.reset();
}

std::unique_ptr<store::RolloutStore> ControllerMetrics::Meter(store::RolloutStore* store) {
  return std::make_unique<MeteredStore>(store, clock_, &store_, &ledger_);
}

void ControllerMetrics::Leads(dispatch::Engine* engine, int64_t epoch) {
  absl::MutexLock lock(&mutex_);
  engine_ = engine;
  epoch_ = epoch;
}

void ControllerMetrics::StandsBy() {
  absl::MutexLock lock(&mutex_);
  engine_ = nullptr;
}

ControllerMetrics::Answer ControllerMetrics::Ask(Snapshot* snapshot) {
  const auto question = std::make_shared<Question<Snapshot>>();
  {
    absl::MutexLock lock(&mutex_);
    dispatch::Engine* const engine = engine_;
    if (engine == nullptr) return Answer::kNobody;
    // On the loop the engine is there: it runs what was posted before it ends.
    const bool posted = engine->loop().Post(
        [question, engine, rollouts = ledger_.Live(), asked = std::chrono::steady_clock::now()] {
          Snapshot now;
          now.lag = absl::FromChrono(std::chrono::steady_clock::now() - asked);
          std::set<const dispatch::AgentLink*> sessions;
          for (const std::string& name : engine->targets().names()) {
            const dispatch::TargetEntry* target = engine->targets().Find(name);
            ++(target->ready ? now.served : now.not_served);
            if (!target->drift.empty()) ++now.drifted;
            if (target->link != nullptr) sessions.insert(target->link);
          }
          now.sessions = static_cast<int>(sessions.size());
          now.checks = engine->checks_in_flight();
          for (const std::string& rollout : rollouts) {
            for (const v1::Waiting& waiting : engine->rollouts().watches().AgentsWaiting(rollout)) {
              const auto cause = FromProto(waiting.cause());
              // The others are in the rollout's state.
              if (cause == Cause::kLock || cause == Cause::kThrottle) {
                now.waits.emplace_back(*cause, base::FromProto(waiting.since()));
              }
            }
          }
          question->Reply(std::move(now));
        });
    if (!posted) return Answer::kNobody;
  }
  std::optional<Snapshot> reply = question->Await(options_.deadline);
  if (!reply.has_value()) return Answer::kTooLate;
  lag_.Observe(absl::ToDoubleSeconds(reply->lag));
  ledger_.AgentsWait(reply->waits, clock_->Now());
  *snapshot = *std::move(reply);
  return Answer::kInTime;
}

std::vector<prometheus::MetricFamily> ControllerMetrics::Collect() {
  std::vector<prometheus::MetricFamily> families;
  Snapshot snapshot;
  const Answer answer = Ask(&snapshot);
  if (answer == Answer::kInTime) {
    families.push_back(metrics::GaugesNow(
        "curlew_targets", "Targets of the pipeline, by whether an agent serves them.",
        {{.labels = {{"served", "true"}}, .value = static_cast<double>(snapshot.served)},
         {.labels = {{"served", "false"}}, .value = static_cast<double>(snapshot.not_served)}}));
    families.push_back(metrics::GaugesNow("curlew_agent_sessions",
                                          "Sessions of agents that have at least one target's lease.",
                                          {One(snapshot.sessions)}));
    families.push_back(metrics::GaugesNow("curlew_drifted_targets",
                                          "Targets whose schema differs from what is on record.",
                                          {One(snapshot.drifted)}));
    families.push_back(metrics::GaugesNow("curlew_running_checks",
                                          "Checks of gates and of health that are being made.",
                                          {One(snapshot.checks)}));
  }
  {
    absl::MutexLock lock(&mutex_);
    families.push_back(metrics::GaugesNow("curlew_leader",
                                          "1 where this process leads, 0 where it stands by.",
                                          {One(engine_ != nullptr ? 1 : 0)}));
    families.push_back(metrics::GaugesNow("curlew_leader_epoch",
                                          "Number of the term in which this process leads, or led last.",
                                          {One(static_cast<double>(epoch_))}));
  }
  metrics::Append(ledger_.Collect(clock_->Now()), &families);
  metrics::Append(registry_.Collect(), &families);
  return families;
}

absl::StatusOr<std::string> ControllerMetrics::Health() {
  Snapshot snapshot;
  switch (Ask(&snapshot)) {
    case Answer::kInTime:
      return "leads";
    case Answer::kNobody:
      return "stands by";
    case Answer::kTooLate:
      break;
  }
  return absl::UnavailableError(
      absl::StrCat("the engine's loop has not answered within ", absl::FormatDuration(options_.deadline),
                   ": a call of the store hangs, or it is stuck; where that lasts, restart the process"));
}

void ControllerMetrics::AskAgainAndAgain() {
  while (true) {
    Snapshot ignored;
    Ask(&ignored);
    absl::MutexLock lock(&mutex_);
    if (mutex_.AwaitWithTimeout(absl::Condition(&stopping_), options_.period)) return;
  }
}

}  // namespace curlew::web
