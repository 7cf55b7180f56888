#include "common/rpc/probe.h"

#include <netdb.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/sslerr.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <algorithm>
#include <memory>
#include <optional>
#include <utility>

#include "absl/status/statusor.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "absl/time/clock.h"
#include "common/pki/certificate.h"
#include "common/pki/files.h"

namespace curlew::rpc {
namespace {

constexpr int kPatienceMs = 2000;
// What a gRPC server takes connections for.
constexpr unsigned char kProtocols[] = {2, 'h', '2'};
// An open socket; -1 for none.
class Socket {
 public:
  explicit Socket(int fd) : fd_(fd) {}
  ~Socket() {
    if (fd_ >= 0) close(fd_);
  }
  Socket(const Socket&) = delete;
  Socket& operator=(const Socket&) = delete;
  int fd() const { return fd_; }

 private:
  const int fd_;
};

struct Freed {
  void operator()(SSL* connection) const { SSL_free(connection); }
  void operator()(SSL_CTX* context) const { SSL_CTX_free(context); }
};
template <typename T>
using Owned = std::unique_ptr<T, Freed>;

// The reason of the newest error of this thread, which is cleared.
std::string Reason() {
  const char* reason = ERR_reason_error_string(ERR_peek_last_error());
  ERR_clear_error();
  return reason == nullptr ? "no reason given" : reason;
}

struct Place {
  std::string host, port;
};

Place PlaceOf(absl::string_view address) {
  absl::ConsumePrefix(&address, "dns:///");
  const size_t colon = address.rfind(':');
  absl::string_view host = address.substr(0, colon);
  if (absl::ConsumePrefix(&host, "[")) absl::ConsumeSuffix(&host, "]");
  return {std::string(host), std::string(address.substr(colon + 1))};
}

// A connection whose reads and writes end in time; -1 where there is none.
int Dial(const Place& place) {
  addrinfo hints{}, *found = nullptr;
  hints.ai_socktype = SOCK_STREAM;
  if (getaddrinfo(place.host.c_str(), place.port.c_str(), &hints, &found) != 0) return -1;
  const std::unique_ptr<addrinfo, void (*)(addrinfo*)> owner(found, freeaddrinfo);
  for (const addrinfo* one = found; one != nullptr; one = one->ai_next) {
    const int fd = socket(one->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0) continue;
    const timeval patience = {.tv_sec = kPatienceMs / 1000, .tv_usec = 0};
    // A connect ends by the time-out of writing (socket(7)).
    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    if (connect(fd, one->ai_addr, one->ai_addrlen) == 0) return fd;
    close(fd);
  }
  return -1;
}

// The certificate of the other's chain that was not taken, for the callback of SSL_set_app_data's owner.
struct Refused {
  std::optional<pki::CertificateFacts> facts;
};

int Judge(int fine, X509_STORE_CTX* store) {
  // As gRPC: a CA without a list has revoked nothing.
  if (fine == 1 || X509_STORE_CTX_get_error(store) == X509_V_ERR_UNABLE_TO_GET_CRL) return 1;
  const auto* connection =
      static_cast<SSL*>(X509_STORE_CTX_get_ex_data(store, SSL_get_ex_data_X509_STORE_CTX_idx()));
  X509* const current = X509_STORE_CTX_get_current_cert(store);
  if (current == nullptr || X509_up_ref(current) != 1) return 0;
  const auto certificate = pki::Certificate::Make(pki::Owned<X509>(current));
  if (certificate.ok()) static_cast<Refused*>(SSL_get_app_data(connection))->facts = certificate->facts();
  return 0;
}

// What is wrong with the other's certificate.
std::string TheirFault(const Refused& refused, long result,
                       const std::string& expected) {  // NOLINT: OpenSSL's
  switch (result) {
    case X509_V_ERR_CERT_HAS_EXPIRED:
      return absl::StrCat("its certificate expired at ",
                          refused.facts.has_value() ? pki::Shown(refused.facts->ends) : "some time",
                          ": renew it there");
    case X509_V_ERR_CERT_NOT_YET_VALID:
      return absl::StrCat("its certificate is not valid before ",
                          refused.facts.has_value() ? pki::Shown(refused.facts->begins) : "some time",
                          ": are the clocks right?");
    case X509_V_ERR_CERT_REVOKED:
      return "its certificate is revoked";
    case X509_V_ERR_HOSTNAME_MISMATCH:
    case X509_V_ERR_IP_ADDRESS_MISMATCH:
      return absl::StrCat("its certificate is not for ", expected,
                          ": dial a name that it has, or give that with --tls-server-name");
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY:
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT:
    case X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN:
    case X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT:
    case X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE:
    case X509_V_ERR_CERT_SIGNATURE_FAILURE:
      return "its certificate is of another CA than the one in --tls-ca";
    case X509_V_ERR_INVALID_PURPOSE:
      return "its certificate is not one of a server's: another program may stand there";
    default:
      return absl::StrCat("its certificate cannot be verified: ", X509_verify_cert_error_string(result));
  }
}

// What may be wrong with our certificate. gRPC's server does not say: it ends the connection.
std::string OurFault(const TransportOptions& options) {
  const auto ours = pki::ReadWhole(options.certificate), trusted = pki::ReadWhole(options.ca);
  const auto own = ours.ok() ? pki::Certificate::FromPem(*ours) : ours.status();
  const auto authorities = trusted.ok() ? pki::Certificate::AllFromPem(*trusted) : trusted.status();
  if (!own.ok() || !authorities.ok()) return "it cannot be read any more";
  if (absl::Now() >= own->facts().ends) return absl::StrCat("it expired at ", pki::Shown(own->facts().ends));
  const bool known = std::any_of(authorities->begin(), authorities->end(), [&](const pki::Certificate& one) {
    return X509_check_issued(one.get(), own->get()) == X509_V_OK;
  });
  if (!known) return "it is of another CA than those in --tls-ca";
  return "it may be revoked, or of another CA than the one that is trusted there; the controller's log says "
         "more";
}

std::string ProbeTls(const Place& place, int fd, const Transport& transport) {
  const TransportOptions& options = transport.options();
  const Owned<SSL_CTX> context(SSL_CTX_new(TLS_client_method()));
  const bool shows = !options.certificate.empty();  // who has a token alone shows none
  if ((shows && (SSL_CTX_use_certificate_chain_file(context.get(), options.certificate.c_str()) != 1 ||
                 SSL_CTX_use_PrivateKey_file(context.get(), options.key.c_str(), SSL_FILETYPE_PEM) != 1)) ||
      SSL_CTX_load_verify_locations(context.get(), options.ca.c_str(), nullptr) != 1) {
    return absl::StrCat("the own certificates cannot be read any more: ", Reason());
  }
  if (!options.crl_directory.empty()) {
    SSL_CTX_load_verify_locations(context.get(), nullptr, options.crl_directory.c_str());
    X509_STORE_set_flags(SSL_CTX_get_cert_store(context.get()), X509_V_FLAG_CRL_CHECK);
  }
  SSL_CTX_set_verify(context.get(), SSL_VERIFY_PEER, Judge);
  const Owned<SSL> connection(SSL_new(context.get()));
  Refused refused;
  SSL_set_app_data(connection.get(), &refused);
  const std::string expected = options.server_name.empty() ? place.host : options.server_name;
  X509_VERIFY_PARAM* const wanted = SSL_get0_param(connection.get());
  if (X509_VERIFY_PARAM_set1_ip_asc(wanted, expected.c_str()) != 1) {
    ERR_clear_error();
    SSL_set_tlsext_host_name(connection.get(), expected.c_str());
    X509_VERIFY_PARAM_set1_host(wanted, expected.c_str(), expected.size());
  }
  SSL_set_alpn_protos(connection.get(), kProtocols, sizeof kProtocols);
  SSL_set_fd(connection.get(), fd);
  int done = SSL_connect(connection.get());
  const long verified = SSL_get_verify_result(connection.get());  // NOLINT: OpenSSL's type
  if (done != 1 && verified != X509_V_OK && verified != X509_V_ERR_UNABLE_TO_GET_CRL) {
    ERR_clear_error();
    return TheirFault(refused, verified, expected);
  }
  if (done != 1) {
    const bool plain = ERR_GET_REASON(ERR_peek_last_error()) == SSL_R_WRONG_VERSION_NUMBER;
    const std::string words = Reason();
    if (plain) return "it speaks plain text (--insecure), and this side TLS";
    return absl::StrCat("TLS failed: ", words);
  }
  // The other looks at our certificate after we have taken the connection for made. One that likes it says
  // something at once.
  char byte = 0;
  done = SSL_read(connection.get(), &byte, 1);
  ERR_clear_error();
  if (done == 1) return "";
  if (!shows) {
    return "it wants a certificate: give --tls-cert and --tls-key, or have it started with --tokens, so that "
           "it "
           "takes a token alone";
  }
  return absl::StrCat("it does not take our certificate (", transport.name(), ", from ", options.certificate,
                      "): ", OurFault(options));
}

std::string ProbePlain(int fd) {
  const Owned<SSL_CTX> context(SSL_CTX_new(TLS_client_method()));
  const Owned<SSL> connection(SSL_new(context.get()));
  SSL_set_alpn_protos(connection.get(), kProtocols, sizeof kProtocols);
  SSL_set_fd(connection.get(), fd);
  const bool speaks_tls = SSL_connect(connection.get()) == 1;
  ERR_clear_error();
  return speaks_tls ? "it speaks TLS: give --tls-cert, --tls-key and --tls-ca in place of --insecure" : "";
}

}  // namespace

std::string ProbeOne(absl::string_view address, const Transport& transport) {
  if (absl::StartsWith(address, "unix:")) return "";
  const Place place = PlaceOf(address);
  const Socket socket(Dial(place));
  if (socket.fd() < 0) return "";  // gRPC says why
  const std::string problem =
      transport.secure() ? ProbeTls(place, socket.fd(), transport) : ProbePlain(socket.fd());
  if (problem.empty()) return "";
  return absl::StrCat("the controller at ", place.host, ":", place.port, ": ", problem);
}

std::string WhyUnreachable(const ControllerAddress& controllers, const Transport& transport) {
  if (controllers.each.empty()) return ProbeOne(controllers.target, transport);
  for (const std::string& address : controllers.each) {
    std::string problem = ProbeOne(address, transport);
    if (!problem.empty()) return problem;
  }
  return "";
}

}  // namespace curlew::rpc
