// An agent without a database, that speaks the protocol.
#ifndef CURLEW_TESTS_CONTROLLER_SUPPORT_FAKE_AGENT_H_
#define CURLEW_TESTS_CONTROLLER_SUPPORT_FAKE_AGENT_H_

#include <grpcpp/channel.h>
#include <grpcpp/client_context.h>

#include <deque>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "curlew/v1/agent.grpc.pb.h"

namespace curlew::testing {

// Who it says it is.
struct AgentIdentity {
  std::string agent_id = "agent-a";
  std::string instance_id = "instance-1";
  std::vector<std::string> targets = {"staging-crm"};
};

// One stream. Messages that come are kept until they are taken. Thread-safe.
class FakeAgent {
 public:
  // Dials; says nothing.
  explicit FakeAgent(const std::shared_ptr<grpc::Channel>& channel, AgentIdentity identity = {});
  // Breaks the stream.
  ~FakeAgent();

  void Say(const v1::AgentMessage& message);
  void SayHello();
  void SayReady(const std::string& target, int64_t epoch = 1, const std::vector<v1::HeldAttempt>& held = {});
  void SayAck(const v1::Dispatch& dispatch);
  void SayResult(const v1::Dispatch& dispatch, v1::AttemptState outcome = v1::ATTEMPT_STATE_SUCCEEDED);
  void SayPreflight(const v1::RunPreflight& question, const v1::Preflight& preflight = {});
  void SayCheck(const v1::RunCheck& question, v1::CheckState state, const std::string& value = "");

  // From now on: says Ready to each lease, reports `schema`, preflight finds nothing, and every step succeeds
  // at once. Checks are left to the test.
  void Serve(const v1::Schema& schema, int64_t epoch = 1);
  // From now on: reports `schema`, and preflight finds nothing. All else is left to the test.
  void AnswerQuestions(const v1::Schema& schema);

  // Takes the first message of that kind. DEADLINE_EXCEEDED, or the stream's end.
  absl::StatusOr<v1::ControllerMessage> Take(v1::ControllerMessage::KindCase kind,
                                             absl::Duration timeout = absl::Seconds(10));
  // Takes the first Lease and returns its state; UNSPECIFIED where none comes.
  v1::LeaseState TakeLease();
  // Whether a message of that kind is there.
  bool Has(v1::ControllerMessage::KindCase kind);
  // Waits for the end of the stream and returns its status.
  absl::Status End(absl::Duration timeout = absl::Seconds(10));
  // Ends the stream in order, as an agent that is stopped.
  void HalfClose();
  // Breaks the stream.
  void Break() { context_.TryCancel(); }

  // Keys of the steps that were dispatched, in order, with "undo " before those undone.
  std::vector<std::string> dispatched();

 private:
  // How much it does by itself.
  enum class Help { kNone, kQuestions, kAll };
  void Read();
  void Answer(const v1::ControllerMessage& message);
  void Begin(Help help, const v1::Schema& schema, int64_t epoch);

  const AgentIdentity identity_;
  grpc::ClientContext context_;
  std::unique_ptr<v1::AgentService::Stub> stub_;
  std::unique_ptr<grpc::ClientReaderWriter<v1::AgentMessage, v1::ControllerMessage>> stream_;
  absl::Mutex write_mutex_;
  absl::Mutex mutex_;
  std::deque<v1::ControllerMessage> messages_ ABSL_GUARDED_BY(mutex_);
  std::vector<std::string> dispatched_ ABSL_GUARDED_BY(mutex_);
  bool ended_ ABSL_GUARDED_BY(mutex_) = false;
  absl::Status end_ ABSL_GUARDED_BY(mutex_);
  Help help_ ABSL_GUARDED_BY(mutex_) = Help::kNone;
  v1::Schema schema_ ABSL_GUARDED_BY(mutex_);
  int64_t epoch_ ABSL_GUARDED_BY(mutex_) = 1;
  std::thread reader_;
};

}  // namespace curlew::testing

#endif  // CURLEW_TESTS_CONTROLLER_SUPPORT_FAKE_AGENT_H_
