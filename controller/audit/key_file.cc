#include "controller/audit/key_file.h"

#include <fcntl.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <memory>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "common/base/audit_key.h"
#include "common/base/status_macros.h"

namespace curlew::audit {
namespace {

using Memory = std::unique_ptr<BIO, decltype(&BIO_free)>;

Memory NewMemory() { return {BIO_new(BIO_s_mem()), &BIO_free}; }

absl::string_view TextOf(const Memory& memory) {
  char* data = nullptr;
  const long size = BIO_get_mem_data(memory.get(), &data);
  return {data, static_cast<size_t>(size)};
}

bool WriteAll(int fd, absl::string_view text) {
  while (!text.empty()) {
    const ssize_t written = write(fd, text.data(), text.size());
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) return false;
    text.remove_prefix(static_cast<size_t>(written));
  }
  return fsync(fd) == 0;
}

absl::Status WriteNewFile(const std::string& path, mode_t mode, absl::string_view text) {
  const int fd = open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode);
  if (fd < 0) {
    if (errno == EEXIST) {
      return absl::AlreadyExistsError(absl::StrCat(path, " is there already; it is not overwritten"));
    }
    return absl::ErrnoToStatus(errno, absl::StrCat("cannot make ", path));
  }
  const bool written = WriteAll(fd, text);
  const int error = errno;
  if (close(fd) == 0 && written) return absl::OkStatus();
  unlink(path.c_str());
  return absl::ErrnoToStatus(written ? errno : error, absl::StrCat("cannot write ", path));
}

}  // namespace

absl::StatusOr<KeyPair> MakeKeyPair(const std::string& path) {
  const std::unique_ptr<EVP_PKEY, decltype(&EVP_PKEY_free)> key(
      EVP_PKEY_Q_keygen(nullptr, nullptr, "ED25519"), &EVP_PKEY_free);
  const Memory secret = NewMemory();
  const Memory open = NewMemory();
  if (key == nullptr ||
      PEM_write_bio_PrivateKey(secret.get(), key.get(), nullptr, nullptr, 0, nullptr, nullptr) != 1 ||
      PEM_write_bio_PUBKEY(open.get(), key.get()) != 1) {
    ERR_clear_error();
    return absl::InternalError("OpenSSL cannot make an Ed25519 key");
  }
  ASSIGN_OR_RETURN(std::string id, base::AuditKeyId(key.get()));
  const KeyPair pair = {.public_path = absl::StrCat(path, ".pub"), .id = std::move(id)};
  RETURN_IF_ERROR(WriteNewFile(path, 0600, TextOf(secret)));
  if (const absl::Status status = WriteNewFile(pair.public_path, 0644, TextOf(open)); !status.ok()) {
    unlink(path.c_str());
    return status;
  }
  return pair;
}

}  // namespace curlew::audit
