// Short ways to make messages in tests.
#ifndef CURLEW_TESTS_CLI_MESSAGES_H_
#define CURLEW_TESTS_CLI_MESSAGES_H_

#include <string>

#include "curlew/v1/operator.pb.h"
#include "google/protobuf/text_format.h"
#include "gtest/gtest.h"

namespace curlew::cli {

// A rollout with one run that works on its backfill, and one that has not begun; a text form.
inline constexpr char kTwoRuns[] = R"pb(
  state: ROLLOUT_STATE_RUNNING
  create_time { seconds: 1000000000 }
  runs {
    target: "staging-crm"
    environment: "environments/staging"
    state: RUN_STATE_RUNNING
    last_attempt: 5
    steps { key: "add-1" phase: PHASE_ADD state: STEP_STATE_SUCCEEDED }
    steps {
      key: "backfill-1"
      phase: PHASE_BACKFILL
      state: STEP_STATE_ACTIVE
      attempt { number: 5 direction: DIRECTION_DO }
    }
    steps { key: "drop-1" phase: PHASE_DROP state: STEP_STATE_PENDING }
  }
  runs { target: "production-crm" environment: "environments/production" state: RUN_STATE_PENDING })pb";

// Progress of that backfill.
inline constexpr char kHalfWay[] = R"pb(
  target: "staging-crm"
  step: "backfill-1"
  attempt: 5
  phase: PHASE_BACKFILL
  rows_done: 42000
  rows_total: 100000
  fraction: 0.42
  rows_per_second: 21000
  eta { seconds: 3 }
  throttle: 0.1)pb";

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
