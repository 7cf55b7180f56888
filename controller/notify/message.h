// What a receiver gets. Pure.
#ifndef CURLEW_CONTROLLER_NOTIFY_MESSAGE_H_
#define CURLEW_CONTROLLER_NOTIFY_MESSAGE_H_

#include <string>
#include <utility>
#include <vector>

#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "controller/notify/config.h"
#include "curlew/v1/rollout.pb.h"

namespace curlew::notify {

// Headers, and a body of type application/json.
struct Message {
  std::vector<std::pair<std::string, std::string>> headers;
  std::string body;
};

// A notification as `sink` gets it in a try at `now`. `head` is the audit log's of this moment; whoever keeps
// it can show later that the log was changed.
//
// JSON: {"id", "kind", "resource", "message", "time", "event", "audit_head": {"number", "hash", "signature",
// "key_id"}, "controller_version"}. Slack: {"text"}. Headers: X-Curlew-Delivery, the id; X-Curlew-Timestamp,
// seconds since 1970; and, with a secret, X-Curlew-Signature, as Signature gives it.
Message Compose(const v1::Notification& notification, const v1::AuditHead& head, const Sink& sink,
                absl::Time now);

// "sha256=" and HMAC-SHA256 (RFC 2104), hexadecimal, of timestamp + "." + body.
std::string Signature(absl::string_view secret, absl::string_view timestamp, absl::string_view body);

}  // namespace curlew::notify

#endif  // CURLEW_CONTROLLER_NOTIFY_MESSAGE_H_
