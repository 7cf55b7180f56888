#include "common/rpc/transport.h"

#include <grpcpp/security/tls_certificate_provider.h>
#include <grpcpp/security/tls_credentials_options.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <sys/stat.h>

#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/base/bearer_token.h"
#include "common/base/error_detail.h"
#include "common/base/status_macros.h"
#include "common/pki/files.h"
#include "common/pki/resumption.h"
#include "common/pki/secret.h"
#include "common/rpc/endpoint.h"

namespace curlew::rpc {
namespace {

constexpr char kMake[] = "curlew pki makes certificates (docs/pki.md)";

absl::Status Unusable(absl::string_view flag, absl::string_view problem, absl::string_view hint) {
  return absl::FailedPreconditionError(absl::StrCat(flag, ": ", problem, "; ", hint));
}

// The same of what a reader says.
absl::Status Unusable(absl::string_view flag, const absl::Status& status, absl::string_view hint) {
  const std::string own = base::Detail(status, base::kHint);
  return Unusable(flag, status.message(), own.empty() ? hint : absl::string_view(own));
}

absl::StatusOr<std::vector<pki::Certificate>> ReadCertificates(absl::string_view flag,
                                                               const std::string& path) {
  const auto text = pki::ReadWhole(path);
  if (!text.ok()) return Unusable(flag, text.status(), "the user of this process must be able to read it");
  auto certificates = pki::Certificate::AllFromPem(*text);
  if (certificates.ok()) return certificates;
  return Unusable(flag, absl::StrCat(path, ": ", certificates.status().message()),
                  "it must be a PEM file (-----BEGIN CERTIFICATE-----)");
}

// Asked for a passphrase: there is nobody to type one.
int NoPassphrase(char* /*buffer*/, int /*size*/, int /*writes*/, void* asked) {
  *static_cast<bool*>(asked) = true;
  return -1;
}

absl::StatusOr<pki::Owned<EVP_PKEY>> ReadKey(const std::string& path) {
  constexpr absl::string_view kFlag = "--tls-key";
  auto text = pki::ReadPrivate(path);
  if (!text.ok()) return Unusable(kFlag, text.status(), "the user of this process must be able to read it");
  const pki::Secret secret(*std::move(text));
  bool asked = false;
  pki::Owned<EVP_PKEY> key(
      PEM_read_bio_PrivateKey(pki::Reading(secret.Reveal()).get(), nullptr, NoPassphrase, &asked));
  ERR_clear_error();
  if (key != nullptr) return key;
  if (asked) {
    return Unusable(kFlag, absl::StrCat(path, " is locked by a passphrase"),
                    "write it without one, for its user alone: openssl pkey -in FILE -out NEW-FILE");
  }
  return Unusable(kFlag, absl::StrCat(path, " holds no private key"),
                  "it must be a PEM file (-----BEGIN PRIVATE KEY-----)");
}

// Whose certificates are trusted, and which of those are not.
absl::Status CheckAuthorities(const TransportOptions& options) {
  RETURN_IF_ERROR(ReadCertificates("--tls-ca", options.ca).status());
  struct stat folder {};
  if (!options.crl_directory.empty() &&
      (stat(options.crl_directory.c_str(), &folder) != 0 || !S_ISDIR(folder.st_mode))) {
    return Unusable("--tls-crl-dir", absl::StrCat(options.crl_directory, " is no folder"),
                    "it holds lists of revoked certificates, named HASH.r0; curlew pki revoke makes them");
  }
  return absl::OkStatus();
}

}  // namespace

const Transport& Transport::Plain() {
  static const Transport* const plain = new Transport({.plain_text = PlainText::kLoopbackOnly});
  return *plain;
}

absl::StatusOr<std::unique_ptr<const Transport>> Transport::Make(const TransportOptions& options,
                                                                 absl::Time now) {
  std::vector<absl::string_view> given, missing;
  for (const auto& [flag, path] :
       {std::pair("--tls-cert", &options.certificate), std::pair("--tls-key", &options.key),
        std::pair("--tls-ca", &options.ca)}) {
    (path->empty() ? missing : given).push_back(flag);
  }
  std::unique_ptr<Transport> transport(new Transport(options));
  const bool token = !options.token.empty();
  if (token && !base::IsBearerToken(options.token)) {
    return absl::InvalidArgumentError(
        "what --token-file or CURLEW_TOKEN give is no token: one has all of what `curlew token create` told, "
        "curlew_ and 43 letters");
  }
  if (options.plain_text == PlainText::kLoopbackOnly) {
    if (token) {
      return absl::InvalidArgumentError(
          "--insecure and a token contradict each other, as plain text would give it away: leave --insecure "
          "out, or --token-file and CURLEW_TOKEN");
    }
    if (given.empty()) return transport;
    return absl::InvalidArgumentError(absl::StrCat(
        "--insecure and ", given[0], " contradict each other: leave --insecure out to speak TLS"));
  }
  if (token && options.certificate.empty() && options.key.empty()) {
    if (options.ca.empty()) {
      return absl::InvalidArgumentError(
          "--tls-ca is missing: a token is shown to nobody but a controller with a certificate that is "
          "trusted");
    }
    RETURN_IF_ERROR(CheckAuthorities(options));
    return transport;
  }
  if (given.empty()) {
    return absl::InvalidArgumentError(
        absl::StrCat("there are no certificates: give --tls-cert, --tls-key and --tls-ca (", kMake,
                     "), or --insecure for plain text between processes of this machine"));
  }
  if (!missing.empty()) {
    return absl::InvalidArgumentError(
        absl::StrCat(absl::StrJoin(missing, " and "), missing.size() > 1 ? " are" : " is",
                     " missing: both sides of a connection show a certificate; ", kMake));
  }
  ASSIGN_OR_RETURN(const auto chain, ReadCertificates("--tls-cert", options.certificate));
  ASSIGN_OR_RETURN(const pki::Owned<EVP_PKEY> key, ReadKey(options.key));
  if (X509_check_private_key(chain[0].get(), key.get()) != 1) {
    ERR_clear_error();
    return Unusable("--tls-key", absl::StrCat(options.key, " is not the key of ", options.certificate),
                    "a certificate and its key are made together");
  }
  RETURN_IF_ERROR(CheckAuthorities(options));
  const pki::CertificateFacts& facts = chain[0].facts();
  if (now >= facts.ends) {
    return Unusable("--tls-cert", absl::StrCat(options.certificate, " expired at ", pki::Shown(facts.ends)),
                    "renew it: curlew pki issue --renew");
  }
  if (now < facts.begins) {
    return Unusable("--tls-cert",
                    absl::StrCat(options.certificate, " is not valid before ", pki::Shown(facts.begins)),
                    absl::StrCat("the clock of this machine says ", pki::Shown(now), ": is it right?"));
  }
  transport->own_ = facts;
  // A session that is taken up again is not verified: it would outlive a revocation, and the certificate.
  RETURN_IF_ERROR(pki::ForbidResumption());
  return transport;
}

std::string Transport::name() const {
  if (!own_.has_value()) return "";
  return own_->uris.size() == 1 ? own_->uris[0] : own_->subject;
}

absl::Status Transport::Check(absl::string_view address) const {
  return secure() ? CheckAddress(address) : CheckLoopback(address);
}

namespace {

// Without a certificate of our own for whoever shows a token alone.
std::shared_ptr<grpc::experimental::FileWatcherCertificateProvider> Watch(const TransportOptions& options) {
  return std::make_shared<grpc::experimental::FileWatcherCertificateProvider>(
      options.key, options.certificate, options.ca,
      static_cast<unsigned>(absl::ToInt64Seconds(kReloadInterval)));
}

void SetUp(const TransportOptions& from, grpc::experimental::TlsCredentialsOptions* options) {
  options->watch_root_certs();
  if (!from.certificate.empty()) options->watch_identity_key_cert_pairs();
  if (!from.crl_directory.empty()) options->set_crl_directory(from.crl_directory);
}

}  // namespace

std::shared_ptr<grpc::ChannelCredentials> Transport::ForChannel() const {
  if (!secure()) return grpc::InsecureChannelCredentials();
  grpc::experimental::TlsChannelCredentialsOptions options;
  options.set_certificate_provider(Watch(options_));
  SetUp(options_, &options);
  options.set_certificate_verifier(std::make_shared<grpc::experimental::HostNameCertificateVerifier>());
  auto credentials = grpc::experimental::TlsCredentials(options);
  if (options_.token.empty()) return credentials;
  // gRPC sends it over connections that keep it secret, and no other.
  return grpc::CompositeChannelCredentials(credentials, grpc::AccessTokenCredentials(options_.token));
}

void Transport::Configure(grpc::ChannelArguments* arguments) const {
  if (!options_.server_name.empty()) arguments->SetSslTargetNameOverride(options_.server_name);
}

std::shared_ptr<grpc::ServerCredentials> Transport::ForServer() const {
  if (!secure()) return grpc::InsecureServerCredentials();
  grpc::experimental::TlsServerCredentialsOptions options(Watch(options_));
  SetUp(options_, &options);
  options.set_cert_request_type(options_.client_certificates == ClientCertificates::kRequired
                                    ? GRPC_SSL_REQUEST_AND_REQUIRE_CLIENT_CERTIFICATE_AND_VERIFY
                                    : GRPC_SSL_REQUEST_CLIENT_CERTIFICATE_AND_VERIFY);
  return grpc::experimental::TlsServerCredentials(options);
}

}  // namespace curlew::rpc
