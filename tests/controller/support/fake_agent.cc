#include "tests/controller/support/fake_agent.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/rpc/error.h"

namespace curlew::testing {

FakeAgent::FakeAgent(const std::shared_ptr<grpc::Channel>& channel, AgentIdentity identity)
    : identity_(std::move(identity)),
      stub_(v1::AgentService::NewStub(channel)),
      stream_(stub_->Session(&context_)),
      reader_([this] { Read(); }) {}

FakeAgent::~FakeAgent() {
  context_.TryCancel();
  reader_.join();
}

void FakeAgent::Say(const v1::AgentMessage& message) {
  absl::MutexLock lock(&write_mutex_);
  stream_->Write(message);
}

void FakeAgent::SayHello() {
  v1::AgentMessage message;
  v1::Hello* hello = message.mutable_hello();
  hello->set_agent_id(identity_.agent_id);
  hello->set_instance_id(identity_.instance_id);
  hello->set_version("test");
  hello->set_protocol_version(1);
  for (const std::string& target : identity_.targets) hello->add_targets(target);
  Say(message);
}

void FakeAgent::SayReady(const std::string& target, int64_t epoch, const std::vector<v1::HeldAttempt>& held) {
  v1::AgentMessage message;
  v1::TargetReady* ready = message.mutable_target_ready();
  ready->set_target(target);
  ready->set_epoch(epoch);
  ready->set_server_version_num(150015);
  ready->set_database("crm");
  for (const v1::HeldAttempt& attempt : held) *ready->add_held() = attempt;
  Say(message);
}

void FakeAgent::SayAck(const v1::Dispatch& dispatch) {
  v1::AgentMessage message;
  message.mutable_ack()->set_run(dispatch.run());
  message.mutable_ack()->set_attempt(dispatch.attempt());
  Say(message);
}

void FakeAgent::SayResult(const v1::Dispatch& dispatch, v1::AttemptState outcome) {
  v1::AgentMessage message;
  v1::Result* result = message.mutable_result();
  result->set_target(dispatch.target());
  result->set_run(dispatch.run());
  result->set_step(dispatch.step());
  result->set_attempt(dispatch.attempt());
  result->set_outcome(outcome);
  if (outcome == v1::ATTEMPT_STATE_FAILED) result->mutable_error()->set_message("it does not work");
  Say(message);
}

void FakeAgent::SayPreflight(const v1::RunPreflight& question, const v1::Preflight& preflight) {
  v1::AgentMessage message;
  v1::PreflightReport* report = message.mutable_preflight_report();
  report->set_request(question.request());
  report->set_target(question.target());
  *report->mutable_preflight() = preflight;
  Say(message);
}

void FakeAgent::SayCheck(const v1::RunCheck& question, v1::CheckState state, const std::string& value) {
  v1::AgentMessage message;
  v1::CheckReport* report = message.mutable_check_report();
  report->set_request(question.request());
  report->set_target(question.target());
  report->set_state(state);
  report->set_value(value);
  Say(message);
}

void FakeAgent::Serve(const v1::Schema& schema, int64_t epoch) { Begin(Help::kAll, schema, epoch); }

void FakeAgent::AnswerQuestions(const v1::Schema& schema) { Begin(Help::kQuestions, schema, 0); }

void FakeAgent::Begin(Help help, const v1::Schema& schema, int64_t epoch) {
  std::deque<v1::ControllerMessage> messages;
  {
    absl::MutexLock lock(&mutex_);
    help_ = help;
    schema_ = schema;
    epoch_ = epoch;
    messages = messages_;
  }
  for (const v1::ControllerMessage& message : messages) Answer(message);
}

absl::StatusOr<v1::ControllerMessage> FakeAgent::Take(v1::ControllerMessage::KindCase kind,
                                                      absl::Duration timeout) {
  const auto find = [&]() ABSL_NO_THREAD_SAFETY_ANALYSIS {
    return std::find_if(messages_.begin(), messages_.end(),
                        [&](const v1::ControllerMessage& message) { return message.kind_case() == kind; });
  };
  const auto there = [&]() ABSL_NO_THREAD_SAFETY_ANALYSIS { return find() != messages_.end() || ended_; };
  absl::MutexLock lock(&mutex_);
  mutex_.AwaitWithTimeout(absl::Condition(&there), timeout);
  const auto found = find();
  if (found != messages_.end()) {
    v1::ControllerMessage message = std::move(*found);
    messages_.erase(found);
    return message;
  }
  if (ended_) return end_.ok() ? absl::CancelledError("the stream has ended") : end_;
  return absl::DeadlineExceededError(absl::StrCat("no message of kind ", kind));
}

v1::LeaseState FakeAgent::TakeLease() {
  const auto message = Take(v1::ControllerMessage::kLease);
  return message.ok() ? message->lease().state() : v1::LEASE_STATE_UNSPECIFIED;
}

bool FakeAgent::Has(v1::ControllerMessage::KindCase kind) {
  absl::MutexLock lock(&mutex_);
  return std::any_of(messages_.begin(), messages_.end(),
                     [&](const v1::ControllerMessage& message) { return message.kind_case() == kind; });
}

absl::Status FakeAgent::End(absl::Duration timeout) {
  absl::MutexLock lock(&mutex_);
  if (!mutex_.AwaitWithTimeout(absl::Condition(&ended_), timeout)) {
    return absl::InternalError("the stream is open still");
  }
  return end_;
}

void FakeAgent::HalfClose() {
  absl::MutexLock lock(&write_mutex_);
  stream_->WritesDone();
}

std::vector<std::string> FakeAgent::dispatched() {
  absl::MutexLock lock(&mutex_);
  return dispatched_;
}

void FakeAgent::Read() {
  v1::ControllerMessage message;
  while (stream_->Read(&message)) {
    {
      absl::MutexLock lock(&mutex_);
      messages_.push_back(message);
      if (message.has_dispatch()) {
        const bool undo = message.dispatch().direction() == v1::DIRECTION_UNDO;
        dispatched_.push_back(absl::StrCat(undo ? "undo " : "", message.dispatch().step()));
      }
    }
    Answer(message);
  }
  const absl::Status status = rpc::FromGrpc(stream_->Finish());
  absl::MutexLock lock(&mutex_);
  ended_ = true;
  end_ = status;
}

void FakeAgent::Answer(const v1::ControllerMessage& message) {
  Help help = Help::kNone;
  v1::Schema schema;
  int64_t epoch = 0;
  {
    absl::MutexLock lock(&mutex_);
    help = help_;
    schema = schema_;
    epoch = epoch_;
  }
  if (help == Help::kNone) return;
  if (help == Help::kQuestions && (message.has_lease() || message.has_dispatch())) return;
  if (message.has_lease() && message.lease().state() == v1::LEASE_STATE_GRANTED) {
    SayReady(message.lease().target(), epoch);
  } else if (message.has_report_schema()) {
    v1::AgentMessage report;
    report.mutable_schema_report()->set_request(message.report_schema().request());
    report.mutable_schema_report()->set_target(message.report_schema().target());
    *report.mutable_schema_report()->mutable_schema() = schema;
    Say(report);
  } else if (message.has_run_preflight()) {
    SayPreflight(message.run_preflight());
  } else if (message.has_dispatch()) {
    SayAck(message.dispatch());
    SayResult(message.dispatch());
  }
}

}  // namespace curlew::testing
