#include "cli/pki_secret.h"

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "common/pki/pair_folder.h"

namespace curlew::cli {
namespace {

std::string Entry(const char* name, absl::string_view value) {
  return absl::StrCat("  ", name, ": ", absl::Base64Escape(value), "\n");
}

}  // namespace

pki::Secret SecretManifest(absl::string_view name, absl::string_view name_space, const pki::Pair& pair,
                           const std::vector<pki::Certificate>& trusted) {
  const pki::CertificateFacts& facts = pair.certificate.facts();
  return pki::Secret(absl::StrCat(
      "# ", facts.uris[0], ", valid until ", pki::Shown(facts.ends), ", serial number ", facts.serial, "\n",
      "apiVersion: v1\nkind: Secret\ntype: kubernetes.io/tls\nmetadata:\n  name: ", name, "\n",
      name_space.empty() ? "" : absl::StrCat("  namespace: ", name_space, "\n"), "data:\n",
      Entry(pki::kCertificateFile, pair.certificate.Pem()), Entry(pki::kKeyFile, pair.key.Reveal()),
      Entry(pki::kTrustedFile, pki::PemOf(trusted))));
}

}  // namespace curlew::cli
