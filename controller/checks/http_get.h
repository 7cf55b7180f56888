// One HTTP request of a check, which can be broken off.
#ifndef CURLEW_CONTROLLER_CHECKS_HTTP_GET_H_
#define CURLEW_CONTROLLER_CHECKS_HTTP_GET_H_

#include <string>

#include "absl/base/thread_annotations.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"

namespace curlew::checks {

// An address in its parts.
struct Url {
  bool https = false;
  std::string host;  // without brackets
  int port = 0;
  std::string path;   // "/" at least; without the query
  std::string query;  // without '?'; may be empty

  // "https://db.example:8443/healthz": without the query, which may hold a secret.
  std::string Shown() const;
};

// INVALID_ARGUMENT for what is no http or https URL, and for one with a user or a password: it would stand in
// every list of environments.
absl::StatusOr<Url> ParseUrl(absl::string_view text);

// `text` as it may stand in the query of a URL: all but letters, digits and -._~ as %XX.
std::string PercentEncoded(absl::string_view text);

// What a server said.
struct Answer {
  int status = 0;
  std::string body;      // the beginning, where it is longer than was wanted
  bool cut_off = false;  // it is
};

// A GET, with the server's certificate and name verified against the system's authorities (SSL_CERT_FILE
// names others). Redirects are not followed. Thread-safe; each object makes one request.
class HttpGet {
 public:
  HttpGet() = default;
  ~HttpGet();
  HttpGet(const HttpGet&) = delete;
  HttpGet& operator=(const HttpGet&) = delete;

  // Sends the request and waits for an answer, of whose body at most `longest_body` bytes are read.
  // UNAVAILABLE, with what happened, where none came; CANCELLED after Interrupt. Connecting, and each
  // silence, may last `timeout`: who wants no more than that of all together interrupts. The system's
  // resolver takes the time that it takes.
  absl::StatusOr<Answer> Run(const Url& url, absl::Duration timeout, size_t longest_body);

  // Ends Run soon, now or when it is called.
  void Interrupt() ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  void Opened(int socket) ABSL_LOCKS_EXCLUDED(mutex_);
  void Closed() ABSL_LOCKS_EXCLUDED(mutex_);
  bool interrupted() const ABSL_LOCKS_EXCLUDED(mutex_);

  mutable absl::Mutex mutex_;
  bool interrupted_ ABSL_GUARDED_BY(mutex_) = false;
  // The connection, by a number of our own that nobody else closes; -1 for none.
  int socket_ ABSL_GUARDED_BY(mutex_) = -1;
};

}  // namespace curlew::checks

#endif  // CURLEW_CONTROLLER_CHECKS_HTTP_GET_H_
