// Takes connections for a gRPC server, and goes on when there are more than files can be opened.
#ifndef CURLEW_COMMON_RPC_ACCEPTOR_H_
#define CURLEW_COMMON_RPC_ACCEPTOR_H_

#include <grpcpp/health_check_service_interface.h>
#include <grpcpp/security/auth_metadata_processor.h>
#include <grpcpp/security/server_credentials.h>
#include <grpcpp/server.h>
#include <grpcpp/server_builder.h>
#include <sys/types.h>

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "common/rpc/transport.h"

namespace curlew::rpc {

// gRPC's own listener (1.51) ends for good at the first accept that fails, as it does where the process has
// as many files open as it may: the server then lives on and nobody reaches it. This one closes connections
// that come when nearly all are open, so that the rest of the process finds some for its files, says so in
// the log, and takes the next as soon as others have gone. Not thread-safe; its own thread runs between Start
// and Stop.
class Acceptor {
 public:
  // Takes the port of `address` ("127.0.0.1:7441", "localhost:0", "[::1]:7441", "unix:/path"; port 0 for any
  // free one): who connects waits until Start. INVALID_ARGUMENT for what is no address, UNAVAILABLE where
  // another process has it.
  static absl::StatusOr<std::unique_ptr<Acceptor>> Bind(absl::string_view address);
  // Stops.
  ~Acceptor();

  // The port's number; 0 for a path.
  int port() const { return port_; }

  // Makes the server that `builder` builds take its connections from here, with `credentials`. The acceptor
  // must not outlive that server unless it is stopped.
  void AddTo(grpc::ServerBuilder* builder, std::shared_ptr<grpc::ServerCredentials> credentials);
  // Begins to accept: the server has started.
  void Start();
  // Gives the port back. To be called before the server shuts down. Idempotent.
  void Stop();

  // How often a connection was closed, or had to wait, because too many files were open.
  int64_t refused() const { return refused_.load(std::memory_order_relaxed); }

 private:
  Acceptor() = default;
  absl::Status Listen(int family, const void* address, unsigned size);
  void Run();
  bool Accept(int listener);

  std::vector<int> listeners_;
  std::string path_;                // of the socket, where it is one
  std::pair<dev_t, ino_t> file_{};  // which it is
  int port_ = 0;
  int stop_ = -1;  // an eventfd that ends the thread
  std::unique_ptr<grpc::experimental::ExternalConnectionAcceptor> server_;
  std::thread thread_;
  std::atomic<int64_t> refused_ = 0;
};

// A gRPC server that takes its connections from an Acceptor. Thread-safe, as grpc::Server is.
class AcceptingServer {
 public:
  // A server on `address`, secured as `transport` says, with what `add` gives the builder. Calls pass `door`
  // first, where there is one; none is asked for plain text. Errors as Transport::Check and Acceptor::Bind;
  // INTERNAL where gRPC does not start, which it logs.
  static absl::StatusOr<std::unique_ptr<AcceptingServer>> Start(
      absl::string_view address, const Transport& transport,
      absl::FunctionRef<void(grpc::ServerBuilder&)> add,
      const std::shared_ptr<grpc::AuthMetadataProcessor>& door = nullptr);
  // As Start, but the same for whoever comes, on any interface, in plain text: for what is no secret.
  static absl::StatusOr<std::unique_ptr<AcceptingServer>> StartInTheOpen(
      absl::string_view address, absl::FunctionRef<void(grpc::ServerBuilder&)> add);
  // Gives the port back. The server is shut down before, or has no calls.
  ~AcceptingServer();

  int port() const { return acceptor_->port(); }
  // See Acceptor.
  int64_t refused() const { return acceptor_->refused(); }
  grpc::HealthCheckServiceInterface* GetHealthCheckService() { return server_->GetHealthCheckService(); }
  // Gives the port back, then as grpc::Server::Shutdown.
  template <typename Deadline>
  void Shutdown(const Deadline& deadline) {
    acceptor_->Stop();
    server_->Shutdown(deadline);
  }

 private:
  static absl::StatusOr<std::unique_ptr<AcceptingServer>> StartWith(
      absl::string_view address, std::shared_ptr<grpc::ServerCredentials> credentials,
      absl::FunctionRef<void(grpc::ServerBuilder&)> add);
  AcceptingServer(std::unique_ptr<Acceptor> acceptor, std::unique_ptr<grpc::Server> server)
      : acceptor_(std::move(acceptor)), server_(std::move(server)) {}

  const std::unique_ptr<Acceptor> acceptor_;
  const std::unique_ptr<grpc::Server> server_;
};

// Lets this process open as many files as it is allowed to, 65,536 at most: each connection is one, and what
// a shell or systemd gives by default is 1,024.
void RaiseFileLimit();

}  // namespace curlew::rpc

#endif  // CURLEW_COMMON_RPC_ACCEPTOR_H_
