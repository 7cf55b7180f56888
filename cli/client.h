// The controller, as the verbs call it.
#ifndef CURLEW_CLI_CLIENT_H_
#define CURLEW_CLI_CLIENT_H_

#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "curlew/v1/operator.grpc.pb.h"
#include "grpcpp/grpcpp.h"

namespace curlew::cli {

// The operators' services of one controller. Every call has a deadline; watching has none. Where the
// controller gives no answer, statuses carry the reason kUnreachableReason and a hint. Thread-safe.
class Client {
 public:
  // `address` is HOST:PORT; it is connected to on the first call. Errors as rpc::MakeChannel.
  static absl::StatusOr<std::unique_ptr<Client>> Make(const std::string& address, absl::Duration timeout);

  // Calls a unary method: Call(&v1::PlanService::Stub::GetPlan, request).
  template <typename Stub, typename Request, typename Response>
  absl::StatusOr<Response> Call(grpc::Status (Stub::*method)(grpc::ClientContext*, const Request&, Response*),
                                const Request& request) {
    grpc::ClientContext context;
    context.set_deadline(Deadline());
    Response response;
    const grpc::Status status = (StubOf(static_cast<Stub*>(nullptr)).*method)(&context, request, &response);
    if (!status.ok()) return ToStatus(status);
    return response;
  }

  // Opens a watch, at once also where the connection was lost just before. The reader must be finished before
  // `context` goes; its final status is for ToStatus.
  std::unique_ptr<grpc::ClientReader<v1::WatchRolloutResponse>> Watch(grpc::ClientContext* context,
                                                                      const v1::WatchRolloutRequest& request);

  // A status of gRPC with its details.
  absl::Status ToStatus(const grpc::Status& status) const;

  const std::string& address() const { return address_; }

 private:
  Client(std::string address, absl::Duration timeout, std::shared_ptr<grpc::Channel> channel);
  std::chrono::system_clock::time_point Deadline() const;
  v1::PlanService::Stub& StubOf(v1::PlanService::Stub*) { return *plans_; }
  v1::RolloutService::Stub& StubOf(v1::RolloutService::Stub*) { return *rollouts_; }
  v1::TargetService::Stub& StubOf(v1::TargetService::Stub*) { return *targets_; }
  v1::EnvironmentService::Stub& StubOf(v1::EnvironmentService::Stub*) { return *environments_; }

  const std::string address_;
  const absl::Duration timeout_;
  const std::shared_ptr<grpc::Channel> channel_;
  std::unique_ptr<v1::PlanService::Stub> plans_;
  std::unique_ptr<v1::RolloutService::Stub> rollouts_;
  std::unique_ptr<v1::TargetService::Stub> targets_;
  std::unique_ptr<v1::EnvironmentService::Stub> environments_;
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
