#include "common/metrics/metrics_server.h"

#include <CivetServer.h>
#include <arpa/inet.h>
#include <netinet/in.h>
#include <prometheus/text_serializer.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <thread>
#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "absl/synchronization/notification.h"
#include "absl/time/time.h"
#include "common/base/status_macros.h"
#include "common/metrics/process_metrics.h"
#include "common/metrics/registry.h"

namespace curlew::metrics {
namespace {

constexpr char kExample[] = "give HOST:PORT of this machine, such as 127.0.0.1:9187";

// CivetServer reads more out of an address than where to listen: lists, TLS, redirections.
absl::Status CheckAddress(const std::string& address) {
  const size_t colon = address.rfind(':');
  int port = -1;
  if (colon == std::string::npos || colon == 0 || address.find_first_of(", \t+") != std::string::npos ||
      !absl::SimpleAtoi(address.substr(colon + 1), &port) || port < 0 || port > 65535) {
    return absl::InvalidArgumentError(absl::StrCat("\"", address, "\" is no address: ", kExample));
  }
  return absl::OkStatus();
}

void Answer(mg_connection* connection, absl::string_view status, absl::string_view type,
            absl::string_view body) {
  const std::string answer = absl::StrCat("HTTP/1.1 ", status, "\r\nContent-Type: ", type,
                                          "; charset=utf-8\r\nContent-Length: ", body.size(),
                                          "\r\nCache-Control: no-store\r\nConnection: close\r\n\r\n", body);
  mg_write(connection, answer.data(), answer.size());
}

class Metrics : public CivetHandler {
 public:
  explicit Metrics(const MetricsServerOptions* options) : options_(options) {}
  bool handleGet(CivetServer*, mg_connection* connection) override {
    std::vector<prometheus::MetricFamily> families = options_->collect();
    Append(ProcessMetrics(), &families);
    families.erase(
        std::remove_if(families.begin(), families.end(), [](const auto& f) { return f.metric.empty(); }),
        families.end());
    std::sort(families.begin(), families.end(), [](const auto& a, const auto& b) { return a.name < b.name; });
    for (prometheus::MetricFamily& family : families) {
      std::sort(family.metric.begin(), family.metric.end(),
                [](const auto& a, const auto& b) { return a.label < b.label; });
    }
    Answer(connection, "200 OK", "text/plain; version=0.0.4",
           prometheus::TextSerializer().Serialize(families));
    return true;
  }

 private:
  const MetricsServerOptions* const options_;
};

class Health : public CivetHandler {
 public:
  explicit Health(const MetricsServerOptions* options) : options_(options) {}
  bool handleGet(CivetServer*, mg_connection* connection) override {
    const absl::StatusOr<std::string> health = options_->health();
    const std::string line = absl::StrReplaceAll(
        health.ok() ? *health : std::string(health.status().message()), {{"\n", " "}, {"\r", " "}});
    Answer(connection, health.ok() ? "200 OK" : "503 Service Unavailable", "text/plain",
           absl::StrCat(line, "\n"));
    return true;
  }

 private:
  const MetricsServerOptions* const options_;
};

// Connects to a port of this machine, and says nothing. Best effort.
void Call(int port) {
  const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (fd < 0) return;
  sockaddr_in address = {};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<uint16_t>(port));
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  (void)connect(fd, reinterpret_cast<sockaddr*>(&address), sizeof address);
  close(fd);
}

}  // namespace

class MetricsServer::Impl {
 public:
  // Throws where it cannot listen.
  explicit Impl(MetricsServerOptions options)
      : options_(std::move(options)),
        server_(std::vector<std::string>{"listening_ports", options_.address, "num_threads", "4",
                                         "request_timeout_ms", "10000", "enable_keep_alive", "no"}) {
    server_.addHandler("/metrics$", metrics_);
    server_.addHandler("/healthz$", health_);
  }
  // The server looks every two seconds only whether it is to end, unless somebody calls.
  ~Impl() {
    const int own_port = port();
    absl::Notification closed;
    std::thread caller([&] {
      do Call(own_port);
      while (!closed.WaitForNotificationWithTimeout(absl::Milliseconds(10)));
    });
    server_.close();
    closed.Notify();
    caller.join();
  }

  int port() {
    const std::vector<int> ports = server_.getListeningPorts();
    return ports.empty() ? 0 : ports.front();
  }

 private:
  const MetricsServerOptions options_;
  Metrics metrics_{&options_};
  Health health_{&options_};
  CivetServer server_;
};

MetricsServer::MetricsServer(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
MetricsServer::~MetricsServer() = default;
int MetricsServer::port() const { return impl_->port(); }

absl::StatusOr<std::unique_ptr<MetricsServer>> MetricsServer::Start(MetricsServerOptions options) {
  RETURN_IF_ERROR(CheckAddress(options.address));
  const std::string address = options.address;
  try {
    return std::unique_ptr<MetricsServer>(new MetricsServer(std::make_unique<Impl>(std::move(options))));
  } catch (const CivetException&) {
    return absl::UnavailableError(
        absl::StrCat("cannot listen on \"", address, "\": ", kExample, ", that is free"));
  }
}

}  // namespace curlew::metrics
