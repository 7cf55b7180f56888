#include "common/rpc/acceptor.h"

#include <grpcpp/security/server_credentials.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <climits>
#include <cstring>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "common/base/status_macros.h"
#include "common/rpc/endpoint.h"
#include "spdlog/spdlog.h"

namespace curlew::rpc {
namespace {

// Files that stay free for everything but connections: the store's, and what a library opens for a moment.
constexpr int kReserve = 64;
constexpr rlim_t kMostFiles = 65'536;
// How long accepting rests where it would fail again at once.
constexpr int kPauseMs = 100;
constexpr int kMostAtOnce = 100;

// How many files this process may open.
int MostFiles() {
  rlimit limit{};
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return INT_MAX;
  return static_cast<int>(std::min<rlim_t>(limit.rlim_cur, INT_MAX));
}

// What errno says: NOT_FOUND where this machine has no such address or kind of address.
absl::Status Problem(absl::string_view what) {
  const bool missing = errno == EADDRNOTAVAIL || errno == EAFNOSUPPORT;
  return absl::Status(missing ? absl::StatusCode::kNotFound : absl::StatusCode::kUnavailable,
                      absl::StrCat(what, ": ", std::strerror(errno)));
}

int PortOf(int listener) {
  sockaddr_storage address{};
  socklen_t size = sizeof(address);
  if (getsockname(listener, reinterpret_cast<sockaddr*>(&address), &size) != 0) return 0;
  if (address.ss_family == AF_INET) return ntohs(reinterpret_cast<sockaddr_in*>(&address)->sin_port);
  if (address.ss_family == AF_INET6) return ntohs(reinterpret_cast<sockaddr_in6*>(&address)->sin6_port);
  return 0;
}

void SetPort(sockaddr* address, int port) {
  if (address->sa_family == AF_INET) reinterpret_cast<sockaddr_in*>(address)->sin_port = htons(port);
  if (address->sa_family == AF_INET6) reinterpret_cast<sockaddr_in6*>(address)->sin6_port = htons(port);
}

// Whether there is a socket on which nobody listens.
bool IsLeft(const sockaddr_un& path) {
  struct stat old {};
  if (lstat(path.sun_path, &old) != 0 || !S_ISSOCK(old.st_mode)) return false;
  const int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (fd < 0) return false;
  const bool refused =
      connect(fd, reinterpret_cast<const sockaddr*>(&path), sizeof(path)) != 0 && errno == ECONNREFUSED;
  close(fd);
  return refused;
}

// Which file stands under `path`; (0, 0) where none does.
std::pair<dev_t, ino_t> FileAt(const std::string& path) {
  struct stat file {};
  if (lstat(path.c_str(), &file) != 0) return {};
  return {file.st_dev, file.st_ino};
}

}  // namespace

absl::StatusOr<std::unique_ptr<Acceptor>> Acceptor::Bind(absl::string_view address) {
  std::unique_ptr<Acceptor> acceptor(new Acceptor());
  acceptor->stop_ = eventfd(0, EFD_CLOEXEC);
  if (acceptor->stop_ < 0) return Problem("cannot make an eventfd");
  if (absl::ConsumePrefix(&address, "unix:")) {
    sockaddr_un path{};
    path.sun_family = AF_UNIX;
    if (address.empty() || address.size() >= sizeof(path.sun_path)) {
      return absl::InvalidArgumentError(absl::StrCat("\"", address, "\" is no path for a socket: it has ",
                                                     address.size(), " bytes, not 1 to ",
                                                     sizeof(path.sun_path) - 1));
    }
    address.copy(path.sun_path, address.size());
    // What a process that was killed has left. Whatever else is there stays, and then the path is in use.
    if (IsLeft(path)) unlink(path.sun_path);
    RETURN_IF_ERROR(acceptor->Listen(AF_UNIX, &path, sizeof(path)));
    acceptor->path_ = path.sun_path;
    acceptor->file_ = FileAt(acceptor->path_);
    return acceptor;
  }
  const size_t colon = address.rfind(':');
  if (colon == absl::string_view::npos) {
    return absl::InvalidArgumentError(absl::StrCat("\"", address, "\" has no port; expected HOST:PORT"));
  }
  absl::string_view host = address.substr(0, colon);
  if (absl::ConsumePrefix(&host, "[")) absl::ConsumeSuffix(&host, "]");
  addrinfo hints{}, *found = nullptr;
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_PASSIVE | AI_NUMERICSERV;
  if (const int error = getaddrinfo(std::string(host).c_str(), std::string(address.substr(colon + 1)).c_str(),
                                    &hints, &found);
      error != 0) {
    return absl::InvalidArgumentError(
        absl::StrCat("\"", address, "\" is no address to listen on: ", gai_strerror(error)));
  }
  const std::unique_ptr<addrinfo, void (*)(addrinfo*)> owner(found, freeaddrinfo);
  absl::Status missing;
  for (const addrinfo* one = found; one != nullptr; one = one->ai_next) {
    if (acceptor->port_ != 0) SetPort(one->ai_addr, acceptor->port_);
    absl::Status status = acceptor->Listen(one->ai_family, one->ai_addr, one->ai_addrlen);
    if (status.ok()) {
      acceptor->port_ = PortOf(acceptor->listeners_.back());
    } else if (absl::IsNotFound(status)) {
      missing = std::move(status);  // "localhost" has two addresses, a machine without IPv6 one of them
    } else {
      return status;
    }
  }
  if (acceptor->listeners_.empty()) return absl::UnavailableError(missing.message());
  return acceptor;
}

absl::Status Acceptor::Listen(int family, const void* address, unsigned size) {
  const int listener = socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (listener < 0) return Problem("cannot make a socket");
  listeners_.push_back(listener);
  const int on = 1;
  setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
  if (family == AF_INET6) setsockopt(listener, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof(on));
  if (bind(listener, static_cast<const sockaddr*>(address), size) == 0 && listen(listener, SOMAXCONN) == 0)
    return absl::OkStatus();
  absl::Status problem = Problem("cannot listen");
  close(listener);
  listeners_.pop_back();
  return problem;
}

Acceptor::~Acceptor() { Stop(); }

void Acceptor::AddTo(grpc::ServerBuilder* builder, std::shared_ptr<grpc::ServerCredentials> credentials) {
  server_ = builder->experimental().AddExternalConnectionAcceptor(
      grpc::ServerBuilder::experimental_type::ExternalConnectionType::FROM_FD, std::move(credentials));
}

void Acceptor::Start() {
  thread_ = std::thread([this] { Run(); });
}

void Acceptor::Stop() {
  if (thread_.joinable()) {
    const uint64_t one = 1;
    while (write(stop_, &one, sizeof(one)) < 0 && errno == EINTR) {
    }
    thread_.join();
  }
  // First, and only our own: who finds the path free, or a socket on which nobody listens, takes it.
  if (!path_.empty() && FileAt(path_) == file_) unlink(path_.c_str());
  path_.clear();
  for (const int listener : listeners_) close(listener);
  listeners_.clear();
  if (stop_ >= 0) close(stop_);
  stop_ = -1;
}

void Acceptor::Run() {
  std::vector<pollfd> fds = {{.fd = stop_, .events = POLLIN, .revents = 0}};
  for (const int listener : listeners_) fds.push_back({.fd = listener, .events = POLLIN, .revents = 0});
  bool rest = false;
  while (true) {
    if (poll(fds.data(), rest ? 1 : fds.size(), rest ? kPauseMs : -1) < 0 && errno != EINTR) {
      spdlog::error("cannot wait for connections: {}", std::strerror(errno));
      rest = true;
      continue;
    }
    if (fds[0].revents != 0) return;
    rest = false;
    for (const int listener : listeners_) rest |= !Accept(listener);
  }
}

// Takes connections that wait, not all of a flood: between them Stop is heard. False where it is better to
// wait a little.
bool Acceptor::Accept(int listener) {
  const int most = MostFiles();
  for (int taken = 0; taken < kMostAtOnce; ++taken) {
    const int fd = accept4(listener, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd < 0) {
      // Errors of the connection that is taken come here too (accept(2)): the next may do better.
      if (errno == EINTR || errno == ECONNABORTED || errno == EPROTO) continue;
      if (errno == EAGAIN || errno == EWOULDBLOCK) return true;
      const int error = errno;
      if (refused_.fetch_add(1, std::memory_order_relaxed) % 100 == 0)
        spdlog::warn("cannot take a connection: {}; it waits", std::strerror(error));
      return false;
    }
    // The kernel gives the lowest number that is free, so the number tells how many are open.
    if (fd >= most - std::min(kReserve, most / 4)) {
      close(fd);
      if (refused_.fetch_add(1, std::memory_order_relaxed) % 1000 == 0) {
        spdlog::warn(
            "connections are refused: this process may open {} files and has nearly all of them open; raise "
            "its limit (systemd: LimitNOFILE=, a shell: ulimit -n), or find out who connects so often",
            most);
      }
      continue;
    }
    const int on = 1;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));  // a path's socket has no such option
    grpc::experimental::ExternalConnectionAcceptor::NewConnectionParameters connection;
    connection.listener_fd = listener;
    connection.fd = fd;
    server_->HandleNewConnection(&connection);
  }
  return true;
}

absl::StatusOr<std::unique_ptr<AcceptingServer>> AcceptingServer::Start(
    absl::string_view address, const Transport& transport, absl::FunctionRef<void(grpc::ServerBuilder&)> add,
    const std::shared_ptr<grpc::AuthMetadataProcessor>& door) {
  RETURN_IF_ERROR(transport.Check(address));
  auto credentials = transport.ForServer();
  if (door != nullptr && transport.secure()) credentials->SetAuthMetadataProcessor(door);
  return StartWith(address, std::move(credentials), add);
}

absl::StatusOr<std::unique_ptr<AcceptingServer>> AcceptingServer::StartInTheOpen(
    absl::string_view address, absl::FunctionRef<void(grpc::ServerBuilder&)> add) {
  RETURN_IF_ERROR(CheckAddress(address));
  return StartWith(address, grpc::InsecureServerCredentials(), add);
}

absl::StatusOr<std::unique_ptr<AcceptingServer>> AcceptingServer::StartWith(
    absl::string_view address, std::shared_ptr<grpc::ServerCredentials> credentials,
    absl::FunctionRef<void(grpc::ServerBuilder&)> add) {
  ASSIGN_OR_RETURN(std::unique_ptr<Acceptor> acceptor, Acceptor::Bind(address));
  grpc::ServerBuilder builder;
  acceptor->AddTo(&builder, std::move(credentials));
  add(builder);
  std::unique_ptr<grpc::Server> server = builder.BuildAndStart();
  if (server == nullptr) return absl::InternalError("gRPC's server does not start; its log says why");
  acceptor->Start();
  return std::unique_ptr<AcceptingServer>(new AcceptingServer(std::move(acceptor), std::move(server)));
}

AcceptingServer::~AcceptingServer() { acceptor_->Stop(); }

void RaiseFileLimit() {
  rlimit limit{};
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
  const rlim_t wanted = std::min(limit.rlim_max, kMostFiles);
  if (limit.rlim_cur >= wanted) return;
  limit.rlim_cur = wanted;
  setrlimit(RLIMIT_NOFILE, &limit);
}

}  // namespace curlew::rpc
