// A receiver of notifications: a real HTTP server on a port of its own.
#ifndef CURLEW_TESTS_CONTROLLER_NOTIFY_RECEIVER_H_
#define CURLEW_TESTS_CONTROLLER_NOTIFY_RECEIVER_H_

#include <arpa/inet.h>
#include <httplib.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "controller/notify/config.h"

namespace curlew::testing {

// What a receiver got.
struct Received {
  std::string path;
  std::string body;
  httplib::Headers headers;

  std::string Header(const std::string& name) const {
    const auto found = headers.find(name);
    return found == headers.end() ? "" : found->second;
  }
};

// Keeps what it gets, and answers as it is told to; 200 unless told. Thread-safe.
class Receiver {
 public:
  // What to answer to the n-th request, from 0. May wait: on a thread of its own.
  using Answer = std::function<int(int n)>;

  // On `port`; on any where that is 0.
  explicit Receiver(Answer answer = nullptr, std::unique_ptr<httplib::Server> server = nullptr, int port = 0)
      : answer_(std::move(answer)),
        server_(server != nullptr ? std::move(server) : std::make_unique<httplib::Server>()) {
    server_->Post(".*", [this](const httplib::Request& request, httplib::Response& response) {
      int n = 0;
      {
        absl::MutexLock lock(&mutex_);
        n = static_cast<int>(received_.size());
        received_.push_back({request.path, request.body, request.headers});
      }
      response.status = answer_ ? answer_(n) : 200;
      response.set_content(response.status == 200 ? "ok" : "not now", "text/plain");
    });
    port_ = port;
    if (port == 0) {
      port_ = server_->bind_to_any_port("127.0.0.1");
    } else if (!server_->bind_to_port("127.0.0.1", port)) {
      abort();
    }
    thread_ = std::thread([this] { server_->listen_after_bind(); });
  }
  ~Receiver() {
    // Not heard before.
    while (!server_->is_running()) std::this_thread::yield();
    server_->stop();
    thread_.join();
  }

  int port() const { return port_; }
  notify::Url url(const std::string& path = "/hook") const {
    return {.https = false, .host = "127.0.0.1", .port = port_, .path = path};
  }

  std::vector<Received> received() const {
    absl::MutexLock lock(&mutex_);
    return received_;
  }
  // What it has got once that is `count` requests, or all after half a minute.
  std::vector<Received> WaitFor(size_t count) const {
    absl::MutexLock lock(&mutex_);
    const auto enough = [&] {
      mutex_.AssertReaderHeld();
      return received_.size() >= count;
    };
    mutex_.AwaitWithTimeout(absl::Condition(&enough), absl::Seconds(30));
    return received_;
  }

 private:
  const Answer answer_;
  const std::unique_ptr<httplib::Server> server_;
  mutable absl::Mutex mutex_;
  std::vector<Received> received_ ABSL_GUARDED_BY(mutex_);
  int port_ = 0;
  std::thread thread_;
};

// A port that takes connections and never says a word.
class SilentPort {
 public:
  SilentPort() : fd_(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in address = {};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    if (bind(fd_, reinterpret_cast<sockaddr*>(&address), size) != 0 || listen(fd_, 16) != 0) abort();
    getsockname(fd_, reinterpret_cast<sockaddr*>(&address), &size);
    port_ = ntohs(address.sin_port);
  }
  ~SilentPort() { close(fd_); }
  SilentPort(const SilentPort&) = delete;
  SilentPort& operator=(const SilentPort&) = delete;

  notify::Url url() const { return {.https = false, .host = "127.0.0.1", .port = port_, .path = "/"}; }
  // Waits for a connection; its socket, which is the caller's to close.
  int Accept() const { return accept4(fd_, nullptr, nullptr, SOCK_CLOEXEC); }

 private:
  const int fd_;
  int port_ = 0;
};

}  // namespace curlew::testing

#endif  // CURLEW_TESTS_CONTROLLER_NOTIFY_RECEIVER_H_
