#include "tests/simulation/agent.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "common/base/proto_time.h"

namespace curlew::simulation {
namespace {

constexpr absl::Duration kKeepalive = absl::Seconds(25);

}  // namespace

AgentProcess::AgentProcess(std::string id, std::string instance, const std::vector<std::string>& targets,
                           const AgentWorld* world)
    : id_(std::move(id)),
      instance_(std::move(instance)),
      world_(world),
      process_(std::make_shared<Process>(absl::StrCat(id_, "/", instance_))),
      random_(world->scheduler->random().Fork()),
      lease_([scheduler = world->scheduler] { return scheduler->now(); }) {
  for (const std::string& target : targets) {
    targets_.push_back(std::make_unique<ServedTarget>(this, world->database(target), world));
  }
  Dial();
}

bool AgentProcess::idle() const {
  return std::all_of(targets_.begin(), targets_.end(), [](const auto& target) { return target->idle(); });
}

bool AgentProcess::stuck_in(const std::string& rollout) const {
  return std::any_of(targets_.begin(), targets_.end(),
                     [&](const auto& target) { return target->stuck_in(rollout); });
}

void AgentProcess::Dial() {
  welcome_ = false;
  asked_to_wait_ = absl::ZeroDuration();
  heard_ = world_->scheduler->now();
  wire_ = world_->dial(this, process_, process_->name);
  v1::AgentMessage message;
  v1::Hello& hello = *message.mutable_hello();
  hello.set_agent_id(id_);
  hello.set_instance_id(instance_);
  hello.set_version(CURLEW_VERSION);
  hello.set_protocol_version(1);
  for (const auto& target : targets_) hello.add_targets(target->target());
  wire_->Say(std::move(message));
  world_->scheduler->After(interval_, process_, "", [this, wire = wire_] { Beat(wire); });
}

void AgentProcess::Beat(Wire* wire) {
  if (wire_ != wire) return;
  if (world_->scheduler->now() - heard_ > kKeepalive) {
    wire->Break(absl::ZeroDuration(), random_.Between(absl::ZeroDuration(), absl::Seconds(30)));
    return;
  }
  v1::AgentMessage message;
  message.mutable_heartbeat();
  wire->Say(std::move(message));
  world_->scheduler->After(interval_, process_, "", [this, wire] { Beat(wire); });
}

void AgentProcess::Say(v1::AgentMessage message) {
  if (wire_ != nullptr) wire_->Say(std::move(message));
}

void AgentProcess::OnMessage(Wire* wire, const v1::ControllerMessage& message) {
  if (wire != wire_) return;
  heard_ = world_->scheduler->now();
  lease_.Heard();
  std::string target;
  switch (message.kind_case()) {
    case v1::ControllerMessage::kWelcome:
      lease_.SetLeaseTime(base::FromProto(message.welcome().lease_time()));
      interval_ = base::FromProto(message.welcome().heartbeat_interval());
      return;
    case v1::ControllerMessage::kReconnect:
      asked_to_wait_ = base::FromProto(message.reconnect().after());
      wire->HangUp();
      return;
    case v1::ControllerMessage::kLease:
      target = message.lease().target();
      break;
    case v1::ControllerMessage::kDispatch:
      target = message.dispatch().target();
      break;
    case v1::ControllerMessage::kCancel:
      target = message.cancel().target();
      break;
    case v1::ControllerMessage::kTune:
      target = message.tune().target();
      break;
    case v1::ControllerMessage::kReportSchema:
      target = message.report_schema().target();
      break;
    case v1::ControllerMessage::kRunPreflight:
      target = message.run_preflight().target();
      break;
    case v1::ControllerMessage::kRunCheck:
      target = message.run_check().target();
      break;
    case v1::ControllerMessage::kResultAck:
      target = message.result_ack().run().substr(message.result_ack().run().rfind('/') + 1);
      break;
    default:
      return;
  }
  for (const auto& served : targets_) {
    if (served->target() == target) served->Handle(message);
  }
}

void AgentProcess::OnClosed(Wire* wire) {
  if (wire != wire_) return;
  wire_ = nullptr;
  for (const auto& target : targets_) target->SessionLost();
  const absl::Duration pause =
      std::max(random_.Between(absl::Milliseconds(200), absl::Seconds(3)), asked_to_wait_);
  world_->scheduler->After(pause, process_, "", [this] { Dial(); });
}

void AgentProcess::Reconnect(absl::Duration) {
  if (wire_ != nullptr) wire_->HangUp();
}

void AgentProcess::Kill(absl::Duration controller_learns) {
  world_->scheduler->Kill(process_);
  if (wire_ != nullptr) wire_->Break(absl::InfiniteDuration(), controller_learns);
  wire_ = nullptr;
}

}  // namespace curlew::simulation
