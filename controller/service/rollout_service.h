// RolloutService: rollouts are started, shown, watched and steered.
#ifndef CURLEW_CONTROLLER_SERVICE_ROLLOUT_SERVICE_H_
#define CURLEW_CONTROLLER_SERVICE_ROLLOUT_SERVICE_H_

#include <functional>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "controller/dispatch/engine.h"
#include "controller/rollout/machine.h"
#include "controller/service/call.h"
#include "controller/service/kept_messages.h"
#include "controller/service/newest_rollouts.h"
#include "curlew/v1/operator.grpc.pb.h"

namespace curlew::service {

// Behaviour and errors of each call stand in operator.proto. Names may stand without "rollouts/".
// Thread-safe.
class RolloutService : public v1::RolloutService::CallbackService {
 public:
  // All must outlive every call.
  explicit RolloutService(dispatch::Engine* engine, const access::Guard* guard = &access::Guard::Open(),
                          limits::Limiter* limiter = &limits::Limiter::Off())
      : engine_(engine), guard_(guard), limiter_(limiter) {
    KeepMessages(this);
  }

  grpc::ServerUnaryReactor* CreateRollout(grpc::CallbackServerContext* context,
                                          const v1::CreateRolloutRequest* request,
                                          v1::Rollout* response) override;
  grpc::ServerUnaryReactor* GetRollout(grpc::CallbackServerContext* context,
                                       const v1::GetRolloutRequest* request, v1::Rollout* response) override;
  grpc::ServerUnaryReactor* ListRollouts(grpc::CallbackServerContext* context,
                                         const v1::ListRolloutsRequest* request,
                                         v1::ListRolloutsResponse* response) override;
  grpc::ServerWriteReactor<v1::WatchRolloutResponse>* WatchRollout(
      grpc::CallbackServerContext* context, const v1::WatchRolloutRequest* request) override;
  grpc::ServerUnaryReactor* ApproveRollout(grpc::CallbackServerContext* context,
                                           const v1::ApproveRolloutRequest* request,
                                           v1::Rollout* response) override;
  grpc::ServerUnaryReactor* PauseRollout(grpc::CallbackServerContext* context,
                                         const v1::ChangeRolloutRequest* request,
                                         v1::Rollout* response) override;
  grpc::ServerUnaryReactor* ResumeRollout(grpc::CallbackServerContext* context,
                                          const v1::ChangeRolloutRequest* request,
                                          v1::Rollout* response) override;
  grpc::ServerUnaryReactor* AbortRollout(grpc::CallbackServerContext* context,
                                         const v1::ChangeRolloutRequest* request,
                                         v1::Rollout* response) override;
  grpc::ServerUnaryReactor* RollbackRollout(grpc::CallbackServerContext* context,
                                            const v1::ChangeRolloutRequest* request,
                                            v1::Rollout* response) override;
  grpc::ServerUnaryReactor* SkipStep(grpc::CallbackServerContext* context, const v1::SkipStepRequest* request,
                                     v1::Rollout* response) override;
  grpc::ServerUnaryReactor* OverrideWait(grpc::CallbackServerContext* context,
                                         const v1::OverrideWaitRequest* request,
                                         v1::Rollout* response) override;
  grpc::ServerUnaryReactor* TuneRollout(grpc::CallbackServerContext* context,
                                        const v1::TuneRolloutRequest* request,
                                        v1::Rollout* response) override;
  grpc::ServerUnaryReactor* ListRowProblems(grpc::CallbackServerContext* context,
                                            const v1::ListRowProblemsRequest* request,
                                            v1::ListRowProblemsResponse* response) override;
  grpc::ServerUnaryReactor* SkipGate(grpc::CallbackServerContext* context, const v1::SkipGateRequest* request,
                                     v1::Rollout* response) override;
  grpc::ServerUnaryReactor* SkipTarget(grpc::CallbackServerContext* context,
                                       const v1::SkipTargetRequest* request, v1::Rollout* response) override;
  grpc::ServerUnaryReactor* ReportCheck(grpc::CallbackServerContext* context,
                                        const v1::ReportCheckRequest* request,
                                        v1::Rollout* response) override;
  grpc::ServerUnaryReactor* ListRuns(grpc::CallbackServerContext* context, const v1::ListRunsRequest* request,
                                     v1::ListRunsResponse* response) override;
  grpc::ServerUnaryReactor* GetCompiledPlan(grpc::CallbackServerContext* context,
                                            const v1::GetCompiledPlanRequest* request,
                                            v1::CompiledPlan* response) override;
  grpc::ServerWriteReactor<v1::TargetPreview>* PreviewRollout(
      grpc::CallbackServerContext* context, const v1::PreviewRolloutRequest* request) override;

 private:
  // On the loop's thread.
  void Create(const v1::CreateRolloutRequest& request, const std::string& actor, v1::Rollout* response,
              std::function<void(absl::Status)> done);
  // With what came before it, once that is known.
  absl::Status CreateAfter(const NewestRollouts& newest, const v1::CreateRolloutRequest& request,
                           const v1::StoredPlan& plan, const std::string& actor, v1::Rollout* response);
  absl::Status List(const access::Caller& caller, const v1::ListRolloutsRequest& request,
                    v1::ListRolloutsResponse* response);
  absl::Status Runs(const access::Caller& caller, const v1::ListRunsRequest& request,
                    v1::ListRunsResponse* response);
  // An operator's input; the response is the rollout as it is shown by default.
  absl::Status Apply(const std::string& name, const rollout::Input& input, const std::string& etag,
                     v1::Rollout* response);
  // The run of a rollout on `target`; "" is the only one. INVALID_ARGUMENT; NOT_FOUND.
  absl::StatusOr<v1::Run> FindRun(const std::string& rollout, const std::string& target);
  // One of the four changes.
  template <typename Asked>
  grpc::ServerUnaryReactor* Change(grpc::CallbackServerContext* context, const char* method,
                                   const v1::ChangeRolloutRequest* request, v1::Rollout* response);

  Door At(absl::string_view method) const {
    return {guard_, absl::StrCat(v1::RolloutService::service_full_name(), ".", method), limiter_};
  }

  dispatch::Engine* const engine_;
  const access::Guard* const guard_;
  limits::Limiter* const limiter_;
};

}  // namespace curlew::service

#endif  // CURLEW_CONTROLLER_SERVICE_ROLLOUT_SERVICE_H_
