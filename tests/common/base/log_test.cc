#include "common/base/log.h"

#include <gmock/gmock.h>
#include <google/protobuf/struct.pb.h>
#include <google/protobuf/util/json_util.h>
#include <gtest/gtest.h>
#include <spdlog/details/log_msg.h>

#include <string>

namespace curlew::base {
namespace {

using ::testing::EndsWith;
using ::testing::MatchesRegex;

std::string Format(LogFormat format, const std::string& payload) {
  LogFormatter formatter(format);
  spdlog::memory_buf_t out;
  formatter.format(spdlog::details::log_msg("curlew", spdlog::level::warn, payload), out);
  return std::string(out.data(), out.size());
}

TEST(LogTest, TextHasTimeLevelMessageAndFields) {
  const std::string line = Format(
      LogFormat::kText, WithFields("failed: a\nb", {{"target", "crm"}, {"step", ""}, {"attempt", "3"}}));
  EXPECT_THAT(line, EndsWith("warning failed: a | b target=crm attempt=3\n"));
  EXPECT_THAT(line, MatchesRegex("[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:.]{12}Z .*\n"));
}

TEST(LogTest, JsonIsOneObjectWhateverTheMessageHolds) {
  const std::string line =
      Format(LogFormat::kJson, WithFields("say \"x\"\\\n\t\x01 é", {{"target", "a\"b"}}));
  google::protobuf::Struct parsed;
  ASSERT_TRUE(google::protobuf::util::JsonStringToMessage(line, &parsed).ok()) << line;
  EXPECT_EQ(parsed.fields().at("message").string_value(), "say \"x\"\\\n\t\x01 é");
  EXPECT_EQ(parsed.fields().at("target").string_value(), "a\"b");
  EXPECT_EQ(parsed.fields().at("level").string_value(), "warning");
  EXPECT_EQ(line.find('\n'), line.size() - 1);
}

TEST(LogTest, MessagesWithoutFieldsAreFine) {
  EXPECT_THAT(Format(LogFormat::kText, "ended"), EndsWith(" ended\n"));
  EXPECT_THAT(Format(LogFormat::kJson, "ended"), EndsWith("\"message\":\"ended\"}\n"));
}

}  // namespace
}  // namespace curlew::base
