#include "controller/server.h"

#include <grpcpp/ext/proto_server_reflection_plugin.h>
#include <grpcpp/health_check_service_interface.h>
#include <grpcpp/security/server_credentials.h>
#include <grpcpp/server_builder.h>

#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "common/base/status_macros.h"
#include "common/rpc/endpoint.h"

namespace curlew::controller {

Server::Server(store::RolloutStore* store, const base::Clock* clock, ServerOptions options)
    : options_(std::move(options)),
      metered_(options_.metrics == nullptr ? nullptr : options_.metrics->Meter(store)),
      engine_(metered_ == nullptr ? store : metered_.get(), clock, options_.engine),
      sessions_(&engine_, options_.session),
      agent_service_(&engine_, &sessions_),
      plan_service_(&engine_),
      rollout_service_(&engine_),
      target_service_(&engine_),
      environment_service_(&engine_) {}

absl::StatusOr<std::unique_ptr<Server>> Server::Start(store::RolloutStore* store, const base::Clock* clock,
                                                      ServerOptions options) {
  RETURN_IF_ERROR(rpc::CheckLoopback(options.listen));
  std::unique_ptr<Server> server(new Server(store, clock, std::move(options)));
  RETURN_IF_ERROR(server->engine_.Start());
  server->engine_.loop().Run([&] {
    server->engine_.ObserveTargets([sessions = &server->sessions_] { sessions->TargetsChanged(); });
    server->sessions_.TargetsChanged();
  });
  RETURN_IF_ERROR(server->Listen());
  if (server->options_.metrics != nullptr) {
    server->options_.metrics->Leads(&server->engine_, server->options_.epoch);
  }
  return server;
}

absl::Status Server::Listen() {
  grpc::EnableDefaultHealthCheckService(true);
  grpc::reflection::InitProtoReflectionServerBuilderPlugin();
  grpc::ServerBuilder builder;
  rpc::ConfigureServer(&builder);
  builder.AddListeningPort(options_.listen, grpc::InsecureServerCredentials(), &port_);
  if (options_.metrics != nullptr) options_.metrics->CountRpcs(&builder);
  builder.RegisterService(&agent_service_);
  builder.RegisterService(&plan_service_);
  builder.RegisterService(&rollout_service_);
  builder.RegisterService(&target_service_);
  builder.RegisterService(&environment_service_);
  server_ = builder.BuildAndStart();
  if (server_ == nullptr) {
    return absl::UnavailableError(
        absl::StrCat("cannot listen on ", options_.listen,
                     ": is another process using the port? choose another with --listen"));
  }
  for (const char* name : {v1::AgentService::service_full_name(), v1::PlanService::service_full_name(),
                           v1::RolloutService::service_full_name(), v1::TargetService::service_full_name(),
                           v1::EnvironmentService::service_full_name()}) {
    server_->GetHealthCheckService()->SetServingStatus(name, true);
  }
  return absl::OkStatus();
}

Server::~Server() { Shutdown(); }

void Server::Shutdown() {
  if (options_.metrics != nullptr) options_.metrics->StandsBy();
  if (server_ != nullptr) {
    server_->GetHealthCheckService()->Shutdown();
    engine_.Drain(absl::UnavailableError("the controller is shutting down; watch again from the last event"));
    engine_.loop().Run([this] { sessions_.Drain(); });
    // Calls are answered by the loop, so it runs on until the last one is done; streams that do not end by
    // themselves are cancelled at the deadline, and finish then.
    server_->Shutdown(absl::ToChronoTime(absl::Now() + options_.drain_deadline));
    server_.reset();
  }
  engine_.Stop();
}

}  // namespace curlew::controller
