#include "controller/web/rollout_ledger.h"

#include <algorithm>

#include "absl/strings/ascii.h"
#include "absl/strings/string_view.h"
#include "common/base/proto_time.h"
#include "controller/rollout/machine.h"

namespace curlew::web {
namespace {

// "running" of "ROLLOUT_STATE_RUNNING".
std::string Label(absl::string_view name, absl::string_view prefix) {
  return absl::AsciiStrToLower(name.substr(std::min(prefix.size(), name.size())));
}
std::string Label(v1::RolloutState state) { return Label(v1::RolloutState_Name(state), "ROLLOUT_STATE_"); }
std::string Label(v1::RunState state) { return Label(v1::RunState_Name(state), "RUN_STATE_"); }
std::string Label(v1::Phase phase) { return Label(v1::Phase_Name(phase), "PHASE_"); }
std::string Label(v1::EventType type) { return Label(v1::EventType_Name(type), "EVENT_TYPE_"); }

std::string Bare(const std::string& resource) { return resource.substr(resource.rfind('/') + 1); }

prometheus::Labels Of(Cause cause) {
  return {{"party", std::string(Name(PartyOf(cause)))}, {"cause", std::string(Name(cause))}};
}

// Nothing can happen to it any more that would be counted.
bool IsOver(const v1::Rollout& rollout) { return rollout::Ended(rollout); }

}  // namespace

RolloutLedger::RolloutLedger(metrics::Registry* registry)
    : attempts_(registry->Counters("curlew_step_attempts_total", "Attempts at steps that are over.")),
      step_durations_(registry->Histograms("curlew_step_duration_seconds",
                                           "Working time of attempts, from start to end; attempts at steps "
                                           "that only wait for a condition are not in it.")),
      gate_waits_(registry->Histograms("curlew_gate_wait_seconds",
                                       "How long gates waited for people, from reached to open.")),
      events_(registry->Counters("curlew_events_total", "Events of rollouts.")),
      rollout_durations_(registry->Histograms(
          "curlew_rollout_duration_seconds",
          "Time of rollouts that have ended, from their creation to their end, split "
          "into work, waiting by whom it was up to, and what this process did not see.")) {}

void RolloutLedger::Loaded(const v1::Rollout& rollout, absl::Time now) {
  if (IsOver(rollout)) return;
  absl::MutexLock lock(&mutex_);
  const auto found = live_.find(rollout.name());
  if (found == live_.end()) {
    live_[rollout.name()] = Entry{.rollout = rollout, .at = now};
  } else if (base::FromProto(found->second.rollout.update_time()) < base::FromProto(rollout.update_time())) {
    Settle(&found->second, now);
    found->second.rollout = rollout;
  }
}

void RolloutLedger::Committed(const store::RolloutChange& change, absl::Time now) {
  const v1::Rollout& after = change.rollout;
  absl::MutexLock lock(&mutex_);
  outbox_ = std::max<int64_t>(0, outbox_ + static_cast<int64_t>(change.outbox.size()) -
                                     static_cast<int64_t>(change.outbox_done.size()));
  for (const v1::Event& event : change.events) events_.Add({{"type", Label(event.type())}}).Increment();
  const auto found = live_.find(after.name());
  if (found == live_.end() && change.expected_version > 0) {
    // Its end was counted, or it was never read: what it was before is not known.
    if (!IsOver(after)) live_[after.name()] = Entry{.rollout = after, .at = now};
    return;
  }
  Entry& entry = found != live_.end() ? found->second : live_[after.name()];
  if (found == live_.end()) entry.at = now;
  Settle(&entry, now);
  for (const EndedAttempt& attempt : EndedAttempts(entry.rollout, after, change.events)) {
    const std::string phase = Label(attempt.phase);
    attempts_.Add({{"phase", phase}, {"outcome", std::string(attempt.outcome)}}).Increment();
    if (attempt.worked.has_value()) {
      step_durations_.Add({{"phase", phase}}, metrics::WorkTimes())
          .Observe(absl::ToDoubleSeconds(*attempt.worked));
    }
  }
  for (const OpenedGate& gate : OpenedGates(entry.rollout, after)) {
    gate_waits_.Add({{"gate", std::string(gate.gate)}}, metrics::PeoplesTimes())
        .Observe(absl::ToDoubleSeconds(gate.waited));
  }
  if (!IsOver(after)) {
    entry.rollout = after;
    return;
  }
  End(entry, after);
  live_.erase(after.name());
}

void RolloutLedger::End(const Entry& entry, const v1::Rollout& rollout) {
  absl::Duration unseen = base::FromProto(rollout.end_time()) - base::FromProto(rollout.create_time());
  const auto observe = [&](absl::string_view part, absl::Duration time) {
    rollout_durations_
        .Add({{"state", Label(rollout.state())}, {"part", std::string(part)}}, metrics::PeoplesTimes())
        .Observe(std::max(absl::ToDoubleSeconds(time), 0.0));
  };
  for (const Part part : kParts) {
    const auto spent = entry.spent.find(part);
    const absl::Duration time = spent == entry.spent.end() ? absl::ZeroDuration() : spent->second;
    observe(Name(part), time);
    unseen -= time;
  }
  observe("unseen", unseen);
}

void RolloutLedger::Settle(Entry* entry, absl::Time now) {
  const absl::Duration time = now - entry->at;
  if (time <= absl::ZeroDuration()) return;
  entry->at = now;
  entry->spent[PartOf(entry->rollout)] += time;
  for (const Cause cause : CausesOf(entry->rollout)) waited_[cause] += time;
}

void RolloutLedger::OutboxRead(int64_t entries) {
  absl::MutexLock lock(&mutex_);
  outbox_ = entries;
}

void RolloutLedger::Forget(absl::Time now) {
  absl::MutexLock lock(&mutex_);
  for (auto& [name, entry] : live_) Settle(&entry, now);
  live_.clear();
  agents_wait_.clear();
  agents_asked_ = absl::InfinitePast();
  outbox_ = 0;
}

std::vector<std::string> RolloutLedger::Live() const {
  absl::MutexLock lock(&mutex_);
  std::vector<std::string> names;
  for (const auto& [name, entry] : live_) names.push_back(name);
  return names;
}

void RolloutLedger::AgentsWait(const std::vector<std::pair<Cause, absl::Time>>& waits, absl::Time now) {
  absl::MutexLock lock(&mutex_);
  agents_wait_.clear();
  for (const auto& [cause, since] : waits) {
    ++agents_wait_[cause];
    const absl::Duration time = now - std::max(since, agents_asked_);
    if (time > absl::ZeroDuration()) waited_[cause] += time;
  }
  agents_asked_ = std::max(agents_asked_, now);
}

prometheus::MetricFamily RolloutLedger::Rollouts() const {
  std::map<v1::RolloutState, int> count;
  for (const v1::RolloutState state : {v1::ROLLOUT_STATE_RUNNING, v1::ROLLOUT_STATE_PAUSED,
                                       v1::ROLLOUT_STATE_FAILED, v1::ROLLOUT_STATE_ROLLING_BACK}) {
    count[state] = 0;
  }
  for (const auto& [name, entry] : live_) ++count[entry.rollout.state()];
  std::vector<metrics::Sample> samples;
  for (const auto& [state, number] : count) {
    samples.push_back({.labels = {{"state", Label(state)}}, .value = static_cast<double>(number)});
  }
  return metrics::GaugesNow("curlew_rollouts", "Rollouts that have not ended.", samples);
}

prometheus::MetricFamily RolloutLedger::Runs() const {
  std::map<std::pair<std::string, v1::RunState>, int> count;
  for (const auto& [name, entry] : live_) {
    for (const v1::Run& run : entry.rollout.runs()) ++count[{run.environment(), run.state()}];
  }
  std::vector<metrics::Sample> samples;
  for (const auto& [key, number] : count) {
    samples.push_back({.labels = {{"environment", Bare(key.first)}, {"state", Label(key.second)}},
                       .value = static_cast<double>(number)});
  }
  return metrics::GaugesNow("curlew_runs", "Runs of rollouts that have not ended.", samples);
}

std::vector<prometheus::MetricFamily> RolloutLedger::Collect(absl::Time now) {
  absl::MutexLock lock(&mutex_);
  std::map<Cause, int> waits = agents_wait_;
  absl::Time at_gate = absl::InfiniteFuture();
  for (auto& [name, entry] : live_) {
    Settle(&entry, now);
    for (const Cause cause : CausesOf(entry.rollout)) ++waits[cause];
    at_gate = std::min(at_gate, AtGateSince(entry.rollout));
  }
  std::vector<metrics::Sample> waiting, waited;
  for (const Cause cause : kCauses) {
    waiting.push_back({.labels = Of(cause), .value = static_cast<double>(waits[cause])});
    waited.push_back({.labels = Of(cause), .value = absl::ToDoubleSeconds(waited_[cause])});
  }
  const absl::Duration longest = std::max(now - at_gate, absl::ZeroDuration());
  return {Rollouts(),
          Runs(),
          metrics::GaugesNow("curlew_waits", "What waits now, by cause and by whom it is up to.", waiting),
          metrics::CountersNow("curlew_waiting_seconds_total",
                               "Time that everything that waited has waited, added up.", waited),
          metrics::GaugesNow("curlew_gate_longest_wait_seconds",
                             "How long the gate that waits longest has been waiting for people; 0 for none.",
                             {{.labels = {}, .value = absl::ToDoubleSeconds(longest)}}),
          metrics::GaugesNow("curlew_outbox_entries", "Commands that are decided and not done with.",
                             {{.labels = {}, .value = static_cast<double>(outbox_)}})};
}

}  // namespace curlew::web
