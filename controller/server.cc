#include "controller/server.h"

#include <grpcpp/ext/proto_server_reflection_plugin.h>
#include <grpcpp/health_check_service_interface.h>
#include <grpcpp/server_builder.h>

#include <memory>
#include <thread>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "common/base/status_macros.h"
#include "common/rpc/endpoint.h"
#include "controller/listen.h"
#include "controller/notify/planner.h"

namespace curlew::controller {

namespace {

std::unique_ptr<NotificationRelay> MakeRelay(dispatch::Engine* engine, const base::Clock* clock,
                                             const ServerOptions& options) {
  if (options.notifications == nullptr) return nullptr;
  return std::make_unique<NotificationRelay>(&engine->loop(), &engine->store().records(), clock,
                                             options.notifications, options.audit_signer,
                                             NotificationRelay::Options());
}

// Plans what the sinks of `sender` are told; `planned` is called, on the loop, when there is something that
// is about to be stored. Nothing where `sender` is null.
dispatch::EngineOptions WithPlanners(dispatch::EngineOptions options, const notify::Sender* sender,
                                     std::function<void()> planned) {
  if (sender == nullptr) return options;
  const auto planner = std::make_shared<const notify::Planner>(sender->sinks());
  options.rollouts.planner = [planner, planned](const v1::Rollout& before, const v1::Rollout& after,
                                                const std::vector<v1::Event>& events) {
    auto told = planner->OfRollout(before, after, events);
    if (!told.empty()) planned();
    return told;
  };
  options.drift.planner = [planner, planned](const std::string& target, const std::string& message,
                                             absl::Time now) {
    auto told = planner->OfDrift(target, message, now);
    if (!told.empty()) planned();
    return told;
  };
  return options;
}

dispatch::EngineOptions WithRunner(dispatch::EngineOptions options, checks::CheckRunner* runner) {
  if (options.checks.runner == nullptr) options.checks.runner = runner;
  return options;
}

}  // namespace

Server::Server(store::RolloutStore* store, const base::Clock* clock, ServerOptions options)
    : options_(std::move(options)),
      metered_(options_.metrics == nullptr ? nullptr : options_.metrics->Meter(store)),
      engine_(metered_ == nullptr ? store : metered_.get(), clock,
              WithPlanners(WithRunner(options_.engine, &check_runner_), options_.notifications,
                           [this] { engine_.loop().Post([this] { relay_->Wake(); }); })),
      retention_(&engine_.loop(), &engine_.store(), clock, options_.events),
      relay_(MakeRelay(&engine_, clock, options_)),
      sessions_(&engine_, options_.session),
      agent_service_(&engine_, &sessions_, options_.guard, options_.limiter),
      plan_service_(&engine_, options_.guard, options_.limiter),
      rollout_service_(&engine_, options_.guard, options_.limiter),
      target_service_(&engine_, options_.guard, options_.limiter),
      environment_service_(&engine_, options_.guard, options_.limiter),
      audit_service_(&engine_, options_.audit_signer, options_.guard, options_.limiter),
      token_service_(&engine_, options_.tokens, options_.guard, options_.limiter) {}

absl::StatusOr<std::unique_ptr<Server>> Server::Start(store::RolloutStore* store, const base::Clock* clock,
                                                      ServerOptions options) {
  RETURN_IF_ERROR(options.transport->Check(options.listen));
  std::unique_ptr<Server> server(new Server(store, clock, std::move(options)));
  RETURN_IF_ERROR(server->engine_.Start());
  absl::Status loaded;
  server->engine_.loop().Run([&] {
    if (server->options_.tokens != nullptr) {
      loaded = service::LoadTokens(server->engine_.store().tokens(), server->options_.tokens);
    }
    server->engine_.ObserveTargets([sessions = &server->sessions_] { sessions->TargetsChanged(); });
    server->sessions_.TargetsChanged();
    server->retention_.Start();
    if (server->relay_ != nullptr) server->relay_->Start();
  });
  RETURN_IF_ERROR(loaded);
  RETURN_IF_ERROR(server->Serve());
  if (server->options_.metrics != nullptr) {
    server->options_.metrics->Leads(&server->engine_, server->options_.epoch);
  }
  if (server->options_.health != nullptr) server->options_.health->WatchLoop(&server->engine_.loop());
  return server;
}

absl::Status Server::Serve() {
  if (options_.before_listening) options_.before_listening();
  grpc::EnableDefaultHealthCheckService(true);
  grpc::reflection::InitProtoReflectionServerBuilderPlugin();
  ASSIGN_OR_RETURN(server_, Listen(
                                options_.listen, *options_.transport, &port_,
                                [&](grpc::ServerBuilder& builder) {
                                  if (options_.metrics != nullptr) options_.metrics->CountRpcs(&builder);
                                  builder.RegisterService(&agent_service_);
                                  builder.RegisterService(&plan_service_);
                                  builder.RegisterService(&rollout_service_);
                                  builder.RegisterService(&target_service_);
                                  builder.RegisterService(&environment_service_);
                                  builder.RegisterService(&audit_service_);
                                  builder.RegisterService(&token_service_);
                                },
                                DoorFor(*options_.transport, options_.guard)));
  for (const char* name : {v1::AgentService::service_full_name(), v1::PlanService::service_full_name(),
                           v1::RolloutService::service_full_name(), v1::TargetService::service_full_name(),
                           v1::EnvironmentService::service_full_name(), v1::AuditService::service_full_name(),
                           v1::TokenService::service_full_name(), rpc::kLeaderService}) {
    server_->GetHealthCheckService()->SetServingStatus(name, true);
  }
  return absl::OkStatus();
}

Server::~Server() { Shutdown(); }

void Server::Shutdown(absl::string_view why) {
  if (options_.metrics != nullptr) options_.metrics->StandsBy();
  if (options_.health != nullptr) options_.health->WatchLoop(nullptr);
  if (server_ != nullptr) {
    server_->GetHealthCheckService()->Shutdown();
    // Calls are answered by the loop, so it runs on until the last one is done; streams that do not end by
    // themselves are cancelled at the deadline, and finish then. On a thread of its own, as the loop may be
    // held up by the store: clients shall not wait for that.
    std::thread cut([this, deadline = absl::ToChronoTime(absl::Now() + options_.drain_deadline)] {
      server_->Shutdown(deadline);
    });
    engine_.Drain(absl::UnavailableError(absl::StrCat(why, "; watch again from the last event")));
    engine_.loop().Run([this] { sessions_.Drain(); });
    cut.join();
    server_.reset();
  }
  if (options_.tokens != nullptr) options_.tokens->Clear();
  engine_.Stop();
  check_runner_.Stop();
}

}  // namespace curlew::controller
