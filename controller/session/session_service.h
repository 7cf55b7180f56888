// AgentService, the service that agents dial.
#ifndef CURLEW_CONTROLLER_SESSION_SESSION_SERVICE_H_
#define CURLEW_CONTROLLER_SESSION_SESSION_SERVICE_H_

#include <memory>

#include "controller/dispatch/engine.h"
#include "controller/session/agent_stream.h"
#include "controller/session/session_manager.h"
#include "curlew/v1/agent.grpc.pb.h"

namespace curlew::session {

// Makes a stream of each call. Thread-safe.
class SessionService : public v1::AgentService::CallbackService {
 public:
  // All must outlive every call.
  SessionService(dispatch::Engine* engine, SessionManager* manager,
                 const access::Guard* guard = &access::Guard::Open(),
                 limits::Limiter* limiter = &limits::Limiter::Off())
      : engine_(engine), manager_(manager), guard_(guard), limiter_(limiter) {}

  grpc::ServerBidiReactor<v1::AgentMessage, v1::ControllerMessage>* Session(
      grpc::CallbackServerContext* context) override {
    const auto stream = std::make_shared<AgentStream>(context, guard_, limiter_, &engine_->loop(), manager_,
                                                      &engine_->clock());
    stream->Start();
    return stream.get();
  }

 private:
  dispatch::Engine* const engine_;
  SessionManager* const manager_;
  const access::Guard* const guard_;
  limits::Limiter* const limiter_;
};

}  // namespace curlew::session

#endif  // CURLEW_CONTROLLER_SESSION_SESSION_SERVICE_H_
