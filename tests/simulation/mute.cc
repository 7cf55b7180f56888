#include "tests/simulation/mute.h"

#include <memory>

namespace curlew::simulation {

Mute::Mute(const Dial& dial, Random* random) : process_(std::make_shared<Process>("mute")) {
  Wire* wire = dial(this, process_, "mute");
  v1::AgentMessage message;
  switch (random->Below(9)) {
    case 0:
      message.mutable_heartbeat();
      break;
    case 1:
      message.mutable_hello()->set_protocol_version(7);
      break;
    case 2:
      message.mutable_hello()->set_protocol_version(1);
      message.mutable_hello()->set_agent_id("mute");
      break;
    case 3:
      message.mutable_result()->set_target("t0-0");
      message.mutable_result()->set_run("rollouts/r0/runs/t0-0");
      message.mutable_result()->set_attempt(1);
      message.mutable_result()->set_outcome(v1::ATTEMPT_STATE_SUCCEEDED);
      break;
    case 4: {
      // A right Hello, which is said twice.
      v1::Hello& hello = *message.mutable_hello();
      hello.set_protocol_version(1);
      hello.set_version(CURLEW_VERSION);
      hello.set_agent_id("agent-0");
      hello.set_instance_id("twice");
      hello.add_targets("t0-0");
      wire->Say(message);
      break;
    }
    case 5:
    case 6: {
      v1::Hello& hello = *message.mutable_hello();
      hello.set_protocol_version(1);
      hello.set_version(CURLEW_VERSION);
      hello.set_agent_id("liar");
      hello.set_instance_id("liar");
      hello.add_targets("t0-0");
      break;
    }
    default:
      return;
  }
  wire->Say(message);
}

void Mute::OnMessage(Wire* wire, const v1::ControllerMessage& message) {
  if (!message.has_lease()) return;
  if (message.lease().state() == v1::LEASE_STATE_GRANTED) return wire->HangUp();
  // What only who has the lease may say.
  v1::AgentMessage lie;
  lie.mutable_target_ready()->set_target(message.lease().target());
  lie.mutable_target_ready()->set_epoch(1'000'000);
  wire->Say(std::move(lie));
}

}  // namespace curlew::simulation
