#include "controller/listen.h"

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "common/rpc/endpoint.h"
#include "controller/access/strangers_door.h"

namespace curlew::controller {
namespace {

constexpr absl::Duration kLongest = absl::Seconds(1);
constexpr absl::Duration kPause = absl::Milliseconds(20);

}  // namespace

absl::StatusOr<std::unique_ptr<rpc::AcceptingServer>> Listen(
    const std::string& listen, const rpc::Transport& transport, int* port,
    absl::FunctionRef<void(grpc::ServerBuilder&)> add,
    const std::shared_ptr<grpc::AuthMetadataProcessor>& door) {
  const absl::Time end = absl::Now() + kLongest;
  while (true) {
    auto server = rpc::AcceptingServer::Start(
        listen, transport,
        [&](grpc::ServerBuilder& builder) {
          rpc::ConfigureServer(&builder);
          add(builder);
        },
        door);
    if (server.ok()) {
      *port = (*server)->port();
      return server;
    }
    if (!absl::IsUnavailable(server.status())) return server;
    if (absl::Now() > end) {
      return absl::UnavailableError(absl::StrCat("cannot listen on ", listen, " (", server.status().message(),
                                                 "): is another process using the port? choose another with "
                                                 "--listen"));
    }
    absl::SleepFor(kPause);
  }
}

std::shared_ptr<grpc::AuthMetadataProcessor> DoorFor(const rpc::Transport& transport,
                                                     const access::Guard* guard) {
  if (!transport.secure() || transport.options().client_certificates == rpc::ClientCertificates::kRequired) {
    return nullptr;
  }
  return std::make_shared<access::StrangersDoor>(guard);
}

}  // namespace curlew::controller
