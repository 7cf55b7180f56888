// A controller in the test's own process, on a port of its own.
#ifndef CURLEW_TESTS_CLI_FAKE_CONTROLLER_H_
#define CURLEW_TESTS_CLI_FAKE_CONTROLLER_H_

#include <map>
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
class FakeController final : public v1::RolloutService::Service,
                             public v1::PlanService::Service,
                             public v1::TargetService::Service,
                             public v1::EnvironmentService::Service,
                             public v1::TokenService::Service {
 public:
  FakeController() {
    grpc::ServerBuilder builder;
    builder.AddListeningPort("127.0.0.1:0", grpc::InsecureServerCredentials(), &port_);
    builder.RegisterService(static_cast<v1::RolloutService::Service*>(this));
    builder.RegisterService(static_cast<v1::PlanService::Service*>(this));
    builder.RegisterService(static_cast<v1::TargetService::Service*>(this));
    builder.RegisterService(static_cast<v1::EnvironmentService::Service*>(this));
    builder.RegisterService(static_cast<v1::TokenService::Service*>(this));
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
  // What a method of that response answers; Rollouts by SetAnswer.
  template <typename Response>
  void Set(const Response& response) {
    absl::MutexLock lock(&mutex_);
    responses_[Response::descriptor()->full_name()] = response.SerializeAsString();
  }
  void SetPreviews(std::vector<v1::TargetPreview> previews) {
    absl::MutexLock lock(&mutex_);
    previews_ = std::move(previews);
  }
  // after_event of every watch so far.
  std::vector<int64_t> watched_after() {
    absl::MutexLock lock(&mutex_);
    return watched_after_;
  }
  // The newest that was sent of plans, and of approvals, skips or overrides.
  v1::PlanSignature signature() {
    absl::MutexLock lock(&mutex_);
    return signature_;
  }
  v1::DecisionSignature decision() {
    absl::MutexLock lock(&mutex_);
    return decision_;
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
    Keep(request->signature());
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
    Keep(request->signature());
    return Answer(*request, response);
  }
  grpc::Status OverrideWait(grpc::ServerContext*, const v1::OverrideWaitRequest* request,
                            v1::Rollout* response) override {
    Keep(request->signature());
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
  grpc::Status SkipGate(grpc::ServerContext*, const v1::SkipGateRequest* request,
                        v1::Rollout* response) override {
    return Answer(*request, response);
  }
  grpc::Status SkipTarget(grpc::ServerContext*, const v1::SkipTargetRequest* request,
                          v1::Rollout* response) override {
    return Answer(*request, response);
  }
  grpc::Status ReportCheck(grpc::ServerContext*, const v1::ReportCheckRequest* request,
                           v1::Rollout* response) override {
    return Answer(*request, response);
  }
  grpc::Status ListRuns(grpc::ServerContext*, const v1::ListRunsRequest* request,
                        v1::ListRunsResponse* response) override {
    return Stored(*request, response);
  }
  grpc::Status GetCompiledPlan(grpc::ServerContext*, const v1::GetCompiledPlanRequest* request,
                               v1::CompiledPlan* response) override {
    {
      // It is asked for beside the rollout, as often as there are different ones.
      absl::MutexLock lock(&mutex_);
      if (responses_.count(v1::CompiledPlan::descriptor()->full_name()) == 0) {
        return rpc::ToGrpc(absl::NotFoundError("not compiled"));
      }
    }
    return Stored(*request, response);
  }
  grpc::Status PreviewRollout(grpc::ServerContext*, const v1::PreviewRolloutRequest* request,
                              grpc::ServerWriter<v1::TargetPreview>* writer) override {
    absl::MutexLock lock(&mutex_);
    last_request_ = request->ShortDebugString();
    for (const v1::TargetPreview& preview : previews_) writer->Write(preview);
    return rpc::ToGrpc(answer_status_);
  }
  grpc::Status CompilePlan(grpc::ServerContext*, const v1::CompilePlanRequest* request,
                           v1::CompilePlanResponse* response) override {
    return Stored(*request, response);
  }
  grpc::Status GetPlan(grpc::ServerContext*, const v1::GetPlanRequest* request,
                       v1::StoredPlan* response) override {
    return Stored(*request, response);
  }
  grpc::Status CreatePlan(grpc::ServerContext*, const v1::CreatePlanRequest* request,
                          v1::StoredPlan* response) override {
    return Stored(*request, response);
  }
  grpc::Status AddPlanSignature(grpc::ServerContext*, const v1::AddPlanSignatureRequest* request,
                                v1::StoredPlan* response) override {
    const grpc::Status status = Stored(*request, response);
    absl::MutexLock lock(&mutex_);
    signature_ = request->signature();
    return status;
  }
  grpc::Status ListTargets(grpc::ServerContext*, const v1::ListTargetsRequest* request,
                           v1::ListTargetsResponse* response) override {
    return Stored(*request, response);
  }
  grpc::Status GetSchema(grpc::ServerContext*, const v1::GetSchemaRequest* request,
                         v1::GetSchemaResponse* response) override {
    return Stored(*request, response);
  }
  grpc::Status BaselineTarget(grpc::ServerContext*, const v1::BaselineTargetRequest* request,
                              v1::TargetRecord* response) override {
    return Stored(*request, response);
  }
  grpc::Status ListTargetRecords(grpc::ServerContext*, const v1::ListTargetRecordsRequest* request,
                                 v1::ListTargetRecordsResponse* response) override {
    return Stored(*request, response);
  }
  grpc::Status CompareSchemas(grpc::ServerContext*, const v1::CompareSchemasRequest* request,
                              v1::CompareSchemasResponse* response) override {
    return Stored(*request, response);
  }
  grpc::Status ListEnvironments(grpc::ServerContext*, const v1::ListEnvironmentsRequest* request,
                                v1::ListEnvironmentsResponse* response) override {
    return Stored(*request, response);
  }
  grpc::Status ApplyEnvironments(grpc::ServerContext*, const v1::ApplyEnvironmentsRequest* request,
                                 v1::ListEnvironmentsResponse* response) override {
    return Stored(*request, response);
  }
  grpc::Status CreateToken(grpc::ServerContext*, const v1::CreateTokenRequest* request,
                           v1::CreateTokenResponse* response) override {
    return Stored(*request, response);
  }
  grpc::Status ListTokens(grpc::ServerContext*, const v1::ListTokensRequest* request,
                          v1::ListTokensResponse* response) override {
    return Stored(*request, response);
  }
  grpc::Status RevokeToken(grpc::ServerContext*, const v1::RevokeTokenRequest* request,
                           v1::Token* response) override {
    return Stored(*request, response);
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
  void Keep(const v1::DecisionSignature& decision) {
    absl::MutexLock lock(&mutex_);
    decision_ = decision;
  }
  grpc::Status Answer(const google::protobuf::Message& request, v1::Rollout* response) {
    absl::MutexLock lock(&mutex_);
    last_request_ = request.ShortDebugString();
    *response = answer_;
    return rpc::ToGrpc(answer_status_);
  }

  template <typename Response>
  grpc::Status Stored(const google::protobuf::Message& request, Response* response) {
    absl::MutexLock lock(&mutex_);
    last_request_ = request.ShortDebugString();
    response->ParseFromString(responses_[Response::descriptor()->full_name()]);
    return rpc::ToGrpc(answer_status_);
  }

  int port_ = 0;
  absl::Mutex mutex_;
  std::vector<WatchScript> scripts_ ABSL_GUARDED_BY(mutex_);
  std::vector<int64_t> watched_after_ ABSL_GUARDED_BY(mutex_);
  absl::Status answer_status_ ABSL_GUARDED_BY(mutex_);
  v1::Rollout answer_ ABSL_GUARDED_BY(mutex_);
  v1::ListRowProblemsResponse problems_ ABSL_GUARDED_BY(mutex_);
  // By the name of the message.
  std::map<std::string, std::string> responses_ ABSL_GUARDED_BY(mutex_);
  std::vector<v1::TargetPreview> previews_ ABSL_GUARDED_BY(mutex_);
  std::string last_request_ ABSL_GUARDED_BY(mutex_);
  v1::PlanSignature signature_ ABSL_GUARDED_BY(mutex_);
  v1::DecisionSignature decision_ ABSL_GUARDED_BY(mutex_);
  std::unique_ptr<grpc::Server> server_;
};

}  // namespace curlew::cli

#endif  // CURLEW_TESTS_CLI_FAKE_CONTROLLER_H_
