#include "tests/simulation/network.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"

namespace curlew::simulation {
namespace {

constexpr absl::Duration kFastest = absl::Microseconds(100);
constexpr absl::Duration kLatestReplay = absl::Seconds(20);

// Whether a message may come again much later, as one that was sent again may. What an agent holds is true
// only at its place in the stream.
bool MayComeLate(const v1::AgentMessage& message) {
  return message.has_ack() || message.has_nack() || message.has_result() || message.has_progress();
}
bool MayComeLate(const v1::ControllerMessage& message) {
  return message.has_dispatch() || message.has_cancel() || message.has_result_ack() || message.has_tune();
}

std::string Attempt(absl::string_view run, int attempt) { return absl::StrCat(run, "#", attempt); }

}  // namespace

std::string Words(const v1::AgentMessage& message) {
  switch (message.kind_case()) {
    case v1::AgentMessage::kHello:
      return absl::StrCat("Hello ", message.hello().agent_id(), "/", message.hello().instance_id());
    case v1::AgentMessage::kHeartbeat:
      return "Heartbeat";
    case v1::AgentMessage::kTargetReady: {
      std::string words = absl::StrCat("TargetReady ", message.target_ready().target(), " epoch ",
                                       message.target_ready().epoch());
      for (const auto& held : message.target_ready().held()) {
        absl::StrAppend(&words, " holds ", Attempt(held.run(), held.attempt()));
      }
      return words;
    }
    case v1::AgentMessage::kTargetProblem:
      return absl::StrCat("TargetProblem ", message.target_problem().target());
    case v1::AgentMessage::kAck:
      return absl::StrCat("Ack ", Attempt(message.ack().run(), message.ack().attempt()));
    case v1::AgentMessage::kNack:
      return absl::StrCat("Nack ", Attempt(message.nack().run(), message.nack().attempt()), " ",
                          v1::NackReason_Name(message.nack().reason()).substr(12), ": ",
                          message.nack().message());
    case v1::AgentMessage::kProgress:
      return absl::StrCat("Progress ", message.progress().target(), "#", message.progress().attempt());
    case v1::AgentMessage::kSchemaReport:
      return absl::StrCat("SchemaReport ", message.schema_report().target());
    case v1::AgentMessage::kResult:
      return absl::StrCat("Result ", Attempt(message.result().run(), message.result().attempt()), " ",
                          message.result().step(), " ",
                          v1::AttemptState_Name(message.result().outcome()).substr(14));
    case v1::AgentMessage::kPreflightReport:
      return absl::StrCat("PreflightReport ", message.preflight_report().target());
    case v1::AgentMessage::kCheckReport:
      return absl::StrCat("CheckReport ", message.check_report().target(), " ",
                          v1::CheckState_Name(message.check_report().state()).substr(12));
    case v1::AgentMessage::kRowProblemReport:
    case v1::AgentMessage::KIND_NOT_SET:
      break;
  }
  return "something";
}

std::string Words(const v1::ControllerMessage& message) {
  switch (message.kind_case()) {
    case v1::ControllerMessage::kWelcome:
      return absl::StrCat("Welcome ", message.welcome().session());
    case v1::ControllerMessage::kLease:
      return absl::StrCat("Lease ", message.lease().target(), " ",
                          v1::LeaseState_Name(message.lease().state()).substr(12));
    case v1::ControllerMessage::kDispatch: {
      const v1::Dispatch& dispatch = message.dispatch();
      return absl::StrCat("Dispatch ", Attempt(dispatch.run(), dispatch.attempt()), " ",
                          dispatch.direction() == v1::DIRECTION_UNDO ? "undo " : "do ", dispatch.step(),
                          " epoch ", dispatch.epoch(), dispatch.has_compiled_plan() ? " with plan" : "");
    }
    case v1::ControllerMessage::kCancel:
      return absl::StrCat("Cancel ", Attempt(message.cancel().run(), message.cancel().attempt()));
    case v1::ControllerMessage::kReportSchema:
      return absl::StrCat("ReportSchema ", message.report_schema().target());
    case v1::ControllerMessage::kResultAck:
      return absl::StrCat("ResultAck ", Attempt(message.result_ack().run(), message.result_ack().attempt()));
    case v1::ControllerMessage::kReconnect:
      return "Reconnect";
    case v1::ControllerMessage::kHeartbeat:
      return "Heartbeat";
    case v1::ControllerMessage::kTune:
      return absl::StrCat("Tune ", message.tune().run());
    case v1::ControllerMessage::kRunPreflight:
      return absl::StrCat("RunPreflight ", message.run_preflight().target());
    case v1::ControllerMessage::kRunCheck:
      return absl::StrCat("RunCheck ", message.run_check().target());
    case v1::ControllerMessage::kReportRowProblems:
    case v1::ControllerMessage::KIND_NOT_SET:
      break;
  }
  return "something";
}

void WirePeer::FinishAfterSent(const absl::Status& status) { wire_->Finish(status, /*now=*/false); }
void WirePeer::FinishNow(const absl::Status& status) { wire_->Finish(status, /*now=*/true); }
void WirePeer::Write(v1::ControllerMessage message) { wire_->Tell(std::move(message)); }

Wire::Wire(std::string name, Scheduler* scheduler, const NetworkLuck* luck, Client* client,
           ProcessPtr client_process, Endpoint server)
    : name_(std::move(name)),
      scheduler_(scheduler),
      luck_(luck),
      client_(client),
      client_process_(std::move(client_process)),
      server_(std::move(server)),
      random_(scheduler->random().Fork()) {
  if (server_.process == nullptr || !server_.process->alive || server_.handler == nullptr) {
    finished_ = true;
    scheduler_->After(Arrival(&down_), client_process_, absl::StrCat(name_, " is refused"),
                      [this] { CloseClient(""); });
    return;
  }
  scheduler_->After(Arrival(&up_), server_.process, absl::StrCat(name_, " is open"), [this] { Open(); });
}

absl::Duration Wire::Arrival(Direction* direction) {
  absl::Duration delay = random_.Between(kFastest, luck_->slowest);
  if (random_.Chance(luck_->spike)) delay += random_.Between(absl::ZeroDuration(), absl::Seconds(8));
  direction->free = std::max(direction->free, scheduler_->now() + delay);
  return direction->free - scheduler_->now();
}

void Wire::Open() {
  if (up_.broken) return;
  peer_ = std::make_shared<WirePeer>(this, server_, name_);
  server_.loop->Post([handler = server_.handler, peer = peer_] { handler->Opened(peer); });
}

void Wire::Say(v1::AgentMessage message) {
  if (client_closed_ || hung_up_) return;
  const std::string words = absl::StrCat(name_, " > ", Words(message));
  const auto shared = std::make_shared<const v1::AgentMessage>(std::move(message));
  const auto deliver = [this, shared] { Deliver(*shared); };
  scheduler_->After(Arrival(&up_), server_.process, words, deliver);
  if (!random_.Chance(luck_->duplicate) || shared->has_hello() || shared->has_target_ready()) return;
  scheduler_->story().Fault("duplicated message");
  const bool late = MayComeLate(*shared) && random_.Chance(0.5);
  scheduler_->After(late ? random_.Between(absl::ZeroDuration(), kLatestReplay) : Arrival(&up_),
                    server_.process, absl::StrCat(words, " (again)"), deliver);
}

void Wire::Deliver(const v1::AgentMessage& message) {
  if (up_.broken || peer_ == nullptr) return;
  server_.loop->Post([handler = server_.handler, peer = peer_, message] {
    peer->Heard();
    handler->Received(peer.get(), message);
  });
}

void Wire::HangUp() {
  if (std::exchange(hung_up_, true) || client_closed_) return;
  scheduler_->After(Arrival(&up_), server_.process, absl::StrCat(name_, " > goodbye"), [this] {
    if (!up_.broken) CloseServer();
  });
}

void Wire::CloseServer() {
  if (peer_ == nullptr) return;
  Finish(absl::OkStatus(), /*now=*/false);
  server_.loop->Post([handler = server_.handler, peer = peer_] { handler->Closed(peer.get()); });
}

void Wire::Tell(v1::ControllerMessage message) {
  if (finished_ || !server_.process->alive) return;
  server_.said(message);
  const std::string words = absl::StrCat(name_, " < ", Words(message));
  const auto shared = std::make_shared<const v1::ControllerMessage>(std::move(message));
  const auto deliver = [this, shared] {
    if (!client_closed_ && !down_.broken) client_->OnMessage(this, *shared);
  };
  scheduler_->After(Arrival(&down_), client_process_, words, deliver);
  if (!random_.Chance(luck_->duplicate)) return;
  scheduler_->story().Fault("duplicated message");
  const bool late = MayComeLate(*shared) && random_.Chance(0.5);
  scheduler_->After(late ? random_.Between(absl::ZeroDuration(), kLatestReplay) : Arrival(&down_),
                    client_process_, absl::StrCat(words, " (again)"), deliver);
}

void Wire::Finish(const absl::Status& status, bool now) {
  if (std::exchange(finished_, true)) return;
  // What was not written yet is dropped; how much that is nobody knows.
  const absl::Duration closed =
      now && random_.Chance(0.5) ? random_.Between(kFastest, luck_->slowest) : Arrival(&down_);
  scheduler_->After(closed, client_process_, absl::StrCat(name_, " ends: ", std::string(status.message())),
                    [this] { CloseClient(""); });
}

void Wire::CloseClient(const std::string& why) {
  if (down_.broken && why.empty()) return;  // it learns of the break instead
  if (std::exchange(client_closed_, true)) return;
  client_->OnClosed(this);
}

void Wire::Break(absl::Duration client_learns, absl::Duration server_learns) {
  if (up_.broken || client_closed_) return;
  up_.broken = down_.broken = true;
  scheduler_->After(client_learns, client_process_, absl::StrCat(name_, " is broken, sees the agent"),
                    [this] { CloseClient("broken"); });
  scheduler_->After(server_learns, server_.process, absl::StrCat(name_, " is broken, sees the controller"),
                    [this] { CloseServer(); });
}

}  // namespace curlew::simulation
