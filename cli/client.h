// The controller, as the verbs call it.
#ifndef CURLEW_CLI_CLIENT_H_
#define CURLEW_CLI_CLIENT_H_

#include <memory>
#include <string>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "common/base/status_macros.h"
#include "common/rpc/endpoint.h"
#include "curlew/v1/operator.grpc.pb.h"
#include "grpcpp/grpcpp.h"

namespace curlew::cli {

// The operators' services of the controller that leads. Every call has a deadline; watching has none. Where
// no controller gives an answer, statuses carry the reason kUnreachableReason and a hint.
//
// Told of one controller, a call is tried once. Told of several, calls wait for one that leads, up to ten
// seconds, and are repeated over a failover where that is safe: those that only read, whenever the connection
// was lost; the others only where the answer says that nothing was done (rpc::kStandbyReason). A change whose
// answer was lost or too late is not repeated: it may have happened, and its hint says so.
//
// A call that is refused because this identity calls too often (RESOURCE_EXHAUSTED with rpc::kRetryAfter) is
// repeated up to four times, after the pause that the controller asks for, within the deadline. Thread-safe.
class Client {
 public:
  // `address` is as rpc::ParseControllers has it; it is connected to on the first call, as
  // `transport` says. Errors as rpc::MakeChannel.
  static absl::StatusOr<std::unique_ptr<Client>> Make(const std::string& address, absl::Duration timeout,
                                                      std::unique_ptr<const rpc::Transport> transport);

  // Calls a unary method: Call(&v1::PlanService::Stub::GetPlan, request).
  template <typename Stub, typename Request, typename Response>
  absl::StatusOr<Response> Call(grpc::Status (Stub::*method)(grpc::ClientContext*, const Request&, Response*),
                                const Request& request) {
    Response response;
    RETURN_IF_ERROR(Invoke(EffectOf(*Request::descriptor()), [&](grpc::ClientContext* context) {
      return (StubOf(static_cast<Stub*>(nullptr)).*method)(context, request, &response);
    }));
    return response;
  }

  // Returns when a controller leads that can be reached, at once where only one is known. UNAVAILABLE, with
  // what each of them says, where there is none within ten seconds or the deadline of a call.
  absl::Status WaitForLeader();

  // Opens a watch, at once also where the connection was lost just before; to several controllers when one of
  // them leads, at most a second later. The reader must be finished before `context` goes; its final status
  // is for ToStatus.
  std::unique_ptr<grpc::ClientReader<v1::WatchRolloutResponse>> Watch(grpc::ClientContext* context,
                                                                      const v1::WatchRolloutRequest& request);

  // Reads all of a preview, target by target, for ten minutes at most, or the deadline of a call where that
  // is longer: each target is asked. Errors as Call's.
  absl::Status Preview(const v1::PreviewRolloutRequest& request,
                       absl::FunctionRef<void(const v1::TargetPreview&)> each);

  // A status of gRPC with its details.
  absl::Status ToStatus(const grpc::Status& status) const;

  const std::string& address() const { return address_; }
  // Whether there are several controllers to choose from.
  bool several() const { return controllers_.controllers == rpc::Controllers::kSeveral; }

 private:
  // What a call does, by the name of its request: Get, List, Compile and Compare only read.
  enum class Effect { kReads, kChanges };

  Client(std::string address, rpc::ControllerAddress controllers, absl::Duration timeout,
         std::unique_ptr<const rpc::Transport> transport, std::shared_ptr<grpc::Channel> channel);
  static Effect EffectOf(const google::protobuf::Descriptor& request);
  absl::Status Invoke(Effect effect, absl::FunctionRef<grpc::Status(grpc::ClientContext*)> call);
  absl::Status WaitForLeader(absl::Time deadline);
  // What each controller says of itself, for people.
  std::string AskEach() const;
  v1::PlanService::Stub& StubOf(v1::PlanService::Stub*) { return *plans_; }
  v1::RolloutService::Stub& StubOf(v1::RolloutService::Stub*) { return *rollouts_; }
  v1::TargetService::Stub& StubOf(v1::TargetService::Stub*) { return *targets_; }
  v1::EnvironmentService::Stub& StubOf(v1::EnvironmentService::Stub*) { return *environments_; }
  v1::AuditService::Stub& StubOf(v1::AuditService::Stub*) { return *audit_; }
  v1::TokenService::Stub& StubOf(v1::TokenService::Stub*) { return *tokens_; }

  const std::string address_;
  const rpc::ControllerAddress controllers_;
  const absl::Duration timeout_;
  const std::unique_ptr<const rpc::Transport> transport_;
  const std::shared_ptr<grpc::Channel> channel_;
  std::unique_ptr<v1::PlanService::Stub> plans_;
  std::unique_ptr<v1::RolloutService::Stub> rollouts_;
  std::unique_ptr<v1::TargetService::Stub> targets_;
  std::unique_ptr<v1::EnvironmentService::Stub> environments_;
  std::unique_ptr<v1::AuditService::Stub> audit_;
  std::unique_ptr<v1::TokenService::Stub> tokens_;
};

// Calls a List method until its last page and merges the pages.
template <typename Stub, typename Request, typename Response>
absl::StatusOr<Response> CallAllPages(Client& client,
                                      grpc::Status (Stub::*method)(grpc::ClientContext*, const Request&,
                                                                   Response*),
                                      Request request) {
  constexpr int kPageSize = 500;
  request.set_page_size(kPageSize);
  Response all;
  while (true) {
    absl::StatusOr<Response> page = client.Call(method, request);
    if (!page.ok()) return std::move(page).status();
    request.set_page_token(page->next_page_token());
    page->clear_next_page_token();
    all.MergeFrom(*page);
    if (request.page_token().empty()) return all;
  }
}

}  // namespace curlew::cli

#endif  // CURLEW_CLI_CLIENT_H_
