#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>
#include <string>
#include <vector>

#include "common/base/proto_time.h"
#include "common/plan/plan_reader.h"
#include "curlew/v1/rollout.pb.h"
#include "tests/support/status_matchers.h"

namespace curlew::plan {
namespace {

template <typename Message>
void ExpectComesBack(const Message& message) {
  const std::string yaml = ToYaml(message);
  Message read;
  ASSERT_OK(ReadYaml(yaml, "yaml", &read)) << yaml;
  EXPECT_EQ(read.SerializeAsString(), message.SerializeAsString()) << yaml;
}

TEST(ToYamlTest, WritesBlocksInTheOrderOfTheProto) {
  v1::Plan plan;
  plan.set_description("Why: because.\nSecond line.\n");
  plan.set_name("rename-phone");
  v1::RenameColumn* rename = plan.add_operations()->mutable_rename_column();
  rename->set_table("contacts");
  rename->set_from("phone");
  rename->add_discard("a");
  rename->add_discard("B b");
  v1::Sql* sql = plan.add_operations()->mutable_sql();
  sql->set_up("SELECT 1;\nSELECT 2");
  sql->set_irreversible(true);
  sql->set_phase(v1::PHASE_DUAL_WRITE);
  *plan.mutable_settings()->mutable_max_lock_timeout() = base::ToProto(absl::Milliseconds(750));
  plan.add_operations()->mutable_set_not_null();
  EXPECT_EQ(ToYaml(plan), R"(name: rename-phone
description: |
  Why: because.
  Second line.
operations:
  - rename_column:
      table: contacts
      from: phone
      discard:
        - a
        - B b
  - sql:
      up: |-
        SELECT 1;
        SELECT 2
      irreversible: true
      phase: dual_write
  - set_not_null: {}
settings:
  max_lock_timeout: 750ms
)");
  ExpectComesBack(plan);
}

TEST(ToYamlTest, AnEmptyMessageIsAnEmptyMapping) { EXPECT_EQ(ToYaml(v1::Plan()), "{}\n"); }

TEST(ToYamlTest, TextsComeBackAsTheyWereWhateverTheyHold) {
  const std::vector<std::string> texts = {
      "plain",      "two words",   "true",      "No",         "null",      "~",          "12",
      "1e3",        "-",           "- item",    "key: value", "a #b",      "#c",         "'single'",
      "\"double\"", "back\\slash", " lead",     "trail ",     "a\nb",      "a\nb\n",     "a\nb\n\n",
      "\na",        "a\n\nb\n",    "a\n  b\nc", " a\nb",      "a \nb",     "\ttab",      "a\tb",
      "a\n\tb",     "a\r\nb",      "a\rb",      "\n",         "\n\n",      " ",          "@at",
      "`tick",      "%pct",        "!tag",      "&anchor",    "*alias",    "[a]",        "{a}",
      "a, b",       "a]",          "?",         ":",          "a:",        "|",          ">",
      "---",        "...",         "a\n---\nb", "a\n...\nb",  "a\n# b\nc", "\u20ac",     "\u00e9\nx",
      "\u0085",     "\u009f",      "\u2028",    "a\u2029b",   "\uFEFFx",   "\U0001F600", "\x01",
      "\x7f",       "\x1b[0m",     "y",         "off",        "0x10",      ".5",         "2026-01-31",
      "1:30",       "=",           "<<",        "a: b\nc: d", "x\n- y",    "null\n",     "a;b",
      "f(x) = 'y'", "a  b",        "_x",        "^$"};
  for (const std::string& text : texts) {
    v1::Plan plan;
    plan.set_description(text);
    v1::AddUnique* unique = plan.add_operations()->mutable_add_unique();
    unique->add_columns(text);
    unique->add_columns("after");
    unique->set_name(text);
    ExpectComesBack(plan);
  }
}

TEST(ToYamlTest, EveryPairOfAwkwardCharactersComesBack) {
  const std::string characters = "a :#-?,[]{}&*!|>'\"%@`\\\n\t\r=0~.<$^_";
  for (char first : characters) {
    for (char second : characters) {
      for (const std::string& text :
           {std::string{first, second}, std::string{'x', first, second}, std::string{first, second, 'x'},
            std::string{'x', first, second, 'x'}}) {
        v1::Plan plan;
        plan.set_description(text);
        ExpectComesBack(plan);
      }
    }
  }
}

TEST(ToYamlTest, NumbersTimesAndDurationsComeBack) {
  v1::Target target;
  target.set_epoch(std::numeric_limits<int64_t>::min());
  target.set_server_version_num(150015);
  target.set_served(true);
  *target.mutable_last_seen_time() = base::ToProto(absl::FromUnixNanos(1'800'000'000'000'000'001));
  EXPECT_THAT(ToYaml(target), ::testing::HasSubstr("last_seen_time: 2027-01-15T08:00:00.000000001Z\n"));
  ExpectComesBack(target);
  v1::Progress progress;
  progress.set_fraction(1.0 / 3);
  progress.set_rows_per_second(1e300);
  progress.mutable_waiting()->set_cause(v1::WAIT_CAUSE_LOCK);
  *progress.mutable_eta() = base::ToProto(absl::Hours(26) + absl::Milliseconds(3));
  ExpectComesBack(progress);
}

TEST(ToYamlTest, WritesARolloutForPeople) {
  v1::Rollout rollout;
  rollout.set_name("rollouts/rename-phone-1");
  rollout.set_state(v1::ROLLOUT_STATE_RUNNING);
  v1::Run* run = rollout.add_runs();
  run->set_target("staging-crm");
  run->add_steps()->set_key("op0.add");
  run->mutable_steps(0)->set_state(v1::STEP_STATE_SUCCEEDED);
  rollout.set_last_event(3);
  EXPECT_EQ(ToYaml(rollout), R"(name: rollouts/rename-phone-1
state: running
runs:
  - target: staging-crm
    steps:
      - key: op0.add
        state: succeeded
last_event: 3
)");
}

}  // namespace
}  // namespace curlew::plan
