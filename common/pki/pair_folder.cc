#include "common/pki/pair_folder.h"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <system_error>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "common/base/error_detail.h"
#include "common/base/id.h"
#include "common/base/status_macros.h"

namespace curlew::pki {
namespace {

constexpr char kData[] = "..data";
// What is on its way to another name.
constexpr char kNew[] = ".new";
// In this order they come into a new folder: one with a certificate is whole.
constexpr const char* kNames[] = {kTrustedFile, kKeyFile, kCertificateFile};
// Folders of versions: two dots, and a serial number or a random word of this length.
constexpr size_t kLengthOfVersion = 32;

std::string LinkTo(absl::string_view name) { return absl::StrCat(kData, "/", name); }

bool IsVersion(absl::string_view name) {
  return absl::ConsumePrefix(&name, "..") && name.size() == kLengthOfVersion &&
         std::all_of(name.begin(), name.end(), [](unsigned char c) { return absl::ascii_isalnum(c); });
}

}  // namespace

absl::StatusOr<PairFolder> PairFolder::Open(const std::string& path) {
  RETURN_IF_ERROR(MakeFolder(path));
  ASSIGN_OR_RETURN(FolderLock lock, FolderLock::Take(path));
  return PairFolder(path, std::move(lock));
}

std::string PairFolder::At(absl::string_view name) const { return absl::StrCat(path_, "/", name); }

absl::StatusOr<std::optional<Certificate>> PairFolder::Current() const {
  if (!IsThere(kCertificateFile)) {
    for (const char* name : {kKeyFile, kTrustedFile}) {
      ASSIGN_OR_RETURN(const bool ours, IsOurLink(name));
      if (ours || !IsThere(name)) continue;
      return base::WithDetail(
          absl::AlreadyExistsError(absl::StrCat(path_, " has no ", kCertificateFile, ", but a ", name,
                                                " of somebody else's, which is not overwritten")),
          base::kHint, "give another folder (--out), or move the file away");
    }
    return std::nullopt;
  }
  ASSIGN_OR_RETURN(const std::string text, ReadWhole(At(kCertificateFile)));
  absl::StatusOr<Certificate> certificate = Certificate::FromPem(text);
  if (!certificate.ok()) return base::Annotate(certificate.status(), At(kCertificateFile));
  return *std::move(certificate);
}

absl::StatusOr<std::vector<Certificate>> PairFolder::Trusted() const {
  if (!IsThere(kTrustedFile)) return std::vector<Certificate>();
  ASSIGN_OR_RETURN(const std::string text, ReadWhole(At(kTrustedFile)));
  absl::StatusOr<std::vector<Certificate>> trusted = Certificate::AllFromPem(text);
  if (!trusted.ok()) return base::Annotate(trusted.status(), At(kTrustedFile));
  return trusted;
}

// Removes what is not in use: what runs that died have left, and what was replaced.
absl::Status PairFolder::Sweep() const {
  const std::string used = ReadLink(At(kData)).value_or("");
  std::vector<std::string> left;
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator(path_, error)) {
    const std::string name = entry.path().filename().string();
    if (IsVersion(name) && name != used) left.push_back(name);
  }
  if (error) return absl::ErrnoToStatus(error.value(), absl::StrCat("cannot read ", path_));
  for (const char* name : {kData, kTrustedFile, kKeyFile, kCertificateFile})
    left.push_back(absl::StrCat(name, kNew));
  for (const std::string& name : left) RETURN_IF_ERROR(Remove(At(name)));
  return absl::OkStatus();
}

// Whether there is such a file, where links lead, too.
bool PairFolder::IsThere(const std::string& name) const {
  struct stat found {};
  return stat(At(name).c_str(), &found) == 0;
}

absl::StatusOr<bool> PairFolder::IsOurLink(const std::string& name) const {
  const std::optional<std::string> to = ReadLink(At(name));
  if (!to.has_value()) return false;
  if (*to == LinkTo(name)) return true;
  return base::WithDetail(absl::FailedPreconditionError(absl::StrCat(At(name), " is a link to ", *to,
                                                                     ", which this program did not make")),
                          base::kHint,
                          "give the folder where the files themselves are, or a new one (--out)");
}

absl::StatusOr<Rights> PairFolder::RightsOf(const std::string& name) const {
  constexpr mode_t kKeyMode = 0600, kOpenMode = 0644, kAll = 0777;
  struct stat found {};
  if (stat(At(name).c_str(), &found) == 0) {
    return Rights{.mode = found.st_mode & kAll, .owner = found.st_uid, .group = found.st_gid};
  }
  return OwnersRights(name == kKeyFile ? kKeyMode : kOpenMode);
}

// Those of something new in the folder.
absl::StatusOr<Rights> PairFolder::OwnersRights(mode_t mode) const {
  struct stat above {};
  if (stat(path_.c_str(), &above) != 0)
    return absl::ErrnoToStatus(errno, absl::StrCat("cannot look at ", path_));
  if (geteuid() != 0) return Rights{.mode = mode};
  return Rights{.mode = mode, .owner = above.st_uid, .group = above.st_gid};
}

absl::Status PairFolder::MakeVersion(const std::string& version,
                                     const std::vector<std::pair<std::string, Secret>>& files) const {
  RETURN_IF_ERROR(MakeFolder(At(version)));
  for (const auto& [name, text] : files) {
    ASSIGN_OR_RETURN(const Rights rights, RightsOf(name));
    RETURN_IF_ERROR(WriteNew(absl::StrCat(At(version), "/", name), text.Reveal(), rights));
  }
  RETURN_IF_ERROR(Sync(At(version)));
  // What is in it has rights of its own, and the folder above it, too.
  ASSIGN_OR_RETURN(const Rights rights, OwnersRights(kOpenFolder));
  return SetRights(At(version), rights);
}

// Makes `link` lead to `to`, at once.
absl::Status PairFolder::Lead(const std::string& link, const std::string& to) const {
  const std::string made = absl::StrCat(At(link), kNew);
  RETURN_IF_ERROR(MakeLink(to, made));
  return Move(made, At(link), Target::kAny);
}

// Makes plain files links to copies of themselves, so that all of them can be replaced in one step. A run
// that died in the middle is gone on with: what is a link already goes along.
absl::Status PairFolder::Adopt() const {
  std::vector<std::string> plain;
  std::vector<std::pair<std::string, Secret>> files;
  for (const std::string name : kNames) {
    ASSIGN_OR_RETURN(const bool ours, IsOurLink(name));
    if (!IsThere(name)) continue;
    ASSIGN_OR_RETURN(std::string text, name == kKeyFile ? ReadPrivate(At(name)) : ReadWhole(At(name)));
    files.emplace_back(name, Secret(std::move(text)));
    if (!ours) plain.push_back(name);
  }
  if (plain.empty()) return absl::OkStatus();
  const std::string version = absl::StrCat("..", base::RandomId(kLengthOfVersion));
  RETURN_IF_ERROR(MakeVersion(version, files));
  RETURN_IF_ERROR(Lead(kData, version));
  for (const std::string& name : plain) RETURN_IF_ERROR(Lead(name, LinkTo(name)));
  return absl::OkStatus();
}

absl::Status PairFolder::Write(const Pair& pair, const std::vector<Certificate>& trusted) {
  RETURN_IF_ERROR(Sweep());
  RETURN_IF_ERROR(Adopt());
  const std::string version = absl::StrCat("..", pair.certificate.facts().serial);
  std::vector<std::pair<std::string, Secret>> files;
  files.emplace_back(kTrustedFile, Secret(PemOf(trusted)));
  files.emplace_back(kKeyFile, Secret(std::string(pair.key.Reveal())));
  files.emplace_back(kCertificateFile, Secret(pair.certificate.Pem()));
  RETURN_IF_ERROR(MakeVersion(version, files));
  RETURN_IF_ERROR(Lead(kData, version));
  for (const std::string name : kNames) {
    ASSIGN_OR_RETURN(const bool ours, IsOurLink(name));
    if (!ours) RETURN_IF_ERROR(Lead(name, LinkTo(name)));
  }
  // The new ones are in use: what cannot be removed now is left to the next run.
  Sweep().IgnoreError();
  return absl::OkStatus();
}

}  // namespace curlew::pki
