#include "controller/notify/planner.h"

#include <algorithm>
#include <map>
#include <set>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/strip.h"
#include "common/base/proto_time.h"

namespace curlew::notify {
namespace {

std::map<std::string, const v1::Gate*> GatesOf(const v1::Rollout& rollout) {
  std::map<std::string, const v1::Gate*> gates;
  const auto add = [&gates](const v1::Gate& gate) {
    if (!gate.id().empty()) gates[gate.id()] = &gate;
  };
  for (const v1::EnvironmentStage& stage : rollout.stages()) {
    add(stage.before());
    for (const v1::Wave& wave : stage.waves()) add(wave.before());
    add(stage.before_drop());
  }
  return gates;
}

bool Waits(const v1::Gate& gate) { return gate.has_reached_time() && !gate.has_open_time(); }

// How many approvals count.
int Given(const v1::Gate& gate) {
  std::set<std::string> actors;
  for (const v1::Approval& approval : gate.approvals()) {
    if (approval.void_reason().empty()) actors.insert(approval.actor());
  }
  return static_cast<int>(actors.size());
}

int Missing(const v1::Gate& gate) { return std::max(0, gate.required_approvals() - Given(gate)); }

bool Has(const std::vector<v1::Event>& events, v1::EventType type) {
  return std::any_of(events.begin(), events.end(), [type](const v1::Event& e) { return e.type() == type; });
}

// Whether somebody should look at the gate now, and need not have before. `before` may be null.
bool IsNews(const v1::Gate* before, const v1::Gate& after, const std::vector<v1::Event>& events) {
  if (!Waits(after)) return false;
  if (before == nullptr || !before->has_reached_time()) return true;
  if (before->has_open_time() && Has(events, v1::EVENT_TYPE_GATE_TAKEN_BACK)) return true;
  return Missing(after) > Missing(*before);
}

std::string Bare(const v1::Rollout& rollout) {
  return std::string(absl::StripPrefix(rollout.name(), "rollouts/"));
}

// What the gate waits for, as the rollout says it; the approvals at least.
std::string Needed(const v1::Rollout& rollout, const v1::Gate& gate) {
  std::vector<std::string> causes;
  for (const v1::Waiting& waiting : rollout.waiting()) {
    if (waiting.gate() == gate.id() && !waiting.message().empty()) causes.push_back(waiting.message());
  }
  if (causes.empty() && Missing(gate) > 0) {
    causes.push_back(absl::StrCat(Given(gate), " of ", gate.required_approvals(), " approvals given"));
  }
  return absl::StrJoin(causes, "; ");
}

std::string GateMessage(const v1::Rollout& rollout, const v1::Gate& gate) {
  std::string message = absl::StrCat("Rollout ", Bare(rollout), " waits at gate ", gate.id());
  if (const std::string needed = Needed(rollout, gate); !needed.empty())
    absl::StrAppend(&message, ": ", needed);
  absl::StrAppend(&message, ". ");
  if (Missing(gate) == 0) return absl::StrCat(message, "Nothing has to be approved");
  absl::StrAppend(&message, "To approve: curlew rollout approve ", Bare(rollout), " --gate ", gate.id());
  // Just what this tells of: refused where it is something else by then.
  if (!gate.cover().empty()) absl::StrAppend(&message, " --cover ", gate.cover());
  return message;
}

std::string WithReason(std::string message, const v1::Rollout& rollout) {
  if (!rollout.reason().empty()) absl::StrAppend(&message, ": ", rollout.reason());
  return message;
}

// The newest event of one of the types, the newest of all where there is none; null without events.
const v1::Event* Newest(const std::vector<v1::Event>& events, const std::set<v1::EventType>& types) {
  for (auto event = events.rbegin(); event != events.rend(); ++event) {
    if (types.contains(event->type())) return &*event;
  }
  return events.empty() ? nullptr : &events.back();
}

v1::Notification Told(absl::string_view kind, std::string message, const v1::Rollout& rollout,
                      const v1::Event* event) {
  v1::Notification told;
  told.set_kind(std::string(kind));
  told.set_resource(rollout.name());
  told.set_message(std::move(message));
  *told.mutable_time() = rollout.update_time();
  if (event != nullptr) {
    *told.mutable_event() = *event;
    *told.mutable_time() = event->time();
  }
  return told;
}

}  // namespace

std::vector<v1::Notification> Planner::OfRollout(const v1::Rollout& before, const v1::Rollout& after,
                                                 const std::vector<v1::Event>& events) const {
  std::vector<v1::Notification> told;
  const auto gates = GatesOf(before);
  for (const auto& [id, gate] : GatesOf(after)) {
    const auto was = gates.find(id);
    if (!IsNews(was == gates.end() ? nullptr : was->second, *gate, events)) continue;
    told.push_back(Told(kGateWaiting, GateMessage(after, *gate), after,
                        Newest(events, {v1::EVENT_TYPE_GATE_REACHED, v1::EVENT_TYPE_GATE_TAKEN_BACK,
                                        v1::EVENT_TYPE_APPROVAL_VOID})));
  }
  if (after.state() == before.state()) return ForEachSink(told);
  const v1::Event* event = Newest(events, {v1::EVENT_TYPE_ROLLOUT_STATE_CHANGED});
  const std::string name = Bare(after);
  switch (after.state()) {
    case v1::ROLLOUT_STATE_FAILED:
      told.push_back(Told(kFailed,
                          absl::StrCat(WithReason(absl::StrCat("Rollout ", name, " has failed"), after),
                                       ". To look at it: curlew rollout show ", name),
                          after, event));
      break;
    case v1::ROLLOUT_STATE_PAUSED:
      if (!Has(events, v1::EVENT_TYPE_POLICY_ACTED)) break;
      // The reason says who, as the rollout's own words do: "paused by policy: ...".
      told.push_back(Told(
          kPaused,
          absl::StrCat("Rollout ", name, " is ", after.reason().empty() ? "paused by policy" : after.reason(),
                       ". To go on: curlew rollout resume ", name),
          after, Newest(events, {v1::EVENT_TYPE_POLICY_ACTED})));
      break;
    case v1::ROLLOUT_STATE_ROLLED_BACK:
      told.push_back(Told(kRolledBack, WithReason(absl::StrCat("Rollout ", name, " is rolled back"), after),
                          after, event));
      break;
    case v1::ROLLOUT_STATE_SUCCEEDED:
      told.push_back(
          Told(kDone, absl::StrCat("Rollout ", name, " is done in every environment"), after, event));
      break;
    case v1::ROLLOUT_STATE_UNSPECIFIED:
    case v1::ROLLOUT_STATE_RUNNING:
    case v1::ROLLOUT_STATE_ROLLING_BACK:
    case v1::ROLLOUT_STATE_ABORTED:
    case v1::RolloutState_INT_MIN_SENTINEL_DO_NOT_USE_:
    case v1::RolloutState_INT_MAX_SENTINEL_DO_NOT_USE_:
      break;
  }
  return ForEachSink(told);
}

std::vector<v1::Notification> Planner::OfDrift(const std::string& target, const std::string& message,
                                               absl::Time now) const {
  v1::Notification told;
  told.set_kind(std::string(kDrift));
  told.set_resource(absl::StrCat("targets/", target));
  told.set_message(message);
  *told.mutable_time() = base::ToProto(now);
  return ForEachSink({told});
}

std::vector<v1::Notification> Planner::ForEachSink(const std::vector<v1::Notification>& told) const {
  std::vector<v1::Notification> all;
  for (const v1::Notification& notification : told) {
    for (const Sink& sink : sinks_) {
      if (!sink.on.contains(notification.kind())) continue;
      all.push_back(notification);
      all.back().set_sink(sink.name);
    }
  }
  return all;
}

}  // namespace curlew::notify
