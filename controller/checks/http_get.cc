#include "controller/checks/http_get.h"

#include <fcntl.h>
#include <httplib.h>
#include <sys/socket.h>
#include <unistd.h>

#include <memory>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"

namespace curlew::checks {
namespace {

absl::Status NoUrl(absl::string_view text, absl::string_view why) {
  return absl::InvalidArgumentError(absl::StrCat("\"", text, "\" is no address of a check: ", why,
                                                 "; write for example http://host:8080/ok"));
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
    case httplib::Error::Success:
    case httplib::Error::Unknown:
    case httplib::Error::Read:
    case httplib::Error::Write:
    case httplib::Error::ExceedRedirectCount:
    case httplib::Error::Canceled:
    case httplib::Error::UnsupportedMultipartBoundaryChars:
    case httplib::Error::Compression:
      return "no answer that could be read";
  }
  return "no answer that could be read";
}

}  // namespace

std::string Url::Shown() const {
  const bool is_v6 = absl::StrContains(host, ':');
  const bool usual = port == (https ? 443 : 80);
  return absl::StrCat(https ? "https://" : "http://", is_v6 ? "[" : "", host, is_v6 ? "]" : "",
                      usual ? "" : absl::StrCat(":", port), path);
}

absl::StatusOr<Url> ParseUrl(absl::string_view text) {
  Url url;
  absl::string_view rest = text;
  if (absl::StartsWithIgnoreCase(rest, "https://")) {
    url.https = true;
    rest.remove_prefix(8);
  } else if (absl::StartsWithIgnoreCase(rest, "http://")) {
    rest.remove_prefix(7);
  } else {
    return NoUrl(text, "it begins with neither http:// nor https://");
  }
  for (const char c : text) {
    if (!absl::ascii_isgraph(c)) return NoUrl(text, "it holds a character that has to be written as %XX");
  }
  rest = rest.substr(0, rest.find('#'));
  const size_t end = rest.find_first_of("/?");
  absl::string_view authority = rest.substr(0, end);
  rest.remove_prefix(authority.size());
  if (absl::StrContains(authority, '@')) {
    return absl::InvalidArgumentError("the address of a check may not hold a user or a password");
  }
  absl::string_view port;
  if (absl::StartsWith(authority, "[")) {
    const size_t closing = authority.find(']');
    if (closing == absl::string_view::npos) return NoUrl(text, "the ']' of its host is missing");
    url.host = std::string(authority.substr(1, closing - 1));
    port = authority.substr(closing + 1);
  } else {
    const size_t colon = authority.find(':');
    url.host = std::string(authority.substr(0, colon));
    port = colon == absl::string_view::npos ? "" : authority.substr(colon);
  }
  if (url.host.empty()) return NoUrl(text, "it names no host");
  url.port = url.https ? 443 : 80;
  if (!port.empty() &&
      (port[0] != ':' || !absl::SimpleAtoi(port.substr(1), &url.port) || url.port < 1 || url.port > 65535)) {
    return NoUrl(text, "its port is none");
  }
  const size_t question = rest.find('?');
  url.path = std::string(rest.substr(0, question));
  if (url.path.empty()) url.path = "/";
  if (question != absl::string_view::npos) url.query = std::string(rest.substr(question + 1));
  return url;
}

std::string PercentEncoded(absl::string_view text) {
  std::string encoded;
  for (const char c : text) {
    if (absl::ascii_isalnum(c) || absl::StrContains("-._~", absl::string_view(&c, 1))) {
      encoded.push_back(c);
    } else {
      absl::StrAppend(&encoded, absl::StrFormat("%%%02X", static_cast<unsigned char>(c)));
    }
  }
  return encoded;
}

HttpGet::~HttpGet() { Closed(); }

void HttpGet::Opened(int socket) {
  absl::MutexLock lock(&mutex_);
  if (interrupted_) {
    // Whoever is about to connect it finds that it is no socket.
    const int nothing = open("/dev/null", O_RDWR | O_CLOEXEC);
    if (nothing < 0) return;
    dup2(nothing, socket);
    close(nothing);
    return;
  }
  // A host may have several addresses: this is the one that is tried now.
  if (socket_ >= 0) close(socket_);
  socket_ = fcntl(socket, F_DUPFD_CLOEXEC, 0);
}

void HttpGet::Closed() {
  absl::MutexLock lock(&mutex_);
  if (socket_ >= 0) close(socket_);
  socket_ = -1;
}

void HttpGet::Interrupt() {
  absl::MutexLock lock(&mutex_);
  interrupted_ = true;
  if (socket_ >= 0) shutdown(socket_, SHUT_RDWR);
}

bool HttpGet::interrupted() const {
  absl::MutexLock lock(&mutex_);
  return interrupted_;
}

absl::StatusOr<Answer> HttpGet::Run(const Url& url, absl::Duration timeout, size_t longest_body) {
  std::unique_ptr<httplib::ClientImpl> client;
  if (url.https) {
    client = std::make_unique<httplib::SSLClient>(url.host, url.port);
  } else {
    client = std::make_unique<httplib::ClientImpl>(url.host, url.port);
  }
  client->set_connection_timeout(absl::ToChronoMicroseconds(timeout));
  client->set_read_timeout(absl::ToChronoMicroseconds(timeout));
  client->set_write_timeout(absl::ToChronoMicroseconds(timeout));
  client->set_follow_location(false);
  client->set_keep_alive(false);
  client->set_url_encode(false);
  client->set_socket_options([this](int socket) { Opened(socket); });

  Answer answer;
  httplib::Request request;
  request.method = "GET";
  request.path = url.query.empty() ? url.path : absl::StrCat(url.path, "?", url.query);
  request.headers.emplace("User-Agent", "curlew-controller");
  request.response_handler = [&answer](const httplib::Response& response) {
    answer.status = response.status;
    return true;
  };
  request.content_receiver = [&](const char* data, size_t size, uint64_t, uint64_t) {
    answer.body.append(data, std::min(size, longest_body - answer.body.size()));
    answer.cut_off = answer.cut_off || answer.body.size() == longest_body;
    return !answer.cut_off;
  };
  const httplib::Result result = client->send(request);
  Closed();
  if (interrupted()) return absl::CancelledError(absl::StrCat(url.Shown(), ": broken off"));
  if (result) {
    answer.status = result->status;
  } else if (answer.status == 0 || !answer.cut_off) {
    return absl::UnavailableError(absl::StrCat(url.Shown(), ": ", WhatHappened(result.error())));
  }
  return answer;
}

}  // namespace curlew::checks
