#include "agent/throttle_file.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/support/status_matchers.h"

namespace curlew::agent {
namespace {

using ::curlew::testing::StatusIs;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::StartsWith;

TEST(ThrottleFileTest, ReadsAll) {
  ASSERT_OK_AND_ASSIGN(const ThrottleConfig config, ReadThrottle(R"(
limits:
  replica_lag_ms: 500
  wal_bytes_per_second: 5e7
  archive_backlog: off
checks:
  - name: queued_jobs
    sql: SELECT count(*) FROM jobs WHERE state = 'queued';
    limit: 1000
    required: true
  - {name: answer, sql: SELECT 42, limit: 100}
disk_path: /
max_workers: 4
)",
                                                                 "throttle.yaml"));
  EXPECT_EQ(config.limits,
            (std::map<std::string, double>{
                {"replica_lag_ms", 500}, {"wal_bytes_per_second", 5e7}, {"archive_backlog", -1}}));
  ASSERT_EQ(config.checks.size(), 2u);
  EXPECT_EQ(config.checks[0].name, "queued_jobs");
  EXPECT_EQ(config.checks[0].sql, "SELECT count(*) FROM jobs WHERE state = 'queued'");
  EXPECT_EQ(config.checks[0].limit, 1000);
  EXPECT_TRUE(config.checks[0].required);
  EXPECT_FALSE(config.checks[1].required);
  EXPECT_EQ(config.disk_path, "/");
  EXPECT_EQ(config.max_workers, 4);
}

TEST(ThrottleFileTest, WhatIsLeftOutIsTheDefault) {
  for (const char* text : {"", "# nothing\n", "limits: {}", "checks: []"}) {
    ASSERT_OK_AND_ASSIGN(const ThrottleConfig config, ReadThrottle(text, "f"));
    EXPECT_TRUE(config.limits.empty());
    EXPECT_EQ(config.max_workers, ThrottleConfig{}.max_workers);
  }
}

TEST(ThrottleFileTest, SaysWhereAndWhatIsWrong) {
  struct Row {
    const char* text;
    const char* place;
    const char* what;
  };
  for (const Row& row : std::vector<Row>{
           {"limits:\n  replica_lag: 5\n",
            "f:2:3: ", "there is no signal \"replica_lag\"; known are lock_waiters, "},
           {"limits: {lock_waiters: soon}\n", "f:1:24: ", "a number above 0, or off"},
           {"limits: {lock_waiters: 0}\n", "f:1:24: ", "a number above 0, or off"},
           {"limits: {lock_waiters: -2}\n", "f:1:24: ", "a number above 0, or off"},
           {"limits: {lock_waiters: .inf}\n", "f:1:24: ", "a number above 0, or off"},
           {"limits:\n  lock_waiters: 1\n  lock_waiters: 2\n", "f:3:3: ", "given twice, first on line 2"},
           {"limits: 5\n", "f:1:9: ", "limits has to be a mapping"},
           {"limit: {}\n",
            "f:1:1: ", "there is no \"limit\" in the file; known are checks, disk_path, limits, max_workers"},
           {"checks: {}\n", "f:1:9: ", "checks has to be a list"},
           {"checks:\n- name: a\n  limit: 1\n", "f:2:3: ", "a check needs name, sql and limit"},
           {"checks:\n- name: Bad Name\n", "f:2:9: ", "lower-case letters"},
           {"checks:\n- name: lock_waiters\n", "f:2:9: ", "is a signal that the agent reads itself"},
           {"checks:\n- {name: a, sql: SELECT 1, limit: 1}\n- {name: a, sql: SELECT 1, limit: 1}\n",
            "f:3:10: ", "two checks are named \"a\""},
           {"checks:\n- name: a\n  sql: DELETE FROM t\n", "f:3:8: ", "sql has to be one SELECT: "},
           {"checks:\n- name: a\n  sql: SELECT 1; SELECT 2\n", "f:3:8: ", "sql has to be one SELECT: "},
           {"checks:\n- name: a\n  sql: SELEC 1\n", "f:3:8: ", "sql has to be one SELECT: "},
           {"checks:\n- name: a\n  sql: SELECT 1, 2\n", "f:3:8: ", "this returns 2 columns"},
           {"checks:\n- name: a\n  required: maybe\n", "f:3:13: ", "required is true or false"},
           {"checks:\n- name: a\n  limits: 1\n", "f:3:3: ", "there is no \"limits\" in a check"},
           {"disk_path: data\n", "f:1:12: ", "absolute path"},
           {"disk_path: /no/such/path\n", "f:1:12: ", "No such file or directory"},
           {"max_workers: 0\n", "f:1:14: ", "1 to 64"},
           {"max_workers: many\n", "f:1:14: ", "1 to 64"},
           {"a: b: c\n", "f:1:", ""},
           {"---\n{}\n---\n{}\n", "f:4:1: ", "several documents"},
           {"- a\n", "f:1:1: ", "the file has to be a mapping"}}) {
    EXPECT_THAT(ReadThrottle(row.text, "f"), StatusIs(absl::StatusCode::kInvalidArgument,
                                                      AllOf(StartsWith(row.place), HasSubstr(row.what))))
        << row.text;
  }
}

TEST(ThrottleFileTest, AFileThatIsNotThereIsNamed) {
  EXPECT_THAT(ReadThrottleFile("/no/such/throttle.yaml"),
              StatusIs(absl::StatusCode::kNotFound, HasSubstr("/no/such/throttle.yaml")));
}

}  // namespace
}  // namespace curlew::agent
