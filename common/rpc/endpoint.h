// Both ends of Curlew's connections: addresses, channels and the settings that client and server must agree
// on.
#ifndef CURLEW_COMMON_RPC_ENDPOINT_H_
#define CURLEW_COMMON_RPC_ENDPOINT_H_

#include <grpcpp/channel.h>
#include <grpcpp/server_builder.h>
#include <grpcpp/support/channel_arguments.h>

#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "common/rpc/transport.h"

namespace curlew::rpc {

// Where the controller listens and clients look for it unless they are told otherwise.
inline constexpr char kDefaultAddress[] = "127.0.0.1:7441";

// A client probes a connection with open calls this often, and gives it up when a probe is not answered in
// time: so long a controller that froze, or whose machine is cut off, can keep its agents from the next
// leader. The server accepts probes down to kShortestPing: well below a client's interval, or it would end
// the connection with "too_many_pings".
inline constexpr absl::Duration kKeepaliveTime = absl::Seconds(3);
inline constexpr absl::Duration kKeepaliveTimeout = absl::Seconds(4);
inline constexpr absl::Duration kShortestPing = absl::Seconds(1);

// The same of the server, which has the heartbeats of agents: only connections that are dead come to that.
inline constexpr absl::Duration kServerKeepaliveTime = absl::Seconds(20);
inline constexpr absl::Duration kServerKeepaliveTimeout = absl::Seconds(10);

// The name under which the health service says whether this controller leads; clients of several controllers
// take those that serve it.
inline constexpr char kLeaderService[] = "curlew.leader";

// base::kReason of the answer of a controller that does not lead (UNAVAILABLE): nothing was done, and the
// call may be repeated.
inline constexpr absl::string_view kStandbyReason = "STANDBY";

// A connection is asked to end at this age (gRPC jitters it by 10 %), and ended after the grace.
inline constexpr absl::Duration kConnectionAge = absl::Minutes(30);
inline constexpr absl::Duration kConnectionGrace = absl::Minutes(10);

// The largest message either side accepts: the schema of a large database.
inline constexpr int kLargestMessage = 64 * 1024 * 1024;

// OK where `address` is "HOST:PORT" ("crm.example.org:7441", "[::1]:7441", "0.0.0.0:0") or "unix:/PATH", else
// INVALID_ARGUMENT. Names are not resolved. Thread-safe.
absl::Status CheckAddress(absl::string_view address);

// As CheckAddress; and FAILED_PRECONDITION where the address is not this machine's alone, as others could
// reach it or be reached by it. Names other than "localhost" are refused. Thread-safe.
absl::Status CheckLoopback(absl::string_view address);

// Settings of every client: keepalive, message sizes, room for error details.
grpc::ChannelArguments ClientArguments();

// How many controllers a client was told of.
enum class Controllers { kOne, kSeveral };

// What a client's --controller says.
struct ControllerAddress {
  std::string target;  // as gRPC reads it: "127.0.0.1:7441", "ipv4:127.0.0.1:7441,127.0.0.1:7442"
  Controllers controllers = Controllers::kOne;
  std::vector<std::string> each;  // the addresses one by one; empty for a name that may stand for several
};

// Reads one address, several with commas between (IP addresses of one family; "localhost" is 127.0.0.1), or
// "dns:///HOST:PORT", a name with any number of addresses. Each as transport.Check; several need
// TransportOptions::server_name with TLS, as no certificate names them all. Thread-safe.
absl::StatusOr<ControllerAddress> ParseControllers(absl::string_view text, const Transport& transport);

// A channel to the controllers that `text` names; connects lazily. To one: as it is, also where it stands by.
// To several: each is asked whether it leads, and calls go to those that do; while none does they fail with
// UNAVAILABLE, or wait where wait_for_ready is set. Errors as ParseControllers. The channel must not be
// destroyed in a reaction; it watches the certificates by itself. Thread-safe.
absl::StatusOr<std::shared_ptr<grpc::Channel>> MakeChannel(absl::string_view text,
                                                           const Transport& transport);

// Settings of the server: keepalive and the shortest ping it accepts, connection age, message sizes, calls
// that are open on a connection, a quota of memory; a port that is in use is refused, not shared.
void ConfigureServer(grpc::ServerBuilder* builder);

}  // namespace curlew::rpc

#endif  // CURLEW_COMMON_RPC_ENDPOINT_H_
