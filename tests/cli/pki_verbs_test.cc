// `curlew pki`, as people and scripts run it. What the certificates are is tested in tests/common/pki.
#include <sys/stat.h>

#include <filesystem>
#include <fstream>
#include <sstream>

#include "absl/strings/escaping.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/str_split.h"
#include "absl/time/clock.h"
#include "cli/app.h"
#include "cli/pki_view.h"
#include "cli/verbs.h"
#include "common/pki/authority.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "nlohmann/json.hpp"
#include "tests/support/process.h"
#include "tests/support/status_matchers.h"
#include "yaml-cpp/yaml.h"

namespace curlew::cli {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

class PkiVerbsTest : public ::testing::Test {
 protected:
  PkiVerbsTest() : context_(out_, err_) {
    std::string pattern = absl::StrCat(::testing::TempDir(), "curlew_pki_verbs_XXXXXX");
    dir_ = mkdtemp(pattern.data());
  }
  // Whatever was said, no key was.
  ~PkiVerbsTest() override {
    EXPECT_THAT(said_, AllOf(Not(HasSubstr("PRIVATE KEY-----")),
                             Not(HasSubstr(absl::Base64Escape("-----BEGIN PRIVATE")))));
    std::filesystem::remove_all(dir_);
  }

  // Runs `curlew pki LINE`, in which @ is the folder of the test.
  ExitCode RunLine(const std::string& line) {
    out_.str("");
    err_.str("");
    const std::string all = absl::StrCat("pki ", absl::StrReplaceAll(line, {{"@", dir_}}));
    const ExitCode code =
        cli::Run(context_, std::vector<std::string>(absl::StrSplit(all, ' ', absl::SkipEmpty())));
    if (!absl::StrContains(line, "--kubernetes-secret")) said_ += out_.str();
    said_ += err_.str();
    return code;
  }
  std::string At(absl::string_view name) const { return absl::StrCat(dir_, "/", name); }
  std::string Read(absl::string_view name) const {
    std::stringstream text;
    text << std::ifstream(At(name)).rdbuf();
    return text.str();
  }
  pki::CertificateFacts FactsOf(absl::string_view name) const {
    return pki::Certificate::FromPem(Read(name))->facts();
  }
  static absl::Status Openssl(std::vector<std::string> arguments) {
    testing::ProcessOptions options;
    options.argv = {"openssl"};
    options.argv.insert(options.argv.end(), arguments.begin(), arguments.end());
    return testing::Process::Run(std::move(options)).status();
  }

  std::ostringstream out_, err_;
  std::string said_;
  Context context_;
  std::string dir_;
};

TEST_F(PkiVerbsTest, FromNothingToCertificatesForAll) {
  ASSERT_EQ(RunLine("init --dir @/pki --name Example --days 400"), ExitCode::kOk) << err_.str();
  EXPECT_THAT(out_.str(), AllOf(HasSubstr("CA Example for spiffe://curlew, valid until "),
                                HasSubstr("(400 days)"), HasSubstr("/pki/ca.key  keep it to yourself")));
  EXPECT_EQ(RunLine("init --dir @/pki"), ExitCode::kPrecondition);
  EXPECT_THAT(err_.str(),
              AllOf(HasSubstr("ca.crt is there already"), HasSubstr("what to do: this folder has a CA")));
  ASSERT_EQ(RunLine("issue controller --dir @/pki --dns localhost --dns c.example.com --ip 127.0.0.1"),
            ExitCode::kOk)
      << err_.str();
  EXPECT_THAT(out_.str(),
              HasSubstr("/pki/controller/tls.crt  spiffe://curlew/controller (localhost, c.example.com, "
                        "127.0.0.1)\n  valid until "));
  ASSERT_EQ(RunLine("issue agent staging-crm production-crm --dir @/pki"), ExitCode::kOk) << err_.str();
  ASSERT_EQ(RunLine("issue user ann --days 30 --dir @/pki --out @/home/ann"), ExitCode::kOk) << err_.str();
  EXPECT_THAT(FactsOf("home/ann/tls.crt").uris, ::testing::ElementsAre("spiffe://curlew/user/ann"));
  EXPECT_EQ(FactsOf("home/ann/tls.crt").ends - absl::Hours(24) * 30,
            FactsOf("home/ann/tls.crt").begins + pki::kClockSkew);
  for (const char* folder : {"pki/controller", "pki/staging-crm", "pki/production-crm", "home/ann"}) {
    EXPECT_OK(Openssl(
        {"verify", "-CAfile", At(absl::StrCat(folder, "/ca.crt")), At(absl::StrCat(folder, "/tls.crt"))}));
  }
}

TEST_F(PkiVerbsTest, RenewalKeepsNamesAndTrustUnlessToldOtherwise) {
  ASSERT_EQ(RunLine("init --dir @/old"), ExitCode::kOk);
  ASSERT_EQ(RunLine("init --dir @/new"), ExitCode::kOk);
  ASSERT_EQ(RunLine("issue controller --dir @/old --dns a --ip ::1 --out @/c"), ExitCode::kOk);
  const pki::CertificateFacts first = FactsOf("c/tls.crt");
  const std::string key = Read("c/tls.key");
  ASSERT_EQ(RunLine("issue controller --renew --dir @/old --out @/c"), ExitCode::kOk) << err_.str();
  EXPECT_THAT(out_.str(), HasSubstr(absl::StrCat("curlew pki revoke ", first.serial)));
  EXPECT_NE(FactsOf("c/tls.crt").serial, first.serial);
  EXPECT_NE(Read("c/tls.key"), key);
  EXPECT_EQ(FactsOf("c/tls.crt").dns, first.dns);
  EXPECT_EQ(FactsOf("c/tls.crt").ips, first.ips);
  // From one CA to another: trust both, change, trust the new one.
  ASSERT_EQ(RunLine("issue controller --renew --dir @/old --out @/c --trust @/new/ca.crt"), ExitCode::kOk);
  EXPECT_EQ(Read("c/ca.crt"), Read("old/ca.crt") + Read("new/ca.crt"));
  ASSERT_EQ(RunLine("issue controller --renew --dir @/new --out @/c --dns b"), ExitCode::kOk) << err_.str();
  EXPECT_EQ(Read("c/ca.crt"), Read("new/ca.crt") + Read("old/ca.crt"));
  EXPECT_THAT(FactsOf("c/tls.crt").dns, ::testing::ElementsAre("b"));
  EXPECT_THAT(FactsOf("c/tls.crt").ips, IsEmpty());
  ASSERT_EQ(RunLine("issue controller --renew --dir @/new --out @/c --trust @/new/ca.crt"), ExitCode::kOk);
  EXPECT_EQ(Read("c/ca.crt"), Read("new/ca.crt"));
  EXPECT_EQ(RunLine("issue controller --renew --dir @/new --out @/c --trust @/c/tls.crt"),
            ExitCode::kInvalid);
  EXPECT_THAT(err_.str(), HasSubstr("not a CA's"));
}

TEST_F(PkiVerbsTest, NothingIsReplacedByAccident) {
  ASSERT_EQ(RunLine("init --dir @/pki"), ExitCode::kOk);
  ASSERT_EQ(RunLine("issue agent crm --dir @/pki"), ExitCode::kOk);
  const std::string before = Read("pki/crm/tls.crt");
  EXPECT_EQ(RunLine("issue agent crm --dir @/pki"), ExitCode::kPrecondition);
  EXPECT_THAT(err_.str(), AllOf(HasSubstr("has a certificate already, of spiffe://curlew/agent/crm"),
                                HasSubstr("what to do: replace it with --renew")));
  // A person, a controller of the same folder's name.
  EXPECT_EQ(RunLine("issue user crm --renew --dir @/pki"), ExitCode::kPrecondition);
  EXPECT_THAT(
      err_.str(),
      HasSubstr("has the certificate of spiffe://curlew/agent/crm, not one of spiffe://curlew/user/crm"));
  EXPECT_EQ(Read("pki/crm/tls.crt"), before);
  EXPECT_EQ(RunLine("issue agent new --renew --dir @/pki"), ExitCode::kNotFound);
  EXPECT_FALSE(std::filesystem::exists(At("pki/new")));
  for (const char* own : {"crl", "issued"}) {
    EXPECT_EQ(RunLine(absl::StrCat("issue agent ", own, " --dir @/pki")), ExitCode::kPrecondition);
    EXPECT_THAT(err_.str(), HasSubstr("is a folder of the CA's own"));
  }
  EXPECT_EQ(RunLine("issue agent crl --dir @/pki --out @/crl"), ExitCode::kOk) << err_.str();
}

TEST_F(PkiVerbsTest, WhatIsWrongIsSaidBeforeAnythingIsMade) {
  EXPECT_EQ(RunLine("issue agent crm --dir @/pki"), ExitCode::kNotFound);
  EXPECT_THAT(err_.str(), AllOf(HasSubstr("there is no CA in"), HasSubstr("curlew pki init")));
  ASSERT_EQ(RunLine("init --dir @/pki --days 100"), ExitCode::kOk);
  EXPECT_EQ(RunLine("issue agent fine Bad_name --dir @/pki"), ExitCode::kInvalid);
  EXPECT_THAT(err_.str(),
              AllOf(HasSubstr("\"Bad_name\" cannot be the name"), HasSubstr("lower-case letters")));
  EXPECT_FALSE(std::filesystem::exists(At("pki/fine")));
  EXPECT_EQ(RunLine("issue controller --dir @/pki"), ExitCode::kInvalid);
  EXPECT_THAT(err_.str(), HasSubstr("--dns"));
  EXPECT_EQ(RunLine("issue controller --dir @/pki --ip 300.0.0.1"), ExitCode::kInvalid);
  EXPECT_FALSE(std::filesystem::exists(At("pki/controller")));
  EXPECT_EQ(RunLine("issue agent crm --dir @/pki --days 101"), ExitCode::kPrecondition);
  EXPECT_THAT(err_.str(), HasSubstr("give --days 99, or make another CA"));
  EXPECT_EQ(RunLine("issue agent crm --dns a --dir @/pki"), ExitCode::kInvalid);
  for (const char* usage :
       {"issue", "issue robot x", "issue agent", "issue controller x", "issue agent a b --out @/x",
        "issue agent a --days 0", "issue agent a --days x", "issue agent a --kubernetes-secret s --renew",
        "issue agent a --namespace n", "issue agent a --kubernetes-secret S",
        "issue agent a --kubernetes-secret s --namespace a.b", "revoke", "show", "init --days -1"}) {
    EXPECT_EQ(RunLine(usage), ExitCode::kUsage) << usage;
  }
}

TEST_F(PkiVerbsTest, ASecretHasWhatTheFolderWouldHave) {
  ASSERT_EQ(RunLine("init --dir @/pki"), ExitCode::kOk);
  ASSERT_EQ(RunLine("issue agent crm --dir @/pki --kubernetes-secret crm-tls --namespace curlew"),
            ExitCode::kOk)
      << err_.str();
  const YAML::Node secret = YAML::Load(out_.str());
  EXPECT_EQ(secret["apiVersion"].as<std::string>(), "v1");
  EXPECT_EQ(secret["kind"].as<std::string>(), "Secret");
  EXPECT_EQ(secret["type"].as<std::string>(), "kubernetes.io/tls");
  EXPECT_EQ(secret["metadata"]["name"].as<std::string>(), "crm-tls");
  EXPECT_EQ(secret["metadata"]["namespace"].as<std::string>(), "curlew");
  for (const char* name : {"tls.crt", "tls.key", "ca.crt"}) {
    std::string text;
    ASSERT_TRUE(absl::Base64Unescape(secret["data"][name].as<std::string>(), &text)) << name;
    std::ofstream(At(name)) << text;
  }
  EXPECT_EQ(secret["data"].size(), 3u);
  EXPECT_OK(Openssl({"verify", "-CAfile", At("ca.crt"), At("tls.crt")}));
  EXPECT_OK(Openssl({"pkey", "-in", At("tls.key"), "-check", "-noout"}));
  EXPECT_FALSE(std::filesystem::exists(At("pki/crm"))) << "no second copy of the key";
  ASSERT_EQ(RunLine("issue agent crm --dir @/pki --kubernetes-secret crm-tls"), ExitCode::kOk);
  EXPECT_THAT(out_.str(), Not(HasSubstr("namespace:")));
  context_.terminal.kind = Terminal::Kind::kScreen;
  EXPECT_EQ(RunLine("issue agent crm --dir @/pki --kubernetes-secret crm-tls"), ExitCode::kPrecondition);
  EXPECT_THAT(out_.str(), IsEmpty());
  EXPECT_THAT(err_.str(), AllOf(HasSubstr("not written to a screen"), HasSubstr("| kubectl apply -f -")));
}

TEST_F(PkiVerbsTest, RevokesAndShowsWhatIsWhat) {
  ASSERT_EQ(RunLine("init --dir @/pki"), ExitCode::kOk);
  EXPECT_EQ(RunLine("show @/pki"), ExitCode::kOk);
  EXPECT_THAT(out_.str(), HasSubstr("it has issued nothing yet"));
  ASSERT_EQ(RunLine("issue agent crm shop --dir @/pki"), ExitCode::kOk);
  const std::string serial = FactsOf("pki/shop/tls.crt").serial;
  ASSERT_EQ(RunLine("revoke @/pki/crm/tls.crt --dir @/pki"), ExitCode::kOk) << err_.str();
  EXPECT_THAT(out_.str(), AllOf(HasSubstr("revoked\n"), HasSubstr("bring " + At("pki/crl"))));
  EXPECT_EQ(RunLine("show @/pki"), ExitCode::kOk);
  EXPECT_THAT(out_.str(), AllOf(HasSubstr("SERIAL"), HasSubstr(serial + "  valid"), HasSubstr("  revoked  "),
                                HasSubstr("spiffe://curlew/agent/crm")));
  ASSERT_EQ(RunLine("revoke " + serial + " --dir @/pki"), ExitCode::kOk) << err_.str();
  ASSERT_EQ(RunLine("revoke " + serial + " --dir @/pki"), ExitCode::kOk);
  EXPECT_THAT(out_.str(), HasSubstr("revoked already, since "));
  EXPECT_EQ(RunLine("revoke 4f00 --dir @/pki"), ExitCode::kNotFound);
  EXPECT_EQ(RunLine("revoke crm --dir @/pki"), ExitCode::kInvalid);
  EXPECT_EQ(RunLine("revoke @/pki/ca.key --dir @/pki"), ExitCode::kInvalid);
  EXPECT_EQ(RunLine("show @/pki -o json"), ExitCode::kOk);
  const auto json = nlohmann::json::parse(out_.str());
  EXPECT_EQ(json["issued"].size(), 2u);
  EXPECT_EQ(json["issued"][0]["state"], "revoked");
  // The newest list.
  std::string list;
  for (const auto& entry : std::filesystem::directory_iterator(At("pki/crl"))) {
    if (entry.path().extension() == ".r2") list = entry.path().string();
  }
  EXPECT_EQ(RunLine("show " + list), ExitCode::kOk) << err_.str();
  EXPECT_THAT(out_.str(), AllOf(HasSubstr("number 3"), HasSubstr("revoked   " + serial + " since ")));
  EXPECT_EQ(RunLine("show -o json " + list), ExitCode::kOk);
  EXPECT_EQ(nlohmann::json::parse(out_.str())["revoked"].size(), 2u);
}

TEST_F(PkiVerbsTest, ShowsAFileThatAnybodyMadeAndNeverAKey) {
  ASSERT_EQ(RunLine("init --dir @/pki"), ExitCode::kOk);
  ASSERT_EQ(RunLine("issue controller --dns localhost --ip 10.0.0.7 --dir @/pki"), ExitCode::kOk);
  EXPECT_EQ(RunLine("show @/pki/controller/tls.crt"), ExitCode::kOk);
  EXPECT_THAT(out_.str(), AllOf(HasSubstr("subject   CN=controller\n"),
                                HasSubstr("URI       spiffe://curlew/controller\n"),
                                HasSubstr("DNS       localhost\n"), HasSubstr("IP        10.0.0.7\n"),
                                HasSubstr("for       serverAuth, clientAuth\n"), HasSubstr("valid until "),
                                HasSubstr("serial    " + FactsOf("pki/controller/tls.crt").serial)));
  EXPECT_EQ(RunLine("show @/pki/controller/tls.crt -o json"), ExitCode::kOk);
  EXPECT_EQ(nlohmann::json::parse(out_.str())[0]["dns"][0], "localhost");
  EXPECT_EQ(RunLine("show @/pki/controller/tls.key"), ExitCode::kInvalid);
  EXPECT_THAT(err_.str(), HasSubstr("holds a private key, of which nothing is shown"));
  // Another tool's, with bytes that could steer a terminal.
  ASSERT_OK(Openssl({"req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", At("k"), "-out",
                     At("odd.crt"), "-subj", "/O=a\033]0;x\a/CN=b", "-days", "1", "-set_serial", "5"}));
  EXPECT_EQ(RunLine("show @/odd.crt"), ExitCode::kOk) << err_.str();
  EXPECT_THAT(out_.str(),
              AllOf(Not(HasSubstr("\033")), HasSubstr("serial    05"), HasSubstr("RSA (2048 bits)")));
  std::ofstream(At("rubbish")) << "rubbish";
  EXPECT_EQ(RunLine("show @/rubbish"), ExitCode::kInvalid);
  EXPECT_EQ(RunLine("show @/nothing"), ExitCode::kNotFound);
  EXPECT_EQ(RunLine("show @"), ExitCode::kNotFound) << "a folder that is no CA's";
}

TEST(PkiOptionsTest, SaysHowLongACertificateIsValid) {
  const absl::Time now = absl::FromUnixSeconds(1'800'000'000), day = now - absl::Hours(24);
  EXPECT_EQ(Validity(day, now + absl::Hours(49), now), "valid until 2027-01-17 09:00:00 UTC (2 days)");
  EXPECT_EQ(Validity(day, now + absl::Hours(1), now), "valid until 2027-01-15 09:00:00 UTC (1 hour)");
  EXPECT_EQ(Validity(day, now, now), "expired at 2027-01-15 08:00:00 UTC");
  EXPECT_EQ(Validity(now + absl::Hours(1), now + absl::Hours(2), now),
            "not valid before 2027-01-15 09:00:00 UTC");
}

}  // namespace
}  // namespace curlew::cli
