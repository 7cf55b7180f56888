#include "controller/session/agent_stream.h"

#include "absl/status/status.h"
#include "common/base/status_macros.h"
#include "common/rpc/error.h"

namespace curlew::session {
namespace {

// How long the write that is on may last when the stream ends.
constexpr absl::Duration kLastWrite = absl::Seconds(2);

}  // namespace

void AgentStream::Start() {
  self_ = shared_from_this();
  credential_ = access::Credential::Of(*context_);
  if (const absl::Status status = limiter_->Session(guard_->AccountOf(credential_)); !status.ok()) {
    return FinishNow(status);
  }
  if (!loop_->Post([self = self_] { self->handler_->Opened(self); })) {
    return FinishNow(absl::UnavailableError("the controller is shutting down"));
  }
  writes_.IfOpen([this] { StartRead(&incoming_); });
}

absl::Status AgentStream::MayBe(const v1::Hello& hello) const {
  ASSIGN_OR_RETURN(const access::Caller caller, guard_->Enter(credential_, "curlew.v1.AgentService.Session"));
  return caller.ServesAs(hello.agent_id(), {hello.targets().begin(), hello.targets().end()});
}

void AgentStream::FinishAfterSent(const absl::Status& status) {
  writes_.FinishAfterQueue(rpc::ToGrpc(status));
}

void AgentStream::FinishNow(const absl::Status& status) {
  if (!writes_.FinishNow(rpc::ToGrpc(status))) return;
  // A write is on. To an agent that reads no more it would last for ever; one that does shall learn the
  // status.
  loop_->PostAfter(kLastWrite, [self = shared_from_this()] {
    self->writes_.IfOpen([&] { self->context_->TryCancel(); });
  });
}

void AgentStream::OnReadDone(bool ok) {
  if (!ok) {
    writes_.FinishAfterQueue(grpc::Status::OK);
    return PostClosed();
  }
  const bool posted = loop_->Post([self = self_] {
    self->Heard();
    self->handler_->Received(self.get(), self->incoming_);
    self->incoming_.Clear();
    self->writes_.IfOpen([&] { self->StartRead(&self->incoming_); });
  });
  if (!posted) FinishNow(absl::UnavailableError("the controller is shutting down"));
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
