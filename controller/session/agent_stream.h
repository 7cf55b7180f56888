// One stream of an agent, as gRPC sees it.
#ifndef CURLEW_CONTROLLER_SESSION_AGENT_STREAM_H_
#define CURLEW_CONTROLLER_SESSION_AGENT_STREAM_H_

#include <grpcpp/server_context.h>
#include <grpcpp/support/server_callback.h>

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>

#include "common/base/clock.h"
#include "common/rpc/write_queue.h"
#include "controller/dispatch/agent_link.h"
#include "controller/dispatch/loop.h"
#include "curlew/v1/agent.pb.h"

namespace curlew::session {

class AgentStream;

// What happens to streams. Called on the loop's thread.
class StreamHandler {
 public:
  virtual ~StreamHandler() = default;
  // First of all.
  virtual void Opened(const std::shared_ptr<AgentStream>& stream) = 0;
  // A message; the next is read when this returns.
  virtual void Received(AgentStream* stream, const v1::AgentMessage& message) = 0;
  // The stream has ended, from whichever side. Last of all; may come more than once.
  virtual void Closed(AgentStream* stream) = 0;
};

// The reactor. Reactions only post to the loop; it owns itself until OnDone, and whoever else holds it may
// Send and Finish for ever.
class AgentStream : public grpc::ServerBidiReactor<v1::AgentMessage, v1::ControllerMessage>,
                    public dispatch::AgentLink,
                    public std::enable_shared_from_this<AgentStream> {
 public:
  // All but `context` must outlive it. Call Start next.
  AgentStream(grpc::CallbackServerContext* context, dispatch::Loop* loop, StreamHandler* handler,
              const base::Clock* clock)
      : context_(context), loop_(loop), handler_(handler), clock_(clock), writes_(this) {}
  // Begins to read. The object must be owned by a shared_ptr.
  void Start();

  // --- AgentLink, and more, on the loop's thread. ---

  void Send(v1::ControllerMessage message) override {
    sent_ = std::chrono::steady_clock::now();
    writes_.Push(std::move(message));
  }
  const std::string& agent_id() const override { return hello_.agent_id(); }
  const std::string& agent_version() const override { return hello_.version(); }
  absl::Time last_heard() const override { return last_heard_; }

  // How long nothing was heard, in monotonic time.
  absl::Duration Silence() const { return absl::FromChrono(std::chrono::steady_clock::now() - heard_); }
  // How long nothing was said.
  absl::Duration Quiet() const { return absl::FromChrono(std::chrono::steady_clock::now() - sent_); }
  // Number of the session; 0 until Hello.
  int64_t id() const { return id_; }
  const v1::Hello& hello() const { return hello_; }
  void SetHello(int64_t id, const v1::Hello& hello) {
    id_ = id;
    hello_ = hello;
  }
  // Where the agent calls from, for the log.
  const std::string& peer() const { return peer_; }
  // Ends the stream: after what was sent, or after no more than the message that is being written, which an
  // agent that reads no more cannot draw out.
  void FinishAfterSent(grpc::Status status) { writes_.FinishAfterQueue(std::move(status)); }
  void FinishNow(grpc::Status status);

  // --- Reactions. ---

  void OnReadDone(bool ok) override;
  void OnWriteDone(bool ok) override { writes_.OnWriteDone(ok); }
  void OnCancel() override;
  void OnDone() override;

 private:
  void PostClosed();

  grpc::CallbackServerContext* const context_;
  dispatch::Loop* const loop_;
  StreamHandler* const handler_;
  const base::Clock* const clock_;
  rpc::WriteQueue<AgentStream, v1::ControllerMessage> writes_;
  v1::AgentMessage incoming_;  // gRPC's while a read is on, else the loop's
  std::shared_ptr<AgentStream> self_;
  std::string peer_;
  // The loop's.
  int64_t id_ = 0;
  v1::Hello hello_;
  absl::Time last_heard_ = absl::InfinitePast();
  std::chrono::steady_clock::time_point heard_ = std::chrono::steady_clock::now();
  std::chrono::steady_clock::time_point sent_ = std::chrono::steady_clock::now();
};

}  // namespace curlew::session

#endif  // CURLEW_CONTROLLER_SESSION_AGENT_STREAM_H_
