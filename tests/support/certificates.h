// Real certificates for tests.
#ifndef CURLEW_TESTS_SUPPORT_CERTIFICATES_H_
#define CURLEW_TESTS_SUPPORT_CERTIFICATES_H_

#include <optional>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "common/pki/authority.h"
#include "common/rpc/transport.h"

namespace curlew::testing {

// A CA, and folders of pairs that it has issued, all of which go with it. A certificate is for `days` from
// `begins` on (now). Fails the test where one cannot be made. Not thread-safe.
class Certificates {
 public:
  Certificates();
  ~Certificates();
  Certificates(const Certificates&) = delete;
  Certificates& operator=(const Certificates&) = delete;

  // What a controller reads on 127.0.0.1 and localhost, and under `dns`.
  rpc::TransportOptions Controller(std::vector<std::string> dns = {"localhost", "curlew.test"}, int days = 30,
                                   std::optional<absl::Time> begins = std::nullopt);
  rpc::TransportOptions Agent(const std::string& name, int days = 30,
                              std::optional<absl::Time> begins = std::nullopt);
  rpc::TransportOptions User(const std::string& name, int days = 30,
                             std::optional<absl::Time> begins = std::nullopt);

  // Revokes the certificate that `options` name, in crl_directory().
  void Revoke(const rpc::TransportOptions& options);
  std::string crl_directory() const { return folder_ + "/crl"; }

  // The flags that say so.
  static std::vector<std::string> Flags(const rpc::TransportOptions& options);
  const std::string& folder() const { return folder_; }

 private:
  // Into the folder of `identity`, in the place of what was there.
  rpc::TransportOptions Issue(const pki::CertificateRequest& request, std::optional<absl::Time> begins);

  std::string folder_;
  std::optional<pki::Authority> authority_;
  std::vector<pki::Revocation> revoked_;
};

}  // namespace curlew::testing

#endif  // CURLEW_TESTS_SUPPORT_CERTIFICATES_H_
