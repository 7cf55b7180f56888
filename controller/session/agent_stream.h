// One stream of an agent, as gRPC sees it.
#ifndef CURLEW_CONTROLLER_SESSION_AGENT_STREAM_H_
#define CURLEW_CONTROLLER_SESSION_AGENT_STREAM_H_

#include <grpcpp/server_context.h>
#include <grpcpp/support/server_callback.h>

#include <memory>
#include <string>
#include <utility>

#include "common/base/clock.h"
#include "common/rpc/write_queue.h"
#include "controller/access/guard.h"
#include "controller/dispatch/loop.h"
#include "controller/limits/limiter.h"
#include "controller/session/agent_peer.h"
#include "curlew/v1/agent.pb.h"

namespace curlew::session {

// The reactor. Reactions only post to the loop; it owns itself until OnDone.
class AgentStream : public grpc::ServerBidiReactor<v1::AgentMessage, v1::ControllerMessage>,
                    public AgentPeer,
                    public std::enable_shared_from_this<AgentStream> {
 public:
  // All but `context` must outlive it. Call Start next.
  AgentStream(grpc::CallbackServerContext* context, const access::Guard* guard, limits::Limiter* limiter,
              dispatch::Loop* loop, StreamHandler* handler, const base::Clock* clock)
      : AgentPeer(loop, clock),
        context_(context),
        guard_(guard),
        limiter_(limiter),
        loop_(loop),
        handler_(handler),
        writes_(this) {}
  // Begins to read, unless its agent has begun too many sessions (limits::Limiter). The object must be owned
  // by a shared_ptr.
  void Start();

  // --- AgentPeer, on the loop's thread. ---

  absl::Status MayBe(const v1::Hello& hello) const override;
  const std::string& peer() const override { return credential_.peer; }
  void FinishAfterSent(const absl::Status& status) override;
  void FinishNow(const absl::Status& status) override;

  // --- Reactions. ---

  void OnReadDone(bool ok) override;
  void OnWriteDone(bool ok) override { writes_.OnWriteDone(ok); }
  void OnCancel() override;
  void OnDone() override;

 private:
  void Write(v1::ControllerMessage message) override { writes_.Push(std::move(message)); }
  void PostClosed();

  grpc::CallbackServerContext* const context_;
  const access::Guard* const guard_;
  limits::Limiter* const limiter_;
  dispatch::Loop* const loop_;
  StreamHandler* const handler_;
  rpc::WriteQueue<AgentStream, v1::ControllerMessage> writes_;
  v1::AgentMessage incoming_;  // gRPC's while a read is on, else the loop's
  std::shared_ptr<AgentStream> self_;
  access::Credential credential_;
};

}  // namespace curlew::session

#endif  // CURLEW_CONTROLLER_SESSION_AGENT_STREAM_H_
