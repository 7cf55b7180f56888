#include "controller/notify/message.h"

#include <openssl/evp.h>
#include <openssl/hmac.h>

#include <nlohmann/json.hpp>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "common/base/proto_time.h"
#include "common/base/version.h"
#include "google/protobuf/util/json_util.h"

namespace curlew::notify {
namespace {

using Json = nlohmann::ordered_json;

Json EventJson(const v1::Event& event) {
  google::protobuf::util::JsonPrintOptions options;
  options.preserve_proto_field_names = true;
  std::string text;
  // Fails only for Any.
  if (!google::protobuf::util::MessageToJsonString(event, &text, options).ok()) return nullptr;
  return Json::parse(text);
}

std::string JsonBody(const v1::Notification& notification, const v1::AuditHead& head) {
  Json body = {
      {"id", notification.id()},
      {"kind", notification.kind()},
      {"resource", notification.resource()},
      {"message", notification.message()},
      {"time",
       absl::FormatTime(absl::RFC3339_full, base::FromProto(notification.time()), absl::UTCTimeZone())},
  };
  if (notification.has_event()) body["event"] = EventJson(notification.event());
  body["audit_head"] = {{"number", head.number()},
                        {"hash", head.hash()},
                        {"signature", head.signature()},
                        {"key_id", head.key_id()}};
  body["controller_version"] = std::string(base::OwnVersion());
  return body.dump(-1, ' ', false, Json::error_handler_t::replace);
}

// Slack's own three escapes: nothing in a message becomes a link, or a call of everybody.
std::string SlackBody(const v1::Notification& notification) {
  const Json body = {
      {"text", absl::StrReplaceAll(notification.message(), {{"&", "&amp;"}, {"<", "&lt;"}, {">", "&gt;"}})}};
  return body.dump(-1, ' ', false, Json::error_handler_t::replace);
}

}  // namespace

std::string Signature(absl::string_view secret, absl::string_view timestamp, absl::string_view body) {
  const std::string text = absl::StrCat(timestamp, ".", body);
  unsigned char digest[EVP_MAX_MD_SIZE];
  unsigned int size = 0;
  HMAC(EVP_sha256(), secret.data(), static_cast<int>(secret.size()),
       reinterpret_cast<const unsigned char*>(text.data()), text.size(), digest, &size);
  return absl::StrCat("sha256=",
                      absl::BytesToHexString(absl::string_view(reinterpret_cast<const char*>(digest), size)));
}

Message Compose(const v1::Notification& notification, const v1::AuditHead& head, const Sink& sink,
                absl::Time now) {
  Message message;
  switch (sink.format) {
    case Format::kJson:
      message.body = JsonBody(notification, head);
      break;
    case Format::kSlack:
      message.body = SlackBody(notification);
      break;
  }
  const std::string timestamp = absl::StrCat(absl::ToUnixSeconds(now));
  message.headers = {{"X-Curlew-Delivery", absl::StrCat(notification.id())},
                     {"X-Curlew-Timestamp", timestamp}};
  if (!sink.secret.empty()) {
    message.headers.emplace_back("X-Curlew-Signature", Signature(sink.secret, timestamp, message.body));
  }
  return message;
}

}  // namespace curlew::notify
