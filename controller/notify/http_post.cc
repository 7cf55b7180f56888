#include "controller/notify/http_post.h"

#include <fcntl.h>
#include <httplib.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <memory>
#include <string>

#include "absl/cleanup/cleanup.h"
#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"

namespace curlew::notify {
namespace {

constexpr absl::Duration kLongestConnect = absl::Seconds(10);
// So much of an answer is read, and so much of it told.
constexpr size_t kMostRead = 64 << 10;
constexpr size_t kMostTold = 120;

// The library's own has no brackets around IPv6.
std::string HostHeader(const Url& url) {
  const std::string host = absl::StrContains(url.host, ':') ? absl::StrCat("[", url.host, "]") : url.host;
  return url.port == (url.https ? 443 : 80) ? host : absl::StrCat(host, ":", url.port);
}

// The beginning of an answer, in printable ASCII.
std::string Excerpt(absl::string_view answer) {
  std::string text;
  for (const char c : answer.substr(0, kMostTold)) text.push_back(absl::ascii_isprint(c) ? c : ' ');
  absl::StripAsciiWhitespace(&text);
  return text;
}

// Whether an answer repeats what stands in the address behind the host, which may be a password: error pages
// do.
bool TellsTheAddress(absl::string_view answer, absl::string_view path) {
  constexpr size_t kShortest = 6;
  for (const absl::string_view part : absl::StrSplit(path, absl::ByAnyChar("/?&=#"))) {
    if (part.size() >= kShortest &&
        absl::StrContains(absl::AsciiStrToLower(answer), absl::AsciiStrToLower(part)))
      return true;
  }
  return false;
}

std::string WhatHappened(httplib::Error error) {
  switch (error) {
    case httplib::Error::Connection:
    case httplib::Error::BindIPAddress:
      return "cannot connect";
    case httplib::Error::ConnectionTimeout:
      return "cannot connect in time";
    case httplib::Error::SSLConnection:
      return "no TLS connection could be made";
    case httplib::Error::SSLLoadingCerts:
      return "the system's certificates cannot be read";
    case httplib::Error::SSLServerVerification:
      return "its certificate cannot be verified";
    case httplib::Error::Write:
      return "the connection was lost while it was written to";
    case httplib::Error::Success:
    case httplib::Error::Unknown:
    case httplib::Error::Read:
    case httplib::Error::ExceedRedirectCount:
    case httplib::Error::Canceled:
    case httplib::Error::UnsupportedMultipartBoundaryChars:
    case httplib::Error::Compression:
      return "no answer";
  }
  return "no answer";
}

}  // namespace

HttpPost::~HttpPost() {
  if (socket_ >= 0) close(socket_);
}

void HttpPost::Opened(int socket) {
  absl::MutexLock lock(&mutex_);
  if (interrupted_) {
    // Whoever connects it then finds that it is no socket.
    const int nothing = open("/dev/null", O_RDWR | O_CLOEXEC);
    dup2(nothing, socket);
    close(nothing);
    return;
  }
  if (socket_ >= 0) close(socket_);
  socket_ = fcntl(socket, F_DUPFD_CLOEXEC, 0);
}

void HttpPost::Interrupt() {
  absl::MutexLock lock(&mutex_);
  interrupted_ = true;
  if (socket_ >= 0) shutdown(socket_, SHUT_RDWR);
}

absl::Status HttpPost::Run(const Url& url, const Message& message, absl::Duration timeout) {
  const absl::Cleanup closed = [this] {
    absl::MutexLock lock(&mutex_);
    if (socket_ >= 0) close(socket_);
    socket_ = -1;
  };
  std::unique_ptr<httplib::ClientImpl> client;
  if (url.https) {
    client = std::make_unique<httplib::SSLClient>(url.host, url.port);
  } else {
    client = std::make_unique<httplib::ClientImpl>(url.host, url.port);
  }
  client->set_connection_timeout(absl::ToChronoMicroseconds(std::min(timeout, kLongestConnect)));
  // Whoever calls breaks it off in time, and says so.
  client->set_read_timeout(absl::ToChronoMicroseconds(timeout + absl::Seconds(1)));
  client->set_write_timeout(absl::ToChronoMicroseconds(timeout + absl::Seconds(1)));
  client->set_follow_location(false);
  client->set_keep_alive(false);
  client->set_url_encode(false);
  client->set_socket_options([this](int socket) { Opened(socket); });

  std::string answer;
  int status = 0;
  httplib::Request request;
  request.method = "POST";
  request.path = url.path;
  request.headers.emplace("Host", HostHeader(url));
  request.headers.emplace("Content-Type", "application/json");
  request.headers.emplace("User-Agent", "curlew-controller");
  for (const auto& [name, value] : message.headers) request.headers.emplace(name, value);
  request.body = message.body;
  request.response_handler = [&status](const httplib::Response& response) {
    status = response.status;
    return true;
  };
  request.content_receiver = [&answer](const char* data, size_t size, uint64_t, uint64_t) {
    answer.append(data, size);
    return answer.size() < kMostRead;
  };
  const httplib::Result result = client->send(request);
  if (result) status = result->status;
  // What comes after a status changes nothing.
  if (status >= 200 && status < 300) return absl::OkStatus();
  {
    absl::MutexLock lock(&mutex_);
    if (interrupted_) return absl::CancelledError(absl::StrCat(url.Origin(), ": broken off"));
  }
  if (status == 0) {
    return absl::UnavailableError(absl::StrCat(url.Origin(), ": ", WhatHappened(result.error())));
  }
  const std::string excerpt = TellsTheAddress(answer, url.path) ? "" : Excerpt(answer);
  return absl::UnavailableError(
      absl::StrCat(url.Origin(), ": it answers ", status, excerpt.empty() ? "" : ": ", excerpt));
}

}  // namespace curlew::notify
