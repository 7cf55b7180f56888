// Why a connection does not come about, in words: gRPC says no more than that a handshake failed.
#ifndef CURLEW_COMMON_RPC_PROBE_H_
#define CURLEW_COMMON_RPC_PROBE_H_

#include <string>

#include "absl/strings/string_view.h"
#include "common/rpc/endpoint.h"
#include "common/rpc/transport.h"

namespace curlew::rpc {

// Dials each address of `controllers` by itself, as a client of `transport` would, and says what is wrong
// with the first that does not work: "the controller at 127.0.0.1:7441: its certificate expired at ...",
// "...: it does not take our certificate (spiffe://curlew/user/alice, from ...): it expired at ...", "...: it
// speaks plain text". Empty where all work, nobody listens, or nobody can tell. Never names a key. Takes 2 s
// for each address at most, and blocks: not for reactions. Thread-safe.
std::string WhyUnreachable(const ControllerAddress& controllers, const Transport& transport);

// As WhyUnreachable, for one "HOST:PORT" or "dns:///HOST:PORT".
std::string ProbeOne(absl::string_view address, const Transport& transport);

}  // namespace curlew::rpc

#endif  // CURLEW_COMMON_RPC_PROBE_H_
