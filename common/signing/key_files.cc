#include "common/signing/key_files.h"

#include <filesystem>

#include "absl/status/status.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "common/base/error_detail.h"
#include "common/base/status_macros.h"
#include "common/pki/files.h"

namespace curlew::signing {
namespace {

constexpr mode_t kOwnerAlone = 0600, kEverybody = 0644;

absl::Status Write(const std::string& path, absl::string_view text, mode_t mode) {
  const absl::Status status = pki::WriteNew(path, text, {.mode = mode});
  if (!absl::IsAlreadyExists(status)) return status;
  return absl::AlreadyExistsError(absl::StrCat(path, " is there already; it is not overwritten"));
}

}  // namespace

absl::StatusOr<KeyFiles> MakeKeyFiles(const std::string& path) {
  ASSIGN_OR_RETURN(const SigningKey key, SigningKey::Generate());
  KeyFiles made = {.public_path = absl::StrCat(path, ".pub"), .key = key.public_key()};
  RETURN_IF_ERROR(Write(path, key.Pem().Reveal(), kOwnerAlone));
  absl::Status status = Write(made.public_path, made.key.Pem(), kEverybody);
  if (status.ok()) {
    const std::filesystem::path folder = std::filesystem::path(path).parent_path();
    status = pki::Sync(folder.empty() ? "." : folder.string());
    if (status.ok()) return made;
    pki::Remove(made.public_path).IgnoreError();
  }
  pki::Remove(path).IgnoreError();
  return status;
}

absl::StatusOr<PublicKey> LoadPublicKey(const std::string& path) {
  ASSIGN_OR_RETURN(const std::string text, pki::ReadWhole(path));
  if (absl::StrContains(text, "PRIVATE KEY")) {
    ASSIGN_OR_RETURN(const SigningKey key, SigningKey::Load(path));
    return key.public_key();
  }
  auto key = PublicKey::FromPem(text);
  if (!key.ok()) return base::Annotate(key.status(), path);
  return key;
}

}  // namespace curlew::signing
