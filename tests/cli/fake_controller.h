// A controller in the test's own process, on a port of its own.
#ifndef CURLEW_TESTS_CLI_FAKE_CONTROLLER_H_
#define CURLEW_TESTS_CLI_FAKE_CONTROLLER_H_

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/synchronization/mutex.h"
#include "common/rpc/error.h"
#include "curlew/v1/operator.grpc.pb.h"
#include "grpcpp/grpcpp.h"

namespace curlew::cli {

// One connection of WatchRollout: what is sent, then how it ends.
struct WatchScript {
  std::vector<v1::WatchRolloutResponse> messages;
  absl::Status end;
};

// Plays scripts to watchers, one a connection (the last one again and again), and keeps requests. Plans and
// rollouts are answered from what the test put in. Thread-safe.
class FakeController final : public v1::RolloutService::Service, public v1::PlanService::Service {
 public:
  FakeController() {
    grpc::ServerBuilder builder;
    builder.AddListeningPort("127.0.0.1:0", grpc::InsecureServerCredentials(), &port_);
    builder.RegisterService(static_cast<v1::RolloutService::Service*>(this));
    builder.RegisterService(static_cast<v1::PlanService::Service*>(this));
    server_ = builder.BuildAndStart();
  }
  ~FakeController() override { server_->Shutdown(absl::ToChronoTime(absl::Now())); }

  std::string address() const { return absl::StrCat("127.0.0.1:", port_); }

  void AddScript(WatchScript script) {
    absl::MutexLock lock(&mutex_);
    scripts_.push_back(std::move(script));
  }
  void SetAnswer(absl::Status status, v1::Rollout rollout = {}) {
    absl::MutexLock lock(&mutex_);
    answer_status_ = std::move(status);
    answer_ = std::move(rollout);
  }
  void SetProblems(v1::ListRowProblemsResponse problems) {
    absl::MutexLock lock(&mutex_);
    problems_ = std::move(problems);
  }
  // after_event of every watch so far.
  std::vector<int64_t> watched_after() {
    absl::MutexLock lock(&mutex_);
    return watched_after_;
  }
  // The newest request of any kind that was answered, as text.
  std::string last_request() {
    absl::MutexLock lock(&mutex_);
    return last_request_;
  }

  grpc::Status WatchRollout(grpc::ServerContext*, const v1::WatchRolloutRequest* request,
                            grpc::ServerWriter<v1::WatchRolloutResponse>* writer) override {
    WatchScript script;
    {
      absl::MutexLock lock(&mutex_);
      script = scripts_[std::min(watched_after_.size(), scripts_.size() - 1)];
      watched_after_.push_back(request->after_event());
    }
    for (const auto& message : script.messages) writer->Write(message);
    return rpc::ToGrpc(script.end);
  }
  grpc::Status CreateRollout(grpc::ServerContext*, const v1::CreateRolloutRequest* request,
                             v1::Rollout* response) override {
    return Answer(*request, response);
  }
  grpc::Status GetRollout(grpc::ServerContext*, const v1::GetRolloutRequest* request,
                          v1::Rollout* response) override {
    return Answer(*request, response);
  }
  grpc::Status ApproveRollout(grpc::ServerContext*, const v1::ApproveRolloutRequest* request,
                              v1::Rollout* response) override {
    return Answer(*request, response);
  }
  grpc::Status RollbackRollout(grpc::ServerContext*, const v1::ChangeRolloutRequest* request,
                               v1::Rollout* response) override {
    return Answer(*request, response);
  }
  grpc::Status ResumeRollout(grpc::ServerContext*, const v1::ChangeRolloutRequest* request,
                             v1::Rollout* response) override {
    return Answer(*request, response);
  }
  grpc::Status SkipStep(grpc::ServerContext*, const v1::SkipStepRequest* request,
                        v1::Rollout* response) override {
    return Answer(*request, response);
  }
  grpc::Status OverrideWait(grpc::ServerContext*, const v1::OverrideWaitRequest* request,
                            v1::Rollout* response) override {
    return Answer(*request, response);
  }
  grpc::Status TuneRollout(grpc::ServerContext*, const v1::TuneRolloutRequest* request,
                           v1::Rollout* response) override {
    return Answer(*request, response);
  }
  grpc::Status ListRowProblems(grpc::ServerContext*, const v1::ListRowProblemsRequest* request,
                               v1::ListRowProblemsResponse* response) override {
    absl::MutexLock lock(&mutex_);
    last_request_ = request->ShortDebugString();
    *response = problems_;
    return rpc::ToGrpc(answer_status_);
  }
  // Three plans, one a page.
  grpc::Status ListPlans(grpc::ServerContext*, const v1::ListPlansRequest* request,
                         v1::ListPlansResponse* response) override {
    const int page = request->page_token().empty() ? 0 : std::stoi(request->page_token());
    response->add_plans()->set_name(absl::StrCat("plans/p", page));
    if (page < 2) response->set_next_page_token(absl::StrCat(page + 1));
    return grpc::Status::OK;
  }

 private:
  grpc::Status Answer(const google::protobuf::Message& request, v1::Rollout* response) {
    absl::MutexLock lock(&mutex_);
    last_request_ = request.ShortDebugString();
    *response = answer_;
    return rpc::ToGrpc(answer_status_);
  }

  int port_ = 0;
  absl::Mutex mutex_;
  std::vector<WatchScript> scripts_ ABSL_GUARDED_BY(mutex_);
  std::vector<int64_t> watched_after_ ABSL_GUARDED_BY(mutex_);
  absl::Status answer_status_ ABSL_GUARDED_BY(mutex_);
  v1::Rollout answer_ ABSL_GUARDED_BY(mutex_);
  v1::ListRowProblemsResponse problems_ ABSL_GUARDED_BY(mutex_);
  std::string last_request_ ABSL_GUARDED_BY(mutex_);
  std::unique_ptr<grpc::Server> server_;
};

}  // namespace curlew::cli

#endif  // CURLEW_TESTS_CLI_FAKE_CONTROLLER_H_
