#include "common/pki/certificate.h"

#include <arpa/inet.h>
#include <openssl/err.h>
#include <openssl/objects.h>
#include <openssl/pem.h>

#include <set>
#include <utility>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "common/base/status_macros.h"

namespace curlew::pki {
namespace {

std::string TextOf(const ASN1_STRING* text) {
  return std::string(reinterpret_cast<const char*>(ASN1_STRING_get0_data(text)),
                     static_cast<size_t>(ASN1_STRING_length(text)));
}

std::string AddressOf(const ASN1_OCTET_STRING* bytes) {
  constexpr int kBytesOfIpv4 = 4, kBytesOfIpv6 = 16;
  const int length = ASN1_STRING_length(bytes);
  char text[INET6_ADDRSTRLEN] = "";
  if (length == kBytesOfIpv4 || length == kBytesOfIpv6) {
    inet_ntop(length == kBytesOfIpv4 ? AF_INET : AF_INET6, ASN1_STRING_get0_data(bytes), text, sizeof text);
    return text;
  }
  return absl::BytesToHexString(TextOf(bytes));
}

std::string CommonNameOf(const X509_NAME* name) {
  const int at = X509_NAME_get_index_by_NID(name, NID_commonName, -1);
  if (at < 0) return "";
  unsigned char* utf8 = nullptr;
  const int length = ASN1_STRING_to_UTF8(&utf8, X509_NAME_ENTRY_get_data(X509_NAME_get_entry(name, at)));
  if (length < 0) return "";
  std::string text(reinterpret_cast<char*>(utf8), static_cast<size_t>(length));
  OPENSSL_free(utf8);
  return text;
}

void ReadNames(const X509* certificate, CertificateFacts& facts) {
  const Owned<GENERAL_NAMES> names(
      static_cast<GENERAL_NAMES*>(X509_get_ext_d2i(certificate, NID_subject_alt_name, nullptr, nullptr)));
  for (int i = 0; i < sk_GENERAL_NAME_num(names.get()); ++i) {
    const GENERAL_NAME* name = sk_GENERAL_NAME_value(names.get(), i);
    if (name->type == GEN_URI) facts.uris.push_back(TextOf(name->d.uniformResourceIdentifier));
    if (name->type == GEN_DNS) facts.dns.push_back(TextOf(name->d.dNSName));
    if (name->type == GEN_IPADD) facts.ips.push_back(AddressOf(name->d.iPAddress));
  }
}

void ReadUses(const X509* certificate, CertificateFacts& facts) {
  const Owned<EXTENDED_KEY_USAGE> uses(
      static_cast<EXTENDED_KEY_USAGE*>(X509_get_ext_d2i(certificate, NID_ext_key_usage, nullptr, nullptr)));
  for (int i = 0; i < sk_ASN1_OBJECT_num(uses.get()); ++i) {
    const ASN1_OBJECT* use = sk_ASN1_OBJECT_value(uses.get(), i);
    if (const int nid = OBJ_obj2nid(use); nid != NID_undef) {
      facts.uses.emplace_back(OBJ_nid2sn(nid));
      continue;
    }
    char dotted[128] = "";
    OBJ_obj2txt(dotted, sizeof dotted, use, 1);
    facts.uses.emplace_back(dotted);
  }
}

std::string KeyOf(X509* certificate) {
  EVP_PKEY* const key = X509_get0_pubkey(certificate);
  if (key == nullptr) return "unknown";
  char group[64] = "";
  size_t length = 0;
  if (EVP_PKEY_get_group_name(key, group, sizeof group, &length) != 1) {
    const char* type = EVP_PKEY_get0_type_name(key);
    return absl::StrCat(type == nullptr ? "unknown" : type, " (", EVP_PKEY_get_bits(key), " bits)");
  }
  return absl::StrCat(group, " (", EVP_PKEY_get_bits(key), " bits)");
}

}  // namespace

absl::StatusOr<Certificate> Certificate::Make(Owned<X509> certificate) {
  X509* const raw = certificate.get();
  // Also reads the extensions; what is wrong with them shows in the flags.
  if (X509_check_purpose(raw, -1, 0) != 1) {
    ERR_clear_error();
    return absl::InvalidArgumentError(
        "the certificate has extensions that contradict each other or are damaged");
  }
  CertificateFacts facts;
  facts.subject = pki::TextOf(X509_get_subject_name(raw));
  facts.issuer = pki::TextOf(X509_get_issuer_name(raw));
  facts.common_name = CommonNameOf(X509_get_subject_name(raw));
  ReadNames(raw, facts);
  ReadUses(raw, facts);
  facts.begins = TimeOf(X509_get0_notBefore(raw));
  facts.ends = TimeOf(X509_get0_notAfter(raw));
  facts.serial = HexOf(X509_get0_serialNumber(raw));
  facts.key = KeyOf(raw);
  unsigned char digest[EVP_MAX_MD_SIZE];
  unsigned int length = 0;
  if (X509_digest(raw, EVP_sha256(), digest, &length) != 1) return OpensslFailed("hash the certificate");
  facts.fingerprint = absl::BytesToHexString(absl::string_view(reinterpret_cast<char*>(digest), length));
  facts.may_sign = X509_check_ca(raw) == 1 && (X509_get_key_usage(raw) & KU_KEY_CERT_SIGN) != 0;
  ERR_clear_error();
  return Certificate(std::shared_ptr<X509>(std::move(certificate)), std::move(facts));
}

absl::StatusOr<std::vector<Certificate>> Certificate::AllFromPem(absl::string_view pem) {
  std::vector<Certificate> all;
  const Owned<BIO> text = Reading(pem);
  while (Owned<X509> one{PEM_read_bio_X509(text.get(), nullptr, nullptr, nullptr)}) {
    ASSIGN_OR_RETURN(Certificate certificate, Make(std::move(one)));
    all.push_back(std::move(certificate));
  }
  const bool at_end = ERR_GET_REASON(ERR_peek_last_error()) == PEM_R_NO_START_LINE;
  ERR_clear_error();
  if (!at_end) return absl::InvalidArgumentError(absl::StrCat("certificate ", all.size() + 1, " is damaged"));
  if (all.empty()) {
    return absl::InvalidArgumentError("there is no certificate in PEM (-----BEGIN CERTIFICATE-----)");
  }
  return all;
}

absl::StatusOr<Certificate> Certificate::FromPem(absl::string_view pem) {
  ASSIGN_OR_RETURN(const std::vector<Certificate> all, AllFromPem(pem));
  return all[0];
}

std::string Certificate::Pem() const {
  const Owned<BIO> text = Memory();
  PEM_write_bio_X509(text.get(), certificate_.get());
  return pki::TextOf(text.get());
}

std::string PemOf(const std::vector<Certificate>& certificates) {
  std::string all;
  std::set<std::string> seen;
  for (const Certificate& one : certificates) {
    if (seen.insert(one.facts().fingerprint).second) absl::StrAppend(&all, one.Pem());
  }
  return all;
}

std::string Shown(absl::Time time) {
  return absl::FormatTime("%Y-%m-%d %H:%M:%S UTC", time, absl::UTCTimeZone());
}

}  // namespace curlew::pki
