// A process of an agent, as agent/session behaves: one session, some targets, one attempt at a time on each.
#ifndef CURLEW_TESTS_SIMULATION_AGENT_H_
#define CURLEW_TESTS_SIMULATION_AGENT_H_

#include <memory>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "agent/guard/lease_clock.h"
#include "curlew/v1/agent.pb.h"
#include "tests/simulation/network.h"
#include "tests/simulation/scheduler.h"
#include "tests/simulation/served_target.h"

namespace curlew::simulation {

// One process. Its targets' databases outlive it.
class AgentProcess : public Client {
 public:
  AgentProcess(std::string id, std::string instance, const std::vector<std::string>& targets,
               const AgentWorld* world);

  const std::string& id() const { return id_; }
  const std::string& instance() const { return instance_; }
  const ProcessPtr& process() const { return process_; }
  bool alive() const { return process_->alive; }
  Wire* wire() { return wire_; }
  bool idle() const;
  bool stuck_in(const std::string& rollout) const;

  void OnMessage(Wire* wire, const v1::ControllerMessage& message) override;
  void OnClosed(Wire* wire) override;

  // SIGKILL: its connections end, and the controller learns of it after so long.
  void Kill(absl::Duration controller_learns);

 private:
  friend class ServedTarget;
  void Dial();
  void Beat(Wire* wire);
  void Say(v1::AgentMessage message);
  // Ends the session, in order to begin another.
  void Reconnect(absl::Duration after);

  const std::string id_, instance_;
  const AgentWorld* const world_;
  const ProcessPtr process_;
  Random random_;
  agent::LeaseClock lease_;
  std::vector<std::unique_ptr<ServedTarget>> targets_;
  Wire* wire_ = nullptr;
  bool welcome_ = false;
  absl::Duration heard_, interval_ = absl::Seconds(5), asked_to_wait_;
};

}  // namespace curlew::simulation

#endif  // CURLEW_TESTS_SIMULATION_AGENT_H_
