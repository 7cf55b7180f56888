#include "common/pki/authority.h"

#include <arpa/inet.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/rand.h>

#include <algorithm>
#include <array>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "common/base/error_detail.h"
#include "common/base/status_macros.h"
#include "common/base/utf8.h"

namespace curlew::pki {
namespace {

constexpr int kMostDays = 36500;
constexpr size_t kLongestCommonName = 64;
constexpr size_t kLongestDnsName = 253;
constexpr size_t kBytesOfSerial = 16;
constexpr long kVersion3 = 2, kListVersion2 = 1;  // NOLINT: OpenSSL's type

absl::Status Invalid(absl::string_view message, absl::string_view hint) {
  return base::WithDetail(absl::InvalidArgumentError(message), base::kHint, hint);
}

absl::Status Impossible(absl::string_view message, absl::string_view hint) {
  return base::WithDetail(absl::FailedPreconditionError(message), base::kHint, hint);
}

absl::Status CheckDays(int days) {
  if (days >= 1 && days <= kMostDays) return absl::OkStatus();
  return Invalid(absl::StrCat(days, " days are no time for which a certificate can be valid"),
                 absl::StrCat("give --days from 1 to ", kMostDays));
}

absl::Status CheckAuthorityName(absl::string_view name) {
  const bool printable =
      std::none_of(name.begin(), name.end(), [](unsigned char c) { return absl::ascii_iscntrl(c); });
  if (!name.empty() && name.size() <= kLongestCommonName && printable &&
      base::FindInvalidUtf8(name) == name.npos) {
    return absl::OkStatus();
  }
  return Invalid(absl::StrCat("\"", name, "\" cannot be the name of a CA"),
                 "give --name of 1 to 64 characters, in one line");
}

bool IsAddress(const std::string& text) {
  std::array<unsigned char, 16> bytes;
  return inet_pton(AF_INET, text.c_str(), bytes.data()) == 1 ||
         inet_pton(AF_INET6, text.c_str(), bytes.data()) == 1;
}

// A random number that is always written with the same number of digits.
absl::StatusOr<std::string> RandomSerial() {
  std::array<unsigned char, kBytesOfSerial> bytes;
  if (RAND_bytes(bytes.data(), bytes.size()) != 1) return OpensslFailed("make a random number");
  bytes[0] = static_cast<unsigned char>((bytes[0] & 0x7f) | 0x40);
  return absl::BytesToHexString(absl::string_view(reinterpret_cast<char*>(bytes.data()), bytes.size()));
}

absl::StatusOr<std::shared_ptr<EVP_PKEY>> MakeKey() {
  std::shared_ptr<EVP_PKEY> key(EVP_PKEY_Q_keygen(nullptr, nullptr, "EC", "P-256"), Freed());
  if (key == nullptr) return OpensslFailed("make a key");
  return key;
}

absl::StatusOr<Secret> KeyPem(EVP_PKEY* key) {
  const Owned<BIO> text = Memory();
  if (PEM_write_bio_PrivateKey(text.get(), key, nullptr, nullptr, 0, nullptr, nullptr) != 1) {
    return OpensslFailed("write the key");
  }
  return Secret(TextOf(text.get()));
}

bool AddToName(X509_NAME* name, int part, absl::string_view text) {
  return X509_NAME_add_entry_by_NID(name, part, MBSTRING_UTF8,
                                    reinterpret_cast<const unsigned char*>(text.data()),
                                    static_cast<int>(text.size()), -1, 0) == 1;
}

// The common part of all certificates but their signature.
absl::StatusOr<Owned<X509>> Begin(EVP_PKEY* key, absl::Time begins, absl::Time ends) {
  ASSIGN_OR_RETURN(const std::string serial, RandomSerial());
  Owned<X509> made(X509_new());
  const Owned<ASN1_INTEGER> number = IntegerOf(serial);
  const Owned<ASN1_TIME> from = Asn1Time(begins), to = Asn1Time(ends);
  if (made == nullptr || number == nullptr || from == nullptr || to == nullptr ||
      X509_set_version(made.get(), kVersion3) != 1 || X509_set_serialNumber(made.get(), number.get()) != 1 ||
      X509_set1_notBefore(made.get(), from.get()) != 1 || X509_set1_notAfter(made.get(), to.get()) != 1 ||
      X509_set_pubkey(made.get(), key) != 1) {
    return OpensslFailed("make a certificate");
  }
  return made;
}

bool AddExtension(X509* to, X509* issuer, int kind, const char* value) {
  X509V3_CTX context;
  X509V3_set_ctx(&context, issuer, to, nullptr, nullptr, 0);
  const Owned<X509_EXTENSION> extension(X509V3_EXT_conf_nid(nullptr, &context, kind, value));
  return extension != nullptr && X509_add_ext(to, extension.get(), -1) == 1;
}

bool AddText(GENERAL_NAMES* names, int kind, absl::string_view text) {
  Owned<GENERAL_NAME> name(GENERAL_NAME_new());
  ASN1_IA5STRING* const value = ASN1_IA5STRING_new();
  if (name == nullptr || value == nullptr) return false;
  GENERAL_NAME_set0_value(name.get(), kind, value);
  if (ASN1_STRING_set(value, text.data(), static_cast<int>(text.size())) != 1) return false;
  return sk_GENERAL_NAME_push(names, name.release()) > 0;
}

bool AddAddress(GENERAL_NAMES* names, const std::string& text) {
  Owned<GENERAL_NAME> name(GENERAL_NAME_new());
  ASN1_OCTET_STRING* const value = a2i_IPADDRESS(text.c_str());
  if (name == nullptr || value == nullptr) return false;
  GENERAL_NAME_set0_value(name.get(), GEN_IPADD, value);
  return sk_GENERAL_NAME_push(names, name.release()) > 0;
}

// Names are put in as they are: no text of a request is ever read as OpenSSL's configuration.
bool AddNames(X509* to, absl::string_view uri, const std::vector<std::string>& dns,
              const std::vector<std::string>& ips) {
  const Owned<GENERAL_NAMES> names(GENERAL_NAMES_new());
  bool fine = AddText(names.get(), GEN_URI, uri);
  for (const std::string& name : dns) fine = fine && AddText(names.get(), GEN_DNS, name);
  for (const std::string& address : ips) fine = fine && AddAddress(names.get(), address);
  return fine && X509_add1_ext_i2d(to, NID_subject_alt_name, names.get(), 0, X509V3_ADD_DEFAULT) == 1;
}

// PEM that asks for a passphrase gets none.
int NoPassphrase(char*, int, int, void* asked) {
  *static_cast<bool*>(asked) = true;
  return -1;
}

absl::StatusOr<std::shared_ptr<EVP_PKEY>> ReadKey(absl::string_view pem) {
  bool asked = false;
  const Owned<BIO> text = Reading(pem);
  std::shared_ptr<EVP_PKEY> key(PEM_read_bio_PrivateKey(text.get(), nullptr, NoPassphrase, &asked), Freed());
  ERR_clear_error();
  if (key != nullptr) return key;
  if (asked) {
    return Invalid(
        "the key of the CA is locked by a passphrase",
        "unlock it for the time of the command: openssl pkey -in LOCKED -out ca.key, in a folder of its own "
        "that nobody else can read");
  }
  return Invalid("there is no private key in PEM", "put the CA's ca.key back from where it is kept");
}

std::string TrustDomainOf(const Certificate& certificate) {
  for (absl::string_view uri : certificate.facts().uris) {
    if (absl::ConsumePrefix(&uri, "spiffe://") && CheckTrustDomain(uri).ok()) return std::string(uri);
  }
  return std::string(kDefaultTrustDomain);
}

}  // namespace

absl::Status CheckRequest(const CertificateRequest& request) {
  const Identity& identity = request.identity;
  RETURN_IF_ERROR(CheckTrustDomain(identity.trust_domain));
  RETURN_IF_ERROR(CheckDays(request.days));
  if (identity.party != Party::kController) {
    RETURN_IF_ERROR(CheckName(identity.name));
    if (request.dns.empty() && request.ips.empty()) return absl::OkStatus();
    return Invalid(absl::StrCat("nobody dials ", identity.name,
                                ": certificates of agents and users have no --dns and no --ip"),
                   "leave them out");
  }
  if (request.dns.empty() && request.ips.empty()) {
    return Invalid("nobody could dial a controller whose certificate has no names",
                   "give each name and address by which agents and people reach it: --dns curlew.example.com "
                   "--dns localhost --ip 127.0.0.1");
  }
  for (const std::string& name : request.dns) {
    if (IsAddress(name))
      return Invalid(absl::StrCat(name, " is an address, not a name"), "give it with --ip");
    if (!IsDnsName(absl::StripPrefix(name, "*."), kLongestDnsName)) {
      return Invalid(absl::StrCat("\"", name, "\" is no DNS name"),
                     "give --dns as clients dial it, without port, in lower case: curlew.example.com");
    }
  }
  for (const std::string& address : request.ips) {
    if (!IsAddress(address)) {
      return Invalid(absl::StrCat("\"", address, "\" is no IP address"),
                     "give --ip without port and brackets (10.0.0.7, 2001:db8::7); names go with --dns");
    }
  }
  return absl::OkStatus();
}

Authority::Authority(Certificate certificate, std::shared_ptr<EVP_PKEY> key)
    : certificate_(std::move(certificate)),
      key_(std::move(key)),
      trust_domain_(TrustDomainOf(certificate_)) {}

absl::StatusOr<Authority> Authority::Make(const AuthorityOptions& options, absl::Time now) {
  RETURN_IF_ERROR(CheckAuthorityName(options.name));
  RETURN_IF_ERROR(CheckTrustDomain(options.trust_domain));
  RETURN_IF_ERROR(CheckDays(options.days));
  ASSIGN_OR_RETURN(const std::shared_ptr<EVP_PKEY> key, MakeKey());
  ASSIGN_OR_RETURN(Owned<X509> made,
                   Begin(key.get(), now - kClockSkew, now + absl::Hours(24) * options.days));
  ASSIGN_OR_RETURN(const std::string distinct, RandomSerial());
  X509_NAME* const name = X509_get_subject_name(made.get());
  if (!AddToName(name, NID_commonName, options.name) ||
      !AddToName(name, NID_serialNumber, distinct.substr(0, kBytesOfSerial)) ||
      X509_set_issuer_name(made.get(), name) != 1 ||
      !AddExtension(made.get(), made.get(), NID_basic_constraints, "critical,CA:TRUE,pathlen:0") ||
      !AddExtension(made.get(), made.get(), NID_key_usage, "critical,keyCertSign,cRLSign") ||
      !AddExtension(made.get(), made.get(), NID_subject_key_identifier, "hash") ||
      !AddNames(made.get(), absl::StrCat("spiffe://", options.trust_domain), {}, {}) ||
      X509_sign(made.get(), key.get(), EVP_sha256()) <= 0) {
    return OpensslFailed("make the CA's certificate");
  }
  ASSIGN_OR_RETURN(Certificate certificate, Certificate::Make(std::move(made)));
  return Authority(std::move(certificate), key);
}

absl::StatusOr<Authority> Authority::FromPem(absl::string_view certificate, absl::string_view key) {
  ASSIGN_OR_RETURN(Certificate read, Certificate::FromPem(certificate));
  if (!read.facts().may_sign) {
    return Invalid(absl::StrCat("the certificate of ", read.facts().subject, " is not a CA's"),
                   "put the CA's ca.crt back, or make a CA: curlew pki init");
  }
  ASSIGN_OR_RETURN(std::shared_ptr<EVP_PKEY> own, ReadKey(key));
  if (X509_check_private_key(read.get(), own.get()) != 1) {
    ERR_clear_error();
    return Impossible(absl::StrCat("the key does not belong to the certificate of ", read.facts().subject),
                      "ca.crt and ca.key are made together: put the ones of the same CA there");
  }
  return Authority(std::move(read), std::move(own));
}

absl::StatusOr<Secret> Authority::Key() const { return KeyPem(key_.get()); }

absl::Status Authority::CheckValid(absl::Time now) const {
  const CertificateFacts& facts = certificate_.facts();
  if (now >= facts.ends) {
    return Impossible(
        absl::StrCat("the CA ", facts.common_name, " expired at ", Shown(facts.ends)),
        "make another in a folder of its own, curlew pki init --dir NEW; docs/pki.md says how to change "
        "over");
  }
  if (now < facts.begins) {
    return Impossible(
        absl::StrCat("the CA ", facts.common_name, " is not valid before ", Shown(facts.begins)),
        absl::StrCat("set the clock of this machine, which says ", Shown(now)));
  }
  return absl::OkStatus();
}

absl::StatusOr<Pair> Authority::Issue(const CertificateRequest& request, absl::Time now) const {
  RETURN_IF_ERROR(CheckRequest(request));
  RETURN_IF_ERROR(CheckValid(now));
  const CertificateFacts& own = certificate_.facts();
  if (request.identity.trust_domain != trust_domain_) {
    return Invalid(absl::StrCat("the CA ", own.common_name, " is for the trust domain ", trust_domain_,
                                ", not for ", request.identity.trust_domain),
                   "use the CA of that trust domain (--dir)");
  }
  const absl::Time ends = now + absl::Hours(24) * request.days;
  if (ends > own.ends) {
    const int64_t left = (own.ends - now) / absl::Hours(24);
    return Impossible(
        absl::StrCat("the certificate would be valid until ", Shown(ends), ", and the CA ", own.common_name,
                     " ends before, at ", Shown(own.ends)),
        absl::StrCat(
            left > 0 ? absl::StrCat("give --days ", left, ", or make another CA") : "make another CA",
            " in a folder of its own (curlew pki init --dir NEW); docs/pki.md says how to change over"));
  }
  ASSIGN_OR_RETURN(const std::shared_ptr<EVP_PKEY> key, MakeKey());
  ASSIGN_OR_RETURN(Owned<X509> made, Begin(key.get(), std::max(now - kClockSkew, own.begins), ends));
  const bool serves = request.identity.party == Party::kController;
  if (!AddToName(X509_get_subject_name(made.get()), NID_commonName, CommonName(request.identity)) ||
      X509_set_issuer_name(made.get(), X509_get_subject_name(certificate_.get())) != 1 ||
      !AddExtension(made.get(), certificate_.get(), NID_basic_constraints, "critical,CA:FALSE") ||
      !AddExtension(made.get(), certificate_.get(), NID_key_usage, "critical,digitalSignature") ||
      !AddExtension(made.get(), certificate_.get(), NID_ext_key_usage,
                    serves ? "serverAuth,clientAuth" : "clientAuth") ||
      !AddExtension(made.get(), certificate_.get(), NID_subject_key_identifier, "hash") ||
      !AddExtension(made.get(), certificate_.get(), NID_authority_key_identifier, "keyid:always") ||
      !AddNames(made.get(), Uri(request.identity), request.dns, request.ips) ||
      X509_sign(made.get(), key_.get(), EVP_sha256()) <= 0) {
    return OpensslFailed("make the certificate");
  }
  ASSIGN_OR_RETURN(Certificate certificate, Certificate::Make(std::move(made)));
  ASSIGN_OR_RETURN(Secret pem, KeyPem(key.get()));
  return Pair{std::move(certificate), std::move(pem)};
}

absl::StatusOr<std::string> Authority::SignList(const std::vector<Revocation>& revocations, int64_t number,
                                                absl::Time previous, absl::Time now) const {
  RETURN_IF_ERROR(CheckValid(now));
  const CertificateFacts& own = certificate_.facts();
  const Owned<X509_CRL> list(X509_CRL_new());
  const Owned<ASN1_TIME> begins = Asn1Time(std::max(now - kClockSkew, previous + absl::Seconds(1)));
  const Owned<ASN1_TIME> ends = Asn1Time(own.ends);
  const Owned<ASN1_INTEGER> counted(ASN1_INTEGER_new());
  X509V3_CTX context;
  X509V3_set_ctx(&context, certificate_.get(), nullptr, nullptr, list.get(), 0);
  const Owned<X509_EXTENSION> issuer(
      X509V3_EXT_conf_nid(nullptr, &context, NID_authority_key_identifier, "keyid:always"));
  if (list == nullptr || begins == nullptr || ends == nullptr || counted == nullptr || issuer == nullptr ||
      ASN1_INTEGER_set_int64(counted.get(), number) != 1 ||
      X509_CRL_set_version(list.get(), kListVersion2) != 1 ||
      X509_CRL_set_issuer_name(list.get(), X509_get_subject_name(certificate_.get())) != 1 ||
      X509_CRL_set1_lastUpdate(list.get(), begins.get()) != 1 ||
      X509_CRL_set1_nextUpdate(list.get(), ends.get()) != 1 ||
      X509_CRL_add_ext(list.get(), issuer.get(), -1) != 1 ||
      X509_CRL_add1_ext_i2d(list.get(), NID_crl_number, counted.get(), 0, X509V3_ADD_DEFAULT) != 1) {
    return OpensslFailed("make a list of revoked certificates");
  }
  for (const Revocation& revocation : revocations) {
    Owned<X509_REVOKED> entry(X509_REVOKED_new());
    const Owned<ASN1_INTEGER> serial = IntegerOf(revocation.serial);
    const Owned<ASN1_TIME> since = Asn1Time(revocation.since);
    if (entry == nullptr || serial == nullptr || since == nullptr ||
        X509_REVOKED_set_serialNumber(entry.get(), serial.get()) != 1 ||
        X509_REVOKED_set_revocationDate(entry.get(), since.get()) != 1 ||
        X509_CRL_add0_revoked(list.get(), entry.get()) != 1) {
      return OpensslFailed(absl::StrCat("revoke ", revocation.serial));
    }
    entry.release();  // the list has it now
  }
  const Owned<BIO> text = Memory();
  if (X509_CRL_sort(list.get()) != 1 || X509_CRL_sign(list.get(), key_.get(), EVP_sha256()) <= 0 ||
      PEM_write_bio_X509_CRL(text.get(), list.get()) != 1) {
    return OpensslFailed("sign the list of revoked certificates");
  }
  return TextOf(text.get());
}

}  // namespace curlew::pki
