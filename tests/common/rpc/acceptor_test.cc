#include "common/rpc/acceptor.h"

#include <gmock/gmock.h>
#include <grpcpp/create_channel.h>
#include <grpcpp/server.h>
#include <netinet/in.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "common/rpc/endpoint.h"
#include "curlew/v1/agent.grpc.pb.h"
#include "tests/support/status_matchers.h"

namespace curlew::rpc {
namespace {

using ::curlew::testing::IsOk;
using ::curlew::testing::StatusIs;
using ::testing::HasSubstr;

// A server that has nothing to say, behind an acceptor.
class AcceptorTest : public ::testing::Test {
 protected:
  void Serve(const std::string& address) {
    auto server = AcceptingServer::Start(address, Transport::Plain(), [&](grpc::ServerBuilder& builder) {
      ConfigureServer(&builder);
      builder.RegisterService(&service_);
    });
    ASSERT_THAT(server, IsOk());
    server_ = *std::move(server);
  }
  void Stop() {
    if (server_ != nullptr) server_->Shutdown(std::chrono::system_clock::now());
  }
  ~AcceptorTest() override { Stop(); }

  static bool Connects(const std::string& address) {
    grpc::ChannelArguments arguments;
    arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
    const auto channel = grpc::CreateCustomChannel(address, grpc::InsecureChannelCredentials(), arguments);
    return channel->WaitForConnected(absl::ToChronoTime(absl::Now() + absl::Seconds(10)));
  }
  std::string Address(const char* host = "127.0.0.1") { return absl::StrCat(host, ":", server_->port()); }

  v1::AgentService::CallbackService service_;  // a server without any does not start
  std::unique_ptr<AcceptingServer> server_;
};

// A connection of TCP that says nothing; -1 where it is refused.
int Dial(int port) {
  const int fd = socket(AF_INET, SOCK_STREAM, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<uint16_t>(port));
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (connect(fd, reinterpret_cast<sockaddr*>(&address), sizeof(address)) == 0) return fd;
  close(fd);
  return -1;
}

// Sets the limit of open files while it lives.
class FileLimit {
 public:
  explicit FileLimit(rlim_t most) {
    getrlimit(RLIMIT_NOFILE, &before_);
    rlimit limit = before_;
    limit.rlim_cur = std::min(most, limit.rlim_max);
    EXPECT_EQ(setrlimit(RLIMIT_NOFILE, &limit), 0);
  }
  ~FileLimit() { setrlimit(RLIMIT_NOFILE, &before_); }

 private:
  rlimit before_{};
};

TEST_F(AcceptorTest, TakesConnectionsOnEachKindOfAddress) {
  for (const char* address : {"127.0.0.1:0", "localhost:0"}) {
    Serve(address);
    EXPECT_GT(server_->port(), 0);
    EXPECT_TRUE(Connects(Address())) << address;
    Stop();
  }
  const std::string path = absl::StrCat(::testing::TempDir(), "/acceptor-", getpid(), ".sock");
  Serve("unix:" + path);
  EXPECT_TRUE(Connects("unix:" + path));
  Stop();
  EXPECT_FALSE(std::filesystem::exists(path));
}

TEST_F(AcceptorTest, APathThatIsNoSocketIsLeftAlone) {
  const std::string path = absl::StrCat(::testing::TempDir(), "/acceptor-", getpid(), ".txt");
  std::ofstream(path) << "mine";
  EXPECT_THAT(Acceptor::Bind("unix:" + path).status(),
              StatusIs(absl::StatusCode::kUnavailable, HasSubstr("in use")));
  EXPECT_TRUE(std::filesystem::exists(path));
  std::filesystem::remove(path);
}

TEST_F(AcceptorTest, APathOnWhichAnotherListensIsNotTaken) {
  const std::string path = absl::StrCat(::testing::TempDir(), "/acceptor-", getpid(), ".sock");
  {
    auto left = Acceptor::Bind("unix:" + path);
    ASSERT_THAT(left, IsOk());
    EXPECT_THAT(Acceptor::Bind("unix:" + path).status(),
                StatusIs(absl::StatusCode::kUnavailable, HasSubstr("in use")));
    // Moved away by hand, and another takes its place: the first leaves that alone when it ends.
    std::filesystem::rename(path, path + ".old");
    Serve("unix:" + path);
  }
  EXPECT_TRUE(Connects("unix:" + path));
  // What nobody listens on any more is taken.
  Stop();
  EXPECT_THAT(Acceptor::Bind("unix:" + path).status(), IsOk());
  std::filesystem::rename(path + ".old", path);
  EXPECT_THAT(Acceptor::Bind("unix:" + path).status(), IsOk());
}

TEST_F(AcceptorTest, APortThatAnotherHasIsRefusedUntilItIsGivenBack) {
  Serve("127.0.0.1:0");
  const std::string address = Address();
  EXPECT_THAT(Acceptor::Bind(address).status(),
              StatusIs(absl::StatusCode::kUnavailable, HasSubstr("in use")));
  Stop();
  EXPECT_THAT(Acceptor::Bind(address).status(), IsOk());
}

TEST_F(AcceptorTest, RefusesWhatIsNoAddress) {
  EXPECT_THAT(Acceptor::Bind("nowhere").status(), StatusIs(absl::StatusCode::kInvalidArgument));
  EXPECT_THAT(Acceptor::Bind("127.0.0.1:x").status(), StatusIs(absl::StatusCode::kInvalidArgument));
  EXPECT_THAT(Acceptor::Bind("unix:" + std::string(200, 'x')).status(),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("200 bytes")));
}

TEST_F(AcceptorTest, GoesOnAfterMoreConnectionsThanFilesMayBeOpen) {
  Serve("127.0.0.1:0");
  std::vector<int> silent;
  const FileLimit limit(300);
  while (server_->refused() == 0) {
    const int fd = Dial(server_->port());
    if (fd < 0) break;  // this test shares the limit, and has reached it
    silent.push_back(fd);
  }
  // The acceptor may be behind, and then finds no file free for the next.
  const absl::Time end = absl::Now() + absl::Seconds(10);
  while (server_->refused() == 0 && absl::Now() < end) std::this_thread::yield();
  EXPECT_GT(server_->refused(), 0);
  EXPECT_LT(silent.size(), 300);
  for (const int fd : silent) close(fd);
  EXPECT_TRUE(Connects(Address()));
}

TEST_F(AcceptorTest, GoesOnAfterAnAcceptHasFailed) {
  Serve("127.0.0.1:0");
  const int spare = socket(AF_INET, SOCK_STREAM, 0);
  {
    // No file can be opened at all: accept itself fails, while a socket of ours dials.
    const FileLimit limit(3);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(static_cast<uint16_t>(server_->port()));
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    ASSERT_EQ(connect(spare, reinterpret_cast<sockaddr*>(&address), sizeof(address)), 0);
    ASSERT_EQ(send(spare, "x", 1, 0), 1);
    const absl::Time end = absl::Now() + absl::Seconds(10);
    while (server_->refused() == 0 && absl::Now() < end) std::this_thread::yield();
    EXPECT_GT(server_->refused(), 0);
  }
  close(spare);
  EXPECT_TRUE(Connects(Address()));
}

TEST(RaiseFileLimitTest, GoesToTheHardLimit) {
  const FileLimit limit(100);
  RaiseFileLimit();
  rlimit after{};
  ASSERT_EQ(getrlimit(RLIMIT_NOFILE, &after), 0);
  EXPECT_EQ(after.rlim_cur, std::min<rlim_t>(after.rlim_max, 65'536));
}

}  // namespace
}  // namespace curlew::rpc
