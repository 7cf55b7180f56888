#include "common/pki/authority.h"

#include <set>

#include "absl/strings/str_split.h"
#include "absl/time/clock.h"
#include "common/base/error_detail.h"
#include "tests/common/pki/support.h"

namespace curlew::pki {
namespace {

using ::curlew::testing::IsOk;
using ::curlew::testing::StatusIs;
using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

class AuthorityTest : public PkiTest {
 protected:
  AuthorityTest() : now_(absl::FromTimeT(absl::ToTimeT(absl::Now()))) {
    auto made = Authority::Make({}, now_);
    EXPECT_OK(made);
    authority_.emplace(*std::move(made));
    ca_ = Write("ca.crt", authority_->certificate().Pem());
  }

  // The path of a certificate of that request.
  std::string Issue(const CertificateRequest& request, absl::string_view file = "x.crt") {
    auto pair = authority_->Issue(request, now_);
    EXPECT_OK(pair);
    Write("x.key", pair->key.Reveal());
    return Write(file, pair->certificate.Pem());
  }

  static std::string HintOf(const absl::Status& status) { return base::Detail(status, base::kHint); }

  const absl::Time now_;
  std::optional<Authority> authority_;
  std::string ca_;
};

TEST_F(AuthorityTest, TheOpensslProgramAcceptsWhatItMakesForItsPurposeAlone) {
  const std::string controller = Issue(Controller());
  EXPECT_OK(Openssl({"verify", "-x509_strict", "-CAfile", ca_, "-purpose", "sslserver", "-verify_hostname",
                     "curlew.example.com", controller}));
  EXPECT_OK(Openssl(
      {"verify", "-x509_strict", "-CAfile", ca_, "-purpose", "sslserver", "-verify_ip", "::1", controller}));
  EXPECT_OK(Openssl({"verify", "-x509_strict", "-CAfile", ca_, "-purpose", "sslclient", controller}));
  EXPECT_THAT(Openssl({"verify", "-CAfile", ca_, "-purpose", "sslserver", "-verify_hostname",
                       "other.example.com", controller}),
              Not(IsOk()));
  const std::string agent = Issue(Agent("staging-crm"));
  EXPECT_OK(Openssl({"verify", "-x509_strict", "-CAfile", ca_, "-purpose", "sslclient", agent}));
  EXPECT_THAT(Openssl({"verify", "-CAfile", ca_, "-purpose", "sslserver", agent}), Not(IsOk()));
  // A key that belongs to it, in a form that others read.
  ASSERT_OK_AND_ASSIGN(const std::string of_certificate,
                       Openssl({"x509", "-in", agent, "-noout", "-pubkey"}));
  EXPECT_EQ(*Openssl({"pkey", "-in", At("x.key"), "-pubout"}), of_certificate);
}

TEST_F(AuthorityTest, NoCertificateCanSignOthers) {
  const std::string agent = Issue(Agent("a"));
  ASSERT_OK_AND_ASSIGN(const Authority other, Authority::Make({}, now_));
  EXPECT_THAT(Authority::FromPem(Read(agent), Read(At("x.key"))),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("not a CA's")));
  // One that OpenSSL made with it all the same.
  ASSERT_OK(Openssl({"req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj",
                     "/CN=evil", "-keyout", At("evil.key"), "-out", At("evil.csr")}));
  ASSERT_OK(Openssl(
      {"x509", "-req", "-in", At("evil.csr"), "-CA", agent, "-CAkey", At("x.key"), "-out", At("evil.crt")}));
  EXPECT_THAT(Openssl({"verify", "-CAfile", ca_, "-untrusted", agent, At("evil.crt")}), Not(IsOk()));
  EXPECT_THAT(Openssl({"verify", "-CAfile", Write("other.crt", other.certificate().Pem()), agent}),
              Not(IsOk()));
}

TEST_F(AuthorityTest, TheOpensslProgramReadsTheNamesThatWereGiven) {
  ASSERT_OK_AND_ASSIGN(const std::string controller,
                       Openssl({"x509", "-in", Issue(Controller()), "-noout", "-text"}));
  EXPECT_THAT(
      controller,
      AllOf(
          HasSubstr(
              "URI:spiffe://curlew/controller, DNS:curlew.example.com, DNS:localhost, IP Address:127.0.0.1, "
              "IP Address:0:0:0:0:0:0:0:1"),
          HasSubstr("TLS Web Server Authentication, TLS Web Client Authentication"),
          HasSubstr("CN = controller\n"), HasSubstr("ASN1 OID: prime256v1"), HasSubstr("ecdsa-with-SHA256")));
  ASSERT_OK_AND_ASSIGN(const std::string agent,
                       Openssl({"x509", "-in", Issue(Agent("crm")), "-noout", "-text"}));
  EXPECT_THAT(
      agent,
      AllOf(HasSubstr("URI:spiffe://curlew/agent/crm\n"), HasSubstr("CN = crm\n"), Not(HasSubstr("DNS:")),
            HasSubstr("X509v3 Basic Constraints: critical\n                CA:FALSE"),
            HasSubstr("X509v3 Key Usage: critical\n                Digital Signature\n"),
            HasSubstr("TLS Web Client Authentication"), Not(HasSubstr("Server Authentication"))));
  ASSERT_OK_AND_ASSIGN(const std::string ca, Openssl({"x509", "-in", ca_, "-noout", "-text"}));
  EXPECT_THAT(ca, AllOf(HasSubstr("CA:TRUE, pathlen:0"), HasSubstr("Certificate Sign, CRL Sign"),
                        HasSubstr("URI:spiffe://curlew\n")));
}

TEST_F(AuthorityTest, ReadsWhatItHasMade) {
  ASSERT_OK_AND_ASSIGN(const Pair pair, authority_->Issue(Controller(), now_));
  ASSERT_OK_AND_ASSIGN(const Certificate read, Certificate::FromPem(pair.certificate.Pem()));
  const CertificateFacts& facts = read.facts();
  EXPECT_EQ(facts.subject, "CN=controller");
  EXPECT_EQ(facts.issuer, authority_->certificate().facts().subject);
  EXPECT_THAT(facts.issuer, AllOf(HasSubstr("CN=Curlew CA"), HasSubstr("serialNumber=")));
  EXPECT_EQ(facts.common_name, "controller");
  EXPECT_THAT(facts.uris, ElementsAre("spiffe://curlew/controller"));
  EXPECT_THAT(facts.dns, ElementsAre("curlew.example.com", "localhost"));
  EXPECT_THAT(facts.ips, ElementsAre("127.0.0.1", "::1"));
  EXPECT_THAT(facts.uses, ElementsAre("serverAuth", "clientAuth"));
  EXPECT_EQ(facts.ends, now_ + absl::Hours(24) * 90);
  EXPECT_EQ(facts.key, "prime256v1 (256 bits)");
  EXPECT_FALSE(facts.may_sign);
  EXPECT_TRUE(authority_->certificate().facts().may_sign);
  EXPECT_THAT(*Openssl({"x509", "-in", Write("x", read.Pem()), "-noout", "-serial"}),
              ::testing::StrCaseEq(absl::StrCat("serial=", facts.serial, "\n")));
}

TEST_F(AuthorityTest, BeginsEarlierForClocksThatAreBehindButNotBeforeItsCa) {
  EXPECT_EQ(authority_->certificate().facts().begins, now_ - kClockSkew);
  ASSERT_OK_AND_ASSIGN(const Pair pair, authority_->Issue(Agent("a"), now_ + absl::Hours(1)));
  EXPECT_EQ(pair.certificate.facts().begins, now_ + absl::Hours(1) - kClockSkew);
  ASSERT_OK_AND_ASSIGN(const Pair early, authority_->Issue(Agent("a"), now_ - absl::Minutes(2)));
  EXPECT_EQ(early.certificate.facts().begins, now_ - kClockSkew);
  const absl::Status status = authority_->Issue(Agent("a"), now_ - absl::Hours(1)).status();
  EXPECT_THAT(status, StatusIs(absl::StatusCode::kFailedPrecondition, HasSubstr("is not valid before")));
  EXPECT_THAT(HintOf(status), HasSubstr("set the clock"));
}

TEST_F(AuthorityTest, SerialNumbersAreRandomAndOfOneLength) {
  std::set<std::string> seen;
  for (int i = 0; i < 50; ++i) {
    ASSERT_OK_AND_ASSIGN(const Pair pair, authority_->Issue(Agent("a"), now_));
    EXPECT_EQ(pair.certificate.facts().serial.size(), 32u);
    EXPECT_TRUE(seen.insert(pair.certificate.facts().serial).second);
  }
}

TEST_F(AuthorityTest, TwoOfOneNameAreToldApart) {
  ASSERT_OK_AND_ASSIGN(const Authority other, Authority::Make({}, now_));
  EXPECT_NE(other.certificate().facts().subject, authority_->certificate().facts().subject);
  EXPECT_NE(ListName(other.certificate()), ListName(authority_->certificate()));
  // As OpenSSL computes it.
  EXPECT_EQ(*Openssl({"x509", "-in", ca_, "-noout", "-subject_hash"}),
            ListName(authority_->certificate()) + "\n");
}

TEST_F(AuthorityTest, NamesOfACaMayHoldAnythingThatCanBePrinted) {
  for (const std::string& name : {std::string("A, CN=b/O=c+d\"#;<>\\"), std::string("Müller & Söhne 東京"),
                                  std::string("critical,CA:FALSE"), std::string(64, 'x')}) {
    ASSERT_OK_AND_ASSIGN(const Authority made, Authority::Make({.name = name, .trust_domain = "x.y"}, now_));
    EXPECT_EQ(made.certificate().facts().common_name, name);
    ASSERT_OK_AND_ASSIGN(const Secret key, made.Key());
    ASSERT_OK_AND_ASSIGN(const Authority read, Authority::FromPem(made.certificate().Pem(), key.Reveal()));
    EXPECT_EQ(read.trust_domain(), "x.y");
    ASSERT_OK_AND_ASSIGN(
        const Pair pair,
        read.Issue({.identity = {.trust_domain = "x.y", .party = Party::kUser, .name = "ann"}}, now_));
    EXPECT_OK(Openssl({"verify", "-x509_strict", "-CAfile", Write("named.crt", made.certificate().Pem()),
                       Write("x.crt", pair.certificate.Pem())}))
        << name;
  }
  for (const std::string& name : {std::string(), std::string(65, 'x'), std::string("a\nb"),
                                  std::string("a\0b", 3), std::string("\xff")}) {
    EXPECT_THAT(Authority::Make({.name = name}, now_), StatusIs(absl::StatusCode::kInvalidArgument)) << name;
  }
  EXPECT_THAT(Authority::Make({.trust_domain = "a/b"}, now_), StatusIs(absl::StatusCode::kInvalidArgument));
  EXPECT_THAT(Authority::Make({.days = 0}, now_), StatusIs(absl::StatusCode::kInvalidArgument));
  EXPECT_THAT(Authority::Make({.days = 36501}, now_), StatusIs(absl::StatusCode::kInvalidArgument));
}

TEST_F(AuthorityTest, RefusesRequestsThatCannotBeMeant) {
  const auto refused = [&](const CertificateRequest& request, const std::string& message,
                           const std::string& hint) {
    const absl::Status status = authority_->Issue(request, now_).status();
    EXPECT_THAT(status, StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr(message)));
    EXPECT_THAT(HintOf(status), HasSubstr(hint));
  };
  refused(Agent("a,DNS:evil"), "\"a,DNS:evil\" cannot be the name", "lower-case letters");
  refused({.identity = {.party = Party::kController}}, "nobody could dial", "--dns");
  const auto dialled = [](std::vector<std::string> dns, std::vector<std::string> ips) {
    return CertificateRequest{
        .identity = {.party = Party::kController}, .dns = std::move(dns), .ips = std::move(ips)};
  };
  refused(dialled({"10.0.0.1"}, {}), "is an address", "--ip");
  refused(dialled({"::1"}, {}), "is an address", "--ip");
  refused(dialled({"a:7441"}, {}), "\"a:7441\" is no DNS name", "without port");
  refused(dialled({"a,URI:spiffe://curlew/user/root"}, {}), "is no DNS name", "");
  refused(dialled({"a.*.b"}, {}), "is no DNS name", "");
  refused(dialled({std::string("a\0b", 3)}, {}), "is no DNS name", "");
  refused(dialled({}, {"10.0.0.1:80"}), "is no IP address", "--ip without port");
  refused(dialled({}, {"localhost"}), "is no IP address", "--dns");
  CertificateRequest agent = Agent("a");
  agent.dns = {"a"};
  refused(agent, "nobody dials a", "leave them out");
  agent = Agent("a");
  agent.days = 0;
  refused(agent, "0 days", "--days");
  agent = Agent("a");
  agent.identity.trust_domain = "other";
  refused(agent, "is for the trust domain curlew, not for other", "--dir");
  EXPECT_OK(authority_->Issue(dialled({"*.curlew.svc"}, {}), now_));
}

TEST_F(AuthorityTest, NoCertificateOutlivesItsCa) {
  ASSERT_OK_AND_ASSIGN(const Authority short_lived, Authority::Make({.days = 30}, now_));
  const absl::Status status = short_lived.Issue(Agent("a"), now_).status();
  EXPECT_THAT(status, StatusIs(absl::StatusCode::kFailedPrecondition, HasSubstr("ends before")));
  EXPECT_THAT(HintOf(status), HasSubstr("give --days 30, or make another CA"));
  CertificateRequest request = Agent("a");
  request.days = 30;
  EXPECT_OK(short_lived.Issue(request, now_));
  request.days = 1;
  const absl::Status late = short_lived.Issue(request, now_ + absl::Hours(24) * 29 + absl::Hours(1)).status();
  EXPECT_THAT(late, StatusIs(absl::StatusCode::kFailedPrecondition));
  EXPECT_THAT(HintOf(late), AllOf(HasSubstr("make another CA"), Not(HasSubstr("--days"))));
  const absl::Status expired = short_lived.Issue(request, now_ + absl::Hours(24) * 30).status();
  EXPECT_THAT(expired, StatusIs(absl::StatusCode::kFailedPrecondition, HasSubstr("expired at")));
  EXPECT_THAT(HintOf(expired), HasSubstr("curlew pki init --dir"));
  EXPECT_THAT(short_lived.SignList({}, 1, absl::InfinitePast(), now_ + absl::Hours(24) * 31),
              StatusIs(absl::StatusCode::kFailedPrecondition, HasSubstr("expired at")));
}

TEST_F(AuthorityTest, RefusesFilesThatAreNotItsOwnWithoutShowingTheKey) {
  ASSERT_OK_AND_ASSIGN(const Secret key, authority_->Key());
  const std::string certificate = authority_->certificate().Pem();
  ASSERT_OK_AND_ASSIGN(const Authority other, Authority::Make({}, now_));
  std::vector<absl::Status> all = {
      Authority::FromPem(other.certificate().Pem(), key.Reveal()).status(),
      Authority::FromPem("rubbish", key.Reveal()).status(),
      Authority::FromPem(certificate.substr(0, certificate.size() / 2), key.Reveal()).status(),
      Authority::FromPem(certificate, "rubbish").status(),
      Authority::FromPem(certificate, key.Reveal().substr(0, key.Reveal().size() - 40)).status(),
      Authority::FromPem(key.Reveal(), certificate).status()};
  EXPECT_THAT(all[0], StatusIs(absl::StatusCode::kFailedPrecondition, HasSubstr("does not belong to")));
  Write("ca.key", key.Reveal());
  ASSERT_OK(Openssl(
      {"pkey", "-in", At("ca.key"), "-aes128", "-passout", "pass:secret1", "-out", At("locked.key")}));
  all.push_back(Authority::FromPem(certificate, Read(At("locked.key"))).status());
  EXPECT_THAT(all.back(), StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("locked by a passphrase")));
  const std::vector<std::string> lines = absl::StrSplit(key.Reveal(), '\n');
  for (const absl::Status& status : all) {
    EXPECT_FALSE(status.ok());
    EXPECT_THAT(status.ToString(),
                AllOf(Not(HasSubstr(lines[1].substr(0, 8))), Not(HasSubstr(lines[2].substr(0, 8)))));
  }
}

TEST_F(AuthorityTest, TheOpensslProgramFindsItsListsAndWhatIsRevoked) {
  const std::string good = Issue(Agent("good"), "good.crt"), bad = Issue(Agent("bad"), "bad.crt");
  ASSERT_OK_AND_ASSIGN(const Certificate revoked, Certificate::FromPem(Read(bad)));
  ASSERT_OK_AND_ASSIGN(const std::string list,
                       authority_->SignList({{revoked.facts().serial, now_}}, 7, absl::InfinitePast(), now_));
  const std::string crl = Write(ListName(authority_->certificate()) + ".r0", list);
  EXPECT_THAT(*Openssl({"crl", "-in", crl, "-noout", "-text", "-CAfile", ca_}),
              AllOf(HasSubstr("verify OK"), HasSubstr("X509v3 CRL Number: \n                7")));
  EXPECT_OK(Openssl({"verify", "-x509_strict", "-crl_check_all", "-CAfile", ca_, "-CApath", dir_, good}));
  const auto verdict = Openssl({"verify", "-crl_check_all", "-CAfile", ca_, "-CApath", dir_, bad});
  EXPECT_THAT(verdict, StatusIs(absl::StatusCode::kInternal, HasSubstr("certificate revoked")));
  ASSERT_OK_AND_ASSIGN(const RevocationList read, ReadList(list));
  EXPECT_TRUE(IsSignedBy(read, authority_->certificate()));
  EXPECT_EQ(read.number, 7);
  EXPECT_EQ(read.issuer, authority_->certificate().facts().subject);
  EXPECT_EQ(read.begins, now_ - kClockSkew);
  EXPECT_EQ(read.ends, authority_->certificate().facts().ends);
  ASSERT_EQ(read.revocations.size(), 1u);
  EXPECT_EQ(read.revocations[0].serial, revoked.facts().serial);
  ASSERT_OK_AND_ASSIGN(const Authority other, Authority::Make({}, now_));
  EXPECT_FALSE(IsSignedBy(read, other.certificate()));
  // Two within a second: the later one is the newer one for verifiers, too.
  ASSERT_OK_AND_ASSIGN(const std::string next, authority_->SignList({}, 8, read.begins, now_));
  EXPECT_EQ(ReadList(next)->begins, read.begins + absl::Seconds(1));
  EXPECT_THAT(ReadList(next)->revocations, IsEmpty());
}

}  // namespace
}  // namespace curlew::pki
