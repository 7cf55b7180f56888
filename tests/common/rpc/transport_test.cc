// Connections over real sockets, with certificates of a real CA: which come about, and what is said of the
// rest.
#include "common/rpc/transport.h"

#include <gmock/gmock.h>
#include <grpcpp/generic/async_generic_service.h>
#include <grpcpp/health_check_service_interface.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>
#include <memory>
#include <sstream>
#include <string>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "common/base/bearer_token.h"
#include "common/rpc/acceptor.h"
#include "common/rpc/endpoint.h"
#include "common/rpc/probe.h"
#include "tests/support/certificates.h"
#include "tests/support/raw_call.h"
#include "tests/support/status_matchers.h"

namespace curlew::rpc {
namespace {

using ::curlew::testing::Certificates;
using ::curlew::testing::IsOk;
using ::curlew::testing::StatusIs;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

constexpr absl::Duration kDay = absl::Hours(24);
constexpr absl::Duration kPatience = absl::Seconds(20);

std::unique_ptr<const Transport> Made(const TransportOptions& options) {
  auto transport = Transport::Make(options, absl::Now());
  EXPECT_THAT(transport, IsOk());
  return transport.ok() ? *std::move(transport) : nullptr;
}

// A server that has nothing but its health.
class HealthyServer {
 public:
  explicit HealthyServer(const Transport& transport, const std::string& host = "127.0.0.1") : host_(host) {
    grpc::EnableDefaultHealthCheckService(true);
    auto server =
        AcceptingServer::Start(absl::StrCat(host, ":0"), transport, [this](grpc::ServerBuilder& builder) {
          ConfigureServer(&builder);
          builder.RegisterCallbackGenericService(&nothing_);
        });
    EXPECT_THAT(server, IsOk());
    if (server.ok()) server_ = *std::move(server);
  }
  ~HealthyServer() {
    if (server_ != nullptr) server_->Shutdown(std::chrono::system_clock::now());
  }
  std::string address() const { return absl::StrCat(host_, ":", server_->port()); }

 private:
  const std::string host_;
  grpc::CallbackGenericService nothing_;
  std::unique_ptr<AcceptingServer> server_;
};

// Asks for the health of a server.
absl::Status Ask(const std::shared_ptr<grpc::Channel>& channel) {
  return testing::RawCall(channel, "/grpc.health.v1.Health/Check", "").status();
}

absl::Status Ask(const std::string& address, const Transport& transport) {
  const auto channel = MakeChannel(address, transport);
  return channel.ok() ? Ask(*channel) : channel.status();
}

class TransportTest : public ::testing::Test {
 protected:
  // A new file of the test's.
  std::string File(const std::string& name, const std::string& text, mode_t mode = 0600) {
    const std::string path = absl::StrCat(certificates_.folder(), "/", name);
    std::ofstream(path) << text;
    chmod(path.c_str(), mode);
    return path;
  }
  // What a client of `client` finds out about a server of `server`: no call comes through.
  std::string Fault(const TransportOptions& server, const TransportOptions& client) {
    const auto theirs = Made(server), ours = Made(client);
    const HealthyServer healthy(*theirs);
    EXPECT_THAT(Ask(healthy.address(), *ours), StatusIs(absl::StatusCode::kUnavailable));
    return ProbeOne(healthy.address(), *ours);
  }

  Certificates certificates_, others_;
};

TEST_F(TransportTest, BothSidesShowACertificateAndTalk) {
  const auto theirs = Made(certificates_.Controller()), ours = Made(certificates_.Agent("crm"));
  EXPECT_TRUE(ours->secure());
  EXPECT_EQ(ours->name(), "spiffe://curlew/agent/crm");
  for (const char* host : {"127.0.0.1", "localhost"}) {
    const HealthyServer server(*theirs, host);
    EXPECT_THAT(Ask(server.address(), *ours), IsOk()) << host;
    EXPECT_EQ(ProbeOne(server.address(), *ours), "") << host;
  }
}

TEST_F(TransportTest, AControllersNameMayBeAnotherThanItsAddress) {
  const auto theirs = Made(certificates_.Controller());
  TransportOptions client = certificates_.Agent("crm");
  client.server_name = "curlew.test";
  const auto ours = Made(client);
  const HealthyServer one(*theirs), two(*theirs);
  EXPECT_THAT(Ask(one.address(), *ours), IsOk());
  const std::string both = absl::StrCat(one.address(), ",", two.address());
  EXPECT_THAT(ParseControllers(both, *ours), IsOk());
  client.server_name.clear();
  EXPECT_THAT(ParseControllers(both, *Made(client)),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("--tls-server-name")));
  client.server_name = "crm.test";
  EXPECT_THAT(Ask(one.address(), *Made(client)), StatusIs(absl::StatusCode::kUnavailable));
}

TEST_F(TransportTest, SaysWhatIsWrongWithTheOthersCertificate) {
  const TransportOptions client = certificates_.Agent("crm");
  // The server had it when it was still good, or its clock is wrong: Make would refuse it today.
  const auto server = [&](int days, absl::Time begins) {
    const TransportOptions options = certificates_.Controller({"localhost"}, days, begins);
    auto theirs = Transport::Make(options, begins + absl::Hours(1));
    EXPECT_THAT(theirs, IsOk());
    const HealthyServer healthy(**theirs);
    const auto ours = Made(client);
    EXPECT_THAT(Ask(healthy.address(), *ours), StatusIs(absl::StatusCode::kUnavailable));
    return ProbeOne(healthy.address(), *ours);
  };
  EXPECT_THAT(server(1, absl::Now() - 10 * kDay), HasSubstr("its certificate expired at 20"));
  EXPECT_THAT(server(1, absl::Now() + 10 * kDay), HasSubstr("its certificate is not valid before 20"));
  EXPECT_THAT(Fault(others_.Controller(), client), HasSubstr("of another CA than the one in --tls-ca"));
  EXPECT_THAT(Fault(certificates_.User("mallory"), client), HasSubstr("not one of a server's"));
  TransportOptions elsewhere = client;
  elsewhere.server_name = "elsewhere.test";
  EXPECT_THAT(Fault(certificates_.Controller(), elsewhere),
              AllOf(HasSubstr("not for elsewhere.test"), HasSubstr("--tls-server-name")));
  TransportOptions careful = client;
  const TransportOptions revoked = certificates_.Controller();
  certificates_.Revoke(revoked);
  careful.crl_directory = certificates_.crl_directory();
  EXPECT_THAT(Fault(revoked, careful), HasSubstr("its certificate is revoked"));
}

TEST_F(TransportTest, SaysWhatTheOtherHasAgainstTheOwnCertificate) {
  TransportOptions server = certificates_.Controller();
  server.crl_directory = certificates_.crl_directory();
  const auto theirs = Made(server);
  const HealthyServer healthy(*theirs);
  const auto said = [&](const TransportOptions& client, absl::Time now = absl::Now()) {
    const auto ours = Transport::Make(client, now);
    EXPECT_THAT(ours, IsOk());
    EXPECT_THAT(Ask(healthy.address(), **ours), StatusIs(absl::StatusCode::kUnavailable));
    return ProbeOne(healthy.address(), **ours);
  };
  const absl::Time then = absl::Now() - 10 * kDay;
  EXPECT_THAT(
      said(certificates_.Agent("old", 1, then), then + absl::Hours(1)),
      AllOf(HasSubstr("does not take our certificate (spiffe://curlew/agent/old"), HasSubstr("expired")));
  TransportOptions foreign = others_.Agent("crm");
  foreign.ca = server.ca;
  EXPECT_THAT(said(foreign), HasSubstr("it is of another CA than those in --tls-ca"));
  const TransportOptions agent = certificates_.Agent("lost");
  EXPECT_THAT(Ask(healthy.address(), *Made(agent)), IsOk());
  certificates_.Revoke(agent);  // while the server runs
  EXPECT_THAT(said(agent), HasSubstr("it may be revoked"));
  EXPECT_THAT(Ask(healthy.address(), *Made(certificates_.Agent("found"))), IsOk());
}

TEST_F(TransportTest, PlainTextAndTlsAreToldApart) {
  const auto ours = Made(certificates_.Agent("crm")), theirs = Made(certificates_.Controller());
  const HealthyServer plain(Transport::Plain()), secure(*theirs);
  EXPECT_THAT(Ask(plain.address(), *ours), StatusIs(absl::StatusCode::kUnavailable));
  EXPECT_THAT(ProbeOne(plain.address(), *ours), HasSubstr("speaks plain text"));
  EXPECT_THAT(Ask(secure.address(), Transport::Plain()), StatusIs(absl::StatusCode::kUnavailable));
  EXPECT_THAT(ProbeOne(secure.address(), Transport::Plain()), HasSubstr("speaks TLS"));
  EXPECT_EQ(ProbeOne("127.0.0.1:1", *ours), "") << "nobody listens: gRPC says that";
}

TEST_F(TransportTest, ANewCertificateIsTakenWithoutARestartAndOldConnectionsGoOn) {
  const auto theirs = Made(certificates_.Controller({"before.test"}));
  const HealthyServer server(*theirs);
  TransportOptions before = certificates_.Agent("crm"), after = before;
  before.server_name = "before.test";
  after.server_name = "after.test";
  const auto one = Made(before), two = Made(after);
  const auto old = MakeChannel(server.address(), *one);
  ASSERT_THAT(old, IsOk());
  ASSERT_THAT(Ask(*old), IsOk());
  certificates_.Controller({"after.test"});
  const absl::Time deadline = absl::Now() + kPatience;
  while (!ProbeOne(server.address(), *two).empty() && absl::Now() < deadline) {
  }
  EXPECT_EQ(ProbeOne(server.address(), *two), "");
  EXPECT_THAT(Ask(server.address(), *two), IsOk());
  EXPECT_THAT(Ask(*old), IsOk());
}

TEST_F(TransportTest, SaysWhatIsWrongOnTheCommandLine) {
  const TransportOptions good = certificates_.Agent("crm");
  const auto refused = [](const TransportOptions& options) {
    const absl::Status status = Transport::Make(options, absl::Now()).status();
    EXPECT_THAT(status, StatusIs(absl::StatusCode::kInvalidArgument));
    return std::string(status.message());
  };
  EXPECT_THAT(refused({}), AllOf(HasSubstr("--tls-cert"), HasSubstr("--insecure"), HasSubstr("curlew pki")));
  EXPECT_THAT(refused({.certificate = good.certificate}), HasSubstr("--tls-key and --tls-ca are missing"));
  EXPECT_THAT(refused({.certificate = good.certificate, .key = good.key}), HasSubstr("--tls-ca is missing"));
  TransportOptions both = good;
  both.plain_text = PlainText::kLoopbackOnly;
  EXPECT_THAT(refused(both), HasSubstr("--insecure and --tls-cert contradict each other"));
}

// A client with a token alone: what it needs, and what it is told where that does not do.
TEST_F(TransportTest, WhoHasATokenNeedsNoCertificateWhereTokensAreTaken) {
  TransportOptions open = certificates_.Controller();
  open.client_certificates = ClientCertificates::kOptional;
  open.crl_directory = certificates_.crl_directory();
  const auto theirs = Made(open), strict = Made(certificates_.Controller());
  const HealthyServer server(*theirs), demanding(*strict), plain(Transport::Plain());
  const auto ours = Made({.ca = open.ca, .token = base::NewBearerToken()});
  EXPECT_TRUE(ours->secure());
  EXPECT_EQ(ours->name(), "");
  EXPECT_FALSE(ours->own().has_value());
  EXPECT_THAT(Ask(server.address(), *ours), IsOk());
  EXPECT_EQ(ProbeOne(server.address(), *ours), "");
  EXPECT_THAT(Ask(demanding.address(), *ours), StatusIs(absl::StatusCode::kUnavailable));
  EXPECT_THAT(ProbeOne(demanding.address(), *ours),
              AllOf(HasSubstr("it wants a certificate"), HasSubstr("--tls-cert"), HasSubstr("--tokens")));
  EXPECT_THAT(Ask(plain.address(), *ours), StatusIs(absl::StatusCode::kUnavailable));
  EXPECT_THAT(ProbeOne(plain.address(), *ours), HasSubstr("speaks plain text"));
  // The controller still shows its own, and it is looked at.
  const auto elsewhere = Made({.ca = others_.Agent("crm").ca, .token = base::NewBearerToken()});
  EXPECT_THAT(Ask(server.address(), *elsewhere), StatusIs(absl::StatusCode::kUnavailable));
  EXPECT_THAT(ProbeOne(server.address(), *elsewhere), HasSubstr("of another CA than the one in --tls-ca"));
  // Who shows a certificate shows a good one.
  EXPECT_THAT(Ask(server.address(), *Made(certificates_.Agent("crm"))), IsOk());
  TransportOptions foreign = others_.Agent("crm");
  foreign.ca = open.ca;
  EXPECT_THAT(Fault(open, foreign), HasSubstr("it is of another CA than those in --tls-ca"));
  foreign.token = base::NewBearerToken();
  EXPECT_THAT(Fault(open, foreign), HasSubstr("it is of another CA than those in --tls-ca"));
  const TransportOptions lost = certificates_.Agent("lost");
  certificates_.Revoke(lost);
  EXPECT_THAT(Fault(open, lost), HasSubstr("it may be revoked"));
}

TEST_F(TransportTest, SaysWhatIsWrongWithATokenAndNothingOfIt) {
  const TransportOptions good = certificates_.Agent("crm");
  const std::string token = base::NewBearerToken();
  const auto refused = [&](TransportOptions options) {
    const absl::Status status = Transport::Make(options, absl::Now()).status();
    EXPECT_THAT(status, StatusIs(absl::StatusCode::kInvalidArgument, Not(HasSubstr(options.token))));
    return std::string(status.message());
  };
  EXPECT_THAT(refused({.plain_text = PlainText::kLoopbackOnly, .token = token}),
              AllOf(HasSubstr("--insecure and a token contradict each other"), HasSubstr("CURLEW_TOKEN")));
  EXPECT_THAT(refused({.token = token}), HasSubstr("--tls-ca is missing"));
  EXPECT_THAT(refused({.certificate = good.certificate, .ca = good.ca, .token = token}),
              HasSubstr("--tls-key is missing"));
  EXPECT_THAT(refused({.ca = good.ca, .token = token.substr(0, 40)}), HasSubstr("is no token"));
  EXPECT_THAT(
      Transport::Make({.ca = "/no/such/file", .token = token}, absl::Now()),
      StatusIs(absl::StatusCode::kFailedPrecondition, AllOf(HasSubstr("--tls-ca"), Not(HasSubstr(token)))));
  TransportOptions both = good;
  both.token = token;
  EXPECT_THAT(Transport::Make(both, absl::Now()), IsOk());
}

TEST_F(TransportTest, SaysWhatIsWrongWithAFileAndNothingOfAKey) {
  const TransportOptions good = certificates_.Agent("crm");
  std::stringstream key;
  key << std::ifstream(good.key).rdbuf();
  const std::string secret = key.str().substr(40, 40);
  const auto refused = [&](std::string TransportOptions::*field, const std::string& path) {
    TransportOptions options = good;
    options.*field = path;
    const absl::Status status = Transport::Make(options, absl::Now()).status();
    EXPECT_THAT(status, StatusIs(absl::StatusCode::kFailedPrecondition, Not(HasSubstr(secret))));
    return std::string(status.message());
  };
  EXPECT_THAT(refused(&TransportOptions::certificate, "/no/such/file"),
              AllOf(HasSubstr("--tls-cert"), HasSubstr("/no/such/file"), HasSubstr("No such file")));
  EXPECT_THAT(refused(&TransportOptions::certificate, good.key), HasSubstr("PEM"));
  EXPECT_THAT(refused(&TransportOptions::ca, File("empty", "")),
              AllOf(HasSubstr("--tls-ca"), HasSubstr("PEM")));
  EXPECT_THAT(refused(&TransportOptions::key, File("no.key", "-----BEGIN CERTIFICATE-----\n")),
              HasSubstr("holds no private key"));
  EXPECT_THAT(refused(&TransportOptions::key, certificates_.Agent("else").key),
              HasSubstr(absl::StrCat("is not the key of ", good.certificate)));
  EXPECT_THAT(refused(&TransportOptions::key, File("open.key", key.str(), 0644)),
              HasSubstr("open to every user"));
  EXPECT_THAT(
      refused(&TransportOptions::key,
              File("locked.key",
                   "-----BEGIN ENCRYPTED PRIVATE KEY-----\nMIGjMF8GCSqGSIb3DQEFDTBSMDEGCSqGSIb3DQEFDDAk"
                   "BBBrq3dXjI8B8lQjc7dV6bY3AgIIADAMBggqhkiG9w0CCQUAMB0GCWCGSAFlAwQBKgQQ9iTfyD2e\n"
                   "-----END ENCRYPTED PRIVATE KEY-----\n")),
      HasSubstr("private key"));
  EXPECT_THAT(refused(&TransportOptions::crl_directory, good.key), HasSubstr("--tls-crl-dir"));
  const absl::Time then = absl::Now() - 10 * kDay;
  EXPECT_THAT(
      Transport::Make(certificates_.Agent("old", 1, then), absl::Now()),
      StatusIs(absl::StatusCode::kFailedPrecondition, AllOf(HasSubstr("expired at"), HasSubstr("--renew"))));
  EXPECT_THAT(Transport::Make(certificates_.Agent("young", 1, absl::Now() + kDay), absl::Now()),
              StatusIs(absl::StatusCode::kFailedPrecondition, HasSubstr("is not valid before")));
}

TEST_F(TransportTest, PlainTextStaysOnThisMachineAndTlsMayGoAnywhere) {
  const auto secure = Made(certificates_.Agent("crm"));
  for (const char* address : {"0.0.0.0:7441", "crm.example.org:7441", "[2001:db8::1]:7441"}) {
    EXPECT_THAT(secure->Check(address), IsOk()) << address;
    EXPECT_THAT(Transport::Plain().Check(address),
                StatusIs(absl::StatusCode::kFailedPrecondition, HasSubstr("--insecure")))
        << address;
  }
  EXPECT_THAT(secure->Check("crm.example.org"), StatusIs(absl::StatusCode::kInvalidArgument));
  EXPECT_THAT(ParseControllers("10.0.0.1:1,crm.example.org:1", *secure),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("dns:///")));
  EXPECT_THAT(ParseControllers("dns:///crm.example.org:1", *secure), IsOk());
}

}  // namespace
}  // namespace curlew::rpc
