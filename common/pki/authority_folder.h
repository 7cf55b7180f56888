// The folder of a CA: ca.crt, ca.key, what it has issued, and what it has revoked.
//
//   ca.crt             the CA's certificate
//   ca.key             its key, for the owner alone
//   issued/SERIAL.crt  each certificate that was issued, without its key: what can be revoked
//   crl/HASH.rN        lists of revoked certificates, each whole; the highest N is the newest
//   .lock              held while one of these is made
//
// The names of the lists are those by which OpenSSL looks for them (X509_LOOKUP_hash_dir). A process that has
// read N of them looks for the next at each handshake, and reads none again: so a list is added, and none is
// ever changed.
#ifndef CURLEW_COMMON_PKI_AUTHORITY_FOLDER_H_
#define CURLEW_COMMON_PKI_AUTHORITY_FOLDER_H_

#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "common/pki/authority.h"

namespace curlew::pki {

// A certificate that was issued, and since when it is revoked, if it is.
struct Issued {
  Certificate certificate;
  std::optional<absl::Time> revoked;
};

// What is in a folder of a CA.
struct Inventory {
  Certificate authority;
  std::vector<Issued> issued;  // in order of their ends
};

// Reads a folder of a CA, of which the key need not be there. NOT_FOUND with base::kHint where there is no
// CA; DATA_LOSS with base::kHint where a file of it is damaged, or a list is missing.
absl::StatusOr<Inventory> TakeInventory(const std::string& path);

// Not thread-safe; several processes may use one folder.
class AuthorityFolder {
 public:
  // What became of a request to make a CA.
  enum class Made { kNow, kBefore };

  // Makes a CA in the folder, which is made where it is not there: with an empty list of revoked
  // certificates, so that verifiers can be told of its folder from the beginning. Where an earlier call died
  // on the way, the CA that it had made may be taken (kBefore: `options` do not count). ALREADY_EXISTS with
  // base::kHint where there is a CA, or a part of one: nothing is ever overwritten. Else as Authority::Make.
  static absl::StatusOr<AuthorityFolder> Make(const std::string& path, const AuthorityOptions& options,
                                              absl::Time now, Made* made);

  // NOT_FOUND with base::kHint where there is no CA. FAILED_PRECONDITION where others can read its key. Else
  // as Authority::FromPem, with the path before.
  static absl::StatusOr<AuthorityFolder> Open(const std::string& path);

  const Authority& authority() const { return authority_; }
  const std::string& path() const { return path_; }
  // Where its lists are.
  std::string ListsPath() const;

  // As Authority::Issue; what is returned is in issued/.
  absl::StatusOr<Pair> Issue(const CertificateRequest& request, absl::Time now) const;

  // Revokes the certificate with the serial number (hexadecimal; colons and upper case are fine), and writes
  // a new list. Returns since when it is revoked: before `now` where it was already, and then nothing is
  // written. NOT_FOUND with base::kHint where this CA has not issued it. INVALID_ARGUMENT for a text that is
  // no serial number, and for the CA's own. DATA_LOSS where a list is damaged, missing or not the CA's: none
  // is left out, so that nothing that was revoked becomes valid again. Else as Authority::SignList.
  absl::StatusOr<absl::Time> Revoke(absl::string_view serial, absl::Time now) const;

  // The same for a certificate, also one that is not in issued/, as from a folder that was restored.
  // INVALID_ARGUMENT where another CA has signed it.
  absl::StatusOr<absl::Time> Revoke(const Certificate& certificate, absl::Time now) const;

 private:
  AuthorityFolder(std::string path, Authority authority)
      : path_(std::move(path)), authority_(std::move(authority)) {}
  absl::StatusOr<absl::Time> RevokeSerial(const std::string& serial, absl::Time now) const;

  std::string path_;
  Authority authority_;
};

}  // namespace curlew::pki

#endif  // CURLEW_COMMON_PKI_AUTHORITY_FOLDER_H_
