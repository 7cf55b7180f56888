#include "controller/notify/message.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <nlohmann/json.hpp>

#include "common/base/proto_time.h"
#include "common/base/version.h"

namespace curlew::notify {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

v1::Notification Some(const std::string& message) {
  v1::Notification notification;
  notification.set_id(7);
  notification.set_kind("failed");
  notification.set_resource("rollouts/r");
  notification.set_message(message);
  notification.mutable_time()->set_seconds(1700000000);
  notification.mutable_event()->set_number(12);
  notification.mutable_event()->set_type(v1::EVENT_TYPE_ROLLOUT_STATE_CHANGED);
  return notification;
}

v1::AuditHead Head() {
  v1::AuditHead head;
  head.set_number(3);
  head.set_hash("ab");
  head.set_signature("c2ln");
  head.set_key_id("cd");
  return head;
}

std::map<std::string, std::string> HeadersOf(const Message& message) {
  return {message.headers.begin(), message.headers.end()};
}

TEST(MessageTest, JsonHasAllThatIsPromised) {
  const Message message =
      Compose(Some("broken"), Head(), Sink{.format = Format::kJson}, absl::FromUnixSeconds(9));
  const auto body = nlohmann::json::parse(message.body);
  EXPECT_EQ(body["id"], 7);
  EXPECT_EQ(body["kind"], "failed");
  EXPECT_EQ(body["resource"], "rollouts/r");
  EXPECT_EQ(body["message"], "broken");
  EXPECT_EQ(body["time"], "2023-11-14T22:13:20+00:00");
  EXPECT_EQ(body["event"]["number"], "12");
  EXPECT_EQ(body["event"]["type"], "EVENT_TYPE_ROLLOUT_STATE_CHANGED");
  EXPECT_EQ(body["audit_head"]["number"], 3);
  EXPECT_EQ(body["audit_head"]["hash"], "ab");
  EXPECT_EQ(body["audit_head"]["signature"], "c2ln");
  EXPECT_EQ(body["audit_head"]["key_id"], "cd");
  EXPECT_EQ(body["controller_version"], std::string(base::OwnVersion()));
  EXPECT_EQ(HeadersOf(message)["X-Curlew-Delivery"], "7");
  EXPECT_EQ(HeadersOf(message)["X-Curlew-Timestamp"], "9");
  EXPECT_EQ(HeadersOf(message).count("X-Curlew-Signature"), 0U);
}

TEST(MessageTest, TheSignatureIsHmacSha256OfTimestampFullStopBody) {
  // printf '12.{}' | openssl dgst -sha256 -hmac key
  EXPECT_EQ(Signature("key", "12", "{}"),
            "sha256=043e30e1e15664dc97494d18e4110984bcbd2c4e6f3e19de9569dc1ea6d9b03e");
}

TEST(MessageTest, ASecretSignsTimestampAndBody) {
  const Sink sink{.secret = "key"};
  const Message message = Compose(Some("m"), Head(), sink, absl::FromUnixSeconds(9));
  EXPECT_EQ(HeadersOf(message)["X-Curlew-Signature"], Signature("key", "9", message.body));
  EXPECT_THAT(message.body, Not(HasSubstr("key\"")));
}

TEST(MessageTest, SlackIsOneTextWithItsThreeEscapes) {
  const Message message = Compose(Some("a < b && <!channel> \"x\""), Head(), Sink{.format = Format::kSlack},
                                  absl::FromUnixSeconds(9));
  EXPECT_EQ(message.body, R"({"text":"a &lt; b &amp;&amp; &lt;!channel&gt; \"x\""})");
}

TEST(MessageTest, BytesThatAreNoTextDoNotBreakIt) {
  const Message message = Compose(Some("a\xff"
                                       "b\n\x01"),
                                  Head(), Sink{.format = Format::kSlack}, absl::Now());
  EXPECT_EQ(nlohmann::json::parse(message.body)["text"],
            "a\xEF\xBF\xBD"
            "b\n\x01");
}

}  // namespace
}  // namespace curlew::notify
