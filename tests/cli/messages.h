// Short ways to make messages in tests.
#ifndef CURLEW_TESTS_CLI_MESSAGES_H_
#define CURLEW_TESTS_CLI_MESSAGES_H_

#include <string>

#include "curlew/v1/operator.pb.h"
#include "google/protobuf/text_format.h"
#include "gtest/gtest.h"

namespace curlew::cli {

// A message from its text form.
template <typename Message>
Message Parse(const std::string& text) {
  Message message;
  EXPECT_TRUE(google::protobuf::TextFormat::ParseFromString(text, &message)) << text;
  return message;
}

inline v1::WatchRolloutResponse EventMessage(int64_t number, const std::string& more = "") {
  v1::WatchRolloutResponse message;
  *message.mutable_event() = Parse<v1::Event>(more);
  message.mutable_event()->set_number(number);
  if (message.event().message().empty())
    message.mutable_event()->set_message("event " + std::to_string(number));
  return message;
}

inline v1::WatchRolloutResponse RolloutMessage(int64_t last_event, const std::string& more) {
  v1::WatchRolloutResponse message;
  *message.mutable_rollout() = Parse<v1::Rollout>(more);
  message.mutable_rollout()->set_name("rollouts/r1");
  message.mutable_rollout()->set_last_event(last_event);
  return message;
}

inline v1::WatchRolloutResponse ProgressMessage(const std::string& text) {
  v1::WatchRolloutResponse message;
  *message.mutable_progress() = Parse<v1::Progress>(text);
  return message;
}

}  // namespace curlew::cli

#endif  // CURLEW_TESTS_CLI_MESSAGES_H_
