#include "controller/standby_server.h"

#include <grpcpp/ext/proto_server_reflection_plugin.h>
#include <grpcpp/health_check_service_interface.h>
#include <grpcpp/server_builder.h>

#include <utility>

#include "absl/strings/str_cat.h"
#include "common/base/error_detail.h"
#include "common/base/status_macros.h"
#include "common/rpc/endpoint.h"
#include "common/rpc/error.h"
#include "controller/listen.h"

namespace curlew::controller {
namespace {

absl::Status Answer(const std::string& listen, const std::string& leader) {
  const std::string who = leader.empty() ? "no other is known to lead yet" : absl::StrCat(leader, " leads");
  return base::WithDetail(
      base::WithDetail(
          absl::UnavailableError(absl::StrCat("the controller at ", listen, " stands by: ", who)),
          base::kReason, rpc::kStandbyReason),
      base::kHint,
      leader.empty()
          ? "try again in a few seconds, or name all controllers, with commas between, so that the "
            "one that leads is found"
          : absl::StrCat("use --controller ", leader,
                         ", or name all controllers, with commas between, so that the one that "
                         "leads is found"));
}

// To whom nobody knows.
absl::Status AnswerToStrangers() {
  return base::WithDetail(
      base::WithDetail(absl::UnavailableError("this controller stands by: another one leads, or none yet"),
                       base::kReason, rpc::kStandbyReason),
      base::kHint,
      "name all controllers, with commas between, so that the one that leads is found; who it is is told to "
      "those with a certificate");
}

}  // namespace

// Answers all that is asked.
class StandbyServer::RefuseEverything : public grpc::CallbackGenericService {
 public:
  explicit RefuseEverything(const StandbyServer* standby) : standby_(standby) {}
  grpc::ServerGenericBidiReactor* CreateReactor(grpc::GenericCallbackServerContext* context) override;

 private:
  const StandbyServer* const standby_;
};

class StandbyServer::Refusal : public grpc::ServerGenericBidiReactor {
 public:
  explicit Refusal(const absl::Status& answer) { Finish(rpc::ToGrpc(answer)); }
  void OnDone() override { delete this; }
};

grpc::ServerGenericBidiReactor* StandbyServer::RefuseEverything::CreateReactor(
    grpc::GenericCallbackServerContext* context) {
  if (!standby_->guard_->Known(access::Credential::Of(*context)).ok())
    return new Refusal(AnswerToStrangers());
  absl::MutexLock lock(&standby_->mutex_);
  return new Refusal(standby_->answer_);
}

StandbyServer::StandbyServer(std::string listen, const access::Guard* guard)
    : listen_(std::move(listen)), guard_(guard) {}

absl::StatusOr<std::unique_ptr<StandbyServer>> StandbyServer::Start(const std::string& listen,
                                                                    const rpc::Transport& transport,
                                                                    const access::Guard* guard) {
  std::unique_ptr<StandbyServer> standby(new StandbyServer(listen, guard));
  standby->SetLeader("");
  grpc::EnableDefaultHealthCheckService(true);
  grpc::reflection::InitProtoReflectionServerBuilderPlugin();
  ASSIGN_OR_RETURN(standby->server_, Listen(
                                         listen, transport, &standby->port_,
                                         [&](grpc::ServerBuilder& builder) {
                                           // A new one for each try: gRPC takes each once only.
                                           standby->service_ =
                                               std::make_unique<RefuseEverything>(standby.get());
                                           builder.RegisterCallbackGenericService(standby->service_.get());
                                         },
                                         DoorFor(transport, guard)));
  standby->SetLeader("");  // with the port's number
  standby->server_->GetHealthCheckService()->SetServingStatus(rpc::kLeaderService, false);
  return standby;
}

StandbyServer::~StandbyServer() {
  if (server_ == nullptr) return;
  server_->GetHealthCheckService()->Shutdown();
  // Clients watch the health for as long as they live.
  server_->Shutdown(std::chrono::system_clock::now());
}

void StandbyServer::SetLeader(const std::string& address) {
  const std::string here =
      port_ == 0 ? listen_ : absl::StrCat(listen_.substr(0, listen_.rfind(':')), ":", port_);
  absl::MutexLock lock(&mutex_);
  answer_ = Answer(here, address);
}

}  // namespace curlew::controller
