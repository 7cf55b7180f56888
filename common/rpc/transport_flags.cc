#include "common/rpc/transport_flags.h"

#include <string>

namespace curlew::rpc {
namespace {

void AddFile(CLI::App* app, const char* flag, const char* variable, std::string* value, const char* type,
             const char* help) {
  app->add_option(flag, *value, help)->type_name(type)->envname(variable);
}

}  // namespace

void AddTransportFlags(CLI::App* app, Side side, TransportOptions* options) {
  AddFile(app, "--tls-cert", "CURLEW_TLS_CERT", &options->certificate, "FILE",
          "Certificate to show, with its chain (PEM); read again when it changes");
  AddFile(app, "--tls-key", "CURLEW_TLS_KEY", &options->key, "FILE", "Private key of --tls-cert (PEM)");
  AddFile(app, "--tls-ca", "CURLEW_TLS_CA", &options->ca, "FILE", "Whose certificates are trusted (PEM)");
  AddFile(app, "--tls-crl-dir", "CURLEW_TLS_CRL_DIR", &options->crl_directory, "DIR",
          "Folder of lists of revoked certificates, as curlew pki revoke makes it");
  if (side == Side::kClient) {
    AddFile(app, "--tls-server-name", "CURLEW_TLS_SERVER_NAME", &options->server_name, "NAME",
            "Name that the controller's certificate must have, where it is not the host of --controller");
  }
  app->add_flag_function(
         "--insecure",
         [options](int64_t count) {
           options->plain_text = count > 0 ? PlainText::kLoopbackOnly : PlainText::kNo;
         },
         "Plain text in place of certificates, between processes of this machine alone")
      ->envname("CURLEW_INSECURE");
}

}  // namespace curlew::rpc
