// Taking the port of a controller.
#ifndef CURLEW_CONTROLLER_LISTEN_H_
#define CURLEW_CONTROLLER_LISTEN_H_

#include <grpcpp/server_builder.h>

#include <memory>
#include <string>

#include "absl/functional/function_ref.h"
#include "absl/status/statusor.h"
#include "common/rpc/acceptor.h"
#include "controller/access/guard.h"

namespace curlew::controller {

// A server on `listen` ("127.0.0.1:7441"; port 0 for any free one), secured as `transport` says, with our
// settings, what `add` gives the builder, and `door` (may be null): the server that this process had on the
// port just before may need a moment to let it go, so tries go on for a second. `port` gets the number.
// Errors as AcceptingServer::Start; UNAVAILABLE where another process has the port.
absl::StatusOr<std::unique_ptr<rpc::AcceptingServer>> Listen(
    const std::string& listen, const rpc::Transport& transport, int* port,
    absl::FunctionRef<void(grpc::ServerBuilder&)> add,
    const std::shared_ptr<grpc::AuthMetadataProcessor>& door = nullptr);

// What calls pass on a server that hears clients without certificates (strangers_door.h); null on others.
// `guard` must outlive it.
std::shared_ptr<grpc::AuthMetadataProcessor> DoorFor(const rpc::Transport& transport,
                                                     const access::Guard* guard);

}  // namespace curlew::controller

#endif  // CURLEW_CONTROLLER_LISTEN_H_
