#include "common/pki/authority_folder.h"

#include <openssl/err.h>

#include <algorithm>
#include <filesystem>
#include <map>
#include <system_error>
#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/strip.h"
#include "common/base/error_detail.h"
#include "common/base/status_macros.h"
#include "common/pki/files.h"
#include "common/pki/revocations.h"
#include "common/pki/secret.h"

namespace curlew::pki {
namespace {

constexpr Rights kOwnerOnly = {.mode = 0600};
constexpr Rights kOpen = {.mode = 0644};

std::string CertificatePath(const std::string& folder) { return absl::StrCat(folder, "/ca.crt"); }
std::string KeyPath(const std::string& folder) { return absl::StrCat(folder, "/ca.key"); }
// Where the two are until all is ready. A certificate that lies there beside a key in its place is the CA
// that a run had almost made when it died.
std::string StagedCertificatePath(const std::string& folder) { return absl::StrCat(folder, "/.ca.crt.new"); }
std::string StagedKeyPath(const std::string& folder) { return absl::StrCat(folder, "/.ca.key.new"); }
std::string IssuedPath(const std::string& folder) { return absl::StrCat(folder, "/issued"); }
std::string ListsPathOf(const std::string& folder) { return absl::StrCat(folder, "/crl"); }

std::string ListPath(const std::string& folder, const Certificate& authority, size_t number) {
  return absl::StrCat(ListsPathOf(folder), "/", ListName(authority), ".r", number);
}

absl::StatusOr<Authority> Read(const std::string& certificate_path, const std::string& key_path) {
  ASSIGN_OR_RETURN(const std::string certificate, ReadWhole(certificate_path));
  ASSIGN_OR_RETURN(std::string text, ReadPrivate(key_path));
  const Secret key(std::move(text));
  absl::StatusOr<Authority> authority = Authority::FromPem(certificate, key.Reveal());
  if (!authority.ok()) {
    return base::Annotate(authority.status(), absl::StrCat(certificate_path, " and ", key_path));
  }
  return authority;
}

// Makes `path` with that text, all at once. ALREADY_EXISTS.
absl::Status Publish(const std::string& path, absl::string_view text, const Rights& rights) {
  const std::string staged = absl::StrCat(path, ".new");
  RETURN_IF_ERROR(Remove(staged));
  RETURN_IF_ERROR(WriteNew(staged, text, rights));
  return Move(staged, path, Target::kAbsent);
}

absl::Status IsTaken(const std::string& path, absl::string_view hint) {
  return base::WithDetail(
      absl::AlreadyExistsError(absl::StrCat(path, " is there already; it is not overwritten")), base::kHint,
      hint);
}

// OK where the file of a CA is there.
absl::Status CheckIsThere(const std::string& folder, const std::string& needed) {
  ASSIGN_OR_RETURN(const auto found, Look(needed));
  if (found.has_value()) return absl::OkStatus();
  return base::WithDetail(
      absl::NotFoundError(absl::StrCat("there is no CA in ", folder, ": ", needed, " is missing")),
      base::kHint,
      "give the folder of the CA with --dir; where there is none yet, make one: curlew pki init");
}

// The lists of a CA, oldest first. DATA_LOSS.
absl::StatusOr<std::vector<RevocationList>> Lists(const std::string& folder, const Certificate& authority) {
  constexpr char kPutBack[] =
      "put it back from where the controllers read their lists, or from a backup; it says which certificates "
      "are revoked";
  std::vector<RevocationList> lists;
  for (std::string path = ListPath(folder, authority, 0);; path = ListPath(folder, authority, lists.size())) {
    ASSIGN_OR_RETURN(const auto found, Look(path));
    if (!found.has_value()) break;
    ASSIGN_OR_RETURN(const std::string text, ReadWhole(path));
    absl::StatusOr<RevocationList> list = ReadList(text);
    if (!list.ok() || !IsSignedBy(*list, authority)) {
      return base::WithDetail(
          absl::DataLossError(absl::StrCat(path, list.ok() ? " was not signed by this CA" : " is damaged")),
          base::kHint, kPutBack);
    }
    lists.push_back(*std::move(list));
  }
  // Verifiers read up to the first that is not there.
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator(ListsPathOf(folder), error)) {
    const std::string name = entry.path().filename().string();
    absl::string_view number = name;
    size_t n = 0;
    if (!absl::ConsumePrefix(&number, absl::StrCat(ListName(authority), ".r")) ||
        !absl::SimpleAtoi(number, &n) || n < lists.size()) {
      continue;
    }
    return base::WithDetail(absl::DataLossError(absl::StrCat(ListPath(folder, authority, lists.size()),
                                                             " is missing, and ", name, " is there")),
                            base::kHint, kPutBack);
  }
  return lists;
}

}  // namespace

absl::StatusOr<Inventory> TakeInventory(const std::string& path) {
  RETURN_IF_ERROR(CheckIsThere(path, CertificatePath(path)));
  ASSIGN_OR_RETURN(const std::string own_text, ReadWhole(CertificatePath(path)));
  absl::StatusOr<Certificate> own = Certificate::FromPem(own_text);
  if (!own.ok()) return base::Annotate(own.status(), CertificatePath(path));
  ASSIGN_OR_RETURN(const std::vector<RevocationList> lists, Lists(path, *own));
  std::map<std::string, absl::Time> revoked;
  for (const RevocationList& list : lists) {
    for (const Revocation& one : list.revocations) revoked.emplace(one.serial, one.since);
  }
  std::vector<Issued> all;
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator(IssuedPath(path), error)) {
    if (entry.path().extension() != ".crt") continue;
    ASSIGN_OR_RETURN(const std::string text, ReadWhole(entry.path().string()));
    absl::StatusOr<Certificate> certificate = Certificate::FromPem(text);
    if (!certificate.ok()) {
      return base::WithDetail(absl::DataLossError(absl::StrCat(entry.path().string(), " is damaged")),
                              base::kHint, "put it back from a backup, or move it away");
    }
    const auto since = revoked.find(certificate->facts().serial);
    all.push_back(
        {*std::move(certificate), since == revoked.end() ? std::nullopt : std::optional(since->second)});
  }
  std::sort(all.begin(), all.end(), [](const Issued& a, const Issued& b) {
    return std::pair(a.certificate.facts().ends, a.certificate.facts().serial) <
           std::pair(b.certificate.facts().ends, b.certificate.facts().serial);
  });
  return Inventory{*std::move(own), std::move(all)};
}

absl::StatusOr<AuthorityFolder> AuthorityFolder::Make(const std::string& path,
                                                      const AuthorityOptions& options, absl::Time now,
                                                      Made* made) {
  // First what needs no folder, and may be wrong.
  ASSIGN_OR_RETURN(Authority authority, Authority::Make(options, now));
  ASSIGN_OR_RETURN(const Secret key, authority.Key());
  RETURN_IF_ERROR(MakeFolder(path));
  ASSIGN_OR_RETURN(const FolderLock lock, FolderLock::Take(path));
  ASSIGN_OR_RETURN(const auto certificate_there, Look(CertificatePath(path)));
  ASSIGN_OR_RETURN(const auto key_there, Look(KeyPath(path)));
  ASSIGN_OR_RETURN(const auto staged_there, Look(StagedCertificatePath(path)));
  if (certificate_there.has_value()) {
    return IsTaken(CertificatePath(path),
                   "this folder has a CA: use it (curlew pki issue), or give another --dir");
  }
  if (key_there.has_value()) {
    if (staged_there.has_value()) {
      if (absl::StatusOr<Authority> before = Read(StagedCertificatePath(path), KeyPath(path)); before.ok()) {
        RETURN_IF_ERROR(Move(StagedCertificatePath(path), CertificatePath(path), Target::kAbsent));
        *made = Made::kBefore;
        return AuthorityFolder(path, *std::move(before));
      }
    }
    return IsTaken(KeyPath(path),
                   "it is the key of a CA whose ca.crt is missing: put that back, or give another --dir");
  }
  RETURN_IF_ERROR(MakeFolder(IssuedPath(path), kOpenFolder));
  RETURN_IF_ERROR(MakeFolder(ListsPathOf(path), kOpenFolder));
  RETURN_IF_ERROR(Remove(StagedCertificatePath(path)));
  RETURN_IF_ERROR(Remove(StagedKeyPath(path)));
  RETURN_IF_ERROR(WriteNew(StagedCertificatePath(path), authority.certificate().Pem(), kOpen));
  RETURN_IF_ERROR(WriteNew(StagedKeyPath(path), key.Reveal(), kOwnerOnly));
  ASSIGN_OR_RETURN(const std::string list, authority.SignList({}, 1, absl::InfinitePast(), now));
  RETURN_IF_ERROR(Publish(ListPath(path, authority.certificate(), 0), list, kOpen));
  RETURN_IF_ERROR(Move(StagedKeyPath(path), KeyPath(path), Target::kAbsent));
  RETURN_IF_ERROR(Move(StagedCertificatePath(path), CertificatePath(path), Target::kAbsent));
  *made = Made::kNow;
  return AuthorityFolder(path, std::move(authority));
}

absl::StatusOr<AuthorityFolder> AuthorityFolder::Open(const std::string& path) {
  RETURN_IF_ERROR(CheckIsThere(path, CertificatePath(path)));
  RETURN_IF_ERROR(CheckIsThere(path, KeyPath(path)));
  ASSIGN_OR_RETURN(Authority authority, Read(CertificatePath(path), KeyPath(path)));
  return AuthorityFolder(path, std::move(authority));
}

std::string AuthorityFolder::ListsPath() const { return ListsPathOf(path_); }

absl::StatusOr<Pair> AuthorityFolder::Issue(const CertificateRequest& request, absl::Time now) const {
  ASSIGN_OR_RETURN(Pair pair, authority_.Issue(request, now));
  ASSIGN_OR_RETURN(const FolderLock lock, FolderLock::Take(path_));
  RETURN_IF_ERROR(MakeFolder(IssuedPath(path_), kOpenFolder));
  RETURN_IF_ERROR(Publish(absl::StrCat(IssuedPath(path_), "/", pair.certificate.facts().serial, ".crt"),
                          pair.certificate.Pem(), kOpen));
  return pair;
}

absl::StatusOr<absl::Time> AuthorityFolder::Revoke(absl::string_view serial, absl::Time now) const {
  const Owned<ASN1_INTEGER> number = IntegerOf(absl::StrReplaceAll(serial, {{":", ""}, {" ", ""}}));
  if (number == nullptr) {
    return base::WithDetail(
        absl::InvalidArgumentError(absl::StrCat("\"", serial, "\" is neither a file nor a serial number")),
        base::kHint,
        "give the file of the certificate, or its serial number (hexadecimal digits) as curlew pki show has "
        "it");
  }
  const std::string wanted = HexOf(number.get());
  ASSIGN_OR_RETURN(const auto found, Look(absl::StrCat(IssuedPath(path_), "/", wanted, ".crt")));
  if (!found.has_value()) {
    return base::WithDetail(
        absl::NotFoundError(
            absl::StrCat("the CA in ", path_, " has issued no certificate with the serial number ", wanted)),
        base::kHint, absl::StrCat("see what it has issued: curlew pki show ", path_));
  }
  return RevokeSerial(wanted, now);
}

absl::StatusOr<absl::Time> AuthorityFolder::Revoke(const Certificate& certificate, absl::Time now) const {
  const Certificate& own = authority_.certificate();
  if (certificate.facts().fingerprint == own.facts().fingerprint) {
    return base::WithDetail(absl::InvalidArgumentError("a CA cannot revoke itself"), base::kHint,
                            "take it out of every ca.crt: docs/pki.md says how to change over to another");
  }
  const bool signed_by_it =
      X509_NAME_cmp(X509_get_issuer_name(certificate.get()), X509_get_subject_name(own.get())) == 0 &&
      X509_verify(certificate.get(), X509_get0_pubkey(own.get())) == 1;
  ERR_clear_error();
  if (!signed_by_it) {
    return base::WithDetail(
        absl::InvalidArgumentError(absl::StrCat("the certificate was issued by ", certificate.facts().issuer,
                                                ", not by the CA in ", path_)),
        base::kHint, "only the CA that has issued a certificate can revoke it: give its --dir");
  }
  return RevokeSerial(certificate.facts().serial, now);
}

absl::StatusOr<absl::Time> AuthorityFolder::RevokeSerial(const std::string& serial, absl::Time now) const {
  ASSIGN_OR_RETURN(const FolderLock lock, FolderLock::Take(path_));
  RETURN_IF_ERROR(MakeFolder(ListsPath(), kOpenFolder));
  ASSIGN_OR_RETURN(const std::vector<RevocationList> lists, Lists(path_, authority_.certificate()));
  std::map<std::string, absl::Time> revoked;
  int64_t number = 0;
  absl::Time newest = absl::InfinitePast();
  for (const RevocationList& list : lists) {
    number = std::max(number, list.number);
    newest = std::max(newest, list.begins);
    for (const Revocation& one : list.revocations) revoked.emplace(one.serial, one.since);
  }
  const auto [entry, fresh] = revoked.emplace(serial, now);
  if (!fresh) return entry->second;
  std::vector<Revocation> all;
  for (const auto& [revoked_serial, since] : revoked) all.push_back({revoked_serial, since});
  ASSIGN_OR_RETURN(const std::string text, authority_.SignList(all, number + 1, newest, now));
  RETURN_IF_ERROR(Publish(ListPath(path_, authority_.certificate(), lists.size()), text, kOpen));
  return now;
}

}  // namespace curlew::pki
