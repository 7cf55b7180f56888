// Asks an HTTP server of this machine.
#ifndef CURLEW_TESTS_COMMON_METRICS_HTTP_GET_H_
#define CURLEW_TESTS_COMMON_METRICS_HTTP_GET_H_

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <string>

#include "absl/strings/str_cat.h"

namespace curlew::testing {

// What the server at 127.0.0.1:`port` answers, with its header; "" where nobody answers.
inline std::string HttpRequest(int port, const std::string& method, const std::string& path) {
  const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address = {};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<uint16_t>(port));
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  std::string answer;
  if (connect(fd, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0) {
    const std::string request = absl::StrCat(method, " ", path, " HTTP/1.0\r\n\r\n");
    if (send(fd, request.data(), request.size(), MSG_NOSIGNAL) == static_cast<ssize_t>(request.size())) {
      char buffer[4096];
      for (ssize_t n; (n = read(fd, buffer, sizeof buffer)) > 0;) answer.append(buffer, n);
    }
  }
  close(fd);
  return answer;
}

inline std::string HttpGet(int port, const std::string& path) { return HttpRequest(port, "GET", path); }

}  // namespace curlew::testing

#endif  // CURLEW_TESTS_COMMON_METRICS_HTTP_GET_H_
