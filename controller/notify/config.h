// Who is told of what: the controller's file of receivers.
#ifndef CURLEW_CONTROLLER_NOTIFY_CONFIG_H_
#define CURLEW_CONTROLLER_NOTIFY_CONFIG_H_

#include <set>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"

namespace curlew::notify {

// Kinds of notifications (v1::Notification.kind).
inline constexpr absl::string_view kGateWaiting = "gate-waiting";
inline constexpr absl::string_view kFailed = "failed";
inline constexpr absl::string_view kPaused = "paused";
inline constexpr absl::string_view kRolledBack = "rolled-back";
inline constexpr absl::string_view kDone = "done";
inline constexpr absl::string_view kDrift = "drift";
inline constexpr absl::string_view kKinds[] = {kGateWaiting, kFailed, kPaused, kRolledBack, kDone, kDrift};

// Where a receiver listens.
struct Url {
  bool https = false;
  std::string host;  // without the brackets of an IPv6 address
  int port = 0;
  std::string path;  // with the query; at least "/"

  // Scheme, host and port: all of it that may be shown. Many a path is a password.
  std::string Origin() const;
};

// "https://host:8443/path?query". INVALID_ARGUMENT, which shows nothing of it, where it is no such URL, or
// holds a user's name.
absl::StatusOr<Url> ParseUrl(absl::string_view text);

// What a receiver gets.
enum class Format {
  kJson,   // everything, signed where there is a secret
  kSlack,  // {"text": ...}: incoming webhooks of Slack, Mattermost and others
};

// A receiver.
struct Sink {
  std::string name;  // unique: lower-case letters, digits and dashes
  Url url;
  Format format = Format::kJson;
  std::string secret;  // key of the signature; "" for none
  std::set<std::string, std::less<>> on;
  absl::Duration timeout = absl::Seconds(10);  // for a try as a whole
};

// Reads a file of receivers:
//
//   sinks:
//     - name: ops                                  # required
//       url: https://hooks.example.com/curlew      # required
//       format: json                               # or slack
//       secret_file: ops.secret                    # beside this file, or absolute
//       on: [gate-waiting, failed]                 # default: all kinds
//       timeout: 10s                               # 1s to 60s
//
// Secrets are read from their files now, without line ends at the end. NOT_FOUND or PERMISSION_DENIED where a
// file cannot be read; INVALID_ARGUMENT, with file, line and column, where anything is wrong: a key that is
// not known is. No message holds a secret, or a URL's path.
absl::StatusOr<std::vector<Sink>> ReadSinks(const std::string& path);

}  // namespace curlew::notify

#endif  // CURLEW_CONTROLLER_NOTIFY_CONFIG_H_
