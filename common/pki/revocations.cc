#include "common/pki/revocations.h"

#include <openssl/err.h>
#include <openssl/pem.h>

#include "absl/strings/str_format.h"

namespace curlew::pki {

absl::StatusOr<RevocationList> ReadList(absl::string_view pem) {
  RevocationList read;
  const Owned<BIO> text = Reading(pem);
  read.list.reset(PEM_read_bio_X509_CRL(text.get(), nullptr, nullptr, nullptr), Freed());
  ERR_clear_error();
  if (read.list == nullptr) {
    return absl::InvalidArgumentError(
        "there is no list of revoked certificates in PEM (-----BEGIN X509 CRL-----)");
  }
  X509_CRL* const list = read.list.get();
  read.issuer = TextOf(X509_CRL_get_issuer(list));
  read.begins = TimeOf(X509_CRL_get0_lastUpdate(list));
  const ASN1_TIME* ends = X509_CRL_get0_nextUpdate(list);
  read.ends = ends == nullptr ? absl::InfiniteFuture() : TimeOf(ends);
  const Owned<ASN1_INTEGER> number(
      static_cast<ASN1_INTEGER*>(X509_CRL_get_ext_d2i(list, NID_crl_number, nullptr, nullptr)));
  if (number != nullptr) ASN1_INTEGER_get_int64(&read.number, number.get());
  STACK_OF(X509_REVOKED)* const revoked = X509_CRL_get_REVOKED(list);
  for (int i = 0; i < sk_X509_REVOKED_num(revoked); ++i) {
    const X509_REVOKED* one = sk_X509_REVOKED_value(revoked, i);
    read.revocations.push_back(
        {HexOf(X509_REVOKED_get0_serialNumber(one)), TimeOf(X509_REVOKED_get0_revocationDate(one))});
  }
  ERR_clear_error();
  return read;
}

bool IsSignedBy(const RevocationList& list, const Certificate& authority) {
  const bool is_signed = X509_CRL_verify(list.list.get(), X509_get0_pubkey(authority.get())) == 1;
  ERR_clear_error();
  return is_signed &&
         X509_NAME_cmp(X509_CRL_get_issuer(list.list.get()), X509_get_subject_name(authority.get())) == 0;
}

std::string ListName(const Certificate& authority) {
  return absl::StrFormat(
      "%08x", X509_NAME_hash_ex(X509_get_subject_name(authority.get()), nullptr, nullptr, nullptr));
}

}  // namespace curlew::pki
