// The versions of client and server, as calls carry them.
#ifndef CURLEW_COMMON_RPC_PEER_VERSION_H_
#define CURLEW_COMMON_RPC_PEER_VERSION_H_

#include <grpcpp/client_context.h>
#include <grpcpp/server_context.h>

#include "absl/status/status.h"

namespace curlew::rpc {

// Metadata of every call, and of its answer: the version of who speaks.
inline constexpr char kVersionMetadata[] = "curlew-version";

// Tells the server this program's version. Before the call.
void TellVersion(grpc::ClientContext* context);

// Tells the client this program's version, and compares with the client's: FAILED_PRECONDITION, as
// base::CheckSkew, where they do not work together. A client that tells none is let through. Before anything
// is answered. Thread-safe.
absl::Status CheckClientVersion(grpc::ServerContextBase* context);

}  // namespace curlew::rpc

#endif  // CURLEW_COMMON_RPC_PEER_VERSION_H_
