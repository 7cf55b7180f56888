// Keys, plans and signatures for tests of what agents verify.
#ifndef CURLEW_TESTS_AGENT_VERIFY_SIGNING_TEST_H_
#define CURLEW_TESTS_AGENT_VERIFY_SIGNING_TEST_H_

#include <cstdlib>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "agent/verify/trust.h"
#include "common/base/proto_time.h"
#include "common/plan/plan_reader.h"
#include "common/signing/statements.h"
#include "curlew/v1/plan.pb.h"
#include "curlew/v1/signature.pb.h"

namespace curlew::agent {

// Always the same key for a name.
inline signing::SigningKey KeyOf(const std::string& name) {
  static std::map<std::string, signing::SigningKey>* const keys =
      new std::map<std::string, signing::SigningKey>;
  if (const auto known = keys->find(name); known != keys->end()) return known->second;
  return keys->emplace(name, *signing::SigningKey::Generate()).first->second;
}
inline TrustedKeys KeysOf(const std::vector<std::string>& names) {
  TrustedKeys keys;
  for (const std::string& name : names) keys.emplace(name, KeyOf(name).public_key());
  return keys;
}

// Alice and Ann sign plans; Ann, Bob and Carol decide.
inline Trust TestTrust() {
  return {.environment = "production",
          .plan_keys = KeysOf({"alice", "ann"}),
          .approver_keys = KeysOf({"ann", "bob", "carol"}),
          .drop_approvals = 1};
}

inline v1::Plan PlanOf(const std::string& yaml) {
  auto plan = plan::ReadPlan(yaml, "plan.yaml");
  if (!plan.ok()) std::abort();
  return *std::move(plan);
}

// An id that no other has.
inline std::string NewId() {
  static int ids = 0;
  return absl::StrCat("00000000000000000000", absl::Dec(++ids, absl::kZeroPad12));
}

// For production's target crm, for an hour on both sides of `now`.
inline v1::PlanStatement StatementOf(const v1::Plan& plan, absl::Time now = absl::Now()) {
  v1::PlanStatement statement;
  statement.set_id(NewId());
  statement.set_plan_digest(plan::Digest(plan));
  statement.set_environment("production");
  statement.add_targets("crm");
  *statement.mutable_not_before() = base::ToProto(now - absl::Hours(1));
  *statement.mutable_expire_time() = base::ToProto(now + absl::Hours(1));
  return statement;
}
inline v1::PlanSignature SignedBy(const std::string& who, const v1::PlanStatement& statement) {
  return signing::Sign(KeyOf(who), statement);
}
inline v1::DecisionSignature SignedBy(const std::string& who, const v1::DecisionStatement& statement) {
  return signing::Sign(KeyOf(who), statement);
}

}  // namespace curlew::agent

#endif  // CURLEW_TESTS_AGENT_VERIFY_SIGNING_TEST_H_
