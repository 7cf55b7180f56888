#include "agent/config_file.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/support/status_matchers.h"

// Two public keys.
#define KEY_A "11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo="
#define KEY_B "PUAXw+hDiVqStwqnTRt+vJyYLM8uxJaMwM1V8Sr0Zgw="

namespace curlew::agent {
namespace {

using ::curlew::testing::StatusIs;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

TEST(ConfigFileTest, ReadsChecksAndBackups) {
  ASSERT_OK_AND_ASSIGN(const AgentConfig config, ReadConfig(R"(checks:
  queue-short:
    sql: SELECT count(*) < 1000, count(*)::text FROM public.jobs
    timeout: 5s
  replicas: {sql: "SELECT true;"}
check_role: Curlew Check
backups:
  directory: /var/backups/curlew/
  pg_dump: /bin/sh
  data_directory: /tmp
  commands:
    snapshot:
      argv: [/bin/echo, "a b", --wait]
      timeout: 30m
      connection: true
    other: {argv: [/bin/true]}
)",
                                                            "agent.yaml"));
  ASSERT_EQ(config.checks.size(), 2);
  EXPECT_EQ(config.checks.at("queue-short").sql, "SELECT count(*) < 1000, count(*)::text FROM public.jobs");
  EXPECT_EQ(config.checks.at("queue-short").timeout, absl::Seconds(5));
  EXPECT_EQ(config.checks.at("replicas").sql, "SELECT true");
  EXPECT_EQ(config.checks.at("replicas").timeout, absl::Seconds(10));
  EXPECT_EQ(config.check_role, "Curlew Check");
  EXPECT_EQ(config.backups.directory, "/var/backups/curlew");
  EXPECT_EQ(config.backups.pg_dump, "/bin/sh");
  EXPECT_EQ(config.backups.data_directory, "/tmp");
  ASSERT_EQ(config.backups.commands.size(), 2);
  const BackupCommandConfig& snapshot = config.backups.commands.at("snapshot");
  EXPECT_THAT(snapshot.argv, ElementsAre("/bin/echo", "a b", "--wait"));
  EXPECT_EQ(snapshot.timeout, absl::Minutes(30));
  EXPECT_TRUE(snapshot.connection);
  EXPECT_EQ(config.backups.commands.at("other").timeout, absl::Hours(1));
  EXPECT_FALSE(config.backups.commands.at("other").connection);
}

TEST(ConfigFileTest, ReadsWhomToTrust) {
  ASSERT_OK_AND_ASSIGN(AgentConfig config, ReadConfig("trust:\n"
                                                      "  environment: production\n"
                                                      "  plan_keys: {alice: " KEY_A "}\n"
                                                      "  approver_keys:\n"
                                                      "    alice: " KEY_A "\n"
                                                      "    bob: \"" KEY_B "\"\n"
                                                      "  drop_approvals: 2\n",
                                                      "agent.yaml"));
  ASSERT_TRUE(config.trust.has_value());
  EXPECT_EQ(config.trust->environment, "production");
  ASSERT_EQ(config.trust->plan_keys.size(), 1);
  EXPECT_EQ(config.trust->plan_keys.at("alice").text(), KEY_A);
  ASSERT_EQ(config.trust->approver_keys.size(), 2);
  EXPECT_EQ(config.trust->approver_keys.at("bob").text(), KEY_B);
  EXPECT_EQ(config.trust->drop_approvals, 2);
  ASSERT_OK_AND_ASSIGN(config, ReadConfig("trust: {environment: p, plan_keys: {a: " KEY_A
                                          "}, approver_keys: {b: " KEY_B "}}\n",
                                          "agent.yaml"));
  EXPECT_EQ(config.trust->drop_approvals, 1);
  ASSERT_OK_AND_ASSIGN(
      config,
      ReadConfig("trust: {environment: p, plan_keys: {a: " KEY_A "}, drop_approvals: 0}\n", "agent.yaml"));
  EXPECT_EQ(config.trust->drop_approvals, 0);
}

TEST(ConfigFileTest, AllOfItMayBeLeftOut) {
  for (const char* text : {"", "# nothing\n", "checks: {}\nbackups: {}\n"}) {
    ASSERT_OK_AND_ASSIGN(const AgentConfig config, ReadConfig(text, "agent.yaml"));
    EXPECT_TRUE(config.checks.empty());
    EXPECT_TRUE(config.backups.directory.empty());
    EXPECT_FALSE(config.trust.has_value());
  }
}

TEST(ConfigFileTest, SaysWhereAndWhatIsWrong) {
  const struct {
    const char* text;
    const char* message;
  } kWrong[] = {
      {"chekcs: {}\n",
       "agent.yaml:1:1: there is no \"chekcs\" in the file; known are backups, check_role, checks, trust"},
      {"checks:\n  a: {sql: SELECT true}\n  a: {sql: SELECT true}\n",
       "agent.yaml:3:3: \"a\" is given twice, first on line 2"},
      {"checks:\n  A b: {sql: SELECT true}\n", "agent.yaml:2:3: a check's name is 1 to 63"},
      {"checks:\n  a: {timeout: 1s}\n", "agent.yaml:2:6: a check needs sql"},
      {"checks:\n  a: {sql: DROP TABLE x}\n", "agent.yaml:2:12: sql has to be one SELECT"},
      {"checks:\n  a: {sql: \"SELECT true; SELECT true\"}\n", "agent.yaml:2:12: sql has to be one SELECT"},
      {"checks:\n  a: {sql: \"SELECT true, 1, 2\"}\n", "this returns 3 columns"},
      {"checks:\n  a: {sql: SELECT true, timeout: 0}\n", "timeout has to be a duration up to 10m"},
      {"checks:\n  a: {sql: SELECT true, timeout: 5}\n", "timeout has to be a duration"},
      {"checks: [a]\n", "agent.yaml:1:9: checks has to be a mapping"},
      {"backups:\n  directory: var/x\n", "agent.yaml:2:14: directory has to be an absolute path"},
      {"backups:\n  pg_dump: /etc/passwd\n", "agent.yaml:2:12: /etc/passwd is no program"},
      {"backups:\n  data_directory: /no/such\n", "data_directory /no/such: No such file"},
      {"backups:\n  commands:\n    a: {argv: echo x}\n", "agent.yaml:3:15: argv has to be a list"},
      {"backups:\n  commands:\n    a: {argv: []}\n", "argv has to be a list"},
      {"backups:\n  commands:\n    a: {argv: [echo]}\n",
       "argv has to be a list: the program's absolute path"},
      {"backups:\n  commands:\n    a: {argv: [/no/such]}\n", "/no/such is no program"},
      {"backups:\n  commands:\n    a: {timeout: 1s}\n", "a command needs argv"},
      {"backups:\n  commands:\n    dump: {argv: [/bin/true]}\n", "\"dump\" is a kind of backup"},
      {"backups:\n  commands:\n    a: {argv: [/bin/true], connection: yes}\n", "connection is true or false"},
      {"backups:\n  commands:\n    a: {argv: [/bin/true], shell: x}\n", "there is no \"shell\" in a command"},
      {"check_role: [a]\n", "agent.yaml:1:13: check_role has to be the name of a role"},
      {"trust: {}\n", "agent.yaml:1:8: trust needs environment"},
      {"trust:\n", "trust has to be a mapping"},
      {"trust: {environment: Production}\n", "agent.yaml:1:22: environment has to be the name of"},
      {"trust: {environment: p}\n", "trust needs plan_keys: at least one NAME: KEY"},
      {"trust: {environment: p, plan_keys: {}}\n", "trust needs plan_keys"},
      {"trust: {environment: p, plan_keys: {alice: short}}\n",
       "agent.yaml:1:44: alice: it is no Ed25519 public key: 32 bytes in base64, 44 letters, as `curlew key "
       "show` prints it"},
      {"trust: {environment: p, plan_keys: {A: " KEY_A "}}\n", "a key's name is 1 to 63"},
      {"trust: {environment: p, plan_keys: {a: [x]}}\n", "a: it is no Ed25519 public key"},
      {"trust: {environment: p, plan_keys: {a: " KEY_A ", a: " KEY_B "}}\n", "\"a\" is given twice"},
      {"trust: {environment: p, plan_keys: {a: " KEY_A ", b: " KEY_A "}, drop_approvals: 0}\n",
       "plan_keys has one key under two names, a and b"},
      {"trust: {environment: p, plan_keys: {a: " KEY_A "}}\n", "trust needs approver_keys"},
      {"trust: {environment: p, plan_keys: {a: " KEY_A "}, approver_keys: {b: " KEY_B
       "}, drop_approvals: 0}\n",
       "drop_approvals is 0 although there are approver_keys"},
      {"trust: {environment: p, plan_keys: {a: " KEY_A "}, approver_keys: {b: " KEY_B
       "}, drop_approvals: 2}\n",
       "no step of DROP could ever begin; give a number from 1 to 1"},
      {"trust: {environment: p, plan_keys: {a: " KEY_A "}, drop_approvals: -1}\n",
       "drop_approvals has to be a number"},
      {"trust: {environment: p, keys: {}}\n", "there is no \"keys\" in trust"},
      {"a: b\n---\nc: d\n", "the file holds several documents"},
      {"checks: [\n", "agent.yaml:2"},
  };
  for (const auto& wrong : kWrong) {
    EXPECT_THAT(ReadConfig(wrong.text, "agent.yaml"),
                StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr(wrong.message)))
        << wrong.text;
  }
  EXPECT_THAT(ReadConfigFile("/no/such.yaml"), StatusIs(absl::StatusCode::kNotFound));
}

}  // namespace
}  // namespace curlew::agent
