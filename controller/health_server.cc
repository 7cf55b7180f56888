#include "controller/health_server.h"

#include <grpcpp/health_check_service_interface.h>
#include <grpcpp/server_builder.h>
#include <spdlog/spdlog.h>

#include <chrono>
#include <memory>

#include "absl/strings/str_cat.h"
#include "absl/synchronization/notification.h"
#include "common/base/log.h"
#include "common/base/status_macros.h"
#include "common/rpc/endpoint.h"

namespace curlew::controller {

absl::StatusOr<std::unique_ptr<HealthServer>> HealthServer::Start(const std::string& listen,
                                                                  const HealthOptions& options) {
  std::unique_ptr<HealthServer> health(new HealthServer(options));
  grpc::EnableDefaultHealthCheckService(true);
  ASSIGN_OR_RETURN(health->server_,
                   rpc::AcceptingServer::StartInTheOpen(listen, [&](grpc::ServerBuilder& builder) {
                     rpc::ConfigureServer(&builder);
                     builder.RegisterCallbackGenericService(&health->nothing_);
                   }));
  health->address_ = absl::StrCat(listen.substr(0, listen.rfind(':')), ":", health->server_->port());
  health->SetLeads(false);
  health->asker_ = std::thread([self = health.get()] { self->AskAgainAndAgain(); });
  return health;
}

HealthServer::~HealthServer() {
  {
    absl::MutexLock lock(&mutex_);
    stopping_ = true;
  }
  if (asker_.joinable()) asker_.join();
  if (server_ == nullptr) return;
  server_->GetHealthCheckService()->Shutdown();
  server_->Shutdown(std::chrono::system_clock::now());
}

void HealthServer::SetLeads(bool leads) {
  server_->GetHealthCheckService()->SetServingStatus(rpc::kLeaderService, leads);
}

void HealthServer::WatchLoop(dispatch::Loop* loop) {
  absl::MutexLock lock(&mutex_);
  loop_ = loop;
}

bool HealthServer::LoopAnswers() {
  // The loop may answer when nobody waits any more.
  const auto answered = std::make_shared<absl::Notification>();
  {
    absl::MutexLock lock(&mutex_);
    // One that has stopped is about to be replaced.
    if (loop_ == nullptr || !loop_->Post([answered] { answered->Notify(); })) return true;
  }
  return answered->WaitForNotificationWithTimeout(options_.deadline);
}

void HealthServer::AskAgainAndAgain() {
  bool serves = true;
  while (true) {
    const bool answers = LoopAnswers();
    absl::MutexLock lock(&mutex_);
    if (answers != serves) {
      serves = answers;
      server_->GetHealthCheckService()->SetServingStatus("", serves);
      spdlog::log(
          serves ? spdlog::level::info : spdlog::level::err, "{}",
          base::WithFields(serves ? "the loop runs again: healthy"
                                  : "the loop stands still: not healthy. A call of the store hangs, or "
                                    "it is stuck",
                           {{"waited", absl::FormatDuration(options_.deadline)}}));
    }
    if (mutex_.AwaitWithTimeout(absl::Condition(&stopping_), options_.period)) return;
  }
}

}  // namespace curlew::controller
