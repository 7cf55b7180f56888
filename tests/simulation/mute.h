// Who opens a stream and says nothing, or nothing that makes sense, or of a target what is not true.
#ifndef CURLEW_TESTS_SIMULATION_MUTE_H_
#define CURLEW_TESTS_SIMULATION_MUTE_H_

#include <functional>
#include <string>

#include "tests/simulation/network.h"
#include "tests/simulation/random.h"
#include "tests/simulation/scheduler.h"

namespace curlew::simulation {

class Mute : public Client {
 public:
  using Dial = std::function<Wire*(Client*, const ProcessPtr&, const std::string& name)>;
  Mute(const Dial& dial, Random* random);

  void OnMessage(Wire* wire, const v1::ControllerMessage& message) override;
  void OnClosed(Wire*) override {}

 private:
  const ProcessPtr process_;
};

}  // namespace curlew::simulation

#endif  // CURLEW_TESTS_SIMULATION_MUTE_H_
