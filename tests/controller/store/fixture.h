// Stores of earlier versions, kept in fixtures/ (made by make.py there).
#ifndef CURLEW_TESTS_CONTROLLER_STORE_FIXTURE_H_
#define CURLEW_TESTS_CONTROLLER_STORE_FIXTURE_H_

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <sstream>
#include <string>

#include "absl/strings/str_cat.h"
#include "common/base/audit_chain.h"
#include "controller/store/rollout_store.h"
#include "tests/controller/store/builders.h"
#include "tests/support/status_matchers.h"

namespace curlew::store {

// The SQL of a fixture: "sqlite_1".
inline std::string Fixture(const std::string& name) {
  std::ifstream file(absl::StrCat(CURLEW_STORE_FIXTURES, "/", name, ".sql"));
  std::ostringstream text;
  text << file.rdbuf();
  EXPECT_FALSE(text.str().empty()) << "there is no fixture " << name << ": run make.py";
  return text.str();
}

// A store that was made from a fixture of a version that has the audit log holds what stands beside the
// rollouts, too.
inline void ExpectRecordsOfFixture(RolloutStore& store) {
  RecordStore& records = store.records();
  ASSERT_OK_AND_ASSIGN(const auto audit, records.ListAudit(0, 10));
  ASSERT_EQ(audit.size(), 2u);
  EXPECT_EQ(audit[1].action(), "rollout.start");
  EXPECT_EQ(audit[1].details().at("b"), "\u00fc");
  ASSERT_OK_AND_ASSIGN(const auto pending, records.PendingNotifications(0, 10));
  ASSERT_EQ(pending.size(), 2u);
  EXPECT_EQ(pending[0].id(), 2);
  EXPECT_EQ(pending[1].message(), "it has failed");
  ASSERT_OK_AND_ASSIGN(const auto newest, records.NewestTargetRecord("staging-crm"));
  EXPECT_EQ(newest.number(), 2);
  EXPECT_EQ(newest.schema_json(), "{\"number\":2}");
  ASSERT_OK(records.Put(MakeRecord({"rollout.abort"}, {"later"})));
  ASSERT_OK_AND_ASSIGN(const auto next, records.ListAudit(2, 10));
  ASSERT_EQ(next.size(), 1u);
  EXPECT_OK(base::CheckChain(2, audit[1].hash(), next[0]));
  ASSERT_OK_AND_ASSIGN(const auto later, records.PendingNotifications(3, 10));
  ASSERT_EQ(later.size(), 1u);
  EXPECT_EQ(later[0].id(), 5) << "4 was given before";
}

// The same of one of a version that has bearer tokens.
inline void ExpectTokensOfFixture(RolloutStore& store) {
  TokenStore& tokens = store.tokens();
  std::string next;
  ASSERT_OK_AND_ASSIGN(const auto listed, tokens.ListTokens({}, &next));
  ASSERT_EQ(listed.size(), 2u);
  EXPECT_EQ(listed[0].hash, std::string(64, 'b'));
  EXPECT_FALSE(listed[0].token.has_revoke_time());
  EXPECT_EQ(listed[1].token.revoker(), "eve");
  EXPECT_THAT(tokens.AddToken(MakeToken("tokens/ci", 'c', 1'800'000'000), {}),
              curlew::testing::StatusIs(absl::StatusCode::kAlreadyExists));
  ASSERT_OK(tokens.RevokeToken(MakeRevocation("tokens/ci", 1'800'000'000), {}));
  ASSERT_OK(tokens.AddToken(MakeToken("tokens/ci", 'c', 1'800'000'000), {}));
}

// The same of the runs of a rollout, wherever its version kept them.
inline void ExpectRunsOfFixture(RolloutStore& store) {
  ASSERT_OK_AND_ASSIGN(const VersionedRollout read, store.GetRollout("rollouts/running"));
  ASSERT_EQ(read.rollout.runs_size(), 2);
  EXPECT_EQ(read.rollout.runs(0).target(), "staging-crm");
  EXPECT_EQ(read.rollout.runs(1).target(), "production-crm");
  EXPECT_EQ(read.rollout.state(), v1::ROLLOUT_STATE_RUNNING);
  std::string next;
  ASSERT_OK_AND_ASSIGN(const auto listed, store.ListRollouts({}, &next));
  EXPECT_TRUE(SameProto(listed[0].rollout, read.rollout));
}

// A store that was made from a fixture holds all that it held, and goes on.
inline void ExpectContentOfFixture(RolloutStore& store) {
  std::string next;
  ASSERT_OK_AND_ASSIGN(const auto plans, store.ListPlans({}, &next));
  ASSERT_EQ(plans.size(), 2u);
  EXPECT_EQ(plans[0].name(), "plans/add-mail-1");
  EXPECT_EQ(plans[1].plan().name(), "rename-phone");
  ASSERT_OK_AND_ASSIGN(const auto environments, store.ListEnvironments());
  ASSERT_EQ(environments.size(), 2u);
  EXPECT_EQ(environments[0].name(), "environments/staging");
  EXPECT_EQ(environments[1].targets(0), "production-crm");
  ASSERT_OK_AND_ASSIGN(const auto rollouts, store.ListRollouts({}, &next));
  ASSERT_EQ(rollouts.size(), 2u);
  EXPECT_EQ(rollouts[0].rollout.name(), "rollouts/running");
  EXPECT_EQ(rollouts[0].version, 2);
  EXPECT_EQ(rollouts[1].version, 4);
  EXPECT_EQ(rollouts[1].rollout.state(), v1::ROLLOUT_STATE_SUCCEEDED);
  ASSERT_OK_AND_ASSIGN(const auto events, store.ListEvents("rollouts/ended", 0, 10));
  ASSERT_EQ(events.size(), 3u);
  EXPECT_EQ(events[2].message(), "event 3 of rollouts/ended");
  ASSERT_OK_AND_ASSIGN(const auto compiled, store.GetCompiledPlan("rollouts/ended/runs/staging-crm"));
  EXPECT_EQ(compiled.plan_digest(), "1");
  ASSERT_OK_AND_ASSIGN(auto pending, store.PendingOutbox());
  ASSERT_EQ(pending.size(), 2u);
  EXPECT_EQ(pending[0].id, 3);
  EXPECT_EQ(pending[1].id, 4);
  EXPECT_EQ(pending[1].payload, std::string("\0\xff", 2));
  RolloutChange change = MakeChange("rollouts/running", 2, 2, 1);
  change.outbox = {MakeEntry("rollouts/running", "t", "tune", "")};
  ASSERT_OK(store.Commit(change));
  ASSERT_OK_AND_ASSIGN(const VersionedRollout changed, store.GetRollout("rollouts/running"));
  EXPECT_TRUE(SameProto(changed.rollout, change.rollout));
  ASSERT_OK_AND_ASSIGN(pending, store.PendingOutbox());
  ASSERT_EQ(pending.size(), 3u);
  EXPECT_EQ(pending[2].id, 7) << "6 was given before";
}

}  // namespace curlew::store

#endif  // CURLEW_TESTS_CONTROLLER_STORE_FIXTURE_H_
