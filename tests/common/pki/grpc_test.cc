// That gRPC takes what is made here: both sides with certificates, and revocations without a restart.
#include <grpcpp/grpcpp.h>
#include <grpcpp/security/tls_certificate_provider.h>
#include <grpcpp/security/tls_certificate_verifier.h>
#include <grpcpp/security/tls_credentials_options.h>

#include "absl/time/clock.h"
#include "common/pki/authority_folder.h"
#include "common/pki/pair_folder.h"
#include "curlew/v1/operator.grpc.pb.h"
#include "tests/common/pki/support.h"

namespace curlew::pki {
namespace {

using grpc::experimental::FileWatcherCertificateProvider;

constexpr unsigned kReloadSeconds = 1;

class GrpcTest : public PkiTest {
 protected:
  GrpcTest() {
    AuthorityFolder::Made made;
    folder_.emplace(*AuthorityFolder::Make(At("pki"), {}, absl::Now(), &made));
    Put("controller", Controller());
    grpc::experimental::TlsServerCredentialsOptions options(Watch("controller"));
    options.watch_root_certs();
    options.watch_identity_key_cert_pairs();
    options.set_cert_request_type(GRPC_SSL_REQUEST_AND_REQUIRE_CLIENT_CERTIFICATE_AND_VERIFY);
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
    const auto channel = grpc::CreateCustomChannel(absl::StrCat("localhost:", port_),
                                                   grpc::experimental::TlsCredentials(options), arguments);
    const auto deadline = std::chrono::system_clock::now() + std::chrono::seconds(20);
    for (auto state = channel->GetState(true); state != GRPC_CHANNEL_READY; state = channel->GetState(true)) {
      if (state == GRPC_CHANNEL_TRANSIENT_FAILURE) return false;
      if (!channel->WaitForStateChange(state, deadline)) return false;
    }
    return true;
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
