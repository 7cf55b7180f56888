// That gRPC takes what is made here: both sides with certificates, and revocations without a restart.
#include <grpcpp/grpcpp.h>
#include <grpcpp/security/tls_certificate_provider.h>
#include <grpcpp/security/tls_certificate_verifier.h>
#include <grpcpp/security/tls_credentials_options.h>
#include <openssl/err.h>
#include <openssl/ssl.h>

#include "absl/time/clock.h"
#include "common/pki/authority_folder.h"
#include "common/pki/pair_folder.h"
#include "common/pki/resumption.h"
#include "curlew/v1/operator.grpc.pb.h"
#include "tests/common/pki/support.h"

namespace curlew::pki {
namespace {

using grpc::experimental::FileWatcherCertificateProvider;

constexpr unsigned kReloadSeconds = 1;

class GrpcTest : public PkiTest {
 protected:
  explicit GrpcTest(grpc_ssl_client_certificate_request_type asks =
                        GRPC_SSL_REQUEST_AND_REQUIRE_CLIENT_CERTIFICATE_AND_VERIFY) {
    EXPECT_OK(ForbidResumption());
    AuthorityFolder::Made made;
    folder_.emplace(*AuthorityFolder::Make(At("pki"), {}, absl::Now(), &made));
    Put("controller", Controller());
    grpc::experimental::TlsServerCredentialsOptions options(Watch("controller"));
    options.watch_root_certs();
    options.watch_identity_key_cert_pairs();
    options.set_cert_request_type(asks);
    options.set_crl_directory(folder_->ListsPath());
    grpc::ServerBuilder builder;
    builder.AddListeningPort("127.0.0.1:0", grpc::experimental::TlsServerCredentials(options), &port_);
    builder.RegisterService(&service_);
    server_ = builder.BuildAndStart();
  }
  ~GrpcTest() override { server_->Shutdown(std::chrono::system_clock::now()); }

  // A pair of the request in a folder of that name; its serial number.
  std::string Put(const std::string& name, const CertificateRequest& request) {
    const auto pair = folder_->Issue(request, absl::Now());
    EXPECT_OK(pair);
    auto to = PairFolder::Open(At(name));
    EXPECT_OK(to);
    EXPECT_OK(to->Write(*pair, {folder_->authority().certificate()}));
    return pair->certificate.facts().serial;
  }

  std::shared_ptr<FileWatcherCertificateProvider> Watch(const std::string& name) {
    return std::make_shared<FileWatcherCertificateProvider>(At(name + "/tls.key"), At(name + "/tls.crt"),
                                                            At(name + "/ca.crt"), kReloadSeconds);
  }

  // Whether the server takes a new connection with the pair of that folder. One that is refused is seen at
  // once as a failure of the channel, so that nothing is waited for.
  bool Connects(const std::string& name) {
    grpc::experimental::TlsChannelCredentialsOptions options;
    options.set_certificate_provider(Watch(name));
    options.watch_root_certs();
    options.watch_identity_key_cert_pairs();
    options.set_certificate_verifier(std::make_shared<grpc::experimental::HostNameCertificateVerifier>());
    grpc::ChannelArguments arguments;
    arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
    const auto channel = grpc::CreateCustomChannel(absl::StrCat("127.0.0.1:", port_),
                                                   grpc::experimental::TlsCredentials(options), arguments);
    const auto deadline = std::chrono::system_clock::now() + std::chrono::seconds(20);
    for (auto state = channel->GetState(true); state != GRPC_CHANNEL_READY; state = channel->GetState(true)) {
      if (state == GRPC_CHANNEL_TRANSIENT_FAILURE) return false;
      if (!channel->WaitForStateChange(state, deadline)) return false;
    }
    return true;
  }

  // A connection without gRPC, with the pair of that folder ("" for none): the session that the server lets
  // it take up again, or nullptr where it refuses the connection. `taken_up` says whether `session` was.
  std::shared_ptr<SSL_SESSION> Talk(const std::string& name, int version, SSL_SESSION* session,
                                    bool* taken_up) {
    const std::unique_ptr<SSL_CTX, decltype(&SSL_CTX_free)> context(SSL_CTX_new(TLS_client_method()),
                                                                    &SSL_CTX_free);
    // A client that would: what is forbidden in this process holds for it, too.
    SSL_CTX_clear_options(context.get(), SSL_OP_NO_TICKET);
    SSL_CTX_set_min_proto_version(context.get(), version);
    SSL_CTX_set_max_proto_version(context.get(), version);
    if (!name.empty()) {
      SSL_CTX_use_certificate_chain_file(context.get(), At(name + "/tls.crt").c_str());
      SSL_CTX_use_PrivateKey_file(context.get(), At(name + "/tls.key").c_str(), SSL_FILETYPE_PEM);
    }
    BIO* const connection = BIO_new_connect(absl::StrCat("127.0.0.1:", port_).c_str());
    EXPECT_EQ(BIO_do_connect(connection), 1);
    const std::unique_ptr<SSL, decltype(&SSL_free)> tls(SSL_new(context.get()), &SSL_free);
    SSL_set_bio(tls.get(), connection, connection);
    constexpr unsigned char kHttp2[] = {2, 'h', '2'};
    SSL_set_alpn_protos(tls.get(), kHttp2, sizeof kHttp2);
    SSL_set_session(tls.get(), session);
    char byte = 0;
    // The server speaks first in HTTP/2; with it, or before, come tickets of TLS 1.3.
    const bool heard = SSL_connect(tls.get()) == 1 && SSL_read(tls.get(), &byte, 1) == 1;
    ERR_clear_error();
    *taken_up = SSL_session_reused(tls.get()) == 1;
    if (!heard) return nullptr;
    SSL_shutdown(tls.get());
    return {SSL_get1_session(tls.get()), &SSL_SESSION_free};
  }

  std::optional<AuthorityFolder> folder_;
  // Any: nothing is called.
  v1::PlanService::Service service_;
  std::unique_ptr<grpc::Server> server_;
  int port_ = 0;
};

TEST_F(GrpcTest, ARunningServerRefusesWhatIsRevokedAndTakesTheRest) {
  const std::string first = Put("first", Agent("first")), second = Put("second", Agent("second"));
  Put("third", {.identity = {.party = Party::kUser, .name = "third"}});
  EXPECT_TRUE(Connects("first"));
  EXPECT_TRUE(Connects("second"));
  ASSERT_OK(folder_->Revoke(first, absl::Now()));
  EXPECT_FALSE(Connects("first"));
  EXPECT_TRUE(Connects("second"));
  // Another list, which the server, which has read two, has to find.
  ASSERT_OK(folder_->Revoke(second, absl::Now()));
  EXPECT_FALSE(Connects("first"));
  EXPECT_FALSE(Connects("second"));
  EXPECT_TRUE(Connects("third"));
  // Renewed, it may come again.
  Put("first", Agent("first"));
  EXPECT_TRUE(Connects("first"));
}

TEST_F(GrpcTest, NoSessionIsTakenUpAgainPastARevocation) {
  for (const int version : {TLS1_2_VERSION, TLS1_3_VERSION}) {
    const std::string name = absl::StrCat("agent", version), serial = Put(name, Agent(name));
    bool taken_up = false;
    const auto session = Talk(name, version, nullptr, &taken_up);
    ASSERT_NE(session, nullptr);
    EXPECT_NE(Talk(name, version, session.get(), &taken_up), nullptr);
    EXPECT_FALSE(taken_up);
    ASSERT_OK(folder_->Revoke(serial, absl::Now()));
    EXPECT_EQ(Talk(name, version, session.get(), &taken_up), nullptr);
    EXPECT_FALSE(taken_up);
  }
}

// A server that hears those who have none.
class OpenGrpcTest : public GrpcTest {
 protected:
  OpenGrpcTest() : GrpcTest(GRPC_SSL_REQUEST_CLIENT_CERTIFICATE_AND_VERIFY) {}
};

TEST_F(OpenGrpcTest, WhoHasNoCertificateIsHeardAndWhoseIsBadIsNotAndNoSessionIsTakenUpAgain) {
  for (const int version : {TLS1_2_VERSION, TLS1_3_VERSION}) {
    bool taken_up = false;
    const auto stranger = Talk("", version, nullptr, &taken_up);
    ASSERT_NE(stranger, nullptr);
    EXPECT_NE(Talk("", version, stranger.get(), &taken_up), nullptr);
    EXPECT_FALSE(taken_up);
    const std::string name = absl::StrCat("agent", version), serial = Put(name, Agent(name));
    const auto session = Talk(name, version, nullptr, &taken_up);
    ASSERT_NE(session, nullptr);
    ASSERT_OK(folder_->Revoke(serial, absl::Now()));
    EXPECT_EQ(Talk(name, version, nullptr, &taken_up), nullptr);
    EXPECT_EQ(Talk(name, version, session.get(), &taken_up), nullptr);
    // Nor with somebody's session and nothing to show.
    Talk("", version, session.get(), &taken_up);
    EXPECT_FALSE(taken_up);
  }
}

TEST_F(OpenGrpcTest, AnotherCasCertificateIsRefused) {
  AuthorityFolder::Made made;
  ASSERT_OK_AND_ASSIGN(const AuthorityFolder other,
                       AuthorityFolder::Make(At("other"), {}, absl::Now(), &made));
  ASSERT_OK_AND_ASSIGN(const Pair pair, other.Issue(Agent("a"), absl::Now()));
  ASSERT_OK_AND_ASSIGN(PairFolder to, PairFolder::Open(At("a")));
  ASSERT_OK(to.Write(pair, {folder_->authority().certificate()}));
  EXPECT_FALSE(Connects("a"));
}

TEST_F(GrpcTest, AnotherCasCertificateIsRefused) {
  AuthorityFolder::Made made;
  ASSERT_OK_AND_ASSIGN(const AuthorityFolder other,
                       AuthorityFolder::Make(At("other"), {}, absl::Now(), &made));
  ASSERT_OK_AND_ASSIGN(const Pair pair, other.Issue(Agent("a"), absl::Now()));
  ASSERT_OK_AND_ASSIGN(PairFolder to, PairFolder::Open(At("a")));
  ASSERT_OK(to.Write(pair, {folder_->authority().certificate()}));
  EXPECT_FALSE(Connects("a"));
}

}  // namespace
}  // namespace curlew::pki
