// Certificates as Kubernetes takes them. Pure functions.
#ifndef CURLEW_CLI_PKI_SECRET_H_
#define CURLEW_CLI_PKI_SECRET_H_

#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "common/pki/authority.h"

namespace curlew::cli {

// A Secret of type kubernetes.io/tls with tls.crt, tls.key and ca.crt, in YAML; without a namespace where
// `name_space` is empty. The key is in it: for `kubectl apply -f -`, not for people.
pki::Secret SecretManifest(absl::string_view name, absl::string_view name_space, const pki::Pair& pair,
                           const std::vector<pki::Certificate>& trusted);

}  // namespace curlew::cli

#endif  // CURLEW_CLI_PKI_SECRET_H_
