// Bearer tokens as a pipeline uses them, by the real programs; and that the text of one is in nothing that
// they say or write, whatever befalls it.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>
#include <map>
#include <memory>
#include <sstream>
#include <string>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/base/bearer_token.h"
#include "common/base/hash.h"
#include "tests/support/certificates.h"
#include "tests/support/process.h"
#include "tests/support/status_matchers.h"

namespace curlew {
namespace {

using ::curlew::testing::Certificates;
using ::curlew::testing::IsOk;
using ::curlew::testing::Process;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

std::string ReadFile(const std::string& path) {
  std::stringstream text;
  text << std::ifstream(path, std::ios::binary).rdbuf();
  return text.str();
}

class TokenTest : public ::testing::Test {
 protected:
  struct Result {
    int exit_code = -1;
    std::string out, err;
  };

  TokenTest() {
    std::ofstream(folder() + "/access.yaml") << "roles:\n"
                                                "  - {role: admin, users: [grace]}\n"
                                                "  - {role: viewer, users: [\"*\"]}\n"
                                                "  - {role: author, users: [\"token:ci\"]}\n";
    std::ofstream(folder() + "/plan.yaml")
        << "name: p\noperations:\n  - add_column: {table: t, column: b, type: text}\n";
  }

  const std::string& folder() const { return certificates_.folder(); }
  std::string File(const std::string& name, const std::string& text, mode_t mode = 0600) {
    const std::string path = absl::StrCat(folder(), "/", name);
    std::ofstream(path) << text;
    chmod(path.c_str(), mode);
    return path;
  }
  void StartController(std::vector<std::string> more) {
    if (address_.empty()) address_ = absl::StrCat("127.0.0.1:", testing::FreePort());
    std::vector<std::string> argv = {
        CURLEW_BIN "/curlew-controller", "--listen",    address_, "--store", store(), "--access",
        folder() + "/access.yaml",       "--log-level", "debug"};
    for (const auto& flags : {Certificates::Flags(certificates_.Controller()), more}) {
      argv.insert(argv.end(), flags.begin(), flags.end());
    }
    auto process = Process::Start({.argv = argv});
    ASSERT_THAT(process, IsOk());
    controller_ = *std::move(process);
    ASSERT_THAT(controller_->WaitForOutput("listening", absl::Seconds(20)), IsOk());
  }
  void EndController() {
    controller_->Kill(SIGTERM);
    ASSERT_THAT(controller_->Wait(absl::Seconds(30)), IsOk());
    said_ += controller_->output();
  }
  std::string store() const { return folder() + "/store.db"; }

  // `curlew` with these arguments and variables alone; what it says is kept.
  Result Curlew(std::vector<std::string> arguments, std::map<std::string, std::string> env = {}) {
    const std::string out = folder() + "/out", err = folder() + "/err";
    std::vector<std::string> argv = {
        "sh",           "-c",    absl::StrCat("\"$@\" >", out, " 2>", err), "sh", CURLEW_BIN "/curlew",
        "--controller", address_};
    argv.insert(argv.end(), arguments.begin(), arguments.end());
    auto process = Process::Start({.argv = argv, .env = std::move(env)});
    EXPECT_THAT(process, IsOk());
    Result result;
    result.exit_code = (*process)->Wait(absl::Seconds(60)).value_or(-1);
    result.out = ReadFile(out);
    result.err = ReadFile(err);
    said_ += absl::StrCat("curlew ", absl::StrJoin(arguments, " "), "\n", result.err);
    // What token create prints is the one place where it may be.
    if (arguments.size() < 2 || arguments[0] != "token" || arguments[1] != "create") said_ += result.out;
    std::filesystem::remove(out);
    std::filesystem::remove(err);
    return result;
  }
  std::vector<std::string> As(const std::string& user, std::vector<std::string> arguments) {
    for (const std::string& flag : Certificates::Flags(certificates_.User(user))) arguments.push_back(flag);
    return arguments;
  }
  // With a token, from a file, and no certificate.
  std::vector<std::string> With(const std::string& token, std::vector<std::string> arguments) {
    arguments.insert(arguments.end(), {"--token-file", File("token", token + "\n"), "--tls-ca", ca_});
    return arguments;
  }
  // Makes one, and returns its text.
  std::string Create(const std::string& name) {
    const Result made = Curlew(As("grace", {"token", "create", name, "--purpose", "the pipeline of crm"}));
    EXPECT_EQ(made.exit_code, 0) << made.err;
    const std::string text(absl::StripAsciiWhitespace(made.out));
    EXPECT_TRUE(base::IsBearerToken(text)) << made.out.size();
    EXPECT_EQ(made.out, text + "\n");
    EXPECT_EQ(made.err.find(text), std::string::npos);
    return base::IsBearerToken(text) ? text : "";
  }

  Certificates certificates_;
  std::string address_, said_;
  const std::string ca_ = certificates_.User("grace").ca;
  std::unique_ptr<Process> controller_;
};

TEST_F(TokenTest, APipelineWorksWithATokenUntilItIsRevokedAndItsTextIsNowhere) {
  StartController({"--tokens"});
  const std::string text = Create("ci"), wrong = base::NewBearerToken();
  ASSERT_FALSE(text.empty());
  const std::string plan = folder() + "/plan.yaml";
  const auto expect = [&](const Result& result, int exit_code, const auto& words) {
    EXPECT_EQ(result.exit_code, exit_code) << result.err;
    EXPECT_THAT(result.out + result.err, words);
  };
  expect(Curlew(With(text, {"plan", "submit", plan})), 0, HasSubstr("p-"));
  expect(Curlew({"plan", "list", "--tls-ca", ca_}, {{"CURLEW_TOKEN", text}}), 0, HasSubstr("token:ci"));
  // What it may not, and what does not count.
  expect(Curlew(With(text, {"token", "list"})), 12,
         AllOf(HasSubstr("token:ci may not do this (ListTokens)"), HasSubstr("is author everywhere")));
  expect(Curlew(With(wrong, {"plan", "list"})), 12,
         AllOf(HasSubstr("this token is not known here"), HasSubstr("curlew token create")));
  expect(Curlew(With(wrong.substr(0, 33), {"plan", "list"})), 2, HasSubstr("is no token"));
  expect(Curlew({"plan", "list", "--insecure"}, {{"CURLEW_TOKEN", text}}), 2, HasSubstr("contradict"));
  expect(Curlew({"plan", "list"}, {{"CURLEW_TOKEN", text}}), 2, HasSubstr("--tls-ca is missing"));
  expect(Curlew({"plan", "list", "--tls-ca", ca_, "--token-file", File("open", text, 0644)}), 5,
         HasSubstr("is open to every user"));
  expect(Curlew({"plan", "list", "--tls-ca", ca_}), 2, HasSubstr("--tls-cert and --tls-key are missing"));
  Certificates others;
  expect(Curlew({"plan", "list", "--tls-ca", others.User("x").ca}, {{"CURLEW_TOKEN", text}}), 6,
         HasSubstr("of another CA than the one in --tls-ca"));
  expect(Curlew(As("grace", {"token", "create", "ci"})), 5, HasSubstr("exists already and counts until"));
  expect(Curlew(As("grace", {"token", "list", "-o", "json"})), 0, HasSubstr("the pipeline of crm"));
  expect(Curlew(As("grace", {"token", "revoke", "ci", "--reason", "seen in a log"})), 0,
         HasSubstr("token ci was revoked"));
  expect(Curlew(With(text, {"plan", "list"})), 12, HasSubstr("the token ci was revoked at 20"));
  EndController();
  // Nor does it count again where tokens are not taken, or after a restart.
  StartController({});
  expect(Curlew(With(text, {"plan", "list"})), 6,
         AllOf(HasSubstr("it wants a certificate"), HasSubstr("--tokens")));
  expect(Curlew(As("grace", {"plan", "list"}), {{"CURLEW_TOKEN", text}}), 12,
         HasSubstr("this controller takes no tokens"));
  expect(Curlew(As("grace", {"token", "create", "cd"})), 5, HasSubstr("takes no tokens, so none is made"));
  EndController();
  StartController({"--tokens"});
  expect(Curlew(With(text, {"plan", "list"})), 12, HasSubstr("the token ci was revoked at 20"));
  const Result audit = Curlew(As("grace", {"audit", "list", "--after", "0", "-o", "json"}));
  EXPECT_THAT(audit.out, AllOf(HasSubstr("\"token.create\""), HasSubstr("\"token.revoke\""),
                               HasSubstr("\"token:ci\""), HasSubstr("seen in a log")));
  const auto backup = Process::Run({.argv = {CURLEW_BIN "/curlew-controller", "store", "backup", "--store",
                                             store(), folder() + "/b.backup"}});
  ASSERT_THAT(backup, IsOk());
  const auto check =
      Process::Run({.argv = {CURLEW_BIN "/curlew-controller", "store", "check", "--store", store()}});
  ASSERT_THAT(check, IsOk());
  EXPECT_THAT(*check, HasSubstr("1 bearer token"));
  std::string kept;
  for (const char* suffix : {"", "-wal", "-shm"}) kept += ReadFile(store() + suffix);
  EndController();
  kept += ReadFile(store()) + ReadFile(folder() + "/b.backup");
  // That what is looked through is what there is.
  EXPECT_THAT(said_, AllOf(HasSubstr("token made"), HasSubstr("tokens/ci"), HasSubstr("plan stored")));
  EXPECT_NE(kept.find("tokens/ci"), std::string::npos);
  EXPECT_NE(kept.find(base::Sha256Hex(text)), std::string::npos);
  for (const std::string& secret : {text, wrong}) {
    const std::string core = secret.substr(base::kBearerTokenPrefix.size(), 20);
    EXPECT_EQ(said_.find(core), std::string::npos);
    EXPECT_EQ(said_.find(base::Sha256Hex(secret)), std::string::npos);
    EXPECT_EQ((kept + *backup + *check).find(core), std::string::npos);
  }
  EXPECT_EQ(kept.find(base::Sha256Hex(wrong)), std::string::npos);
}

TEST_F(TokenTest, TokensNeedCertificates) {
  auto process = Process::Start({.argv = {CURLEW_BIN "/curlew-controller", "--insecure", "--tokens",
                                          "--listen", "127.0.0.1:0", "--store", store()}});
  ASSERT_THAT(process, IsOk());
  EXPECT_EQ((*process)->Wait(absl::Seconds(20)).value_or(-1), 2);
  EXPECT_THAT((*process)->output(), HasSubstr("--tokens needs certificates"));
}

}  // namespace
}  // namespace curlew
