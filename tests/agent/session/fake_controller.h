// A controller that does what a test tells it.
#ifndef CURLEW_TESTS_AGENT_SESSION_FAKE_CONTROLLER_H_
#define CURLEW_TESTS_AGENT_SESSION_FAKE_CONTROLLER_H_

#include <gtest/gtest.h>

#include <algorithm>
#include <deque>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/clock.h"
#include "common/base/proto_time.h"
#include "curlew/v1/agent.grpc.pb.h"
#include "grpcpp/grpcpp.h"

namespace curlew::agent {

// Serves one session at a time on 127.0.0.1: welcomes it, grants every target, answers heartbeats, and hands
// what it hears to the test. Thread-safe.
class FakeController : public v1::AgentService::Service {
 public:
  // On `port`, or a free one; in plain text unless `credentials` say otherwise.
  explicit FakeController(int port = 0, std::shared_ptr<grpc::ServerCredentials> credentials =
                                            grpc::InsecureServerCredentials()) {
    grpc::ServerBuilder builder;
    builder.AddListeningPort(absl::StrCat("127.0.0.1:", port), credentials, &port_);
    builder.RegisterService(this);
    server_ = builder.BuildAndStart();
  }
  ~FakeController() override { server_->Shutdown(std::chrono::system_clock::now()); }

  int port() const { return port_; }
  std::string address() const { return absl::StrCat("127.0.0.1:", port_); }

  // What Welcome says from now on.
  void SetVersion(const std::string& version) {
    absl::MutexLock lock(&mutex_);
    version_ = version;
  }
  // From now on no heartbeat is answered, in sessions with this lease time.
  void FallSilent(absl::Duration lease_time) {
    absl::MutexLock lock(&mutex_);
    silent_ = true;
    lease_time_ = lease_time;
  }

  // Sends on the session that is open.
  void Send(const v1::ControllerMessage& message) {
    absl::MutexLock lock(&mutex_);
    ASSERT_NE(stream_, nullptr);
    stream_->Write(message);
  }

  // The next message of a kind; others before it are dropped. Waits a minute at most.
  v1::AgentMessage Await(v1::AgentMessage::KindCase kind) {
    absl::MutexLock lock(&mutex_);
    const auto is = [&](const v1::AgentMessage& message) { return message.kind_case() == kind; };
    const auto there = [&]() ABSL_SHARED_LOCKS_REQUIRED(mutex_) {
      return std::find_if(heard_.begin(), heard_.end(), is) != heard_.end();
    };
    if (!mutex_.AwaitWithTimeout(absl::Condition(&there), absl::Minutes(1))) {
      ADD_FAILURE() << "no message of kind " << kind;
      return {};
    }
    const auto found = std::find_if(heard_.begin(), heard_.end(), is);
    v1::AgentMessage message = std::move(*found);
    heard_.erase(heard_.begin(), found + 1);
    return message;
  }

  // All that was heard, as text.
  std::string everything() const {
    absl::MutexLock lock(&mutex_);
    return everything_;
  }

  // How many sessions have begun, and how many of them said goodbye (half-closed the stream).
  int sessions() const {
    absl::MutexLock lock(&mutex_);
    return sessions_;
  }
  bool AwaitGoodbye() {
    absl::MutexLock lock(&mutex_);
    const auto said = [&]() ABSL_SHARED_LOCKS_REQUIRED(mutex_) { return goodbyes_ > 0; };
    return mutex_.AwaitWithTimeout(absl::Condition(&said), absl::Minutes(1));
  }

  grpc::Status Session(grpc::ServerContext* context,
                       grpc::ServerReaderWriter<v1::ControllerMessage, v1::AgentMessage>* stream) override {
    v1::AgentMessage message;
    if (!stream->Read(&message) || !message.has_hello())
      return {grpc::StatusCode::INVALID_ARGUMENT, "no hello"};
    {
      absl::MutexLock lock(&mutex_);
      ++sessions_;
      stream_ = stream;
      v1::ControllerMessage answer;
      answer.mutable_welcome()->set_session(sessions_);
      *answer.mutable_welcome()->mutable_heartbeat_interval() = base::ToProto(absl::Milliseconds(100));
      *answer.mutable_welcome()->mutable_lease_time() = base::ToProto(lease_time_);
      answer.mutable_welcome()->set_version(version_);
      stream->Write(answer);
      for (const std::string& target : message.hello().targets()) {
        answer.mutable_lease()->set_target(target);
        answer.mutable_lease()->set_state(v1::LEASE_STATE_GRANTED);
        stream->Write(answer);
      }
      heard_.push_back(message);
      everything_ += message.DebugString();
    }
    while (stream->Read(&message)) {
      absl::MutexLock lock(&mutex_);
      everything_ += message.DebugString();
      if (message.has_heartbeat() && !silent_) {
        v1::ControllerMessage answer;
        answer.mutable_heartbeat();
        stream->Write(answer);
      }
      heard_.push_back(message);
    }
    absl::MutexLock lock(&mutex_);
    if (!context->IsCancelled()) ++goodbyes_;
    stream_ = nullptr;
    return grpc::Status::OK;
  }

 private:
  int port_ = 0;
  std::unique_ptr<grpc::Server> server_;
  mutable absl::Mutex mutex_;
  std::deque<v1::AgentMessage> heard_ ABSL_GUARDED_BY(mutex_);
  std::string everything_ ABSL_GUARDED_BY(mutex_);
  int sessions_ ABSL_GUARDED_BY(mutex_) = 0;
  int goodbyes_ ABSL_GUARDED_BY(mutex_) = 0;
  std::string version_ ABSL_GUARDED_BY(mutex_);
  bool silent_ ABSL_GUARDED_BY(mutex_) = false;
  absl::Duration lease_time_ ABSL_GUARDED_BY(mutex_) = absl::Seconds(15);
  grpc::ServerReaderWriter<v1::ControllerMessage, v1::AgentMessage>* stream_ ABSL_GUARDED_BY(mutex_) =
      nullptr;
};

}  // namespace curlew::agent

#endif  // CURLEW_TESTS_AGENT_SESSION_FAKE_CONTROLLER_H_
