#include "tests/support/certificates.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <sstream>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "common/pki/pair_folder.h"
#include "common/pki/revocations.h"

namespace curlew::testing {
namespace {

// CAs begin so long ago that a test can have certificates that have ended.
constexpr absl::Duration kAge = absl::Hours(24 * 365);

std::string NewFolder() {
  std::string folder = absl::StrCat(::testing::TempDir(), "/curlew-certificates-XXXXXX");
  EXPECT_NE(mkdtemp(folder.data()), nullptr);
  return folder;
}

std::string ReadFile(const std::string& path) {
  std::stringstream text;
  text << std::ifstream(path).rdbuf();
  return text.str();
}

}  // namespace

Certificates::Certificates() : folder_(NewFolder()) {
  auto authority = pki::Authority::Make({}, absl::Now() - kAge);
  EXPECT_TRUE(authority.ok()) << authority.status();
  if (authority.ok()) authority_ = *std::move(authority);
  std::filesystem::create_directory(crl_directory());
}

Certificates::~Certificates() { std::filesystem::remove_all(folder_); }

rpc::TransportOptions Certificates::Controller(std::vector<std::string> dns, int days,
                                               std::optional<absl::Time> begins) {
  return Issue({.identity = {.party = pki::Party::kController},
                .dns = std::move(dns),
                .ips = {"127.0.0.1", "::1"},
                .days = days},
               begins);
}

rpc::TransportOptions Certificates::Agent(const std::string& name, int days,
                                          std::optional<absl::Time> begins) {
  return Issue({.identity = {.party = pki::Party::kAgent, .name = name}, .days = days}, begins);
}

rpc::TransportOptions Certificates::User(const std::string& name, int days,
                                         std::optional<absl::Time> begins) {
  return Issue({.identity = {.party = pki::Party::kUser, .name = name}, .days = days}, begins);
}

rpc::TransportOptions Certificates::Issue(const pki::CertificateRequest& request,
                                          std::optional<absl::Time> begins) {
  const std::string path =
      absl::StrCat(folder_, "/", Word(request.identity.party), "-", request.identity.name);
  const auto pair = authority_->Issue(request, begins.value_or(absl::Now()));
  EXPECT_TRUE(pair.ok()) << pair.status();
  auto folder = pki::PairFolder::Open(path);
  EXPECT_TRUE(folder.ok()) << folder.status();
  if (pair.ok() && folder.ok()) {
    const absl::Status written = folder->Write(*pair, {authority_->certificate()});
    EXPECT_TRUE(written.ok()) << written;
  }
  return {.certificate = absl::StrCat(path, "/", pki::kCertificateFile),
          .key = absl::StrCat(path, "/", pki::kKeyFile),
          .ca = absl::StrCat(path, "/", pki::kTrustedFile)};
}

void Certificates::Revoke(const rpc::TransportOptions& options) {
  const auto certificate = pki::Certificate::FromPem(ReadFile(options.certificate));
  ASSERT_TRUE(certificate.ok()) << certificate.status();
  const int number = static_cast<int>(revoked_.size());
  revoked_.push_back({.serial = certificate->facts().serial, .since = absl::Now()});
  const auto list = authority_->SignList(revoked_, number + 1, absl::InfinitePast(), absl::Now());
  ASSERT_TRUE(list.ok()) << list.status();
  std::ofstream(absl::StrCat(crl_directory(), "/", pki::ListName(authority_->certificate()), ".r", number))
      << *list;
}

std::vector<std::string> Certificates::Flags(const rpc::TransportOptions& options) {
  std::vector<std::string> flags = {"--tls-cert", options.certificate, "--tls-key",
                                    options.key,  "--tls-ca",          options.ca};
  if (!options.crl_directory.empty()) flags.insert(flags.end(), {"--tls-crl-dir", options.crl_directory});
  if (!options.server_name.empty()) flags.insert(flags.end(), {"--tls-server-name", options.server_name});
  return flags;
}

}  // namespace curlew::testing
