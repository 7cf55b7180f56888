#include "agent/session/session.h"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <thread>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "common/base/error_detail.h"
#include "common/base/fault_point.h"
#include "common/base/log.h"
#include "common/base/proto_time.h"
#include "common/base/version.h"
#include "common/rpc/error.h"
#include "common/rpc/peer_version.h"

namespace curlew::agent {
namespace {

constexpr int kProtocolVersion = 1;
// How long the controller may take to end the stream after goodbye.
constexpr absl::Duration kGoodbye = absl::Seconds(2);
// How long Stop may have to wait for a look for the leader, or the end of a pause.
constexpr std::chrono::milliseconds kLook(200);
constexpr absl::Duration kSpread = absl::Milliseconds(500);
// Whoever finds no leader says why: after this, and then as often.
constexpr absl::Duration kFirstComplaint = absl::Seconds(5);
constexpr absl::Duration kComplaints = absl::Minutes(1);

}  // namespace

Session::Session(SessionOptions options, std::shared_ptr<grpc::Channel> channel,
                 std::vector<TargetServer*> targets, Outbox* outbox, LeaseClock* lease)
    : options_(std::move(options)),
      channel_(std::move(channel)),
      stub_(v1::AgentService::NewStub(channel_)),
      targets_(std::move(targets)),
      outbox_(outbox),
      lease_(lease),
      backoff_(options_.reconnect, random_) {}

void Session::Run() {
  while (FindLeader()) {
    asked_to_wait_ = absl::ZeroDuration();
    refused_ = absl::OkStatus();
    absl::Status status = Serve();
    for (TargetServer* target : targets_) target->SessionLost();
    if (stopping()) return;
    if (!refused_.ok()) status = refused_;
    // What the controller asks for is jittered too: its agents must not come back all at once.
    absl::Duration pause = std::max(backoff_.Next(), asked_to_wait_ * absl::Uniform(random_, 1.0, 1.5));
    if (absl::IsFailedPrecondition(status)) pause = std::max(pause, options_.refused_pause);
    // Of a stream that a controller has ended itself there is nothing to find out.
    const std::string why = absl::IsUnavailable(status) && !answered_ ? WhyUnreachable() : "";
    spdlog::warn(base::WithFields(
        "session ended", {{"controller", options_.controller},
                          {"code", absl::StrCat(static_cast<int>(status.code()))},
                          {"message", why.empty() ? status.message() : why},
                          {"hint", base::Detail(status, base::kHint)},
                          {"retry_in", absl::FormatDuration(absl::Floor(pause, absl::Milliseconds(1)))}}));
    Pause(pause);
  }
}

void Session::Pause(absl::Duration pause) {
  // What comes on a connection without calls is read only while somebody waits for the state of the channel.
  // A controller that ends says so there, and waits until this agent has heard it.
  const auto end = std::chrono::steady_clock::now() + absl::ToChronoNanoseconds(pause);
  while (!stopping()) {
    const std::chrono::nanoseconds left = end - std::chrono::steady_clock::now();
    if (left.count() <= 0) return;
    channel_->WaitForStateChange(
        channel_->GetState(false),
        std::chrono::system_clock::now() + std::min<std::chrono::nanoseconds>(left, kLook));
  }
}

bool Session::FindLeader() {
  // This agent paces its tries; the channel's own pauses come on top.
  grpc::experimental::ChannelResetConnectionBackoff(channel_.get());
  if (options_.controllers == rpc::Controllers::kOne || channel_->GetState(true) == GRPC_CHANNEL_READY) {
    return !stopping();
  }
  spdlog::info(
      base::WithFields("looks for the controller that leads", {{"controller", options_.controller}}));
  absl::Time complain = absl::Now() + kFirstComplaint;
  while (!stopping()) {
    if (!channel_->WaitForConnected(std::chrono::system_clock::now() + kLook)) {
      if (absl::Now() < complain) continue;
      complain = absl::Now() + kComplaints;
      if (const std::string why = WhyUnreachable(); !why.empty()) {
        spdlog::warn(base::WithFields("no controller that leads can be reached",
                                      {{"controller", options_.controller}, {"message", why}}));
      }
      continue;
    }
    // All agents see a new leader at the same moment, and must not come all at once.
    absl::MutexLock lock(&mutex_);
    return !mutex_.AwaitWithTimeout(absl::Condition(&stopping_), kSpread * absl::Uniform(random_, 0.0, 1.0));
  }
  return false;
}

std::string Session::WhyUnreachable() const {
  return options_.why_unreachable == nullptr ? "" : options_.why_unreachable();
}

void Session::Stop() {
  {
    absl::MutexLock lock(&mutex_);
    stopping_ = true;
  }
  outbox_->Close();
  absl::MutexLock lock(&mutex_);
  const auto ended = [this]() ABSL_SHARED_LOCKS_REQUIRED(mutex_) { return context_ == nullptr; };
  if (!mutex_.AwaitWithTimeout(absl::Condition(&ended), kGoodbye)) context_->TryCancel();
}

bool Session::stopping() const {
  absl::MutexLock lock(&mutex_);
  return stopping_;
}

absl::Status Session::Serve() {
  grpc::ClientContext context;
  rpc::TellVersion(&context);
  {
    absl::MutexLock lock(&mutex_);
    if (stopping_) return absl::OkStatus();
    context_ = &context;
    heard_ = std::chrono::steady_clock::now();
    patience_ = options_.welcome_deadline;
    gave_up_ = false;
  }
  const std::unique_ptr<Stream> stream = stub_->Session(&context);
  v1::AgentMessage message;
  v1::Hello& hello = *message.mutable_hello();
  hello.set_agent_id(options_.agent_id);
  hello.set_instance_id(options_.instance_id);
  hello.set_version(options_.version);
  hello.set_protocol_version(kProtocolVersion);
  for (const TargetServer* target : targets_) hello.add_targets(target->target());
  for (const std::string& check : options_.checks) hello.add_checks(check);
  for (const std::string& command : options_.backup_commands) hello.add_backup_commands(command);
  hello.set_requires_signatures(options_.requires_signatures);
  outbox_->Open(std::move(message));
  if (stopping()) outbox_->Close();
  std::thread writer([&] { Write(stream.get()); });
  v1::ControllerMessage answer;
  answered_ = false;
  while (stream->Read(&answer)) {
    answered_ = true;
    pulse_->Works();
    On(std::move(answer));
    pulse_->Rests();
  }
  OrNobody(options_.metrics)->SessionEnded();
  outbox_->Close();
  writer.join();
  const absl::Status status = rpc::FromGrpc(stream->Finish());
  absl::MutexLock lock(&mutex_);
  context_ = nullptr;
  if (!gave_up_) return status;
  return absl::UnavailableError(
      absl::StrCat("nothing was heard from the controller for ", absl::FormatDuration(patience_)));
}

void Session::Write(Stream* stream) {
  using Clock = std::chrono::steady_clock;
  Clock::time_point heartbeat = NextHeartbeat();
  while (true) {
    std::optional<v1::AgentMessage> message =
        outbox_->Pop(absl::FromChrono(std::min(heartbeat, SilenceEnds()) - Clock::now()));
    if (SilenceEnds() <= Clock::now()) {
      absl::MutexLock lock(&mutex_);
      gave_up_ = true;
      if (context_ != nullptr) context_->TryCancel();
      break;
    }
    if (!message.has_value()) {
      if (!outbox_->open()) break;
      if (Clock::now() < heartbeat) continue;
      message.emplace();
      message->mutable_heartbeat();
    }
    if (Clock::now() >= heartbeat || message->has_heartbeat()) heartbeat = NextHeartbeat();
    if (!stream->Write(*message)) break;
    if (message->has_result()) base::FaultPoint("result.after_send");
    if (message->has_ack()) base::FaultPoint("ack.after_send");
  }
  stream->WritesDone();
}

std::chrono::steady_clock::time_point Session::NextHeartbeat() const {
  absl::MutexLock lock(&mutex_);
  return std::chrono::steady_clock::now() + absl::ToChronoNanoseconds(heartbeat_interval_);
}

std::chrono::steady_clock::time_point Session::SilenceEnds() const {
  absl::MutexLock lock(&mutex_);
  return heard_ + absl::ToChronoNanoseconds(patience_);
}

void Session::Heard() {
  lease_->Heard();
  absl::MutexLock lock(&mutex_);
  heard_ = std::chrono::steady_clock::now();
}

void Session::On(v1::ControllerMessage message) {
  if (!refused_.ok()) return;
  Heard();
  TargetServer* target = nullptr;
  switch (message.kind_case()) {
    case v1::ControllerMessage::kWelcome:
      On(message.welcome());
      return;
    case v1::ControllerMessage::kReconnect:
      asked_to_wait_ = base::FromProto(message.reconnect().after());
      spdlog::info(
          base::WithFields("the controller asks to come again", {{"controller", options_.controller}}));
      outbox_->Close();
      return;
    case v1::ControllerMessage::kLease:
      target = Find(message.lease().target());
      break;
    case v1::ControllerMessage::kDispatch:
      target = Find(message.dispatch().target());
      break;
    case v1::ControllerMessage::kCancel:
      target = Find(message.cancel().target());
      break;
    case v1::ControllerMessage::kTune:
      target = Find(message.tune().target());
      break;
    case v1::ControllerMessage::kReportRowProblems:
      target = Find(message.report_row_problems().target());
      break;
    case v1::ControllerMessage::kRunCheck:
      target = Find(message.run_check().target());
      break;
    case v1::ControllerMessage::kRunPreflight:
      target = Find(message.run_preflight().target());
      break;
    case v1::ControllerMessage::kReportSchema:
      target = Find(message.report_schema().target());
      break;
    case v1::ControllerMessage::kResultAck:
      target = FindByRun(message.result_ack().run());
      break;
    case v1::ControllerMessage::kHeartbeat:
    case v1::ControllerMessage::KIND_NOT_SET:
      return;
  }
  if (target != nullptr) {
    target->Handle(std::move(message));
  } else {
    spdlog::warn(base::WithFields("the controller speaks of a target that this agent does not have",
                                  {{"controller", options_.controller}}));
  }
}

void Session::On(const v1::Welcome& welcome) {
  refused_ = base::CheckSkew({"agent", options_.version}, {"controller", welcome.version()});
  if (!refused_.ok()) return outbox_->Close();
  spdlog::info(base::WithFields("session begins", {{"controller", options_.controller},
                                                   {"session", absl::StrCat(welcome.session())},
                                                   {"version", welcome.version()}}));
  OrNobody(options_.metrics)->SessionBegan();
  backoff_.Reset();
  const absl::Duration lease_time = base::FromProto(welcome.lease_time());
  lease_->SetLeaseTime(lease_time);
  const absl::Duration interval = base::FromProto(welcome.heartbeat_interval());
  {
    absl::MutexLock lock(&mutex_);
    patience_ = std::max(lease_time, interval * 2);
    if (interval > absl::ZeroDuration()) heartbeat_interval_ = interval;
  }
  // So that the writer goes by these times from now on.
  v1::AgentMessage heartbeat;
  heartbeat.mutable_heartbeat();
  outbox_->Push(std::move(heartbeat));
}

TargetServer* Session::Find(const std::string& target) const {
  for (TargetServer* server : targets_) {
    if (server->target() == target) return server;
  }
  return nullptr;
}

TargetServer* Session::FindByRun(const std::string& run) const {
  return Find(run.substr(run.rfind('/') + 1));
}

}  // namespace curlew::agent
