#include "controller/session/session_manager.h"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "absl/random/random.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/base/error_detail.h"
#include "common/base/log.h"
#include "common/base/proto_time.h"
#include "common/base/version.h"

namespace curlew::session {
namespace {

constexpr int kProtocolVersion = 1;
constexpr double kBeatsPerSecond = 50;
constexpr int kMostTargets = 1000;

absl::Status CheckHello(const v1::Hello& hello) {
  if (hello.protocol_version() != kProtocolVersion) {
    return absl::FailedPreconditionError(
        absl::StrCat("the agent (version \"", hello.version(), "\") speaks version ",
                     hello.protocol_version(), " of the session, this controller (", base::OwnVersion(),
                     ") version ", kProtocolVersion, "; install matching versions"));
  }
  if (absl::Status skew = base::CheckSkew({"controller", base::OwnVersion()}, {"agent", hello.version()});
      !skew.ok()) {
    return skew;
  }
  if (hello.agent_id().empty())
    return absl::InvalidArgumentError("Hello.agent_id is empty; every agent has an identity");
  if (hello.instance_id().empty()) return absl::InvalidArgumentError("Hello.instance_id is empty");
  if (hello.targets().empty()) {
    return absl::InvalidArgumentError(
        "Hello.targets is empty; name at least one target that the agent can serve");
  }
  if (hello.targets_size() > kMostTargets) {
    return absl::InvalidArgumentError(
        absl::StrCat("Hello.targets has ", hello.targets_size(), " names, more than ", kMostTargets));
  }
  return absl::OkStatus();
}

}  // namespace

SessionManager::SessionManager(dispatch::Engine* engine, SessionOptions options)
    : engine_(engine), options_(std::move(options)) {
  if (options_.jitter == nullptr) {
    options_.jitter = [] {
      absl::BitGen random;
      return absl::Uniform(random, 0.0, 1.0);
    };
  }
}

void SessionManager::Opened(const std::shared_ptr<AgentPeer>& stream) {
  if (draining_) {
    return stream->FinishNow(absl::UnavailableError("the controller is shutting down"));
  }
  streams_[stream.get()] = stream;
  engine_->loop().PostAfter(options_.hello_deadline, [this, weak = std::weak_ptr<AgentPeer>(stream)] {
    const auto waiting = weak.lock();
    if (waiting == nullptr || waiting->id() != 0) return;
    End(waiting.get(), absl::DeadlineExceededError(
                           absl::StrCat("no Hello within ", absl::FormatDuration(options_.hello_deadline))));
  });
}

void SessionManager::Received(AgentPeer* stream, const v1::AgentMessage& message) {
  if (streams_.count(stream) == 0) return;  // ended; what was on its way does not count
  if (message.has_hello()) return OnHello(stream, message.hello());
  if (stream->id() == 0) {
    return End(stream, absl::InvalidArgumentError("the first message of a session must be Hello"));
  }
  if (message.has_heartbeat() && !MayStay(stream)) return;
  engine_->Received(stream, message);
  // An agent trusts its leases only as long as it is told that it is heard. Nothing is said unasked: it would
  // be believed although nobody hears the agent.
  if (message.has_heartbeat() || stream->Quiet() >= options_.heartbeat_interval / 2) {
    v1::ControllerMessage heard;
    heard.mutable_heartbeat();
    stream->Send(std::move(heard));
  }
}

void SessionManager::Closed(AgentPeer* stream) {
  if (streams_.count(stream) > 0) End(stream, absl::CancelledError("the agent has ended the stream"));
}

void SessionManager::TargetsChanged() {
  const auto& names = engine_->targets().names();
  Apply(leases_.SetKnown({names.begin(), names.end()}));
}

void SessionManager::Drain() {
  draining_ = true;
  v1::ControllerMessage message;
  *message.mutable_reconnect()->mutable_after() = base::ToProto(absl::Seconds(1));
  for (const auto& [session, stream] : sessions_) stream->Send(message);
  const auto streams = std::exchange(streams_, {});
  sessions_.clear();
  for (const auto& [stream, owner] : streams) {
    stream->FinishAfterSent(absl::UnavailableError("the controller is shutting down; connect again"));
  }
}

void SessionManager::OnHello(AgentPeer* stream, const v1::Hello& hello) {
  if (stream->id() != 0) return End(stream, absl::InvalidArgumentError("Hello was said already"));
  if (const absl::Status status = CheckHello(hello); !status.ok()) return End(stream, status);
  if (const absl::Status status = stream->MayBe(hello); !status.ok()) {
    spdlog::warn("{}", base::WithFields("agent is refused", {{"agent", hello.agent_id()},
                                                             {"peer", stream->peer()},
                                                             {"message", status.message()}}));
    return End(stream, status);
  }
  stream->SetHello(next_session_++, hello);
  sessions_[stream->id()] = stream;
  spdlog::info("{}", base::WithFields("agent connected", {{"agent", hello.agent_id()},
                                                          {"instance", hello.instance_id()},
                                                          {"version", hello.version()},
                                                          {"session", absl::StrCat(stream->id())},
                                                          {"peer", stream->peer()},
                                                          {"targets", absl::StrJoin(hello.targets(), ",")}}));
  Welcome(stream);
  const LeaseChanges changes = leases_.Add(stream->id(), hello.agent_id(), hello.instance_id(),
                                           {hello.targets().begin(), hello.targets().end()});
  Apply(changes);
  for (const int64_t old : changes.replaced) {
    if (AgentPeer* replaced = Find(old); replaced != nullptr) {
      End(replaced, absl::AbortedError("a newer stream of the same process has taken over"));
    }
  }
}

void SessionManager::Welcome(AgentPeer* stream) {
  const double stretch =
      std::max(1.0, sessions_.size() / kBeatsPerSecond / absl::ToDoubleSeconds(options_.heartbeat_interval));
  const absl::Duration lease_time = options_.lease_time * stretch;
  v1::ControllerMessage message;
  v1::Welcome* welcome = message.mutable_welcome();
  welcome->set_session(stream->id());
  *welcome->mutable_heartbeat_interval() = base::ToProto(options_.heartbeat_interval * stretch);
  *welcome->mutable_lease_time() = base::ToProto(lease_time);
  welcome->set_version(std::string(base::OwnVersion()));
  stream->Send(std::move(message));
  ExpireLater(stream->id(), lease_time, lease_time);

  const absl::Duration age = options_.session_age + absl::Minutes(2) * options_.jitter();
  engine_->loop().PostAfter(age, [this, session = stream->id()] {
    AgentPeer* old = Find(session);
    if (old == nullptr) return;
    v1::ControllerMessage again;
    again.mutable_reconnect()->mutable_after();
    old->Send(std::move(again));
  });
}

void SessionManager::Apply(const LeaseChanges& changes) {
  for (const LeaseChanges::Move& move : changes.moves) {
    if (move.from != 0 && !move.same_process) engine_->Released(move.target);
    if (AgentPeer* to = Find(move.to); to != nullptr) engine_->Granted(move.target, to);
  }
  for (const LeaseChanges::Notice& notice : changes.notices) {
    AgentPeer* stream = Find(notice.session);
    if (stream == nullptr) continue;
    spdlog::log(notice.state == v1::LEASE_STATE_REFUSED ? spdlog::level::warn : spdlog::level::info, "{}",
                base::WithFields(absl::StrCat("lease ", v1::LeaseState_Name(notice.state).substr(12),
                                              notice.reason.empty() ? "" : ": ", notice.reason),
                                 {{"target", notice.target},
                                  {"agent", stream->agent_id()},
                                  {"session", absl::StrCat(notice.session)}}));
    v1::ControllerMessage message;
    message.mutable_lease()->set_target(notice.target);
    message.mutable_lease()->set_state(notice.state);
    message.mutable_lease()->set_reason(notice.reason);
    stream->Send(std::move(message));
  }
}

void SessionManager::End(AgentPeer* stream, const absl::Status& status) {
  const auto owner = streams_.extract(stream);
  if (owner.empty()) return;
  stream->FinishNow(status);
  if (stream->id() == 0) {
    spdlog::warn("{}", base::WithFields(absl::StrCat("stream refused: ", status.message()),
                                        {{"peer", stream->peer()}}));
    return;
  }
  spdlog::info("{}",
               base::WithFields(absl::StrCat("agent disconnected: ", status.message()),
                                {{"agent", stream->agent_id()}, {"session", absl::StrCat(stream->id())}}));
  // The engine reads from the stream until its leases have passed on.
  const LeaseChanges changes = leases_.Remove(stream->id());
  sessions_.erase(stream->id());
  Apply(changes);
}

void SessionManager::ExpireLater(int64_t session, absl::Duration lease_time, absl::Duration delay) {
  engine_->loop().PostAfter(delay, [this, session, lease_time] {
    AgentPeer* stream = Find(session);
    if (stream == nullptr) return;
    const absl::Duration silence = stream->Silence();
    if (silence < lease_time) {
      // Also of one that says everything but heartbeats.
      if (MayStay(stream)) ExpireLater(session, lease_time, lease_time - silence);
      return;
    }
    End(stream,
        absl::UnavailableError(absl::StrCat("the agent was not heard for ", absl::FormatDuration(silence),
                                            "; its leases have run out")));
  });
}

bool SessionManager::MayStay(AgentPeer* stream) {
  const absl::Status status = stream->MayBe(stream->hello());
  if (status.ok()) return true;
  spdlog::warn("{}", base::WithFields("agent may not stay", {{"agent", stream->agent_id()},
                                                             {"session", absl::StrCat(stream->id())},
                                                             {"message", status.message()}}));
  End(stream, base::Annotate(status, "the right to this session was taken away"));
  return false;
}

AgentPeer* SessionManager::Find(int64_t session) {
  const auto it = sessions_.find(session);
  return it == sessions_.end() ? nullptr : it->second;
}

}  // namespace curlew::session
