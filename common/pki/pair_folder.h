// The folder that a program reads its certificate from: tls.crt, tls.key and ca.crt, as in a mounted Secret.
#ifndef CURLEW_COMMON_PKI_PAIR_FOLDER_H_
#define CURLEW_COMMON_PKI_PAIR_FOLDER_H_

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "common/pki/authority.h"
#include "common/pki/certificate.h"
#include "common/pki/files.h"

namespace curlew::pki {

// The three files are links through the link "..data" to files of one hidden folder "..SERIAL", as the
// kubelet mounts Secrets. New files go to a new hidden folder, and then "..data" is made to lead there, in
// one step: who opens the three files at any moment finds those of one certificate, never a mix, and a crash
// leaves the old ones or the new ones. Files that were there as plain ones (a folder that somebody copied)
// become links on the way, without a moment at which they are gone.
//
// Holds the folder's lock while it lives; not thread-safe.
class PairFolder {
 public:
  // Makes the folder, for its owner alone, where it is not there. UNAVAILABLE where another holds it for
  // long.
  static absl::StatusOr<PairFolder> Open(const std::string& path);

  // What tls.crt holds; nullopt where there is none. INVALID_ARGUMENT where it holds something else;
  // ALREADY_EXISTS with base::kHint where there is none, but another of the files, which somebody put there.
  absl::StatusOr<std::optional<Certificate>> Current() const;
  // What ca.crt holds; empty where there is none.
  absl::StatusOr<std::vector<Certificate>> Trusted() const;

  // Puts the pair and the CAs in the place of what is there. The files get owner, group and mode of those
  // that they replace; new ones that root makes belong to the owner of the folder, and the key is open to
  // nobody else. FAILED_PRECONDITION with base::kHint where a file there is a link that somebody else made,
  // or the key that is there is open to everybody; then, and after any other error, the folder is used as it
  // was.
  absl::Status Write(const Pair& pair, const std::vector<Certificate>& trusted);

 private:
  PairFolder(std::string path, FolderLock lock) : path_(std::move(path)), lock_(std::move(lock)) {}
  std::string At(absl::string_view name) const;
  absl::Status Sweep() const;
  bool IsThere(const std::string& name) const;
  absl::StatusOr<bool> IsOurLink(const std::string& name) const;
  absl::StatusOr<Rights> RightsOf(const std::string& name) const;
  absl::StatusOr<Rights> OwnersRights(mode_t mode) const;
  absl::Status Adopt() const;
  absl::Status MakeVersion(const std::string& version,
                           const std::vector<std::pair<std::string, Secret>>& files) const;
  absl::Status Lead(const std::string& link, const std::string& to) const;

  std::string path_;
  FolderLock lock_;
};

// Names of the three files.
inline constexpr char kCertificateFile[] = "tls.crt";
inline constexpr char kKeyFile[] = "tls.key";
inline constexpr char kTrustedFile[] = "ca.crt";

}  // namespace curlew::pki

#endif  // CURLEW_COMMON_PKI_PAIR_FOLDER_H_
