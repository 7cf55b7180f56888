// The flags that say how connections are secured: the same in all programs.
#ifndef CURLEW_COMMON_RPC_TRANSPORT_FLAGS_H_
#define CURLEW_COMMON_RPC_TRANSPORT_FLAGS_H_

#include "CLI/CLI.hpp"
#include "common/rpc/transport.h"

namespace curlew::rpc {

// Whose command line it is: only clients expect a name.
enum class Side { kClient, kServer };

// Adds --tls-cert, --tls-key, --tls-ca, --tls-crl-dir and --insecure, for clients --tls-server-name too, each
// with an environment variable as its default (CURLEW_TLS_CERT, CURLEW_INSECURE=1, ...). `options` gets what
// they say and must outlive `app`'s parsing; Transport::Make judges it.
void AddTransportFlags(CLI::App* app, Side side, TransportOptions* options);

}  // namespace curlew::rpc

#endif  // CURLEW_COMMON_RPC_TRANSPORT_FLAGS_H_
