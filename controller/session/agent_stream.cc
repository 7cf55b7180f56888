#include "controller/session/agent_stream.h"

#include <utility>

namespace curlew::session {

void AgentStream::Start() {
  self_ = shared_from_this();
  peer_ = context_->peer();
  if (!loop_->Post([self = self_] { self->handler_->Opened(self); })) {
    return FinishNow(grpc::Status(grpc::StatusCode::UNAVAILABLE, "the controller is shutting down"));
  }
  writes_.IfOpen([this] { StartRead(&incoming_); });
}

void AgentStream::FinishNow(grpc::Status status) {
  // A write to an agent that reads no more ends only with the call.
  if (writes_.FinishNow(std::move(status))) {
    writes_.IfOpen([this] { context_->TryCancel(); });
  }
}

void AgentStream::OnReadDone(bool ok) {
  if (!ok) {
    writes_.FinishAfterQueue(grpc::Status::OK);
    return PostClosed();
  }
  const bool posted = loop_->Post([self = self_] {
    self->last_heard_ = self->clock_->Now();
    self->heard_ = std::chrono::steady_clock::now();
    self->handler_->Received(self.get(), self->incoming_);
    self->incoming_.Clear();
    self->writes_.IfOpen([&] { self->StartRead(&self->incoming_); });
  });
  if (!posted) FinishNow(grpc::Status(grpc::StatusCode::UNAVAILABLE, "the controller is shutting down"));
}

void AgentStream::OnCancel() {
  writes_.FinishNow(grpc::Status::CANCELLED);
  PostClosed();
}

void AgentStream::OnDone() {
  PostClosed();
  self_.reset();  // may end this object
}

void AgentStream::PostClosed() {
  loop_->Post([self = self_] { self->handler_->Closed(self.get()); });
}

}  // namespace curlew::session
