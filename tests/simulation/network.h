// The way between agents and controllers.
#ifndef CURLEW_TESTS_SIMULATION_NETWORK_H_
#define CURLEW_TESTS_SIMULATION_NETWORK_H_

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "common/base/clock.h"
#include "controller/dispatch/loop.h"
#include "controller/session/agent_peer.h"
#include "curlew/v1/agent.pb.h"
#include "tests/simulation/scheduler.h"

namespace curlew::simulation {

class Wire;

// Who dialled.
class Client {
 public:
  virtual ~Client() = default;
  virtual void OnMessage(Wire* wire, const v1::ControllerMessage& message) = 0;
  // Last of all: the stream has ended.
  virtual void OnClosed(Wire* wire) = 0;
};

// Who is dialled.
struct Endpoint {
  ProcessPtr process;
  dispatch::Loop* loop = nullptr;
  session::StreamHandler* handler = nullptr;  // null: it refuses
  const base::Clock* clock = nullptr;
  std::function<void(const v1::ControllerMessage&)> said;  // sees all that it says
};

// How unlucky streams are.
struct NetworkLuck {
  absl::Duration slowest = absl::Milliseconds(20);
  double duplicate = 0;  // a message comes a second time, at once or much later
  double spike = 0;      // it is late, and what follows it too
};

// The controller's end of a stream.
class WirePeer : public session::AgentPeer {
 public:
  WirePeer(Wire* wire, const Endpoint& server, std::string peer)
      : AgentPeer(server.loop, server.clock), wire_(wire), peer_(std::move(peer)) {}
  const std::string& peer() const override { return peer_; }
  void FinishAfterSent(const absl::Status& status) override;
  void FinishNow(const absl::Status& status) override;
  using AgentPeer::Heard;

 private:
  void Write(v1::ControllerMessage message) override;

  Wire* const wire_;
  const std::string peer_;
};

// One stream, over one connection: each direction keeps its order. What is under way when it breaks is lost,
// and each end learns of it in its own time.
class Wire {
 public:
  Wire(std::string name, Scheduler* scheduler, const NetworkLuck* luck, Client* client,
       ProcessPtr client_process, Endpoint server);

  const std::string& name() const { return name_; }
  bool open() const { return !client_closed_; }
  const ProcessPtr& client_process() const { return client_process_; }
  const ProcessPtr& server() const { return server_.process; }

  // --- The client's. ---
  void Say(v1::AgentMessage message);
  // Nothing more will be said.
  void HangUp();

  // --- Bad luck. ---
  // The connection is gone; the ends learn of it after so long.
  void Break(absl::Duration client_learns, absl::Duration server_learns);
  // What is said from now on in one direction arrives no sooner than after so long.
  void HoldUp(absl::Duration how_long) { up_.free = std::max(up_.free, scheduler_->now() + how_long); }
  void HoldDown(absl::Duration how_long) { down_.free = std::max(down_.free, scheduler_->now() + how_long); }

 private:
  friend class WirePeer;
  struct Direction {
    absl::Duration free;  // nothing arrives before
    bool broken = false;
  };
  void Open();
  absl::Duration Arrival(Direction* direction);
  void Tell(v1::ControllerMessage message);
  void Finish(const absl::Status& status, bool now);
  void Deliver(const v1::AgentMessage& message);
  void CloseServer();
  void CloseClient(const std::string& why);

  const std::string name_;
  Scheduler* const scheduler_;
  const NetworkLuck* const luck_;
  Client* const client_;
  const ProcessPtr client_process_;
  const Endpoint server_;
  Random random_;
  std::shared_ptr<WirePeer> peer_;
  Direction up_, down_;
  bool hung_up_ = false, finished_ = false, client_closed_ = false;
};

// What a message says, in a few words.
std::string Words(const v1::AgentMessage& message);
std::string Words(const v1::ControllerMessage& message);

}  // namespace curlew::simulation

#endif  // CURLEW_TESTS_SIMULATION_NETWORK_H_
