// Both ends of Curlew's connections: addresses, channels and the settings that client and server must agree
// on.
#ifndef CURLEW_COMMON_RPC_ENDPOINT_H_
#define CURLEW_COMMON_RPC_ENDPOINT_H_

#include <grpcpp/channel.h>
#include <grpcpp/server_builder.h>
#include <grpcpp/support/channel_arguments.h>

#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"

namespace curlew::rpc {

// Where the controller listens and clients look for it unless they are told otherwise.
inline constexpr char kDefaultAddress[] = "127.0.0.1:7441";

// A connection without traffic is probed this often, and given up when a probe is not answered in time. The
// server accepts probes at least every kShortestPing: less than a client's interval, or it would end the
// connection with "too_many_pings".
inline constexpr absl::Duration kKeepaliveTime = absl::Seconds(20);
inline constexpr absl::Duration kKeepaliveTimeout = absl::Seconds(10);
inline constexpr absl::Duration kShortestPing = absl::Seconds(10);

// A connection is asked to end at this age (gRPC jitters it by 10 %), and ended after the grace.
inline constexpr absl::Duration kConnectionAge = absl::Minutes(30);
inline constexpr absl::Duration kConnectionGrace = absl::Minutes(10);

// The largest message either side accepts: the schema of a large database.
inline constexpr int kLargestMessage = 64 * 1024 * 1024;

// OK where `address` ("host:port", "[::1]:7441", "unix:/path") names this machine alone. INVALID_ARGUMENT
// where it is no address, FAILED_PRECONDITION where others could reach it or be reached by it: connections
// carry plain text, so that is refused. Names other than "localhost" are not resolved, and refused.
// Thread-safe.
absl::Status CheckLoopback(absl::string_view address);

// Settings of every client: keepalive, message sizes, room for error details.
grpc::ChannelArguments ClientArguments();

// A plain-text channel to a controller on this machine; connects lazily. Errors as CheckLoopback. The channel
// must not be destroyed in a reaction. Thread-safe.
absl::StatusOr<std::shared_ptr<grpc::Channel>> MakeChannel(const std::string& address);

// Settings of the server: keepalive and the shortest ping it accepts, connection age, message sizes, a quota
// of memory; a port that is in use is refused, not shared.
void ConfigureServer(grpc::ServerBuilder* builder);

}  // namespace curlew::rpc

#endif  // CURLEW_COMMON_RPC_ENDPOINT_H_
