#include "common/rpc/endpoint.h"

#include <arpa/inet.h>
#include <grpcpp/create_channel.h>
#include <grpcpp/resource_quota.h>
#include <grpcpp/security/credentials.h>

#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "common/base/status_macros.h"

namespace curlew::rpc {
namespace {

constexpr int kLargestMetadata = 64 * 1024;
// gRPC's own pauses between tries to connect, up to two minutes, would hold up who comes back after a restart
// of the controller; agents have pauses of their own above these.
constexpr absl::Duration kFirstReconnect = absl::Milliseconds(100);
constexpr absl::Duration kLongestReconnect = absl::Seconds(2);
// Names are looked up again after this at the earliest.
constexpr absl::Duration kFirstLookUp = absl::Seconds(1);
// A try to connect to a machine that says nothing, or to a process that froze, ends after this.
constexpr absl::Duration kConnectTimeout = absl::Seconds(5);
// How long a connection may take to its first HTTP/2 SETTINGS: gRPC's own is two minutes, in which whoever
// only connects fills the table of files.
constexpr absl::Duration kHandshakeTimeout = absl::Seconds(5);
// Calls that are open on one connection: an agent has one, a client that watches a few.
constexpr int kMostStreams = 1000;
constexpr size_t kServerMemory = size_t{512} * 1024 * 1024;

constexpr absl::string_view kDns = "dns:///";

int Milliseconds(absl::Duration duration) { return static_cast<int>(absl::ToInt64Milliseconds(duration)); }

absl::Status NoAddress(absl::string_view address, absl::string_view why) {
  return absl::InvalidArgumentError(absl::StrCat("\"", address, "\" is no address: ", why,
                                                 "; expected HOST:PORT, for example ", kDefaultAddress));
}

bool IsIpv4Loopback(absl::string_view host) {
  const std::vector<absl::string_view> parts = absl::StrSplit(host, '.');
  if (parts.size() != 4 || parts[0] != "127") return false;
  for (absl::string_view part : parts) {
    int number = -1;
    if (part.empty() || part.size() > 3 || !absl::SimpleAtoi(part, &number) || number < 0 || number > 255) {
      return false;
    }
  }
  return true;
}

// The host of "HOST:PORT", without brackets; empty for a path.
absl::StatusOr<absl::string_view> HostOf(absl::string_view address) {
  if (absl::StartsWith(address, "unix:")) return "";
  const size_t colon = address.rfind(':');
  if (colon == absl::string_view::npos) return NoAddress(address, "it has no port");
  absl::string_view host = address.substr(0, colon);
  int number = -1;
  if (!absl::SimpleAtoi(address.substr(colon + 1), &number) || number < 0 || number > 65535) {
    return NoAddress(address, "the port is no number from 0 to 65535");
  }
  if (absl::StartsWith(host, "[") && absl::EndsWith(host, "]")) {
    host = host.substr(1, host.size() - 2);
  } else if (absl::StrContains(host, ':')) {
    return NoAddress(address, "an IPv6 address stands in brackets");
  }
  if (host.empty()) return NoAddress(address, "it has no host");
  return host;
}

// Whether `host` is an IP address, and no name.
bool IsNumeric(absl::string_view host) {
  in6_addr parsed;
  const std::string text(host);
  return inet_pton(AF_INET, text.c_str(), &parsed) == 1 || inet_pton(AF_INET6, text.c_str(), &parsed) == 1;
}

}  // namespace

absl::Status CheckAddress(absl::string_view address) { return HostOf(address).status(); }

absl::Status CheckLoopback(absl::string_view address) {
  if (absl::StartsWith(address, "unix:")) return absl::OkStatus();
  ASSIGN_OR_RETURN(const absl::string_view host, HostOf(address));
  if (host == "localhost" || host == "::1" || IsIpv4Loopback(host)) return absl::OkStatus();
  return absl::FailedPreconditionError(
      absl::StrCat("\"", address,
                   "\" is not on this machine's loopback interface, and --insecure speaks plain text: use "
                   "127.0.0.1, [::1] "
                   "or localhost, or certificates (--tls-cert, --tls-key, --tls-ca; curlew pki makes them)"));
}

grpc::ChannelArguments ClientArguments() {
  grpc::ChannelArguments arguments;
  arguments.SetInt(GRPC_ARG_KEEPALIVE_TIME_MS, Milliseconds(kKeepaliveTime));
  arguments.SetInt(GRPC_ARG_KEEPALIVE_TIMEOUT_MS, Milliseconds(kKeepaliveTimeout));
  arguments.SetInt(GRPC_ARG_HTTP2_MAX_PINGS_WITHOUT_DATA, 0);
  arguments.SetInt(GRPC_ARG_INITIAL_RECONNECT_BACKOFF_MS, Milliseconds(kFirstReconnect));
  arguments.SetInt(GRPC_ARG_MAX_RECONNECT_BACKOFF_MS, Milliseconds(kLongestReconnect));
  arguments.SetInt(GRPC_ARG_MIN_RECONNECT_BACKOFF_MS, Milliseconds(kConnectTimeout));
  // Controllers that are replaced have other addresses under the same name; gRPC's own pause is 30 s.
  arguments.SetInt(GRPC_ARG_DNS_MIN_TIME_BETWEEN_RESOLUTIONS_MS, Milliseconds(kFirstLookUp));
  arguments.SetInt(GRPC_ARG_MAX_METADATA_SIZE, kLargestMetadata);
  // The way to a controller is what --controller says: a proxy that the environment names for the web would
  // only lose it.
  arguments.SetInt(GRPC_ARG_ENABLE_HTTP_PROXY, 0);
  arguments.SetMaxReceiveMessageSize(kLargestMessage);
  arguments.SetMaxSendMessageSize(kLargestMessage);
  return arguments;
}

absl::StatusOr<ControllerAddress> ParseControllers(absl::string_view text, const Transport& transport) {
  ControllerAddress address;
  if (absl::string_view name = text; absl::ConsumePrefix(&name, kDns)) {
    RETURN_IF_ERROR(transport.Check(name));
    address.target = std::string(text);
    address.controllers = Controllers::kSeveral;
    return address;
  }
  if (!absl::StrContains(text, ',')) {
    RETURN_IF_ERROR(transport.Check(text));
    address.target = std::string(text);
    address.each = {address.target};
    return address;
  }
  size_t ipv6 = 0;
  for (absl::string_view one : absl::StrSplit(text, ',')) {
    one = absl::StripAsciiWhitespace(one);
    if (absl::StartsWith(one, "unix:") || absl::StartsWith(one, "dns:")) {
      return NoAddress(text, absl::StrCat("\"", one, "\" can only stand alone"));
    }
    RETURN_IF_ERROR(transport.Check(one));
    ASSIGN_OR_RETURN(const absl::string_view host, HostOf(one));
    if (host != "localhost" && !IsNumeric(host)) {
      return NoAddress(text, absl::StrCat("of several controllers each is an IP address, and \"", host,
                                          "\" is a name; dns:///NAME:PORT finds all that a name stands for"));
    }
    const absl::string_view port = one.substr(one.rfind(':'));
    if (absl::StartsWith(one, "[")) ++ipv6;
    address.each.push_back(absl::StartsWith(one, "localhost:") ? absl::StrCat("127.0.0.1", port)
                                                               : std::string(one));
  }
  if (ipv6 != 0 && ipv6 != address.each.size()) {
    return NoAddress(text, "addresses of several controllers are all IPv4 or all IPv6");
  }
  if (transport.secure() && transport.options().server_name.empty()) {
    return absl::InvalidArgumentError(
        "several controllers need --tls-server-name: the name that the certificate of each has (one of its "
        "--dns names where curlew pki has made it)");
  }
  address.target = absl::StrCat(ipv6 > 0 ? "ipv6:" : "ipv4:", absl::StrJoin(address.each, ","));
  address.controllers = Controllers::kSeveral;
  return address;
}

absl::StatusOr<std::shared_ptr<grpc::Channel>> MakeChannel(absl::string_view text,
                                                           const Transport& transport) {
  ASSIGN_OR_RETURN(const ControllerAddress address, ParseControllers(text, transport));
  grpc::ChannelArguments arguments = ClientArguments();
  transport.Configure(&arguments);
  if (address.controllers == Controllers::kSeveral) {
    arguments.SetServiceConfigJSON(
        absl::StrCat(R"({"loadBalancingConfig":[{"round_robin":{}}],"healthCheckConfig":{"serviceName":")",
                     kLeaderService, R"("}})"));
  }
  return grpc::CreateCustomChannel(address.target, transport.ForChannel(), arguments);
}

void ConfigureServer(grpc::ServerBuilder* builder) {
  builder->AddChannelArgument(GRPC_ARG_KEEPALIVE_TIME_MS, Milliseconds(kServerKeepaliveTime));
  builder->AddChannelArgument(GRPC_ARG_KEEPALIVE_TIMEOUT_MS, Milliseconds(kServerKeepaliveTimeout));
  builder->AddChannelArgument(GRPC_ARG_KEEPALIVE_PERMIT_WITHOUT_CALLS, 1);
  builder->AddChannelArgument(GRPC_ARG_HTTP2_MAX_PINGS_WITHOUT_DATA, 0);
  builder->AddChannelArgument(GRPC_ARG_HTTP2_MIN_RECV_PING_INTERVAL_WITHOUT_DATA_MS,
                              Milliseconds(kShortestPing));
  builder->AddChannelArgument(GRPC_ARG_MAX_CONNECTION_AGE_MS, Milliseconds(kConnectionAge));
  builder->AddChannelArgument(GRPC_ARG_MAX_CONNECTION_AGE_GRACE_MS, Milliseconds(kConnectionGrace));
  builder->AddChannelArgument(GRPC_ARG_SERVER_HANDSHAKE_TIMEOUT_MS, Milliseconds(kHandshakeTimeout));
  builder->AddChannelArgument(GRPC_ARG_MAX_METADATA_SIZE, kLargestMetadata);
  builder->AddChannelArgument(GRPC_ARG_MAX_CONCURRENT_STREAMS, kMostStreams);
  builder->AddChannelArgument(GRPC_ARG_ALLOW_REUSEPORT, 0);
  builder->SetMaxReceiveMessageSize(kLargestMessage);
  builder->SetMaxSendMessageSize(kLargestMessage);
  builder->SetResourceQuota(grpc::ResourceQuota("curlew").Resize(kServerMemory));
}

}  // namespace curlew::rpc
