// One HTTP request that can be broken off.
#ifndef CURLEW_CONTROLLER_NOTIFY_HTTP_POST_H_
#define CURLEW_CONTROLLER_NOTIFY_HTTP_POST_H_

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "controller/notify/config.h"
#include "controller/notify/message.h"

namespace curlew::notify {

// A POST over http or https, the latter with the server's certificate and name verified against the system's
// authorities (SSL_CERT_FILE names others). Redirects are not followed: a message goes where it was sent to,
// and nowhere else. Thread-safe; each object makes one request.
class HttpPost {
 public:
  HttpPost() = default;
  ~HttpPost();
  HttpPost(const HttpPost&) = delete;
  HttpPost& operator=(const HttpPost&) = delete;

  // Sends `message` to `url` and waits for an answer. OK where that is 2xx. UNAVAILABLE where it is another,
  // with the beginning of what it says, or there is none; CANCELLED after Interrupt. Connecting, and each
  // silence, may last `timeout`; looking up the host's name lasts as long as the system's resolver makes it.
  // No message holds the URL's path.
  absl::Status Run(const Url& url, const Message& message, absl::Duration timeout);

  // Ends Run soon, now or when it is called.
  void Interrupt() ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  void Opened(int socket) ABSL_LOCKS_EXCLUDED(mutex_);

  absl::Mutex mutex_;
  bool interrupted_ ABSL_GUARDED_BY(mutex_) = false;
  // The same socket by a number of our own, which nobody else closes.
  int socket_ ABSL_GUARDED_BY(mutex_) = -1;
};

}  // namespace curlew::notify

#endif  // CURLEW_CONTROLLER_NOTIFY_HTTP_POST_H_
