// How connections are secured: by certificates on both sides (mTLS), or, between processes of one machine,
// not at all.
#ifndef CURLEW_COMMON_RPC_TRANSPORT_H_
#define CURLEW_COMMON_RPC_TRANSPORT_H_

#include <grpcpp/security/credentials.h>
#include <grpcpp/security/server_credentials.h>
#include <grpcpp/support/channel_arguments.h>

#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "common/pki/certificate.h"

namespace curlew::rpc {

// Whether connections carry plain text.
enum class PlainText { kNo, kLoopbackOnly };

// Servers: whether a client without a certificate is heard; one whose certificate is bad never is.
enum class ClientCertificates { kRequired, kOptional };

// What a command line says about it. Paths name PEM files.
struct TransportOptions {
  PlainText plain_text = PlainText::kNo;
  std::string certificate;  // the own chain, leaf first
  std::string key;          // its private key, without a passphrase
  std::string ca;           // whose certificates are trusted
  std::string
      crl_directory;  // revoked certificates, HASH.r0, HASH.r1, ... as `openssl rehash` names them; or empty
  std::string server_name;  // clients: the name that the server's certificate must have, where it is not the
                            // host that is dialled; or empty
  ClientCertificates client_certificates = ClientCertificates::kRequired;
  // Clients: a bearer token (bearer_token.h), shown with every call; with it the own certificate may be left
  // out. Or empty. Over TLS alone, and in no message.
  std::string token = {};
};

// Ready to be used by servers and channels. With TLS both sides show a certificate that the other's CA has
// signed, for the use that it is put to (serverAuth, clientAuth), but for clients that have a token, where
// the server hears those; the files are read again within kReloadInterval of a change, and connections that
// stand go on with what they began with until they reach their age (kConnectionAge). Immutable; thread-safe.
class Transport {
 public:
  // Plain text, between ends on this machine.
  static const Transport& Plain();

  // INVALID_ARGUMENT where `options` say neither or both, or only a part of what TLS needs;
  // FAILED_PRECONDITION where a file cannot be read or is not what it should be, the key is not the
  // certificate's, or the certificate is not valid at `now`: the message names the file and what to do, and
  // nothing of a key or a token.
  static absl::StatusOr<std::unique_ptr<const Transport>> Make(const TransportOptions& options,
                                                               absl::Time now);

  bool secure() const { return options_.plain_text == PlainText::kNo; }
  // What the own certificate says, as it was when this was made; nullopt without one.
  const std::optional<pki::CertificateFacts>& own() const { return own_; }
  // Whom it names: its only URI name ("spiffe://curlew/agent/staging-crm"), else its subject; "" without one.
  std::string name() const;
  // What is to be read for a probe (probe.h).
  const TransportOptions& options() const { return options_; }

  // OK where connections to, or on, `address` may be made so: plain text stays on this machine. Errors as
  // CheckLoopback and CheckAddress (endpoint.h).
  absl::Status Check(absl::string_view address) const;

  // Credentials of a channel; new ones at each call, of which each watches the files.
  std::shared_ptr<grpc::ChannelCredentials> ForChannel() const;
  // What a channel must know besides: the name to expect.
  void Configure(grpc::ChannelArguments* arguments) const;
  // Credentials of a server: a client without a certificate of the CA's is not heard, unless the options say
  // otherwise.
  std::shared_ptr<grpc::ServerCredentials> ForServer() const;

 private:
  explicit Transport(TransportOptions options) : options_(std::move(options)) {}

  const TransportOptions options_;
  std::optional<pki::CertificateFacts> own_;
};

// In which time a change of the files is seen.
inline constexpr absl::Duration kReloadInterval = absl::Seconds(1);

}  // namespace curlew::rpc

#endif  // CURLEW_COMMON_RPC_TRANSPORT_H_
